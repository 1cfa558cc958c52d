//! Scales and their ticks: the positions of values on an axis, and the values to label.

use crate::report::format;

/// Readable intervals between ticks, within one decade.
const STEPS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
/// Readable intervals of time, in seconds.
const CLOCK_STEPS_S: [f64; 18] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0,
    21_600.0, 43_200.0, 86_400.0,
];
/// Units of a linear axis of times, in nanoseconds.
const TIME_UNITS: [(&str, f64); 3] = [("s", 1e9), ("ms", 1e6), ("µs", 1e3)];
/// Units of elapsed time, in seconds.
const CLOCK_UNITS: [(&str, f64); 2] = [("h", 3_600.0), ("min", 60.0)];
/// Above this ratio of the largest to the smallest value the axis is logarithmic.
const LOGARITHMIC_FROM: f64 = 20.0;

/// Maps values to 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

/// A labeled position on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

impl Scale {
    /// Linear from `low` to `high`; an empty range is widened.
    pub(crate) fn linear(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, logarithmic: false }
    }

    /// For values in `least..=most`: logarithmic when they differ widely, otherwise linear from zero.
    pub(crate) fn for_spread(least: f64, most: f64) -> Self {
        if least > 0.0 && most / least > LOGARITHMIC_FROM {
            return Self { low: round_down(least), high: round_up(most), logarithmic: true };
        }
        Self::from_zero(most)
    }

    /// Linear from zero to a round value at or above `most`.
    pub(crate) fn from_zero(most: f64) -> Self {
        if most.is_nan() || most <= 0.0 {
            return Self::linear(0.0, 1.0);
        }
        let step = step_for(most, 5);
        Self::linear(0.0, (most / step - 1e-9).ceil().max(1.0) * step)
    }

    pub(crate) const fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// The position of `value`, clamped to 0..=1.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let at = |v: f64| if self.logarithmic { v.max(self.low).ln() } else { v };
        let share = (at(value) - at(self.low)) / (at(self.high) - at(self.low));
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Round values within the scale, about `most` of them.
    fn round_values(&self, most: usize) -> Vec<f64> {
        if self.logarithmic {
            return self.round_factors(most);
        }
        let step = step_for(self.high - self.low, most);
        let (first, last) =
            ((self.low / step - 1e-9).ceil() as i64, (self.high / step + 1e-9).floor() as i64);
        (first..=last).map(|i| i as f64 * step).collect()
    }

    fn round_factors(&self, most: usize) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let within = |factors: &[f64]| -> Vec<f64> {
            let all = (first..=last).flat_map(|e| factors.iter().map(move |f| f * 10f64.powi(e)));
            all.filter(|v| *v >= self.low * 0.999 && *v <= self.high * 1.001).collect()
        };
        let dense = within(&STEPS[..3]);
        if dense.len() <= most + 2 { dense } else { within(&STEPS[..1]) }
    }
}

/// The smallest round interval that splits `range` into at most about `most` pieces.
fn step_for(range: f64, most: usize) -> f64 {
    let rough = range / most.max(1) as f64;
    let decade = 10f64.powf(rough.log10().floor());
    let fits = |step: &&f64| **step * decade >= rough * 0.999;
    STEPS.iter().find(fits).unwrap_or(&10.0) * decade
}

/// The nearest 1, 2 or 5 times a power of ten at or below `value` (> 0).
fn round_down(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    STEPS[..3].iter().rev().find(|s| **s * decade <= value * 1.001).unwrap_or(&1.0) * decade
}

/// The nearest 1, 2 or 5 times a power of ten at or above `value` (> 0).
fn round_up(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    STEPS.iter().find(|s| **s * decade >= value * 0.999).unwrap_or(&10.0) * decade
}

/// Ticks of an axis of times in nanoseconds. On a linear axis all have one unit (`0.5 s`, `1 s`), on a
/// logarithmic one each has its own (`200 µs`, `1 ms`).
pub(crate) fn time_ticks(scale: &Scale) -> Vec<Tick> {
    if scale.logarithmic {
        return ticks(scale, 6, |ns| bare(&format::time(ns.round() as u64)));
    }
    let (unit, ns_per_unit) = TIME_UNITS.into_iter().find(|(_, ns)| scale.high >= *ns).unwrap_or(("ns", 1.0));
    ticks(scale, 6, |ns| in_unit(ns / ns_per_unit, unit))
}

/// Ticks of an axis of counts or rates: `5,000`, `10,000`; from a million up all in millions: `0.5 M`, `1 M`.
pub(crate) fn count_ticks(scale: &Scale) -> Vec<Tick> {
    ticks(scale, 5, |n| match n {
        n if scale.high >= 1e6 => in_unit(n / 1e6, "M"),
        n if n < 10.0 && n.fract() != 0.0 => trimmed(n),
        n => format::count(n.round() as u64),
    })
}

/// Ticks of an axis of elapsed time in seconds, from zero on, all in one unit: `20 s`, `5 min`, `2 h`.
pub(crate) fn second_ticks(scale: &Scale) -> Vec<Tick> {
    let rough = scale.high / 6.0;
    let round = CLOCK_STEPS_S.into_iter().find(|step| *step >= rough * 0.999);
    // Below a second and above a day, use decades instead of clock steps.
    let step = round.filter(|_| rough > 0.5).unwrap_or_else(|| step_for(scale.high, 6));
    let last = (scale.high / step + 1e-9).floor() as u64;
    // The largest unit in which every tick is a whole number.
    let is_whole = |(_, seconds): &(&str, f64)| step % seconds == 0.0;
    let (unit, seconds) = CLOCK_UNITS.into_iter().find(is_whole).unwrap_or(("s", 1.0));
    let tick = |i: u64| Tick { at: i as f64 * step, label: in_unit(i as f64 * step / seconds, unit) };
    (0..=last).map(tick).collect()
}

