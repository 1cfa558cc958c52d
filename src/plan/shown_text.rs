//! A plan as reports show it: its YAML tree with the variables as typed, and without credentials. It is written
//! from the tree and not from the text, whose spellings are too many to find every credential in.

use std::fmt::Write as _;

use super::secrets::{self, MASK, Secrets, names_a_credential};
use super::yaml::{Node, Scalar, Value};

/// The most of a plan that reports hold, in bytes: hundreds of scenarios without large bodies.
const MAX_BYTES: usize = 64 << 10;
/// The most of one value, such as a body.
const MAX_VALUE_BYTES: usize = 4 << 10;
/// Bytes beyond that which are looked at, so that a credential at the end is not cut.
const BEYOND_BYTES: usize = 1 << 10;

/// The plan as YAML, masked, and cut where it is very long.
pub(super) fn shown_text(root: &Node, values: &Secrets) -> String {
    let mut writer = Writer { text: String::new(), values };
    writer.node(root, 0, None);
    if writer.text.len() > MAX_BYTES {
        writer.text.truncate(writer.text.floor_char_boundary(MAX_BYTES));
        writer.text += "\n# … and more\n";
    }
    writer.text
}

struct Writer<'a> {
    text: String,
    values: &'a Secrets,
}

impl Writer<'_> {
    /// Write a value that begins at the end of the text so far and ends with a line feed. `telling`: the key above
    /// it that says that all in it is secret.
    fn node(&mut self, node: &Node, depth: usize, telling: Option<&str>) {
        if self.text.len() > MAX_BYTES {
            return;
        }
        match &node.value {
            Value::Map(entries) if !entries.is_empty() => {
                for (i, (key, value)) in entries.iter().enumerate() {
                    self.indent(i, depth);
                    let name = key.text.as_deref().unwrap_or("?");
                    let telling = telling.or_else(|| Some(name).filter(|name| names_a_credential(name)));
                    self.text += &quoted(&self.values.mask_echo(name));
                    self.text.push(':');
                    self.below(value, depth, telling);
                }
            }
            Value::Seq(items) if !items.is_empty() => {
                for (i, item) in items.iter().enumerate() {
                    self.indent(i, depth);
                    self.text += "- ";
                    self.node(item, depth + 1, telling);
                }
            }
            Value::Map(_) => self.text += "{}\n",
            Value::Seq(_) => self.text += "[]\n",
            Value::Null => self.text += "null\n",
            Value::Unknown => self.text += "?\n",
            Value::Scalar(scalar) => {
                let shown = self.scalar(scalar, telling);
                self.text += &shown;
                self.text.push('\n');
            }
        }
    }

    /// Write the value of a key.
    fn below(&mut self, value: &Node, depth: usize, telling: Option<&str>) {
        let is_block = match &value.value {
            Value::Map(entries) => !entries.is_empty(),
            Value::Seq(items) => !items.is_empty(),
            _ => false,
        };
        if is_block {
            self.text.push('\n');
            let _ = write!(self.text, "{:1$}", "", 2 * (depth + 1));
        } else {
            self.text.push(' ');
        }
        self.node(value, depth + 1, telling);
    }

    /// The first entry stands where the text ends.
    fn indent(&mut self, entry: usize, depth: usize) {
        if entry > 0 {
            let _ = write!(self.text, "{:1$}", "", 2 * depth);
        }
    }

    fn scalar(&self, scalar: &Scalar, telling: Option<&str>) -> String {
        let typed = scalar.with_variables.as_deref().unwrap_or(&scalar.text);
        if let Some(name) = telling {
            return if is_variable(typed) {
                quoted(typed)
            } else {
                quoted(&secrets::header_value(name, MASK))
            };
        }
        let seen = &typed[..typed.floor_char_boundary(MAX_VALUE_BYTES + BEYOND_BYTES)];
        let masked = secrets::text(&self.values.mask_echo(&without_defaults(seen)));
        let kept = &masked[..masked.floor_char_boundary(MAX_VALUE_BYTES)];
        if kept.len() < masked.len() || seen.len() < typed.len() {
            return quoted(&format!("{kept}… ({} in all)", crate::units::print_bytes(typed.len() as u64)));
        }
        quoted(kept)
    }
}

/// `text` without the defaults of variables whose names say that they are secret.
fn without_defaults(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("${") {
        let end = rest[at..].find('}').map_or(rest.len(), |end| at + end);
        let variable = &rest[at..end];
        shown += &rest[..at];
        match variable.split_once(":-").filter(|(name, _)| names_a_credential(name)) {
            Some((name, _)) => shown += &format!("{name}:-{MASK}"),
            None => shown += variable,
        }
        rest = &rest[end..];
    }
    shown + rest
}

