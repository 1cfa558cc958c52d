//! The parts of the summary, each from the snapshot to a few lines of a page.

use super::bars::Glyphs;
use super::distribution;
use super::line::Style;
use super::page::{Column, Page};
use crate::report::availability;
use crate::report::figures::targets::TargetFigures;
use crate::report::figures::{
    Connections, DataFigures, InstrumentFigures, Outcomes, Rate, Totals, dropped_because, explain, resends,
    status_codes, turned_away,
};
use crate::report::fleet::FINAL_COLUMNS;
use crate::report::format::{
    bytes, count, in_brackets, percent, rate as per_second, short_count, time, time_in_interval,
};
use crate::report::sanitize::one_line;
use crate::report::scenario_rows;
use crate::run::{Fleet, RunInfo, Snapshot};
use crate::schedule::Piece;
use crate::tally::{Counter, Histogram, RowCounter, RowTime, RowTimer, Timer, quantile};
use crate::units::{plural, print_duration, print_rate};

/// Percentiles of the latency table; p99.99 is only in the report file.
const ROWS: [(&str, f64); 6] =
    [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)];
/// In the closed model service time is shown next to response time only if their medians or p99s differ by
/// more than this share; otherwise the columns would look the same.
const DIFFERENCE_WORTH_SHOWING: f64 = 0.05;
/// Scenarios shown: a screenful; the report file has all.
const MOST_SCENARIOS: usize = 20;
/// Stages shown.
const MOST_STAGES: usize = 12;
/// What a row says of a scenario.
pub(crate) const SCENARIO_COLUMNS: [Column; 8] = [
    Column::text("scenario", 0),
    Column::figures("weight", 5),
    Column::figures("sent", 4),
    Column::figures("ok", 3),
    Column::figures("failed", 0),
    Column::figures("ok rate", 2),
    Column::figures("p50", 1),
    Column::figures("p99", 0),
];
/// Load threads listed individually; more are summarized as a range.
const MOST_THREADS: usize = 8;

/// Target, load and plan.
pub(crate) fn load(page: &mut Page, snapshot: &Snapshot, run: &RunInfo) {
    match run.targets.as_slice() {
        [] => page.field("target", std::slice::from_ref(&run.target)),
        [one] if one.proxy.is_none() => {
            page.field("target", &[format!("{}{}", run.target, in_brackets(&run.target, &one.addresses))]);
        }
        _ => {
            for (i, target) in TargetFigures::all(snapshot).iter().enumerate() {
                page.field(if i == 0 { "target" } else { "" }, &target.words());
            }
        }
    }
    let mut load = vec![format!("{} model", run.model)];
    load.push(match run.model {
        "open" => format!("at most {}", plural(run.connections.into(), "connection")),
        _ => plural(run.connections.into(), "connection"),
    });
    load.extend(run.requests.map(|n| plural(n, "request")));
    let planned = run.duration_ns.map(|d| format!(" of {}", time(d)));
    let cut_short = run.duration_ns.is_some_and(|d| snapshot.measured_ns < d / 100 * 99);
    load.push(match snapshot.measured_ns {
        0 => "nothing measured".to_owned(),
        ns => format!("{}{} measured", time(ns), planned.filter(|_| cut_short).unwrap_or_default()),
    });
    if run.warmup_ns > 0 {
        load.push(format!("{} of warm-up before", time(run.warmup_ns)));
    }
    page.field("load", &load);
    if let Some(stages) = stages(run) {
        page.field("stages", &stages);
    }
    let mut plan: Vec<String> = run.plan_name.iter().map(|name| format!("\"{name}\"")).collect();
    plan.push(run.plan_source.clone());
    if let [(name, _)] = &run.scenarios[..] {
        plan.push(format!("scenario \"{name}\""));
    }
    plan.push(format!("seed {}", run.seed));
    page.field("plan", &plan);
    let labels: Vec<String> = run.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !labels.is_empty() {
        page.field("labels", &labels);
    }
}

