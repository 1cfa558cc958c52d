//! `--once`: sends each scenario once on the threads of a normal run and prints both messages.

use std::sync::Arc;

use super::load_threads::{LoadThreads, Task, peers};
use super::resolver;
use super::signals::Interrupts;
use super::timing::unix_origin_ns;
use super::tls_files::{self, warn_of_insecure};
use super::{Exit, Failure, log, machine, summary};
use crate::cli::Options;
use crate::client::RunSpec;
use crate::plan::{Expect, Load, Model, Plan, Shard, quoted};
use crate::report::once::OnceExchange;
use crate::run::first_text;
use crate::sys::Clock;
use crate::tally::{Merged, Outcome};
use crate::verdict;

/// Send each scenario of `plan` once, in order, and print requests and responses. Seed and run id are those of the
/// values in its holes.
///
/// # Errors
/// The target was not reached, a signal came, or the page cannot be written.
pub(crate) fn run(
    options: &Options,
    plan: &Plan,
    (seed, run_id): (u64, &str),
    interrupts: &Interrupts,
) -> Result<Exit, Failure> {
    let threads = verdict::threads_for(&machine::look(), Some(1), true, 1).map_err(Failure::usage)?;
    let tls = tls_files::read(plan, tls_files::folder(options.plan.as_deref())).map_err(Failure::usage)?;
    warn_of_insecure(plan);
    let peers = peers(resolver::routes(plan)?, tls);
    let mut exit = Exit::Passed;
    for i in 0..plan.scenarios.len() {
        let alone = alone(plan, i);
        let (part, clock) = (Shard { slot: 0, of: 1 }, Clock::start());
        let spec = RunSpec::new(alone, seed).of_run(run_id.to_owned(), unix_origin_ns(&clock));
        let spec = Arc::new(RunSpec { capture_last: true, ..spec });
        let peers = [peers[plan.scenarios[i].target].clone()].into();
        let load_threads =
            LoadThreads::start(Task { options, spec: spec.clone(), part, threads: &threads, peers, clock })?;
        let tally = match load_threads.try_out(interrupts) {
            Ok(tally) => tally,
            // The others have targets of their own.
            Err(failure) if failure.exit == Exit::Incomplete && plan.targets.len() > 1 => {
                let name = &spec.plan.scenarios[0].name;
                log::error(&format!("{}: {}", quoted(name), failure.message));
                exit = Exit::Incomplete;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let trial = OnceExchange {
            plan: &spec.plan,
            request: tally.last_request().unwrap_or(&spec.requests[0].bytes),
            tally: &tally,
            failure: &failure(&tally),
        };
        let gap = if i > 0 { "\n" } else { "" };
        summary::print_all("--once", &(gap.to_owned() + &trial.page()))?;
        if !trial.is_well() {
            exit = if exit == Exit::Passed { Exit::Failed } else { exit };
        }
    }
    Ok(exit)
}

/// `plan` reduced to its `i`-th scenario, sent once over one connection.
fn alone(plan: &Plan, i: usize) -> Plan {
    let mut scenario = plan.scenarios[i].clone();
    // Set the default expectation explicitly, so that it is checked like any other.
    scenario.expect.get_or_insert_with(|| Box::new(Expect::default()));
    let load = Load {
        model: Model::Closed { connections: 1 },
        warmup_ns: 0,
        requests: Some(1),
        duration_ns: None,
        ..plan.load.clone()
    };
    let targets = vec![plan.target_of(&scenario).clone()];
    scenario.target = 0;
    Plan { targets, scenarios: vec![scenario], load, ..plan.clone() }
}

/// Details of the failures seen.
fn failure(tally: &Merged) -> String {
    let seen = Outcome::ALL.into_iter().map(|outcome| (outcome, tally.first_seen(outcome)));
    let failures = seen.filter_map(|(outcome, first)| Some(first_text(first?, outcome)));
    failures.collect::<Vec<_>>().join(", ")
}
