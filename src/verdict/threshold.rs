//! Thresholds: whether a figure of the run keeps to its limit, and whether this run can tell.
//!
//! A pipeline acts on the answer, so "no" must mean the target and "yes" must mean that the load was
//! there. Between the two is `inconclusive`, with its reason:
//!
//! | what happened | result |
//! |---|---|
//! | nothing was measured, or too little for the percentile | inconclusive |
//! | holds, and less than 99 % of the asked requests were offered | inconclusive |
//! | a time is over its limit and our own delays may be why | inconclusive |
//! | a time is under a lower limit only with our own delays taken out | inconclusive |
//! | too few requests, and those this generator did not get to would do | inconclusive |
//! | too many errors, and without this machine's own it would hold | inconclusive |
//! | dropped requests while this generator was itself late | inconclusive |
//! | holds otherwise | passed |
//! | does not hold otherwise | failed |
//!
//! What a figure is made of comes in as `Figures`, what the run says of itself as [`Evidence`].

use super::instrument::{BUSY_RATIO_MAX, Cause, Evidence, Instrument, Reason};
use super::instrument::{may_explain_mean, may_explain_quantile};
use crate::plan::{Comparison, Metric, Statistic, Threshold, Timing};
use crate::tally::{Histogram, ThreadHealth, quantile};
use crate::units::{plural, print_percent, print_rate, print_time};

/// The smallest share of the asked requests that must have been offered for a gate to pass.
pub(crate) const OFFERED_RATIO_TO_PASS: f64 = 0.99;

/// What thresholds of the whole run, or of one scenario, are held against: the measured time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures<'a> {
    /// Due to last byte.
    pub(crate) response_time: &'a Histogram,
    /// Send to last byte.
    pub(crate) service_time: &'a Histogram,
    /// Exchanges that ended well.
    pub(crate) completed: u64,
    /// Exchanges that ended otherwise.
    pub(crate) failed: u64,
    /// Requests due and never sent.
    pub(crate) dropped: u64,
    /// Exchanges that ended well per second; `None`: no time was measured.
    pub(crate) rate: Option<f64>,
    /// The measured time in seconds.
    pub(crate) seconds: f64,
}

/// What is known of the instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// What the run says of itself.
    pub(crate) evidence: &'a Evidence<'a>,
    /// What was made of it.
    pub(crate) instrument: &'a Instrument,
}

/// How a threshold came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not, and the target is why.
    Failed,
    /// This run can not tell.
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

    /// The verdict over several: failed if any failed, else inconclusive if any is.
    pub fn over(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::Passed, |worst, one| match (worst, one) {
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
            _ => Self::Passed,
        })
    }
}

/// A threshold held against a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// How it came out.
    pub outcome: Outcome,
    /// The figure, in the unit of [`Threshold::limit`]; `None`: not measured.
    pub(crate) observed: Option<f64>,
    /// How far on the right side of the limit it is, relative to the limit; negative: on the wrong
    /// side. `None`: not measured, or the limit is 0.
    pub(crate) margin: Option<f64>,
    /// Why it is inconclusive, or why it failed against its figure.
    pub reason: Option<String>,
}

/// Hold `threshold` against `figures`.
pub(crate) fn evaluate(threshold: &Threshold, figures: &Figures, context: Context) -> Evaluation {
    let Threshold { metric, comparison, limit, .. } = *threshold;
    let observed = match observe(metric, figures) {
        Ok(observed) => observed,
        Err(reason) => return inconclusive(None, None, reason),
    };
    let margin = (limit != 0.0).then(|| match comparison {
        Comparison::Above | Comparison::AtLeast => (observed - limit) / limit,
        _ => (limit - observed) / limit,
    });
    let holds = comparison.holds(observed, limit);
    let doubt = if holds {
        doubt_passed(threshold, figures, context)
    } else {
        doubt_failed(threshold, observed, figures, context)
    };
    match doubt {
        Some(reason) => inconclusive(Some(observed), margin, reason),
        None => {
            let outcome = if holds { Outcome::Passed } else { Outcome::Failed };
            Evaluation { outcome, observed: Some(observed), margin, reason: None }
        }
    }
}

/// A figure in the unit it is limited in, as people read it.
pub(crate) fn print(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Time(..) => print_time(value.round() as u64),
        Metric::ErrorRate => print_percent(value),
        Metric::Rate => print_rate(value),
        Metric::Dropped | Metric::Count => crate::units::print_count(value as u64),
    }
}

fn inconclusive(observed: Option<f64>, margin: Option<f64>, reason: String) -> Evaluation {
    Evaluation { outcome: Outcome::Inconclusive, observed, margin, reason: Some(reason) }
}

fn times<'a>(timing: Timing, figures: &Figures<'a>) -> &'a Histogram {
    match timing {
        Timing::Response => figures.response_time,
        Timing::Service => figures.service_time,
    }
}

