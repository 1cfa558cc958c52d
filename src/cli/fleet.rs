//! Checks the flags of a coordinator and its workers, and what contradicts them.
//!
//! Tokens are never typed: they come from files that flags name, or from the environment, which is read
//! elsewhere.

use super::error::UsageError;
use super::options::{Options, Role};

/// The most workers of one coordinator: it merges a report of each every second.
pub(crate) const MAX_WORKERS: u64 = crate::fleet::messages::MAX_WORKERS as u64;

/// Parses `http://HOST:PORT`, without a path.
pub(super) fn coordinator(text: &str) -> Result<String, String> {
    let form = "not a coordinator's address: write http://HOST:PORT, like http://coordinator-svc:8080";
    if text.starts_with("https://") {
        return Err("https is not possible here: write http://, and keep the network between them your own"
            .to_owned());
    }
    let authority = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).ok_or(form)?;
    let well_formed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(well_formed) {
        return Err(form.to_owned());
    }
    Ok(format!("http://{authority}"))
}

/// Rejects flags that have no meaning in the role.
pub(super) fn refuse(options: &Options) -> Result<(), UsageError> {
    let of_workers = [
        (options.coordinator.is_some(), "--coordinator"),
        (options.slot.is_some(), "--slot"),
        (!options.allowed_targets.is_empty(), "--allow-target"),
    ];
    let of_coordinators = [
        (options.workers.is_some(), "--workers"),
        (options.join_timeout_ns.is_some(), "--join-timeout"),
        (options.state_dir.is_some(), "--state-dir"),
    ];
    let of_both = [(options.token_file.is_some(), "--token-file")];
    let served = [(options.operator_token_file.is_some(), "--operator-token-file")];
    match options.role {
        Role::Standalone => {
            none_of(&of_workers, "belongs to --role worker: add that, or remove it")?;
            none_of(&of_coordinators, "belongs to --role coordinator: add that, or remove it")?;
            none_of(&of_both, "belongs to --role worker or coordinator: add one, or remove it")
        }
        Role::Target => {
            let public = [(options.public_status, "--public-status")];
            let all = [&of_workers[..], &of_coordinators, &of_both, &served, &public].concat();
            none_of(&all, "has no meaning with --role target: remove it, or the role")
        }
        Role::Worker => refuse_beside_worker(options, &[&of_coordinators[..], &served].concat()),
        Role::Coordinator => refuse_beside_coordinator(options, &of_workers),
    }
}

fn none_of(given: &[(bool, &str)], remedy: &str) -> Result<(), UsageError> {
    match given.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(UsageError::new(format!("{name} {remedy}"))),
        None => Ok(()),
    }
}

fn refuse_beside_worker(options: &Options, of_coordinators: &[(bool, &str)]) -> Result<(), UsageError> {
    if options.coordinator.is_none() {
        let message = "--role worker needs its coordinator: add --coordinator http://HOST:8080";
        return Err(UsageError::new(message));
    }
    let judged = [
        (!options.reports.is_empty(), "--report"),
        (options.baseline.is_some(), "--baseline"),
        (options.strict, "--strict"),
        (options.linger_ns > 0, "--linger"),
        (options.seed.is_some(), "--seed"),
    ];
    none_of(of_coordinators, "belongs to the coordinator: give it there")?;
    none_of(&judged, "belongs to the coordinator, which judges the whole fleet: give it there")?;
    none_of(
        &[(options.demo, "--demo"), (options.check, "--check")],
        "has no meaning with --role worker: remove it, or the role",
    )?;
    none_of(&of_plan(options), "changes a plan, and this worker brings none: add --plan, or remove it")
}

fn refuse_beside_coordinator(options: &Options, of_workers: &[(bool, &str)]) -> Result<(), UsageError> {
    none_of(of_workers, "belongs to --role worker: give it there")?;
    let of_load = [
        (options.threads.is_some(), "--threads"),
        (options.no_pin, "--no-pin"),
        (options.timestamps != super::Timestamps::default(), "--timestamps"),
        (options.busy_poll, "--busy-poll"),
    ];
    none_of(&of_load, "says how load is sent, and a coordinator sends none: give it to the workers")?;
    none_of(
        &[(options.demo, "--demo"), (options.no_listen, "--no-listen"), (options.check, "--check")],
        "has no meaning with --role coordinator: remove it, or the role",
    )?;
    none_of(&of_plan(options), "changes a plan, and this coordinator has none: add --plan, or remove it")
}

/// Flags that change a plan, given without one.
fn of_plan(options: &Options) -> [(bool, &'static str); 5] {
    let none = options.plan.is_none() && options.url.is_none();
    [
        (none && options.concurrency.is_some(), "-c"),
        (none && options.rate.is_some(), "-r"),
        (none && options.requests.is_some(), "-n"),
        (none && options.duration_ns.is_some(), "-d"),
        (none && options.baseline.is_some(), "--baseline"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_is_a_plain_http_address() {
        assert_eq!(coordinator("http://coordinator-svc:8080/"), Ok("http://coordinator-svc:8080".into()));
        assert_eq!(coordinator("http://[::1]:8080"), Ok("http://[::1]:8080".into()));
        assert!(coordinator("https://x").unwrap_err().contains("https"));
        for text in ["x:8080", "http://", "http://a/b", "http://u:p@a"] {
            assert!(coordinator(text).unwrap_err().contains("http://HOST:PORT"), "{text}");
        }
    }
}
