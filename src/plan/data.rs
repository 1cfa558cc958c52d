//! Reads the data sets of a plan, and checks their cells against the places where requests have them.

use super::data_schema::{DataForm, OrderForm};
use super::fault::quoted;
use super::path::Path;
use super::plan_schema::Document;
use super::reader::PlanReader;
use super::yaml::{Node, Value};
use crate::data::{Dialect, FileForm, OpenSet, Order, Table};
use crate::template::{Field, Names, Template};

/// Names that stand for something else in a template.
const RESERVED: [&str; 11] =
    ["now", "random", "flow", "run", "sha256", "hmac_sha256", "base64", "url", "json", "raw", "row"];

/// The data sets that templates may name.
#[derive(Debug, Default)]
pub(super) struct OpenData {
    sets: Vec<OpenSet>,
    /// The names of sets that could not be read: what names them is no further fault.
    unread: Vec<String>,
}

impl OpenData {
    /// The columns in `template` whose cells are sent as they are must fit where they stand.
    ///
    /// # Errors
    /// The first cell that does not, and its remedy.
    pub(super) fn check(&self, template: &Template) -> Result<(), String> {
        for (field, fit, typed) in template.bare_fields().filter(|_| self.unread.is_empty()) {
            let (set, column) = field.at;
            let set = self.sets[usize::from(set)].set();
            if let Some(place) = set.find(column, |cell| fit.admits(cell))? {
                let name = quoted(&set.name);
                return Err(format!(
                    "{}: the value in {place} of data {name} {}",
                    quoted(typed),
                    fit.fault()
                ));
            }
        }
        Ok(())
    }

    /// The sets, with the columns that were named.
    pub(super) fn close(self) -> Vec<crate::data::DataSet> {
        self.sets.into_iter().map(OpenSet::close).collect()
    }
}

impl Names for OpenData {
    fn sets(&self) -> Vec<&str> {
        self.sets.iter().map(OpenSet::name).chain(self.unread.iter().map(String::as_str)).collect()
    }

    fn field(&mut self, set: &str, column: &str) -> Result<Field, String> {
        let Some(number) = self.sets.iter().position(|known| known.name() == set) else {
            return Ok(Field { at: (0, 0), most_bytes: 0 });
        };
        let open = &mut self.sets[number];
        let column = open.column(column)?;
        Ok(Field { at: (number as u16, column), most_bytes: open.set().longest(column) })
    }
}

/// The data sets of a plan; faults are recorded.
pub(super) fn read(reader: &mut PlanReader<'_>, document: &Document) -> OpenData {
    let mut data = OpenData::default();
    for (name, form) in document.data.iter().flatten() {
        let at = Path::of("data").key(name);
        if let Err(why) = check_name(name) {
            reader.fault(&at, why);
            data.unread.push(name.clone());
            continue;
        }
        match set(reader, &at, name, form) {
            Some(set) => data.sets.push(set),
            None => data.unread.push(name.clone()),
        }
    }
    data
}

fn check_name(name: &str) -> Result<(), String> {
    let is_word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_word || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("is no name for data: use letters, digits and `_`, a letter first".to_owned());
    }
    if RESERVED.contains(&name) {
        return Err("stands for something else in `{{…}}`: choose another name".to_owned());
    }
    Ok(())
}

fn set(reader: &mut PlanReader<'_>, at: &Path, name: &str, form: &DataForm) -> Option<OpenSet> {
    let order = match form.order {
        None | Some(OrderForm::Circular) => Order::Circular,
        Some(OrderForm::Once) => Order::Once,
        Some(OrderForm::Shuffle) => Order::Shuffle,
        Some(OrderForm::Random) => Order::Random,
    };
    match (&form.file, reader.is_given(&at.key("rows"))) {
        (Some(file), false) => from_file(reader, at, (name, order, file), form),
        (None, true) => {
            for key in ["separator", "quote", "columns"] {
                if reader.is_given(&at.key(key)) {
                    reader.fault(&at.key(key), "is for a `file`: remove it, `rows` name their columns");
                }
            }
            let table = inline(reader, &at.key("rows"))?;
            let opened = OpenSet::of_table(name, order, table);
            reader.read(&at.key("rows"), "rows", opened)
        }
        (Some(_), true) => {
            reader.fault(
                &at.key("rows"),
                "data comes from one place, and `file` gives one: keep one of the two",
            );
            None
        }
        (None, false) => {
            // A file of the wrong type has its fault already.
            if !reader.is_given(&at.key("file")) {
                reader.fault(at, "has no rows: name a `file`, or write `rows`");
            }
            None
        }
    }
}

