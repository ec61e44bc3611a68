use std::fs::Metadata;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use outrigger::retry::Rewind;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::usage::Usage;

/// The body of every request of the command.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, io::Error>;

/// The size of the frames in which a file is sent.
const FRAME: usize = 64 * 1024;

/// A body that is already here.
pub(crate) fn text(text: impl Into<Bytes>) -> RequestBody {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// How the body of a request is read once more.
pub(super) type Again = Rewind<RequestBody>;

/// A body that is read from a file, or from standard input for `-`, while it is sent; and how to read
/// a file once more.
pub(super) async fn file(path: &str) -> Result<(RequestBody, Option<Again>), Usage> {
    if path == "-" {
        let stdin = Upload::new(tokio::io::stdin(), None);
        return Ok((stdin.boxed_unsync(), None));
    }
    let cannot = |error| Usage::new(format!("cannot read {path}: {error}"));
    let file = File::open(path).await.map_err(cannot)?;
    let about = file.metadata().await.map_err(cannot)?;
    if about.is_dir() {
        return Err(Usage::new(format!("cannot read {path}: it is a directory")));
    }
    if !about.is_file() {
        return Ok((Upload::new(file, None).boxed_unsync(), None));
    }
    let (path, length) = (path.to_owned(), about.len());
    let again = Again::new(move || match reopen(&path, &about) {
        Ok(file) => measured(file, length),
        Err(error) => measured(Broken(Some(error)), length),
    });
    Ok((measured(file, length), Some(again)))
}

/// What is appended meanwhile is not sent: the length was promised.
fn measured(source: impl AsyncRead + Send + Unpin + 'static, length: u64) -> RequestBody {
    Upload::new(source.take(length), Some(length)).boxed_unsync()
}

/// Opens a file again, unless it has changed: every attempt sends the same.
fn reopen(path: &str, before: &Metadata) -> io::Result<File> {
    let file = std::fs::File::open(path)?;
    let now = file.metadata()?;
    if now.len() != before.len() || now.modified()? != before.modified()? {
        return Err(io::Error::other("the file was changed between attempts"));
    }
    Ok(File::from_std(file))
}

/// A source that could not be opened again.
struct Broken(Option<io::Error>);

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.take().map_or(Ok(()), Err))
    }
}

/// What is read of a source, in frames.
struct Upload<R> {
    source: R,
    left: Option<u64>,
    ended: bool,
    buffer: Box<[u8]>,
}

impl<R> Upload<R> {
    fn new(source: R, length: Option<u64>) -> Self {
        Self {
            source,
            left: length,
            ended: false,
            buffer: vec![0; FRAME].into(),
        }
    }

    /// Accounts for what was read; nothing read is the end.
    fn frame(&mut self, read: io::Result<usize>) -> Option<Result<Frame<Bytes>, io::Error>> {
        let read = match read {
            Ok(read) => read,
            Err(error) => return self.fail(error),
        };
        if read == 0 {
            self.ended = true;
            return match self.left {
                None | Some(0) => None,
                Some(_) => self.fail(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(read as u64);
        }
        let data = self.buffer.get(..read).unwrap_or_default();
        Some(Ok(Frame::data(Bytes::copy_from_slice(data))))
    }

    fn fail(&mut self, error: io::Error) -> Option<Result<Frame<Bytes>, io::Error>> {
        self.ended = true;
        Some(Err(error))
    }
}

impl<R: AsyncRead + Unpin> Body for Upload<R> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.is_end_stream() {
            return Poll::Ready(None);
        }
        let mut buffer = ReadBuf::new(&mut this.buffer);
        let read = ready!(Pin::new(&mut this.source).poll_read(cx, &mut buffer));
        let read = read.map(|()| buffer.filled().len());
        Poll::Ready(this.frame(read))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(source: &'static [u8], length: Option<u64>) -> io::Result<Bytes> {
        Ok(Upload::new(source, length).collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn a_source_that_ends_before_its_promised_length_fails() {
        assert_eq!(read(b"whole", Some(5)).await.unwrap(), "whole");
        assert_eq!(read(b"unmeasured", None).await.unwrap(), "unmeasured");
        let short = read(b"sho", Some(5)).await.unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_file_is_read_once_more_unless_it_has_changed() {
        let path = std::env::temp_dir().join(format!("outrigger-upload-{}", std::process::id()));
        std::fs::write(&path, "whole").unwrap();
        let (body, again) = file(path.to_str().unwrap()).await.unwrap();
        let again = again.unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "whole");
        for _ in 0..2 {
            let body = again.body();
            assert_eq!(body.size_hint().exact(), Some(5));
            assert_eq!(body.collect().await.unwrap().to_bytes(), "whole");
        }
        std::fs::write(&path, "another").unwrap();
        assert!(again.body().collect().await.is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(again.body().collect().await.is_err());
    }

    #[test]
    fn the_length_is_known_ahead_where_there_is_one() {
        let sizes = [Some(0), Some(3), None].map(|length| {
            let upload = Upload::new(&b"abc"[..], length);
            (upload.size_hint().exact(), upload.is_end_stream())
        });
        assert_eq!(sizes, [(Some(0), true), (Some(3), false), (None, false)]);
    }
}
