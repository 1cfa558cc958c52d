//! A permutation of 0..n that needs no table: a Feistel network over the next power of four, walked until it is
//! back in range (J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002, section 4).

use crate::random::mix;

/// Rounds of the network. Four make it pseudorandom if the rounds are (M. Luby, C. Rackoff, 1988).
const ROUNDS: u64 = 6;

/// Where `i` goes in the permutation of `0..n` with this `key`; `i` is below `n`.
pub(super) fn permuted(key: u64, n: u64, i: u64) -> u64 {
    let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
    let half = bits.div_ceil(2).max(1);
    let mask = (1_u64 << half) - 1;
    let mut place = i;
    loop {
        let (mut left, mut right) = (place >> half, place & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (mix(key ^ mix(right ^ (round << 32))) & mask));
        }
        place = (left << half) | right;
        // At least a quarter of all places is in range, so this takes four turns on average at most.
        if place < n {
            return place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_reached_once() {
        for n in (1..200).chain([4_096, 4_097, 5_000]) {
            let mut seen = vec![false; n as usize];
            (0..n).for_each(|i| seen[permuted(7, n, i) as usize] = true);
            assert!(seen.iter().all(|seen| *seen), "{n}");
        }
    }

    #[test]
    fn ten_million_rows_are_a_permutation() {
        let n = 10_000_000;
        let mut seen = vec![0_u64; n as usize / 64];
        for i in 0..n {
            let place = permuted(1, n, i);
            let (word, bit) = (&mut seen[place as usize / 64], 1 << (place % 64));
            assert_eq!(*word & bit, 0, "{place} twice");
            *word |= bit;
        }
    }

    /// Spearman's correlation of two laps is near 0: its standard deviation is 1 ÷ √(n − 1).
    #[test]
    fn laps_have_nothing_to_do_with_each_other() {
        let n = 10_000_u64;
        let mean = (n - 1) as f64 / 2.0;
        for (a, b) in [(1, 2), (2, 3), (0, u64::MAX)] {
            let of = |key, i| permuted(key, n, i) as f64 - mean;
            let sum: f64 = (0..n).map(|i| of(a, i) * of(b, i)).sum();
            let correlation = 12.0 * sum / (n as f64 * (n as f64 * n as f64 - 1.0));
            assert!(correlation.abs() < 0.05, "{a} {b}: {correlation}");
            let with_order: f64 = (0..n).map(|i| of(a, i) * (i as f64 - mean)).sum();
            assert!((12.0 * with_order / (n as f64).powi(3)).abs() < 0.05, "{a}");
        }
    }
}
