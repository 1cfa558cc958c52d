//! Substitutes `${VAR}` and `${VAR:-default}` in the values of a plan.
//!
//! This happens after the YAML is parsed, so that a value cannot change the plan's structure. The environment
//! itself is read elsewhere and passed in as a function.

use std::collections::BTreeSet;

use super::fault::{Faults, quoted};
use super::limits::MAX_PLAN_BYTES;
use super::path::{Path, Step};
use super::request_target;
use super::secrets::Secrets;
use super::yaml::{Kind, Node, Scalar, Value};
use crate::template;
use crate::units::print_bytes;

/// The most text that variables may add to one plan, in bytes.
const MAX_ADDED_BYTES: usize = MAX_PLAN_BYTES;

/// Fills in every value of `root`; `$${` becomes `${`. Returns the secrets in it.
pub(super) fn fill_in(root: &mut Node, env: &dyn Fn(&str) -> Option<String>, faults: &mut Faults) -> Secrets {
    let mut filling =
        Filling { env, left_bytes: MAX_ADDED_BYTES, secrets: Secrets::default(), said: BTreeSet::new() };
    filling.walk(root, &Path::default(), faults);
    filling.secrets
}

struct Filling<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    /// Bytes that may still be added.
    left_bytes: usize,
    secrets: Secrets,
    /// What was said of variables: once is enough, however often one is used.
    said: BTreeSet<String>,
}

impl Filling<'_> {
    fn walk(&mut self, node: &mut Node, path: &Path, faults: &mut Faults) {
        match &mut node.value {
            Value::Null | Value::Unknown => {}
            Value::Scalar(scalar) => {
                if let Err(message) = self.fill_in_scalar(scalar, path) {
                    if self.said.insert(message.clone()) {
                        faults.add(node.at, path, message);
                    }
                    node.value = Value::Unknown;
                }
            }
            Value::Seq(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    self.walk(item, &path.index(i), faults);
                }
            }
            Value::Map(entries) => {
                for (key, item) in entries {
                    self.walk(item, &path.key(key.text.as_deref().unwrap_or("?")), faults);
                }
            }
        }
    }

    fn fill_in_scalar(&mut self, scalar: &mut Scalar, path: &Path) -> Result<(), String> {
        if !scalar.text.contains("${") {
            return Ok(());
        }
        let (mut filled, mut rest, mut used) = (String::new(), scalar.text.as_str(), false);
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                filled += before;
                filled += "${";
                rest = &from[2..];
                continue;
            }
            filled += before;
            let end =
                from.find('}').ok_or("`${` without `}`: close it, or write `$${` for the two characters")?;
            let (variable, after) = from.split_at(end + 1);
            filled += &self.written(variable, (&filled, after), path)?;
            used = true;
            rest = after;
        }
        filled += rest;
        scalar.with_variables = Some(std::mem::replace(&mut scalar.text, filled));
        if used {
            scalar.kind = Kind::Variable;
        }
        Ok(())
    }

    /// What stands for `variable`, which is `${…}`, in the value at `path`; `around`: what stands before it, filled
    /// in, and after it, as typed.
    fn written(&mut self, variable: &str, around: (&str, &str), path: &Path) -> Result<String, String> {
        let (name, value) = value_of(&variable[2..variable.len() - 1], self.env)?;
        self.left_bytes = self.left_bytes.checked_sub(value.len()).ok_or_else(|| {
            format!("variables add more than {}: write less", print_bytes(MAX_ADDED_BYTES as u64))
        })?;
        let (before, after) = around;
        let is_template = holds_template(path);
        // A value within a hole is encoded.
        let is_in_hole = is_template && !template::ends_outside_holes(before);
        if let Some(name) = name {
            fault_of(name, &value, path, after, is_in_hole).map_or(Ok(()), Err)?;
            // Load settings cannot be secret, and a number would be found everywhere.
            if path.steps().first() != Some(&Step::Key("load".to_owned())) {
                self.secrets.add(name, &value);
            }
        }
        match is_template {
            // What a variable holds is text.
            true => template::as_text(before, &value).map_err(|why| format!("{}: {why}", quoted(variable))),
            false => Ok(value),
        }
    }
}

/// Why the value of the variable `name` cannot stand at `path`, before `after`.
fn fault_of(name: &str, value: &str, path: &Path, after: &str, is_in_hole: bool) -> Option<String> {
    if !is_one_line(path) {
        return None;
    }
    if value.contains(['\n', '\r']) {
        return Some(broken_line(name, value));
    }
    if is_in_hole {
        return None;
    }
    let variable = format!("the environment variable {}", quoted(name));
    if is_below(path, &["headers"]) {
        let is_wrong = value.chars().any(|c| c.is_ascii_control() && c != '\t');
        return is_wrong.then(|| format!("{variable} has a control character: remove it"));
    }
    let wrong = request_target::fault_of_value(value, after)?;
    let remedy = match holds_template(path) {
        true => format!("write {}, which encodes it", quoted(&format!("{{{{'${{{name}}}'}}}}"))),
        false => "give it an encoded value".to_owned(),
    };
    Some(format!("{variable} contains what must be percent-encoded in a URL: {wrong}; {remedy}"))
}

/// Whether a value at `path` goes on one line of a request.
fn is_one_line(path: &Path) -> bool {
    is_below(path, &["base_url", "headers", "path"])
}

