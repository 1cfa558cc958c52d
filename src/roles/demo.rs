//! `--demo`: runs a sample plan against its own target, to try the program in ten seconds.

use super::demo_target::{DemoTarget, PLAN, PLAN_VARIABLE};
use super::signals::Interrupts;
use super::standalone::carry_out;
use super::{Exit, Failure};
use crate::cli::Options;
use crate::plan;
use crate::sys::cores;

/// Start the target, run the sample plan against it, leave nothing running.
///
/// # Errors
/// When the target does not start or the run fails.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let interrupts = Interrupts::listen()?;
    // With several cores the target gets the last one and the load threads the others.
    let allowed = cores::allowed();
    let load_cores = &allowed[..allowed.len().saturating_sub(1)];
    let target = DemoTarget::start(Some(load_cores).filter(|cores| !cores.is_empty()))?;
    let overrides = options.overrides();
    let address = format!("http://{}", target.addr());
    let known = |name: &str| (name == PLAN_VARIABLE).then(|| address.clone());
    let plan = || plan::parse(PLAN, "demo", &overrides, &known).map_err(|f| Failure::usage(f.to_string()));
    let mut options = options.clone();
    options.threads = options.threads.or(Some(load_cores.len().max(1)));
    carry_out(&options, plan, &interrupts)
}
