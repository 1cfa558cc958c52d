//! The top of the page: the run's state, whether to trust it, its key figures and thresholds.

use std::time::Duration;

use maud::{Markup, html};

use crate::report::figures::Rate;
use crate::report::format::{count, percent, rate as per_second, whole_seconds};
use crate::report::headline::{Headline, Tone};
use crate::report::html::sections::{figure, key_figures, optional, own_error, sentence, share};
use crate::report::html::{Source, doubts, heading, insecure, sections, workers};
use crate::report::{EXTENSIONS, Format};
use crate::run::{Snapshot, State};
use crate::tally::{RowTime, ThreadHealth, quantile};
use crate::units::plural;

fn headline(source: &Source) -> Headline {
    match source.snapshot.is_final() {
        true => Headline::of(source.snapshot, source.instrument),
        false => Headline::so_far(source.snapshot, source.instrument),
    }
}

/// The title of the browser tab.
pub(crate) fn title(source: &Source) -> Markup {
    let word = sentence(&headline(source).word.to_lowercase());
    html! {
        title {
            @if source.snapshot.state == State::Running { (percent_done(source.snapshot)) " – " }
            (word) " – " (source.run.target) " – loadtester"
        }
    }
}

/// `linger`: see [`super::PageFeatures`].
pub(crate) fn all(source: &Source, linger: Option<Duration>) -> Markup {
    let over = source.snapshot.is_final();
    html! {
        (top(source, linger))
        @if over { (key_figures(source)) } @else { (figures(source)) }
        (sections::thresholds(source))
        (workers::section(source))
    }
}

fn top(source: &Source, linger: Option<Duration>) -> Markup {
    let headline = headline(source);
    let over = source.snapshot.is_final();
    let (tone, mark) = match headline.tone {
        Tone::Good if over => ("good", "✓"),
        Tone::Good => ("calm", "▸"),
        Tone::Warn => ("warn", "!"),
        Tone::Bad => ("bad", "✕"),
    };
    html! {
        header class=(tone) data-state=(source.snapshot.state.name()) {
            (heading(source, &headline, mark))
            (trust(source, &headline, over))
            p role="status" class="spoken" { (spoken(&headline)) }
            @if over {
                p class="what" { (sections::what_was_run(source)) }
                (afterwards(source.snapshot, linger))
            } @else {
                (progress(source.snapshot))
            }
        }
    }
}

/// Whether to trust the measurement. During the run the reasons are in the instrument's section further down:
/// they come and go, and a growing list here would push everything else down.
fn trust(source: &Source, headline: &Headline, over: bool) -> Markup {
    let (trust, reasons) = (sentence(headline.trust), source.instrument.reasons.len() as u64);
    html! {
        p class="trust" {
            (trust)
            @if !over && reasons > 0 { ": " a href="#instrument" { (plural(reasons, "reason")) } }
            "."
        }
        @if over { (doubts(source)) } @else { (insecure(source)) }
    }
}

/// Announced by screen readers when it changes. Never a figure, since figures change all the time.
fn spoken(headline: &Headline) -> String {
    let word = sentence(&headline.word.to_lowercase());
    format!("{word}{}{}; {}.", headline.joint(), headline.but, headline.trust)
}

fn percent_done(snapshot: &Snapshot) -> String {
    // Whole percent, rounded down: 100 % is the end.
    format!("{} %", (snapshot.progress() * 100.0).floor())
}

fn progress(snapshot: &Snapshot) -> Markup {
    let elapsed = whole_seconds(snapshot.elapsed_ns / 1_000_000_000 * 1_000_000_000);
    let left = snapshot.left_ns().map(|ns| format!("{} left", whole_seconds(ns)));
    html! {
        div class="progress" {
            progress max="1" value=(format!("{:.3}", snapshot.progress())) aria-label="Progress" {}
            p { span { (percent_done(snapshot)) } span { (elapsed) " so far" } span { (left.unwrap_or_default()) } }
        }
    }
}

/// What a reader can still get when the run is over: while the server is up each report format, and then this
/// picture.
fn afterwards(snapshot: &Snapshot, linger: Option<Duration>) -> Markup {
    let last = html! {
        "The run is over, and the program has ended: this page is its last picture."
        @if linger.is_some() {
            " With " code { "--linger 10m" } " it stays up for downloads, " code { "--report FILE" }
            " writes the result into a file."
        }
    };
    html! {
        @if let Some(linger) = linger.filter(|linger| !linger.is_zero()) {
            (downloads(snapshot, linger))
            p id="ended" class="ended" hidden { (last) }
        } @else {
            p class="ended" { (last) }
        }
    }
}

