//! Walks through the rows of a large file, and takes them apart.

use std::ops::Range;
use std::sync::Arc;

use super::csv::Dialect;
use super::json_lines;
use super::source::Source;
use crate::units::print_bytes;

/// The longest row, in bytes.
const MAX_ROW_BYTES: usize = 1 << 20;
/// What is read at once where rows are read in order, and where one is looked for.
const LONG_READ_BYTES: usize = 256 << 10;
const SHORT_READ_BYTES: usize = 16 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How rows are separated, and their cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Csv(Dialect),
    JsonLines,
}

/// A position in a file, from which rows are read in order.
#[derive(Debug)]
pub(super) struct Scanner {
    source: Arc<dyn Source>,
    framing: Framing,
    /// The bytes from `offset` on, of which the first `begin` are done with.
    buffer: Vec<u8>,
    begin: usize,
    offset: u64,
    /// How much the next read takes.
    read_bytes: usize,
}

impl Scanner {
    /// At the beginning of the file.
    pub(super) fn new(source: Arc<dyn Source>, framing: Framing) -> Result<Self, String> {
        let mut scanner =
            Self { source, framing, buffer: Vec::new(), begin: 0, offset: 0, read_bytes: LONG_READ_BYTES };
        while scanner.buffer.len() < BYTE_ORDER_MARK.len() && scanner.fill()? {}
        if scanner.buffer.starts_with(BYTE_ORDER_MARK) {
            scanner.begin = BYTE_ORDER_MARK.len();
        }
        Ok(scanner)
    }

    /// Where the next row begins, or blank lines before it.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.begin as u64
    }

    /// Go to `offset`, where a row begins.
    pub(super) fn seek(&mut self, offset: u64) {
        let ahead = offset.checked_sub(self.offset).filter(|ahead| *ahead <= self.buffer.len() as u64);
        match ahead {
            Some(ahead) => self.begin = ahead as usize,
            None => {
                self.buffer.clear();
                (self.begin, self.offset, self.read_bytes) = (0, offset, SHORT_READ_BYTES);
            }
        }
    }

    /// The next row, without its line end; `None` at the end of the file. Blank lines are no rows.
    ///
    /// # Errors
    /// The file cannot be read, or the row is too long.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, String> {
        let row = loop {
            match self.framed() {
                Some((row, end)) if row.is_empty() => self.begin = end,
                Some((row, end)) => {
                    self.begin = end;
                    break row;
                }
                None if self.fill()? => {}
                None => {
                    if let Framing::Csv(Dialect { quote, .. }) = self.framing {
                        let quotes = self.buffer[self.begin..].iter().filter(|byte| **byte == quote).count();
                        if quotes % 2 == 1 {
                            let quote = char::from(quote);
                            return Err(format!(
                                "a {quote} is not closed: quote the whole field, and double each {quote} within it"
                            ));
                        }
                    }
                    let rest = self.trimmed(self.begin..self.buffer.len());
                    self.begin = self.buffer.len();
                    if rest.is_empty() {
                        return Ok(None);
                    }
                    break rest;
                }
            }
        };
        if row.len() > MAX_ROW_BYTES {
            return Err(too_long(self.offset + row.start as u64));
        }
        Ok(Some(&self.buffer[row]))
    }

    /// The row at `begin` and where the one after it begins, if its line end is in the buffer.
    fn framed(&self) -> Option<(Range<usize>, usize)> {
        let bytes = &self.buffer[self.begin..];
        let at = match self.framing {
            Framing::JsonLines => bytes.iter().position(|byte| *byte == b'\n')?,
            Framing::Csv(dialect) => {
                let mut is_quoted = false;
                bytes.iter().position(|byte| {
                    is_quoted ^= *byte == dialect.quote;
                    *byte == b'\n' && !is_quoted
                })?
            }
        };
        Some((self.trimmed(self.begin..self.begin + at), self.begin + at + 1))
    }

    /// Without what belongs to the line end, or blanks around JSON.
    fn trimmed(&self, mut row: Range<usize>) -> Range<usize> {
        let is_end = |byte: u8| match self.framing {
            Framing::Csv(_) => matches!(byte, b'\r' | b'\n'),
            Framing::JsonLines => byte.is_ascii_whitespace(),
        };
        while row.end > row.start && is_end(self.buffer[row.end - 1]) {
            row.end -= 1;
        }
        row
    }

    /// Read more; false: there is no more.
    fn fill(&mut self) -> Result<bool, String> {
        self.buffer.drain(..self.begin);
        self.offset += self.begin as u64;
        self.begin = 0;
        let have = self.buffer.len();
        if have > MAX_ROW_BYTES {
            return Err(too_long(self.offset));
        }
        self.buffer.resize(have + self.read_bytes, 0);
        let read = self.source.read_at(self.offset + have as u64, &mut self.buffer[have..])?;
        self.buffer.truncate(have + read);
        self.read_bytes = LONG_READ_BYTES;
        Ok(read > 0)
    }
}

/// A row that begins at `offset` has too many bytes.
fn too_long(offset: u64) -> String {
    let most = print_bytes(MAX_ROW_BYTES as u64);
    format!("is longer than {most}: is a quote not closed? (at byte {offset})")
}

/// The cells of a row, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    bytes: Vec<u8>,
    /// Where each cell ends.
    ends: Vec<u32>,
}

impl Cells {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn push(&mut self, cell: &[u8]) {
        self.bytes.extend_from_slice(cell);
        self.ends.push(self.bytes.len() as u32);
    }

    #[inline]
    pub(crate) fn get(&self, i: usize) -> &[u8] {
        let begin = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin as usize..self.ends[i] as usize]
    }
}

/// Takes rows of comma-separated values apart.
pub(super) struct Fields {
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    number: usize,
}

