//! `kinesis-agg`: aggregates user records into Kinesis records, deaggregates Kinesis records, and inspects them.

mod aggregate;
mod args;
mod base64;
mod cat;
mod damage;
mod deaggregate;
mod failure;
mod format;
mod input;
mod inspect;
mod manual;
mod output;
mod progress;
mod route;
mod select;
mod shards;
mod stop;
mod text;
mod verify;

use std::io::{ErrorKind, Write, stdout};
use std::process::ExitCode;

use crate::args::{Args, Command, ERROR};
use crate::failure::Failure;

fn main() -> ExitCode {
    let result = match Args::read() {
        Ok(args) => run(&args),
        // Help or the version.
        Err(error) if !error.use_stderr() => {
            error.print().and_then(|()| stdout().flush()).map_err(Failure::Output)
        }
        Err(error) => {
            _ = error.print();
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has closed the pipe: it has seen all it wants.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure @ (Failure::Reported | Failure::Enough)) => failure.exit_code(),
        Err(failure) => {
            // If standard error is closed too, the exit status still tells.
            _ = writeln!(anstream::stderr(), "{ERROR}error:{ERROR:#} {failure}");
            failure.exit_code()
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    anstream::ColorChoice::from(args.messages.color).write_global();
    if args.messages.quiet {
        progress::be_quiet();
    }
    args.check_standard_input()?;
    match &args.command {
        Command::Aggregate(args) => aggregate::run(args),
        Command::Deaggregate(args) => deaggregate::run(args),
        Command::Cat(args) => cat::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Route(args) => route::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man { subcommand } => manual::page(*subcommand),
    }
}
