//! `kinesis-agg`: packs user records into Kinesis records, takes them apart, and looks into them.

mod aggregate;
mod args;
mod base64;
mod bench;
mod deaggregate;
mod failure;
mod input;
mod inspect;
mod json_lines;
mod output;
mod packer;
mod progress;
mod route;
mod shards;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Args, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.command {
        Command::Aggregate(args) => aggregate::run(args),
        Command::Deaggregate(args) => deaggregate::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Route(args) => route::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Completions { shell } => {
            // By way of a buffer, since the generator panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "kinesis-agg", &mut script);
            std::io::stdout().write_all(&script).map_err(Failure::Output)
        }
    };
    match outcome {
        // Whoever read the output has seen enough of it.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If this cannot be written either, the exit status is left.
            _ = writeln!(anstream::stderr(), "{}error:{:#} {failure}", args::ERROR, args::ERROR);
            failure.exit_code()
        }
    }
}
