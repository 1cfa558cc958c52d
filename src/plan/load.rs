//! Reads the load of a plan, with the overrides of the command line.
//!
//! | typed | effect |
//! |---|---|
//! | `-c` | instead of `concurrency` |
//! | `-r` | instead of `rate` or `stages`; stages leave their total as the duration |
//! | `--stages` | instead of `rate`, `stages`, `duration` and `requests` |
//! | `-d` | instead of the plan's `duration` and `requests`; stages cannot be cut |
//! | `-n` | instead of the plan's `requests`, in the closed model also of its `duration` |
//!
//! `defaults.requests` counts only where nothing else sets the length of the run.

use super::limits::{
    DEFAULT_BACKLOG, DEFAULT_CONCURRENCY, DEFAULT_DRAIN_NS, MAX_CONNECTIONS, MAX_DURATION_NS, MAX_RATE,
    MAX_STAGES, MAX_TIMEOUT_NS,
};
use super::model::{Load, Model};
use super::overrides::{Overrides, StageOverride};
use super::path::Path;
use super::plan_schema::{ArrivalsForm, Document, LoadForm, Stage};
use super::reader::PlanReader;
use super::yaml::Value;
use crate::schedule::{Arrivals, Piece, until_arrivals};
use crate::units;

/// A value and where it was set.
type Located<T> = Option<(T, Path)>;

/// The length of a run, before the model is known.
#[derive(Default)]
struct Extent {
    rate: Located<f64>,
    duration: Located<u64>,
    requests: Located<u64>,
    pieces: Option<Vec<Piece>>,
}

/// The load, or `None` with faults recorded.
pub(super) fn check(reader: &mut PlanReader<'_>, document: &Document, overrides: &Overrides) -> Option<Load> {
    let empty = LoadForm::default();
    let form = document.load.as_ref().unwrap_or(&empty);
    let before = reader.faults.count();
    let extent = extent(reader, document, form, overrides);
    let is_open = is_open(reader, overrides);
    let connections = connections(reader, document, form, overrides);
    let at = Path::of("load");
    let warmup = match &form.warmup {
        Some(text) => reader.duration(&at.key("warmup"), &text.0, 0, MAX_DURATION_NS),
        None => Some(0),
    };
    let drain = match &form.drain {
        Some(text) => reader.duration(&at.key("drain"), &text.0, 0, MAX_TIMEOUT_NS),
        None => Some(DEFAULT_DRAIN_NS),
    };
    let model = if is_open {
        open(reader, form, extent.as_ref(), connections, warmup.unwrap_or(0))
    } else {
        closed(reader, extent.as_ref(), connections)
    };
    if reader.faults.count() > before {
        return None;
    }
    let extent = extent?;
    let mut model = model?;
    if warmup == Some(0)
        && let Some((n, _)) = extent.requests
    {
        use_at_most(&mut model, n);
    }
    let of_pieces = match &model {
        Model::Open { pieces, .. } => Some(pieces.iter().map(|p| p.length_ns).sum()),
        Model::Closed { .. } => None,
    };
    Some(Load {
        model,
        warmup_ns: warmup?,
        drain_ns: drain?,
        requests: extent.requests.map(|(n, _)| n),
        duration_ns: of_pieces.or(extent.duration.map(|(ns, _)| ns)),
    })
}

/// Takes away the connections that `requests` requests have no use for.
fn use_at_most(model: &mut Model, requests: u64) {
    let most = u32::try_from(requests).unwrap_or(u32::MAX);
    match model {
        Model::Closed { connections } | Model::Open { connections: Some(connections), .. } => {
            *connections = (*connections).min(most);
        }
        Model::Open { connections: None, .. } => {}
    }
}

fn is_open(reader: &PlanReader<'_>, overrides: &Overrides) -> bool {
    let load = Path::of("load");
    let by_flag = overrides.rate.is_some() || overrides.stages.is_some();
    by_flag || reader.is_given(&load.key("rate")) || reader.is_given(&load.key("stages"))
}

