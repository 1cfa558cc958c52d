//! Markdown tables, and the numbers in them.

use super::schedule_fit::median;

/// Text in aligned columns; the first to the left, the others to the right.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { rows: vec![head.into_iter().map(Into::into).collect()] }
    }

    /// One more line; shorter ones are filled up.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.rows[0].len(), String::new());
        self.rows.push(cells);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows[0].len();
        let width = |c: usize| self.rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0).max(3);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (i, row) in self.rows.iter().enumerate() {
            for (c, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if c == 0 { write!(f, "| {cell:<width$} |")? } else { write!(f, " {cell:>width$} |")? }
            }
            writeln!(f)?;
            if i == 0 {
                for (c, width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(*width);
                    if c == 0 { write!(f, "| {dashes} |")? } else { write!(f, " {}: |", &dashes[1..])? }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// The median of what there is, as text; a dash without any.
pub fn middle(values: &[f64], show: impl Fn(f64) -> String) -> String {
    if values.is_empty() { dash() } else { show(median(&mut values.to_vec())) }
}

/// What stands where nothing was measured.
pub fn dash() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["generator", "c=1"]);
        table.row(["wrk", "12345"]);
        table.row(["a µ"]);
        assert_eq!(
            table.to_string(),
            "| generator |   c=1 |\n| --------- | ----: |\n| wrk       | 12345 |\n| a µ       |       |\n"
        );
    }

    #[test]
    fn the_middle_of_nothing_is_a_dash() {
        assert_eq!(middle(&[], |v| v.to_string()), "–");
        assert_eq!(middle(&[9.0, 1.0, 2.0], |v| v.to_string()), "2");
    }
}
