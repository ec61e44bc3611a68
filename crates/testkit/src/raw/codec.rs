//! Frames to octets and back (RFC 9113 §4.1, §6).

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Code, Frame, Setting};

const HEAD: usize = 9;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

const STREAM_BITS: u32 = u32::MAX >> 1;

impl Frame {
    /// Takes one frame off the front of `input`; `None` when it has not arrived whole.
    pub(super) fn decode(input: &mut BytesMut) -> io::Result<Option<Self>> {
        let Some(mut head) = input.get(..HEAD) else {
            return Ok(None);
        };
        let size = head.get_uint(3) as usize;
        let (kind, flags) = (head.get_u8(), head.get_u8());
        let stream = head.get_u32() & STREAM_BITS;
        if input.len() < HEAD + size {
            return Ok(None);
        }
        input.advance(HEAD);
        let payload = input.split_to(size).freeze();
        Self::parse(kind, flags, stream, payload).map(Some)
    }

    /// Writes the frame as it shall stand on the wire.
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        let (kind, flags, stream) = self.head();
        put(out, kind, flags, stream, &self.payload());
    }

    fn parse(kind: u8, flags: u8, stream: u32, mut payload: Bytes) -> io::Result<Self> {
        let is = |flag: u8| flags & flag != 0;
        Ok(match (kind, payload.len()) {
            (DATA, _) => Self::Data {
                stream,
                payload: unpad(payload, is(PADDED))?,
                end_stream: is(END_STREAM),
            },
            (HEADERS, _) => Self::Headers {
                stream,
                block: without_priority(unpad(payload, is(PADDED))?, is(PRIORITY))?,
                end_stream: is(END_STREAM),
                end_headers: is(END_HEADERS),
            },
            (CONTINUATION, _) => Self::Continuation {
                stream,
                block: payload,
                end_headers: is(END_HEADERS),
            },
            (RST_STREAM, 4) => Self::RstStream {
                stream,
                code: Code(payload.get_u32()),
            },
            (SETTINGS, size) if size % 6 == 0 => Self::Settings {
                ack: is(ACK),
                values: settings(&payload),
            },
            (PING, 8) => Self::Ping {
                ack: is(ACK),
                payload: payload.get_u64().to_be_bytes(),
            },
            (GOAWAY, 8..) => Self::GoAway {
                last_stream: payload.get_u32() & STREAM_BITS,
                code: Code(payload.get_u32()),
                debug: payload,
            },
            (WINDOW_UPDATE, 4) => Self::WindowUpdate {
                stream,
                increment: payload.get_u32() & STREAM_BITS,
            },
            _ => Self::Other {
                kind,
                flags,
                stream,
                payload,
            },
        })
    }

    /// Kind, flags and stream.
    fn head(&self) -> (u8, u8, u32) {
        match *self {
            Self::Data {
                stream, end_stream, ..
            } => (DATA, flag(end_stream, END_STREAM), stream),
            Self::Headers {
                stream,
                end_stream,
                end_headers,
                ..
            } => (
                HEADERS,
                flag(end_stream, END_STREAM) | flag(end_headers, END_HEADERS),
                stream,
            ),
            Self::Continuation {
                stream,
                end_headers,
                ..
            } => (CONTINUATION, flag(end_headers, END_HEADERS), stream),
            Self::RstStream { stream, .. } => (RST_STREAM, 0, stream),
            Self::Settings { ack, .. } => (SETTINGS, flag(ack, ACK), 0),
            Self::Ping { ack, .. } => (PING, flag(ack, ACK), 0),
            Self::GoAway { .. } => (GOAWAY, 0, 0),
            Self::WindowUpdate { stream, .. } => (WINDOW_UPDATE, 0, stream),
            Self::Other {
                kind,
                flags,
                stream,
                ..
            } => (kind, flags, stream),
        }
    }

    fn payload(&self) -> Bytes {
        match self {
            Self::Data { payload, .. } | Self::Other { payload, .. } => payload.clone(),
            Self::Headers { block, .. } | Self::Continuation { block, .. } => block.clone(),
            Self::RstStream { code, .. } => code.0.to_be_bytes().to_vec().into(),
            Self::Settings { values, .. } => {
                let mut payload = BytesMut::with_capacity(values.len() * 6);
                for (setting, value) in values {
                    payload.put_u16(setting.0);
                    payload.put_u32(*value);
                }
                payload.freeze()
            }
            Self::Ping { payload, .. } => payload.to_vec().into(),
            Self::GoAway {
                last_stream,
                code,
                debug,
            } => [
                &last_stream.to_be_bytes(),
                &code.0.to_be_bytes(),
                debug.as_ref(),
            ]
            .concat()
            .into(),
            Self::WindowUpdate { increment, .. } => increment.to_be_bytes().to_vec().into(),
        }
    }
}

fn flag(set: bool, flag: u8) -> u8 {
    if set { flag } else { 0 }
}