/// Rate, stages, duration and requests after overrides; `None` when one of them cannot be read.
fn extent(
    reader: &mut PlanReader<'_>,
    document: &Document,
    form: &LoadForm,
    overrides: &Overrides,
) -> Option<Extent> {
    let load = Path::of("load");
    let before = reader.faults.count();
    let mut extent = planned(reader, document, form);
    if let (Some(_), true) = (&extent.pieces, reader.is_given(&load.key("rate"))) {
        reader.fault(&load.key("stages"), "stages and `rate` together: keep one of them");
    }
    if let Some(stages) = &overrides.stages {
        extent = Extent { pieces: pieces_of_flag(reader, stages), ..Extent::default() };
    }
    if let (Some(pieces), Some(_)) = (&extent.pieces, overrides.rate) {
        let total = pieces.iter().map(|p| p.length_ns).sum();
        extent.duration = Some((total, load.key("stages")));
        extent.pieces = None;
    }
    if let Some(rate) = overrides.rate {
        extent.rate = rate_in(reader, &Path::of("-r"), rate, false).map(|rate| (rate, Path::of("-r")));
    }
    if let Some(ns) = overrides.duration_ns {
        let at = Path::of("-d");
        if extent.pieces.is_some() {
            reader.fault(
                &at,
                "the plan's stages say how long the run is: change them, or give -r as well for one rate",
            );
        }
        extent.duration = reader.duration_in(&at, ns, 1, MAX_DURATION_NS).map(|ns| (ns, at));
        extent.requests = None;
    }
    if let Some(n) = overrides.requests {
        let at = Path::of("-n");
        if n == 0 {
            reader.fault(&at, "must be at least 1: leave it out for no limit");
        }
        if !is_open(reader, overrides) && overrides.duration_ns.is_none() {
            extent.duration = None;
        }
        extent.requests = Some((n, at));
    }
    (reader.faults.count() == before).then_some(extent)
}

/// The same from the plan alone.
fn planned(reader: &mut PlanReader<'_>, document: &Document, form: &LoadForm) -> Extent {
    let load = Path::of("load");
    let mut extent = Extent::default();
    if let Some(text) = &form.duration {
        let at = load.key("duration");
        extent.duration = reader.duration(&at, &text.0, 1, MAX_DURATION_NS).map(|ns| (ns, at));
    }
    if let Some(text) = &form.rate {
        let at = load.key("rate");
        let rate = reader.read(&at, "a rate like `500/s`", units::parse_rate(&text.0));
        extent.rate = rate.and_then(|rate| rate_in(reader, &at, rate, false)).map(|rate| (rate, at));
    }
    if let Some(stages) = &form.stages {
        if reader.is_given(&load.key("duration")) {
            let message =
                "stages have lengths of their own: remove `duration`, or write `rate` instead of stages";
            reader.fault(&load.key("duration"), message);
        }
        extent.pieces = pieces(reader, stages);
    }
    let mut count = |text: &Option<super::value_forms::Count>, at: Path| {
        let n = reader.read(&at, "a whole number like 10k", units::parse_count(&text.as_ref()?.0))?;
        if n == 0 {
            reader.fault(&at, "must be at least 1: leave it out for no limit");
        }
        Some((n, at))
    };
    extent.requests = count(&form.requests, load.key("requests"));
    let of_defaults = document.defaults.as_ref().map(|d| &d.requests);
    let of_defaults = of_defaults.and_then(|text| count(text, Path::of("defaults").key("requests")));
    let says_how_long = ["duration", "requests", "stages"].iter().any(|key| reader.is_given(&load.key(key)));
    if !says_how_long {
        extent.requests = of_defaults;
    }
    extent
}

/// The stages as pieces; `None` with a fault recorded when one cannot be read.
fn pieces(reader: &mut PlanReader<'_>, stages: &[Stage]) -> Option<Vec<Piece>> {
    let at = Path::of("load").key("stages");
    let (mut pieces, mut from, mut complete) = (Vec::new(), 0.0, true);
    for (i, stage) in stages.iter().enumerate() {
        let at = at.index(i);
        let length = stage.length.as_ref();
        let length = length.and_then(|text| reader.duration(&at.key("for"), &text.0, 0, MAX_DURATION_NS));
        let mut rate_at = |key: &str, text: &Option<super::value_forms::Rate>| {
            let parsed = units::parse_rate(&text.as_ref()?.0);
            let rate = reader.read(&at.key(key), "a rate like `500/s`", parsed)?;
            rate_in(reader, &at.key(key), rate, true)
        };
        let rate = rate_at("rate", &stage.rate);
        let begin = rate_at("from", &stage.from);
        if i > 0 && stage.from.is_some() {
            let message = "belongs to the first stage, the others begin where the one before ends: remove it, or \
                           jump with a stage `{ for: 0s, rate: … }`";
            reader.fault(&at.key("from"), message);
        }
        from = begin.unwrap_or(from);
        let (Some(length_ns), Some(to)) = (length, rate) else {
            complete = false;
            continue;
        };
        if length_ns > 0 {
            pieces.push(Piece { from, to, length_ns });
        }
        from = to;
    }
    if complete { possible(reader, &at, pieces) } else { None }
}

