//! Which row a request takes, in closed form of its number.

use super::scan::Cells;
use super::set::DataSet;
use crate::schedule::Picker;

/// For each data set, how many of the first k requests take a row of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picks {
    sets: Box<[Uses]>,
}

/// The uses of one set. The scenarios of requests repeat with a period.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Uses {
    in_period: u64,
    /// By place in the period: how many requests before it take a row. Empty: all do.
    before: Box<[u32]>,
    period: u64,
}

/// How one thread's requests are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// By their place in a schedule that all threads share; those of the warm-up first, of which there are at most
    /// so many.
    Schedule { warm_up: u64 },
    /// The measured ones by their place in a sequence of so many; those of the warm-up after them.
    Sequence { requests: u64 },
    /// Each thread has a sequence of its own, which begins at `offset`; of `stride` numbers it has one, `slot` first.
    Thread { slot: u64, stride: u64, offset: u64 },
}

impl Uses {
    fn of(picker: &Picker, is_user: impl Fn(usize) -> bool) -> Self {
        let period = picker.period();
        let mut count = 0;
        let before = (0..period).map(|k| {
            let before = count;
            count += u32::from(is_user(picker.pick(k)));
            before
        });
        let before: Box<[u32]> = before.collect();
        let all_do = u64::from(count) == period;
        Self { in_period: u64::from(count), before: if all_do { Box::default() } else { before }, period }
    }

    /// How many of the first `k` requests take a row.
    #[inline]
    fn before(&self, k: u64) -> u64 {
        if self.before.is_empty() {
            return k;
        }
        k / self.period * self.in_period + u64::from(self.before[(k % self.period) as usize])
    }

    /// How many requests there are before the one that is the `n`th to take a row, from 0.
    fn place_of(&self, n: u64) -> u64 {
        if self.in_period == 0 {
            return u64::MAX;
        }
        let mut place = (n / self.in_period).saturating_mul(self.period);
        let rest = n % self.in_period;
        let last_before = self.before.partition_point(|before| u64::from(*before) <= rest).saturating_sub(1);
        place = place.saturating_add(if self.before.is_empty() { rest } else { last_before as u64 });
        place
    }
}

impl Picks {
    /// That of `sets` sets; `is_user` tells whether a scenario takes rows of a set.
    pub(crate) fn new(picker: &Picker, sets: usize, is_user: impl Fn(usize, usize) -> bool) -> Self {
        Self { sets: (0..sets).map(|set| Uses::of(picker, |scenario| is_user(scenario, set))).collect() }
    }

    /// How many rows of `set` the first `requests` requests take.
    pub(crate) fn taken(&self, set: usize, requests: u64) -> u64 {
        self.sets[set].before(requests)
    }

    /// Which row request `number` takes, counted over all requests that take one of `set`.
    #[inline]
    pub(super) fn index(&self, set: u16, number: u64, numbering: &Numbering) -> u64 {
        let uses = &self.sets[usize::from(set)];
        match *numbering {
            Numbering::Schedule { warm_up } => match number.checked_sub(warm_up) {
                Some(k) => uses.before(warm_up) + uses.before(k),
                None => uses.before(number),
            },
            Numbering::Sequence { requests } if number < requests => uses.before(number),
            Numbering::Sequence { requests } => uses.before(requests) + (number - requests),
            Numbering::Thread { slot, stride, offset } => {
                let k = offset + number / stride;
                slot + stride * (uses.before(k) - uses.before(offset))
            }
        }
    }

    /// The row of `data`, the set with this number, that request `number` takes.
    #[inline]
    pub(crate) fn row(
        &self,
        data: &DataSet,
        set: u16,
        number: u64,
        (numbering, seed): (&Numbering, u64),
    ) -> u64 {
        data.order.row(self.index(set, number, numbering), data.rows, seed, set.into())
    }

    /// Whether request `number` takes a row of `set`.
    pub(crate) fn takes(&self, set: u16, number: u64, numbering: &Numbering) -> bool {
        let uses = &self.sets[usize::from(set)];
        let k = match *numbering {
            Numbering::Schedule { warm_up } => number.checked_sub(warm_up).unwrap_or(number),
            Numbering::Sequence { requests } if number >= requests => return true,
            Numbering::Sequence { .. } => number,
            Numbering::Thread { stride, offset, .. } => offset + number / stride,
        };
        uses.before(k + 1) > uses.before(k)
    }