/// A link for each available report format, for `linger` after the end.
fn downloads(snapshot: &Snapshot, linger: Duration) -> Markup {
    let name = |format| match format {
        Format::Html => "HTML page",
        Format::Json => "JSON",
        Format::Junit => "JUnit XML",
        Format::Csv => "CSV timeline",
        Format::ScenariosCsv => "CSV of scenarios",
        Format::Hlog => "HDR histogram log",
    };
    let kept = |format| format != Format::Hlog || snapshot.intervals.is_some();
    html! {
        nav class="downloads" aria-label="Download the report" data-seconds=(linger.as_secs_f64().ceil()) {
            span { "Download" }
            @for (extension, format) in EXTENSIONS.into_iter().filter(|(_, format)| kept(*format)) {
                a href=(format!("/report.{extension}")) download { (name(format)) }
            }
        }
    }
}

/// The key figures of a live run: rates of the last window, latencies so far.
fn figures(source: &Source) -> Markup {
    let (snapshot, totals) = (source.snapshot, &source.totals);
    let tally = &snapshot.tally;
    let mean = Rate::of(snapshot);
    let last = Last::of(snapshot);
    let rate = |r: Option<f64>| r.map_or("–".to_owned(), per_second);
    let on_average = |r: Option<f64>| format!("on average {}", rate(r));
    let (response, service) = (tally.times(RowTime::Response), tally.times(RowTime::Service));
    let at = |h, q| optional(quantile::percentile(h, q));
    let asked = match source.run.target_rate {
        Some(_) => figure("Asked", rate(last.asked), on_average(mean.target)),
        None => {
            figure("Asked", plural(source.run.connections.into(), "client"), "as fast as answers come".into())
        }
    };
    let lost = match totals.dropped {
        0 => format!("{} of {}", count(totals.failed), count(totals.due)),
        n => format!("{} of {}; {} dropped", count(totals.failed), count(totals.due), count(n)),
    };
    let (own_name, own, own_beside) = own_error(source);
    html! {
        section aria-labelledby="key-figures" {
            h2 id="key-figures" class="spoken" { "Key figures, rates of the last second" }
            dl class="figures live" {
                (asked)
                (figure("Offered", rate(last.offered), on_average(mean.offered)))
                (figure("Achieved", rate(last.achieved), on_average(mean.achieved)))
                (busy(snapshot))
                (figure("Response time, 99 %", at(&response, 0.99), format!("median {}", at(&response, 0.5))))
                (figure("Service time, 99 %", at(&service, 0.99), format!("median {}", at(&service, 0.5))))
                (figure("Failed", if totals.due == 0 { percent(0.0) } else { share(totals.failed, totals.due) }, lost))
                (figure(own_name, own, own_beside))
            }
        }
    }
}

/// Current activity: the workers of a fleet, otherwise requests and connections.
fn busy(snapshot: &Snapshot) -> Markup {
    if let Some(fleet) = &snapshot.fleet {
        let running = fleet.by_state().find(|(state, _)| *state == "running").map_or(0, |(_, n)| n);
        return figure(
            "Workers running",
            count(running as u64),
            format!("of {} that joined", fleet.rows.len()),
        );
    }
    let sum = |of: fn(&ThreadHealth) -> u64| count(snapshot.threads.iter().map(of).sum());
    let beside = format!("{} open, {} waiting", sum(|t| t.connections), sum(|t| t.backlog));
    figure("In flight", sum(|t| t.in_flight), beside)
}

/// Requests per second of the last closed window.
#[derive(Default)]
struct Last {
    asked: Option<f64>,
    offered: Option<f64>,
    achieved: Option<f64>,
}

impl Last {
    fn of(snapshot: &Snapshot) -> Self {
        let Some(last) = snapshot.timeline.last() else { return Self::default() };
        let began = snapshot.timeline.iter().rev().nth(1).map_or(0.0, |point| point.t);
        let rate = |n: u64| (last.t > began).then(|| n as f64 / (last.t - began));
        Self { asked: rate(last.due), offered: rate(last.sent), achieved: rate(last.completed) }
    }
}
