//! Our own measuring instrument: what the comparison programs and their tests are made of.
//!
//! A target that logs when requests arrive and can freeze itself, the bare loops that mark the floor
//! of system calls, the exact answers to compare with, and a runner for other people's tools.
//! Nothing here is part of the tool: a measurement of it must not lean on its own code.

pub mod options;
pub mod bare;
pub mod child;
pub mod contestant;
pub mod os;
pub mod ramp;
pub mod tool_output;
pub mod schedule_fit;
pub mod stall;
pub mod table;
pub mod target;
pub mod wire;

/// Run as one of the processes a comparison starts from its own executable, if the first argument
/// says so: `target …` or `bare …`.
pub fn run_as_child(args: &[String]) -> Option<Result<(), String>> {
    match args.first().map(String::as_str) {
        Some("target") => Some(target::main(&args[1..])),
        Some("bare") => Some(bare::main(&args[1..])),
        _ => None,
    }
}

/// The command line without the program's name and without what `cargo bench` adds to it.
pub fn own_args() -> Vec<String> {
    std::env::args().skip(1).filter(|a| a != "--bench").collect()
}

/// End a bench program: nothing on success, the message and exit code 2 otherwise.
pub fn finish(result: Result<(), String>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            std::process::ExitCode::from(2)
        }
    }
}