fn put(out: &mut BytesMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.reserve(HEAD + payload.len());
    out.put_uint(payload.len() as u64, 3);
    out.put_u8(kind);
    out.put_u8(flags);
    out.put_u32(stream);
    out.put_slice(payload);
}

fn settings(payload: &[u8]) -> Vec<(Setting, u32)> {
    let setting = |mut octets: &[u8]| (Setting(octets.get_u16()), octets.get_u32());
    payload.chunks_exact(6).map(setting).collect()
}

fn unpad(mut payload: Bytes, padded: bool) -> io::Result<Bytes> {
    if padded {
        let padding = usize::from(payload.try_get_u8()?);
        let rest = payload
            .len()
            .checked_sub(padding)
            .ok_or(io::ErrorKind::InvalidData)?;
        payload.truncate(rest);
    }
    Ok(payload)
}

fn without_priority(block: Bytes, prioritised: bool) -> io::Result<Bytes> {
    const PRIORITY_LEN: usize = 5;
    match block.len() {
        _ if !prioritised => Ok(block),
        len if len >= PRIORITY_LEN => Ok(block.slice(PRIORITY_LEN..)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames() -> impl Strategy<Value = Frame> {
        let stream = 0_u32..=STREAM_BITS;
        let bytes = || prop::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from);
        let setting =
            (any::<u16>(), any::<u32>()).prop_map(|(setting, value)| (Setting(setting), value));
        prop_oneof![
            (stream.clone(), bytes(), any::<bool>()).prop_map(|(stream, payload, end_stream)| {
                Frame::Data {
                    stream,
                    payload,
                    end_stream,
                }
            }),
            (stream.clone(), bytes(), any::<bool>(), any::<bool>()).prop_map(
                |(stream, block, end_stream, end_headers)| Frame::Headers {
                    stream,
                    block,
                    end_stream,
                    end_headers
                }
            ),
            (stream.clone(), bytes(), any::<bool>()).prop_map(|(stream, block, end_headers)| {
                Frame::Continuation {
                    stream,
                    block,
                    end_headers,
                }
            }),
            (stream.clone(), any::<u32>()).prop_map(|(stream, code)| Frame::RstStream {
                stream,
                code: Code(code)
            }),
            (any::<bool>(), prop::collection::vec(setting, 0..6))
                .prop_map(|(ack, values)| Frame::Settings { ack, values }),
            (any::<bool>(), any::<[u8; 8]>())
                .prop_map(|(ack, payload)| Frame::Ping { ack, payload }),
            (stream.clone(), any::<u32>(), bytes()).prop_map(|(last_stream, code, debug)| {
                Frame::GoAway {
                    last_stream,
                    code: Code(code),
                    debug,
                }
            }),
            (stream.clone(), stream.clone())
                .prop_map(|(stream, increment)| Frame::WindowUpdate { stream, increment }),
            (0xa_u8.., any::<u8>(), stream, bytes()).prop_map(|(kind, flags, stream, payload)| {
                Frame::Other {
                    kind,
                    flags,
                    stream,
                    payload,
                }
            }),
        ]
    }

    fn decode(bytes: &[u8]) -> io::Result<Option<Frame>> {
        Frame::decode(&mut BytesMut::from(bytes))
    }

    proptest! {
        #[test]
        fn every_frame_is_read_as_it_was_written_and_only_when_it_is_whole(frame in frames()) {
            let mut bytes = BytesMut::new();
            frame.encode(&mut bytes);
            for cut in 0..bytes.len() {
                prop_assert_eq!(decode(&bytes[..cut]).unwrap(), None);
            }
            prop_assert_eq!(Frame::decode(&mut bytes).unwrap(), Some(frame));
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn hostile_bytes_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
            // The same as the payload of each kind of frame, with all flags.
            for kind in 0..=CONTINUATION {
                let mut frame = BytesMut::new();
                put(&mut frame, kind, u8::MAX, 1, &bytes);
                let _ = Frame::decode(&mut frame);
            }
        }
    }

    #[test]
    fn padding_and_priority_are_taken_off() {
        let padded = b"\0\0\x06\0\x08\0\0\0\x01\x03ab...";
        let data = Frame::Data {
            stream: 1,
            payload: "ab".into(),
            end_stream: false,
        };
        assert_eq!(decode(padded).unwrap(), Some(data));

        let both = b"\0\0\x09\x01\x2d\0\0\0\x01\x01pppppab.";
        let headers = Frame::Headers {
            stream: 1,
            block: "ab".into(),
            end_stream: true,
            end_headers: true,
        };
        assert_eq!(decode(both).unwrap(), Some(headers));
    }

    #[test]
    fn more_padding_than_payload_is_an_error() {
        assert!(decode(b"\0\0\x02\0\x08\0\0\0\x01\x02.").is_err());
        assert!(
            decode(b"\0\0\0\0\x08\0\0\0\x01").is_err(),
            "not even its length"
        );
        assert!(
            decode(b"\0\0\x04\x01\x24\0\0\0\x01pppp").is_err(),
            "priority is five bytes"
        );
    }
}
