//! One data set of a plan.

use std::io::Read as _;

use sha2::{Digest as _, Sha256};

use super::csv;
use super::file_form::FileForm;
use super::json_lines::Lines;
use super::large::LargeTable;
use super::order::Order;
use super::source::{Content, NamedFile, hex};
use super::table::{Column, Table};
use crate::text::{did_you_mean, quoted};
use crate::units::print_bytes;

/// The largest data set in memory, in bytes without compression.
pub(crate) const MAX_DATA_BYTES: usize = 64 << 20;
const NO_ROWS: &str = "has no rows: add one";

/// Rows, and the order in which requests take them. Only columns that the plan names are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// As in the plan.
    pub name: String,
    /// In which order rows are taken.
    pub order: Order,
    /// How many rows there are, at least 1.
    pub rows: u64,
    /// The file it was read from; `None`: its rows are in the plan.
    pub(crate) file: Option<NamedFile>,
    storage: Storage,
}

/// Where the rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Storage {
    /// In memory, with the line each row begins on; 0: it is not of a file.
    Columns(Vec<Column>, Vec<u32>),
    /// In their file.
    Large(Box<LargeTable>),
}

impl DataSet {
    /// The cell of a column in the `row`th row of a set in memory.
    #[inline]
    pub(crate) fn cell(&self, row: u64, column: u16) -> &[u8] {
        match &self.storage {
            Storage::Columns(columns, _) => columns[usize::from(column)].cell(row),
            Storage::Large(_) => unreachable!("rows of large files are read beforehand"),
        }
    }

    /// Its table, if it stays in its file.
    #[inline]
    pub(crate) fn large(&self) -> Option<&LargeTable> {
        match &self.storage {
            Storage::Columns(..) => None,
            Storage::Large(table) => Some(table),
        }
    }

    /// The longest cell of a column, in bytes.
    pub(crate) fn longest(&self, column: u16) -> usize {
        match &self.storage {
            Storage::Columns(columns, _) => columns[usize::from(column)].longest(),
            Storage::Large(table) => table.longest(column),
        }
    }

    /// Words for the place of the first cell of a column that is not `fit`.
    ///
    /// # Errors
    /// Its file cannot be read any more.
    pub(crate) fn find(&self, column: u16, fit: impl Fn(&[u8]) -> bool) -> Result<Option<String>, String> {
        let row = match &self.storage {
            Storage::Columns(..) => (0..self.rows).find(|row| !fit(self.cell(*row, column))),
            Storage::Large(table) => table.find(column, fit)?,
        };
        Ok(row.map(|row| self.place(row)))
    }

    /// Words for the place of a row: its line in the file, if that is known.
    pub(crate) fn place(&self, row: u64) -> String {
        match &self.storage {
            Storage::Columns(_, lines) if lines[row as usize] > 0 => format!("line {}", lines[row as usize]),
            _ => format!("row {}", row + 1),
        }
    }

    /// The hex digest of its rows and of their order.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut put = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        put(self.order.name().as_bytes());
        match &self.storage {
            Storage::Columns(columns, _) => {
                for column in columns {
                    put(column.name.as_bytes());
                    (0..self.rows).for_each(|row| put(column.cell(row)));
                }
            }
            Storage::Large(table) => {
                put(table.digest.as_bytes());
                table.used_names().for_each(|name| put(name.as_bytes()));
            }
        }
        hex(&hash.finalize())
    }
}

/// A data set whose columns are still being named.
#[derive(Debug)]
pub(crate) struct OpenSet {
    set: DataSet,
    rest: Rest,
}

/// The columns that nobody has named yet.
#[derive(Debug)]
enum Rest {
    Columns(Vec<Column>),
    Lines(Lines),
    /// Those of a large file stay there.
    InFile,
}

