//! Single responses kept beside the counts.

use std::collections::BTreeMap;

use super::{FailureSample, FirstSeen, MAX_FAILURE_SAMPLES, Outcome, StepId};
use crate::http::CapturedResponse;

/// The first exchange of each outcome, samples of broken expectations, the last response, and the last request that
/// was rendered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// For each outcome, by its index.
    pub(crate) first: [Option<FirstSeen>; Outcome::COUNT],
    pub(crate) failure_samples: Vec<FailureSample>,
    pub(crate) captured: Option<Box<CapturedResponse>>,
    pub(crate) request: Option<Box<[u8]>>,
}

impl Seen {
    /// Keep the earliest failure of each kind per step, and at most [`MAX_FAILURE_SAMPLES`] kinds.
    fn merge_specimens(&mut self, theirs: &[FailureSample]) {
        // Thousands of steps may fail at once, so there is no search through all samples for each.
        let mut places = BTreeMap::<StepId, Vec<usize>>::new();
        for (place, mine) in self.failure_samples.iter().enumerate() {
            places.entry(mine.step).or_default().push(place);
        }
        for failure_sample in theirs {
            let of_step = places.entry(failure_sample.step).or_default();
            match of_step.iter().find(|place| self.failure_samples[**place].broken == failure_sample.broken) {
                Some(place) if failure_sample.at_ns < self.failure_samples[*place].at_ns => {
                    self.failure_samples[*place] = failure_sample.clone();
                }
                None if of_step.len() < MAX_FAILURE_SAMPLES => {
                    of_step.push(self.failure_samples.len());
                    self.failure_samples.push(failure_sample.clone());
                }
                _ => {}
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.first.iter_mut().zip(&other.first) {
            if let Some(seen) = theirs
                && mine.as_ref().is_none_or(|m| seen.at_ns < m.at_ns)
            {
                *mine = Some(seen.clone());
            }
        }
        if !other.failure_samples.is_empty() {
            self.merge_specimens(&other.failure_samples);
        }
        if other.captured.is_some() {
            self.captured.clone_from(&other.captured);
        }
        if other.request.is_some() {
            self.request.clone_from(&other.request);
        }
    }

    pub(crate) fn clear(&mut self) {
        let Self { first, failure_samples, captured, request } = self;
        first.fill_with(|| None);
        failure_samples.clear();
        (*captured, *request) = (None, None);
    }

    /// Make times relative to `start_ns`.
    pub(crate) fn count_from(&mut self, start_ns: u64) {
        let first = self.first.iter_mut().flatten().map(|seen| &mut seen.at_ns);
        let instants = first.chain(self.failure_samples.iter_mut().map(|seen| &mut seen.at_ns));
        instants.for_each(|at_ns| *at_ns = at_ns.saturating_sub(start_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::BrokenRule;

    fn failure_sample(step: u32, status: u16, at_ns: u64) -> FailureSample {
        let broken = BrokenRule::Status(status);
        FailureSample {
            at_ns,
            step: StepId(step),
            broken,
            status,
            what: String::new(),
            excerpt: String::new(),
        }
    }

    #[test]
    fn of_each_step_the_earliest_of_each_kind_and_few_kinds_are_kept() {
        let window = |failure_samples: Vec<FailureSample>| Seen { failure_samples, ..Seen::default() };
        let mut all = Seen::default();
        all.merge(&window(vec![failure_sample(1, 500, 20), failure_sample(0, 500, 20)]));
        all.merge(&window(vec![
            failure_sample(1, 500, 10),
            failure_sample(0, 500, 30),
            failure_sample(1, 503, 5),
        ]));
        assert_eq!(
            all.failure_samples,
            [failure_sample(1, 500, 10), failure_sample(0, 500, 20), failure_sample(1, 503, 5)]
        );
        all.merge(&window((0..100).map(|status| failure_sample(0, status, 1)).collect()));
        assert_eq!(all.failure_samples.len(), 2 + MAX_FAILURE_SAMPLES);
    }

    #[test]
    fn a_failure_of_each_of_many_steps_is_merged_in_no_time() {
        let kinds = MAX_FAILURE_SAMPLES as u16;
        let failure_samples =
            (0..5_000).flat_map(|step| (0..kinds).map(move |kind| failure_sample(step, kind, 1))).collect();
        let window = Seen { failure_samples, ..Seen::default() };
        let mut all = Seen::default();
        (0..20).for_each(|_| all.merge(&window));
        assert_eq!(all.failure_samples.len(), 25_000);
    }
}
