//! A sketch of a distribution of times: a row for each stretch of time on a logarithmic scale, with a bar.

use super::bars::Glyphs;
use super::page::Page;
use crate::report::format::{count, percent, time};
use crate::tally::Histogram;

/// Rows shown.
const MOST_ROWS: usize = 12;
/// Fewer times than this have no shape.
const LEAST_SAMPLES: u64 = 20;
/// Columns of the longest bar: a longer one shows nothing more.
const MOST_BAR_COLUMNS: usize = 60;
/// The share of the times beyond the rows on each side, where the rows do not reach the extremes.
const BEYOND: f64 = 0.005;
/// The bounds of rows within a decade, times 100, from the finest steps to the coarsest: preferred numbers (ISO 3),
/// then fewer.
const STEPS: [&[u64]; 7] = [
    &[
        100, 106, 112, 118, 125, 132, 140, 150, 160, 170, 180, 190, 200, 212, 224, 236, 250, 265, 280, 300,
        315, 335, 355, 375, 400, 425, 450, 475, 500, 530, 560, 600, 630, 670, 710, 750, 800, 850, 900, 950,
    ],
    &[100, 112, 125, 140, 160, 180, 200, 224, 250, 280, 315, 355, 400, 450, 500, 560, 630, 710, 800, 900],
    &[100, 125, 160, 200, 250, 315, 400, 500, 630, 800],
    &[100, 160, 250, 400, 630],
    &[100, 200, 500],
    &[100, 315],
    &[100],
];
/// Decades with bounds, as powers of ten in nanoseconds: from the shortest time that histograms tell from zero to
/// beyond an hour. One row for each is at most [`MOST_ROWS`].
const DECADES: std::ops::Range<u32> = 2..14;

/// The times from one bound to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// The lower bound in nanoseconds; `None`: all below the next row.
    from_ns: Option<u64>,
    count: u64,
}

/// The distribution of `times`, if there are enough of them.
pub(crate) fn sketch(page: &mut Page, times: &Histogram, glyphs: Glyphs) {
    let rows = rows(times);
    if rows.is_empty() {
        return;
    }
    page.blank();
    page.heading(&format!("distribution of {} response times", count(times.count())));
    let labels: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| match row.from_ns {
            Some(from_ns) => format!("from {}", time(from_ns)),
            None => format!("below {}", time(rows.get(i + 1).and_then(|row| row.from_ns).unwrap_or(0))),
        })
        .collect();
    let counts: Vec<String> = rows.iter().map(|row| count(row.count)).collect();
    let share = |row: &Row| row.count as f64 / times.count() as f64;
    let shares: Vec<String> = rows.iter().map(|row| percent(share(row))).collect();
    let widest = |cells: &[String]| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    let [label_columns, count_columns, share_columns] =
        [&labels, &counts, &shares].map(|cells| widest(cells));
    let taken = 2 + label_columns + 2 + count_columns + 2 + share_columns + 2;
    let bar_columns = page.width().saturating_sub(taken).min(MOST_BAR_COLUMNS);
    let most = rows.iter().map(|row| row.count).max().unwrap_or(0).max(1);
    for (i, row) in rows.iter().enumerate() {
        let bar = glyphs.bar(row.count as f64 / most as f64, bar_columns);
        page.plain(&format!(
            "  {:<label_columns$}  {:>count_columns$}  {:>share_columns$}  {bar}",
            labels[i], counts[i], shares[i]
        ));
    }
}

/// The rows with the finest steps of which [`MOST_ROWS`] are enough; all times are in them.
fn rows(times: &Histogram) -> Vec<Row> {
    let middles = || times.buckets().map(|bucket| bucket.middle_ns);
    let extremes = middles().next().zip(middles().last()).filter(|_| times.count() >= LEAST_SAMPLES);
    let Some((min, max)) = extremes else { return Vec::new() };
    let body = [BEYOND, 1.0 - BEYOND].map(|q| times.quantile(q).unwrap_or(max));
    for steps in STEPS {
        let bounds = bounds(steps);
        let (all, inner) = (between(&bounds, min, max), between(&bounds, body[0], body[1]));
        if all.len() <= MOST_ROWS {
            return fill(times, &all, false);
        }
        if inner.len() + 2 <= MOST_ROWS {
            let is_open = min < inner[0];
            let last = bounds.iter().copied().find(|bound| *bound > inner[inner.len() - 1]);
            let inner: Vec<u64> = inner.into_iter().chain(last.filter(|last| *last <= max)).collect();
            return fill(times, &inner, is_open);
        }
    }
    Vec::new()
}

