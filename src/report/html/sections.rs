//! The page's sections, each from figures to markup.

use maud::{Markup, html};

use super::source::Source;
use crate::report::availability;
use crate::report::figures::targets::TargetFigures;
use crate::report::figures::{DataFigures, Outcomes, Rate, Tls, dropped_because, explain, status_codes};
use crate::report::format::{bytes, count, in_brackets, percent, rate as per_second, time, time_in_interval};
use crate::report::json::rfc3339;
use crate::report::sanitize::{one_line, unbroken};
use crate::report::scenario_rows;
use crate::report::threshold;
use crate::run::{RunInfo, Snapshot, State};
use crate::tally::{Counter, Histogram, Merged, RowCounter, RowTime, RowTimer, Timer, quantile};
use crate::units::plural;

/// Rows of the latency table.
const PERCENTILES: [(&str, f64); 7] = [
    ("50 %", 0.5),
    ("75 %", 0.75),
    ("90 %", 0.9),
    ("95 %", 0.95),
    ("99 %", 0.99),
    ("99.9 %", 0.999),
    ("99.99 %", 0.9999),
];

/// Scenarios in the open table; the others are one click away.
const MOST_SCENARIOS: usize = 100;
const SCENARIO_HEADER: [&str; 11] =
    ["scenario", "weight", "sent", "ok", "failed", "dropped", "ok rate", "50 %", "90 %", "99 %", "max"];

/// `text` with its first letter in uppercase.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

pub(crate) fn optional(ns: Option<u64>) -> String {
    ns.map_or("–".to_owned(), time)
}

pub(crate) fn share(n: u64, of: u64) -> String {
    percent(n as f64 / of.max(1) as f64)
}

