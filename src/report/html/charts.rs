//! The page's charts: latency by percentile; `over_time` draws the others.

use maud::{Markup, html};

pub(crate) use super::chart_frame::View;
use super::chart_frame::{NOTES, TITLES, figure, rate_note, time_axis};
use super::over_time;
use super::source::Source;
use crate::report::format;
use crate::report::svg::{Axis, Chart, MAX_POINTS, PlotPoint, Scale, Series, empty, percentile_ticks};
use crate::run::Snapshot;
use crate::tally::{Histogram, RowTime, quantile};

/// Points of a percentile curve per nine.
const POINTS_PER_NINE: u32 = 60;
/// Range of the percentile axis in nines: at least to 99 %, at most to 99.999 %.
const LEAST_NINES: u32 = 2;
const MOST_NINES: u32 = 5;

/// The charts of a finished run, at full resolution.
pub(crate) fn all(source: &Source) -> Markup {
    let view = View { snapshot: source.snapshot, most_points: MAX_POINTS, until_s: None };
    let charts: Vec<Markup> = drawn(&view).into_iter().flatten().collect();
    if charts.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="charts" {
            h2 id="charts" class="spoken" { "Charts" }
            div class="charts" { @for chart in charts { (chart) } }
        }
    }
}

/// A placeholder for a chart without data, at a chart's height.
pub(crate) fn waiting(place: usize, snapshot: &Snapshot) -> Markup {
    let note = if place == 0 { rate_note(snapshot) } else { NOTES[place] };
    let why = match (place, snapshot.run.model) {
        (3, "closed") => "without a schedule nothing is late",
        _ => "nothing to draw yet",
    };
    html! {
        figure class="waiting" {
            figcaption { h3 { (TITLES[place]) } p { (note) } }
            (empty(why))
        }
    }
}

/// The charts, in the order of [`TITLES`]; `None`: no data.
pub(crate) fn drawn(view: &View) -> [Option<Markup>; TITLES.len()] {
    [
        over_time::throughput(view),
        over_time::latency(view),
        by_percentile(view.snapshot),
        over_time::own_error(view),
    ]
}

/// How many nines the sample supports: ten samples lie beyond 1 - 10^-nines.
fn supported_nines(count: u64) -> f64 {
    let nines = (count as f64 / quantile::SAMPLES_BEYOND as f64).log10();
    nines.clamp(0.9, MOST_NINES.into())
}

fn curve(histogram: &Histogram) -> Vec<Option<PlotPoint>> {
    let steps = (supported_nines(histogram.count()) * f64::from(POINTS_PER_NINE)).floor() as u32;
    let point = |step: u32| {
        let nines = f64::from(step) / f64::from(POINTS_PER_NINE);
        histogram.quantile(1.0 - 10f64.powf(-nines)).map(|ns| PlotPoint { x: nines, y: ns as f64 })
    };
    (0..=steps).map(point).collect()
}

fn by_percentile(snapshot: &Snapshot) -> Option<Markup> {
    let response = snapshot.tally.times(RowTime::Response);
    let service = snapshot.tally.times(RowTime::Service);
    if response.count() == 0 {
        return None;
    }
    let series = vec![
        Series { name: "response time", class: "s1", points: curve(&response) },
        Series { name: "service time", class: "s2", points: curve(&service) },
    ];
    let nines = (supported_nines(response.count()).ceil() as u32).max(LEAST_NINES);
    let at = |h: &Histogram, q| quantile::percentile(h, q).map_or("unknown".to_owned(), format::time);
    let description = format!(
        "Response time: median {}, 90 % {}, 99 % {}, 99.9 % {}. Service time: median {}, 99 % {}.",
        at(&response, 0.5),
        at(&response, 0.9),
        at(&response, 0.99),
        at(&response, 0.999),
        at(&service, 0.5),
        at(&service, 0.99)
    );
    let name = "share of requests, logarithmic towards 100 %";
    let x = Axis { name, scale: Scale::linear(0.0, nines.into()), ticks: percentile_ticks(nines) };
    let y = time_axis(&series);
    let drawn = Chart { id: "by-percentile", title: TITLES[2], description, x, y, series };
    Some(figure(NOTES[2], &drawn))
}
