//! In which order rows are taken.

use super::permutation::permuted;
use crate::random::{Random, mix};

/// In which order the rows of a data set are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the first to the last, and again.
    #[default]
    Circular,
    /// From the first to the last; each at most once in a run.
    Once,
    /// Each once a lap, in another order each lap.
    Shuffle,
    /// Any row, with replacement.
    Random,
}

impl Order {
    /// Its name in a plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Circular => "circular",
            Self::Once => "once",
            Self::Shuffle => "shuffle",
            Self::Random => "random",
        }
    }

    /// The row of the `i`th request that takes one, of `rows`; at least one row. `set` and `seed` choose among the orders.
    #[inline]
    pub(super) fn row(self, i: u64, rows: u64, seed: u64, set: u32) -> u64 {
        match self {
            Self::Circular | Self::Once => i % rows,
            Self::Shuffle => {
                let key = mix(seed ^ mix(u64::from(set))) ^ mix(i / rows);
                permuted(key, rows, i % rows)
            }
            Self::Random => Random::at(seed, i, SETS, set).below(rows),
        }
    }
}

/// The step of random rows: no step of a request has this number.
const SETS: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circular_and_shuffle_take_each_row_once_a_lap() {
        for order in [Order::Circular, Order::Once, Order::Shuffle] {
            for lap in 0..3 {
                let mut rows: Vec<u64> = (0..50).map(|i| order.row(lap * 50 + i, 50, 7, 0)).collect();
                rows.sort_unstable();
                assert!(rows.into_iter().eq(0..50), "{order:?}");
            }
        }
    }

    #[test]
    fn seeds_laps_and_sets_have_orders_of_their_own() {
        let lap = |seed, set, lap: u64| {
            (0..50).map(|i| Order::Shuffle.row(lap * 50 + i, 50, seed, set)).collect::<Vec<_>>()
        };
        let all = [lap(1, 0, 0), lap(2, 0, 0), lap(1, 1, 0), lap(1, 0, 1)];
        for (i, one) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|other| other != one), "{i}");
        }
    }

    /// Chi-square of 16 rows: 15 degrees of freedom, 99.99 % quantile 44.3.
    #[test]
    fn random_rows_are_even() {
        let mut counts = [0_u32; 16];
        (0..16_000).for_each(|i| counts[Order::Random.row(i, 16, 7, 3) as usize] += 1);
        let chi: f64 = counts.iter().map(|n| (f64::from(*n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 44.3, "{chi} {counts:?}");
    }
}