fn from_file(
    reader: &mut PlanReader<'_>,
    at: &Path,
    (name, order, file): (&str, Order, &str),
    form: &DataForm,
) -> Option<OpenSet> {
    let plain = file.strip_suffix(".gz").unwrap_or(file).to_ascii_lowercase();
    let is_json = plain.ends_with(".jsonl") || plain.ends_with(".ndjson");
    if is_json {
        for key in ["separator", "quote", "columns"] {
            if reader.is_given(&at.key(key)) {
                reader.fault(
                    &at.key(key),
                    "is for comma-separated values: remove it, JSON lines name their values",
                );
            }
        }
    } else if plain.ends_with(".json") {
        let what = "is one JSON document: write one object a line into a `.jsonl` file, for example with \
                    `jq -c '.[]' FILE`";
        reader.fault(&at.key("file"), what);
        return None;
    }
    let separator = if plain.ends_with(".tsv") { b'\t' } else { b',' };
    let separator = character(reader, &at.key("separator"), form.separator.as_deref(), separator);
    let quote = character(reader, &at.key("quote"), form.quote.as_deref(), b'"');
    let (separator, quote) = (separator?, quote?);
    if separator == quote {
        reader.fault(&at.key("quote"), "is the separator, too: choose another character");
        return None;
    }
    let dialect = Dialect { separator, quote };
    let form = match is_json {
        true => FileForm::JsonLines,
        false => FileForm::Csv(dialect, form.columns.as_deref()),
    };
    let opened =
        (reader.files)(file).and_then(|content| OpenSet::of_file(name, order, (file, content), form));
    let opened = opened.map_err(|why| format!("{}: {why}", quoted(file)));
    reader.read(&at.key("file"), "the name of a file", opened)
}

/// One character, written as such or, for a tab, by name.
fn character(reader: &mut PlanReader<'_>, at: &Path, text: Option<&str>, default: u8) -> Option<u8> {
    let character = match text {
        None => Ok(default),
        Some("tab" | "\t") => Ok(b'\t'),
        Some(text) => match text.as_bytes() {
            [byte] if byte.is_ascii_graphic() || *byte == b' ' => Ok(*byte),
            _ => Err(format!("{} is not one ASCII character: write one like `;`, or `tab`", quoted(text))),
        },
    };
    reader.read(at, "one character", character)
}

/// The rows written in the plan: the first one names the columns.
fn inline(reader: &mut PlanReader<'_>, at: &Path) -> Option<Table> {
    let Some(Node { value: Value::Seq(rows), .. }) = reader.root.find(at) else { return None };
    let first = cells(rows.first()?);
    let names: Vec<&str> = first.iter().map(|(name, _)| *name).collect();
    let mut table = Table::with_columns(names.iter().copied());
    for (i, row) in rows.iter().enumerate() {
        let cells = cells(row);
        let cell =
            |name: &&str| cells.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_bytes());
        if let Some(name) = names.iter().find(|name| cell(name).is_none()) {
            reader.fault(&at.index(i), format!("has no {}, which the first row has: add it", quoted(name)));
            return None;
        }
        if let Some((name, _)) = cells.iter().find(|(name, _)| !names.contains(name)) {
            reader.fault(
                &at.index(i),
                format!("has {}, which the first row lacks: add it there", quoted(name)),
            );
            return None;
        }
        table.push(0, names.iter().filter_map(cell));
    }
    Some(table)
}

