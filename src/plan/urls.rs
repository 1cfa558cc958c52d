//! The URLs of `--urls FILE`: one scenario, or one for each label, whose paths are rows of data.

use super::fault::quoted;
use super::request_target;
use super::url;
use super::yaml::{Node, Value};
use crate::data::{Content, Dialect, FileForm, OpenSet, Order};
use crate::schedule::MAX_PERIOD;

/// How the CSV of paths that the plan's data sets are read from separates them.
const DIALECT: Dialect = Dialect { separator: b',', quote: b'"' };

/// URLs of one origin, by label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlList {
    /// Scheme, host and port of all of them.
    pub(super) origin: String,
    /// Name of each scenario and its paths, without the `/` they begin with.
    groups: Vec<(String, Vec<String>)>,
}

impl UrlList {
    /// The URLs in the content of the file `name`: one a line, or comma-separated values with the columns `url` and, if
    /// there is one, `label`.
    ///
    /// # Errors
    /// The first line that is wrong, and its remedy.
    pub fn parse(name: &str, bytes: Vec<u8>) -> Result<Self, String> {
        let in_file = |why: String| format!("--urls {}: {why}", quoted(name));
        let rows = rows(name, bytes).map_err(in_file)?;
        let mut list = Self { origin: String::new(), groups: Vec::new() };
        for (place, text, label) in rows {
            list.add(&text, label.unwrap_or_else(|| "URLs".to_owned()))
                .map_err(|why| in_file(format!("{place}: {why}")))?;
        }
        if list.groups.is_empty() {
            return Err(in_file("has no URL: write one a line".to_owned()));
        }
        Ok(list)
    }

    fn add(&mut self, text: &str, label: String) -> Result<(), String> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        if url::split_userinfo(&with_scheme).1.is_some() {
            return Err("has a user: give it with --user, for all of them".to_owned());
        }
        let parsed = url::parse_as_typed(&with_scheme)?;
        let origin = parsed.origin();
        if self.origin.is_empty() {
            self.origin.clone_from(&origin);
        }
        if self.origin != origin {
            return Err(format!(
                "is of {}, and the first URL of {}: a run has one target, write a file for each",
                quoted(&origin),
                quoted(&self.origin)
            ));
        }
        let path = match parsed.rest.as_str() {
            "" => "/".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        // `{{` has no meaning here.
        request_target::check_text(&path)?;
        let path = request_target::encoded_text(&path[1..]).into_owned();
        match self.groups.iter_mut().find(|(known, _)| *known == label) {
            Some((_, paths)) => paths.push(path),
            None => self.groups.push((label, vec![path])),
        }
        Ok(())
    }

    /// The scenarios, each with `more`; and the data sets they name.
    pub(super) fn nodes(&self, more: &[(&str, Node)]) -> (Node, Node) {
        let total: usize = self.groups.iter().map(|(_, paths)| paths.len()).sum();
        // As many requests as URLs; more than a period can have are approximated.
        let weight = |n: usize| match total as u64 > MAX_PERIOD {
            true => (n as u64 * MAX_PERIOD / 2 / total as u64).max(1),
            false => n as u64,
        };
        let (mut scenarios, mut data) = (Vec::new(), Vec::new());
        for (i, (label, paths)) in self.groups.iter().enumerate() {
            let set = format!("urls{i}");
            let mut entries = vec![
                ("name", Node::text(label)),
                ("path", Node::text(&format!("/{{{{{set}.path | raw}}}}"))),
                ("weight", Node::number(weight(paths.len()))),
            ];
            entries.extend(more.iter().cloned());
            scenarios.push(Node::map(entries));
            let columns = Node { at: None, value: Value::Seq(vec![Node::text("path")]) };
            data.push((set, Node::map(vec![("file", Node::text(&i.to_string())), ("columns", columns)])));
        }
        let data = data.iter().map(|(set, node)| (set.as_str(), node.clone())).collect();
        (Node { at: None, value: Value::Seq(scenarios) }, Node::map(data))
    }

    /// The file of the data set with this number.
    pub(super) fn file(&self, number: &str) -> Result<Content, String> {
        let group = number.parse().ok().and_then(|number: usize| self.groups.get(number));
        let (_, paths) = group.ok_or("there is no such file")?;
        let lines = paths.iter().map(|path| format!("\"{}\"\n", path.replace('"', "\"\"")));
        Ok(lines.collect::<String>().into_bytes().into())
    }
}

/// Place, URL and label of each row.
fn rows(name: &str, bytes: Vec<u8>) -> Result<Vec<(String, String, Option<String>)>, String> {
    let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8: save it as UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    if !first.split(',').any(|column| column.trim_matches([' ', '"']) == "url") {
        let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim()));
        let urls = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        return Ok(urls.map(|(number, url)| (format!("line {number}"), url.to_owned(), None)).collect());
    }
    let mut set =
        OpenSet::of_file("urls", Order::Circular, (name, bytes.into()), FileForm::Csv(DIALECT, None))?;
    let url = set.column("url")?;
    let label = set.column("label").ok();
    let set = set.close();
    let cell = |row, column| String::from_utf8_lossy(set.cell(row, column)).into_owned();
    let rows = 0..set.rows;
    Ok(rows.map(|row| (set.place(row), cell(row, url), label.map(|label| cell(row, label)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Overrides, UrlForm, from_url};

    fn list(text: &str) -> Result<UrlList, String> {
        UrlList::parse("urls.txt", text.as_bytes().to_vec())
    }

    #[test]
    fn urls_are_one_scenario_and_labels_one_each() {
        let plain =
            list("\u{feff}# mine\nhttp://a:80/x?q=1,2\r\n\nhttp://a/\"y\"{{z}}\nhttp://a?b\nhttp://a\n");
        let plan = from_url(&UrlForm { urls: plain.ok(), ..UrlForm::default() }, &Overrides::default());
        let plan = plan.unwrap();
        assert_eq!((plan.scenarios.len(), plan.scenarios[0].name.as_str()), (1, "URLs"));
        let paths: Vec<&[u8]> = (0..plan.data[0].rows).map(|row| plan.data[0].cell(row, 0)).collect();
        assert_eq!(paths, [&b"x?q=1,2"[..], b"%22y%22%7B%7Bz%7D%7D", b"?b", b""]);

        let labeled = list("label,url\nread,http://a/1\nwrite,http://a/2\nread,\"http://a/3\"\n").unwrap();
        let form = UrlForm { urls: Some(labeled), body: Some(b"{{x}}".to_vec()), ..UrlForm::default() };
        let plan = from_url(&form, &Overrides::default()).unwrap();
        let scenarios: Vec<_> =
            plan.scenarios.iter().map(|s| (s.name.as_str(), s.weight, s.method.as_str())).collect();
        assert_eq!(scenarios, [("read", 2, "POST"), ("write", 1, "POST")]);
        assert_eq!(plan.scenarios[0].template.as_ref().unwrap().body.typed(), b"{{x}}", "the body as it is");
    }

    #[test]
    fn a_line_that_is_no_url_is_named() {
        for (text, words) in [
            ("", "has no URL: write one a line"),
            ("http://a/\nftp://a/", "--urls `urls.txt`: line 2: the scheme `ftp` is not supported"),
            ("http://a/\nhttps://a/", "line 2: is of `https://a`, and the first URL of `http://a`"),
            ("http://a/b c", "line 1: "),
            ("http://u:p@a/", "line 1: has a user: give it with --user"),
            ("url,label\nhttp://a/,x\nhttp://a/#y,x\n", "line 3: a fragment"),
            ("url\n", "has no rows"),
        ] {
            let error = list(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
