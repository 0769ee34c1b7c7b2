//! Text from the input in messages: escaped, short, or left out.

use core::fmt::Write;

use crate::text::{MESSAGE_VALUE, is_unsafe, quoted};

/// Escapes the characters of a text that a terminal would interpret.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unsafe(char) {
            _ = write!(escaped, "{}", char.escape_default());
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// The way in which messages show values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    pub(crate) shown: bool,
}

impl Values {
    /// Returns a colon and the beginning of a value, or nothing.
    pub(crate) fn show(self, value: &[u8]) -> String {
        if self.shown { format!(": {}", quote(value)) } else { String::new() }
    }

    /// Returns the message of a JSON error without its position, which the caller reports in its own way. The values in it
    /// are cut or left out.
    pub(crate) fn json_message(self, error: &serde_json::Error) -> String {
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
        // serde puts strings in quotation marks and numbers in backticks, before what it expected.
        let Some((found, expected)) = text.rsplit_once(", expected ") else { return self.cut(text) };
        let Some((kind, value)) = found.split_once(" \"").or_else(|| found.split_once(" `")) else {
            return self.cut(text);
        };
        let value = value.strip_suffix(['"', '`']).unwrap_or(value);
        let shown = if self.shown { format!(" {}", quote(value.as_bytes())) } else { String::new() };
        format!("{}{shown}, expected {expected}", escape(kind))
    }

    /// Escapes and cuts a message that quotes something else, such as an unknown name.
    fn cut(self, text: &str) -> String {
        if text.chars().count() <= 4 * MESSAGE_VALUE { escape(text) } else { quote(text.as_bytes()) }
    }
}

/// Returns the beginning of a value in quotation marks.
pub(crate) fn quote(value: &[u8]) -> String {
    // A character has at most four bytes.
    let beginning = value.get(..4 * MESSAGE_VALUE).unwrap_or(value);
    quoted(&String::from_utf8_lossy(beginning), MESSAGE_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut() {
        assert_eq!(quote(b"a\xff"), "\"a\u{fffd}\"");
        assert!(quote(&[b'x'; 1000]).len() < 60);
        assert_eq!(escape("a\u{202e}b\u{7}c"), "a\\u{202e}b\\u{7}c");
    }

    #[test]
    fn json_messages_have_no_long_values() {
        let error = |json: &str| serde_json::from_str::<u8>(json).unwrap_err();
        let secret = format!("\"{}, expected \\u001b\"", "secret".repeat(100));
        let [shown, hidden] = [true, false].map(|shown| Values { shown });
        let message = shown.json_message(&error(&secret));
        assert!(
            message.starts_with("invalid type: string \"secretsecret") && message.len() < 90,
            "{message}"
        );
        assert!(message.ends_with("…, expected u8"), "{message}");
        assert_eq!(hidden.json_message(&error(&secret)), "invalid type: string, expected u8");
        assert_eq!(shown.json_message(&error("1.5")), "invalid type: floating point \"1.5\", expected u8");
        assert_eq!(hidden.json_message(&error("1.5")), "invalid type: floating point, expected u8");
        assert_eq!(hidden.json_message(&error("")), "EOF while parsing a value");
    }
}
