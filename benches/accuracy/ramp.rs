//! Whether this tool follows a rate that climbs in a straight line.

use std::time::Duration;

use super::instrument::child::{Job, Scratch};
use super::instrument::contestant::{Contestant, ours};
use super::instrument::options::Options;
use super::instrument::ramp::fit;
use super::instrument::table::Table;
use super::{CONNECTIONS, GENERATOR_CORE, logging_target};

const RATE: f64 = 20_000.0;
const SECONDS: f64 = 10.0;
const BIN_S: f64 = 0.1;
const TOLERANCE: f64 = 0.02;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Print the table.
pub fn measure(options: &Options) -> Result<(), String> {
    if !options.contestants.contains(&Contestant::Ours) {
        return Ok(());
    }
    println!("\n## Ramp: 0 to {RATE:.0}/s in {SECONDS:.0} s, arrivals in each 100 ms against the curve\n");
    let mut table =
        Table::new(["round", "arrivals", "worst bin off by", "at (s)", "bins off by more than 2 %"]);
    for round in 1..=options.rounds {
        eprintln!("ramp, round {round}");
        let scratch = Scratch::new()?;
        let (target, log) = logging_target(RATE * SECONDS / 2.0, &[], &scratch)?;
        let plan = scratch.path().join("ramp.yaml");
        let text = format!(
            "base_url: http://{}\nload:\n  concurrency: {CONNECTIONS}\n  stages:\n    - {{ for: {SECONDS}s, rate: {RATE}/s }}\n\
             scenarios:\n  - name: ramp\n    path: /\n",
            target.address
        );
        std::fs::write(&plan, text).map_err(|e| format!("cannot write the plan: {e}"))?;
        let program = Contestant::Ours.program().ok_or("loadtester is not built")?;
        let job =
            Job::new(program, Some(GENERATOR_CORE), TIMEOUT).arg("--plan").arg(plan.display().to_string());
        let ended = ours(job, scratch.path()).run(scratch.path()).map_err(|e| e.to_string())?;
        target.stop()?;
        let arrivals = super::read_log(&log).map_err(|e| format!("cannot read the target's log: {e}"))?;
        match fit(&arrivals, RATE, SECONDS, BIN_S, TOLERANCE) {
            Some(fit) => table.row([
                round.to_string(),
                arrivals.len().to_string(),
                format!("{:.2} %", fit.worst * 100.0),
                format!("{:.1}", fit.worst_bin as f64 * BIN_S),
                format!("{} of {}", fit.bins_off, fit.bins),
            ]),
            None => table.row([round.to_string(), format!("none ({})", ended.complaint())]),
        }
    }
    println!("{table}");
    Ok(())
}
