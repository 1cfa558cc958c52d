//! A data set that is too large for memory: its file, and where every sixteenth row begins.

use std::sync::Arc;

use super::csv::header;
use super::file_form::FileForm;
use super::json_lines::pointer;
use super::scan::{Cells, Fields, Framing, Place, Scanner};
use super::source::Source;
use crate::units::plural;

/// Rows from one entry of the index to the next.
const STEP: u64 = 16;
/// How far ahead a row is looked for from the one read last, in rows.
const NEAR: u64 = 4 * STEP;

/// Rows in a file.
#[derive(Clone, Debug)]
pub(crate) struct LargeTable {
    source: Arc<dyn Source>,
    framing: Framing,
    /// Where every [`STEP`]th row begins.
    index: Arc<[u64]>,
    pub(super) rows: u64,
    /// The columns that a plan names.
    columns: Vec<Column>,
    /// All columns of comma-separated values.
    known: Vec<Known>,
    /// The file's SHA-256.
    pub(super) digest: String,
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    place: Place,
    longest: usize,
}

#[derive(Clone, Debug)]
struct Known {
    name: String,
    longest: usize,
}

impl PartialEq for LargeTable {
    fn eq(&self, other: &Self) -> bool {
        let names = |table: &Self| table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        self.digest == other.digest && self.framing == other.framing && names(self) == names(other)
    }
}

impl Eq for LargeTable {}

impl LargeTable {
    /// Reads the whole file once.
    ///
    /// # Errors
    /// The first fault with its row, and its remedy.
    pub(super) fn open(source: Arc<dyn Source>, form: FileForm<'_>) -> Result<Self, String> {
        let framing = match form {
            FileForm::Csv(dialect, _) => Framing::Csv(dialect),
            FileForm::JsonLines => Framing::JsonLines,
        };
        let mut table = Self {
            digest: source.sha256()?,
            source,
            framing,
            index: Arc::default(),
            rows: 0,
            columns: Vec::new(),
            known: Vec::new(),
        };
        match form {
            FileForm::Csv(_, Some(names)) => {
                table.known = names.iter().map(|name| Known::named(name)).collect()
            }
            FileForm::Csv(dialect, None) => {
                let (mut scanner, mut fields) = (table.scanner()?, Fields::new(dialect));
                let first =
                    scanner.next()?.ok_or("is empty: give it a first line with the names of its columns")?;
                fields.split(first).map_err(|why| format!("the first line {why}"))?;
                table.known =
                    header((0..fields.len()).map(|i| fields.get(i)))?.into_iter().map(Known::named).collect();
            }
            FileForm::JsonLines => {}
        }
        let has_header = matches!(form, FileForm::Csv(_, None));
        let mut index = Vec::new();
        let mut longest = vec![0; table.known.len()];
        let mut rows = 0;
        let mut walk = table.walk()?;
        if has_header {
            walk.scanner.next()?;
        }
        loop {
            let position = walk.scanner.position();
            if !walk.advance(rows)? {
                break;
            }
            if rows % STEP == 0 {
                index.push(position);
            }
            for (i, longest) in longest.iter_mut().enumerate() {
                *longest = walk.fields.get(i).len().max(*longest);
            }
            rows += 1;
        }
        drop(walk);
        table.known.iter_mut().zip(longest).for_each(|(known, longest)| known.longest = longest);
        (table.index, table.rows) = (index.into(), rows);
        Ok(table)
    }

    fn scanner(&self) -> Result<Scanner, String> {
        Scanner::new(self.source.clone(), self.framing)
    }