/// Every bound in nanoseconds, ascending.
fn bounds(steps: &[u64]) -> Vec<u64> {
    let decades = DECADES.map(|decade| 10u64.pow(decade));
    let bounds = decades.flat_map(|decade| steps.iter().map(move |step| step * (decade / 100)));
    std::iter::once(0).chain(bounds).collect()
}

/// The lower bounds of the rows that hold the times from `low` to `high`.
fn between(bounds: &[u64], low: u64, high: u64) -> Vec<u64> {
    let first = bounds.partition_point(|bound| *bound <= low).saturating_sub(1);
    let end = bounds.partition_point(|bound| *bound <= high).max(first + 1);
    bounds[first..end].to_vec()
}

/// Count the times into rows with these lower bounds, and into one before them if there is any (`is_open`).
fn fill(times: &Histogram, from: &[u64], is_open: bool) -> Vec<Row> {
    let mut counts = vec![0; from.len() + 1];
    for bucket in times.buckets() {
        counts[from.partition_point(|bound| *bound <= bucket.middle_ns)] += bucket.count;
    }
    let bounds = std::iter::once(None).chain(from.iter().copied().map(Some));
    let rows = bounds.zip(counts).map(|(from_ns, count)| Row { from_ns, count });
    rows.skip(usize::from(!is_open)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(times: impl IntoIterator<Item = u64>) -> Histogram {
        let mut h = Histogram::new();
        times.into_iter().for_each(|ns| h.record(ns));
        h
    }

    #[test]
    fn every_time_is_in_a_row_and_there_are_at_most_twelve() {
        let mut rng = fastrand::Rng::with_seed(11);
        for case in 0..400 {
            let (low, spread) = (rng.u32(0..36), rng.u32(1..24));
            let n = rng.u64(LEAST_SAMPLES..3_000);
            let h = histogram((0..n).map(|_| {
                let most = low + rng.u32(1..=spread);
                rng.u64(1 << low..1 << most)
            }));
            let rows = rows(&h);
            assert!((1..=MOST_ROWS).contains(&rows.len()), "case {case}: {rows:?}");
            assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), n, "case {case}");
            assert!(rows.is_sorted_by_key(|row| row.from_ns), "case {case}: {rows:?}");
        }
    }

    #[test]
    fn steps_are_as_fine_as_the_rows_allow_and_outliers_do_not_coarsen_them() {
        const MS: u64 = 1_000_000;
        let even = rows(&histogram((0..1_000).map(|i| 2 * MS + i * 6_000)));
        let bounds: Vec<u64> = even.iter().map(|row| row.from_ns.unwrap() / 10_000).collect();
        assert_eq!(bounds, [200, 224, 250, 280, 315, 355, 400, 450, 500, 560, 630, 710]);
        let with_outliers = rows(&histogram((0..1_000).map(|i| 2 * MS + i * 6_000).chain([100, 5_000 * MS])));
        let open: Vec<Option<u64>> = with_outliers.iter().map(|row| row.from_ns).collect();
        assert_eq!((open[0], open.last().unwrap()), (None, &Some(8 * MS)), "{with_outliers:?}");
        assert_eq!((with_outliers[0].count, with_outliers.last().unwrap().count), (1, 1));
        assert_eq!(rows(&histogram([MS; 30])), [Row { from_ns: Some(MS), count: 30 }]);
    }

    #[test]
    fn a_few_times_have_no_shape() {
        assert!(rows(&histogram([1_000; 19])).is_empty() && rows(&Histogram::new()).is_empty());
    }
}