/// Names and texts of a row.
fn cells(row: &Node) -> Vec<(&str, &str)> {
    let Value::Map(entries) = &row.value else { return Vec::new() };
    let cells = entries.iter().filter_map(|(key, node)| match &node.value {
        Value::Scalar(scalar) => Some((key.text.as_deref()?, scalar.text.as_str())),
        _ => None,
    });
    cells.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, parse_with_files};

    const USERS: &str = "id,email,note\n1,a@x,\"x\ny\"\n2,b@x,\n";

    fn read(text: &str) -> Result<Plan, String> {
        let text = format!("base_url: http://a\nload: {{requests: 1}}\n{text}");
        let files = |name: &str| match name {
            "users.csv" => Ok(USERS.as_bytes().to_vec().into()),
            "users.jsonl" => Ok(b"{\"id\": 1, \"a\": {\"b\": \"x\"}}".to_vec().into()),
            "users.tsv" => Ok(b"id\tname\n1\ta,b\n".to_vec().into()),
            "empty.csv" => Ok(b"id\n".to_vec().into()),
            _ => Err("no such file".to_owned()),
        };
        let plan = parse_with_files(&text, "p", &Default::default(), &|_| None, &files);
        plan.map_err(|faults| faults.to_string())
    }

    #[test]
    fn columns_are_taken_from_files_and_rows() {
        let plan = read(
            "data:\n  users: {file: users.csv, order: once}\n  terms: {file: users.jsonl}\n  tabs: {file: users.tsv}\n  \
             plans: {rows: [{id: free, price: 0}, {id: pro, price: 9.90}], order: random}\n\
             scenarios: [{path: '/{{users.id}}/{{terms./a/b}}?{{tabs.name}}&{{plans.price}}'}]\n",
        );
        let plan = plan.unwrap();
        let sets: Vec<_> = plan.data.iter().map(|set| (set.name.as_str(), set.order, set.rows)).collect();
        assert_eq!(
            sets,
            [
                ("plans", Order::Random, 2),
                ("tabs", Order::Circular, 1),
                ("terms", Order::Circular, 1),
                ("users", Order::Once, 2)
            ]
        );
        assert_eq!(plan.data[0].cell(1, 0), b"9.90");
    }

    #[test]
    fn a_fault_names_its_place_and_a_remedy() {
        for (data, path, words) in [
            ("u: {file: users.csv}", "/{{u.emial}}", "`u` has no column `emial`, did you mean `email`?"),
            ("u: {file: users.csv}", "/{{v.email}}", "there is no value `v.email`, did you mean `u.email`?"),
            ("u: {file: users.csv}", "/{{u}}", "`u` is a data set: name one of its columns"),
            (
                "u: {file: users.csv}",
                "/{{u.note}}",
                "in line 4 of data `u` is empty, which would leave a segment",
            ),
            (
                "u: {file: users.csv}",
                "/x{{u.note | raw}}",
                "in line 2 of data `u` has a character that a URL",
            ),
            ("u: {file: nowhere.csv}", "/", "`nowhere.csv`: no such file"),
            ("u: {file: empty.csv}", "/", "`empty.csv`: has no rows"),
            ("u: {file: users.json}", "/", "jq -c"),
            ("u: {order: once}", "/", "has no rows: name a `file`, or write `rows`"),
            ("u: {file: users.csv, rows: [{a: 1}]}", "/", "keep one of the two"),
            ("u: {file: users.csv, separator: ';;'}", "/", "is not one ASCII character"),
            ("u: {file: users.csv, separator: '\"'}", "/", "is the separator, too"),
            ("u: {file: users.jsonl, separator: ';'}", "/", "is for comma-separated values"),
            ("u: {rows: [{a: 1}, {b: 1}]}", "/", "data.u.rows[1]: has no `a`, which the first row has"),
            ("u: {rows: [{a: 1}, {a: 1, b: 1}]}", "/", "has `b`, which the first row lacks"),
            ("u: {rows: [{a: 1}], quote: x}", "/", "is for a `file`"),
            ("now: {rows: [{a: 1}]}", "/", "stands for something else"),
            ("a-b: {rows: [{a: 1}]}", "/", "is no name for data"),
        ] {
            let error = read(&format!("data: {{{data}}}\nscenarios: [{{path: '{path}'}}]\n")).unwrap_err();
            assert!(error.contains(words), "{data} {path}: {error}");
        }
    }

    #[test]
    fn a_fault_of_a_default_has_its_line_and_is_reported_once() {
        let error = read(
            "defaults: {headers: {X: '{{u.x}}'}}\ndata: {u: {file: users.csv}}\nscenarios: [{path: /a}, {path: /b}]\n",
        );
        let error = error.unwrap_err();
        assert!(error.starts_with("p:3:25: defaults.headers.X: ") && error.lines().count() == 1, "{error}");
    }

    #[test]
    fn a_cell_that_cannot_be_sent_where_it_stands_is_found_before_the_run() {
        let request = |request: &str| {
            read(&format!(
                "data: {{u: {{file: users.csv}}}}\nscenarios: [{{path: /, method: POST, {request}}}]\n"
            ))
        };
        for (text, words) in [
            ("headers: {X: '{{u.note}}'}", "line 2 of data `u` has a line feed"),
            ("body: '{\"a\": {{u.note}}}'", "line 2 of data `u` is not a JSON value"),
        ] {
            let error = request(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        for text in [
            "headers: {X: '{{u.note | url}}'}",
            "body: '{\"a\": \"{{u.note}}\", \"b\": {{u.note | json}}, \"c\": {{u.id}}}'",
            "headers: {X: '{{sha256(u.note)}}'}",
        ] {
            request(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
}
