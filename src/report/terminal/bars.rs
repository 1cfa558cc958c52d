//! Bars and sparklines from characters.

/// The characters that bars are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Unicode's block elements, to an eighth of a column.
    Blocks,
    /// ASCII, for locales without UTF-8.
    Ascii,
}

/// Parts of a column, from the left, in eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// Heights of a sparkline, lowest first.
const HEIGHTS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_HEIGHTS: [&str; 8] = ["_", ".", ":", "-", "=", "+", "*", "#"];

impl Glyphs {
    /// A bar of `share` (0..=1) of `columns`. More than nothing is visible; only all of it fills the columns.
    pub(crate) fn bar(self, share: f64, columns: usize) -> String {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        if share == 0.0 || columns == 0 {
            return String::new();
        }
        match self {
            Self::Blocks => {
                let eighths = (share * columns as f64 * 8.0).round().max(1.0) as usize;
                let eighths = if share < 1.0 { eighths.min(columns * 8 - 1) } else { eighths };
                format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
            }
            Self::Ascii => "#".repeat((share * columns as f64).round().max(1.0) as usize),
        }
    }

    /// A bar with what is missing from all of `columns`.
    pub(crate) fn progress(self, share: f64, columns: usize) -> String {
        let (full, missing) = match self {
            Self::Blocks => ("█", "░"),
            Self::Ascii => ("#", "."),
        };
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let done = (share * columns as f64) as usize;
        format!("{}{}", full.repeat(done), missing.repeat(columns - done))
    }

    /// One column for each value, its height relative to `most`; `None`: a space.
    pub(crate) fn sparkline(self, values: &[Option<f64>], most: f64) -> String {
        let heights = if self == Self::Blocks { &HEIGHTS } else { &ASCII_HEIGHTS };
        let height = |value: f64| {
            let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
            heights[((share * 8.0).ceil() as usize).clamp(1, 8) - 1]
        };
        values.iter().map(|value| value.map_or(" ", height)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_for_all_and_empty_only_for_nothing() {
        let bars = |glyphs: Glyphs| [0.0, 1e-9, 0.5, 0.999_999, 1.0, f64::NAN].map(|s| glyphs.bar(s, 4));
        assert_eq!(bars(Glyphs::Blocks), ["", "▏", "██", "███▉", "████", ""]);
        assert_eq!(bars(Glyphs::Ascii), ["", "#", "##", "####", "####", ""]);
        assert_eq!(Glyphs::Blocks.bar(0.3, 4), "█▎");
        assert_eq!(Glyphs::Blocks.progress(0.999, 4), "███░");
        assert_eq!(Glyphs::Ascii.progress(1.0, 3), "###");
    }

    #[test]
    fn a_sparkline_has_a_column_for_each_value() {
        let values = [Some(0.0), None, Some(1.0), Some(5.0), Some(8.0)];
        assert_eq!(Glyphs::Blocks.sparkline(&values, 8.0), "▁ ▁▅█");
        assert_eq!(Glyphs::Ascii.sparkline(&values, 8.0), "_ _=#");
        assert_eq!(Glyphs::Ascii.sparkline(&[Some(0.0)], 0.0), "_");
    }
}
