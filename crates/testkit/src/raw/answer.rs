//! What a script sends: the frames of an answer, of a failure and of a farewell.

use std::io;

use bytes::Bytes;

use super::{Code, Frame, Peer, Request, Setting, hpack};

/// The largest payload of a frame unless the client allows more (RFC 9113 §4.2).
const MAX_FRAME: usize = 16_384;

impl Peer {
    /// Sends SETTINGS with exactly these values.
    ///
    /// # Errors
    ///
    /// What the transport fails with, here and below.
    pub async fn settings(
        &mut self,
        values: impl IntoIterator<Item = (Setting, u32)>,
    ) -> io::Result<()> {
        let values = values.into_iter().collect();
        self.frame(Frame::Settings { ack: false, values }).await
    }

    /// Answers whole: a head with this status and, unless `body` is empty, the body.
    ///
    /// The client's flow-control windows are not minded; hyper's begin with 2 MiB.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn answer(
        &mut self,
        request: &Request,
        status: u16,
        body: impl Into<Bytes>,
    ) -> io::Result<()> {
        let body = body.into();
        self.head(request, status, &[], body.is_empty()).await?;
        if body.is_empty() {
            Ok(())
        } else {
            self.data(request, body, true).await
        }
    }

    /// Sends the head of an answer; `end_stream` says that nothing follows.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn head(
        &mut self,
        request: &Request,
        status: u16,
        headers: &[(&str, &str)],
        end_stream: bool,
    ) -> io::Result<()> {
        let status = status.to_string();
        let fields = [(":status", status.as_str())]
            .into_iter()
            .chain(headers.iter().copied());
        self.fields(request.stream, fields, end_stream).await
    }

    /// Sends a piece of a body, cut into frames of 16,384 bytes at most.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn data(
        &mut self,
        request: &Request,
        body: impl Into<Bytes>,
        end_stream: bool,
    ) -> io::Result<()> {
        let (mut body, stream) = (body.into(), request.stream);
        while body.len() > MAX_FRAME {
            let payload = body.split_to(MAX_FRAME);
            self.frame(Frame::Data {
                stream,
                payload,
                end_stream: false,
            })
            .await?;
        }
        self.frame(Frame::Data {
            stream,
            payload: body,
            end_stream,
        })
        .await
    }

    /// Sends trailers, which end the answer.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn trailers(
        &mut self,
        request: &Request,
        trailers: &[(&str, &str)],
    ) -> io::Result<()> {
        self.fields(request.stream, trailers.iter().copied(), true)
            .await
    }

    /// Sends RST_STREAM.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn reset_stream(&mut self, request: &Request, code: Code) -> io::Result<()> {
        self.frame(Frame::RstStream {
            stream: request.stream,
            code,
        })
        .await
    }

    /// Sends GOAWAY: streams above `last_stream` were not processed. The connection stays open.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn goaway(
        &mut self,
        last_stream: u32,
        code: Code,
        debug: impl Into<Bytes>,
    ) -> io::Result<()> {
        self.frame(Frame::GoAway {
            last_stream,
            code,
            debug: debug.into(),
        })
        .await
    }

    /// Executes each request and answers it with 200 and no body, until the client closes.
    ///
    /// # Errors
    ///
    /// What the transport fails with; the client's closing is none.
    pub async fn behave(&mut self) -> io::Result<()> {
        loop {
            let request = match self.request().await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                request => request?,
            };
            self.execute(&request)?;
            self.answer(&request, 200, "").await?;
        }
    }

    async fn fields<'a>(
        &mut self,
        stream: u32,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
        end_stream: bool,
    ) -> io::Result<()> {
        let block = hpack::write(fields.map(|(name, value)| (name, value.as_bytes())));
        self.frame(Frame::Headers {
            stream,
            block,
            end_stream,
            end_headers: true,
        })
        .await
    }
}
