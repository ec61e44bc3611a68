use http::header::{HeaderName, HeaderValue};
use http::{Extensions, Method, Request, Uri, Version};

/// The head of a request as the caller wrote it: what layers below do to one attempt's is not seen by
/// the next.
///
/// Every call makes one and few need it. The headers are a list, which is half the work of a map.
#[derive(Debug)]
pub(crate) struct Pristine {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Vec<(HeaderName, HeaderValue)>,
    extensions: Extensions,
}

impl Pristine {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        // Not `collect`: without a trusted length it is dearer by a third.
        let mut headers = Vec::with_capacity(request.headers().len());
        for (name, value) in request.headers() {
            headers.push((name.clone(), value.clone()));
        }
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers,
            extensions: request.extensions().clone(),
        }
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The values of a header.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let mut headers = self.headers.iter();
        headers.find_map(|(found, value)| (found == name).then_some(value))
    }

    /// Another request with this head.
    pub(crate) fn with<B>(&self, body: B) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers.iter().cloned().collect();
        *request.extensions_mut() = self.extensions.clone();
        request
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, AUTHORIZATION, COOKIE};

    use super::*;

    #[test]
    fn a_copy_is_the_same_head() {
        #[derive(Clone, Debug, PartialEq)]
        struct Extension(u8);
        let mut secret = HeaderValue::from_static("Bearer token");
        secret.set_sensitive(true);
        let mut request = Request::builder()
            .method("PURGE")
            .uri("http://u@a.example:81/x?y")
            .version(Version::HTTP_2)
            .header(COOKIE, "a")
            .header(ACCEPT, "text/html")
            .header(COOKIE, "b")
            .header("x-own", "1")
            .header(AUTHORIZATION, secret)
            .body(())
            .unwrap();
        request.extensions_mut().insert(Extension(7));
        let copy = Pristine::of(&request).with("body");
        assert_eq!(copy.method(), request.method());
        assert_eq!(copy.uri(), request.uri());
        assert_eq!(copy.version(), request.version());
        assert_eq!(copy.headers(), request.headers());
        assert!(
            copy.headers().iter().eq(request.headers()),
            "in the same order"
        );
        assert!(copy.headers()[AUTHORIZATION].is_sensitive());
        assert_eq!(copy.extensions().get(), Some(&Extension(7)));
    }
}
