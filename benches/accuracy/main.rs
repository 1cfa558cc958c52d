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
use instrument::contestant::{Contestant, Load, chosen, header};
use instrument::said::Said;
use instrument::target::{Report, read_log};

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

/// What was asked for.
struct Options {
    rounds: usize,
    seconds: f64,
    contestants: Vec<Contestant>,
    cases: Vec<Case>,
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Even(f64),
    Stall,
    Ramp,
}

fn main() -> std::process::ExitCode {
    let args = instrument::own_args();
    instrument::finish(instrument::run_as_child(&args).unwrap_or_else(|| measure(&args)))
}

fn measure(args: &[String]) -> Result<(), String> {
    let Some(options) = parse(args)? else {
        println!("{USAGE}");
        return Ok(());
    };
    let (present, missing): (Vec<_>, Vec<_>) =
        options.contestants.iter().partition(|c| c.program().is_some());
    let options = Options { contestants: present, ..options };
    println!("# Accuracy\n\n{}", header(&options.contestants));
    println!(
        "Generator on core {GENERATOR_CORE}, target on core {TARGET_CORE}, loopback, {CONNECTIONS} connections, medians of {} rounds.",
        options.rounds
    );
    for contestant in missing {
        println!("{} is not installed and was left out.", contestant.name());
    }
    for case in &options.cases {
        match case {
            Case::Even(rate) => evenness::measure(&options, *rate)?,
            Case::Stall => stall::measure(&options)?,
            Case::Ramp => ramp::measure(&options)?,
        }
    }
    Ok(())
}

/// One run against a logging target.
struct Run {
    ended: Ended,
    said: Said,
    report: Report,
    /// Ascending.
    arrivals_ns: Vec<u64>,
}

/// Run a contestant against a target with room for `expected` arrivals; the inner error is the
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
    Ok(outcome.and_then(|(ended, said)| {
        if report.unlogged > 0 {
            return Err(format!("sent {} requests beyond what was asked for", report.unlogged));
        }
        Ok(Run { ended, said, report, arrivals_ns })
    }))
}

/// A target that writes arrivals to the file that is returned, with room for twice what is expected.
fn logging_target(
    expected: f64,
    more: &[&str],
    scratch: &Scratch,
) -> Result<(Service, std::path::PathBuf), String> {
    let log = scratch.path().join("arrivals");
    let room = (2.0 * expected) as usize + 10_000;
    let mut args =
        vec!["--log".to_owned(), log.display().to_string(), "--log-capacity".to_owned(), room.to_string()];
    args.extend(more.iter().map(|a| (*a).to_owned()));
    Ok((Service::target(TARGET_CORE, &args)?, log))
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
        Ok((rounds.unwrap_or(3).max(1), seconds.unwrap_or(10.0).max(1.0), only, cases))
    };
    let (rounds, seconds, only, cases) = parse().map_err(|e| format!("{e}\n\n{USAGE}"))?;
    if let Some(left) = args.finish().first() {
        return Err(format!("unknown argument {}\n\n{USAGE}", left.display()));
    }
    let cases = cases.unwrap_or_else(|| "1000,10000,40000,stall,ramp".to_owned());
    let cases = cases.split(',').map(|case| match case.trim() {
        "stall" => Ok(Case::Stall),
        "ramp" => Ok(Case::Ramp),
        rate => match rate.parse() {
            Ok(rate) if (1.0..1e6).contains(&rate) => Ok(Case::Even(rate)),
            _ => Err(format!("no case {rate:?}\n\n{USAGE}")),
        },
    });
    let cases = cases.collect::<Result<_, _>>()?;
    Ok(Some(Options { rounds, seconds, contestants: chosen(only.as_deref(), &CONTESTANTS)?, cases }))
}
