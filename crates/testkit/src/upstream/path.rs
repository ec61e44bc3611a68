use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

use super::{
    Behaviour, Upstream,
    query::{Query, Unknown, duration, number},
};
use crate::{Body, Reply, raw::Code};

/// What the paths ask for. Only `first` needs a memory: how often each such path was asked.
#[derive(Debug, Default)]
pub(super) struct Paths {
    asked: Mutex<HashMap<String, usize>>,
}

impl Paths {
    /// How many paths with `first` are counted; with one more all are counted anew.
    const MAX_COUNTED: usize = 1024;

    pub(super) fn behaviour(&self, uri: &Uri) -> Behaviour {
        let path = match uri.path().strip_prefix("/first/") {
            Some(rest) => self.first(rest, uri),
            None => Ok(uri.path()),
        };
        path.and_then(|path| parse(path, &Query(uri.query().unwrap_or_default())))
            .unwrap_or_else(|Unknown| {
                let help = Upstream::PATHS;
                Behaviour::from(Reply::status(404).body(help)).executed(false)
            })
    }

    /// Of `N/PATH/then/PATH` the first path for the first N times, then the second.
    fn first<'a>(&self, rest: &'a str, uri: &Uri) -> Result<&'a str, Unknown> {
        let (times, paths) = rest.split_once('/').ok_or(Unknown)?;
        let times = number(times)?;
        let (first, then) = paths.split_once("/then/").ok_or(Unknown)?;
        Ok(if self.ask(uri.to_string()) < times {
            first
        } else {
            then
        })
    }

    /// Says how often this was asked before.
    fn ask(&self, path: String) -> usize {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= Self::MAX_COUNTED && !asked.contains_key(&path) {
            asked.clear();
        }
        let count = asked.entry(path).or_default();
        *count += 1;
        *count - 1
    }
}

/// Reads one behaviour: a word, what belongs to it, and the query.
fn parse(path: &str, query: &Query<'_>) -> Result<Behaviour, Unknown> {
    let path = path.trim_matches('/');
    let (word, rest) = path.split_once('/').unwrap_or((path, ""));
    let behaviour = match word {
        "echo" => Behaviour::echo(),
        "reset" => Behaviour::reset(code(rest, Code::CANCEL)?),
        "refuse" => Behaviour::refuse(),
        "goaway" => Behaviour::goaway(code(rest, Code::NO_ERROR)?),
        "drain" => Behaviour::drain(Reply::status(200)),
        "close" => Behaviour::close(),
        "abort" => Behaviour::abort(),
        "silence" => Behaviour::silence(),
        _ => {
            let reply = reply(word, rest, query)?;
            match query.get("retry-after") {
                Some(value) => reply.header(
                    RETRY_AFTER,
                    HeaderValue::try_from(value).map_err(|_| Unknown)?,
                ),
                None => reply,
            }
            .into()
        }
    };
    Ok(behaviour.after(query.duration("delay", Duration::ZERO)?))
}

fn reply(word: &str, rest: &str, query: &Query<'_>) -> Result<Reply, Unknown> {
    let ok = Reply::status(200);
    Ok(match word {
        "" => ok,
        "status" => Reply::status(StatusCode::from_bytes(rest.as_bytes()).map_err(|_| Unknown)?),
        "delay" => ok.after(duration(rest)?),
        "bytes" => ok.body(bytes(rest)?),
        "drip" => {
            let every = query.duration("every", Duration::from_millis(100))?;
            ok.body(Body::drip(bytes(rest)?, query.number("size", 1)?, every))
        }
        "truncate" => part(rest, query, |body| body.fail(|| Code::INTERNAL_ERROR))?,
        "hang" => part(rest, query, Body::hang)?,
        "malformed" => ok
            .header(CONTENT_TYPE, "application/json")
            .body(r#"{"id": 7, "na"#),
        "wrong-type" => ok.header(CONTENT_TYPE, "text/html").body("<p>Sign in</p>"),
        _ => return Err(Unknown),
    })
}

/// An answer that promises a length and gives a part of it.
fn part(len: &str, query: &Query<'_>, ending: impl FnOnce(Body) -> Body) -> Result<Reply, Unknown> {
    let whole = bytes(len)?;
    let given = query.number("after", whole.len() / 2)?.min(whole.len());
    let body = ending(Body::from(whole.slice(..given)));
    Ok(Reply::status(200)
        .header(CONTENT_LENGTH, HeaderValue::from(whole.len()))
        .body(body))
}

fn bytes(len: &str) -> Result<Bytes, Unknown> {
    let len = number(len)?;
    if len > Upstream::MAX_BODY {
        Err(Unknown)
    } else {
        Ok(vec![b'.'; len].into())
    }
}

fn code(name: &str, default: Code) -> Result<Code, Unknown> {
    if name.is_empty() {
        Ok(default)
    } else {
        Code::find(name).ok_or(Unknown)
    }
}
