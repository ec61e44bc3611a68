//! Just enough HPACK (RFC 7541): any head can be read, every head is written as plain literals.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use loona_hpack::Decoder;

/// Reads the heads of one connection; HPACK keeps state from head to head.
pub(super) struct HeadReader {
    decoder: Decoder<'static>,
}

/// A decoded head: the pseudo header fields and the others.
#[derive(Default)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
}

impl HeadReader {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::new(),
        }
    }

    pub(super) fn read(&mut self, block: &[u8]) -> io::Result<Head> {
        let fields = self
            .decoder
            .decode(block)
            .map_err(|error| invalid(format!("HPACK: {error:?}")))?;
        let mut head = Head::default();
        for (name, value) in fields {
            let text = || String::from_utf8_lossy(&value).into_owned();
            match name.as_slice() {
                b":method" => head.method = text(),
                b":scheme" => head.scheme = text(),
                b":authority" => head.authority = text(),
                b":path" => head.path = text(),
                _ => {
                    let name = HeaderName::from_bytes(&name).map_err(invalid)?;
                    let value = HeaderValue::from_bytes(&value).map_err(invalid)?;
                    head.headers.append(name, value);
                }
            }
        }
        Ok(head)
    }
}

/// Writes fields as literals without indexing (RFC 7541 §6.2.2), which need no state.
pub(super) fn write<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Bytes {
    let mut block = BytesMut::new();
    for (name, value) in fields {
        block.put_u8(0);
        write_string(&mut block, name.as_bytes());
        write_string(&mut block, value);
    }
    block.freeze()
}

fn write_string(block: &mut BytesMut, string: &[u8]) {
    // A length of seven bits or more runs over into further octets (RFC 7541 §5.1).
    const PREFIX: usize = 0x7f;
    if string.len() < PREFIX {
        block.put_u8(string.len() as u8);
    } else {
        block.put_u8(PREFIX as u8);
        let mut rest = string.len() - PREFIX;
        while rest >= 0x80 {
            block.put_u8((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        block.put_u8(rest as u8);
    }
    block.put_slice(string);
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(values in prop::collection::vec("[ -~]{0,300}", 0..6)) {
            let block = write(values.iter().map(|value| ("x-value", value.as_bytes())));
            let head = HeadReader::new().read(&block).unwrap();
            let read: Vec<_> = head.headers.get_all("x-value").iter().map(|value| value.to_str().unwrap()).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn a_hostile_block_is_an_error_and_no_panic(block in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = HeadReader::new().read(&block);
        }
    }
}
