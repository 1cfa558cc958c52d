//! As many requests as possible: how many, and what one costs the generator.

use std::collections::{BTreeMap, BTreeSet};

use super::instrument::child::{Ended, Scratch, Service};
use super::instrument::contestant::{Contestant, Load, find};
use super::instrument::options::Options;
use super::instrument::schedule_fit::median;
use super::instrument::table::{Table, dash, middle};
use super::instrument::target::Report;
use super::instrument::tool_output::ToolOutput;
use super::{GENERATOR_CORE, TARGET_CORE};

/// Bodies nginx sends.
const LARGE_BODY_BYTES: usize = 100 * 1024;
/// How far what a contestant says may be from what the target counted before it is remarked on.
const MISCOUNT: f64 = 0.02;

/// One contestant's runs in one case.
#[derive(Default)]
struct Samples {
    rate: Vec<f64>,
    cpu_us: Vec<f64>,
    /// Below 100 % the generator waited for the target, or for its core.
    core_percent: Vec<f64>,
    p50_us: Vec<f64>,
    service_p50_us: Vec<f64>,
    start_ms: Vec<f64>,
    target_cpu_us: Vec<f64>,
}

/// All runs of some cases, and what went wrong.
struct Results<'a> {
    options: &'a Options,
    cases: &'a [(String, usize)],
    samples: BTreeMap<(usize, &'static str), Samples>,
    remarks: BTreeSet<String>,
}

type Field = fn(&Samples) -> &Vec<f64>;

/// Closed model against our own target.
pub fn tiny(options: &Options, cases: &[(String, usize)]) -> Result<(), String> {
    let mut results = Results::new(options, cases);
    results.take_turns(|contestant, load, scratch| {
        let target = Service::target(TARGET_CORE, &[])?;
        let load = Load { url: format!("http://{}/", target.address), ..load };
        let outcome = contestant.run(&load, scratch.path());
        let report = target.stop()?;
        Ok(outcome.map(|(ended, output)| (ended, output, Some(report))))
    })?;
    results.print("requests/s", |s| &s.rate, |v| format!("{v:.0}"));
    results.print_ratios("requests/s", |s| &s.rate);
    results.print("CPU time per request (µs)", |s| &s.cpu_us, |v| format!("{v:.2}"));
    results.print("share of its core the generator used (%)", |s| &s.core_percent, |v| format!("{v:.0}"));
    results.print("median latency as reported (µs)", |s| &s.p50_us, |v| format!("{v:.1}"));
    results.print("median service time as reported (µs)", |s| &s.service_p50_us, |v| format!("{v:.1}"));
    results.print("CPU time per request of the target (µs)", |s| &s.target_cpu_us, |v| format!("{v:.2}"));
    results.print("start of the process to first request (ms)", |s| &s.start_ms, |v| format!("{v:.1}"));
    results.print_remarks();
    Ok(())
}

/// Closed model against nginx; requests are as each contestant counts them.
pub fn large(options: &Options, cases: &[(String, usize)]) -> Result<(), String> {
    let Some(nginx) = find("nginx") else {
        println!("nginx is not installed; this case was left out.");
        return Ok(());
    };
    let mut results = Results::new(options, cases);
    let home = Scratch::new()?;
    let service = Service::nginx(&nginx, TARGET_CORE, home.path(), LARGE_BODY_BYTES, ("", ""))?;
    let url = format!("http://{}/body", service.address);
    results.take_turns(|contestant, load, scratch| {
        let outcome = contestant.run(&Load { url: url.clone(), ..load }, scratch.path());
        Ok(outcome.map(|(ended, output)| (ended, output, None)))
    })?;
    results.print("requests/s", |s| &s.rate, |v| format!("{v:.0}"));
    results.print("CPU time per request (µs)", |s| &s.cpu_us, |v| format!("{v:.2}"));
    results.print_ratios("CPU time per request", |s| &s.cpu_us);
    results.print("share of its core the generator used (%)", |s| &s.core_percent, |v| format!("{v:.0}"));
    results.print_remarks();
    Ok(())
}

/// How one run went: an error ends the comparison, a fault of the contestant is remarked on.
type Outcome = Result<Result<(Ended, ToolOutput, Option<Report>), String>, String>;

impl<'a> Results<'a> {
    fn new(options: &'a Options, cases: &'a [(String, usize)]) -> Self {
        Self { options, cases, samples: BTreeMap::new(), remarks: BTreeSet::new() }
    }

