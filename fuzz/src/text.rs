//! Replaces how the command quotes values.

pub(crate) const MESSAGE_VALUE: usize = 40;

pub(crate) fn is_unsafe(char: char) -> bool {
    char.is_control()
}

pub(crate) fn quoted(text: &str, width: usize) -> String {
    format!("{:?}", text.chars().take(width).collect::<String>())
}
