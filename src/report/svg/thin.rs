//! Reduces the points of a long line without losing a peak or trough.

/// Default maximum of points per line: more than the pixels across.
pub(crate) const MAX_POINTS: usize = 600;

/// One point of a line, in the axes' values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PlotPoint {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Reduce `points` to at most `most` (at least 4): each run of neighbors keeps its lowest and highest, in
/// order. A run of gaps alone stays a gap.
pub(crate) fn thin(points: &[Option<PlotPoint>], most: usize) -> Vec<Option<PlotPoint>> {
    if points.len() <= most {
        return points.to_vec();
    }
    let run = points.len().div_ceil(most / 2);
    points.chunks(run).flat_map(extremes).collect()
}

fn extremes(run: &[Option<PlotPoint>]) -> Vec<Option<PlotPoint>> {
    let there = || run.iter().flatten();
    let lowest = there().min_by(|a, b| a.y.total_cmp(&b.y));
    let highest = there().max_by(|a, b| a.y.total_cmp(&b.y));
    match (lowest, highest) {
        (Some(low), Some(high)) if low == high => vec![Some(*low)],
        (Some(low), Some(high)) if low.x <= high.x => vec![Some(*low), Some(*high)],
        (Some(low), Some(high)) => vec![Some(*high), Some(*low)],
        _ => vec![None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_keeps_its_peaks_its_ends_and_its_gaps() {
        let mut points: Vec<_> =
            (0..86_400).map(|i| Some(PlotPoint { x: i.into(), y: 10.0 + f64::from(i % 3) })).collect();
        points[40_001] = Some(PlotPoint { x: 40_001.0, y: 999.0 });
        points[70_003] = Some(PlotPoint { x: 70_003.0, y: 0.5 });
        points[10_000..11_000].fill(None);
        let thinned = thin(&points, MAX_POINTS);
        assert!(thinned.len() <= MAX_POINTS && thinned.len() > MAX_POINTS / 2, "{}", thinned.len());
        assert!(thinned.contains(&points[40_001]) && thinned.contains(&points[70_003]));
        assert!(thinned.contains(&None));
        let xs: Vec<f64> = thinned.iter().flatten().map(|p| p.x).collect();
        assert!(xs.is_sorted() && xs[0] < 300.0 && *xs.last().unwrap() > 86_000.0);
    }

    #[test]
    fn a_short_line_stays_as_it_is() {
        let points = [Some(PlotPoint { x: 1.0, y: 1.0 }), None, Some(PlotPoint { x: 3.0, y: 2.0 })];
        assert_eq!(thin(&points, MAX_POINTS), points);
    }
}
