//! The dashboard: a run as a live page, and its report at the end.
//!
//! ```text
//! page ── on load ───────────────> now + charts + details
//! part ── every second or two ──> one of the three, rendered again and morphed into the page
//! ```
//!
//! The page is drawn on the server. A script morphs its fragments in place, which keeps focus, scroll positions
//! and every unchanged element. Once the run is over (`Snapshot::is_final`) the fragments are not polled any
//! more, and the last picture stays when the process has ended. In a browser without scripts the page reloads
//! itself from time to time. The web module delivers the page.

mod now;

use std::time::Duration;

use maud::{DOCTYPE, Markup, html};

use super::figures::Threshold;
use super::html::{Source, charts, instrument, sections};
use crate::run::{Snapshot, State};

/// The page's style sheet: the report's, plus that of a live page.
pub(crate) const STYLE: &str = concat!(include_str!("../html/report.css"), include_str!("dashboard.css"));
/// The page's icon.
pub(crate) const ICON: &str = include_str!("icon.svg");

/// htmx's settings: no eval, no style elements of its own, no history, no requests to other hosts, and a
/// timeout.
const HTMX: &str = "{\"allowEval\":false,\"allowScriptTags\":false,\"includeIndicatorStyles\":false,\
    \"historyEnabled\":false,\"selfRequestsOnly\":true,\"timeout\":5000}";
/// Seconds between reloads in a browser without scripts.
const RELOAD_S: &str = "2";
/// Points per line in a chart that is sent every two seconds: about one for two pixels.
const LIVE_POINTS: usize = 240;
/// Ends of the growing axis of elapsed time, in seconds. It moves rarely, not with each window.
const AXIS_ENDS_S: [f64; 15] = [
    10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0,
    43_200.0, 86_400.0,
];
/// Planned durations up to this are shown in full from the start, in seconds.
const WHOLE_PLAN_S: f64 = 60.0;

/// What the page can offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageFeatures {
    /// How long its server stays up after the run, zero: it ends with the run; `None`: the same, and nobody may
    /// choose.
    pub linger: Option<Duration>,
    /// An operator may stop the run.
    pub stop: bool,
    /// An operator may start it.
    pub start: bool,
}

/// A part of the page that is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// State, key figures, thresholds.
    Now,
    /// The charts.
    Charts,
    /// Tables, the instrument, the plan.
    Details,
}

impl Fragment {
    /// All fragments, in page order.
    pub const ALL: [Self; 3] = [Self::Now, Self::Charts, Self::Details];

    /// The name in `/live/NAME` and in element ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Charts => "charts",
            Self::Details => "details",
        }
    }

    /// The fragment with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// htmx's `hx-trigger` for it. `over`: the first one says that the run is over.
    const fn trigger(self) -> &'static str {
        match self {
            Self::Now => "every 1s",
            Self::Charts | Self::Details => "every 2s, over",
        }
    }
}

/// The whole page as HTML.
pub fn page(snapshot: &Snapshot, offer: &PageFeatures) -> String {
    let (judged, thresholds) = (snapshot.instrument(), Threshold::all(snapshot));
    let source = Source::new(snapshot, &judged, &thresholds);
    let live = !snapshot.is_final();
    let reload = html! { meta http-equiv="refresh" content=(RELOAD_S); };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                (now::title(&source))
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/style.css";
                meta name="htmx-config" content=(HTMX);
                script src="/scripts.js" defer {}
                @if live { noscript { (reload) } }
            }
            body hx-ext="morph" {
                (lost())
                main {
                    @for part in Fragment::ALL {
                        div id=(format!("live-{}", part.name())) hx-get=[live.then(|| format!("/live/{}", part.name()))]
                            hx-trigger=[live.then_some(part.trigger())] hx-swap="morph:innerHTML" {
                            (drawn(part, &source, offer))
                        }
                        @if part == Fragment::Now && live && offer.stop { (operator(snapshot.state, offer)) }
                    }
                }
                footer {
                    p { "loadtester " (env!("CARGO_PKG_VERSION")) ". The same figures for programs: "
                        a href="/status" { "JSON" } ", " a href="/metrics" { "Prometheus" } "." }
                }
            }
        }
    };
    markup.into_string()
}

