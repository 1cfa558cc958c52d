//! Random values as a function of where they stand: no state, and so no order in which they must be drawn.
//!
//! The generator is SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number
//! generators", OOPSLA 2014) started at a mix of the four coordinates.

/// What SplitMix64 adds for each number.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The sequence of the `hole` of a request's `step`, of the `number`th request, or flow, of a run with `seed`.
    #[inline]
    pub(crate) fn at(seed: u64, number: u64, step: u32, hole: u32) -> Self {
        let place = (u64::from(step) << 32) | u64::from(hole);
        Self { state: mix(mix(seed ^ mix(number)).wrapping_add(mix(place.wrapping_add(GAMMA)))) }
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number below `n`, which is at least 1. Some are likelier than others by at most n ÷ 2⁶⁴.
    #[inline]
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }
}

#[inline]
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_place_has_a_sequence_of_its_own() {
        let mut seen = HashSet::new();
        for (seed, number, step, hole) in (0..4).flat_map(|s| {
            (0..50).flat_map(move |k| (0..5).flat_map(move |t| (0..5).map(move |h| (s, k, t, h))))
        }) {
            let mut random = Random::at(seed, number, step, hole);
            assert!((0..3).all(|_| seen.insert(random.bits())), "{seed} {number} {step} {hole}");
        }
    }

    /// Chi-square of 16 classes over neighboring requests: 15 degrees of freedom, 99.99 % quantile 44.3.
    #[test]
    fn neighboring_requests_have_even_values() {
        for hole in 0..8 {
            let mut classes = [0_u32; 16];
            (0..16_000).for_each(|k| classes[Random::at(7, k, 0, hole).below(16) as usize] += 1);
            let chi: f64 = classes.iter().map(|n| (f64::from(*n) - 1000.0).powi(2) / 1000.0).sum();
            assert!(chi < 44.3, "{hole}: {chi} {classes:?}");
        }
    }
}
