//! What a second thread costs when one would do: CPU time per request at the same asked rate.

use super::TARGET_CORE;
use super::instrument::child::{Scratch, Service};
use super::instrument::contestant::{Contestant, Load};
use super::instrument::options::Options;
use super::instrument::table::{Table, middle};

const RATE: f64 = 10_000.0;
const CONNECTIONS: usize = 50;

/// Print the table.
pub fn compare(options: &Options) -> Result<(), String> {
    let mut cpu_us = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        for (threads, cpu_us) in (1..).zip(&mut cpu_us) {
            eprintln!("threads: {threads}");
            let (target, scratch) = (Service::target(TARGET_CORE, &[])?, Scratch::new()?);
            let load = Load {
                url: format!("http://{}/", target.address),
                connections: CONNECTIONS,
                seconds: options.seconds,
                rate: Some(RATE),
                // Both cores: two threads on one would only show that one is enough.
                core: None,
            };
            let job = Contestant::Ours.job(&load, scratch.path()).ok_or("loadtester is not built")?;
            let ended =
                job.args(&format!("--threads {threads}")).run(scratch.path()).map_err(|e| e.to_string())?;
            let asked = RATE * options.seconds;
            match target.stop()?.requests as f64 {
                requests if requests > 0.9 * asked => cpu_us.push(ended.cpu_s * 1e6 / requests),
                requests => {
                    println!("- --threads {threads}: {requests} of {asked} requests ({})", ended.complaint());
                }
            }
        }
    }
    let mut table = Table::new(["open model, 10,000/s, 50 connections", "CPU time per request (µs)"]);
    for (threads, cpu_us) in (1..).zip(&cpu_us) {
        table.row([format!("loadtester --threads {threads}"), middle(cpu_us, |v| format!("{v:.2}"))]);
    }
    println!("{table}");
    Ok(())
}