    /// From the first byte on.
    fn walk(&self) -> Result<Walk<'_>, String> {
        let dialect = match self.framing {
            Framing::Csv(dialect) => dialect,
            Framing::JsonLines => super::csv::Dialect { separator: b',', quote: b'"' },
        };
        Ok(Walk { table: self, scanner: self.scanner()?, fields: Fields::new(dialect), row: Vec::new() })
    }

    /// The same for the rows.
    fn walk_rows(&self) -> Result<Walk<'_>, String> {
        let mut walk = self.walk()?;
        walk.scanner.seek(self.index.first().copied().unwrap_or(0));
        Ok(walk)
    }

    /// The number of the column `name`, if it is in use already.
    pub(super) fn used(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The names of all columns; none: they are not known before they are used.
    pub(super) fn names(&self) -> Vec<&str> {
        self.known.iter().map(|known| known.name.as_str()).collect()
    }

    /// Use the column `name`, and return its number; JSON lines are read once more. `None`: there is none.
    ///
    /// # Errors
    /// The first row without it, and its remedy.
    pub(super) fn add(&mut self, name: &str) -> Result<Option<usize>, String> {
        let column = match self.framing {
            Framing::Csv(_) => {
                let Some(i) = self.known.iter().position(|known| known.name == name) else { return Ok(None) };
                Column { name: name.to_owned(), place: Place::Field(i), longest: self.known[i].longest }
            }
            Framing::JsonLines => {
                let place = Place::Pointer(pointer(name));
                let mut longest = 0;
                let mut walk = self.walk_rows()?;
                for row in 0..self.rows {
                    walk.advance(row)?;
                    let cell =
                        place.cell(name, &walk.row, &walk.fields, |cell| longest = cell.len().max(longest));
                    cell.map_err(|why| format!("row {} {why}", row + 1))?;
                }
                Column { name: name.to_owned(), place, longest }
            }
        };
        self.columns.push(column);
        Ok(Some(self.columns.len() - 1))
    }

    pub(super) fn longest(&self, column: u16) -> usize {
        self.columns[usize::from(column)].longest
    }

    /// The bytes of the longest cells of the columns in use, at least 1.
    pub(crate) fn longest_row(&self) -> usize {
        self.columns.iter().map(|column| column.longest).sum::<usize>().max(1)
    }

    /// The row of the first cell of a column that is not `fit`; reads the whole file.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub(super) fn find(&self, column: u16, fit: impl Fn(&[u8]) -> bool) -> Result<Option<u64>, String> {
        let column = &self.columns[usize::from(column)];
        let mut walk = self.walk_rows()?;
        for row in 0..self.rows {
            walk.advance(row)?;
            let mut is_fit = true;
            column.place.cell(&column.name, &walk.row, &walk.fields, |cell| is_fit = fit(cell))?;
            if !is_fit {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// The columns in use.
    pub(crate) fn used_columns(&self) -> usize {
        self.columns.len()
    }

    /// # Errors
    /// The file is not the one that was read at first.
    pub(crate) fn check_unchanged(&self) -> Result<(), String> {
        self.source.check_unchanged()
    }

    /// The names of the columns in use.
    pub(super) fn used_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// A reader of single rows.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub(crate) fn reader(&self) -> Result<RowReader<'_>, String> {
        Ok(RowReader { walk: self.walk()?, next: u64::MAX })
    }
}

impl Known {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), longest: 0 }
    }
}

/// A walk through the rows, with the current one.
struct Walk<'a> {
    table: &'a LargeTable,
    scanner: Scanner,
    fields: Fields,
    row: Vec<u8>,
}

impl Walk<'_> {
    /// Go to the next row, the one with this number; `false`: there is none.
    fn advance(&mut self, number: u64) -> Result<bool, String> {
        let row = self.scanner.next().map_err(|why| format!("row {}: {why}", number + 1))?;
        let Some(row) = row else { return Ok(false) };
        self.row.clear();
        self.row.extend_from_slice(row);
        if let Framing::Csv(_) = self.table.framing {
            let wrong = |why: &str| format!("row {} {why}", number + 1);
            if std::str::from_utf8(row).is_err() {
                return Err(wrong(
                    "is not UTF-8: convert the file, for example with `iconv -f latin1 -t utf-8`",
                ));
            }
            self.fields.split(row).map_err(|why| wrong(&why))?;
            let (fields, columns) = (self.fields.len(), self.table.known.len());
            if fields != columns {
                let has = plural(fields as u64, "field");
                return Err(wrong(&format!(
                    "has {has}, and there are {columns} columns: quote a field that contains the separator"
                )));
            }
        }
        Ok(true)
    }
}

/// Reads rows of a large file one at a time, cheaply where they follow each other.
pub(crate) struct RowReader<'a> {
    walk: Walk<'a>,
    /// The row that the scanner is at.
    next: u64,
}

impl RowReader<'_> {
    /// Adds the cells of the columns in use in the row with this `number`.
    ///
    /// # Errors
    /// The file is not what it was.
    pub(crate) fn read(&mut self, number: u64, cells: &mut Cells) -> Result<(), String> {
        let table = self.walk.table;
        if !(self.next..self.next.saturating_add(NEAR)).contains(&number) {
            self.next = number - number % STEP;
            self.walk.scanner.seek(table.index[(number / STEP) as usize]);
        }
        let mut found = true;
        while self.next <= number && found {
            // Rows on the way are only counted.
            found = if self.next < number {
                self.walk.scanner.next()?.is_some()
            } else {
                self.walk.advance(number)?
            };
            self.next += 1;
        }
        if !found {
            return Err(changed());
        }
        for column in &table.columns {
            let mut is_longer = false;
            column.place.cell(&column.name, &self.walk.row, &self.walk.fields, |cell| {
                is_longer = cell.len() > column.longest;
                cells.push(cell);
            })?;
            if is_longer {
                return Err(changed());
            }
        }
        Ok(())
    }
}

fn changed() -> String {
    "is not what it was at the start of the run: leave data files alone while they are in use".to_owned()
}
