use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use http::response::Parts;
use http::{Response, Version};
use http_body::Body;
use http_body_util::BodyExt;
use outrigger::{BoxError, Error};
use tokio::fs::{File, OpenOptions, remove_file};
use tokio::io::{AsyncWriteExt, Stdout, stdout};

use super::args::CallArgs;
use crate::usage::Usage;
use crate::words;

/// Where the response goes.
#[derive(Debug)]
pub(super) enum Output {
    /// To standard output.
    Stdout(Stdout),
    /// To a file; with its path when it was not there before.
    File(File, Option<PathBuf>),
    /// Nowhere: standard output is the report's.
    Nowhere,
}

/// Why there is no whole response.
#[derive(Debug)]
pub(super) enum Broken {
    /// The call failed, or the body did on its way here.
    Answer(Error),
    /// It could not be written.
    Writing(io::Error),
}

impl Output {
    /// Opens the file of `-o` before anything is sent; what is in it stays until there is an answer.
    pub(super) async fn open(args: &CallArgs) -> Result<Self, Usage> {
        let stdout_is_taken = args.request.options.report.as_deref() == Some(Path::new("-"));
        match args.output.as_deref() {
            Some(path) if path != Path::new("-") => open(path)
                .await
                .map_err(|error| Usage::new(format!("cannot write {}: {error}", path.display()))),
            Some(_) if stdout_is_taken => {
                Err(Usage::new("-o - and --report - both want standard output"))
            }
            None if stdout_is_taken => Ok(Self::Nowhere),
            _ => Ok(Self::Stdout(stdout())),
        }
    }

    /// There is no answer: takes away the file that was made for it.
    pub(super) async fn abandon(self) {
        if let Self::File(_, Some(made)) = self {
            let _ = remove_file(made).await;
        }
    }

    /// Writes the response as it comes, its head before it with `include`.
    ///
    /// A reader that closes the pipe early has what it wanted: that is an end, not a failure.
    ///
    /// # Errors
    /// [`Broken`] when the body fails, or writing does.
    pub(super) async fn receive<B>(
        mut self,
        response: Response<B>,
        include: bool,
    ) -> Result<(), Broken>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let (parts, mut body) = response.into_parts();
        let written = match self.begin(&parts, include).await {
            Ok(()) => self.stream(&mut body).await,
            Err(error) => Err(Broken::Writing(error)),
        };
        match written {
            Err(Broken::Writing(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    async fn begin(&mut self, parts: &Parts, include: bool) -> io::Result<()> {
        if let Self::File(file, _) = self
            && file.metadata().await?.is_file()
        {
            file.set_len(0).await?;
        }
        if include {
            self.write(&head(parts)?).await?;
        }
        Ok(())
    }

    async fn stream<B>(&mut self, body: &mut B) -> Result<(), Broken>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Broken::Answer(Error::from(error.into())))?;
            if let Ok(data) = frame.into_data() {
                self.write(data.chunk()).await.map_err(Broken::Writing)?;
            }
        }
        self.flush().await.map_err(Broken::Writing)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            // Flushed at once: a slow stream is to be seen as it comes.
            Self::Stdout(stdout) => {
                stdout.write_all(bytes).await?;
                stdout.flush().await
            }
            Self::File(file, _) => file.write_all(bytes).await,
            Self::Nowhere => Ok(()),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush().await,
            Self::File(file, _) => file.flush().await,
            Self::Nowhere => Ok(()),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(error) => f.write_str(&words::chain(error)),
            Self::Writing(error) => write!(f, "cannot write the response: {error}"),
        }
    }
}

async fn open(path: &Path) -> io::Result<Output> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .await
    {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = OpenOptions::new().write(true).open(path).await?;
            Ok(Output::File(file, None))
        }
        made => Ok(Output::File(made?, Some(path.to_owned()))),
    }
}

/// The response's head, as HTTP/1.1 would write it.
fn head(parts: &Parts) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    match parts.version {
        Version::HTTP_2 => write!(head, "HTTP/2")?,
        version => write!(head, "{version:?}")?,
    }
    write!(head, " {}\r\n", parts.status)?;
    for (name, value) in &parts.headers {
        write!(head, "{name}: ")?;
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    Ok(head)
}
