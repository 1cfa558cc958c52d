//! Judges this tool as a measuring device that may itself be at fault.
//!
//! [`judge`] checks the evidence of a run and lists every reason to doubt it, each with its figure and a
//! remedy. [`may_explain_quantile`] and [`may_explain_mean`] answer a further question about a threshold:
//! could our own error have turned one that holds into one that fails?
//!
//! # Whose delay is it?
//!
//! Slip (due → send began) is the sum of two times: until a connection was free, which is caused by the
//! target or the connection limit, and from there until we sent, which is caused by us. So slip is published
//! but not judged. What is judged is the **send delay**:
//!
//! ```text
//! send delay = send began − max(due, instant the connection it went out on became free)
//! ```
//!
//! A connection becomes free when the kernel had the last byte of its last response (our own read
//! when user timestamps are on), or when our thread learnt that it is established. A request that
//! found a free connection has a send delay equal to its slip; one that waited in the backlog has
//! only what we added after the target let go. Every sent request has one.
//!
//! A pause of ours fills the backlog with requests that came due while a connection was idle. Had we looked,
//! they would not have waited: the time they wait in the backlog after the pause is send delay, too, up to
//! the pause's length.
//!
//! The same distinction gives the cause when the asked load was not offered: requests that found every
//! connection taken, while send delay, receive delay, threads and CPU time are all in order, were held up by
//! the target or by the limit; requests our thread never reached were held up by us. If both are possible,
//! the message mentions both and blames neither.

use super::binomial::{self, Decision};
pub use super::cause::Cause;
pub(crate) use super::evidence::BUSY_RATIO_MAX;
pub use super::evidence::Evidence;
use super::evidence::FEW;
pub use super::reason::Reason;

use crate::tally::Histogram;
use crate::units::{plural, print_percent, print_time};

/// The smallest fraction of the asked requests that must be offered.
const OFFERED_RATIO_MIN: f64 = 0.999;
/// A send delay that is always allowed, in nanoseconds: what a loaded but healthy machine takes to wake a
/// thread.
pub(crate) const SEND_DELAY_FLOOR_NS: u64 = 1_000_000;
/// The send delay may be one tenth of the median response time: an error in the second digit.
const SEND_DELAY_SHARE: u64 = 10;
/// With kernel timestamps a receive delay up to this is always allowed: see [`judge`].
const RECEIVE_DELAY_FLOOR_NS: u64 = SEND_DELAY_FLOOR_NS;
/// What a delayed acknowledgment adds to a response: 40 ms, and the time that the target and the network take.
const DELAYED_NS: std::ops::RangeInclusive<u64> = 40_000_000..=44_500_000;
/// Responses up to this fit into one segment with its head.
const SMALL_RESPONSE_BYTES: u64 = 1_400;
/// The percentile of our own delays that is judged.
const JUDGED_QUANTILE: f64 = 0.99;
/// The largest fraction of their time that load threads may wait for rows of a data file.
const ROWS_AWAITED_MAX: f64 = 0.01;

/// The verdict on this tool's own measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Instrument {
    /// Whether there is no reason to doubt.
    pub trustworthy: bool,
    /// Every reason to doubt, the one that explains most first.
    pub reasons: Vec<Reason>,
    /// Remarks that are no reason to doubt.
    pub notes: Vec<String>,
    /// Offered (attempted) ÷ asked, at most 1; `None` in the closed model and when nothing was asked.
    pub offered_ratio: Option<f64>,
}