/// Whether one of `keys` is on `path`.
fn is_below(path: &Path, keys: &[&str]) -> bool {
    path.steps().iter().any(|step| matches!(step, Step::Key(key) if keys.contains(&key.as_str())))
}

/// Whether a value at `path` may have holes.
fn holds_template(path: &Path) -> bool {
    let is_of_request = matches!(path.steps().first(), Some(Step::Key(key)) if ["scenarios", "defaults", "targets"].contains(&key.as_str()));
    is_of_request && is_below(path, &["headers", "path", "body", "form", "multipart"])
}

fn broken_line(name: &str, value: &str) -> String {
    let name = quoted(name);
    if value.trim_end_matches(['\n', '\r']).contains(['\n', '\r']) {
        format!("the environment variable {name} has several lines: give it a value of one line")
    } else {
        format!(
            "the environment variable {name} ends in a line feed: remove it (the shell's `$(cat FILE)` does, many \
             secret stores do not)"
        )
    }
}

/// The value of `NAME` or `NAME:-default`, and the variable's name if the value came from it. As in the
/// shell, the default also replaces an empty value.
fn value_of<'a>(
    inside: &'a str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Option<&'a str>, String), String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let shown = quoted(&format!("${{{inside}}}"));
        return Err(format!("{shown} names no variable: write `$${{` for the two characters `${{`"));
    }
    match (env(name), default) {
        (Some(value), None) => Ok((Some(name), value)),
        (Some(value), Some(_)) if !value.is_empty() => Ok((Some(name), value)),
        (_, Some(default)) => Ok((None, default.to_owned())),
        (None, None) => {
            let shown = name.chars().take(60).collect::<String>();
            Err(format!(
                "the environment variable {} is not set: set it, give a default with `${{{shown}:-default}}`, or write \
                 `$${{{shown}}}` for the text itself",
                quoted(name),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let env = |name: &str| match name {
            "TOKEN" => Some("s3cret: [x]".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let mut node = Node::text(text);
        let mut faults = Faults::new("plan");
        fill_in(&mut node, &env, &mut faults);
        match (node.value, faults.list()) {
            (Value::Scalar(scalar), []) => Ok(scalar.text),
            (_, faults) => Err(faults[0].message.clone()),
        }
    }

    #[test]
    fn variables_defaults_and_escapes() {
        let cases = [
            ("Bearer ${TOKEN}!", "Bearer s3cret: [x]!"),
            ("${NOPE:-a:-b}", "a:-b"),
            ("${EMPTY:-x}${EMPTY}", "x"),
            ("$${TOKEN} $TOKEN $", "${TOKEN} $TOKEN $"),
            ("$$${TOKEN}", "$${TOKEN}"),
            ("${NOPE:-}", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_value_that_cannot_stand_in_a_request_names_its_variable() {
        let fault = |path: Path, text: &str, value: &str| {
            let mut faults = Faults::new("plan");
            let mut node = Node::text(text);
            let env = |name: &str| (name == "ID").then(|| value.to_owned());
            let mut filling =
                Filling { env: &env, left_bytes: 99, secrets: Secrets::default(), said: BTreeSet::new() };
            filling.walk(&mut node, &path, &mut faults);
            faults.list().first().map(|fault| fault.message.clone()).unwrap_or_default()
        };
        let scenario = Path::of("scenarios").index(0);
        let path = |text: &str, value: &str| fault(scenario.key("path"), text, value);
        for (value, what) in [
            ("a b", "variable `ID` contains what must be percent-encoded in a URL: a space (`%20`);"),
            ("a#b", "`#` (`%23`)"),
            ("9%", "begins no encoded character (`%25`)"),
            ("a\u{7}", "a control character"),
            ("a\n", "ends in a line feed"),
        ] {
            let shown = path("/x/${ID}/y", value);
            assert!(shown.contains(what) && shown.contains("`ID`"), "{value}: {shown}");
        }
        assert!(path("/x/${ID}", "a b").ends_with("; write `{{'${ID}'}}`, which encodes it"));
        assert_eq!(path("/x/{{'${ID}'}}", "a b#%"), "");
        assert_eq!(path("/x/${ID}f", "%2"), "");
        assert!(fault(Path::of("base_url"), "${ID}", "http://h/a b").contains("`ID`"));
        let header = scenario.key("headers").key("A");
        assert!(fault(header.clone(), "${ID}", "\u{1}").contains("`ID` has a control character"));
        assert_eq!(fault(header, "${ID}", "a b#%\t"), "");
    }

    #[test]
    fn what_is_wrong_with_a_variable_is_said_once() {
        let one = || Node::text("${NOPE}");
        let mut root = Node::map(vec![("plan", one()), ("base_url", one()), ("x", Node::text("${NO_SUCH}"))]);
        let mut faults = Faults::new("plan");
        fill_in(&mut root, &|_| None, &mut faults);
        assert_eq!(faults.count(), 2, "{faults}");
    }

    #[test]
    fn what_can_not_be_filled_in_names_both_remedies() {
        let unset = filled("${NOPE}").unwrap_err();
        assert!(unset.contains("`NOPE`") && unset.contains("${NOPE:-default}"), "{unset}");
        assert!(unset.contains("`$${NOPE}`"), "GraphQL writes its variables so: {unset}");
        assert!(filled("${x").is_err());
        for text in ["${}", "${1a}", "${a b}", "${{x}}"] {
            assert!(filled(text).is_err(), "{text}");
        }
    }
}