impl Fields {
    pub(super) fn new(dialect: Dialect) -> Self {
        let reader = csv_core::ReaderBuilder::new().delimiter(dialect.separator).quote(dialect.quote).build();
        Self { reader, text: Vec::new(), ends: vec![0; 16], number: 0 }
    }

    /// Take `row` apart.
    ///
    /// # Errors
    /// It is more than one row: a quote stands where it does not belong.
    pub(super) fn split(&mut self, row: &[u8]) -> Result<(), String> {
        use csv_core::ReadRecordResult as Read;
        self.text.resize(self.text.len().max(row.len() + 1), 0);
        self.reader.reset();
        let (mut read, mut written, mut ended) = (0, 0, 0);
        loop {
            let (result, n, out, ends) =
                self.reader.read_record(&row[read..], &mut self.text[written..], &mut self.ends[ended..]);
            (read, written, ended) = (read + n, written + out, ended + ends);
            match result {
                Read::InputEmpty => {}
                Read::OutputFull => self.text.resize(2 * self.text.len(), 0),
                Read::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                Read::Record | Read::End => break,
            }
        }
        self.number = ended;
        if read < row.len() {
            return Err("has a quote within a field that is not quoted, or a lone carriage return: quote the whole field".to_owned());
        }
        Ok(())
    }

    pub(super) const fn len(&self) -> usize {
        self.number
    }

    pub(super) fn get(&self, i: usize) -> &[u8] {
        let begin = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[begin..self.ends[i]]
    }
}

/// Where a column's cells are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The number of the field.
    Field(usize),
    /// The steps to a value in a JSON object.
    Pointer(Vec<String>),
}

impl Place {
    /// The cell in a row, which `fields` has taken apart if it is of comma-separated values.
    pub(super) fn cell(
        &self,
        name: &str,
        row: &[u8],
        fields: &Fields,
        put: impl FnOnce(&[u8]),
    ) -> Result<(), String> {
        match self {
            Self::Field(i) => put(fields.get(*i)),
            Self::Pointer(tokens) => put(json_lines::cell(row, tokens).map_err(|why| why(name))?.as_bytes()),
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file in memory that gives at most so many bytes a read.
    #[derive(Debug)]
    pub(in super::super) struct Memory(pub(in super::super) Vec<u8>, pub(in super::super) usize);

    impl Source for Memory {
        fn bytes(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, String> {
            let from = (offset as usize).min(self.0.len());
            let n = buffer.len().min(self.1).min(self.0.len() - from);
            buffer[..n].copy_from_slice(&self.0[from..from + n]);
            Ok(n)
        }

        fn sha256(&self) -> Result<String, String> {
            super::super::source::sha256_of(self)
        }

        fn check_unchanged(&self) -> Result<(), String> {
            Ok(())
        }
    }

    const COMMA: Dialect = Dialect { separator: b',', quote: b'"' };

    fn rows(text: &[u8], piece: usize) -> Result<Vec<Vec<Vec<u8>>>, String> {
        let source = Arc::new(Memory(text.to_vec(), piece));
        let mut scanner = Scanner::new(source, Framing::Csv(COMMA))?;
        let (mut fields, mut rows) = (Fields::new(COMMA), Vec::new());
        while let Some(row) = scanner.next()? {
            fields.split(row)?;
            rows.push((0..fields.len()).map(|i| fields.get(i).to_vec()).collect());
        }
        Ok(rows)
    }

    proptest! {
        /// The rows are those that the `csv` crate reads, however the file is cut.
        #[test]
        fn rows_are_those_of_an_independent_reader(
            cells in prop::collection::vec(prop::collection::vec("[a\"\n\r, é]{0,6}", 1..5), 0..12),
            crlf in any::<bool>(), bom in any::<bool>(), piece in 1usize..40,
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().flexible(true).terminator(terminator).from_writer(Vec::new());
            for row in &cells {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
            let expected: Vec<Vec<Vec<u8>>> =
                reader.byte_records().map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
            let text = [if bom { BYTE_ORDER_MARK } else { &[] }, &text].concat();
            prop_assert_eq!(rows(&text, piece).unwrap(), expected);
        }

        /// Whatever the bytes: the same rows as the `csv` crate's, or a fault.
        #[test]
        fn any_bytes_are_read_alike_or_refused(text in "[ab\",\n\r]{0,60}", piece in 1usize..20) {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<Vec<u8>>> =
                reader.byte_records().map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
            // A lone carriage return ends a line for `csv`, and is a character of the row here.
            let is_alike = !text.replace("\r\n", "\n").contains('\r') && text.matches('"').count() % 2 == 0;
            if is_alike && let Ok(rows) = rows(text.as_bytes(), piece) {
                prop_assert_eq!(rows, expected);
            }
        }
    }

    #[test]
    fn any_row_can_be_gone_to() {
        let text: String = (0..1_000).map(|i| format!("{i},\"x\ny{i}\"\n\n")).collect();
        let source = Arc::new(Memory(text.clone().into_bytes(), 97));
        let mut scanner = Scanner::new(source, Framing::Csv(COMMA)).unwrap();
        let mut offsets = Vec::new();
        while let Some(row) = {
            offsets.push(scanner.position());
            scanner.next().unwrap()
        } {
            assert!(!row.is_empty());
        }
        for i in [999, 0, 500, 501, 3] {
            scanner.seek(offsets[i]);
            assert_eq!(scanner.next().unwrap().unwrap(), format!("{i},\"x\ny{i}\"").as_bytes());
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_does_not_fill_the_memory() {
        let mut text = b"a\n\"".to_vec();
        text.resize(8 << 20, b'x');
        let error = rows(&text, usize::MAX).unwrap_err();
        assert!(error.contains("is a quote not closed?"), "{error}");
    }
}
