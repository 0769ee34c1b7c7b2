//! The format strings of `cat`.

use core::str::FromStr;

/// A parsed format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(Vec<u8>),
    Field(Field),
}

/// A value of a user record that can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Data,
    Size,
    PartitionKey,
    ExplicitHashKey,
    Record,
    SubSequenceNumber,
    SequenceNumber,
    ArrivalTime,
    ShardId,
}

impl Format {
    /// The data and nothing else.
    pub(crate) fn raw() -> Self {
        Self(vec![Part::Field(Field::Data)])
    }

    /// The data and a newline.
    pub(crate) fn lines() -> Self {
        Self(vec![Part::Field(Field::Data), Part::Literal(b"\n".to_vec())])
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            match char {
                '%' => match field(rest.next())? {
                    None => literal.push(b'%'),
                    Some(field) => {
                        if !literal.is_empty() {
                            parts.push(Part::Literal(core::mem::take(&mut literal)));
                        }
                        parts.push(Part::Field(field));
                    }
                },
                '\\' => literal.push(escape(&mut rest)?),
                char => literal.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }
}

/// Returns the field that a character after `%` stands for, or `None` for a percent sign.
fn field(char: Option<char>) -> Result<Option<Field>, String> {
    Ok(Some(match char {
        Some('s') => Field::Data,
        Some('S') => Field::Size,
        Some('k') => Field::PartitionKey,
        Some('h') => Field::ExplicitHashKey,
        Some('r') => Field::Record,
        Some('i') => Field::SubSequenceNumber,
        Some('q') => Field::SequenceNumber,
        Some('t') => Field::ArrivalTime,
        Some('d') => Field::ShardId,
        Some('%') => return Ok(None),
        Some(other) => {
            let other = other.escape_debug();
            return Err(format!("%{other} is none of %s %S %k %h %r %i %q %t %d %%"));
        }
        None => return Err("% at the end: write %% for a percent sign".to_owned()),
    }))
}

/// Reads what comes after a backslash.
fn escape(rest: &mut core::str::Chars<'_>) -> Result<u8, String> {
    Ok(match rest.next() {
        Some('n') => b'\n',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('\\') => b'\\',
        Some('x') => {
            let digits =
                rest.as_str().get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            _ = rest.nth(1);
            byte.ok_or("\\x needs two hex digits")?
        }
        Some(other) => {
            let other = other.escape_debug();
            return Err(format!("\\{other} is none of \\n \\t \\0 \\\\ \\xHH"));
        }
        None => return Err("\\ at the end: write \\\\ for a backslash".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_literals_and_fields() {
        let literal = |bytes: &[u8]| Part::Literal(bytes.to_vec());
        let cases: [(&str, &[Part]); 6] = [
            ("", &[]),
            ("%s", &[Part::Field(Field::Data)]),
            ("%%%S\\n", &[literal(b"%"), Part::Field(Field::Size), literal(b"\n")]),
            ("\\x00\\xfFé\\\\\\t\\0", &[literal(b"\0\xff\xc3\xa9\\\t\0")]),
            (
                "%k%h:%r.%i",
                &[
                    Part::Field(Field::PartitionKey),
                    Part::Field(Field::ExplicitHashKey),
                    literal(b":"),
                    Part::Field(Field::Record),
                    literal(b"."),
                    Part::Field(Field::SubSequenceNumber),
                ],
            ),
            (
                "%q%t%d",
                &[
                    Part::Field(Field::SequenceNumber),
                    Part::Field(Field::ArrivalTime),
                    Part::Field(Field::ShardId),
                ],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Format>().as_ref().map(Format::parts), Ok(expected), "{text:?}");
        }
        for text in
            ["%", "%x", "%é", "%\u{1b}", "\\", "\\e", "\\x", "\\x1", "\\x1g", "\\xé", "\\x+1", "ok %s\\"]
        {
            let error = text.parse::<Format>().expect_err(text);
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }
}
