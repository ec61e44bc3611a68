use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

/// A frame that is kept.
#[derive(Clone)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Piece {
    /// A frame counts as at least this many bytes, so that no number of tiny ones is free.
    pub(super) const LEAST: usize = 64;

    pub(super) fn of(frame: Frame<Bytes>) -> Self {
        let frame = match frame.into_data() {
            Ok(data) => return Self::Data(data),
            Err(frame) => frame,
        };
        // http-body knows no third kind.
        Self::Trailers(frame.into_trailers().unwrap_or_default())
    }

    pub(super) fn into_frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(trailers),
        }
    }

    /// What it counts for, in bytes.
    pub(super) fn weight(&self) -> usize {
        let bytes = match self {
            Self::Data(data) => data.len(),
            Self::Trailers(trailers) => trailers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len())
                .sum(),
        };
        bytes.max(Self::LEAST)
    }
}
