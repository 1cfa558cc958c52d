//! The columns of a data set.

/// Named columns of equal length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(super) columns: Vec<Column>,
    /// The line each row begins on, for messages.
    pub(super) lines: Vec<u32>,
}

/// The cells of a column, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    cells: Vec<u8>,
    /// Where each cell ends.
    ends: Vec<u32>,
    longest: u32,
}

impl Column {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds a cell; all together have at most 4 GiB.
    pub(super) fn push(&mut self, cell: &[u8]) {
        self.cells.extend_from_slice(cell);
        self.ends.push(self.cells.len() as u32);
        self.longest = self.longest.max(cell.len() as u32);
    }

    #[inline]
    pub(super) fn cell(&self, row: u64) -> &[u8] {
        let row = row as usize;
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.cells[begin as usize..self.ends[row] as usize]
    }

    pub(super) fn longest(&self) -> usize {
        self.longest as usize
    }

    pub(super) fn shrink(&mut self) {
        self.cells.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

impl Table {
    /// A table without rows.
    pub(crate) fn with_columns<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { columns: names.into_iter().map(Column::named).collect(), lines: Vec::new() }
    }

    /// Adds a row, which begins on `line`.
    pub(crate) fn push<'a>(&mut self, line: u32, cells: impl IntoIterator<Item = &'a [u8]>) {
        self.columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
        self.lines.push(line);
    }
}
