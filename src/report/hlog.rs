//! Response times window by window as an HdrHistogram interval log, version 1.3. Values are nanoseconds.
//!
//! An untagged interval covers all scenarios. If there are several, each has its own interval, too, tagged
//! with its name. Merging the intervals of one tag gives the histogram of the whole run. Windows are encoded
//! as they close ([`crate::run::Intervals`]), and only if a log is written, since the full histograms of
//! every second are too large to keep.

use crate::run::Snapshot;

/// The log of a run whose windows were kept ([`Snapshot::intervals`]); otherwise a log without intervals.
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
