//! Writing JSON, a value a line.

use std::io::Write;

use serde::Serialize;

use crate::base64;
use crate::failure::Failure;

/// So many bytes are worth a write.
const ENOUGH: usize = 256 * 1024;

/// Puts lines together in a buffer, and writes many at once.
pub(crate) struct JsonLines<W> {
    writer: W,
    buffer: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { writer, buffer: Vec::with_capacity(ENOUGH) }
    }

    /// Writes a line that is any value.
    pub(crate) fn line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        append(value, &mut self.buffer);
        self.end_line()
    }

    /// Begins the object of a line.
    pub(crate) fn object(&mut self) -> Object<'_> {
        Object::new(&mut self.buffer)
    }

    /// Ends the line, after its object.
    pub(crate) fn end_line(&mut self) -> Result<(), Failure> {
        self.buffer.push(b'\n');
        if self.buffer.len() >= ENOUGH { self.write() } else { Ok(()) }
    }

    /// Writes all lines.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.write()?;
        Ok(self.writer.flush()?)
    }

    /// Writes what is no line at all.
    pub(crate) fn write_raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.write()?;
        Ok(self.writer.write_all(bytes)?)
    }

    fn write(&mut self) -> Result<(), Failure> {
        // What failed to be written is not tried again.
        let written = self.writer.write_all(&self.buffer);
        self.buffer.clear();
        Ok(written?)
    }
}

/// An object that is being written, member by member.
///
/// Texts and numbers go through serde_json, which knows what to escape. In base64 there is nothing to escape, and most
/// of what is written is base64: it goes to where it stays.
pub(crate) struct Object<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    pub(crate) fn new(buffer: &'a mut Vec<u8>) -> Self {
        buffer.push(b'{');
        Self { buffer }
    }

    pub(crate) fn base64(&mut self, name: &str, data: &[u8]) {
        self.name(name);
        self.buffer.push(b'"');
        base64::append(data, self.buffer);
        self.buffer.push(b'"');
    }

    pub(crate) fn value(&mut self, name: &str, value: impl Serialize) {
        self.name(name);
        append(&value, self.buffer);
    }

    /// Writes a member where there is something to write.
    pub(crate) fn some(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// Writes the members of another object, which is finished.
    pub(crate) fn members(&mut self, other: &str) {
        let members = other.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        if !members.is_empty() {
            self.comma();
            self.buffer.extend_from_slice(members.as_bytes());
        }
    }

    /// Begins an object that is a member.
    pub(crate) fn begin(&mut self, name: &str) -> Object<'_> {
        self.name(name);
        Object::new(self.buffer)
    }

    /// Writes a list of what is finished: values with commas between them.
    pub(crate) fn list(&mut self, name: &str, values: &[u8]) {
        self.name(name);
        self.buffer.push(b'[');
        self.buffer.extend_from_slice(values);
        self.buffer.push(b']');
    }

    pub(crate) fn end(self) {
        self.buffer.push(b'}');
    }

    /// Names are ours and have nothing to escape.
    fn name(&mut self, name: &str) {
        self.comma();
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if !self.buffer.ends_with(b"{") {
            self.buffer.push(b',');
        }
    }
}

fn append(value: &impl Serialize, buffer: &mut Vec<u8>) {
    // All that is written here can be JSON, and a buffer takes anything.
    _ = serde_json::to_writer(buffer, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        let mut written = Vec::new();
        let mut lines = JsonLines::new(&mut written);
        for others in ["{}", "{\"x\":1}"] {
            let mut line = lines.object();
            line.members(others);
            line.value("text", "a \"b\" \\ \u{1} \u{e9}");
            line.value("nothing", None::<u8>);
            line.some("left out", None::<u8>);
            line.base64("data", b"\xff\xff");
            line.list("list", b"1,2");
            let mut inner = line.begin("inner");
            inner.members(others);
            inner.value("last", true);
            inner.end();
            line.begin("empty").end();
            line.members(others);
            line.end();
            assert!(lines.end_line().is_ok());
        }
        assert!(lines.line(&[1, 2]).is_ok());
        assert!(lines.flush().is_ok());
        let before = r#""text":"a \"b\" \\ \u0001 é","nothing":null,"data":"//8=","list":[1,2],"inner":{"#;
        let after = r#""last":true},"empty":{}"#;
        let expected = format!("{{{before}{after}}}\n{{\"x\":1,{before}\"x\":1,{after},\"x\":1}}\n[1,2]\n");
        assert_eq!(String::from_utf8(written).as_deref(), Ok(&*expected));
    }

    /// Lines do not pile up: a long input takes no memory.
    #[test]
    fn written_when_it_is_enough() {
        let mut lines = JsonLines::new(Vec::new());
        for _ in 0..3 * ENOUGH {
            assert!(lines.line(&1).is_ok());
        }
        assert_eq!(lines.writer.len() + lines.buffer.len(), 6 * ENOUGH);
        assert!(lines.buffer.capacity() <= 2 * ENOUGH, "{}", lines.buffer.capacity());
    }
}
