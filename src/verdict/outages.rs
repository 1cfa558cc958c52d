//! Time without an answer: the longest gap, and the share of the measured time outside of outages.

use crate::tally::{Availability, Gap};

/// A gap is an outage when it is longer than this, in nanoseconds, …
const OUTAGE_NS: u64 = 1_000_000_000;
/// … and longer than so many times the median response time of requests that ended well.
const OUTAGE_MEDIANS: u64 = 10;

/// What the gaps of a run come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outages {
    /// 1 − outages ÷ measured time, in 0..=1.
    pub(crate) answered_share: f64,
    /// The length of all outages together, in nanoseconds.
    pub(crate) outage_ns: u64,
    /// The longest gap, the first of several; `None`: there is none.
    pub(crate) longest_gap: Option<Gap>,
}

impl Outages {
    /// Of the first `measured_ns`; `None`: nothing was measured. `median_ns`: of the response times of
    /// requests that ended well. Without any, no time was answered in which requests waited, however short it was.
    pub(crate) fn of(availability: &Availability, measured_ns: u64, median_ns: Option<u64>) -> Option<Self> {
        if measured_ns == 0 {
            return None;
        }
        let gaps = availability.gaps(measured_ns);
        let least_ns =
            median_ns.map_or(0, |median_ns| OUTAGE_NS.max(median_ns.saturating_mul(OUTAGE_MEDIANS)));
        let outage_ns = gaps.iter().map(|gap| gap.length_ns).filter(|length_ns| *length_ns > least_ns).sum();
        let longest_gap = gaps.into_iter().rev().max_by_key(|gap| gap.length_ns);
        let is_unanswered = median_ns.is_none() && longest_gap.is_some();
        let answered_share = if is_unanswered { 0.0 } else { 1.0 - outage_ns as f64 / measured_ns as f64 };
        Some(Self { answered_share, outage_ns, longest_gap })
    }

    /// The worse of both in each respect.
    pub(crate) fn worse(self, other: Self) -> Self {
        let gap = |outages: &Self| outages.longest_gap.map_or(0, |gap| gap.length_ns);
        Self {
            answered_share: self.answered_share.min(other.answered_share),
            outage_ns: self.outage_ns.max(other.outage_ns),
            longest_gap: if gap(&other) > gap(&self) { other.longest_gap } else { self.longest_gap },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Recorder;

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;

    fn outages(gaps: &[(u64, u64)], median_ns: u64) -> Outages {
        let mut recorder = Recorder::new(0);
        gaps.iter().for_each(|(from_ns, to_ns)| recorder.waited(*from_ns, *to_ns - 1));
        let mut availability = Availability::default();
        recorder.drain_into(&mut availability);
        Outages::of(&availability, 10 * S, Some(median_ns)).unwrap()
    }

    #[test]
    fn gaps_of_more_than_a_second_and_ten_medians_are_outages() {
        let gap = Gap { from_ns: 2 * S, length_ns: 3 * S };
        let found = outages(&[(0, 900 * MS), (2 * S, 5 * S), (7 * S, 8 * S)], MS);
        assert_eq!((found.outage_ns, found.longest_gap), (3 * S, Some(gap)));
        assert!((found.answered_share - 0.7).abs() < 1e-9, "{found:?}");
        assert_eq!(outages(&[(2 * S, 5 * S)], 400 * MS).outage_ns, 0, "one slow answer is no outage");
        assert_eq!(outages(&[], MS), Outages { answered_share: 1.0, outage_ns: 0, longest_gap: None });
        let nothing = Availability::default();
        assert_eq!(Outages::of(&nothing, 1, Some(MS)).map(|found| found.answered_share), Some(1.0));
        assert_eq!(Outages::of(&nothing, 0, Some(MS)), None);
    }

    #[test]
    fn without_a_good_answer_no_time_is_answered_however_short_the_run() {
        let mut recorder = Recorder::new(0);
        recorder.waited(0, 40 * MS);
        let mut availability = Availability::default();
        recorder.drain_into(&mut availability);
        let found = Outages::of(&availability, 50 * MS, None).unwrap();
        assert_eq!((found.answered_share, found.outage_ns), (0.0, 50 * MS));
    }
}
