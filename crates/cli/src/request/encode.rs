/// Joins `k=v` pairs with `&`, each part percent-encoded but for the unreserved characters of
/// RFC 3986 §2.3. That is a query as well as an `application/x-www-form-urlencoded` body.
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut encoded = String::new();
    for (name, value) in pairs {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        escape(name, &mut encoded);
        encoded.push('=');
        escape(value, &mut encoded);
    }
    encoded
}

fn escape(text: &str, into: &mut String) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.extend([byte >> 4, byte & 15].map(|nibble| HEX[usize::from(nibble)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reserved_byte_is_escaped() {
        assert_eq!(
            pairs([("a b", "1&2=3"), ("ü", "~x+y/")]),
            "a%20b=1%262%3D3&%C3%BC=~x%2By%2F"
        );
        assert_eq!(pairs([]), "");
        assert_eq!(pairs([("", "\n")]), "=%0A");
    }
}
