//! Whether the response time of a target that stalls is reported as it was.

use super::instrument::contestant::Contestant;
use super::instrument::options::Options;
use super::instrument::stall::exact_quantile;
use super::instrument::table::{Table, middle};
use super::run;

const RATE: f64 = 1_000.0;
/// A whole number of periods, so that it does not matter where in one the run begins.
const SECONDS: f64 = 20.0;
/// The target stops reading for so long in each second.
const FREEZE_MS: &str = "100";

/// One percentile over all rounds: reported and exact in milliseconds, and the difference in percent.
#[derive(Default)]
struct Column {
    reported_ms: Vec<f64>,
    exact_ms: Vec<f64>,
    off_percent: Vec<f64>,
}

impl Column {
    fn add(&mut self, reported: f64, exact: f64) {
        self.reported_ms.push(reported * 1e3);
        self.exact_ms.push(exact * 1e3);
        self.off_percent.push((reported / exact - 1.0) * 100.0);
    }

    fn cells(&self) -> [String; 3] {
        [
            middle(&self.reported_ms, |v| format!("{v:.2}")),
            middle(&self.exact_ms, |v| format!("{v:.2}")),
            middle(&self.off_percent, |v| format!("{v:+.1} %")),
        ]
    }
}

/// Print the table.
pub fn measure(options: &Options) -> Result<(), String> {
    println!(
        "\n## Stall: {RATE:.0}/s for {SECONDS:.0} s, the target frozen {FREEZE_MS} ms in each second: response time\n"
    );
    let mut table = Table::new([
        "generator",
        "p95 reported (ms)",
        "exact (ms)",
        "off",
        "p99 reported (ms)",
        "exact (ms)",
        "off",
    ]);
    let mut remarks = Vec::new();
    // The bare loop reports nothing.
    for &contestant in options.contestants.iter().filter(|c| **c != Contestant::Bare) {
        let (mut p95, mut p99) = (Column::default(), Column::default());
        for round in 1..=options.rounds {
            eprintln!("stall, round {round}: {}", contestant.name());
            match run(contestant, RATE, SECONDS, &["--freeze", FREEZE_MS, "--period", "1000"])? {
                Ok(run) => {
                    let Some(&from) = run.arrivals_ns.first() else { continue };
                    let to = from + (SECONDS * 1e9) as u64;
                    let exact = |q| exact_quantile(&run.report.freezes, from, to, q);
                    run.output.p95.into_iter().for_each(|output| p95.add(output, exact(0.95)));
                    run.output.p99.into_iter().for_each(|output| p99.add(output, exact(0.99)));
                }
                Err(fault) => remarks.push(format!("- {}: {fault}", contestant.name())),
            }
        }
        table.row(std::iter::once(contestant.name().to_owned()).chain(p95.cells()).chain(p99.cells()));
    }
    println!("{table}");
    remarks.iter().for_each(|r| println!("{r}"));
    Ok(())
}