/// The rate stage by stage; `None`: it is the same all the time.
fn stages(run: &RunInfo) -> Option<Vec<String>> {
    let is_even = |pieces: &[Piece]| pieces.iter().all(|p| p.from == p.to) && pieces.len() < 2;
    if is_even(&run.pieces) {
        return None;
    }
    let words = run.pieces.iter().map(|piece| {
        let (from, to) = (print_rate(piece.from), print_rate(piece.to));
        let slope = if from == to { from } else { format!("{from} to {to}") };
        format!("{slope} for {}", print_duration(piece.length_ns))
    });
    let mut stages: Vec<String> = words.take(MOST_STAGES).collect();
    if let more @ 1.. = run.pieces.len().saturating_sub(MOST_STAGES) {
        stages.push(format!("and {more} more"));
    }
    Some(stages)
}

/// The planned, offered and achieved rates.
pub(crate) fn rate(page: &mut Page, snapshot: &Snapshot, instrument: &InstrumentFigures) {
    let rate = Rate::of(snapshot);
    let (Some(offered), Some(achieved)) = (rate.offered, rate.achieved) else { return };
    let mut items = Vec::new();
    items.extend(rate.target.map(|asked| format!("{} asked", per_second(asked))));
    let unconnected = match turned_away(&snapshot.tally) {
        0 => String::new(),
        n => format!(", {} of them without getting a connection", count(n)),
    };
    let share = instrument
        .offered_ratio
        .map(|r| format!(" ({} of the asked requests attempted{unconnected})", percent(r)));
    items.push(format!("{} sent{}", per_second(offered), share.unwrap_or_default()));
    items.push(format!("{} ok", per_second(achieved)));
    page.field("rate", &items);
}

/// Requests by result.
pub(crate) fn requests(page: &mut Page, totals: &Totals) {
    let mut items = vec![
        format!("{} due", count(totals.due)),
        format!("{} sent", count(totals.sent)),
        format!("{} ok", count(totals.ok)),
    ];
    let failed = match totals.failed {
        0 => String::new(),
        n => format!(" ({} of due)", percent(n as f64 / totals.due.max(1) as f64)),
    };
    items.push(format!("{} failed{failed}", count(totals.failed)));
    items.push(format!("{} dropped", count(totals.dropped)));
    items.push(format!("{} unfinished", count(totals.unfinished)));
    page.field("requests", &items);
}

/// Time without an answer.
pub(crate) fn availability(page: &mut Page, snapshot: &Snapshot) {
    if let Some((share, gap)) = availability::share_and_gap(snapshot) {
        page.field("answered", &[format!("{share} of the time"), gap]);
    }
    if let Some(remark) = availability::remark(snapshot) {
        page.paragraph(2, &remark);
    }
}

/// Response time, and service time next to it where the two differ; then the distribution of response times.
pub(crate) fn latency(page: &mut Page, snapshot: &Snapshot, totals: &Totals, glyphs: Glyphs) {
    let response = snapshot.tally.times(RowTime::Response);
    let service = snapshot.tally.times(RowTime::Service);
    if response.count() == 0 {
        page.heading("latency: no exchange ended, so there are no times to show");
    } else {
        let both = snapshot.run.model == "open" || tell_apart(&response, &service);
        let shown = if both { vec![&response, &service] } else { vec![&response] };
        // Without their intervals the figures fit any width.
        let rows = [true, false].map(|intervals| latency_rows(&shown, intervals));
        page.columns(0, rows.iter().find(|rows| page.fit(0, rows)).unwrap_or(&rows[1]));
        by_ending(page, snapshot);
        too_few(page, &response);
    }
    left_out(page, &response, totals);
    distribution::sketch(page, &response, glyphs);
}

/// A heading and a row for each figure of these times, response times first.
fn latency_rows(shown: &[&Histogram], intervals: bool) -> Vec<(Style, Vec<String>)> {
    let title = |name: &str| if intervals { format!("{name} [95 %]") } else { name.to_owned() };
    let names = ["response time", "service time"].map(title);
    let header = std::iter::once("latency".to_owned()).chain(names.into_iter().take(shown.len()));
    let row = |label: &str, cell: &dyn Fn(&Histogram) -> String| {
        let cells = shown.iter().map(|h| cell(h));
        (Style::Plain, std::iter::once(label.to_owned()).chain(cells).collect::<Vec<_>>())
    };
    let mut rows = vec![(Style::Strong, header.collect())];
    rows.push(row("  min", &|h| optional(h.min())));
    for (label, q) in ROWS {
        let cell = |h: &Histogram| match intervals {
            true => percentile(h, q),
            false => optional(quantile::percentile(h, q)),
        };
        rows.push(row(&format!("  {label}"), &cell));
    }
    rows.push(row("  max", &|h| optional(h.max())));
    rows.push(row("  mean", &|h| optional(h.mean().map(|ns| ns.round() as u64))));
    rows
}

