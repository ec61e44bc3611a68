//! Lists of structured fields (RFC 9651), as far as the rate limit fields need them: the members are
//! strings or tokens, and of their parameters the integers matter. A list with a fault anywhere is none.

/// The longest field that is read, in bytes.
const LONGEST: usize = 4_096;

/// A member of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// The member itself; a string as it is written, between its quotes.
    pub(crate) name: &'a str,
    parameters: Vec<(&'a str, Value<'a>)>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Integer(i64),
    Text(&'a str),
    Other,
}

impl<'a> Member<'a> {
    /// The integer of this name that is not negative, if there is one. Of several the last counts.
    pub(crate) fn integer(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Integer(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The string or token of this name, if there is one.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }

    fn value(&self, name: &str) -> Option<Value<'a>> {
        let mut last = self.parameters.iter().rev();
        let (_, value) = last.find(|(present, _)| *present == name)?;
        Some(*value)
    }
}

/// The members of one line of a list, or nothing when it is not one.
pub(crate) fn list(line: &str) -> Option<Vec<Member<'_>>> {
    if line.len() > LONGEST {
        return None;
    }
    let mut rest = Rest(line.trim_matches(' '));
    let mut members = Vec::new();
    while !rest.is_empty() {
        members.push(rest.member()?);
        rest.skip_spaces();
        if rest.is_empty() {
            break;
        }
        rest.expect(',')?;
        rest.skip_spaces();
        // A comma at the end announces a member that does not come.
        if rest.is_empty() {
            return None;
        }
    }
    Some(members)
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    /// Everything up to the first character that is not of this kind.
    fn take(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !of(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn member(&mut self) -> Option<Member<'a>> {
        let Value::Text(name) = self.item()? else {
            return None;
        };
        let mut parameters = Vec::new();
        while self.expect(';').is_some() {
            self.0 = self.0.trim_start_matches(' ');
            parameters.push(self.parameter()?);
        }
        Some(Member { name, parameters })
    }

    fn parameter(&mut self) -> Option<(&'a str, Value<'a>)> {
        let begins = |c: char| c.is_ascii_lowercase() || c == '*';
        if !self.0.starts_with(begins) {
            return None;
        }
        let name = self.take(|c| begins(c) || c.is_ascii_digit() || "_-.".contains(c));
        let value = match self.expect('=') {
            Some(()) => self.item()?,
            None => Value::Other,
        };
        Some((name, value))
    }

    fn item(&mut self) -> Option<Value<'a>> {
        match self.0.chars().next()? {
            '"' => self.string().map(Value::Text),
            ':' => self.bytes(),
            '?' => self.boolean(),
            '-' | '0'..='9' => self.number(),
            'a'..='z' | 'A'..='Z' | '*' => Some(Value::Text(self.take(is_of_token))),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<&'a str> {
        self.expect('"')?;
        let mut escaped = false;
        for (at, c) in self.0.char_indices() {
            match c {
                '"' | '\\' if escaped => escaped = false,
                _ if escaped => return None,
                '\\' => escaped = true,
                '"' => {
                    let (string, rest) = self.0.split_at(at);
                    self.0 = rest.strip_prefix('"')?;
                    return Some(string);
                }
                ' '..='~' => {}
                _ => return None,
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<Value<'a>> {
        self.expect(':')?;
        self.take(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
        self.expect(':')?;
        Some(Value::Other)
    }

    fn boolean(&mut self) -> Option<Value<'a>> {
        self.expect('?')?;
        self.expect('0').or_else(|| self.expect('1'))?;
        Some(Value::Other)
    }

    /// At most 15 digits; a decimal has at most 12 before its point and 1 to 3 after it.
    fn number(&mut self) -> Option<Value<'a>> {
        let sign = self.expect('-').map_or(1, |()| -1);
        let whole = self.take(|c| c.is_ascii_digit());
        if self.expect('.').is_some() {
            let fraction = self.take(|c| c.is_ascii_digit());
            let fits = (1..=12).contains(&whole.len()) && (1..=3).contains(&fraction.len());
            return fits.then_some(Value::Other);
        }
        if !(1..=15).contains(&whole.len()) {
            return None;
        }
        Some(Value::Integer(sign * whole.parse::<i64>().ok()?))
    }
}

/// RFC 9110's tchar, and `:` and `/`.
fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_read_with_its_integers_and_texts() {
        let field = r#""default";r=50;t=30 , burst;r=0;qu="requests";pk=:cHsd/+w=:;x=-1.5;y;z=?0, "q\"\\";r=7;r=8"#;
        let members = list(field).unwrap();
        assert_eq!(members.len(), 3);
        let [first, second, third] = &members[..] else {
            unreachable!()
        };
        assert_eq!((first.name, second.name), ("default", "burst"));
        assert_eq!(
            (first.integer("r"), first.integer("t")),
            (Some(50), Some(30))
        );
        assert_eq!(
            (second.integer("r"), second.text("qu")),
            (Some(0), Some("requests"))
        );
        for other in ["pk", "x", "y", "z", "none", "qu"] {
            assert_eq!(second.integer(other), None, "{other}");
        }
        assert_eq!((third.name, third.integer("r")), (r#"q\"\\"#, Some(8)));
        assert_eq!(list(""), Some(Vec::new()));
        assert_eq!(list("a;r=-5").unwrap()[0].integer("r"), None);
    }

    #[test]
    fn a_list_with_a_fault_anywhere_is_none() {
        for field in [
            ",",
            "a,",
            ",a",
            "a b",
            "a;",
            "a;;b",
            "a;R=1",
            "a;r=",
            "a;r=1x",
            "a;r=1.",
            "a;r=1.2345",
            "a;r=--1",
            "a;r=1234567890123456",
            "1",
            "1.5;r=1",
            "?1",
            "(a b)",
            "\"a",
            "\"a\\b\"",
            "\"\u{e4}\"",
            "a;b=:x",
            "a;b=:*:",
            "a;b=?2",
            "a=1",
            "a;b=(c)",
            "a;b=@1",
        ] {
            assert_eq!(list(field), None, "{field:?}");
        }
        assert_eq!(list(&"a, ".repeat(2_000)), None, "too long");
        assert!(list(&format!("a{}", ", a".repeat(1_000))).is_some());
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in any::<String>()) {
            let _ = list(&text);
        }

        #[test]
        fn no_text_that_is_nearly_a_list_causes_a_panic(text in r#"[a1;,=:?"\\ .*()\t-]{0,40}"#) {
            let _ = list(&text);
        }

        #[test]
        fn what_is_written_is_read(r in 0_u64..1_000_000_000_000_000, t: u32, name in "[a-z]{1,9}") {
            let field = format!("\"{name}\";r={r};t={t}");
            let members = list(&field).unwrap();
            prop_assert_eq!(members[0].name, name);
            prop_assert_eq!(members[0].integer("r"), Some(r));
            prop_assert_eq!(members[0].integer("t"), Some(t.into()));
        }
    }
}
