//! UUIDs as text, told the time and the dice.
//!
//! The layer may cost 850 instructions; the `uuid` crate takes 150 more than this for the same text.

/// The text of a UUID: 32 lower-case hexadecimal digits in five groups.
pub(crate) type Text = [u8; 36];

/// The place in the text of each byte's two digits.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// Both digits of each byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// Version 7: 48 bits of milliseconds since 1970, and 12 and 62 random bits out of two words.
pub(crate) fn v7(unix_millis: u64, twelve: u32, sixty_two: u64) -> Text {
    text(
        (unix_millis << 16) | 0x7000 | u64::from(twelve & 0x0fff),
        variant(sixty_two),
    )
}

/// Version 4: 60 and 62 random bits out of two words.
pub(crate) fn v4(sixty: u64, sixty_two: u64) -> Text {
    text((sixty & !0xf000) | 0x4000, variant(sixty_two))
}

fn variant(sixty_two: u64) -> u64 {
    (1 << 63) | (sixty_two >> 2)
}

fn text(high: u64, low: u64) -> Text {
    let bytes = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
    let mut text = [b'-'; 36];
    for (place, byte) in PLACES.into_iter().zip(bytes) {
        [text[place], text[place + 1]] = HEX[usize::from(byte)];
    }
    text
}

#[cfg(test)]
mod tests {
    use ::uuid::{Builder, Uuid, Variant};
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &Text) -> Uuid {
        let uuid = Uuid::try_parse_ascii(text).unwrap();
        assert_eq!(uuid.hyphenated().to_string().as_bytes(), text);
        uuid
    }

    proptest! {
        #[test]
        fn version_7_is_what_the_uuid_crate_makes_of_the_same_bits(millis in 0..1_u64 << 48, a: u32, b: u64) {
            let mut random = [0; 10];
            random[..2].copy_from_slice(&(a as u16).to_be_bytes());
            random[2..].copy_from_slice(&(b >> 2).to_be_bytes());
            let theirs = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
            prop_assert_eq!(parsed(&v7(millis, a, b)), theirs);
        }

        #[test]
        fn version_4_is_what_the_uuid_crate_makes_of_the_same_bits(a: u64, b: u64) {
            let theirs = Builder::from_random_bytes(Uuid::from_u64_pair(a, b >> 2).into_bytes());
            prop_assert_eq!(parsed(&v4(a, b)), theirs.into_uuid());
        }

        #[test]
        fn version_and_variant_stand_whatever_the_dice(millis: u64, a: u32, b: u64, c: u64) {
            for (text, version) in [(v7(millis, a, b), 7), (v4(c, b), 4)] {
                let uuid = parsed(&text);
                prop_assert_eq!((uuid.get_version_num(), uuid.get_variant()), (version, Variant::RFC4122));
            }
        }

        #[test]
        fn version_7_sorts_by_the_millisecond(millis in 0..(1_u64 << 48) - 1, a: u32, b: u64, c: u32, d: u64) {
            prop_assert!(v7(millis, a, b) < v7(millis + 1, c, d));
        }

        #[test]
        fn every_random_bit_counts(a: u32, b: u64, c: u64, bit in 0..64_u32) {
            let flip = 1_u64 << bit;
            let counts_in_low = bit >= 2;
            prop_assert_eq!(v7(0, a, b) != v7(0, a, b ^ flip), counts_in_low);
            prop_assert_eq!(v4(c, b) != v4(c, b ^ flip), counts_in_low);
            prop_assert_eq!(v4(c, b) != v4(c ^ flip, b), !(12..16).contains(&bit));
            if bit < 32 {
                prop_assert_eq!(v7(0, a, b) != v7(0, a ^ (1 << bit), b), bit < 12);
            }
        }
    }
}