/// Response times of successful and failed requests separately, where there are both.
fn by_ending(page: &mut Page, snapshot: &Snapshot) {
    let both = [("ok", RowTimer::ResponseOk), ("failed", RowTimer::ResponseFailed)];
    let both = both.map(|(name, timer)| (name, snapshot.tally.over_rows(timer)));
    if both.iter().any(|(_, times)| times.count() == 0) {
        return;
    }
    for (name, times) in both {
        let at = |label: &str, q| format!("{label} {}", optional(quantile::percentile(&times, q)));
        let max = format!("max {}", optional(times.max()));
        let items =
            [plural(times.count(), "response"), at("p50", 0.5), at("p95", 0.95), at("p99", 0.99), max];
        page.field(&format!("  {name}"), &items);
    }
}

fn tell_apart(response: &Histogram, service: &Histogram) -> bool {
    [0.5, 0.99].iter().any(|q| match (response.quantile(*q), service.quantile(*q)) {
        (Some(r), Some(s)) => r.abs_diff(s) as f64 > r as f64 * DIFFERENCE_WORTH_SHOWING,
        (r, s) => r.is_some() && s.is_some(),
    })
}

fn percentile(histogram: &Histogram, q: f64) -> String {
    match (quantile::percentile(histogram, q), quantile::interval(histogram, q)) {
        (Some(ns), Some((low, high))) => time_in_interval(ns, low, high),
        (ns, _) => optional(ns),
    }
}

fn optional(ns: Option<u64>) -> String {
    ns.map_or("–".to_owned(), time)
}

/// Why percentiles are missing.
fn too_few(page: &mut Page, histogram: &Histogram) {
    let n = histogram.count();
    let missing: Vec<String> = ROWS
        .iter()
        .filter(|(_, q)| n < quantile::samples_needed(*q))
        .map(|(label, q)| format!("{label} needs {}", count(quantile::samples_needed(*q))))
        .collect();
    if !missing.is_empty() {
        let have = plural(n, "sample");
        page.paragraph(2, &format!("– too few samples: {}; there are {have}", missing.join(", ")));
    }
}

/// What the percentiles leave out, right below them.
fn left_out(page: &mut Page, response: &Histogram, totals: &Totals) {
    let mut missing = Vec::new();
    if totals.dropped > 0 {
        missing.push(format!("{} dropped (due, never sent)", count(totals.dropped)));
    }
    if totals.unfinished > 0 {
        missing.push(format!("{} unfinished", count(totals.unfinished)));
    }
    if !missing.is_empty() {
        page.paragraph(2, &format!("not in these times: {}", missing.join(", ")));
    }
    if response.saturated() > 0 {
        let n = count(response.saturated());
        page.paragraph(2, &format!("{n} over one hour are in as one hour"));
    }
}

/// One line per scenario, if there are several.
pub(crate) fn scenarios(page: &mut Page, snapshot: &Snapshot, run: &RunInfo) {
    if run.scenarios.len() < 2 {
        return;
    }
    page.blank();
    let chosen = scenario_rows::choose(snapshot, MOST_SCENARIOS);
    let rows: Vec<Vec<String>> =
        chosen.shown.iter().map(|place| scenario_row(snapshot, run, *place)).collect();
    page.table(&SCENARIO_COLUMNS, &rows);
    if let more @ 1.. = chosen.rest.len() {
        let order = "those with the most failures, then those with the most requests";
        let all = "--report FILE.scenarios.csv holds them all";
        page.paragraph(0, &format!("and {} more (above: {order}): {all}", count(more as u64)));
    }
}

/// The cells of [`SCENARIO_COLUMNS`] for the scenario at this index of the plan.
pub(crate) fn scenario_row(snapshot: &Snapshot, run: &RunInfo, place: usize) -> Vec<String> {
    let ((name, weight), row) = (&run.scenarios[place], &snapshot.tally.rows()[place]);
    let times = row.times(RowTime::Response);
    vec![
        one_line(name),
        weight.to_string(),
        short_count(row.counter(RowCounter::Sent)),
        short_count(row.completed()),
        short_count(row.failed()),
        snapshot.per_second(row.completed()).map_or("–".to_owned(), per_second),
        optional(quantile::percentile(&times, 0.5)),
        optional(quantile::percentile(&times, 0.99)),
    ]
}

