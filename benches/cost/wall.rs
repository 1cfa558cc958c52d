//! Time: how long a request takes when nothing watches, and the CPU time it needs.

use std::fs::File;
use std::path::Path;

use super::cases::{Case, Length, Target, job};
use super::instrument::child::Scratch;

/// Held while time is measured, so that measurements on one machine take turns; builds that are run
/// under `flock -s` wait, too.
const LOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/measuring.lock");

/// Wait until nobody else measures. Dropping the file lets the next one in.
pub fn lock() -> Result<File, String> {
    let failed = |e: std::io::Error| format!("{LOCK}: {e}");
    let file = File::options().create(true).append(true).open(LOCK).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Microseconds per request in the closed model, the median response time in the open one (whose rate
/// is given); and CPU time per request.
pub fn run(case: &Case, target: &Target, program: &Path, seconds: f64) -> Result<Vec<(String, f64)>, String> {
    let scratch = Scratch::new()?;
    let mut job = job(program);
    job.args.extend(case.args(target, Length::Seconds(seconds), scratch.path()));
    let ended = job.run(scratch.path()).map_err(|e| format!("cannot start {}: {e}", program.display()))?;
    let asked = case.rate.map(|rate| (rate * seconds) as u64);
    let (output, _) = case
        .read_output(asked, scratch.path())
        .map_err(|fault| format!("{fault} ({})", ended.complaint()))?;
    let time = match case.rate {
        Some(_) => ("median response time, µs".to_owned(), output.p50.ok_or("no median was measured")? * 1e6),
        None => ("time per request, µs".to_owned(), 1e6 / output.rate),
    };
    Ok(vec![time, ("CPU per request, µs".to_owned(), ended.cpu_s * 1e6 / output.requests as f64)])
}