/// One fragment of the page as HTML.
pub fn part(part: Fragment, snapshot: &Snapshot, offer: &PageFeatures) -> String {
    let (judged, thresholds) = (snapshot.instrument(), Threshold::all(snapshot));
    let source = Source::new(snapshot, &judged, &thresholds);
    let title = match part {
        Fragment::Now => now::title(&source),
        Fragment::Charts | Fragment::Details => html! {},
    };
    html! { (title) (drawn(part, &source, offer)) }.into_string()
}

/// The operator's form: outside the fragments and never swapped with them, so that no typed text is lost. The
/// script reveals it, since only a script can send the token in a header field. A browser without scripts
/// shows the HTTP call instead.
fn operator(state: State, offer: &PageFeatures) -> Markup {
    let order = if offer.start && state == State::Starting { "start" } else { "stop" };
    let by_hand = html! {
        p class="operator-by-hand" {
            "An operator " (order) "s this run with " code { "POST /api/v1/run/" (order) } " and "
            code { "Authorization: Bearer TOKEN" } "."
        }
    };
    html! {
        noscript { (by_hand) }
        form id="operator" class="operator" aria-label="Operator" hidden {
            label for="token" { "Operator's token" }
            input id="token" type="password" autocomplete="off" spellcheck="false" required;
            @if offer.start { button class="start" hx-post="/api/v1/run/start" hx-swap="none" { "Start the run" } }
            button class="stop" hx-post="/api/v1/run/stop" hx-swap="none" { "Stop the run" }
            output id="operator-said" for="token" {}
        }
    }
}

/// Revealed by the script when the server stops answering.
fn lost() -> Markup {
    html! {
        div role="alert" {
            p id="lost" class="lost" hidden {
                "No connection since " time id="lost-since" {} ": the program has ended, or cannot be reached from here. "
                "Below is the last picture that it sent."
            }
            p id="older" class="lost" hidden {
                "The run is over, and the program ended before it sent the last charts and tables: those below are a "
                "few seconds older than the verdict."
            }
        }
    }
}

fn drawn(part: Fragment, source: &Source, offer: &PageFeatures) -> Markup {
    match part {
        Fragment::Now => now::all(source, offer.linger),
        Fragment::Charts => charts_of(source),
        Fragment::Details => html! {
            (sections::scenarios(source, sections::OmittedRows::Elsewhere))
            (sections::latency(source))
            (sections::outcomes(source))
            (instrument::section(source))
            (sections::environment(source))
        },
    }
}

fn charts_of(source: &Source) -> Markup {
    if source.snapshot.is_final() {
        return charts::all(source);
    }
    let view = charts::View {
        snapshot: source.snapshot,
        most_points: LIVE_POINTS,
        until_s: Some(axis_end_s(source.snapshot)),
    };
    // A chart without data keeps its area, so that none displaces another.
    html! {
        section aria-labelledby="charts-title" {
            h2 id="charts-title" class="spoken" { "Charts" }
            div class="charts" {
                @for (place, chart) in charts::drawn(&view).into_iter().enumerate() {
                    (chart.unwrap_or_else(|| charts::waiting(place, source.snapshot)))
                }
            }
        }
    }
}

/// End of the axis of elapsed time: the planned end if that is near, otherwise a little ahead.
fn axis_end_s(snapshot: &Snapshot) -> f64 {
    let so_far = snapshot.measured_ns as f64 / 1e9;
    let plan = snapshot.run.duration_ns.map(|ns| ns as f64 / 1e9);
    let least = if plan.is_some() { WHOLE_PLAN_S } else { AXIS_ENDS_S[0] };
    let ahead = AXIS_ENDS_S.into_iter().find(|end| *end >= so_far.max(least)).unwrap_or(so_far);
    plan.map_or(ahead, |plan| ahead.min(plan)).max(so_far)
}

#[cfg(test)]
mod tests;