/// The stages of `--stages` as pieces; `None` with a fault recorded.
fn pieces_of_flag(reader: &mut PlanReader<'_>, stages: &[StageOverride]) -> Option<Vec<Piece>> {
    let at = Path::of("--stages");
    // Those that come with the plan of a fleet have passed no command line.
    if stages.len() > MAX_STAGES {
        reader.fault(&at, format!("{} stages: at most {MAX_STAGES} are possible", stages.len()));
        return None;
    }
    let (mut pieces, mut from) = (Vec::new(), 0.0);
    for stage in stages {
        let to = rate_in(reader, &at, stage.rate, true)?;
        if stage.length_ns > 0 {
            pieces.push(Piece { from, to, length_ns: stage.length_ns });
        }
        from = to;
    }
    possible(reader, &at, pieces)
}

/// `pieces`, or a fault when they are too short, too long or ask for nothing.
fn possible(reader: &mut PlanReader<'_>, at: &Path, pieces: Vec<Piece>) -> Option<Vec<Piece>> {
    let total = pieces.iter().fold(0u64, |sum, piece| sum.saturating_add(piece.length_ns));
    reader.duration_in(at, total, 1, MAX_DURATION_NS)?;
    if pieces.iter().all(|piece| piece.arrivals() == 0.0) {
        reader.fault(at, "ask for no request at all: give one stage a rate above 0/s");
        return None;
    }
    Some(pieces)
}

fn rate_in(reader: &mut PlanReader<'_>, at: &Path, rate: f64, zero_allowed: bool) -> Option<f64> {
    if rate == 0.0 && !zero_allowed {
        reader.fault(at, "must be above 0/s: leave the rate out for the closed model");
    } else if rate < 0.0 {
        reader.fault(at, "must not be below 0/s: write a rate like `500/s`");
    } else if rate.is_nan() || rate > MAX_RATE {
        reader.fault(at, format!("is too high: at most {} is possible", units::print_rate(MAX_RATE)));
    } else {
        return Some(rate);
    }
    None
}

fn connections(
    reader: &mut PlanReader<'_>,
    document: &Document,
    form: &LoadForm,
    overrides: &Overrides,
) -> Option<u32> {
    if let Some(c) = overrides.concurrency.filter(|c| *c == 0 || *c > MAX_CONNECTIONS) {
        let what = if c == 0 { "must be at least 1" } else { "is too large" };
        reader.fault(&Path::of("-c"), format!("{what}: write a number from 1 to {MAX_CONNECTIONS}"));
    }
    let of_defaults = document.defaults.as_ref().and_then(|d| d.concurrency);
    overrides.concurrency.or(form.concurrency).or(of_defaults)
}

fn closed(reader: &mut PlanReader<'_>, extent: Option<&Extent>, connections: Option<u32>) -> Option<Model> {
    let load = Path::of("load");
    for key in ["arrivals", "backlog"] {
        if reader.is_given(&load.key(key)) {
            let message = "belongs to the open model: add `rate` and `duration`, or remove it";
            reader.fault(&load.key(key), message);
        }
    }
    let extent = extent?;
    let is_given_wrong = ["duration", "requests"].iter().any(|key| reader.is_given(&load.key(key)))
        || reader.is_given(&Path::of("defaults").key("requests"))
        || reader.root.find(&load).is_some_and(|node| !matches!(node.value, Value::Map(_)));
    if extent.duration.is_none() && extent.requests.is_none() && !is_given_wrong {
        let message =
            "nothing says when the run ends: add `requests: 1000` (-n 1000) or `duration: 30s` (-d 30s)";
        reader.fault(&load, message);
    }
    Some(Model::Closed { connections: connections.unwrap_or(DEFAULT_CONCURRENCY) })
}

