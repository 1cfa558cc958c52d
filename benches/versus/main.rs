//! This tool beside others: requests per second, CPU time per request, memory.
//!
//! `cargo bench --bench versus -- --rounds 5 --seconds 5 --only wrk,loadtester --cases c10,c64`
//!
//! The generator has core 0, the target core 1, over loopback. Contestants take turns within each
//! round, so that what else the machine does falls on all of them; figures are medians over rounds.
//! Requests are counted, and rates computed, by the target, not by the contestant.

#[path = "../instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each program uses its part; tests run in tests/it")]
mod instrument;
mod memory;
mod threads;
mod throughput;

use instrument::contestant::{Contestant, header};
use instrument::options::DefaultOptions;

/// The core generators run on.
const GENERATOR_CORE: usize = 0;
/// The core targets run on.
const TARGET_CORE: usize = 1;

const USAGE: &str = "\
Compare load generators on this machine and print Markdown.

  --rounds N     rounds per case (default 5)
  --seconds S    length of one run (default 5)
  --only A,B     these contestants
  --cases A,B    of c1 c10 c64 c256 c1024 100kb-c10 100kb-c64 memory threads (default: all)";

const CASES: [&str; 9] = ["c1", "c10", "c64", "c256", "c1024", "100kb-c10", "100kb-c64", "memory", "threads"];
const CONTESTANTS: [Contestant; 7] = [
    Contestant::Wrk,
    Contestant::H2load,
    Contestant::Hey,
    Contestant::Oha,
    Contestant::Bare,
    Contestant::OursUser,
    Contestant::Ours,
];

fn main() -> std::process::ExitCode {
    let args = instrument::own_args();
    instrument::finish(instrument::run_as_child(&args).unwrap_or_else(|| compare(&args)))
}

fn compare(args: &[String]) -> Result<(), String> {
    let usual =
        DefaultOptions { usage: USAGE, rounds: 5, seconds: 5.0, contestants: &CONTESTANTS, cases: &CASES };
    let Some(options) = usual.read(args)? else { return Ok(()) };
    options.check(USAGE, |case| CASES.contains(&case))?;
    instrument::os::raise_fd_limit().map_err(|e| format!("cannot raise the limit of open files: {e}"))?;
    println!("# Beside other load generators\n\n{}", header(&options.contestants));
    println!(
        "Generator on core {GENERATOR_CORE}, target on core {TARGET_CORE}, loopback, one generator thread,"
    );
    println!("medians of {} rounds of {} s.", options.rounds, options.seconds);
    options.tell_missing();
    let tiny: Vec<(String, usize)> = connections(&options.cases, "c");
    if !tiny.is_empty() {
        println!("\n## Tiny response, closed model\n");
        throughput::tiny(&options, &tiny)?;
    }
    let large = connections(&options.cases, "100kb-c");
    if !large.is_empty() {
        println!("\n## Responses of 100 KB from nginx, closed model\n");
        throughput::large(&options, &large)?;
    }
    if options.wants("memory") {
        println!("\n## Memory\n");
        memory::compare(&options)?;
    }
    if options.wants("threads") {
        println!("\n## Two threads against one\n");
        threads::compare(&options)?;
    }
    Ok(())
}

/// The cases that are `prefix` and a number of connections.
fn connections(cases: &[String], prefix: &str) -> Vec<(String, usize)> {
    cases.iter().filter_map(|case| Some((case.clone(), case.strip_prefix(prefix)?.parse().ok()?))).collect()
}
