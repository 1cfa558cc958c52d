//! Reads the labels of a run, from a plan's `labels` and from `--label`.

use super::fault::quoted;
use super::limits::MAX_LABELS;
use super::overrides::Overrides;
use super::path::Path;
use super::reader::PlanReader;
use super::yaml::{Node, Value};

/// The longest name and value of a label, in bytes.
const MAX_LABEL_BYTES: usize = 200;

/// The labels, by name; one of the command line takes the place of the plan's. Faults are recorded.
///
/// Overrides are checked here, too: those that come with the plan of a fleet have passed no command line.
pub(super) fn all(reader: &mut PlanReader<'_>, overrides: &Overrides) -> Vec<(String, String)> {
    let at = Path::of("labels");
    let mut labels: Vec<(String, String)> = Vec::new();
    if let Some(Node { value: Value::Map(entries), .. }) = reader.root.find(&at) {
        for (key, node) in entries {
            let (Some(name), Value::Scalar(value)) = (&key.text, &node.value) else { continue };
            match check_label(name, &value.text) {
                Ok(()) => labels.push((name.clone(), value.text.clone())),
                Err(wrong) => reader.faults.add(key.at, &at.key(name), wrong),
            }
        }
    }
    let by_flag = Path::of("--label");
    if overrides.labels.len() > MAX_LABELS {
        let number = overrides.labels.len();
        reader.fault(&by_flag, format!("{number} labels: at most {MAX_LABELS} are possible"));
        return labels;
    }
    for (name, value) in &overrides.labels {
        match check_label(name, value) {
            Ok(()) => {
                labels.retain(|(known, _)| known != name);
                labels.push((name.clone(), value.clone()));
            }
            Err(wrong) => reader.fault(&by_flag, wrong),
        }
    }
    if labels.len() > MAX_LABELS {
        reader.fault(&at, format!("are {}: at most {MAX_LABELS} are possible", labels.len()));
    }
    labels.sort();
    labels
}

/// Checks the name of a label, which a metric must be able to have, and its value.
///
/// # Errors
/// Why it is refused, and what to write instead. The value is not repeated.
pub(crate) fn check_label(name: &str, value: &str) -> Result<(), String> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !begins || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(format!(
            "{} is not a label's name: use letters, digits and `_`, no digit first, as Prometheus does",
            quoted(name)
        ));
    }
    if name.starts_with("__") {
        return Err(format!("{}: Prometheus keeps names that begin with `__` for itself", quoted(name)));
    }
    if name.len() > MAX_LABEL_BYTES || value.len() > MAX_LABEL_BYTES {
        return Err(format!("a label's name and value have at most {MAX_LABEL_BYTES} bytes: shorten it"));
    }
    if value.is_empty() {
        return Err(format!("label {} has no value: write one, or leave it out", quoted(name)));
    }
    if value.chars().any(char::is_control) {
        return Err(
            "a label cannot contain control characters or line breaks: write it on one line".to_owned()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    #[test]
    fn labels_are_read_and_the_command_line_takes_precedence() {
        let text = "base_url: http://a\nload: {requests: 1}\nscenarios: [{path: /}]\n\
                    labels: {team: search, build: 17, release: true}\n";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let overrides =
            Overrides { labels: vec![pair("build", "18"), pair("a", "b")], ..Overrides::default() };
        let plan = parse(text, "p", &overrides, &|_| None).unwrap();
        let expected = [("a", "b"), ("build", "18"), ("release", "true"), ("team", "search")];
        assert_eq!(plan.labels, expected.map(|(name, value)| pair(name, value)));
        let without = parse(text, "p", &Overrides::default(), &|_| None).unwrap();
        assert_eq!(without.digest, plan.digest, "labels change nothing that is sent");
    }

    #[test]
    fn labels_that_passed_no_command_line_are_checked() {
        let text = "base_url: http://a\nload: {requests: 1}\nscenarios: [{path: /}]\n";
        let with = |labels: Vec<(String, String)>| {
            let overrides = Overrides { labels, ..Overrides::default() };
            parse(text, "p", &overrides, &|_| None).map(|plan| plan.labels.len()).map_err(|faults| {
                assert_eq!(faults.count(), 1, "{faults}");
                faults.to_string()
            })
        };
        let forged = "a=\"x\"} 1\nloadtester_trustworthy 1\n#";
        for (name, value) in [(forged, "x"), ("__name__", "x"), ("a", "x\ny 1"), ("a", "")] {
            let error = with(vec![(name.to_owned(), value.to_owned())]).unwrap_err();
            assert!(error.contains("command line: --label: "), "{error}");
        }
        let many = |n: usize| (0..n).map(|i| (format!("l{i}"), "x".to_owned())).collect();
        assert_eq!(with(many(MAX_LABELS)), Ok(MAX_LABELS));
        let error = with(many(MAX_LABELS + 1)).unwrap_err();
        assert!(error.contains("--label: 33 labels: at most 32"), "{error}");
    }

    #[test]
    fn a_refused_label_says_why() {
        for (name, value, why) in [
            ("1a", "x", "no digit first"),
            ("a-b", "x", "`a-b` is not a label's name"),
            ("", "x", "is not a label's name"),
            ("ü", "x", "is not a label's name"),
            ("__name__", "x", "begin with `__`"),
            ("a", "", "has no value"),
            ("a", "b\nc", "on one line"),
        ] {
            let error = check_label(name, value).unwrap_err();
            assert!(error.contains(why), "{name}={value}: {error}");
        }
        assert_eq!(check_label("_team2", "any text, ü"), Ok(()));
    }
}