/// The figure, or why there is none.
fn observe(metric: Metric, figures: &Figures) -> Result<f64, String> {
    let ended = figures.completed + figures.failed;
    let nothing = || "nothing was measured".to_owned();
    match metric {
        Metric::Time(timing, statistic) => {
            let times = times(timing, figures);
            let value = match statistic {
                Statistic::Mean => times.mean(),
                Statistic::Max => times.max().map(|ns| ns as f64),
                Statistic::Quantile(q) => match quantile::percentile(times, q) {
                    None if times.count() > 0 => {
                        let needed = plural(quantile::samples_needed(q), "response");
                        return Err(format!(
                            "it takes {needed} to tell, {} came",
                            plural(times.count(), "response")
                        ));
                    }
                    value => value.map(|ns| ns as f64),
                },
            };
            value.ok_or_else(nothing)
        }
        Metric::ErrorRate if ended == 0 => Err(nothing()),
        Metric::ErrorRate => Ok(figures.failed as f64 / ended as f64),
        Metric::Rate => figures.rate.ok_or_else(nothing),
        Metric::Dropped => Ok(figures.dropped as f64),
        Metric::Count => Ok(ended as f64),
    }
}

/// Why a threshold that holds is no reason to pass.
fn doubt_passed(threshold: &Threshold, figures: &Figures, context: Context) -> Option<String> {
    if let Some(ratio) = context.instrument.offered_ratio.filter(|ratio| *ratio < OFFERED_RATIO_TO_PASS) {
        return Some(format!("it holds, but only {} of the asked load was offered", print_percent(ratio)));
    }
    match threshold.metric {
        Metric::Time(timing, statistic) if !threshold.comparison.is_upper_bound() => {
            let ours =
                ours_may_explain(times(timing, figures), timing, statistic, threshold.limit as u64, context);
            ours.then(|| "it holds, but this generator's own delay may be why".to_owned())
        }
        _ => None,
    }
}

/// Why a threshold that does not hold is no reason to fail.
fn doubt_failed(threshold: &Threshold, observed: f64, figures: &Figures, context: Context) -> Option<String> {
    let Threshold { metric, comparison, limit, .. } = *threshold;
    let upper = comparison.is_upper_bound();
    let would_hold = |observed: f64| comparison.holds(observed, limit);
    match metric {
        Metric::Time(timing, statistic) if upper => {
            ours_may_explain(times(timing, figures), timing, statistic, limit as u64, context)
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
        Metric::ErrorRate if upper => {
            let ours = context.evidence.local_errors.min(figures.failed);
            let without = (figures.failed - ours) as f64 / (figures.completed + figures.failed).max(1) as f64;
            let why = || format!("{} this machine's own, without them it would hold", plural_are(ours));
            (ours > 0 && would_hold(without)).then(why)
        }
        Metric::Dropped if upper => {
            let late = |reason: &&Reason| !matches!(reason, Reason::LoadNotOffered { .. });
            context
                .instrument
                .reasons
                .iter()
                .find(late)
                .map(|reason| format!("this generator may be why: {reason}"))
        }
        _ => None,
    }
}

fn plural_are(n: u64) -> String {
    format!("{} {}", plural(n, "failure"), if n == 1 { "is" } else { "are" })
}

/// Requests that this generator may have kept back, and how that is known. In the closed model, where
/// nothing is asked, any number when it was the bottleneck.
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
/// Service time begins with the send, so that no send delay is in it. With user timestamps our
/// wake-up is in both times and in nobody's books: it is held possible when a thread was too busy to
/// be prompt, or late by what is known.
pub(super) fn ours_may_explain(
    times: &Histogram,
    timing: Timing,
    statistic: Statistic,
    limit_ns: u64,
    context: Context,
) -> bool {
    let nothing = Histogram::new();
    let send_delay = match timing {
        Timing::Response => context.evidence.send_delay,
        Timing::Service => &nothing,
    };
    let evidence = Evidence { send_delay, ..*context.evidence };
    let late = context
        .instrument
        .reasons
        .iter()
        .any(|r| matches!(r, Reason::SentLate { .. } | Reason::WorkerLate { .. }));
    let busy = evidence.threads.iter().any(|t| t.busy_ratio() > BUSY_RATIO_MAX);
    if !evidence.kernel_timestamps && (late || busy) {
        return true;
    }
    match statistic {
        Statistic::Quantile(q) => may_explain_quantile(times, q, limit_ns, &evidence),
        Statistic::Max => may_explain_quantile(times, 1.0, limit_ns, &evidence),
        Statistic::Mean => may_explain_mean(times, limit_ns, &evidence),
    }
}

/// Since when each threshold of a run has been failing without a break.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    failing_since_ns: Vec<Option<u64>>,
}

impl Watch {
    /// Take note of how the thresholds stand at `now_ns`; the place of the first that has been
    /// failing for as long as it may.
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