fn open(
    reader: &mut PlanReader<'_>,
    form: &LoadForm,
    extent: Option<&Extent>,
    connections: Option<u32>,
    warmup_ns: u64,
) -> Option<Model> {
    let extent = extent?;
    let load = Path::of("load");
    let arrivals = match form.arrivals {
        Some(ArrivalsForm::Poisson) => Arrivals::Poisson,
        Some(ArrivalsForm::Even) | None => Arrivals::Even,
    };
    let pieces = match (&extent.pieces, &extent.rate, &extent.duration) {
        (Some(pieces), ..) => pieces.clone(),
        (None, Some((rate, _)), Some((length_ns, _))) => {
            vec![Piece { from: *rate, to: *rate, length_ns: *length_ns }]
        }
        (None, Some((rate, at)), None) => {
            let Some((n, n_at)) = &extent.requests else {
                if !reader.is_given(&load.key("duration")) {
                    reader.fault(at, "a rate needs a duration: add `duration: 30s` (-d 30s)");
                }
                return None;
            };
            let length_ns =
                reader.duration_in(n_at, long_enough_ns(*rate, *n, arrivals), 1, MAX_DURATION_NS)?;
            vec![Piece { from: *rate, to: *rate, length_ns }]
        }
        (None, None, _) => return None,
    };
    if warmup_ns > 0 && pieces[0].from == 0.0 {
        let message = "warm-up runs at the rate the schedule begins with, and that is 0/s: begin the first \
                       stage with `from: 100/s`, or remove `warmup`";
        reader.fault(&load.key("warmup"), message);
    }
    let pieces = match &extent.requests {
        // The run is as long as its requests take to fall due: their number over their rate.
        Some((n, _)) if arrivals == Arrivals::Even => until_arrivals(&pieces, *n),
        _ => pieces,
    };
    Some(Model::Open { pieces, arrivals, connections, backlog: form.backlog.unwrap_or(DEFAULT_BACKLOG) })
}

/// How long `n` requests at `rate` take to fall due. Poisson arrivals may take longer than on the mean: ten
/// deviations do not happen.
fn long_enough_ns(rate: f64, n: u64, arrivals: Arrivals) -> u64 {
    let n = n as f64;
    let n = if arrivals == Arrivals::Poisson { n + 10.0 * n.sqrt() + 10.0 } else { n };
    (n / rate * 1e9).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    #[test]
    fn there_are_no_more_connections_than_requests() {
        let load = |load: &str, flags: Overrides| {
            let text = format!("base_url: http://a\nload: {{{load}}}\nscenarios: [{{path: /}}]\n");
            match parse(&text, "p", &flags, &|_| None).unwrap().load.model {
                Model::Closed { connections } => Some(connections),
                Model::Open { connections, .. } => connections,
            }
        };
        let none = Overrides::default;
        assert_eq!(load("requests: 1", none()), Some(1));
        assert_eq!(load("requests: 30, concurrency: 50", none()), Some(30));
        assert_eq!(load("requests: 100", none()), Some(DEFAULT_CONCURRENCY));
        assert_eq!(load("requests: 1, warmup: 1s", none()), Some(DEFAULT_CONCURRENCY), "warm-up has its own");
        assert_eq!(load("rate: 5/s, requests: 3, concurrency: 9", none()), Some(3));
        assert_eq!(load("rate: 5/s, requests: 3", none()), None);
        let flags = Overrides { requests: Some(2), concurrency: Some(8), ..none() };
        assert_eq!(load("duration: 1s", flags), Some(2));
    }

    #[test]
    fn stages_and_rates_that_passed_no_command_line_are_checked() {
        let text = "base_url: http://a\nload: {requests: 1}\nscenarios: [{path: /}]\n";
        let check = |overrides: Overrides| {
            parse(text, "p", &overrides, &|_| None).map(|_| ()).map_err(|faults| faults.to_string())
        };
        let stages = |rates: &[f64]| {
            let stage = |rate: &f64| StageOverride { length_ns: 1_000_000_000, rate: *rate };
            check(Overrides { stages: Some(rates.iter().map(stage).collect()), ..Overrides::default() })
        };
        assert_eq!(stages(&[1.0; MAX_STAGES]), Ok(()));
        let error = stages(&[1.0; MAX_STAGES + 1]).unwrap_err();
        assert!(error.contains("command line: --stages: 1001 stages: at most 1000"), "{error}");
        let error = stages(&[5.0, -5.0]).unwrap_err();
        assert!(error.contains("command line: --stages: must not be below 0/s"), "{error}");
        let error = check(Overrides { rate: Some(-1.0), ..Overrides::default() }).unwrap_err();
        assert!(error.contains("command line: -r: must not be below 0/s"), "{error}");
    }
}
