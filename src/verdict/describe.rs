//! What `--check` prints: what a plan would send, and what that needs. Header values and query
//! strings stay out, since they may hold secrets; bodies are named by their size.

use std::fmt::Write;

use super::plural;
use super::preflight::{
    Machine, Preflight, count_is_exact, expected_requests, most_connections, plural_cpus,
};
use super::threads::Threads;
use crate::plan::{Load, Model, Plan, Scenario};
use crate::schedule::{Arrivals, Picker};
use crate::units::{print_bytes, print_count, print_duration, print_percent, print_rate};

/// Columns of a label: the longest, `file descriptors`, and two spaces.
const LABEL: usize = 18;

/// The whole page, one fact a line, ending in a line break.
pub fn describe(plan: &Plan, flight: &Preflight, threads: &Threads, machine: &Machine, seed: u64) -> String {
    let mut page = String::new();
    let mut line = |label: &str, text: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{label:<LABEL$}{text}");
    };
    line("plan", &format!("{} ({})", plan.source, plan.digest));
    line("target", &target(plan));
    line("model", &model(&plan.load));
    line("ends", &ends(&plan.load));
    line("sends", &sends(&plan.load));
    for (share, scenario) in shares(plan, seed).iter().zip(&plan.scenarios) {
        line("", &format!("{share:>12}  {}", request(scenario)));
    }
    plan.thresholds.iter().for_each(|threshold| line("must hold", &threshold.expression));
    line("threads", &thread_line(threads, machine));
    for need in &flight.needs {
        line(need.resource.label(), &need.to_string());
    }
    if let Some(limit) = flight.raise_fd_to {
        line("", &format!("the soft limit on file descriptors will be raised to {}", print_count(limit)));
    }
    threads.notes.iter().for_each(|note| line("note", note));
    flight.warnings.iter().for_each(|warning| line("warning", warning));
    flight.refusals.iter().for_each(|refusal| line("cannot run", refusal));
    page
}

fn target(plan: &Plan) -> String {
    let host = plan.target.host.as_str();
    let here = host == "localhost" || host.parse::<core::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let remark = if here { " (on this machine: it and this generator share the cores)" } else { "" };
    format!("http://{}{remark}", plan.target.authority)
}

fn model(load: &Load) -> String {
    match &load.model {
        Model::Closed { connections } => {
            format!(
                "closed: {}, each sends when its last request ended",
                plural((*connections).into(), "connection")
            )
        }
        Model::Open { pieces, arrivals, backlog, .. } => {
            let spacing = match arrivals {
                Arrivals::Even => "even",
                Arrivals::Poisson => "Poisson",
            };
            let rates: Vec<String> = pieces
                .iter()
                .map(|piece| {
                    let (from, to) = (print_rate(piece.from), print_rate(piece.to));
                    let slope = if from == to { from } else { format!("{from} to {to}") };
                    format!("{slope} for {}", print_duration(piece.length_ns))
                })
                .collect();
            format!(
                "open: {}; {spacing} arrivals, at most {}, backlog {}",
                rates.join(", then "),
                plural(most_connections(load).into(), "connection"),
                print_count((*backlog).into())
            )
        }
    }
}

fn ends(load: &Load) -> String {
    let requests = load.requests.map(|n| plural(n, "request"));
    let duration = load.duration_ns.map(print_duration);
    let mut text =
        format!("after {}", [requests, duration].into_iter().flatten().collect::<Vec<_>>().join(" or "));
    if load.warmup_ns > 0 {
        text += &format!(", not counting {} of warm-up", print_duration(load.warmup_ns));
    }
    text + &format!("; then up to {} for what is in flight", print_duration(load.drain_ns))
}

fn sends(load: &Load) -> String {
    match expected_requests(load) {
        Some(n) if count_is_exact(load) => plural(n, "request"),
        Some(n) if matches!(load.model, Model::Closed { .. }) => format!("at most {}", plural(n, "request")),
        Some(n) => format!("about {}", plural(n, "request")),
        None => "as many requests as the target answers in that time".into(),
    }
}

/// Per scenario its exact count when the number of requests is known, its share otherwise.
fn shares(plan: &Plan, seed: u64) -> Vec<String> {
    let weights = plan.weights();
    let picker = expected_requests(&plan.load)
        .filter(|_| count_is_exact(&plan.load))
        .zip(Picker::new(&weights, seed).ok());
    if let Some((requests, picker)) = picker {
        return picker.shares(requests, weights.len()).into_iter().map(print_count).collect();
    }
    let total: u64 = weights.iter().map(|w| u64::from(*w)).sum();
    let share = |weight: u32| (f64::from(weight) / total.max(1) as f64 * 1e3).round() / 1e3;
    weights.into_iter().map(|weight| print_percent(share(weight))).collect()
}

/// `Get users: GET /v1/users?…, headers Accept and Authorization, no body, within 30s`.
fn request(scenario: &Scenario) -> String {
    let path = match scenario.path.split_once('?') {
        Some((path, _)) => format!("{path}?…"),
        None => scenario.path.clone(),
    };
    let names: Vec<&str> = scenario.headers.iter().map(|(name, _)| name.as_str()).collect();
    let headers = match names.len() {
        0 => "no headers of its own".into(),
        _ => format!("headers {}", names.join(", ")),
    };
    let body = match scenario.body.len() as u64 {
        0 => "no body".into(),
        n => format!("body of {}", print_bytes(n)),
    };
    let Scenario { name, method, timeout_ns, .. } = scenario;
    format!("{name}: {method} {path}; {headers}; {body}; within {}", print_duration(*timeout_ns))
}

fn thread_line(threads: &Threads, machine: &Machine) -> String {
    let cores: Vec<String> = threads.cores.iter().map(ToString::to_string).collect();
    let place =
        if threads.pinned() { format!("pinned to cores {}", cores.join(", ")) } else { "not pinned".into() };
    let quota =
        machine.quota_cpus.map_or_else(|| "no quota".into(), |cpus| format!("quota {}", plural_cpus(cpus)));
    format!(
        "{}, {place}; {} allowed, {quota}",
        threads.count,
        plural(machine.cores_allowed.len() as u64, "core")
    )
}
