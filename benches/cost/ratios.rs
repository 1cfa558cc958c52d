//! Samples of two programs in turn, and how far apart they are.

use super::instrument::schedule_fit::median;

/// What each round measured.
#[derive(Debug, Default)]
pub struct Rounds {
    old: Vec<f64>,
    new: Vec<f64>,
    new_to_old: Vec<f64>,
    old_to_old: Vec<f64>,
}

impl Rounds {
    /// One round: OLD, NEW, OLD again.
    pub fn add(&mut self, old: f64, new: f64, again: f64) {
        self.old.extend([old, again]);
        self.new.push(new);
        // Between the two, what else the machine does has moved on as far in one direction as in the other.
        self.new_to_old.push(new * 2.0 / (old + again));
        self.old_to_old.push(again / old);
    }

    /// As cells of a table: OLD, NEW, NEW ÷ OLD, OLD ÷ OLD; medians, and smallest to largest.
    pub fn cells(&self) -> [String; 4] {
        [
            with_range(&self.old, figure),
            with_range(&self.new, figure),
            with_range(&self.new_to_old, ratio),
            with_range(&self.old_to_old, ratio),
        ]
    }
}

fn with_range(values: &[f64], show: fn(f64) -> String) -> String {
    let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    format!("{} ({}–{})", show(median(&mut values.to_vec())), show(least), show(most))
}

/// Four digits that say something, or five where they are whole.
fn figure(value: f64) -> String {
    match value {
        v if v >= 1_000.0 => format!("{v:.0}"),
        v if v >= 100.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}

fn ratio(value: f64) -> String {
    format!("{value:.4}")
}