impl OpenSet {
    /// A set of the rows in `table`.
    ///
    /// # Errors
    /// There are none.
    pub(crate) fn of_table(name: &str, order: Order, table: Table) -> Result<Self, String> {
        let Table { columns, lines } = table;
        Self::new(name, order, lines, Rest::Columns(columns))
    }

    /// The set in the content of a file; one whose name ends in `.gz` is unpacked.
    ///
    /// # Errors
    /// The first fault with its line, and its remedy.
    pub(crate) fn of_file(
        name: &str,
        order: Order,
        (file, content): (&str, Content),
        form: FileForm<'_>,
    ) -> Result<Self, String> {
        let named = content.identity(file)?;
        let bytes = match content {
            Content::Bytes(bytes) => bytes,
            Content::Large(_) if file.ends_with(".gz") => {
                return Err(
                    "is too large for memory: unpack it, so that rows can be read one by one".to_owned()
                );
            }
            Content::Large(source) => {
                return Self::of_large(name, order, named, LargeTable::open(source, form)?);
            }
        };
        let bytes = if file.ends_with(".gz") { unpacked(&bytes)? } else { bytes };
        if bytes.len() > MAX_DATA_BYTES {
            let most = print_bytes(MAX_DATA_BYTES as u64);
            return Err(format!(
                "has more than {most} once it is unpacked: unpack it, so that it is read row by row"
            ));
        }
        let mut open = match form {
            FileForm::Csv(dialect, names) => Self::of_table(name, order, csv::read(&bytes, dialect, names)?),
            FileForm::JsonLines => {
                let lines = Lines::of(bytes);
                Self::new(name, order, lines.numbers(), Rest::Lines(lines))
            }
        }?;
        open.set.file = Some(named);
        Ok(open)
    }

    fn of_large(name: &str, order: Order, file: NamedFile, table: LargeTable) -> Result<Self, String> {
        if table.rows == 0 {
            return Err(NO_ROWS.to_owned());
        }
        let (name, rows) = (name.to_owned(), table.rows);
        let file = Some(file);
        Ok(Self {
            set: DataSet { name, order, rows, file, storage: Storage::Large(Box::new(table)) },
            rest: Rest::InFile,
        })
    }

    fn new(name: &str, order: Order, lines: Vec<u32>, rest: Rest) -> Result<Self, String> {
        if lines.is_empty() {
            return Err(NO_ROWS.to_owned());
        }
        let (name, rows) = (name.to_owned(), lines.len() as u64);
        let storage = Storage::Columns(Vec::new(), lines);
        Ok(Self { set: DataSet { name, order, rows, file: None, storage }, rest })
    }

    pub(crate) fn name(&self) -> &str {
        &self.set.name
    }

    /// The set as it is so far.
    pub(crate) fn set(&self) -> &DataSet {
        &self.set
    }

    /// The number of the column `name`, which is kept from now on.
    ///
    /// # Errors
    /// There is none, and what there is.
    pub(crate) fn column(&mut self, name: &str) -> Result<u16, String> {
        let in_set = |why| format!("data {}: {why}", quoted(&self.set.name));
        let columns = match &mut self.set.storage {
            Storage::Columns(columns, _) => columns,
            Storage::Large(table) => {
                if let Some(known) = table.used(name) {
                    return Ok(known as u16);
                }
                return match table.add(name).map_err(in_set)? {
                    Some(number) => Ok(number as u16),
                    None => Err(no_column(&self.set.name, name, &table.names())),
                };
            }
        };
        if let Some(known) = columns.iter().position(|column| column.name == name) {
            return Ok(known as u16);
        }
        let mut column = match &mut self.rest {
            Rest::Lines(lines) => lines.column(name).map_err(in_set)?,
            Rest::Columns(rest) => match rest.iter().position(|column| column.name == name) {
                Some(place) => rest.swap_remove(place),
                None => {
                    let known: Vec<&str> = columns.iter().chain(&*rest).map(|c| c.name.as_str()).collect();
                    return Err(no_column(&self.set.name, name, &known));
                }
            },
            Rest::InFile => unreachable!("a set in memory"),
        };
        column.shrink();
        columns.push(column);
        Ok(columns.len() as u16 - 1)
    }

