/// Length of a frame's header (RFC 9113 §4.1).
const HEADER: usize = 9;
/// Length of one setting (RFC 9113 §6.5.1).
const SETTING: usize = 6;
/// Length of what every GOAWAY begins with: last stream and error code (RFC 9113 §6.8).
const GOAWAY_HEAD: usize = 8;

const MAX_CONCURRENT_STREAMS: u16 = 0x3;

/// What a peer has said that the pool must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// SETTINGS: how many streams it takes from now on, where it says so.
    Settings(Option<u32>),
    /// GOAWAY: it takes no streams after the `last`.
    GoAway { last: u32, code: u32 },
    /// A head or a piece of a body.
    Answer,
}

/// Listens to the frames of an HTTP/2 peer: reads their headers, and of their payloads only what a
/// [`Word`] says.
///
/// hyper has no event for SETTINGS and GOAWAY. It checks everything it is sent; this listener skips
/// what it does not understand and never fails.
#[derive(Debug)]
pub(crate) struct Frames {
    part: Part,
    /// The bytes of a header, a setting or a GOAWAY's head that have come so far.
    piece: [u8; HEADER],
    held: usize,
    /// What is left of the frame's payload, the piece that is being read included.
    left: usize,
    streams: Option<u32>,
}

/// The part of a frame that comes next.
#[derive(Clone, Copy, Debug)]
enum Part {
    Header,
    Setting,
    GoAway,
    Rest,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self {
            part: Part::Header,
            piece: [0; HEADER],
            held: 0,
            left: 0,
            streams: None,
        }
    }

    /// Reads the next bytes; tells each word as soon as it is complete.
    pub(crate) fn read(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Word)) {
        while !bytes.is_empty() {
            let wanted = match self.part {
                Part::Header => HEADER,
                Part::Setting => SETTING.min(self.left),
                Part::GoAway => GOAWAY_HEAD.min(self.left),
                Part::Rest => {
                    let (_, after) = bytes.split_at(self.left.min(bytes.len()));
                    self.left -= bytes.len() - after.len();
                    bytes = after;
                    self.turn();
                    continue;
                }
            };
            let (now, after) = bytes.split_at((wanted - self.held).min(bytes.len()));
            for (place, byte) in self.piece.iter_mut().skip(self.held).zip(now) {
                *place = *byte;
            }
            self.held += now.len();
            bytes = after;
            if self.held == wanted {
                self.held = 0;
                self.complete(wanted, &mut tell);
            }
        }
    }

    /// A piece of `length` bytes is complete.
    fn complete(&mut self, length: usize, tell: &mut impl FnMut(Word)) {
        if !matches!(self.part, Part::Header) {
            self.left -= length;
        }
        match (self.part, self.piece) {
            (Part::Header, [a, b, c, kind, flags, ..]) => {
                self.left = u32::from_be_bytes([0, a, b, c]) as usize;
                self.streams = None;
                self.part = match kind {
                    0x0 | 0x1 => {
                        tell(Word::Answer);
                        Part::Rest
                    }
                    0x4 if flags & 1 == 0 && self.left == 0 => {
                        tell(Word::Settings(None));
                        Part::Rest
                    }
                    0x4 if flags & 1 == 0 => Part::Setting,
                    0x7 => Part::GoAway,
                    _ => Part::Rest,
                };
            }
            (Part::Setting, [a, b, value @ .., _, _, _]) => {
                if length == SETTING && u16::from_be_bytes([a, b]) == MAX_CONCURRENT_STREAMS {
                    self.streams = Some(u32::from_be_bytes(value));
                }
                if self.left == 0 {
                    tell(Word::Settings(self.streams));
                }
            }
            (Part::GoAway, [a, b, c, d, code @ .., _]) => {
                if length == GOAWAY_HEAD {
                    tell(Word::GoAway {
                        last: u32::from_be_bytes([a & 0x7f, b, c, d]),
                        code: u32::from_be_bytes(code),
                    });
                }
                self.part = Part::Rest;
            }
            (Part::Rest, _) => {}
        }
        self.turn();
    }

    /// Turns to the next frame where this one has ended.
    fn turn(&mut self) {
        if self.left == 0 {
            self.part = Part::Header;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend(payload);
        frame
    }

    fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
        let payload = pairs
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
        frame(0x4, 0, &payload.collect::<Vec<_>>())
    }

    fn words(chunks: impl IntoIterator<Item = Vec<u8>>) -> Vec<Word> {
        let (mut frames, mut words) = (Frames::new(), Vec::new());
        for chunk in chunks {
            frames.read(&chunk, |word| words.push(word));
        }
        words
    }

    fn conversation() -> (Vec<u8>, Vec<Word>) {
        let goaway = [&[0x80, 0, 0, 5][..], &11u32.to_be_bytes(), b"too many"].concat();
        let frames = [
            settings(&[(4, 65_535), (3, 10), (1, 0)]),
            frame(0x4, 1, &[]),
            frame(0x8, 0, &[0, 0, 1, 0]),
            frame(0x1, 4, b"head"),
            frame(0x0, 0, &[7; 300]),
            frame(0x0, 1, &[]),
            frame(0x6, 1, &[0; 8]),
            settings(&[]),
            settings(&[(3, 10), (3, 0)]),
            frame(0x7, 0, &goaway),
            frame(0x1, 5, b"late"),
        ];
        let words = vec![
            Word::Settings(Some(10)),
            Word::Answer,
            Word::Answer,
            Word::Answer,
            Word::Settings(None),
            Word::Settings(Some(0)),
            Word::GoAway { last: 5, code: 11 },
            Word::Answer,
        ];
        (frames.concat(), words)
    }

    #[test]
    fn a_conversation_is_understood_however_it_is_cut() {
        let (bytes, expected) = conversation();
        for size in 1..=bytes.len() {
            let chunks = bytes.chunks(size).map(<[u8]>::to_vec);
            assert_eq!(words(chunks), expected, "in chunks of {size}");
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_skipped(chunks: Vec<Vec<u8>>) {
            words(chunks);
        }

        #[test]
        fn malformed_lengths_do_not_derail_it(kind in 0u8..12, length in 0usize..20) {
            let bytes = [frame(kind, 0, &vec![0; length]), settings(&[(3, 7)])].concat();
            let words = words([bytes]);
            prop_assert_eq!(words.last(), Some(&Word::Settings(Some(7))));
        }
    }
}
