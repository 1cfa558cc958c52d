//! The response times of each window, encoded as lines of an HdrHistogram interval log.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::tally::{Histogram, Row, RowTime};

/// Upper bound on the encoded windows in bytes: eight hours of one scenario at 2 kB a second. Later windows
/// are merged into one last interval, which loses only their course over time.
const MAX_ENCODED_BYTES: usize = 64 << 20;
/// Encoded windows are kept in chunks of about this many bytes. A copy of the log shares all but the last one.
const CHUNK_BYTES: usize = 256 << 10;
/// The unit of the log's interval maxima, which are for human readers: milliseconds.
const NS_PER_MAXIMUM: f64 = 1e6;

/// The closed windows, encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervals {
    tags: Vec<String>,
    most_bytes: usize,
    /// Full chunks of lines; they do not change any more.
    full: Vec<Arc<str>>,
    /// The lines after those.
    last: String,
    rest: Option<Unencoded>,
}

/// Merged windows beyond the limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unencoded {
    /// Their bounds in seconds since the measured time began.
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    /// For each scenario, its response times.
    pub(crate) scenarios: Vec<Histogram>,
}

impl Intervals {
    /// An empty log; `scenarios` are named as in the plan.
    pub fn new<'a>(scenarios: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            tags: tags(scenarios),
            most_bytes: MAX_ENCODED_BYTES,
            full: Vec::new(),
            last: String::new(),
            rest: None,
        }
    }

    /// Add a window of the measured time, its bounds in seconds since the start of that time.
    pub fn add(&mut self, from_s: f64, to_s: f64, scenarios: &[Row]) {
        if self.encoded_bytes() < self.most_bytes {
            let histograms: Vec<_> = scenarios.iter().map(|s| s.times(RowTime::Response)).collect();
            write_lines(&mut self.last, &self.tags, [from_s, to_s], &histograms);
            return self.end_full_chunk();
        }
        let empty = || Unencoded { from_s, to_s, scenarios: vec![Histogram::new(); scenarios.len()] };
        let rest = self.rest.get_or_insert_with(empty);
        rest.to_s = to_s;
        for (rest, scenario) in rest.scenarios.iter_mut().zip(scenarios) {
            rest.merge(&scenario.times(RowTime::Response));
        }
    }

    /// The encoded windows: whole lines, chunk by chunk.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &str> {
        let last = Some(self.last.as_str()).filter(|lines| !lines.is_empty());
        self.full.iter().map(AsRef::as_ref).chain(last)
    }

    /// The windows beyond the limit, if there are any.
    pub(crate) fn rest(&self) -> Option<&Unencoded> {
        self.rest.as_ref()
    }

    /// Put back a chunk of encoded windows, after those that were put back before.
    pub(crate) fn restore_lines(&mut self, lines: &str) {
        self.last.push_str(lines);
        self.end_full_chunk();
    }

    /// Put back the windows beyond the limit: their bounds in seconds. Their times follow.
    pub(crate) fn restore_bounds(&mut self, [from_s, to_s]: [f64; 2]) {
        self.rest = Some(Unencoded { from_s, to_s, scenarios: vec![Histogram::new(); self.tags.len()] });
    }

    /// Put back the times of the windows beyond the limit, per scenario.
    pub(crate) fn restore_rest(&mut self, scenarios: Vec<Histogram>) {
        if let Some(rest) = &mut self.rest {
            rest.scenarios = scenarios;
        }
    }

    pub(crate) fn lines(&self) -> String {
        let mut lines = String::with_capacity(self.encoded_bytes());
        self.chunks().for_each(|chunk| lines.push_str(chunk));
        if let Some(Unencoded { from_s, to_s, scenarios }) = &self.rest {
            write_lines(&mut lines, &self.tags, [*from_s, *to_s], scenarios);
        }
        lines
    }

    fn encoded_bytes(&self) -> usize {
        self.chunks().map(str::len).sum()
    }

    fn end_full_chunk(&mut self) {
        if self.last.len() >= CHUNK_BYTES {
            self.full.push(self.last.as_str().into());
            self.last.clear();
        }
    }
}

