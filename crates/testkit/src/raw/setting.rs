/// The identifier of an HTTP/2 setting (RFC 9113 §6.5.2); any other number is allowed too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setting(pub u16);

impl Setting {
    /// Size of the HPACK table in octets; 4,096 unless set.
    pub const HEADER_TABLE_SIZE: Self = Self(0x1);
    /// Whether push is allowed, 0 or 1; 1 unless set.
    pub const ENABLE_PUSH: Self = Self(0x2);
    /// How many streams the peer may have open; no limit unless set.
    pub const MAX_CONCURRENT_STREAMS: Self = Self(0x3);
    /// Flow-control window of a new stream in octets; 65,535 unless set.
    pub const INITIAL_WINDOW_SIZE: Self = Self(0x4);
    /// Largest payload of a frame in octets; 16,384 unless set.
    pub const MAX_FRAME_SIZE: Self = Self(0x5);
    /// Largest list of headers in octets; no limit unless set.
    pub const MAX_HEADER_LIST_SIZE: Self = Self(0x6);
}
