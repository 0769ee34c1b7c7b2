//! `kinesis-agg`: aggregates user records into Kinesis records, deaggregates Kinesis records, and inspects them.

mod aggregate;
mod args;
mod base64;
mod deaggregate;
mod failure;
mod input;
mod inspect;
mod output;
mod progress;
mod route;
mod shards;
mod stop;
mod verify;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Args, Command, ERROR};
use crate::failure::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match &args.command {
        Command::Aggregate(args) => aggregate::run(args),
        Command::Deaggregate(args) => deaggregate::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Route(args) => route::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Completions { shell } => {
            // Through a buffer, because the generator panics if it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "kinesis-agg", &mut script);
            std::io::stdout().write_all(&script).map_err(Failure::Output)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has closed the pipe: it has seen all it wants.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure @ Failure::Reported) => failure.exit_code(),
        Err(failure) => {
            // If standard error is closed too, the exit status still tells.
            _ = writeln!(anstream::stderr(), "{ERROR}error:{ERROR:#} {failure}");
            failure.exit_code()
        }
    }
}
