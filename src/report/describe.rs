//! The output of `--check`: what a plan would send, what it expects back, and what that needs. Omits values
//! from the environment and credentials.

use std::fmt::Write;

use crate::plan::{Load, Metric, Model, Plan, Scenario, Target, Threshold, Tls, Versions, secrets};
use crate::schedule::{Arrivals, Picker};
use crate::units::{plural, print_bytes, print_count, print_duration, print_percent, print_rate};
use crate::verdict::preflight::{
    Machine, Preflight, count_is_exact, expected_by_scenario, expected_requests, most_connections,
    plural_cpus,
};
use crate::verdict::rows::rows_needed;
use crate::verdict::threshold::allowed_over;
use crate::verdict::{Threads, binomial};

/// Width of a label: the longest, `file descriptors`, and two spaces.
const LABEL: usize = 18;
/// Columns shown of a body: enough to recognize it.
const MOST_BODY_COLUMNS: usize = 200;
/// Bytes of a body that are scanned for them.
const BODY_BYTES_READ: usize = 64 << 10;

/// The whole output, one fact per line, ending with a line feed.
pub fn describe(plan: &Plan, flight: &Preflight, threads: &Threads, machine: &Machine, seed: u64) -> String {
    let mut page = String::new();
    let mut line = |label: &str, text: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{label:<LABEL$}{text}");
    };
    let name = plan.name.as_ref().map_or(String::new(), |name| format!("\"{name}\", "));
    line("plan", &format!("{name}{} ({})", plan.source, plan.digest));
    if !plan.labels.is_empty() {
        let labels: Vec<String> = plan.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        line("labels", &labels.join(", "));
    }
    for target in &plan.targets {
        let label = if target.name.is_empty() { "target" } else { "" };
        line(label, &target_line(target));
        let mut of_target = |label: &'static str, text: String| match target.name.as_str() {
            "" => line(label, &text),
            _ => line("", &format!("  {label}: {text}")),
        };
        proxy(target).into_iter().for_each(|text| of_target("proxy", text));
        target.tls.iter().for_each(|tls| of_target("tls", secured(tls)));
    }
    if let Some(auth) = &plan.auth {
        line("auth", &format!("AWS Signature Version 4 for {} in {}", auth.service, auth.region));
    }
    line("connections", &connections(plan));
    line("model", &model(&plan.load));
    line("ends", &ends(&plan.load));
    line("sends", &sends(&plan.load));
    for (share, scenario) in shares(plan, seed).iter().zip(&plan.scenarios) {
        line("", &format!("{share:>12}  {}", request(plan, scenario)));
        for detail in details(plan, scenario) {
            line("", &format!("{:>12}    {detail}", ""));
        }
    }
    for set in rows_needed(plan, seed) {
        line("data", &format!("{}: {}", set.name, set.words()));
    }
    let expected = expected_by_scenario(plan);
    for threshold in &plan.thresholds {
        line("must hold", &threshold.expression);
        let text = decides(threshold, expected.as_deref());
        if let Some(text) = text.or_else(|| out_of_reach(threshold, plan, expected.as_deref())) {
            line("", &format!("  {text}"));
        }
    }
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

fn target_line(target: &Target) -> String {
    let host = target.host.as_str();
    let here = host == "localhost" || host.parse::<core::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let remark = if here { " (on this machine: it and this generator share the cores)" } else { "" };
    let name = if target.name.is_empty() { String::new() } else { format!("{}: ", target.name) };
    let elsewhere = target.connect_to.as_ref();
    let elsewhere = elsewhere
        .map_or(String::new(), |(host, port)| format!("; connections go to port {port} of {host} instead"));
    format!("{name}{}{remark}{elsewhere}", target.origin())
}

fn proxy(target: &Target) -> Option<String> {
    let Some(proxy) = &target.proxy else {
        return target.bypasses_proxy.then(|| "not used: the target is on this machine".to_owned());
    };
    let how = if target.tls.is_some() { ", with CONNECT" } else { "" };
    let user = if proxy.authorization.is_some() { ", with user and password" } else { "" };
    Some(format!("http://{}{how}{user}", proxy.authority))
}

/// How connections are opened and how long they are used.
fn connections(plan: &Plan) -> String {
    let policy = &plan.connections;
    let mut parts = vec![format!("made within {}", print_duration(plan.connect_timeout_ns()))];
    match (policy.keep_alive, policy.most_requests) {
        (false, _) => parts.push("each for one request".to_owned()),
        (true, Some(most)) => parts.push(format!("each for at most {}", plural(most, "request"))),
        (true, None) => parts.push("kept open".to_owned()),
    }
    parts.extend(policy.most_age_ns.map(|ns| format!("closed when {} old", print_duration(ns))));
    parts.extend(policy.resolve_every_ns.map(|ns| format!("name resolved every {}", print_duration(ns))));
    if !policy.source_addresses.is_empty() {
        let sources: Vec<String> = policy.source_addresses.iter().map(ToString::to_string).collect();
        parts.push(format!("from {} in turn", sources.join(", ")));
    }
    parts.join("; ")
}