/// Ticks of a percentile axis, whose values are `-log10(1 - q)`: 0, 90, 99, 99.9 % …
pub(crate) fn percentile_ticks(nines: u32) -> Vec<Tick> {
    let label = |n: u32| match n {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        n => format!("99.{} %", "9".repeat(n as usize - 2)),
    };
    (0..=nines).map(|n| Tick { at: n.into(), label: label(n) }).collect()
}

fn ticks(scale: &Scale, most: usize, label: impl Fn(f64) -> String) -> Vec<Tick> {
    scale.round_values(most).into_iter().map(|at| Tick { at, label: label(at) }).collect()
}

/// `1.00 ms` as `1 ms`, `2.50 s` as `2.5 s`.
fn bare(text: &str) -> String {
    let Some((number, unit)) = text.split_once(' ') else { return text.to_owned() };
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}")
}

/// `0.5 s`, `20 min`; zero needs no unit.
fn in_unit(value: f64, unit: &str) -> String {
    let number = trimmed(value);
    if number == "0" { number } else { format!("{number} {unit}") }
}

/// At most four decimals, without zeros at their end.
fn trimmed(value: f64) -> String {
    format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_stand_at_round_values_and_the_axis_ends_at_one() {
        assert_eq!(
            labels(count_ticks(&Scale::from_zero(17_300.0))),
            ["0", "5,000", "10,000", "15,000", "20,000"]
        );
        assert_eq!(labels(count_ticks(&Scale::from_zero(3.0))), ["0", "1", "2", "3"]);
        assert_eq!(labels(count_ticks(&Scale::from_zero(0.0)))[..2], ["0", "0.2"]);
        assert_eq!(
            labels(count_ticks(&Scale::from_zero(1_800_000.0))),
            ["0", "0.5 M", "1 M", "1.5 M", "2 M"]
        );
        assert_eq!(
            labels(second_ticks(&Scale::linear(0.0, 30.0))),
            ["0", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s"]
        );
        assert_eq!(
            labels(second_ticks(&Scale::linear(0.0, 1_200.0))),
            ["0", "5 min", "10 min", "15 min", "20 min"]
        );
        assert_eq!(
            labels(second_ticks(&Scale::linear(0.0, 8_000.0))),
            ["0", "30 min", "60 min", "90 min", "120 min"]
        );
        assert_eq!(labels(second_ticks(&Scale::linear(0.0, 1.0)))[..2], ["0", "0.2 s"]);
    }

    #[test]
    fn all_ticks_of_a_linear_axis_have_one_unit() {
        let units = |ticks: Vec<Tick>| {
            let labels = labels(ticks).into_iter().filter(|label| label != "0");
            let mut units: Vec<String> =
                labels.map(|label| label.split(' ').nth(1).unwrap().into()).collect();
            units.dedup();
            units
        };
        for end in [7.0, 12.5, 45.0, 61.0, 90.0, 150.0, 600.0, 2_000.0, 5_400.0, 20_000.0, 90_000.0, 1e6] {
            assert_eq!(units(second_ticks(&Scale::linear(0.0, end))).len(), 1, "{end}");
        }
        for most in [900.0, 1_700.0, 1.2e6, 9.9e8, 1.3e9, 4.2e10, 3.6e12] {
            assert_eq!(units(time_ticks(&Scale::from_zero(most))).len(), 1, "{most}");
        }
        assert_eq!(
            labels(second_ticks(&Scale::linear(0.0, 120.0))),
            ["0", "20 s", "40 s", "60 s", "80 s", "100 s", "120 s"]
        );
        let seconds = labels(time_ticks(&Scale::from_zero(1.0e9)));
        assert_eq!(seconds, ["0", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s"]);
    }

    #[test]
    fn times_that_differ_widely_get_a_logarithmic_axis_and_others_one_from_zero() {
        let wide = Scale::for_spread(42_000.0, 31_000_000.0);
        assert!(wide.logarithmic);
        assert_eq!(labels(time_ticks(&wide)), ["100 µs", "1 ms", "10 ms"]);
        let narrow = Scale::for_spread(1_900_000.0, 4_600_000.0);
        assert!(!narrow.logarithmic);
        assert_eq!(labels(time_ticks(&narrow)), ["0", "1 ms", "2 ms", "3 ms", "4 ms", "5 ms"]);
        assert!(wide.place(1_300_000.0) > 0.4 && wide.place(1_300_000.0) < 0.6);
    }

    #[test]
    fn percentiles_are_labelled_by_their_nines() {
        assert_eq!(labels(percentile_ticks(4)), ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    }

    #[test]
    fn no_value_leaves_the_plot_and_none_is_not_a_number() {
        for scale in [
            Scale::linear(0.0, 0.0),
            Scale::from_zero(f64::NAN),
            Scale::for_spread(0.0, 5.0),
            Scale::for_spread(1.0, 1e12),
        ] {
            for value in [-1.0, 0.0, 1e-9, 5.0, 1e300, f64::NAN, f64::INFINITY] {
                assert!((0.0..=1.0).contains(&scale.place(value)), "{scale:?} {value}");
            }
            assert!(time_ticks(&scale).len() <= 20);
        }
    }
}
