//! How far arrivals at the target are from the asked schedule.

use super::instrument::contestant::Contestant;
use super::instrument::options::Options;
use super::instrument::schedule_fit::{Fit, fit};
use super::instrument::table::{Table, middle};
use super::run;

/// Below this share of the asked rate the distance from the schedule means nothing.
const HELD: f64 = 0.99;

/// Print the table for one rate.
pub fn measure(options: &Options, rate: f64) -> Result<(), String> {
    println!(
        "\n## Open model, {rate:.0}/s for {} s: distance from the best-fitting even schedule\n",
        options.seconds
    );
    let mut runs: Vec<(Contestant, Vec<(Fit, f64)>)> =
        options.contestants.iter().map(|c| (*c, Vec::new())).collect();
    let mut remarks = std::collections::BTreeSet::new();
    for round in 1..=options.rounds {
        for (contestant, fits) in &mut runs {
            let name = contestant.name();
            eprintln!("{rate:.0}/s, round {round}: {name}");
            let done = run(*contestant, rate, options.seconds, &[])?.and_then(|run| {
                let cpu_us = run.ended.cpu_s * 1e6 / run.report.requests.max(1) as f64;
                Ok((fit(&run.arrivals_ns, rate).ok_or("too few requests arrived")?, cpu_us))
            });
            match done {
                Ok((fit, _)) if fit.rate < HELD * rate => {
                    remarks.insert(format!("- {name} could not hold the rate: {:.0}/s", fit.rate));
                }
                Ok(done) => fits.push(done),
                Err(fault) => {
                    remarks.insert(format!("- {name}: {fault}"));
                }
            }
        }
    }
    let mut table = Table::new([
        "generator",
        "median (µs)",
        "p99 (µs)",
        "max (µs)",
        "cv of gaps",
        "CPU per request (µs)",
    ]);
    for (contestant, fits) in &runs {
        let column = |of: fn(&(Fit, f64)) -> f64, digits: usize| {
            middle(&fits.iter().map(of).collect::<Vec<_>>(), |v| format!("{v:.digits$}"))
        };
        table.row([
            contestant.name().to_owned(),
            column(|(f, _)| f.median_ns / 1e3, 1),
            column(|(f, _)| f.p99_ns / 1e3, 1),
            column(|(f, _)| f.max_ns / 1e3, 0),
            column(|(f, _)| f.gap_cv, 2),
            column(|(_, cpu)| *cpu, 2),
        ]);
    }
    println!("{table}");
    remarks.iter().for_each(|r| println!("{r}"));
    Ok(())
}
