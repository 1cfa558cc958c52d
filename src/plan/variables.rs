//! Substitutes `${VAR}` and `${VAR:-default}` in the values of a plan.
//!
//! This happens after the YAML is parsed, so that a value cannot change the plan's structure. The environment
//! itself is read elsewhere and passed in as a function.

use super::fault::{Faults, quoted};
use super::limits::MAX_PLAN_BYTES;
use super::path::{Path, Step};
use super::secrets::Secrets;
use super::yaml::{Kind, Node, Scalar, Value};
use crate::template;

/// The most text that variables may add to one plan, in bytes.
const MAX_ADDED_BYTES: usize = MAX_PLAN_BYTES;

/// Fills in every value of `root`; `$${` becomes `${`. Returns the secrets in it.
pub(super) fn fill_in(root: &mut Node, env: &dyn Fn(&str) -> Option<String>, faults: &mut Faults) -> Secrets {
    let mut filling = Filling { env, left_bytes: MAX_ADDED_BYTES, secrets: Secrets::default() };
    filling.walk(root, &Path::default(), faults);
    filling.secrets
}

struct Filling<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    /// Bytes that may still be added.
    left_bytes: usize,
    secrets: Secrets,
}

impl Filling<'_> {
    fn walk(&mut self, node: &mut Node, path: &Path, faults: &mut Faults) {
        match &mut node.value {
            Value::Null | Value::Unknown => {}
            Value::Scalar(scalar) => {
                if let Err(message) = self.fill_in_scalar(scalar, path) {
                    faults.add(node.at, path, message);
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
        let is_one_line = is_one_line(path);
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
            let (name, value) = value_of(&from[2..end], self.env)?;
            self.left_bytes = self.left_bytes.checked_sub(value.len()).ok_or_else(|| {
                format!(
                    "variables add more than {}: write less",
                    crate::units::print_bytes(MAX_ADDED_BYTES as u64)
                )
            })?;
            if let Some(name) = name.filter(|_| is_one_line && value.contains(['\n', '\r'])) {
                return Err(broken_line(name, &value));
            }
            // Load settings cannot be secret, and a number would be found everywhere.
            if let Some(name) = name.filter(|_| path.steps().first() != Some(&Step::Key("load".to_owned()))) {
                self.secrets.add(name, &value);
            }
            match holds_template(path) {
                // What a variable holds is text.
                true => {
                    filled += &template::as_text(&filled, &value)
                        .map_err(|why| format!("{}: {why}", quoted(&from[..=end])))?
                }
                false => filled += &value,
            }
            used = true;
            rest = &from[end + 1..];
        }
        filled += rest;
        scalar.with_variables = Some(std::mem::replace(&mut scalar.text, filled));
        if used {
            scalar.kind = Kind::Variable;
        }
        Ok(())
    }
}

/// Whether a value at `path` goes on one line of a request.
fn is_one_line(path: &Path) -> bool {
    let is_line = |step: &Step| matches!(step, Step::Key(key) if ["base_url", "headers", "path"].contains(&key.as_str()));
    path.steps().iter().any(is_line)
}

/// Whether a value at `path` may have holes.
fn holds_template(path: &Path) -> bool {
    const KEYS: [&str; 5] = ["headers", "path", "body", "form", "multipart"];
    let is_key = |step: &Step, keys: &[&str]| matches!(step, Step::Key(key) if keys.contains(&key.as_str()));
    let is_of_request = path.steps().first().is_some_and(|step| is_key(step, &["scenarios", "defaults"]));
    is_of_request && path.steps().iter().any(|step| is_key(step, &KEYS))
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
