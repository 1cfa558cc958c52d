//! Evaluates thresholds: whether a figure of the run meets its limit, and whether this run can show it.
//!
//! A pipeline acts on the answer, so "no" must mean the target and "yes" must mean that the load was there.
//! Between the two is `inconclusive`, with its reason.
//!
//! A limit on a percentile or on a share of requests is decided by counts, see `verdict::binomial`: `p99 < 250ms`
//! says that at most 1 % of the requests took 250 ms or more.
//!
//! | what happened | result |
//! |---|---|
//! | the requests over the limit are certainly too many, our own delays taken out | failed |
//! | the requests over the limit are certainly few enough, our own delays left in | passed |
//! | neither | inconclusive |
//!
//! Any other figure is held against its limit as it is:
//!
//! | what happened | result |
//! |---|---|
//! | nothing was measured | inconclusive |
//! | a time is over its limit and our own delays may be why | inconclusive |
//! | a time is under a lower limit only with our own delays taken out | inconclusive |
//! | too few requests, and those this generator did not get to would do | inconclusive |
//! | dropped requests while this generator was itself late | inconclusive |
//! | no answer for a while, and this generator was held up for as long | inconclusive |
//! | holds otherwise | passed |
//! | does not hold otherwise | failed |
//!
//! What holds is inconclusive all the same when less than 99 % of the asked requests were offered.
//!
//! What a figure is made of comes in as `Figures`, what the run says of itself as [`Evidence`].

use super::binomial::{self, Decision};
use super::figures::blind;
pub(crate) use super::figures::{Context, Figures};
use super::instrument::{BUSY_RATIO_MAX, Cause, Evidence, Reason};
use super::instrument::{may_explain_mean, may_explain_quantile};
use super::over::Over;
use crate::plan::{Comparison, Metric, Statistic, Threshold, Timing};
use crate::tally::{Histogram, ThreadHealth, quantile};
use crate::units::{plural, print_count, print_percent};

/// The smallest fraction of the asked requests that must have been offered for a threshold to pass.
pub(crate) const OFFERED_RATIO_TO_PASS: f64 = 0.99;

/// How a threshold came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold, because of the target.
    Failed,
    /// This run cannot tell.
    #[default]
    Inconclusive,
}

impl Outcome {
    /// The name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The combined result: failed if any failed, else inconclusive if any is.
    pub fn over(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::Passed, |worst, one| match (worst, one) {
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
            _ => Self::Passed,
        })
    }
}

/// A threshold held against a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Whether it holds, or cannot be decided.
    pub outcome: Outcome,
    /// The figure, in the unit of [`Threshold::limit`]; `None`: not measured, or the sample does not support it.
    pub(crate) observed: Option<f64>,
    /// Distance to the limit, relative to the limit: positive where the threshold holds, negative where it
    /// does not. `None`: not measured, or the limit is 0.
    pub(crate) margin: Option<f64>,
    /// Where counts decide: requests over the limit, and all of them.
    pub(crate) over: Option<(u64, u64)>,
    /// Why it is inconclusive, or why it failed against its figure.
    pub reason: Option<String>,
}

/// Evaluate `threshold` with `figures`.
pub(crate) fn evaluate(threshold: &Threshold, figures: &Figures, context: Context) -> Evaluation {
    let Threshold { metric, comparison, limit, .. } = *threshold;
    match metric {
        Metric::Time(timing, Statistic::Quantile(q)) => {
            // `<` and `>=` speak of those at the limit, `<=` and `>` of those above it.
            let beyond = matches!(comparison, Comparison::AtMost | Comparison::Above);
            let over = Over::of(timing, limit as u64 + u64::from(beyond), figures, context);
            let observed = percentile(timing, q, figures, over);
            by_counts(threshold, over, 1.0 - q, observed, context)
        }
        Metric::ErrorRate if comparison != Comparison::Equal || limit == 0.0 => {
            let over = Over::failed(figures);
            let observed = (over.of > 0).then(|| over.possible as f64 / over.of as f64);
            by_counts(threshold, over, limit, observed, context)
        }
        _ => by_figure(threshold, figures, context),
    }
}

