//! The bytes around a fault.

use std::io::{self, Write};

use crate::args::{ERROR, LITERAL};

const ROW: usize = 16;

/// How many rows are shown before and after the one with the fault.
const AROUND: usize = 2;

/// Writes the rows around `offset`, with a mark below the byte there.
pub(crate) fn write_around(out: &mut impl Write, bytes: &[u8], offset: usize) -> io::Result<()> {
    let fault_row = offset / ROW;
    let first = fault_row.saturating_sub(AROUND);
    let last = fault_row.saturating_add(AROUND);
    for row in first..=last {
        let start = row.saturating_mul(ROW);
        let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) else { break };
        let row_bytes = rest.get(..ROW).unwrap_or(rest);
        write!(out, "    {LITERAL}{start:08x}{LITERAL:#} ")?;
        for column in 0..ROW {
            // A gap in the middle helps to count.
            let gap = if column == ROW / 2 { "  " } else { " " };
            match row_bytes.get(column) {
                Some(byte) if start.saturating_add(column) == offset => {
                    write!(out, "{gap}{ERROR}{byte:02x}{ERROR:#}")?;
                }
                Some(byte) => write!(out, "{gap}{byte:02x}")?,
                None => write!(out, "{gap}  ")?,
            }
        }
        let text = row_bytes.iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        });
        writeln!(out, "  |{}|", text.collect::<String>())?;
        if row == fault_row {
            let column = offset % ROW;
            let gap = if column >= ROW / 2 { 1 } else { 0 };
            let indent = 14usize.saturating_add(column.saturating_mul(3)).saturating_add(gap);
            writeln!(out, "{:indent$}{ERROR}^^{ERROR:#}", "")?;
        }
    }
    Ok(())
}
