use std::fmt;

/// An HTTP/2 error code (RFC 9113 §7); any other number is allowed too.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

impl Code {
    /// Graceful shutdown.
    pub const NO_ERROR: Self = Self(0x0);
    /// A protocol error was seen.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// The implementation failed.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// A flow-control limit was passed.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// SETTINGS were not acknowledged.
    pub const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// A frame came for a closed stream.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame's size is wrong.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// The stream was not processed at all (RFC 9113 §8.7).
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is wanted no more.
    pub const CANCEL: Self = Self(0x8);
    /// The header compression state is lost.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// The connection behind CONNECT failed.
    pub const CONNECT_ERROR: Self = Self(0xa);
    /// The peer asks for less load.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// The transport is not secure enough.
    pub const INADEQUATE_SECURITY: Self = Self(0xc);
    /// HTTP/1.1 is wanted instead.
    pub const HTTP_1_1_REQUIRED: Self = Self(0xd);

    /// Finds the code of this name, or of this number.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let known = NAMES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name));
        known
            .map(|code| Self(code as u32))
            .or_else(|| Some(Self(name.parse().ok()?)))
    }
}

/// The names of the codes, each at its number.
const NAMES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(self.0 as usize) {
            Some(name) => f.write_str(name),
            None => write!(f, "Code({:#x})", self.0),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream reset with {self:?}")
    }
}

/// As the failure of a [`Body`](crate::Body) it is the code with which an upstream resets the stream.
impl std::error::Error for Code {}