/// Judge a measurement.
///
/// In both models the CPU quota must not have throttled us, and this machine must not have run out of a
/// resource. In the open model also
///
/// - offered ÷ asked is at least `OFFERED_RATIO_MIN`;
/// - no thread was busy for more than `BUSY_RATIO_MAX` of the time;
/// - the send delay's p99 is at most `SEND_DELAY_FLOOR_NS` or one tenth of the median response,
///   whichever is larger;
/// - the receive delay's p99 is at most the median service time. With kernel timestamps response
///   and service time end at the kernel's timestamp, so no latency contains a receive delay: it is
///   judged because a thread that leaves responses unread is about to be late with sends. So it may be
///   as long as a send delay, `RECEIVE_DELAY_FLOOR_NS`: a target that wakes from a stall answers all
///   its connections at once, and reading those responses one after the other takes a multiple of the
///   fifteen microseconds in which it sent each. With user timestamps every latency contains the
///   delay, and there is no such allowance.
///
/// In the closed model a busy generator is normal: it follows no schedule, so the slower side sets the pace.
/// That is a note, not a reason.
pub fn judge(evidence: &Evidence) -> Instrument {
    let mut reasons = Vec::new();
    let mut notes = Vec::new();
    if evidence.open_model {
        reasons.extend(saturated(evidence));
        reasons.extend(sent_late(evidence));
        reasons.extend(read_late(evidence));
    } else if let Some((thread, busy_ratio, _)) = evidence.saturated_thread() {
        let busy = print_percent(busy_ratio);
        notes.push(format!(
            "the generator was the bottleneck: thread {thread} was busy {busy}; the target may do more"
        ));
    }
    if evidence.throttled_periods > 0 || evidence.throttled_ns > 0 {
        reasons.push(Reason::Throttled { ns: evidence.throttled_ns, periods: evidence.throttled_periods });
    }
    if evidence.local_errors > 0 {
        reasons.push(Reason::LocalErrors { count: evidence.local_errors });
    }
    if evidence.out_of_data > 0 {
        reasons.push(Reason::DataExhausted);
    }
    if evidence.data_unreadable > 0 {
        reasons.push(Reason::DataUnreadable);
    }
    let observed_ns: u64 = evidence.threads.iter().map(|thread| thread.observed_ns).sum();
    let awaited = evidence.rows_awaited_ns as f64 / observed_ns.max(1) as f64;
    if awaited > ROWS_AWAITED_MAX {
        reasons.push(Reason::DataNotReady { count: evidence.rows_awaited, ratio: awaited });
    }
    if evidence.unaccounted > 0 {
        reasons.push(Reason::CountsDoNotAddUp { difference: evidence.unaccounted });
    }
    let offered_ratio = offered_ratio(evidence);
    let ended_for_data = evidence.data_unreadable + evidence.out_of_data > 0;
    if let Some(ratio) = offered_ratio.filter(|ratio| *ratio < OFFERED_RATIO_MIN && !ended_for_data) {
        let cause = Cause::of(evidence, reasons.is_empty());
        reasons.insert(0, Reason::LoadNotOffered { ratio, missing: evidence.missing(), cause });
    }
    notes.extend(remarks(evidence));
    Instrument { trustworthy: reasons.is_empty(), reasons, notes, offered_ratio }
}

fn offered_ratio(evidence: &Evidence) -> Option<f64> {
    let judged = evidence.open_model && evidence.asked > 0;
    judged.then(|| (evidence.offered() as f64 / evidence.asked as f64).min(1.0))
}

fn saturated(evidence: &Evidence) -> Option<Reason> {
    let (thread, busy_ratio, over) = evidence.saturated_thread()?;
    Some(Reason::ThreadSaturated { thread, busy_ratio, over })
}

fn sent_late(evidence: &Evidence) -> Option<Reason> {
    let p99_ns = evidence.send_delay.quantile(JUDGED_QUANTILE)?;
    let limit_ns = send_delay_limit_ns(evidence);
    let (late, of) = (over(evidence.send_delay, limit_ns), evidence.send_delay.count());
    too_many(late, of).then_some(Reason::SentLate { p99_ns, limit_ns, late, of })
}