    fn take_turns(
        &mut self,
        mut run: impl FnMut(Contestant, Load, &Scratch) -> Outcome,
    ) -> Result<(), String> {
        for (case, (name, connections)) in self.cases.iter().enumerate() {
            for round in 1..=self.options.rounds {
                for &contestant in &self.options.contestants {
                    eprintln!("{name}, round {round}: {}", contestant.name());
                    let load = Load {
                        url: String::new(),
                        connections: *connections,
                        seconds: self.options.seconds,
                        rate: None,
                        core: Some(GENERATOR_CORE),
                    };
                    let scratch = Scratch::new()?;
                    match run(contestant, load, &scratch)? {
                        Ok((ended, output, report)) => self.add(case, contestant, ended, output, report),
                        Err(fault) => {
                            self.remarks.insert(format!("{}, {name}: {fault}", contestant.name()));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, case: usize, by: Contestant, ended: Ended, output: ToolOutput, report: Option<Report>) {
        let (name, connections) = &self.cases[case];
        let samples = self.samples.entry((case, by.name())).or_default();
        let (mut requests, mut rate) = (output.requests as f64, output.rate);
        if let Some(report) = report {
            let counted = report.requests as f64;
            // Those in flight at the end are counted by the target alone.
            if (counted - requests).abs() > *connections as f64 + MISCOUNT * counted {
                let remark = format!("{}, {name}: says {requests}, the target counted {counted}", by.name());
                self.remarks.insert(remark);
            }
            requests = counted;
            rate = (counted - 1.0) * 1e9 / report.last_ns.saturating_sub(report.first_ns).max(1) as f64;
            samples.target_cpu_us.push(report.cpu_ns as f64 / 1e3 / counted);
            samples.start_ms.push(report.first_ns.saturating_sub(ended.started_ns) as f64 / 1e6);
        }
        samples.rate.push(rate);
        samples.cpu_us.push(ended.cpu_s * 1e6 / requests);
        samples.core_percent.push(ended.cpu_s / ended.wall_s * 100.0);
        samples.p50_us.extend(output.p50.map(|s| s * 1e6));
        samples.service_p50_us.extend(output.service_p50.map(|s| s * 1e6));
    }

    /// One figure of every contestant that has it; nothing when nobody does.
    fn print(&self, title: &str, field: Field, show: fn(f64) -> String) {
        self.print_rows(title, &self.options.contestants, |case, contestant| {
            let values = self.values(case, contestant, field);
            (!values.is_empty()).then(|| middle(values, show))
        });
    }

    /// Ours over theirs, with kernel and with user timestamps.
    fn print_ratios(&self, title: &str, field: Field) {
        for ours in [Contestant::Ours, Contestant::OursUser] {
            let others: Vec<_> = self.options.contestants.iter().copied().filter(|c| *c != ours).collect();
            self.print_rows(&format!("{title}: {} ÷", ours.name()), &others, |case, theirs| {
                let (a, b) = (self.values(case, ours, field), self.values(case, theirs, field));
                let both = !a.is_empty() && !b.is_empty();
                both.then(|| format!("{:.2}", median(&mut a.to_vec()) / median(&mut b.to_vec())))
            });
        }
    }

    fn print_rows(
        &self,
        title: &str,
        contestants: &[Contestant],
        cell: impl Fn(usize, Contestant) -> Option<String>,
    ) {
        let heads = self.cases.iter().map(|(_, c)| format!("c={c}"));
        let mut table = Table::new(std::iter::once(title.to_owned()).chain(heads));
        let mut any = false;
        for &contestant in contestants {
            let cells: Vec<_> = (0..self.cases.len()).map(|case| cell(case, contestant)).collect();
            if cells.iter().any(Option::is_some) {
                any = true;
                let cells = cells.into_iter().map(|c| c.unwrap_or_else(dash));
                table.row(std::iter::once(contestant.name().to_owned()).chain(cells));
            }
        }
        if any {
            println!("{table}");
        }
    }

    fn values(&self, case: usize, contestant: Contestant, field: Field) -> &[f64] {
        self.samples.get(&(case, contestant.name())).map_or(&[], |s| field(s))
    }

    fn print_remarks(&self) {
        for remark in &self.remarks {
            println!("- {remark}");
        }
    }
}
