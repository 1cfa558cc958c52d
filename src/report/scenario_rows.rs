//! Selects the scenarios that get rows when not all fit.

use std::cmp::Reverse;

use crate::run::{Snapshot, State};
use crate::tally::{Row, RowCounter};

/// The name in `/metrics` of all scenarios without their own row.
pub(super) const OTHER: &str = "_other";

/// Indices of scenarios in the plan: those shown, and the rest.
pub(super) struct RowSelection {
    /// Those with the most failures first, then those with the most requests. In the plan's order if all fit,
    /// and before the end, so that no row moves under the reader.
    pub(crate) shown: Vec<usize>,
    /// In the plan's order.
    pub(crate) rest: Vec<usize>,
}

/// Select the scenarios to show when `most` fit.
pub(super) fn choose(snapshot: &Snapshot, most: usize) -> RowSelection {
    let rows = snapshot.tally.rows();
    let mut places: Vec<usize> = (0..rows.len().min(snapshot.run.scenarios.len())).collect();
    if places.len() <= most {
        return RowSelection { shown: places, rest: Vec::new() };
    }
    places.sort_by_cached_key(|place| {
        let row = &rows[*place];
        (Reverse(row.failed()), Reverse(row.counter(RowCounter::Due)), *place)
    });
    let mut rest = places.split_off(most);
    rest.sort_unstable();
    if snapshot.state != State::Finished {
        places.sort_unstable();
    }
    RowSelection { shown: places, rest }
}

/// Whether each scenario has its own row in `/metrics` and `/status`: the plan's first ones do. Constant
/// within a run, since counters must not decrease. One named [`OTHER`] is among the others, unless all fit.
pub(super) fn have_own_row(snapshot: &Snapshot) -> impl Iterator<Item = bool> + '_ {
    let run = &snapshot.run;
    let all_fit = run.scenarios.len() <= run.metrics_scenarios;
    let named = run.scenarios.iter().enumerate();
    named.map(move |(i, (name, _))| all_fit || (i < run.metrics_scenarios && name != OTHER))
}

/// A scenario with its own row.
pub(super) struct OwnRow<'a> {
    pub(crate) name: &'a str,
    /// The name of its target; empty: that of `base_url`.
    pub(crate) target: &'a str,
    pub(crate) weight: u32,
    pub(crate) row: &'a Row,
}

impl<'a> OwnRow<'a> {
    /// That of the `i`-th scenario.
    pub(crate) fn new(snapshot: &'a Snapshot, i: usize, name: &'a str, weight: u32, row: &'a Row) -> Self {
        Self { name, target: snapshot.run.target_of(i), weight, row }
    }

    /// The labels that tell it apart in metrics, and one more.
    pub(crate) fn labels(&self, more: Option<(&'static str, &'a str)>) -> Vec<(&'static str, &'a str)> {
        let target = Some(("target", self.target)).filter(|(_, name)| !name.is_empty());
        [("scenario", self.name)].into_iter().chain(target).chain(more).collect()
    }
}

/// The scenarios with their own row.
pub(super) fn own(snapshot: &Snapshot) -> impl Iterator<Item = OwnRow<'_>> {
    let named = snapshot.run.scenarios.iter().zip(snapshot.tally.rows()).enumerate();
    let kept = named.zip(have_own_row(snapshot)).filter(|(_, own)| *own);
    kept.map(|((i, ((name, weight), row)), _)| OwnRow::new(snapshot, i, name, *weight, row))
}

/// The rows of all others; empty if each scenario has its own.
pub(super) fn others(snapshot: &Snapshot) -> impl Iterator<Item = &Row> {
    snapshot.tally.rows().iter().zip(have_own_row(snapshot)).filter(|(_, own)| !own).map(|(row, _)| row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunInfo;
    use crate::tally::{Outcome, StepId};

    fn snapshot(names: &[&str]) -> Snapshot {
        let scenarios = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
        Snapshot::new(RunInfo { scenarios, metrics_scenarios: 2, ..RunInfo::unknown() }, 1, 0.0)
    }

    #[test]
    fn failures_come_first_and_then_the_most_requests() {
        let mut s = snapshot(&["a", "b", "c", "d", "e"]);
        for (place, due) in [5, 9, 7, 6, 8].into_iter().enumerate() {
            s.tally.add_row(StepId::new(place), RowCounter::Due, due);
        }
        s.tally.add_row(StepId::new(3), Outcome::Timeout, 1);
        let chosen = choose(&s, 3);
        assert_eq!((chosen.shown, chosen.rest), (vec![1, 3, 4], vec![0, 2]));
        s.state = State::Finished;
        assert_eq!(choose(&s, 3).shown, [3, 1, 4]);
        assert_eq!(choose(&s, 5).shown, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_first_ones_of_the_plan_have_rows_of_their_own() {
        let names = |s: &Snapshot| own(s).map(|row| row.name.to_owned()).collect::<Vec<_>>();
        let s = snapshot(&["a", "b", "c", "d"]);
        assert_eq!((names(&s), others(&s).count()), (vec!["a".to_owned(), "b".to_owned()], 2));
        let s = snapshot(&["a", "_other", "c"]);
        assert_eq!((names(&s), others(&s).count()), (vec!["a".to_owned()], 2));
        let s = snapshot(&["a", "_other"]);
        assert_eq!((names(&s).len(), others(&s).count()), (2, 0));
    }
}