/// Whether more than the judged share of `of` events was late. In a small sample one event is more than that by
/// chance, so there the share has to be over it with 95 % confidence.
fn too_many(late: u64, of: u64) -> bool {
    let judged_share = 1.0 - JUDGED_QUANTILE;
    if of < FEW {
        return binomial::decide(late, of, judged_share) == Decision::Broken;
    }
    // The rank of the judged quantile is rounded up.
    late > of - (of as f64 * JUDGED_QUANTILE).ceil() as u64
}

/// How many delays are over `limit_ns`.
fn over(delays: &Histogram, limit_ns: u64) -> u64 {
    let over = delays.buckets().filter(|bucket| !within(bucket.highest_ns, limit_ns));
    over.map(|bucket| bucket.count).sum()
}

pub(super) fn send_delay_limit_ns(evidence: &Evidence) -> u64 {
    let median = evidence.response_time.quantile(0.5).unwrap_or(0);
    SEND_DELAY_FLOOR_NS.max(median / SEND_DELAY_SHARE)
}

/// A note when late sends are too few to be a reason to doubt, but enough to determine the last percentiles.
fn few_sent_late(evidence: &Evidence) -> Option<String> {
    let delays = evidence.send_delay;
    let limit_ns = send_delay_limit_ns(evidence);
    let late = over(delays, limit_ns);
    if !evidence.open_model || late == 0 || sent_late(evidence).is_some() {
        return None;
    }
    let (were, they) = if late == 1 { ("was", "it") } else { ("were", "they") };
    Some(format!(
        "{} {were} sent more than {} after {they} could be, the latest by {}: \
         percentiles of the response time above {:.2} % may show that and not the target",
        plural(late, "request"),
        print_time(limit_ns),
        print_time(delays.max()?),
        // Rounded down: percentiles above the true one are above this one, too.
        ((1.0 - late as f64 / delays.count() as f64) * 1e4).floor() / 100.0,
    ))
}

fn read_late(evidence: &Evidence) -> Option<Reason> {
    let p99_ns = evidence.receive_delay.quantile(JUDGED_QUANTILE)?;
    let floor = if evidence.kernel_timestamps { RECEIVE_DELAY_FLOOR_NS } else { 0 };
    let limit_ns = evidence.service_time.quantile(0.5)?.max(floor);
    let (late, of) = (over(evidence.receive_delay, limit_ns), evidence.receive_delay.count());
    too_many(late, of).then_some(Reason::ReadLate { p99_ns, limit_ns, late, of })
}

/// Whether a quantile is at most `limit_ns`, to the histogram's resolution of three digits: a quantile is
/// reported as its bucket's upper end, which may exceed a bound that every sample kept.
fn within(quantile_ns: u64, limit_ns: u64) -> bool {
    quantile_ns <= limit_ns + limit_ns / 1000
}

fn remarks(evidence: &Evidence) -> Vec<String> {
    let mut notes = Vec::new();
    if !evidence.kernel_timestamps {
        notes.push(
            "receive times were taken in user space: every latency includes the time until this generator woke"
                .into(),
        );
    }
    if evidence.absurd_stamps > 0 {
        notes.push(format!(
            "{} carried a kernel timestamp that cannot be true and were timed in user space",
            plural(evidence.absurd_stamps, "response")
        ));
    }
    notes.extend(few_sent_late(evidence));
    notes.extend(delayed_acknowledgments(evidence));
    let saturated = evidence.response_time.saturated();
    if saturated > 0 {
        notes.push(format!("{} longer than one hour, recorded as one hour", plural(saturated, "exchange")));
    }
    // Threads that were never observed sent nothing for another reason: the run did not begin.
    let was_measured = evidence.threads.iter().any(|thread| thread.observed_ns > 0);
    if evidence.open_model && evidence.asked == 0 && was_measured {
        notes.push("the schedule asked for no request in the measured time".into());
    }
    notes
}