/// Requests that did not succeed, by outcome, with an explanation.
pub(crate) fn failures(page: &mut Page, snapshot: &Snapshot, totals: &Totals) {
    let digits = count(totals.failed.max(totals.dropped).max(totals.unfinished)).len();
    let row = |name: &str, n: u64, what: &str| {
        let share = percent(n as f64 / totals.due.max(1) as f64);
        let cells = vec![name.to_owned(), format!("{:>digits$}", count(n)), share, what.to_owned()];
        (Style::Plain, cells)
    };
    let mut rows: Vec<_> = Outcomes::over(&snapshot.tally)
        .0
        .into_iter()
        .filter(|(outcome, n)| !outcome.is_ok() && *n > 0)
        .map(|(outcome, n)| row(outcome.name(), n, &explain(outcome, &snapshot.tally)))
        .collect();
    if totals.dropped > 0 {
        rows.push(row("dropped", totals.dropped, dropped_because(snapshot)));
    }
    if totals.unfinished > 0 {
        rows.push(row("unfinished", totals.unfinished, "neither answered nor failed when the run ended"));
    }
    if !rows.is_empty() {
        page.blank();
        page.heading("what went wrong (share of due)");
        page.columns(2, &rows);
    }
}

/// The first failure of each kind, when it occurred, and the total count.
pub(crate) fn first_failures(page: &mut Page, snapshot: &Snapshot, run: &RunInfo) {
    if snapshot.first_failures.is_empty() {
        return;
    }
    page.blank();
    page.heading("first of each kind");
    for failure in &snapshot.first_failures {
        let name = run.scenarios.get(failure.scenario).map_or("?", |(name, _)| name);
        let tally = snapshot.tally.rows().get(failure.scenario);
        let times = tally.map_or(0, |s| s.counter(failure.outcome));
        let at = time((failure.t.max(0.0) * 1e9) as u64);
        let (outcome, detail) = (failure.outcome.name(), one_line(&failure.detail));
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        let line = format!("after {at}, \"{name}\", {outcome}{detail} ({} in all)", count(times));
        page.paragraph(2, &line);
    }
}

/// How far each data set was used.
pub(crate) fn data(page: &mut Page, snapshot: &Snapshot) {
    for (i, set) in DataFigures::of(snapshot).iter().enumerate() {
        page.field(if i == 0 { "data" } else { "" }, &set.words());
    }
}

/// Status codes, bytes and connections.
pub(crate) fn traffic(page: &mut Page, snapshot: &Snapshot, totals: &Totals) {
    let codes = status_codes(&snapshot.tally);
    if !codes.is_empty() {
        let items: Vec<String> = codes.iter().map(|(code, n)| format!("{code} ({})", count(*n))).collect();
        page.field("status codes", &items);
    }
    let flow = |n: u64, verb: &str| match snapshot.per_second(n) {
        Some(r) => format!("{} {verb} ({}/s)", bytes(n), bytes(r.round() as u64)),
        None => format!("{} {verb}", bytes(n)),
    };
    page.field("bytes", &[flow(totals.bytes_sent, "sent"), flow(totals.bytes_received, "received")]);
    let tally = &snapshot.tally;
    let mut connections = vec![format!("{} opened", count(tally.counter(Counter::ConnectionsOpened)))];
    connections.extend(p50_and_max("connect time", tally.timer(Timer::ConnectTime)));
    if tally.counter(Counter::Reconnects) > 0 {
        connections.push(format!(
            "{} of them in the place of a closed one",
            count(tally.counter(Counter::Reconnects))
        ));
    }
    connections.extend(Connections::of(tally).closed_in_words());
    if tally.counter(Counter::ConnectFailures) > 0 {
        let attempts = plural(tally.counter(Counter::ConnectFailures), "attempt");
        connections.push(format!("{attempts} failed with no request waiting"));
    }
    page.field("connections", &connections);
    if let Some(resends) = resends(tally) {
        page.field("sent again", &[resends]);
    }
    let tunnels = tally.timer(Timer::TunnelTime);
    if tunnels.count() > 0 {
        let opened = format!("{} opened", plural(tunnels.count(), "tunnel"));
        page.field(
            "proxy",
            &[Some(opened), p50_and_max("CONNECT time", tunnels)].into_iter().flatten().collect::<Vec<_>>(),
        );
    }
    if snapshot.run.insecure.is_some() {
        let mut tls = vec![
            format!("{} in full", plural(tally.counter(Counter::HandshakesFull), "handshake")),
            format!("{} resumed", count(tally.counter(Counter::HandshakesResumed))),
        ];
        tls.extend(p50_and_max("handshake time", tally.timer(Timer::TlsTime)));
        page.field("tls", &tls);
    }
    if tally.counter(Counter::Redirects) > 0 {
        page.field("redirects", &[format!("{} followed", count(tally.counter(Counter::Redirects)))]);
    }
}

