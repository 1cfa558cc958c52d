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

use instrument::contestant::{Contestant, chosen, header};

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

/// What was asked for.
struct Options {
    rounds: usize,
    seconds: f64,
    contestants: Vec<Contestant>,
    cases: Vec<String>,
}

fn main() -> std::process::ExitCode {
    let args = instrument::own_args();
    instrument::finish(instrument::run_as_child(&args).unwrap_or_else(|| compare(&args)))
}

fn compare(args: &[String]) -> Result<(), String> {
    let Some(options) = parse(args)? else {
        println!("{USAGE}");
        return Ok(());
    };
    instrument::os::raise_fd_limit().map_err(|e| format!("cannot raise the limit of open files: {e}"))?;
    let (present, missing): (Vec<_>, Vec<_>) =
        options.contestants.iter().partition(|c| c.program().is_some());
    let options = Options { contestants: present, ..options };
    println!("# Beside other load generators\n\n{}", header(&options.contestants));
    println!(
        "Generator on core {GENERATOR_CORE}, target on core {TARGET_CORE}, loopback, one generator thread,"
    );
    println!("medians of {} rounds of {} s.", options.rounds, options.seconds);
    for contestant in missing {
        println!("{} is not installed and was left out.", contestant.name());
    }
    let wanted = |case: &str| options.cases.iter().any(|c| c == case);
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
    if wanted("memory") {
        println!("\n## Memory\n");
        memory::compare(&options)?;
    }
    if wanted("threads") {
        println!("\n## Two threads against one\n");
        threads::compare(&options)?;
    }
    Ok(())
}

/// The cases that are `prefix` and a number of connections.
fn connections(cases: &[String], prefix: &str) -> Vec<(String, usize)> {
    cases.iter().filter_map(|case| Some((case.clone(), case.strip_prefix(prefix)?.parse().ok()?))).collect()
}

fn parse(args: &[String]) -> Result<Option<Options>, String> {
    let mut args = pico_args::Arguments::from_vec(args.iter().map(Into::into).collect());
    if args.contains("--help") {
        return Ok(None);
    }
    let mut parse = || -> Result<_, pico_args::Error> {
        let rounds: Option<usize> = args.opt_value_from_str("--rounds")?;
        let seconds: Option<f64> = args.opt_value_from_str("--seconds")?;
        let only: Option<String> = args.opt_value_from_str("--only")?;
        let cases: Option<String> = args.opt_value_from_str("--cases")?;
        Ok((rounds.unwrap_or(5).max(1), seconds.unwrap_or(5.0).max(1.0), only, cases))
    };
    let (rounds, seconds, only, cases) = parse().map_err(|e| format!("{e}\n\n{USAGE}"))?;
    if let Some(left) = args.finish().first() {
        return Err(format!("unknown argument {}\n\n{USAGE}", left.display()));
    }
    let cases: Vec<String> = cases
        .map_or(CASES.map(str::to_owned).to_vec(), |c| c.split(',').map(|c| c.trim().to_owned()).collect());
    if let Some(unknown) = cases.iter().find(|c| !CASES.contains(&c.as_str())) {
        return Err(format!("no case {unknown:?}\n\n{USAGE}"));
    }
    Ok(Some(Options { rounds, seconds, contestants: chosen(only.as_deref(), &CONTESTANTS)?, cases }))
}