/// The share of requests that may be over `threshold`; `None`: counts do not decide it.
pub(crate) fn allowed_over(threshold: &Threshold) -> Option<f64> {
    match threshold.metric {
        Metric::Time(_, Statistic::Quantile(q)) => Some(1.0 - q),
        Metric::ErrorRate if threshold.comparison != Comparison::Equal => Some(threshold.limit),
        _ => None,
    }
    .filter(|allowed| *allowed > 0.0 && threshold.comparison.is_upper_bound())
}

/// Decide by how many requests are over the limit, of which `allowed` is the largest share that may be.
fn by_counts(
    threshold: &Threshold,
    over: Over,
    allowed: f64,
    observed: Option<f64>,
    context: Context,
) -> Evaluation {
    let upper = threshold.comparison.is_upper_bound();
    let held = |count: u64| match binomial::decide(count, over.of, allowed) {
        Decision::Undecided => None,
        decision => Some((decision == Decision::Kept) == upper),
    };
    let (outcome, reason) = match (held(over.certain), held(over.possible)) {
        _ if over.of == 0 => (Outcome::Inconclusive, Some("nothing was measured".to_owned())),
        // An upper limit is broken by what is certainly over it; a lower one is kept by that.
        (Some(false), _) if upper => (Outcome::Failed, counted(threshold, over)),
        (_, Some(false)) if !upper => (Outcome::Failed, None),
        (_, Some(true)) if upper => passed(context),
        (Some(true), _) if !upper => passed(context),
        (_, Some(false)) if over.unanswered > 0 && matches!(threshold.metric, Metric::ErrorRate) => (
            Outcome::Inconclusive,
            Some(format!(
                "{} this machine's own, without them the threshold would not fail",
                plural_are(over.possible - over.certain)
            )),
        ),
        (_, Some(false)) => {
            (Outcome::Inconclusive, Some("this generator's own delay may explain it".to_owned()))
        }
        _ => (Outcome::Inconclusive, Some(undecided(threshold, over, allowed))),
    };
    let margin = observed.and_then(|observed| margin(threshold, observed));
    Evaluation { outcome, observed, margin, over: Some((over.possible, over.of)), reason }
}

/// What holds passes only if the asked load was there.
fn passed(context: Context) -> (Outcome, Option<String>) {
    match context.instrument.offered_ratio.filter(|ratio| *ratio < OFFERED_RATIO_TO_PASS) {
        Some(ratio) => {
            let why = format!("it holds, but only {} of the asked load was offered", print_percent(ratio));
            (Outcome::Inconclusive, Some(why))
        }
        None => (Outcome::Passed, None),
    }
}

/// What decided it. For a time: what a reader of the distribution of times would not see.
fn counted(threshold: &Threshold, over: Over) -> Option<String> {
    if matches!(threshold.metric, Metric::ErrorRate) {
        return Some(failed_of(over));
    }
    let of = plural(over.of, "request");
    match (over.possible - over.unanswered, over.unanswered) {
        (_, 0) => None,
        (0, n) => Some(format!("{} of {of} failed or never ended, which counts as over it", print_count(n))),
        (slower, n) => Some(format!(
            "{} of {of} are over it: {} took longer, {} failed or never ended",
            print_count(over.possible),
            print_count(slower),
            print_count(n)
        )),
    }
}

fn failed_of(over: Over) -> String {
    format!("{} of {} failed", print_count(over.possible), plural(over.of, "request"))
}

fn undecided(threshold: &Threshold, over: Over, allowed: f64) -> String {
    let so_far = match threshold.metric {
        Metric::ErrorRate => failed_of(over),
        _ => format!("{} of {} over it", print_count(over.possible), plural(over.of, "request")),
    };
    match binomial::needed(over.possible, over.of, allowed) {
        Some(n) if n > over.of => format!("{so_far}: it takes {} to decide", plural(n, "such request")),
        _ => format!("{so_far}, exactly the allowed share: more requests like these would not decide"),
    }
}

