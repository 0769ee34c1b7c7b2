//! `kinesis-agg man` and `kinesis-agg completions`.

use std::io::{Write, stdout};

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::{Args, Page};
use crate::failure::Failure;

/// Prints a manual page.
pub(crate) fn page(subcommand: Option<Page>) -> Result<(), Failure> {
    let mut command = Args::command();
    command.build();
    let name = subcommand.and_then(|page| page.to_possible_value());
    let page = match name.and_then(|name| command.find_subcommand(name.get_name())) {
        Some(subcommand) => subcommand.clone(),
        None => command,
    };
    let source = concat!("kinesis-agg ", env!("CARGO_PKG_VERSION"));
    let mut text = Vec::new();
    Man::new(page).source(source).manual("").render(&mut text).map_err(Failure::Output)?;
    print(without_filling(&String::from_utf8_lossy(&text)).as_bytes())
}

/// Keeps indented lines, which are examples and tables, as they are. Everything else is filled to the width of the page.
fn without_filling(page: &str) -> String {
    let mut kept = String::with_capacity(page.len());
    let mut is_filled = true;
    for line in page.lines() {
        if line.starts_with("  ") == is_filled {
            is_filled = !is_filled;
            kept.push_str(if is_filled { ".fi\n" } else { ".nf\n" });
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// Prints a completion script.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    // Into a buffer, because the generator panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "kinesis-agg", &mut script);
    print(&script)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = stdout();
    out.write_all(text)?;
    Ok(out.flush()?)
}
