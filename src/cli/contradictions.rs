//! Rejects flags that contradict each other, or have no meaning in a role.

use super::error::UsageError;
use super::options::{Options, Role};
use super::{fleet, help};
use crate::plan::quoted;

pub(super) fn refuse_contradictions(options: &Options) -> Result<(), UsageError> {
    let sources =
        [(options.plan.is_some(), "--plan"), (options.url.is_some(), "a URL"), (options.demo, "--demo")];
    let mut given = sources.iter().filter(|(given, _)| *given).map(|(_, name)| *name);
    let source = given.next();
    if let (Some(first), Some(second)) = (source, given.next()) {
        let message = format!("{first} and {second} both say what to send: keep one of them");
        return Err(UsageError::new(message));
    }
    let of_url = [
        (options.method.is_some(), "-m"),
        (!options.headers.is_empty(), "-H"),
        (options.body.is_some(), "-b"),
        (options.tls.ca.is_some(), "--cacert"),
        (options.tls.cert.is_some(), "--cert"),
        (options.tls.key.is_some(), "--key"),
        (options.tls.insecure, "--insecure"),
    ];
    if let (Some((_, name)), None) = (of_url.iter().find(|(given, _)| *given), &options.url) {
        let place = if name.starts_with("--") { "`tls:`" } else { "scenarios" };
        let message = format!("{name} belongs to a URL: add one, or write it into the plan's {place}");
        return Err(UsageError::new(message));
    }
    let of_baseline = [
        (options.max_regression.is_some(), "--max-regression"),
        (options.baseline_any_plan, "--baseline-any-plan"),
    ];
    if let (Some((_, name)), None) = (of_baseline.iter().find(|(given, _)| *given), &options.baseline) {
        return Err(UsageError::new(format!("{name} belongs to --baseline FILE: add one, or remove it")));
    }
    if options.no_listen && options.listen.is_some() {
        return Err(UsageError::new("--listen and --no-listen: keep one of them"));
    }
    if options.no_listen && options.linger_ns > 0 {
        return Err(UsageError::new(
            "--linger keeps the status server up, and --no-listen has none: keep one",
        ));
    }
    if let Some(twice) =
        (1..options.reports.len()).find(|i| options.reports[..*i].contains(&options.reports[*i]))
    {
        let path = options.reports[twice].to_string();
        return Err(UsageError::new(format!("--report {} is given twice: keep one", quoted(&path))));
    }
    fleet::refuse(options)?;
    if options.once {
        refuse_beside_once(options)?;
    }
    match options.role {
        Role::Target => return refuse_beside_target(options),
        Role::Worker | Role::Coordinator => return Ok(()),
        Role::Standalone => {}
    }
    let prints_only = options.schema || options.report_schema || options.completions.is_some();
    if source.is_none() && !prints_only {
        let message = format!(
            "nothing to do: give a plan or a URL, or try --demo\n{}\n--help explains the rest",
            help::SHORT
        );
        return Err(UsageError::new(message));
    }
    Ok(())
}

fn refuse_beside_once(options: &Options) -> Result<(), UsageError> {
    let senseless = [
        (options.check, "--check"),
        (options.concurrency.is_some(), "-c"),
        (options.rate.is_some(), "-r"),
        (options.requests.is_some(), "-n"),
        (options.duration_ns.is_some(), "-d"),
        (!options.reports.is_empty(), "--report"),
        (options.baseline.is_some(), "--baseline"),
        (options.strict, "--strict"),
        (options.listen.is_some(), "--listen"),
        (options.linger_ns > 0, "--linger"),
        (options.metrics_scenarios.is_some(), "--metrics-scenarios"),
        (options.threads.is_some(), "--threads"),
    ];
    match senseless.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(UsageError::new(format!(
            "--once sends each scenario once and measures no load, {name} has no meaning there: remove one"
        ))),
        None => Ok(()),
    }
}

fn refuse_beside_target(options: &Options) -> Result<(), UsageError> {
    let senseless = [
        (options.plan.is_some(), "--plan"),
        (options.url.is_some(), "a URL"),
        (options.demo, "--demo"),
        (options.concurrency.is_some(), "-c"),
        (options.rate.is_some(), "-r"),
        (options.requests.is_some(), "-n"),
        (options.duration_ns.is_some(), "-d"),
        (options.no_listen, "--no-listen"),
        (!options.reports.is_empty(), "--report"),
        (options.baseline.is_some(), "--baseline"),
        (options.check, "--check"),
        (options.once, "--once"),
        (options.strict, "--strict"),
        (options.busy_poll, "--busy-poll"),
        (options.linger_ns > 0, "--linger"),
        (options.metrics_scenarios.is_some(), "--metrics-scenarios"),
        (options.seed.is_some(), "--seed"),
    ];
    match senseless.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(UsageError::new(format!(
            "--role target only answers, {name} has no meaning there: remove it, or the role"
        ))),
        None => Ok(()),
    }
}