/// The percentile at quantile `q` in nanoseconds, where requests that were not answered are slower than all others;
/// `None`: it is one of those, or the sample does not support it.
fn percentile(timing: Timing, q: f64, figures: &Figures, over: Over) -> Option<f64> {
    if over.of < quantile::samples_needed(q) {
        return None;
    }
    let times = figures.times(timing);
    let rank = (q * over.of as f64 - 1e-6).ceil().max(1.0);
    let of_answered = (rank - 0.5) / times.count().max(1) as f64;
    (of_answered <= 1.0).then(|| times.quantile(of_answered)).flatten().map(|ns| ns as f64)
}

fn margin(threshold: &Threshold, observed: f64) -> Option<f64> {
    let Threshold { comparison, limit, .. } = *threshold;
    (limit != 0.0).then(|| match comparison {
        Comparison::Above | Comparison::AtLeast => (observed - limit) / limit,
        _ => (limit - observed) / limit,
    })
}

/// Hold the figure as it is against the limit.
fn by_figure(threshold: &Threshold, figures: &Figures, context: Context) -> Evaluation {
    let Some(observed) = observe(threshold.metric, figures) else {
        let reason = Some("nothing was measured".to_owned());
        return Evaluation { outcome: Outcome::Inconclusive, reason, ..Evaluation::default() };
    };
    let holds = threshold.comparison.holds(observed, threshold.limit);
    let doubt = if holds {
        doubt_passed(threshold, figures, context)
    } else {
        doubt_failed(threshold, observed, figures, context)
    };
    let (outcome, reason) = match doubt {
        Some(reason) => (Outcome::Inconclusive, Some(reason)),
        None if holds => passed(context),
        None => (Outcome::Failed, None),
    };
    let margin = margin(threshold, observed);
    Evaluation { outcome, observed: Some(observed), margin, over: None, reason }
}

/// The figure; `None`: nothing was measured.
fn observe(metric: Metric, figures: &Figures) -> Option<f64> {
    let ended = figures.completed + figures.failed;
    match metric {
        Metric::Time(timing, statistic) => {
            let times = figures.all_times(timing);
            match statistic {
                Statistic::Mean => times.mean(),
                Statistic::Max => times.max().map(|ns| ns as f64),
                Statistic::Quantile(q) => quantile::percentile(times, q).map(|ns| ns as f64),
            }
        }
        Metric::ErrorRate => (ended > 0).then(|| figures.failed as f64 / ended as f64),
        Metric::Rate => figures.rate,
        Metric::Dropped => Some(figures.dropped as f64),
        Metric::Count => Some(ended as f64),
        Metric::AnsweredShare => figures.outages.map(|outages| outages.answered_share),
        Metric::LongestGap => {
            figures.outages.map(|outages| outages.longest_gap.map_or(0.0, |gap| gap.length_ns as f64))
        }
    }
}

/// Why a figure that holds is no reason to pass, beyond [`passed`].
fn doubt_passed(threshold: &Threshold, figures: &Figures, context: Context) -> Option<String> {
    match threshold.metric {
        Metric::Time(timing, statistic) if !threshold.comparison.is_upper_bound() => {
            let limit_ns = threshold.limit as u64;
            ours_may_explain(figures.all_times(timing), timing, statistic, limit_ns, context)
                .then(|| "it holds, but this generator's own delay may be why".to_owned())
        }
        _ => None,
    }
}

/// Why a figure that does not hold is no reason to fail.
fn doubt_failed(threshold: &Threshold, observed: f64, figures: &Figures, context: Context) -> Option<String> {
    let Threshold { metric, comparison, limit, .. } = *threshold;
    let upper = comparison.is_upper_bound();
    let would_hold = |observed: f64| comparison.holds(observed, limit);
    match metric {
        Metric::Time(timing, statistic) if upper => {
            ours_may_explain(figures.all_times(timing), timing, statistic, limit as u64, context)
                .then(|| "this generator's own delay may explain it".to_owned())
        }
        Metric::Rate if !upper => match not_offered_by_us(context) {
            Some((missing, why)) if would_hold(observed + missing as f64 / figures.seconds.max(1e-9)) => {
                Some(why)
            }
            _ => None,
        },
        Metric::Count if !upper => match not_offered_by_us(context) {
            Some((missing, why)) if would_hold(observed + missing as f64) => Some(why),
            _ => None,
        },
        Metric::Dropped if upper => {
            let late = |reason: &&Reason| !matches!(reason, Reason::LoadNotOffered { .. });
            let reason = context.instrument.reasons.iter().find(late);
            reason.map(|reason| format!("this generator may be why: {reason}"))
        }
        Metric::AnsweredShare | Metric::LongestGap => {
            let gap_ns = figures.outages.and_then(|outages| outages.longest_gap)?.length_ns;
            (held_up_ns(context) >= gap_ns)
                .then(|| "this generator was itself held up for as long".to_owned())
        }
        _ => None,
    }
}

