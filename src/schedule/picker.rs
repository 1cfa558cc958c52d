//! Chooses the scenario of the k-th request: exact proportions, evenly interleaved.
//!
//! The sequence is the Webster/Sainte-Laguë apportionment, one seat at a time: the i-th request (from 0) of a
//! scenario with weight w gets position (i + 1/2) / w, and the sequence is all requests sorted by position. So
//! the first n requests are shared out exactly as that method shares out n seats: 100 requests at 2:1 are 67
//! and 33. The sequence repeats after the sum of the weights divided by their greatest common divisor.
//! (M. Balinski, H. P. Young, "Fair Representation", 2001, ch. 8 and appendix A.)

/// The longest period that a picker keeps, in requests: a table of 2 MiB.
pub(crate) const MAX_PERIOD: u64 = 1 << 20;

/// The scenario of each request of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picker {
    period: Box<[u16]>,
}

impl Picker {
    /// The sequence for `weights` (each at least 1, at most 65,536 of them). `seed` only orders requests at
    /// equal positions.
    ///
    /// # Errors
    /// The period's length, when it is over `MAX_PERIOD`.
    pub fn new(weights: &[u32], seed: u64) -> Result<Self, u64> {
        let divisor = weights.iter().fold(0, |a, w| gcd(a, u64::from(*w))).max(1);
        let reduced: Vec<u64> = weights.iter().map(|w| u64::from(*w) / divisor).collect();
        let length: u64 = reduced.iter().sum();
        if length > MAX_PERIOD {
            return Err(length);
        }
        let mut rank: Vec<u16> = (0..weights.len() as u16).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut rank);
        let mut seats: Vec<(u64, u64, u16, u16)> = Vec::with_capacity(length as usize);
        for (scenario, w) in reduced.iter().enumerate() {
            seats.extend((0..*w).map(|i| (2 * i + 1, *w, rank[scenario], scenario as u16)));
        }
        // (2i+1)/w compared without division; both factors are below 2^21, so the product fits.
        seats.sort_unstable_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)).then(a.2.cmp(&b.2)));
        Ok(Self { period: seats.into_iter().map(|s| s.3).collect() })
    }

    /// The scenario of request `k` (from 0).
    #[inline]
    pub fn pick(&self, k: u64) -> usize {
        usize::from(self.period[(k % self.period.len() as u64) as usize])
    }

    /// Requests after which the sequence repeats.
    pub(crate) fn period(&self) -> u64 {
        self.period.len() as u64
    }

    /// How many of the first `n` requests are of each of the `scenarios` scenarios.
    pub fn shares(&self, n: u64, scenarios: usize) -> Vec<u64> {
        let (rounds, rest) = (n / self.period(), n % self.period());
        let mut shares = vec![0; scenarios];
        for (i, scenario) in self.period.iter().enumerate() {
            shares[usize::from(*scenario)] += rounds + u64::from((i as u64) < rest);
        }
        shares
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hundred_at_two_to_one_are_67_and_33() {
        for seed in 0..50 {
            let picker = Picker::new(&[2, 1], seed).unwrap();
            assert_eq!(picker.shares(100, 2), [67, 33]);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let weights = [3, 3, 1, 7];
        assert_eq!(Picker::new(&weights, 5), Picker::new(&weights, 5));
    }

    #[test]
    fn a_period_too_long_is_refused_with_its_length() {
        assert_eq!(Picker::new(&[1_000_003, 999_983], 0), Err(1_999_986));
    }

    proptest! {
        /// Each prefix is within two requests of the ideal proportion: evenly interleaved.
        #[test]
        fn every_prefix_is_near_its_ideal_share(weights in prop::collection::vec(1u32..40, 1..6), seed: u64) {
            let picker = Picker::new(&weights, seed).unwrap();
            let total: u64 = weights.iter().map(|w| u64::from(*w)).sum();
            let mut seen = vec![0u64; weights.len()];
            for k in 0..3 * picker.period() {
                seen[picker.pick(k)] += 1;
                for (n, w) in seen.iter().zip(&weights) {
                    let ideal = (k + 1) as f64 * f64::from(*w) / total as f64;
                    prop_assert!((*n as f64 - ideal).abs() < 2.0, "{n} against {ideal}");
                }
            }
            prop_assert_eq!(picker.shares(3 * picker.period(), weights.len()), seen);
        }
    }
}
