//! Line charts as inline SVG: pure functions from points to one `<svg>` element.
//!
//! Colors and fonts come from a style sheet by class (`s1` … `s4` are the series, `grid`, `tick`, `legend`),
//! never from attributes. So the same chart works under a strict content security policy, in light and dark
//! mode and in print.

mod scale;
mod thin;

use maud::{Markup, html};

pub(crate) use self::scale::{Scale, Tick, count_ticks, percentile_ticks, second_ticks, time_ticks};
pub(crate) use self::thin::{MAX_POINTS, PlotPoint, thin};

/// The drawing's size in its own units: half a page wide, so that text stays readable both there and on the
/// full width of a phone.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 308.0;
/// Margins of the plot: labels to the left and below, the legend's first row and the vertical axis's name
/// above, the horizontal axis's name below.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 27.0;
const TOP: f64 = 53.0;
const BOTTOM: f64 = 49.0;
/// Distance of the vertical axis's name from the plot.
const NAME_ABOVE: f64 = 17.0;
/// A legend entry: its stroke, the gap after it, and the approximate width of a letter.
const LEGEND_STROKE: f64 = 20.0;
const LEGEND_GAP: f64 = 7.0;
const LEGEND_LETTER: f64 = 7.8;
/// Height of each further row of the legend.
const LEGEND_ROW: f64 = 18.0;

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What it measures. That it is logarithmic is added where it is drawn.
    pub(crate) name: &'static str,
    /// From values to positions.
    pub(crate) scale: Scale,
    /// Grid lines and labels.
    pub(crate) ticks: Vec<Tick>,
}

impl Axis {
    /// Its name, and that it is logarithmic if it is.
    fn named(&self) -> String {
        format!("{}{}", self.name, if self.scale.is_logarithmic() { ", logarithmic" } else { "" })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// The name in the legend.
    pub(crate) name: &'static str,
    /// Its class in the style sheet.
    pub(crate) class: &'static str,
    /// The points in order; `None` interrupts the line.
    pub(crate) points: Vec<Option<PlotPoint>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Chart<'a> {
    /// Unique on the page; the ids of title and description derive from it.
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    /// A text alternative for screen readers.
    pub(crate) description: String,
    /// The horizontal axis.
    pub(crate) x: Axis,
    /// The vertical axis.
    pub(crate) y: Axis,
    /// The lines, the most important first; that one is drawn last, on top.
    pub(crate) series: Vec<Series>,
}

/// Draw a chart as an `<svg>` element.
pub(crate) fn chart(chart: &Chart) -> Markup {
    let (title, description) = (format!("{}-title", chart.id), format!("{}-description", chart.id));
    html! {
        svg class="chart" xmlns="http://www.w3.org/2000/svg" role="img"
            viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-labelledby=(format!("{title} {description}")) {
            title id=(title) { (chart.title) }
            desc id=(description) { (chart.description) }
            @let plot = Plot::of(chart);
            (grid(&plot))
            (names(&plot))
            @for series in chart.series.iter().rev() { (line(&plot, series)) }
            (legend(&plot.legend))
        }
    }
}

/// An empty chart with the reason.
pub(crate) fn empty(why: &str) -> Markup {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    html! {
        svg class="chart" xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(why)
            viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
            line class="axis" x1=(LEFT) x2=(right) y1=(bottom) y2=(bottom) {}
            text class="tick middle" x=((LEFT + right) / 2.0) y=((TOP + bottom) / 2.0) { (why) }
        }
    }
}

/// Maps a chart's values to coordinates.
struct Plot<'a> {
    x: &'a Axis,
    y: &'a Axis,
    legend: Vec<Entry>,
    top: f64,
}

/// One entry of the legend: its left end, and the height of its middle.
struct Entry {
    x: f64,
    y: f64,
    class: &'static str,
    name: &'static str,
}

