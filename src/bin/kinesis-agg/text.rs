//! Text for people: counts, quotes of values that nobody controls, and the width of the terminal.

use core::fmt;
use std::io::stdout;

use indicatif::HumanCount;
use textwrap::core::display_width;

use crate::input::Payload;
use crate::output::to_u64;

/// The largest width of a value quoted in a message.
pub(crate) const MESSAGE_VALUE: usize = 40;

/// The width of output that is not a terminal's.
const DEFAULT_COLUMNS: usize = 80;

/// Below this width, lines are not made any shorter.
const MIN_COLUMNS: usize = 48;

/// Returns a number with a noun, which is in the plural unless the number is 1.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

pub(crate) fn counted_usize(count: usize, noun: &str) -> String {
    counted(to_u64(count), noun)
}

/// Returns the width of the output: what `COLUMNS` says, that of the terminal, or 80.
pub(crate) fn columns() -> usize {
    let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal = || terminal_size::terminal_size_of(stdout()).map(|(width, _)| usize::from(width.0));
    let columns = named.filter(|columns| *columns > 0).or_else(of_terminal);
    columns.unwrap_or(DEFAULT_COLUMNS).max(MIN_COLUMNS)
}

/// Returns whether a terminal could interpret a character, as a command or a change of direction, or not show it.
pub(crate) fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns text in quotes, at most `width` columns wide, without anything that a terminal would interpret.
pub(crate) fn quoted(text: &str, width: usize) -> String {
    let escape = |char: char| match char {
        '"' | '\\' => char.escape_default().collect(),
        char => escaped(char),
    };
    let (shown, is_cut) = cut(text, width.saturating_sub(2), escape);
    format!("\"{shown}\"{}", if is_cut { "…" } else { "" })
}

fn escaped(char: char) -> String {
    match char {
        '\n' | '\r' | '\t' => char.escape_default().collect(),
        char if is_unsafe(char) => char.escape_unicode().collect(),
        char => char.to_string(),
    }
}

/// Returns what fits of the escaped text, and whether that is not all; then a column is left for an ellipsis.
fn cut(text: &str, width: usize, escape: impl Fn(char) -> String) -> (String, bool) {
    let mut shown = String::new();
    let mut left = width;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let escaped = escape(char);
        let needed = display_width(&escaped);
        if needed > left || needed == left && !chars.as_str().is_empty() {
            return (shown, true);
        }
        left -= needed;
        shown.push_str(&escaped);
    }
    (shown, false)
}

/// Returns a number or a name as it is if it has only letters, digits and a few marks, otherwise in quotes.
pub(crate) fn name(text: &str, width: usize) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/".contains(&byte);
    if !text.is_empty() && text.len() <= width && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        quoted(text, width)
    }
}

/// Returns the beginning of some data, at most `width` columns wide: as text if it is UTF-8, otherwise in hex.
pub(crate) fn preview(data: &[u8], width: usize) -> String {
    match core::str::from_utf8(data) {
        Ok("") => "(no data)".to_owned(),
        Ok(text) => {
            let (shown, is_cut) = cut(text, width, escaped);
            format!("{shown}{}", if is_cut { "…" } else { "" })
        }
        Err(_) => {
            let width = width.saturating_sub("hex ".len());
            let all = 2 * data.len() <= width;
            let shown = if all { data.len() } else { width.saturating_sub(1) / 2 };
            let beginning = data.get(..shown).unwrap_or(data);
            format!("hex {}{}", data_encoding::HEXLOWER.encode(beginning), if all { "" } else { "…" })
        }
    }
}

/// Returns a JSON number or string as text.
pub(crate) fn json_text(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

/// Returns where a record is in the input, and its sequence number if there is one.
pub(crate) fn record_name(payload: &Payload<'_>) -> String {
    let Payload { place, record, .. } = payload;
    match payload.sequence_number {
        Some(number) => {
            // The digits at the end tell records apart, so a sequence number is never cut.
            format!("{place}: record {record} (sequence number {})", name(number, 64))
        }
        None => format!("{place}: record {record}"),
    }
}

/// A part of a whole in percent.
pub(crate) struct Percent(pub(crate) u64, pub(crate) u64);

impl fmt::Display for Percent {
    #[expect(clippy::as_conversions, reason = "only one digit after the point is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = if self.1 == 0 { 0.0 } else { 100.0 * self.0 as f64 / self.1 as f64 };
        f.pad(&format!("{percent:.1} %"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_fit_and_hide_nothing_dangerous() {
        for (text, width, expected) in [
            ("", 10, "\"\""),
            ("abc", 5, "\"abc\""),
            ("abcd", 5, "\"ab\"…"),
            ("a\nb", 10, "\"a\\nb\""),
            ("\u{1b}[2J", 20, "\"\\u{1b}[2J\""),
            ("\u{9b}x", 10, "\"\\u{9b}x\""),
            ("\u{202e}x", 12, "\"\\u{202e}x\""),
            ("a\u{ad}b", 12, "\"a\\u{ad}b\""),
            ("東京都", 8, "\"東京都\""),
            ("東京都", 7, "\"東京\"…"),
            ("\"\\", 10, "\"\\\"\\\\\""),
        ] {
            let quoted = quoted(text, width);
            assert_eq!(quoted, expected, "{text:?} in {width}");
            assert!(display_width(&quoted) <= width, "{quoted}");
        }
        assert_eq!(name("shardId-000000000001", 30), "shardId-000000000001");
        assert_eq!(name("shard\u{1b}", 30), "\"shard\\u{1b}\"");
        for (data, width, expected) in [
            (&b"\xff\xfe"[..], 8, "hex fffe"),
            (b"\xff\xfe\xfd", 9, "hex fffe…"),
            (b"{\"a\": 1}\n", 10, "{\"a\": 1}\\n"),
            (b"{\"a\": 1}\n", 9, "{\"a\": 1}…"),
            (b"\x1b[2J", 20, "\\u{1b}[2J"),
            (b"", 10, "(no data)"),
        ] {
            assert_eq!(preview(data, width), expected);
        }
    }
}