/// A note when small responses take the 40 ms for which Linux delays an acknowledgment (TCP_DELACK_MIN), which a
/// sender with Nagle's algorithm (RFC 896) waits for before it sends the rest of a response.
fn delayed_acknowledgments(evidence: &Evidence) -> Option<String> {
    let times = evidence.service_time;
    let quartiles = [times.quantile(0.25)?, times.quantile(0.5)?, times.quantile(0.75)?];
    let is_small = evidence.received_bytes / times.count() <= SMALL_RESPONSE_BYTES;
    if times.count() < FEW || !is_small || !quartiles.iter().all(|ns| DELAYED_NS.contains(ns)) {
        return None;
    }
    Some(format!(
        "half of the requests took {} to {} with small responses: the target may send a response in several small \
         writes, each of which waits for a delayed acknowledgment; try TCP_NODELAY there, or one write for each response",
        print_time(quartiles[0]),
        print_time(quartiles[2])
    ))
}

/// Whether our own error may be why the `q`-quantile (0..=1; 1 is the maximum) of `response` is at or over
/// `limit_ns`. With kernel timestamps `false` is a proof that the target alone was too slow; with user
/// timestamps our wake-up after a response is in R and is not measured.
///
/// Let R be a response time and E ≥ 0 the send delay in it. For any e, #{R − E ≥ limit} ≥ #{R ≥ limit + e} −
/// #{E > e}: however our delays are distributed over the samples, at most #{E > e} of the responses slower
/// than limit + e have more than e from us. If for some e the right side exceeds (1 − q)·N, the quantile is
/// over the limit even without our part. A quota that throttled us can also have throttled a target in the
/// same control group, which no send delay shows: an excess no longer than the throttled time counts as
/// explained. The evidence may be of all scenarios while `response` is of one: more delays than its own only
/// make the proof harder.
pub fn may_explain_quantile(response: &Histogram, q: f64, limit_ns: u64, evidence: &Evidence) -> bool {
    let Some(observed) = response.quantile(q) else { return false };
    if evidence.throttled_ns > 0 && observed.saturating_sub(limit_ns) <= evidence.throttled_ns {
        return true;
    }
    let allowed = (1.0 - q) * response.count() as f64;
    certainly_at_least(response, limit_ns, evidence.send_delay) as f64 <= allowed
}

/// How many of `times` would be at least `bound_ns` with every send delay taken out, however the delays are spread
/// over them: for each delay e, those of at least `bound_ns` + e, less as many as were delayed for longer.
pub(super) fn certainly_at_least(times: &Histogram, bound_ns: u64, send_delay: &Histogram) -> u64 {
    // Only at the recorded delays, and at none, does the number of longer ones change.
    let mut longer = send_delay.count();
    let mut candidates = vec![(0, longer)];
    for bucket in send_delay.buckets() {
        longer -= bucket.count;
        candidates.push((bucket.highest_ns, longer));
    }
    let at_least = counts_from_top(times);
    let certain = candidates.into_iter().map(|(e, longer)| {
        let bound = bound_ns.saturating_add(e);
        let from = at_least.partition_point(|(lowest, _)| *lowest < bound);
        at_least.get(from).map_or(0, |(_, n)| *n).saturating_sub(longer)
    });
    certain.max().unwrap_or(0)
}

/// Whether our own error may be why the mean of `response` is at or over `limit_ns`: the mean without all
/// send delays and the throttled time decides.
pub fn may_explain_mean(response: &Histogram, limit_ns: u64, evidence: &Evidence) -> bool {
    let Some(observed) = response.mean() else { return false };
    let ours = evidence.send_delay.mean().unwrap_or(0.0) * evidence.send_delay.count() as f64;
    let throttled = evidence.throttled_ns as f64;
    observed - ours / response.count() as f64 - throttled < limit_ns as f64
}

/// For each bucket, its lowest value and how many samples lie in it or above.
fn counts_from_top(histogram: &Histogram) -> Vec<(u64, u64)> {
    let mut left = histogram.count();
    histogram
        .buckets()
        .map(|bucket| {
            let at_least = left;
            left -= bucket.count;
            (bucket.lowest_ns, at_least)
        })
        .collect()
}