/// TLS versions, trusted CAs, our certificate and session resumption.
fn secured(tls: &Tls) -> String {
    let versions = match tls.versions {
        Versions::Both => "TLS 1.3 or 1.2",
        Versions::Only12 => "TLS 1.2",
        Versions::Only13 => "TLS 1.3",
    };
    let trust = match (&tls.ca, tls.insecure) {
        (_, true) => "INSECURE: any certificate is accepted".to_owned(),
        (Some(ca), _) => format!("trusted CAs from {ca}"),
        (None, _) => "trusted CAs of the system".to_owned(),
    };
    let own = tls.client.as_ref().map_or("no client certificate".to_owned(), |files| {
        format!("client certificate {}", files.certificate)
    });
    let sessions = if tls.resumption { "sessions resumed" } else { "a full handshake each time" };
    format!("{versions}; {trust}; name {}; {own}; {sessions}", tls.server_name)
}

/// The load in words: its model, rates and end.
pub(crate) fn load_in_words(load: &Load) -> String {
    format!("{}; ends {}", model(load), ends(load))
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

/// Per scenario its exact count if the number of requests is known, otherwise its share.
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

/// `Get users: GET /v1/users?page=1, within 30s`.
fn request(plan: &Plan, scenario: &Scenario) -> String {
    let Scenario { name, method, timeout_ns, first_byte_timeout_ns, follow_redirects, .. } = scenario;
    let path = secrets::path(&plan.secrets.mask(&scenario.path));
    let mut text = format!("{name}: {method} {path}, within {}", print_duration(*timeout_ns));
    if let Some(ns) = first_byte_timeout_ns {
        text += &format!(", its first byte within {}", print_duration(*ns));
    }
    if *follow_redirects > 0 {
        text += &format!(", following up to {}", plural((*follow_redirects).into(), "redirect"));
    }
    text
}

/// Header fields, body and expectations, one per line.
fn details(plan: &Plan, scenario: &Scenario) -> Vec<String> {
    let mut lines: Vec<String> = scenario
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", secrets::header_value(name, &plan.secrets.mask(value))))
        .collect();
    if !scenario.body.is_empty() {
        let size = print_bytes(scenario.body.len() as u64);
        lines.push(match std::str::from_utf8(&scenario.body) {
            Ok(text) => {
                let start = plan.secrets.mask_start(text, BODY_BYTES_READ);
                let is_cut = start.len() >= BODY_BYTES_READ;
                let masked = secrets::text(&start);
                let words = masked.split_whitespace().collect::<Vec<_>>().join(" ");
                let shown: String = words.chars().take(MOST_BODY_COLUMNS).collect();
                let more = if is_cut || shown.len() < words.len() { "…" } else { "" };
                format!("body of {size}: {shown}{more}")
            }
            Err(_) => format!("body of {size}, not text"),
        });
    }
    let expected = scenario.expect.as_ref().map(|expect| expect.descriptions()).unwrap_or_default();
    lines.extend(expected.iter().map(|one| format!("expects {}", secrets::text(&plan.secrets.mask(one)))));
    lines
}

/// What a count-based threshold can decide with `expected` requests per scenario.
fn decides(threshold: &Threshold, expected: Option<&[u64]>) -> Option<String> {
    let allowed = allowed_over(threshold)?;
    let fewest = plural(binomial::needed(0, 0, allowed)?, "request");
    let ended = |expected: &[u64]| threshold.scenario.map_or(expected.iter().sum(), |i| expected[i]);
    Some(match expected.map(ended) {
        None => format!("passes from {fewest} on if none is over it"),
        Some(n) => match binomial::bounds(n, allowed) {
            (Some(most), Some(fewest)) => format!(
                "of {} passes with at most {} over it, fails with {} or more",
                plural(n, "request"),
                print_count(most),
                print_count(fewest)
            ),
            _ => format!("cannot pass: {} are sent, and it takes {fewest}, none over it", print_count(n)),
        },
    })
}

/// Why a limit on the rate or the count cannot hold with what the plan asks for.
fn out_of_reach(threshold: &Threshold, plan: &Plan, expected: Option<&[u64]>) -> Option<String> {
    let expected = expected.filter(|_| !threshold.comparison.is_upper_bound())?;
    let most = threshold.scenario.map_or(expected.iter().sum(), |i| expected[i]);
    let (most, shown) = match threshold.metric {
        Metric::Count => (most as f64, format!("{} are sent", plural(most, "request"))),
        Metric::Rate => {
            let Model::Open { pieces, .. } = &plan.load.model else { return None };
            let seconds = pieces.iter().map(|piece| piece.length_ns as f64 / 1e9).sum::<f64>();
            let rate = most as f64 / seconds;
            (rate, format!("{} are asked for on average", print_rate(rate)))
        }
        _ => return None,
    };
    // A stage that ends between two requests rounds up.
    (threshold.limit > most + 1.0).then(|| format!("cannot hold: {shown}"))
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
