//! What a connection costs in memory.
//!
//! Peak resident set with many busy keep-alive connections, minus the one with a single connection.
//! The kernel's socket buffers are not in it; they are the same for everybody.

use super::instrument::child::{Scratch, Service};
use super::instrument::contestant::{Contestant, Load};
use super::instrument::options::Options;
use super::instrument::table::{Table, dash};
use super::{GENERATOR_CORE, TARGET_CORE};

/// Fits the usual hard limit on open files and the default range of local ports.
const CONNECTIONS: usize = 8_000;
const SECONDS: f64 = 5.0;

/// Print the table.
pub fn compare(options: &Options) -> Result<(), String> {
    let mut table = Table::new(["peak resident memory", "c=1 (MB)", "c=8000 (MB)", "per connection (KB)"]);
    let mut remarks = Vec::new();
    for &contestant in &options.contestants {
        eprintln!("memory: {}", contestant.name());
        let (one, many) = (peak(contestant, 1)?, peak(contestant, CONNECTIONS)?);
        let mb = |p: &Result<u64, String>| p.as_ref().map_or(dash(), |b| format!("{:.1}", *b as f64 / 1e6));
        let each = match (&one, &many) {
            (Ok(one), Ok(many)) => {
                format!("{:.2}", many.saturating_sub(*one) as f64 / (CONNECTIONS - 1) as f64 / 1024.0)
            }
            _ => dash(),
        };
        table.row([contestant.name().to_owned(), mb(&one), mb(&many), each]);
        let faults = [one, many].into_iter().filter_map(Result::err);
        remarks.extend(faults.map(|fault| format!("- {}: {fault}", contestant.name())));
    }
    println!("{table}");
    remarks.iter().for_each(|r| println!("{r}"));
    Ok(())
}

/// The inner error is the contestant's fault.
fn peak(contestant: Contestant, connections: usize) -> Result<Result<u64, String>, String> {
    let (target, scratch) = (Service::target(TARGET_CORE, &[])?, Scratch::new()?);
    let load = Load {
        url: format!("http://{}/", target.address),
        connections,
        seconds: SECONDS,
        rate: None,
        core: Some(GENERATOR_CORE),
    };
    let outcome = contestant.run(&load, scratch.path());
    let opened = target.stop()?.connections;
    Ok(outcome.and_then(|(ended, _)| {
        if opened < connections as u64 {
            return Err(format!("opened only {opened} of {connections} connections"));
        }
        ended.peak_rss_bytes.ok_or_else(|| "ended before its memory was looked at".to_owned())
    }))
}