fn write_lines(text: &mut String, tags: &[String], bounds_s: [f64; 2], scenarios: &[Histogram]) {
    write_line(text, "", bounds_s, &Histogram::sum(scenarios));
    if tags.len() > 1 {
        for (tag, histogram) in tags.iter().zip(scenarios).filter(|(_, h)| h.count() > 0) {
            write_line(text, &format!("Tag={tag},"), bounds_s, histogram);
        }
    }
}

fn write_line(text: &mut String, tag: &str, [from_s, to_s]: [f64; 2], histogram: &Histogram) {
    let maximum = histogram.max().unwrap_or(0) as f64 / NS_PER_MAXIMUM;
    let encoded = histogram.to_base64();
    writeln!(text, "{tag}{from_s:.3},{:.3},{maximum:.3},{encoded}", to_s - from_s)
        .expect("writing to memory does not fail");
}

/// Names as the log allows them in tags: without commas, spaces or control characters, and distinct.
fn tags<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for name in names {
        let allowed = |c: char| if c == ',' || c.is_whitespace() || c.is_control() { '_' } else { c };
        let tag: String = name.chars().map(allowed).collect();
        let taken = |tag: &String| tag.is_empty() || tags.contains(tag);
        let numbered = (2..).map(|n| format!("{tag}~{n}"));
        let free = std::iter::once(tag.clone()).chain(numbered).find(|tag| !taken(tag));
        tags.push(free.expect("more numbers than names"));
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::RowTimer;
    use crate::tally::{Merged, StepId};

    #[test]
    fn tags_hold_no_separator_and_are_told_apart() {
        assert_eq!(tags(["Get users", "a,b", "Get_users", ""]), ["Get_users", "a_b", "Get_users~2", "~2"]);
    }

    #[test]
    fn a_log_that_has_grown_too_long_ends_in_one_interval_that_holds_the_rest() {
        let mut intervals = Intervals { most_bytes: 1, ..Intervals::new(["a"]) };
        let mut tally = Merged::new(1);
        for second in 0..4 {
            tally.record_row(StepId(0), RowTimer::ResponseOk, 1_000_000 * (1 + second));
            intervals.add(second as f64, second as f64 + 1.0, tally.rows());
        }
        assert_eq!(intervals.chunks().map(|chunk| chunk.lines().count()).sum::<usize>(), 1);
        let rest = intervals.rest.unwrap();
        assert_eq!((rest.from_s, rest.to_s, rest.scenarios[0].count()), (1.0, 4.0, 2 + 3 + 4));
    }

    /// A snapshot is copied whenever somebody reads it while it changes.
    #[test]
    fn a_copy_of_a_long_log_shares_its_lines() {
        let mut log = Intervals::new(["a"]);
        let mut tally = Merged::new(1);
        for ns in 0..2_000 {
            tally.record_row(StepId(0), RowTimer::ResponseOk, 1_000 * ns * ns);
        }
        for second in 0..1_000 {
            log.add(second as f64, second as f64 + 1.0, tally.rows());
        }
        assert!(log.full.len() > 2 && log.last.len() < CHUNK_BYTES);
        let copy = log.clone();
        assert!(log.full.iter().zip(&copy.full).all(|(a, b)| Arc::ptr_eq(a, b)));
        assert!(log.chunks().all(|chunk| chunk.ends_with('\n') && chunk.len() < 2 * CHUNK_BYTES));
        assert_eq!(log.lines().lines().count(), 1_000);
        let mut restored = Intervals::new(["a"]);
        log.chunks().for_each(|chunk| restored.restore_lines(chunk));
        assert_eq!(restored, log);
    }
}
