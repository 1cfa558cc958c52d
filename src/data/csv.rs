//! Reads comma-separated values (RFC 4180).

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::table::Table;
use crate::text::quoted;
use crate::units::plural;

/// How a file separates and quotes its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) separator: u8,
    pub(crate) quote: u8,
}

/// The bytes some editors put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The table in `bytes`. Without `names`, the first row has them.
///
/// # Errors
/// The first fault with its line, and its remedy.
pub(super) fn read(bytes: &[u8], dialect: Dialect, names: Option<&[String]>) -> Result<Table, String> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = ReaderBuilder::new()
        .delimiter(dialect.separator)
        .quote(dialect.quote)
        .terminator(Terminator::CRLF)
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut table = names.map(|names| Table::with_columns(names.iter().map(String::as_str)));
    let mut record = ByteRecord::new();
    let mut lines_before = 0;
    loop {
        let begin = reader.position().byte() as usize;
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(error.to_string()),
        }
        let text = &bytes[begin..reader.position().byte() as usize];
        let blank = text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let line = lines_before + line_feeds(&text[..blank]) + 1;
        lines_before += line_feeds(text);
        check(text, &record, line, dialect.quote)?;
        let Some(table) = &mut table else {
            table = Some(Table::with_columns(header(record.iter())?));
            continue;
        };
        let (fields, columns) = (record.len(), table.columns.len());
        if fields != columns {
            return Err(format!(
                "line {line} has {}, and there {}: quote a field that contains {}",
                plural(fields as u64, "field"),
                if columns == 1 { "is 1 column".to_owned() } else { format!("are {columns} columns") },
                quoted(&char::from(dialect.separator).to_string())
            ));
        }
        table.push(line as u32, &record);
    }
    table.ok_or_else(|| "is empty: give it a first line with the names of its columns".to_owned())
}

fn line_feeds(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The names in the first row.
pub(super) fn header<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Result<Vec<&'a str>, String> {
    let mut names: Vec<&str> = Vec::new();
    for name in fields {
        let name = std::str::from_utf8(name).unwrap_or_default().trim();
        if name.is_empty() {
            return Err(
                "a column has no name: give it one in the first line, or name all with `columns:`".to_owned()
            );
        }
        if names.contains(&name) {
            return Err(format!(
                "two columns are named {}: rename one, or name all with `columns:`",
                quoted(name)
            ));
        }
        names.push(name);
    }
    Ok(names)
}

/// Rejects what other programs would read in another way.
fn check(text: &[u8], record: &ByteRecord, line: u64, quote: u8) -> Result<(), String> {
    if text.iter().filter(|byte| **byte == quote).count() % 2 == 1 {
        let quote = char::from(quote);
        return Err(format!(
            "a {quote} is not closed in the row that begins on line {line}: quote the whole field, and double each \
             {quote} within it"
        ));
    }
    if record.iter().any(|field| std::str::from_utf8(field).is_err()) {
        return Err(format!(
            "line {line} is not UTF-8: convert the file, for example with `iconv -f latin1 -t utf-8`"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Dialect = Dialect { separator: b',', quote: b'"' };

    fn rows(text: &str, dialect: Dialect, names: Option<&[String]>) -> Result<Vec<Vec<String>>, String> {
        let table = read(text.as_bytes(), dialect, names)?;
        let cell = |row: usize, column: &super::super::table::Column| {
            String::from_utf8(column.cell(row as u64).to_vec()).unwrap()
        };
        let names = table.columns.iter().map(|column| column.name.clone()).collect();
        let rows = (0..table.lines.len()).map(|row| table.columns.iter().map(|c| cell(row, c)).collect());
        Ok([names].into_iter().chain(rows).collect())
    }

    #[test]
    fn quotes_line_feeds_byte_order_marks_and_line_ends_are_understood() {
        let text = "\u{feff}id, name \r\n1,\"a, \"\"b\"\"\nc\"\r\n\r\n2,\n3,ä";
        assert_eq!(
            rows(text, COMMA, None).unwrap(),
            [["id", "name"], ["1", "a, \"b\"\nc"], ["2", ""], ["3", "ä"]]
        );
        let tab = Dialect { separator: b'\t', quote: b'\'' };
        let names = ["a".to_owned(), "b".to_owned()];
        assert_eq!(rows("'1\t2'\t\"\n", tab, Some(&names)).unwrap(), [["a", "b"], ["1\t2", "\""]]);
    }

    #[test]
    fn a_fault_names_its_line_and_a_remedy() {
        for (text, words) in [
            ("", "is empty: give it a first line"),
            ("a,\n1,2", "a column has no name"),
            ("a,a\n1,2", "two columns are named `a`"),
            ("a,b\n1,2\n\"x\ny\",2,3\n", "line 3 has 3 fields, and there are 2 columns: quote a field"),
            ("a,b\n1\n", "line 2 has 1 field, and"),
            ("a\n1\n\"2\n3\n4", "a \" is not closed in the row that begins on line 3"),
            ("a\n5\" disk\n", "a \" is not closed in the row that begins on line 2"),
        ] {
            let error = rows(text, COMMA, None).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        let error = read(b"a\n\xff\n", COMMA, None).unwrap_err();
        assert!(error.starts_with("line 2 is not UTF-8"), "{error}");
    }

    #[test]
    fn line_numbers_are_those_of_an_editor() {
        let table = read(b"a\n1\n\n\"x\ny\"\n2\n", COMMA, None).unwrap();
        assert_eq!(table.lines, [2, 4, 6]);
    }
}