    /// The set with the columns that were named.
    pub(crate) fn close(self) -> DataSet {
        self.set
    }
}

/// The most names that a message lists.
const MOST_NAMES: usize = 10;

fn no_column(set: &str, name: &str, known: &[&str]) -> String {
    let guess = did_you_mean(name, known.iter().copied());
    let remedy = if guess.is_empty() {
        let more = if known.len() > MOST_NAMES { ", …" } else { "" };
        format!(
            ": there {} {}{more}",
            if known.len() == 1 { "is" } else { "are" },
            known[..known.len().min(MOST_NAMES)].join(", ")
        )
    } else {
        guess
    };
    format!("data {} has no column {}{remedy}", quoted(set), quoted(name))
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    // One byte more tells a full file from one that is too large.
    let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(MAX_DATA_BYTES as u64 + 1);
    reader
        .read_to_end(&mut unpacked)
        .map_err(|e| format!("cannot be unpacked: {e}: pack it again with gzip"))?;
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::super::csv::Dialect;
    use super::*;
    use std::io::Write as _;

    const CSV: FileForm<'_> = FileForm::Csv(Dialect { separator: b',', quote: b'"' }, None);

    fn open(file: &str, bytes: &[u8]) -> Result<OpenSet, String> {
        OpenSet::of_file("users", Order::Circular, (file, bytes.to_vec().into()), CSV)
    }

    #[test]
    fn only_named_columns_are_kept_each_once() {
        let mut set = open("a.csv", b"id,email,note\n1,a@x,n\n2,b@x,n\n").unwrap();
        assert_eq!(set.column("email"), Ok(0));
        assert_eq!(set.column("id"), Ok(1));
        assert_eq!(set.column("email"), Ok(0));
        let set = set.close();
        assert_eq!((set.rows, set.longest(0)), (2, 3));
        assert_eq!((set.cell(1, 0), set.cell(0, 1)), (&b"b@x"[..], &b"1"[..]));
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        let mut set = open("a.csv", b"id,email\n1,a\n").unwrap();
        set.column("id").unwrap();
        assert_eq!(
            set.column("emial"),
            Err("data `users` has no column `emial`, did you mean `email`?".to_owned())
        );
        assert_eq!(set.column("x"), Err("data `users` has no column `x`: there are id, email".to_owned()));
    }

    #[test]
    fn packed_files_are_unpacked_and_bounded() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"id\n1\n").unwrap();
        assert_eq!(open("a.csv.gz", &packer.finish().unwrap()).unwrap().set().rows, 1);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        (0..=MAX_DATA_BYTES >> 20).for_each(|_| packer.write_all(&[b'\n'; 1 << 20]).unwrap());
        assert!(open("a.csv.gz", &packer.finish().unwrap()).unwrap_err().contains("more than 64.0 MiB"));
        assert!(open("a.csv.gz", b"id\n1\n").unwrap_err().contains("cannot be unpacked"));
        assert!(open("a.csv", b"id\n").unwrap_err().contains("has no rows"));
    }

    #[test]
    fn its_digest_is_that_of_what_is_sent() {
        let digest = |text: &str, order| {
            let mut set =
                OpenSet::of_file("u", order, ("u.csv", text.as_bytes().to_vec().into()), CSV).unwrap();
            set.column("id").unwrap();
            set.close().digest()
        };
        let usual = digest("id,x\n1,2\n", Order::Circular);
        assert_eq!(digest("\u{feff}x,id\r\n\"other\",1\r\n", Order::Circular), usual);
        assert_ne!(digest("id,x\n2,2\n", Order::Circular), usual);
        assert_ne!(digest("id,x\n1,2\n", Order::Once), usual);
    }
}
