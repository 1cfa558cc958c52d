//! How many requests were over a limit on a time, and how many of those this tool cannot have pushed over it.

use super::figures::{Context, Figures, blind};
use super::instrument::{Cause, Reason, certainly_at_least};
use crate::plan::Timing;
use crate::tally::Histogram;

/// Requests over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over {
    /// Those that were over it because of the target, whatever this tool added.
    pub(super) certain: u64,
    /// Those that were over it, for any reason.
    pub(super) possible: u64,
    /// Of `possible` those that failed, or were due and never ended.
    pub(super) unanswered: u64,
    /// Requests that are counted at all.
    pub(super) of: u64,
}

impl Over {
    /// Requests that took `bound_ns` or more. Of all requests, one that failed, was dropped or stayed unfinished
    /// is over every limit; among those that ended well, and among those that failed, times alone decide.
    pub(super) fn of(timing: Timing, bound_ns: u64, figures: &Figures, context: Context) -> Self {
        let times = figures.times(timing);
        let slower = at_least(times, bound_ns);
        let certain = if blind(context) { 0 } else { certain(times, timing, bound_ns, context).min(slower) };
        if matches!(timing, Timing::Ok | Timing::Failed) {
            return Self { certain, possible: slower, unanswered: 0, of: times.count() };
        }
        let lost = figures.dropped + figures.unfinished;
        let ours = figures.local_errors.min(figures.failed) + if lost_by_us(context) { lost } else { 0 };
        let unanswered = figures.failed + lost;
        Self {
            certain: certain + (unanswered - ours),
            possible: slower + unanswered,
            unanswered,
            of: times.count() + unanswered,
        }
    }

    /// Failed requests among those that ended.
    pub(super) fn failed(figures: &Figures) -> Self {
        let possible = figures.failed;
        Self {
            certain: possible - figures.local_errors.min(possible),
            possible,
            unanswered: possible,
            of: figures.completed + figures.failed,
        }
    }
}

/// How many lie in buckets that reach `bound_ns`.
fn at_least(times: &Histogram, bound_ns: u64) -> u64 {
    times.buckets().filter(|bucket| bucket.highest_ns >= bound_ns).map(|bucket| bucket.count).sum()
}

fn certain(times: &Histogram, timing: Timing, bound_ns: u64, context: Context) -> u64 {
    let nothing = Histogram::new();
    // Service time begins with the send: no send delay is in it.
    let send_delay = if timing == Timing::Service { &nothing } else { context.evidence.send_delay };
    certainly_at_least(times, bound_ns.saturating_add(context.evidence.throttled_ns), send_delay)
}

/// Whether requests may have been dropped, or not come to an end, because of this tool.
fn lost_by_us(context: Context) -> bool {
    context.instrument.reasons.iter().any(|reason| match reason {
        Reason::LoadNotOffered { cause, .. } => *cause != Cause::Connections,
        _ => true,
    })
}
