//! UUIDs as text, told the dice.

/// 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12 (RFC 9562 §4).
pub(crate) type Text = [u8; 36];

/// Where the two digits of each byte stand.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The two digits of each byte.
const DIGITS: [[u8; 2]; 256] = {
    let hex = b"0123456789abcdef";
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < digits.len() {
        digits[byte] = [hex[byte >> 4], hex[byte & 15]];
        byte += 1;
    }
    digits
};

/// The UUIDv4 of these dice: all but six of its 128 bits are theirs (RFC 9562 §5.4).
///
/// Never inlined: the check of the text as a header's value would then be unrolled into one branch a
/// character, 140 instructions more.
#[inline(never)]
pub(crate) fn v4(dice: u128) -> Text {
    let mut bytes = dice.to_be_bytes();
    bytes[6] = 0x40 | (bytes[6] & 0x0f); // the version
    bytes[8] = 0x80 | (bytes[8] & 0x3f); // the variant
    let mut text = [b'-'; 36];
    for (place, byte) in PLACES.into_iter().zip(bytes) {
        text[place..place + 2].copy_from_slice(&DIGITS[usize::from(byte)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use ::uuid::{Builder, Uuid};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_is_that_of_the_uuid_crate(dice: u128) {
            let expected = Builder::from_random_bytes(dice.to_be_bytes()).into_uuid();
            let text = v4(dice);
            prop_assert_eq!(str::from_utf8(&text).unwrap(), expected.hyphenated().to_string());
        }
    }

    #[test]
    fn one_hundred_and_twenty_two_bits_are_the_dice() {
        let parsed = |dice| Uuid::try_parse_ascii(&v4(dice)).unwrap().as_u128();
        assert_eq!((parsed(0) ^ parsed(u128::MAX)).count_ones(), 122);
    }
}