impl<'a> Plot<'a> {
    fn of(chart: &'a Chart) -> Self {
        let width = |series: &Series| {
            LEGEND_STROKE + LEGEND_GAP + series.name.chars().count() as f64 * LEGEND_LETTER + 2.0 * LEGEND_GAP
        };
        let in_a_row = entries_in_a_row(&chart.series.iter().map(width).collect::<Vec<_>>());
        let (mut y, mut legend) = (12.0, Vec::with_capacity(chart.series.len()));
        for (i, row) in chart.series.chunks(in_a_row).enumerate() {
            y = 12.0 + LEGEND_ROW * i as f64;
            let mut x = LEFT;
            for series in row {
                legend.push(Entry { x, y, class: series.class, name: series.name });
                x += width(series);
            }
        }
        Self { x: &chart.x, y: &chart.y, legend, top: y - 12.0 + TOP }
    }

    fn across(&self, value: f64) -> f64 {
        LEFT + self.x.scale.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn up(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.scale.place(value) * (HEIGHT - self.top - BOTTOM)
    }
}

/// How many entries of these widths to put into each row of the legend: as few rows as possible, evenly filled.
fn entries_in_a_row(widths: &[f64]) -> usize {
    let fits = |in_a_row: usize| widths.chunks(in_a_row).all(|row| LEFT + row.iter().sum::<f64>() <= WIDTH);
    let all = widths.len().max(1);
    let rows = (1..all).find(|rows| fits(all.div_ceil(*rows))).unwrap_or(all);
    all.div_ceil(rows)
}

fn grid(plot: &Plot) -> Markup {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    html! {
        @for tick in &plot.y.ticks {
            @let y = number(plot.up(tick.at));
            line class="grid" x1=(LEFT) x2=(right) y1=(y) y2=(y) {}
            text class="tick end" x=(LEFT - 8.0) y=(y) dy="0.35em" { (tick.label) }
        }
        @for tick in &plot.x.ticks {
            @let x = number(plot.across(tick.at));
            line class="notch" x1=(x) x2=(x) y1=(bottom) y2=(bottom + 5.0) {}
            text class="tick middle" x=(x) y=(bottom + 20.0) { (tick.label) }
        }
        line class="axis" x1=(LEFT) x2=(right) y1=(bottom) y2=(bottom) {}
    }
}

/// The axes' names: the vertical one's above it, the horizontal one's below its right end.
fn names(plot: &Plot) -> Markup {
    html! {
        text class="tick" x="0" y=(number(plot.top - NAME_ABOVE)) { (plot.y.named()) }
        text class="tick end" x=(WIDTH - RIGHT) y=(HEIGHT - 8.0) { (plot.x.named()) }
    }
}

/// A polyline for each uninterrupted section; an isolated point becomes a dot.
fn line(plot: &Plot, series: &Series) -> Markup {
    let stretches = series.points.split(Option::is_none).filter(|stretch| !stretch.is_empty());
    let place = |point: &Option<PlotPoint>| {
        let point = point.unwrap_or_default();
        (number(plot.across(point.x)), number(plot.up(point.y)))
    };
    html! {
        @for stretch in stretches {
            @if let [only] = stretch {
                @let (x, y) = place(only);
                circle class=(format!("dot {}", series.class)) cx=(x) cy=(y) r="2.5" {}
            } @else {
                @let points: Vec<String> = stretch.iter().map(place).map(|(x, y)| format!("{x},{y}")).collect();
                polyline class=(format!("line {}", series.class)) points=(points.join(" ")) {}
            }
        }
    }
}

fn legend(entries: &[Entry]) -> Markup {
    html! {
        @for Entry { x, y, class, name } in entries {
            line class=(format!("line {class}")) x1=(number(*x)) x2=(number(x + LEGEND_STROKE)) y1=(y) y2=(y) {}
            text class="legend" x=(number(x + LEGEND_STROKE + LEGEND_GAP)) y=(y) dy="0.35em" { (name) }
        }
    }
}

/// A coordinate rounded to a tenth of a unit: more digits only enlarge the file.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::entries_in_a_row;

    #[test]
    fn a_legend_has_even_rows_and_as_few_as_fit() {
        assert_eq!(entries_in_a_row(&[]), 1);
        assert_eq!(entries_in_a_row(&[70.0; 5]), 5);
        assert_eq!(entries_in_a_row(&[139.0; 4]), 2, "not three and one");
        assert_eq!(entries_in_a_row(&[139.0; 5]), 3, "the most that fit");
        assert_eq!(entries_in_a_row(&[900.0; 3]), 1, "too wide even alone");
    }
}
