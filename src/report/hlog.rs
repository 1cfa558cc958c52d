//! Response times window by window as an HdrHistogram interval log, version 1.3, for the tools that
//! read such logs. Values are nanoseconds.
//!
//! An untagged interval holds all scenarios; where there are several, each has one of its own beside it,
//! tagged with its name. Merging the intervals of one tag gives the histogram of the whole run. The
//! windows are encoded as they close ([`crate::run::Intervals`]), and only when a log is asked for: whole histograms
//! of every second are too large to keep. What stays out: which windows there are.

use crate::run::Snapshot;

/// The log of a run whose windows were kept ([`Snapshot::intervals`]); without them it has no interval.
pub fn text(snapshot: &Snapshot) -> String {
    let began = snapshot.started_at + snapshot.run.warmup_ns as f64 / 1e9;
    let mut text = format!(
        "#[Logged by loadtester {}, response times in nanoseconds, maxima in milliseconds]\n\
         #[Histogram log format version 1.3]\n\
         #[StartTime: {began:.3} (seconds since epoch)]\n\
         #[BaseTime: {began:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(intervals) = &snapshot.intervals {
        text += &intervals.lines();
    }
    text
}