    /// How many requests a thread with a sequence of its own may send before it would need more than `rows` rows of
    /// `set`.
    pub(crate) fn lasts(&self, set: usize, rows: u64, (slot, stride, offset): (u64, u64, u64)) -> u64 {
        let uses = &self.sets[set];
        let own = rows.saturating_sub(slot).div_ceil(stride);
        uses.place_of(uses.before(offset) + own).saturating_sub(offset)
    }
}

/// The rows of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) sets: &'a [DataSet],
    pub(crate) picks: &'a Picks,
    pub(crate) numbering: &'a Numbering,
    /// The rows of sets that stay in their files, by set; the others have none.
    pub(crate) prepared: &'a [Cells],
}

impl<'a> Row<'a> {
    /// The request's cell of a column.
    #[inline]
    pub(crate) fn cell(&self, (set, column): (u16, u16), number: u64, seed: u64) -> &'a [u8] {
        let data = &self.sets[usize::from(set)];
        if data.large().is_some() {
            return self.prepared[usize::from(set)].get(usize::from(column));
        }
        data.cell(self.picks.row(data, set, number, (self.numbering, seed)), column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn picks(weights: &[u32], users: &[bool]) -> (Picker, Picks) {
        let picker = Picker::new(weights, 7).unwrap();
        let picks = Picks::new(&picker, 1, |scenario, _| users[scenario]);
        (picker, picks)
    }

    proptest! {
        #[test]
        fn the_closed_form_is_the_count(
            scenarios in prop::collection::vec((1u32..9, any::<bool>()), 1..6), warm_up in 0u64..50,
        ) {
            let (weights, users): (Vec<u32>, Vec<bool>) = scenarios.into_iter().unzip();
            let (picker, picks) = picks(&weights, &users);
            let takes = |k| users[picker.pick(k)];
            let mut taken = 0;
            for k in 0..3 * picker.period() {
                prop_assert_eq!(picks.taken(0, k), taken);
                if takes(k) {
                    prop_assert_eq!(picks.sets[0].place_of(taken), k);
                    prop_assert_eq!(picks.index(0, k, &Numbering::Sequence { requests: 1_000 }), taken);
                }
                taken += u64::from(takes(k));
            }
            // The warm-up's requests first, then the measured ones, which begin anew.
            let rows: Vec<u64> = (0..warm_up).filter(|k| takes(*k))
                .chain((0..100).filter(|k| takes(*k)).map(|k| k + warm_up))
                .map(|number| picks.index(0, number, &Numbering::Schedule { warm_up })).collect();
            prop_assert!(rows.into_iter().eq(0..picks.taken(0, warm_up) + picks.taken(0, 100)));
        }

        #[test]
        fn threads_with_sequences_of_their_own_take_no_row_twice_and_end_where_the_rows_do(
            scenarios in prop::collection::vec((1u32..9, any::<bool>()), 1..6), stride in 1u64..6, rows in 0u64..60,
        ) {
            let (weights, mut users): (Vec<u32>, Vec<bool>) = scenarios.into_iter().unzip();
            users[0] = true;
            let (picker, picks) = picks(&weights, &users);
            let mut seen = BTreeSet::new();
            for slot in 0..stride {
                let offset = picker.period() * slot / stride;
                let numbering = Numbering::Thread { slot, stride, offset };
                let lasts = picks.lasts(0, rows, (slot, stride, offset));
                for j in 0..lasts {
                    if users[picker.pick(offset + j)] {
                        let row = picks.index(0, slot + j * stride, &numbering);
                        prop_assert!(row < rows, "{row} of {rows}");
                        prop_assert!(seen.insert(row), "{row} twice");
                    }
                }
                prop_assert!(users[picker.pick(offset + lasts)], "it lasts to the next request that takes a row");
            }
            prop_assert_eq!(seen.len() as u64, rows, "none is left over");
        }
    }
}