/// A table that scrolls by itself where it is wider than the page, by keyboard, too.
pub(crate) fn table(label: &str, header: &[&str], rows: Markup) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(label) {
            table {
                thead { tr { @for cell in header { th scope="col" { (cell) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// The load in one sentence.
pub(crate) fn what_was_run(source: &Source) -> String {
    let (run, snapshot) = (&source.run, source.snapshot);
    let connections = plural(run.connections.into(), "connection");
    let load = match run.target_rate {
        Some(rate) => format!("{} asked over at most {connections} (open model)", per_second(rate)),
        None => format!("{connections} (closed model)"),
    };
    let measured = match snapshot.measured_ns {
        0 => "nothing was measured".to_owned(),
        ns => format!("measured for {}", time(ns)),
    };
    let warmup = match run.warmup_ns {
        0 => String::new(),
        ns => format!(" after {} of warm-up", time(ns)),
    };
    let started =
        rfc3339(snapshot.started_at).map_or(String::new(), |at| format!(", started at {}", plain(&at)));
    unbroken(&format!("{load}, {measured}{warmup}{started}."))
}

/// `2026-01-31 12:00:00 UTC` from an RFC 3339 timestamp.
fn plain(rfc3339: &str) -> String {
    let (date, clock) = rfc3339.split_once('T').unwrap_or((rfc3339, ""));
    format!("{date} {} UTC", clock.split(['.', 'Z']).next().unwrap_or_default())
}

pub(crate) fn key_figures(source: &Source) -> Markup {
    let (totals, tally) = (&source.totals, &source.snapshot.tally);
    let rate = Rate::of(source.snapshot);
    let response = tally.times(RowTime::Response);
    let at = |q| optional(quantile::percentile(&response, q));
    let offered =
        source.instrument.offered_ratio.map(|r| format!("{} of the asked requests attempted", percent(r)));
    let gone = totals.dropped + totals.unfinished;
    let lost = match gone {
        0 => "none dropped or unfinished".to_owned(),
        _ => format!("{} dropped, {} unfinished", count(totals.dropped), count(totals.unfinished)),
    };
    let (own_name, own, own_beside) = own_error(source);
    html! {
        section aria-labelledby="key-figures" {
            h2 id="key-figures" class="spoken" { "Key figures" }
            dl class="figures" {
                (figure("Answered well", rate.achieved.map_or("–".to_owned(), per_second), offered.unwrap_or_else(|| plural(totals.ok, "request"))))
                (figure("Response time, median", at(0.5), format!("90 % within {}", at(0.9))))
                (figure("Response time, 99 %", at(0.99), format!("at most {}", optional(response.max()))))
                (figure("Failed", share(totals.failed, totals.due), format!("{} of {}; {lost}", count(totals.failed), plural(totals.due, "request"))))
                (figure(own_name, own, own_beside))
                (answers(source))
            }
        }
    }
}

/// Time without an answer as a figure.
pub(crate) fn answers(source: &Source) -> Markup {
    let Some((share, gap)) = availability::share_and_gap(source.snapshot) else { return html! {} };
    let remark = availability::remark(source.snapshot).map(|remark| format!("; {remark}"));
    figure("Time with answers", share, gap + &remark.unwrap_or_default())
}

/// The instrument's own error in one figure: slip, or receive delay in the closed model, which has no slip.
pub(crate) fn own_error(source: &Source) -> (&'static str, String, String) {
    let tally = &source.snapshot.tally;
    let own_99 = |h| optional(quantile::percentile(h, 0.99));
    match source.run.target_rate {
        Some(_) => {
            let receive = format!("receive delay {}", own_99(tally.timer(Timer::ReceiveDelay)));
            ("Own error: slip, 99 %", own_99(tally.timer(Timer::Slip)), receive)
        }
        None => {
            let median = optional(quantile::percentile(tally.timer(Timer::ReceiveDelay), 0.5));
            (
                "Own error: receive delay, 99 %",
                own_99(tally.timer(Timer::ReceiveDelay)),
                format!("median {median}"),
            )
        }
    }
}

/// One figure with a remark next to it.
pub(crate) fn figure(name: &str, value: String, beside: String) -> Markup {
    html! { div { dt { (name) } dd { strong { (value) } span { (beside) } } } }
}

pub(crate) fn thresholds(source: &Source) -> Markup {
    if source.thresholds.is_empty() {
        return html! {};
    }
    let rows = html! {
        @for t in source.thresholds {
            tr {
                th scope="row" { code { (one_line(&t.expression)) } }
                td { span class=(format!("result {}", result_class(source, t.result))) { (result(source, t.result)) } }
                td class="text" {
                    @if is_pending(source, t.result) { (threshold::measured(t)) } @else { (threshold::account(t)) }
                }
            }
        }
    };
    html! {
        section aria-labelledby="thresholds" {
            h2 id="thresholds" { "Thresholds" }
            (table("Thresholds", &["threshold", "result", "figure"], rows))
        }
    }
}

/// The CSS class of a result; neutral while it is unknown.
fn result_class(source: &Source, result: &'static str) -> &'static str {
    if is_pending(source, result) { "pending" } else { result }
}

/// Whether a result is still unknown: nothing can have failed before anything was measured.
fn is_pending(source: &Source, result: &str) -> bool {
    let measured = source.snapshot.tally.ended() > 0;
    source.snapshot.state != State::Finished && (result == "inconclusive" || !measured)
}

/// A threshold's result; before the end, its state so far.
fn result(source: &Source, result: &'static str) -> &'static str {
    match result {
        _ if source.snapshot.state == State::Finished => result,
        _ if is_pending(source, result) => "not known yet",
        "passed" => "holds",
        _ => "fails",
    }
}

/// Whether there are times of both successful and failed requests.
fn has_both(tally: &Merged) -> bool {
    [RowTimer::ResponseOk, RowTimer::ResponseFailed].iter().all(|t| tally.over_rows(*t).count() > 0)
}

pub(crate) fn latency(source: &Source) -> Markup {
    let tally = &source.snapshot.tally;
    let (response, service) = (tally.times(RowTime::Response), tally.times(RowTime::Service));
    // Split only where there are both.
    let apart = |timer| if has_both(tally) { tally.over_rows(timer) } else { Histogram::new() };
    let (ok, failed) = (apart(RowTimer::ResponseOk), apart(RowTimer::ResponseFailed));
    let columns = [
        ("response time", &response),
        ("service time", &service),
        ("response time, ok", &ok),
        ("response time, failed", &failed),
        ("first byte", tally.timer(Timer::FirstByteTime)),
        ("connect", tally.timer(Timer::ConnectTime)),
        ("proxy's CONNECT", tally.timer(Timer::TunnelTime)),
        ("TLS handshake", tally.timer(Timer::TlsTime)),
    ];
    // Before the end these two are always shown, so that later columns displace nothing.
    let first = if source.snapshot.state == State::Finished { 0 } else { 2 };
    let columns = columns.into_iter().enumerate().filter(|(i, (_, h))| *i < first || h.count() > 0);
    let columns: Vec<_> = columns.map(|(_, column)| column).collect();
    if columns.is_empty() {
        return html! {};
    }
    let header: Vec<&str> = ["percentile"].into_iter().chain(columns.iter().map(|(name, _)| *name)).collect();
    let row = |name: &str, cell: &dyn Fn(&Histogram) -> String| {
        html! { tr { th scope="row" { (name) } @for (_, h) in &columns { td { (cell(h)) } } } }
    };
    let rows = html! {
        (row("fastest", &|h| optional(h.min())))
        @for (name, q) in PERCENTILES { (row(name, &|h| with_interval(h, q))) }
        (row("slowest", &|h| optional(h.max())))
        (row("mean", &|h| optional(h.mean().map(|ns| ns.round() as u64))))
        (row("standard deviation", &|h| optional(h.stddev().map(|ns| ns.round() as u64))))
        (row("samples", &|h| count(h.count())))
    };
    let saturated = response.saturated();
    html! {
        section aria-labelledby="latency" {
            h2 id="latency" { "Latency" }
            (table("Latency", &header, rows))
            p class="note" {
                "In brackets the 95 % confidence interval. A dash: fewer than ten samples lie beyond that percentile. "
                @if source.totals.dropped + source.totals.unfinished > 0 {
                    strong { "Not in these times: " (count(source.totals.dropped)) " dropped and "
                        (plural(source.totals.unfinished, "unfinished request")) ". " }
                }
                @if saturated > 0 { strong { (plural(saturated, "time")) " over one hour count as one hour." } }
            }
        }
    }
}

fn with_interval(histogram: &Histogram, q: f64) -> String {
    match (quantile::percentile(histogram, q), quantile::interval(histogram, q)) {
        (Some(ns), Some((low, high))) => time_in_interval(ns, low, high),
        (ns, _) => optional(ns),
    }
}

/// How to show the scenarios that do not fit into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OmittedRows {
    /// In a second table, folded.
    Folded,
    /// As a note on where to find them.
    Elsewhere,
}

pub(crate) fn scenarios(source: &Source, rest: OmittedRows) -> Markup {
    let chosen = scenario_rows::choose(source.snapshot, MOST_SCENARIOS);
    let more = plural(chosen.rest.len() as u64, "more scenario");
    html! {
        section aria-labelledby="scenarios" {
            h2 id="scenarios" { "Scenarios" }
            (table("Scenarios", &SCENARIO_HEADER, scenario_rows(source, &chosen.shown)))
            @if !chosen.rest.is_empty() {
                p class="note" {
                    "Above: those with the most failures, then those with the most requests."
                    @if rest == OmittedRows::Elsewhere {
                        " The " (more) " are in the reports: " code { ".json" } " and " code { ".scenarios.csv" } "."
                    }
                }
            }
            @if !chosen.rest.is_empty() && rest == OmittedRows::Folded {
                details {
                    summary { (more) }
                    (table("More scenarios", &SCENARIO_HEADER, scenario_rows(source, &chosen.rest)))
                }
            }
        }
    }
}

fn scenario_rows(source: &Source, places: &[usize]) -> Markup {
    html! {
        @for place in places {
            @let ((name, weight), s) = (&source.run.scenarios[*place], &source.snapshot.tally.rows()[*place]);
            tr {
                th scope="row" { (name) }
                td { (weight) }
                td { (count(s.counter(RowCounter::Sent))) }
                td { (count(s.completed())) }
                td { (count(s.failed())) }
                td { (count(s.counter(RowCounter::Dropped))) }
                td { (source.snapshot.per_second(s.completed()).map_or("–".to_owned(), per_second)) }
                @for q in [0.5, 0.9, 0.99] { td { (optional(quantile::percentile(&s.times(RowTime::Response), q))) } }
                td { (optional(s.times(RowTime::Response).max())) }
            }
        }
    }
}

pub(crate) fn outcomes(source: &Source) -> Markup {
    let totals = &source.totals;
    let mut endings: Vec<(&str, u64, String)> = Outcomes::over(&source.snapshot.tally)
        .0
        .into_iter()
        .map(|(o, n)| (o.name(), n, explain(o, &source.snapshot.tally)))
        .collect();
    endings.extend((totals.dropped > 0).then_some((
        "dropped",
        totals.dropped,
        dropped_because(source.snapshot).to_owned(),
    )));
    endings.extend((totals.unfinished > 0).then_some((
        "unfinished",
        totals.unfinished,
        "neither answered nor failed when the run ended".to_owned(),
    )));
    let rows = html! {
        @for (name, n, what) in endings {
            tr { th scope="row" { code { (name) } } td { (count(n)) } td { (share(n, totals.due)) } td class="text" { (what) } }
        }
    };
    let codes = status_codes(&source.snapshot.tally);
    let responses: u64 = codes.values().sum();
    let code_rows = html! {
        @for (code, n) in &codes { tr { th scope="row" { (code) } td { (count(*n)) } td { (share(*n, responses)) } } }
    };
    html! {
        section aria-labelledby="outcomes" {
            h2 id="outcomes" { "Outcomes" }
            (table("Outcomes", &["outcome", "requests", "share of due", "meaning"], rows))
            (first_failures(source))
            @if !codes.is_empty() {
                h3 { "Status codes" }
                (table("Status codes", &["status", "responses", "share"], code_rows))
            }
        }
    }
}

fn first_failures(source: &Source) -> Markup {
    let failures = &source.snapshot.first_failures;
    html! {
        @if !failures.is_empty() {
            h3 { "First of each kind" }
            ul {
                @for failure in failures {
                    li {
                        "after " (time((failure.t.max(0.0) * 1e9) as u64)) ", "
                        b { (source.run.scenarios.get(failure.scenario).map_or("?", |(name, _)| name)) }
                        ", " code { (failure.outcome.name()) }
                        @if !failure.detail.is_empty() { ": " (one_line(&failure.detail)) }
                    }
                }
            }
        }
    }
}

pub(crate) fn environment(source: &Source) -> Markup {
    let (run, totals, snapshot) = (&source.run, &source.totals, source.snapshot);
    let flow = |n: u64| match snapshot.per_second(n) {
        Some(rate) => format!("{} ({}/s)", bytes(n), bytes(rate.round() as u64)),
        None => bytes(n),
    };
    let mut facts = vec![
        ("target", targets(source.snapshot)),
        (
            "plan",
            [run.plan_name.as_ref(), Some(&run.plan_source)]
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("digest", run.plan_digest.clone()),
        ("load", run.load.clone()),
        ("data", data(snapshot)),
        ("labels", labels(run)),
        ("seed", run.seed.to_string()),
        ("model", run.model.to_owned()),
        ("started at", rfc3339(snapshot.started_at).map_or("–".to_owned(), |at| plain(&at))),
        ("measured", time(snapshot.measured_ns)),
        ("warm-up", time(run.warmup_ns)),
        ("load threads", count(snapshot.threads.len() as u64)),
        ("connections opened", count(snapshot.tally.counter(Counter::ConnectionsOpened))),
        ("reconnects", count(snapshot.tally.counter(Counter::Reconnects))),
        ("sent", flow(totals.bytes_sent)),
        ("received", flow(totals.bytes_received)),
        ("tool", concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    if let Some(tls) = Tls::of(snapshot) {
        let handshakes =
            format!("{} in full, {} resumed", count(tls.handshakes_full), count(tls.handshakes_resumed));
        facts.push(("TLS handshakes", handshakes));
    }
    facts.retain(|(_, value)| !value.is_empty());
    html! {
        section aria-labelledby="environment" {
            h2 id="environment" { "Plan and environment" }
            (facts_list(&facts))
            @if let Some(text) = &run.plan_text {
                details {
                    summary { "The plan" }
                    pre { code { (text) } }
                }
            }
        }
    }
}

/// The target, or what went to each of several.
fn targets(snapshot: &Snapshot) -> String {
    match snapshot.run.targets.as_slice() {
        [] => snapshot.run.target.clone(),
        [one] if one.proxy.is_none() => {
            format!("{}{}", snapshot.run.target, in_brackets(&snapshot.run.target, &one.addresses))
        }
        _ => {
            let targets = TargetFigures::all(snapshot);
            targets.iter().map(|target| target.words().join(", ")).collect::<Vec<_>>().join("; ")
        }
    }
}

/// How far each data set was used.
fn data(snapshot: &Snapshot) -> String {
    let sets = DataFigures::of(snapshot);
    sets.iter().map(|set| set.words().join(", ")).collect::<Vec<_>>().join("; ")
}

/// `build=17, team=search`.
fn labels(run: &RunInfo) -> String {
    let labels = run.labels.iter().map(|(name, value)| format!("{name}={value}"));
    labels.collect::<Vec<_>>().join(", ")
}

/// A list of names and values.
pub(crate) fn facts_list(facts: &[(&str, String)]) -> Markup {
    html! { dl class="facts" { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } }
}
