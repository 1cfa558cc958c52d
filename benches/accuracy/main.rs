//! Whether a generator sends when it says and reports what was.
//!
//! `cargo bench --bench accuracy -- --rounds 3 --seconds 10 --only loadtester,bare --cases 1000,stall`
//!
//! Generator on core 0, measuring target on core 1, over loopback. Arrivals carry the kernel's receive
//! timestamps, so that the target's own queue is not charged to the generator.

mod evenness;
#[path = "../instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each program uses its part; tests run in tests/it")]
mod instrument;
mod ramp;
mod stall;

use instrument::child::{Ended, Scratch, Service};
use instrument::contestant::{Contestant, Load, header};
use instrument::options::DefaultOptions;
use instrument::target::{Report, read_log};
use instrument::tool_output::ToolOutput;

const GENERATOR_CORE: usize = 0;
const TARGET_CORE: usize = 1;
/// Connections in every case.
const CONNECTIONS: usize = 50;

const USAGE: &str = "\
Measure how accurately load generators keep to a schedule and report a stall; print Markdown.

  --rounds N     rounds per case (default 3)
  --seconds S    length of one run at an even rate (default 10)
  --only A,B     these contestants
  --cases A,B    rates per second, stall, ramp (default: 1000,10000,40000,stall,ramp)";

const CONTESTANTS: [Contestant; 7] = [
    Contestant::H2load,
    Contestant::Hey,
    Contestant::Oha,
    Contestant::OhaCorrected,
    Contestant::Bare,
    Contestant::OursUser,
    Contestant::Ours,
];

const CASES: [&str; 5] = ["1000", "10000", "40000", "stall", "ramp"];

fn main() -> std::process::ExitCode {
    let args = instrument::own_args();
    instrument::finish(instrument::run_as_child(&args).unwrap_or_else(|| measure(&args)))
}

fn measure(args: &[String]) -> Result<(), String> {
    let usual =
        DefaultOptions { usage: USAGE, rounds: 3, seconds: 10.0, contestants: &CONTESTANTS, cases: &CASES };
    let Some(options) = usual.read(args)? else { return Ok(()) };
    options.check(USAGE, |case| matches!(case, "stall" | "ramp") || rate(case).is_some())?;
    println!("# Accuracy\n\n{}", header(&options.contestants));
    println!(
        "Generator on core {GENERATOR_CORE}, target on core {TARGET_CORE}, loopback, {CONNECTIONS} connections, medians of {} rounds.",
        options.rounds
    );
    options.tell_missing();
    for case in &options.cases {
        match (case.as_str(), rate(case)) {
            (_, Some(rate)) => evenness::measure(&options, rate)?,
            ("stall", _) => stall::measure(&options)?,
            _ => ramp::measure(&options)?,
        }
    }
    Ok(())
}

/// The case that is a rate.
fn rate(case: &str) -> Option<f64> {
    case.parse().ok().filter(|rate| (1.0..1e6).contains(rate))
}

/// One run against a logging target.
struct Run {
    ended: Ended,
    output: ToolOutput,
    report: Report,
    /// Ascending.
    arrivals_ns: Vec<u64>,
}

/// Run a contestant against a target with room in its log for `expected` arrivals; the inner error is the
/// contestant's fault.
fn run(
    contestant: Contestant,
    rate: f64,
    seconds: f64,
    target_args: &[&str],
) -> Result<Result<Run, String>, String> {
    let scratch = Scratch::new()?;
    let (target, log) = logging_target(rate * seconds, target_args, &scratch)?;
    let load = Load {
        url: format!("http://{}/", target.address),
        connections: CONNECTIONS,
        seconds,
        rate: Some(rate),
        core: Some(GENERATOR_CORE),
    };
    let outcome = contestant.run(&load, scratch.path());
    let report = target.stop()?;
    let arrivals_ns = read_log(&log).map_err(|e| format!("cannot read the target's log: {e}"))?;
    Ok(outcome.and_then(|(ended, output)| {
        if report.unlogged > 0 {
            return Err(format!("sent {} requests beyond what was asked for", report.unlogged));
        }
        Ok(Run { ended, output, report, arrivals_ns })
    }))
}

/// A target that writes arrivals to the file that is returned, with capacity for twice what is expected.
fn logging_target(
    expected: f64,
    more: &[&str],
    scratch: &Scratch,
) -> Result<(Service, std::path::PathBuf), String> {
    let log = scratch.path().join("arrivals");
    let capacity = (2.0 * expected) as usize + 10_000;
    let mut args = vec![
        "--log".to_owned(),
        log.display().to_string(),
        "--log-capacity".to_owned(),
        capacity.to_string(),
    ];
    args.extend(more.iter().map(|a| (*a).to_owned()));
    Ok((Service::target(TARGET_CORE, &args)?, log))
}
