use std::{collections::HashSet, io};

use bytes::BytesMut;

use super::{
    Event, Frame, Request,
    hpack::{Head, HeadReader},
};

/// Puts the frames of one connection together to requests and trailers.
pub(super) struct Streams {
    connection: usize,
    heads: HeadReader,
    partial: Option<Partial>,
    /// Requests whose end has not come yet; as many as the log holds, at most.
    open: HashSet<u32>,
    highest: u32,
}

/// A head that CONTINUATION frames still add to.
struct Partial {
    stream: u32,
    end_stream: bool,
    block: BytesMut,
}

/// The largest head that is put together, in octets of HPACK.
const MAX_HEAD: usize = 1 << 20;

impl Streams {
    pub(super) fn new(connection: usize) -> Self {
        Self {
            connection,
            heads: HeadReader::new(),
            partial: None,
            open: HashSet::new(),
            highest: 0,
        }
    }

    /// Takes in a frame; returns the head it completes.
    pub(super) fn observe(&mut self, frame: &Frame) -> io::Result<Option<Event>> {
        match frame {
            Frame::Headers {
                stream,
                block,
                end_stream,
                end_headers,
            } => {
                let block = BytesMut::from(block.as_ref());
                self.partial = Some(Partial {
                    stream: *stream,
                    end_stream: *end_stream,
                    block,
                });
                self.complete(*end_headers)
            }
            Frame::Continuation {
                block, end_headers, ..
            } => {
                let partial = self.partial.as_mut().ok_or(io::ErrorKind::InvalidData)?;
                if partial.block.len() + block.len() > MAX_HEAD {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                partial.block.extend_from_slice(block);
                self.complete(*end_headers)
            }
            Frame::Data {
                stream,
                end_stream: true,
                ..
            }
            | Frame::RstStream { stream, .. } => {
                self.open.remove(stream);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Says whether more of the request may come.
    pub(super) fn is_open(&self, stream: u32) -> bool {
        self.open.contains(&stream)
    }

    fn complete(&mut self, end_headers: bool) -> io::Result<Option<Event>> {
        let Some(Partial {
            stream,
            end_stream,
            block,
        }) = self.partial.take_if(|_| end_headers)
        else {
            return Ok(None);
        };
        let Head {
            method,
            scheme,
            authority,
            path,
            headers,
        } = self.heads.read(&block)?;
        if end_stream {
            self.open.remove(&stream);
        }
        if stream <= self.highest {
            return Ok(Some(Event::Trailers { stream, headers }));
        }
        self.highest = stream;
        if !end_stream {
            self.open.insert(stream);
        }
        let connection = self.connection;
        let request = Request {
            connection,
            stream,
            method,
            scheme,
            authority,
            path,
            headers,
            end_stream,
        };
        Ok(Some(Event::Request(request)))
    }
}
