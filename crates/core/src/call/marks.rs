/// What a Call knows besides its instants, in one word: layers read and write it several times a call.
/// The upper half counts attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks(u64);

impl Marks {
    /// No Call at all.
    pub(super) const NONE: Self = Self(0);
    /// A Call, of which nothing is known yet.
    pub(super) const BEGUN: Self = Self(1);
    /// A layer let the current attempt go down.
    pub(super) const LAUNCHED: Self = Self(1 << 1);
    /// The transport reported of the current attempt that it waits.
    pub(super) const WAITING: Self = Self(1 << 2);
    /// The transport reported that it dispatched the current attempt.
    pub(super) const DISPATCHED: Self = Self(1 << 3);
    /// Something may have been sent, in this attempt or in one before.
    pub(super) const SENT: Self = Self(1 << 4);
    /// The server honours the key.
    pub(super) const KEY_HONOURED: Self = Self(1 << 5);
    /// A layer further out sends the request again.
    pub(super) const REPEATED: Self = Self(1 << 6);

    /// The Call has instants.
    pub(super) const TIMED: Self = Self(1 << 7);
    /// The transport reported either.
    pub(super) const REPORTED: Self = Self(Self::WAITING.0 | Self::DISPATCHED.0);

    pub(super) const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    pub(super) const fn with(self, marks: Self) -> Self {
        Self(self.0 | marks.0)
    }

    pub(super) const fn without(self, marks: Self) -> Self {
        Self(self.0 & !marks.0)
    }

    pub(super) const fn attempt(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// One attempt more; the last that fits is counted for ever.
    pub(super) fn next_attempt(self) -> Self {
        self.0.checked_add(1 << 32).map_or(self, Self)
    }

    /// Whether anything may have been sent: reported, or launched above a transport that does not
    /// report.
    pub(super) const fn may_have_sent(self) -> bool {
        self.has(Self::SENT) || self.is_launched_unreported()
    }

    /// Forgets how far the attempt had got; what it may have sent outlives its report.
    pub(super) const fn forget_dispatch(self) -> Self {
        let sent = if self.may_have_sent() {
            self.with(Self::SENT)
        } else {
            self
        };
        sent.without(Self::LAUNCHED).without(Self::REPORTED)
    }

    /// The request goes down. Of an attempt that is counted, a launch further out was the same one.
    pub(super) const fn launch(self) -> Self {
        if !self.has(Self::LAUNCHED.with(Self::REPORTED)) {
            self.with(Self::LAUNCHED)
        } else if !self.is_launched_unreported() {
            self.without(Self::REPORTED).with(Self::LAUNCHED)
        } else if self.attempt() > 0 {
            self
        } else {
            self.with(Self::SENT)
        }
    }

    const fn is_launched_unreported(self) -> bool {
        self.0 & (Self::LAUNCHED.0 | Self::REPORTED.0) == Self::LAUNCHED.0
    }
}