/// `connect time p50 1.20 ms max 3.40 ms`, the median if there are enough for one; `None`: there was none.
fn p50_and_max(name: &str, times: &Histogram) -> Option<String> {
    let max = time(times.max()?);
    let p50 = quantile::percentile(times, 0.5).map_or(String::new(), |ns| format!(" p50 {}", time(ns)));
    Some(format!("{name}{p50} max {max}"))
}

/// The errors of this tool as a measuring device.
pub(crate) fn own_error(page: &mut Page, snapshot: &Snapshot) {
    let tally = &snapshot.tally;
    let figures = |name: &str, h: &Histogram| match h.count() {
        0 => format!("{name} not measured"),
        _ => {
            let at = |q| optional(quantile::percentile(h, q));
            format!("{name} p50 {} p99 {} max {}", at(0.5), at(0.99), optional(h.max()))
        }
    };
    let mut sending = vec![figures("slip", tally.timer(Timer::Slip))];
    if tally.timer(Timer::SendDelay).count() > 0 {
        sending.push(figures("of it our own", tally.timer(Timer::SendDelay)));
    }
    page.field("own error", &sending);
    let mut receive = vec![figures("receive delay", tally.timer(Timer::ReceiveDelay))];
    receive.push(format!("{} timestamps", snapshot.timestamps()));
    if tally.counter(Counter::Unstamped) > 0 && snapshot.run.timestamps == "kernel" {
        receive
            .push(format!("{} without one, ended at our reading", count(tally.counter(Counter::Unstamped))));
    }
    if tally.counter(Counter::AbsurdStamps) > 0 {
        receive.push(format!(
            "{} of them impossible, replaced by user time",
            count(tally.counter(Counter::AbsurdStamps))
        ));
    }
    page.field("", &receive);
    let busy: Vec<f64> = snapshot.threads.iter().map(|t| t.busy_ratio()).collect();
    let threads = if busy.len() > MOST_THREADS {
        let (least, most) = busy.iter().fold((1f64, 0f64), |(l, m), b| (l.min(*b), m.max(*b)));
        vec![format!("{}, busy {} to {}", plural(busy.len() as u64, "thread"), percent(least), percent(most))]
    } else {
        let named = snapshot.threads.iter().enumerate().map(|(i, t)| match t.core {
            Some(core) => format!("core {core} busy {}", percent(t.busy_ratio())),
            None => format!("thread {i} busy {}", percent(t.busy_ratio())),
        });
        named.collect()
    };
    page.field("load threads", &threads);
    if snapshot.throttled_periods > 0 {
        let periods = plural(snapshot.throttled_periods, "period");
        page.field("throttled", &[format!("{} of CPU time in {periods}", time(snapshot.throttled_ns))]);
    }
}

/// A row for each worker, then what the result lacks.
pub(crate) fn fleet(page: &mut Page, fleet: &Fleet) {
    page.table(&worker_columns(FINAL_COLUMNS), &fleet.final_rows());
    fleet.remarks().iter().for_each(|remark| page.paragraph(0, remark));
}

/// The columns of a table of workers with these names.
pub(crate) fn worker_columns(names: [&'static str; 7]) -> [Column; 7] {
    let [worker, state, share, rate, fifth, sixth, seen] = names;
    [
        Column::text(worker, 0),
        Column::text(state, 0),
        Column::text(share, 4),
        Column::figures(rate, 0),
        Column::figures(fifth, 1),
        Column::figures(sixth, 3),
        Column::figures(seen, 2),
    ]
}
