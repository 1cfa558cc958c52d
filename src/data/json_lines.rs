//! Reads JSON lines: one JSON object a line. A column is made when a plan names it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

use super::table::Column;
use crate::text::quoted;

/// The lines of a file that are not blank.
#[derive(Debug)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// The line's number in the file, and where it is.
    lines: Vec<(u32, Range<usize>)>,
}

impl Lines {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        let (mut lines, mut begin) = (Vec::new(), 0);
        for (i, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let end = begin + line.len();
            if !line.trim_ascii().is_empty() {
                lines.push((i as u32 + 1, begin..end));
            }
            begin = end + 1;
        }
        Self { bytes, lines }
    }

    /// The number of each line that has a row.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.lines.iter().map(|(number, _)| *number).collect()
    }

    /// The column of the key `name`, or of a JSON pointer (RFC 6901) if it begins with `/`.
    ///
    /// # Errors
    /// The first line without it, and its remedy.
    pub(super) fn column(&self, name: &str) -> Result<Column, String> {
        let tokens = pointer(name);
        let mut column = Column::named(name);
        for (number, range) in &self.lines {
            let cell = cell(&self.bytes[range.clone()], &tokens);
            column.push(cell.map_err(|why| format!("line {number} {}", why(name)))?.as_bytes());
        }
        Ok(column)
    }
}

/// The steps to the value of a key, or of a JSON pointer if it begins with `/`.
pub(super) fn pointer(name: &str) -> Vec<String> {
    match name.strip_prefix('/') {
        None => vec![name.to_owned()],
        Some(pointer) => {
            pointer.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
        }
    }
}

/// What is wrong with a line, for the column of this name.
pub(super) type Fault = Box<dyn Fn(&str) -> String>;

fn fault(why: impl Fn(&str) -> String + 'static) -> Fault {
    Box::new(why)
}

/// The value that `tokens` lead to: a string's text, or the JSON of any other value.
pub(super) fn cell(line: &[u8], tokens: &[String]) -> Result<String, Fault> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let no_json = |error: serde_json::Error| {
        fault(move |_| format!("is not one JSON object, column {}: write one object a line", error.column()))
    };
    let missing = || fault(|name| format!("has no {}: add it, or remove the line", quoted(name)));
    let mut value: &RawValue = serde_json::from_slice(line).map_err(no_json)?;
    if !value.get().starts_with('{') {
        return Err(fault(|_| "is not a JSON object: write one object a line".to_owned()));
    }
    for token in tokens {
        value = match value.get().as_bytes()[0] {
            b'{' => {
                let entries: BTreeMap<String, &RawValue> =
                    serde_json::from_str(value.get()).map_err(no_json)?;
                entries.get(token).copied().ok_or_else(missing)?
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(no_json)?;
                let is_index = token == "0" || !token.starts_with(['0', '+']);
                let index = token.parse::<usize>().ok().filter(|_| is_index);
                index.and_then(|index| items.get(index).copied()).ok_or_else(missing)?
            }
            _ => return Err(missing()),
        };
    }
    match value.get() {
        "null" => {
            Err(fault(|name| format!("has `null` as {}: give it a value, or remove the line", quoted(name))))
        }
        text if text.starts_with('"') => serde_json::from_str(text).map_err(no_json),
        other => Ok(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str, name: &str) -> Result<Vec<String>, String> {
        let lines = Lines::of(text.as_bytes().to_vec());
        let column = lines.column(name)?;
        let rows = 0..lines.numbers().len() as u64;
        Ok(rows.map(|row| String::from_utf8(column.cell(row).to_vec()).unwrap()).collect())
    }

    #[test]
    fn strings_are_unescaped_and_everything_else_stays_as_it_is_written() {
        let text = "\u{feff}{\"a\": \"x\\n\\u00e4\\ud83d\\ude00\"}\r\n\n{\"a\": 12345678901234567890.10}\n{\"a\":true}\n\
                    {\"a\": {\"b\": [1, 2]}}";
        assert_eq!(
            cells(text, "a").unwrap(),
            ["x\nä😀", "12345678901234567890.10", "true", "{\"b\": [1, 2]}"]
        );
        assert_eq!(Lines::of(text.as_bytes().to_vec()).numbers(), [1, 3, 4, 5]);
    }

    #[test]
    fn pointers_lead_into_objects_and_arrays() {
        let text = r#"{"a/b": {"~": ["x", {"": 7}]}}"#;
        for (pointer, value) in [("/a~1b/~0/0", "x"), ("/a~1b/~0/1/", "7")] {
            assert_eq!(cells(text, pointer).unwrap(), [value], "{pointer}");
        }
        for pointer in ["/a~1b/~0/00", "/a~1b/~0/2", "/a~1b/x", "/a", "/a~1b/~0/0/x"] {
            assert!(cells(text, pointer).unwrap_err().contains("line 1 has no"), "{pointer}");
        }
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        assert_eq!(cells(r#"{"a": 1, "a": 2}"#, "a").unwrap(), ["2"]);
    }

    #[test]
    fn a_fault_names_its_line_and_a_remedy() {
        for (text, words) in [
            ("{\"a\": 1}\n{\"b\": 1}", "line 2 has no `a`: add it"),
            ("{\"a\": null}", "line 1 has `null` as `a`"),
            ("[1]", "line 1 is not a JSON object"),
            ("{\"a\": 1} {\"a\": 2}", "line 1 is not one JSON object, column 10"),
            ("{\"a\": \"\\ud800\"}", "line 1 is not one JSON object"),
            ("{\"a\": \"", "line 1 is not one JSON object"),
        ] {
            let error = cells(text, "a").unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(Lines::of(b"{\"a\": \"\xff\"}".to_vec()).column("a").is_err());
    }
}