/// The longest that this generator was late at reading, or could not run, in nanoseconds.
fn held_up_ns(context: Context) -> u64 {
    let evidence = context.evidence;
    let read_late = evidence.receive_delay.max().unwrap_or(0);
    let sent_late = if evidence.kernel_timestamps { 0 } else { evidence.send_delay.max().unwrap_or(0) };
    read_late.max(sent_late).max(evidence.throttled_ns)
}

fn plural_are(n: u64) -> String {
    format!("{} {}", plural(n, "failure"), if n == 1 { "is" } else { "are" })
}

/// Requests that this generator may have held back, and the explanation. In the closed model, which has no
/// schedule, any number if it was the bottleneck.
pub(super) fn not_offered_by_us(context: Context) -> Option<(u64, String)> {
    if !context.evidence.open_model {
        let busiest = context.evidence.threads.iter().map(ThreadHealth::busy_ratio).fold(0.0, f64::max);
        let why =
            || format!("this generator was the bottleneck: a thread was busy {}", print_percent(busiest));
        return (busiest > BUSY_RATIO_MAX).then(|| (u64::MAX, why()));
    }
    context.instrument.reasons.iter().find_map(|reason| match reason {
        Reason::LoadNotOffered { missing, cause, .. } if *cause != Cause::Connections => Some((
            *missing,
            format!("{} may be missing because of this generator", plural(*missing, "request")),
        )),
        _ => None,
    })
}

/// Whether our own error may be why a time is at or over `limit_ns`.
///
/// Service time begins with the send, so that no send delay is in it.
pub(super) fn ours_may_explain(
    times: &Histogram,
    timing: Timing,
    statistic: Statistic,
    limit_ns: u64,
    context: Context,
) -> bool {
    let nothing = Histogram::new();
    let send_delay = if timing == Timing::Service { &nothing } else { context.evidence.send_delay };
    let evidence = Evidence { send_delay, ..*context.evidence };
    if blind(context) {
        return true;
    }
    match statistic {
        Statistic::Quantile(q) => may_explain_quantile(times, q, limit_ns, &evidence),
        Statistic::Max => may_explain_quantile(times, 1.0, limit_ns, &evidence),
        Statistic::Mean => may_explain_mean(times, limit_ns, &evidence),
    }
}

/// Tracks since when each threshold of a run has been failing without a break.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    failing_since_ns: Vec<Option<u64>>,
}

impl Watch {
    /// Record the evaluations at `now_ns`. Returns the index of the first threshold that has been failing for
    /// its `abort_after`.
    pub fn observe(
        &mut self,
        now_ns: u64,
        thresholds: &[Threshold],
        evaluations: &[Evaluation],
    ) -> Option<usize> {
        self.failing_since_ns.resize(thresholds.len(), None);
        let each = self.failing_since_ns.iter_mut().zip(thresholds).zip(evaluations);
        let mut ripe = None;
        for (i, ((since, threshold), evaluation)) in each.enumerate() {
            if evaluation.outcome != Outcome::Failed {
                *since = None;
                continue;
            }
            let failing_ns = now_ns.saturating_sub(*since.get_or_insert(now_ns));
            if threshold.abort_after_ns.is_some_and(|after| failing_ns >= after) {
                ripe = ripe.or(Some(i));
            }
        }
        ripe
    }
}
