//! What is kept of single responses beside the counts.

use std::collections::BTreeMap;

use super::{FirstSeen, MAX_SPECIMENS, Outcome, Specimen, StepId};
use crate::http::CapturedResponse;

/// Where each outcome was seen first, which expectations were broken, and the last response.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// For each outcome, by its index.
    pub(crate) first: [Option<FirstSeen>; Outcome::COUNT],
    pub(crate) specimens: Vec<Specimen>,
    pub(crate) captured: Option<Box<CapturedResponse>>,
}

impl Seen {
    /// Keep of each step the earliest specimen of each kind, and [`MAX_SPECIMENS`] kinds.
    fn merge_specimens(&mut self, theirs: &[Specimen]) {
        // Thousands of steps may fail at once: no search through all of them for each.
        let mut places = BTreeMap::<StepId, Vec<usize>>::new();
        for (place, mine) in self.specimens.iter().enumerate() {
            places.entry(mine.step).or_default().push(place);
        }
        for specimen in theirs {
            let of_step = places.entry(specimen.step).or_default();
            match of_step.iter().find(|place| self.specimens[**place].broken == specimen.broken) {
                Some(place) if specimen.at_ns < self.specimens[*place].at_ns => {
                    self.specimens[*place] = specimen.clone();
                }
                None if of_step.len() < MAX_SPECIMENS => {
                    of_step.push(self.specimens.len());
                    self.specimens.push(specimen.clone());
                }
                _ => {}
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.first.iter_mut().zip(&other.first) {
            if let Some(seen) = theirs
                && mine.is_none_or(|m| seen.at_ns < m.at_ns)
            {
                *mine = Some(*seen);
            }
        }
        if !other.specimens.is_empty() {
            self.merge_specimens(&other.specimens);
        }
        if other.captured.is_some() {
            self.captured.clone_from(&other.captured);
        }
    }

    pub(crate) fn clear(&mut self) {
        let Self { first, specimens, captured } = self;
        first.fill(None);
        specimens.clear();
        *captured = None;
    }

    /// Count instants from `start_ns` on.
    pub(crate) fn count_from(&mut self, start_ns: u64) {
        let first = self.first.iter_mut().flatten().map(|seen| &mut seen.at_ns);
        let instants = first.chain(self.specimens.iter_mut().map(|seen| &mut seen.at_ns));
        instants.for_each(|at_ns| *at_ns = at_ns.saturating_sub(start_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Broken;

    fn specimen(step: u32, status: u16, at_ns: u64) -> Specimen {
        let broken = Broken::Status(status);
        Specimen { at_ns, step: StepId(step), broken, status, what: String::new(), excerpt: String::new() }
    }

    #[test]
    fn of_each_step_the_earliest_of_each_kind_and_few_kinds_are_kept() {
        let window = |specimens: Vec<Specimen>| Seen { specimens, ..Seen::default() };
        let mut all = Seen::default();
        all.merge(&window(vec![specimen(1, 500, 20), specimen(0, 500, 20)]));
        all.merge(&window(vec![specimen(1, 500, 10), specimen(0, 500, 30), specimen(1, 503, 5)]));
        assert_eq!(all.specimens, [specimen(1, 500, 10), specimen(0, 500, 20), specimen(1, 503, 5)]);
        all.merge(&window((0..100).map(|status| specimen(0, status, 1)).collect()));
        assert_eq!(all.specimens.len(), 2 + MAX_SPECIMENS);
    }

    #[test]
    fn a_failure_of_each_of_many_steps_is_merged_in_no_time() {
        let kinds = MAX_SPECIMENS as u16;
        let specimens =
            (0..5_000).flat_map(|step| (0..kinds).map(move |kind| specimen(step, kind, 1))).collect();
        let window = Seen { specimens, ..Seen::default() };
        let mut all = Seen::default();
        (0..20).for_each(|_| all.merge(&window));
        assert_eq!(all.specimens.len(), 25_000);
    }
}