/// `text` as YAML: plain where nothing in it has a meaning there, in double quotes otherwise.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./ ${}".contains(c);
    let begins_plainly = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "_/$".contains(c));
    let fits = begins_plainly && text.chars().all(is_plain) && !text.ends_with(' ');
    // JSON's strings are YAML's double-quoted ones.
    if fits && !text.contains("${") { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// Whether a value is a variable from the environment and nothing else, but for the name of a scheme.
fn is_variable(value: &str) -> bool {
    secrets::is_variable(secrets::after_scheme(value).map_or(value, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Overrides, parse};

    fn shown(scenarios: &str) -> String {
        let text = format!("base_url: http://h\ndefaults: {{requests: 9}}\nscenarios:\n{scenarios}");
        let env = |_: &str| Some("from-outside".to_owned());
        parse(&text, "plan", &Overrides::default(), &env).unwrap().text.unwrap()
    }

    #[test]
    fn a_plan_is_shown_in_its_order_and_is_a_plan_again() {
        let text = shown(
            "  - {name: 'a: b', weight: 2, path: '/x?y=1', expect: {status: [200, 3xx], json: {/a: true}}}\n  \
             - path: /${ID}\n    method: POST\n    body: |\n      {\"a\": 1}\n",
        );
        let expected = "base_url: \"http://h\"\ndefaults:\n  requests: 9\nscenarios:\n  - name: \"a: b\"\n    weight: \
                        2\n    path: \"/x?y=1\"\n    expect:\n      status:\n        - 200\n        - 3xx\n      json:\n        /a: \
                        true\n  - path: \"/${ID}\"\n    method: POST\n    body: \"{\\\"a\\\": 1}\\n\"\n";
        assert_eq!(text, expected);
        let env = |_: &str| Some("from-outside".to_owned());
        let again = parse(&text, "plan", &Overrides::default(), &env).unwrap();
        assert_eq!(again.text.as_deref(), Some(expected));
    }

    #[test]
    fn credentials_are_masked_however_they_are_spelled() {
        for scenario in [
            "{path: /, headers: {X-Token: 'LEAK''LEAK', Accept: b}}",
            "{path: /, headers: {Authorization: \"Bearer LEAK\"}}",
            "{path: /, headers: {X-Auth: 'LEAK ${HOME}'}}",
            "{path: /, headers: {X-Session: \"LEAK\n      LEAK\"}}",
            "{path: /, method: POST, body: '{\"password\": \"p\\\"LEAK\"}'}",
            "{path: /, method: POST, body: '{\"secret\": [\"LEAK\"], \"token\":{\"value\":\"LEAK\"}}'}",
            "{path: '/a?api_key=LEAK'}",
            "{path: /, method: POST, body: 'user=a&password=LEAK'}",
            "{path: /, expect: {json: {/access_token: LEAK}}}",
            "{path: '/${SECRET_ID:-LEAK}'}",
            "{path: /, method: POST, body: 'mutation { login(user: \"bob\", password: \"LEAK\") }'}",
            "{path: /, method: POST, body: \"password: LEAK LEAK\\napi_key = LEAK\"}",
            "{path: /, method: POST, body: \"{'password': 'LEAK', token: LEAK}\"}",
            "{path: /, headers: {Referer: 'http://u:LEAK@h/'}}",
            "{path: /, headers: {X-H: 'Cookie: sid=LEAK; a=LEAK'}}",
        ] {
            let text = shown(&format!("  - {scenario}\n"));
            assert!(!text.contains("LEAK") && !text.contains("from-outside"), "{text}");
            assert!(text.contains("***"), "{text}");
        }
        let text = shown("  - {path: /, headers: {Authorization: 'Bearer ${TOKEN}'}}\n");
        assert!(text.contains("Bearer ${TOKEN}"), "{text}");
    }

    #[test]
    fn long_values_and_long_plans_are_cut() {
        let text = shown(&format!("  - {{path: /, method: POST, body: '{}'}}\n", "ä".repeat(9_000)));
        assert!(text.contains("KiB in all)") && text.len() < 2 * MAX_VALUE_BYTES, "{}", text.len());
        let many: String = (0..5_000).map(|i| format!("  - {{path: /{i}}}\n")).collect();
        assert!(shown(&many).ends_with("\n# … and more\n"));
    }
}
