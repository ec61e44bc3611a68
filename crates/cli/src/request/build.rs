use http::header::{CONTENT_TYPE, Entry, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use outrigger::idempotency::IdempotencyKey;
use outrigger::{Endpoint, RequestId};

use super::upload::{self, Again, RequestBody};
use super::{RequestArgs, encode};
use crate::options::Key;
use crate::usage::Usage;

/// Headers whose values are never shown nor indexed.
const SECRET: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "idempotency-key",
    "api-key",
    "x-api-key",
];

impl RequestArgs {
    /// Makes the request that the command line asks for.
    ///
    /// # Errors
    /// [`Usage`] for what no request can be made of; it repeats neither URL nor header values.
    pub(crate) async fn build(&self) -> Result<Request<RequestBody>, Usage> {
        let (content_type, body, again) = body(self).await?;
        let mut headers = headers(&self.headers)?;
        if let (Some(content_type), Entry::Vacant(entry)) =
            (content_type, headers.entry(CONTENT_TYPE))
        {
            entry.insert(HeaderValue::from_static(content_type));
        }
        let mut request = Request::new(body.unwrap_or_else(|| upload::text("")));
        let (method, address) = self.target()?;
        *request.method_mut() = method;
        *request.uri_mut() = url(address, &self.query)?;
        *request.headers_mut() = headers;
        if let Some(id) = &self.options.request_id {
            let id = RequestId::parse(id).map_err(|error| Usage::new(error.to_string()))?;
            request.extensions_mut().insert(id);
        }
        if let Some(again) = again {
            request.extensions_mut().insert(again);
        }
        if let Key::Own(key) = &self.options.idempotency_key {
            let key = IdempotencyKey::parse(key).map_err(|error| Usage::new(error.to_string()))?;
            request.extensions_mut().insert(key);
        }
        Ok(request)
    }

    fn target(&self) -> Result<(Method, &str), Usage> {
        let has_body = self.data.is_some() || self.json.is_some() || !self.form.is_empty();
        match self.target.as_slice() {
            [url] if has_body => Ok((Method::POST, url)),
            [url] => Ok((Method::GET, url)),
            [method, url] => match Method::from_bytes(method.as_bytes()) {
                Ok(method) => Ok((method, url)),
                Err(_) => Err(Usage::new("the method is no HTTP method")),
            },
            _ => Err(Usage::new(
                "a method and one url are all: quote what follows -d, -H and the like",
            )),
        }
    }
}

/// The URL with the pairs of the query added. No message repeats it: it may hold a secret.
fn url(text: &str, query: &[String]) -> Result<Uri, Usage> {
    let unfit = |why| Usage::new(format!("the url {why}"));
    if !text.contains("://") {
        return Err(unfit("needs http:// or https://"));
    }
    let (address, _fragment) = text.split_once('#').unwrap_or((text, ""));
    let added = encode::pairs(pairs(query, "-q")?);
    let joint = match address.split_once('?') {
        _ if added.is_empty() => "",
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    let uri: Uri = format!("{address}{joint}{added}")
        .parse()
        .map_err(|_| unfit("cannot be read: is it percent-encoded?"))?;
    if Endpoint::of(&uri).is_err() {
        return Err(unfit("needs http:// or https:// and a host"));
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(unfit(
            "carries a user or password: send -H 'authorization: …' instead",
        ));
    }
    Ok(uri)
}

fn headers(lines: &[String]) -> Result<HeaderMap, Usage> {
    let mut headers = HeaderMap::new();
    for (n, line) in (1..).zip(lines) {
        let unfit = |why| Usage::new(format!("header {n} {why}"));
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| unfit("has no colon: write -H 'name: value'"))?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| unfit("has no valid name"))?;
        let mut value = HeaderValue::from_bytes(value.trim().as_bytes())
            .map_err(|_| unfit("has no valid value"))?;
        value.set_sensitive(SECRET.contains(&name.as_str()));
        headers.append(name, value);
    }
    Ok(headers)
}

type Body = (Option<&'static str>, Option<RequestBody>, Option<Again>);

async fn body(args: &RequestArgs) -> Result<Body, Usage> {
    if let Some(json) = &args.json {
        serde_json::from_str::<serde::de::IgnoredAny>(json)
            .map_err(|error| Usage::new(format!("--json is no JSON: {error}")))?;
        let body = upload::text(json.clone());
        return Ok((Some("application/json"), Some(body), None));
    }
    if !args.form.is_empty() {
        let form = encode::pairs(pairs(&args.form, "-f")?);
        let content_type = "application/x-www-form-urlencoded";
        return Ok((Some(content_type), Some(upload::text(form)), None));
    }
    let (body, again) = match args
        .data
        .as_deref()
        .map(|data| (data, data.strip_prefix('@')))
    {
        None => (None, None),
        Some((_, Some(path))) => {
            let (body, again) = upload::file(path).await?;
            (Some(body), again)
        }
        Some((text, None)) => (Some(upload::text(text.to_owned())), None),
    };
    Ok((None, body, again))
}

fn pairs<'a>(pairs: &'a [String], option: &str) -> Result<Vec<(&'a str, &'a str)>, Usage> {
    pairs
        .iter()
        .map(|pair| pair.split_once('='))
        .collect::<Option<_>>()
        .ok_or_else(|| Usage::new(format!("{option} takes name=value")))
}
