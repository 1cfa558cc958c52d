//! Checks a tree against the schema: unknown, missing and repeated keys, wrong types, lists and numbers out
//! of bounds. Reports all faults at once, each with its position.
//!
//! The valid part is returned as JSON, in which a value that may be text is its text. The rest is left out,
//! so that the valid part can still be checked. The meaning of values is checked elsewhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::fault::{Faults, Position, did_you_mean, quoted};
use super::json_schema::SCHEMA;
use super::path::{Path, Step};
use super::yaml::{Key, Kind, Node, Scalar, Value};
use crate::units;

/// The part of `node` that conforms to `schema`.
pub(super) fn check(node: &Node, schema: &Json, path: &Path, faults: &mut Faults) -> Option<Json> {
    match &node.value {
        Value::Unknown => None,
        Value::Null if allows(schema, "null") => Some(Json::Null),
        Value::Null => {
            faults.add(node.at, path, format!("has no value: write {}, or remove the key", expected(schema)));
            None
        }
        Value::Map(entries) if allows(schema, "object") => Some(mapping(node, entries, schema, path, faults)),
        Value::Seq(items) if allows(schema, "array") => list(node, items, schema, path, faults),
        Value::Scalar(value) => match scalar(value, schema, path) {
            Ok(json) => Some(json),
            Err(message) => {
                faults.add(node.at, path, message);
                None
            }
        },
        Value::Map(entries) if entries.iter().any(|(key, _)| key.text.is_none()) => {
            let what = "YAML reads `{{…}}` at the beginning of a value as a mapping: put the value in quotes";
            faults.add(node.at, path, what);
            None
        }
        Value::Map(_) | Value::Seq(_) => {
            let found = if matches!(node.value, Value::Map(_)) { "a mapping" } else { "a list" };
            faults.add(node.at, path, format!("is {found}: write {}", expected(schema)));
            None
        }
    }
}

fn mapping(node: &Node, entries: &[(Key, Node)], schema: &Json, path: &Path, faults: &mut Faults) -> Json {
    let mut json = Map::new();
    let mut seen: BTreeMap<&str, Option<Position>> = BTreeMap::new();
    let (mut misspelled, mut is_text) = (Vec::new(), false);
    let most = schema.get("maxProperties").and_then(Json::as_u64).unwrap_or(u64::MAX);
    if entries.len() as u64 > most {
        faults.add(node.at, path, format!("has {} entries: at most {most} are possible", entries.len()));
        return Json::Object(json);
    }
    for (key, value) in entries {
        let Some(text) = &key.text else {
            faults.add(key.at, path, "a key must be a plain word, not a list or a mapping");
            continue;
        };
        let path_of_key = path.key(text);
        if let Some(first) = seen.get(text.as_str()) {
            let line = first.map_or_else(String::new, |at: Position| format!(" on line {}", at.line));
            faults.add(key.at, &path_of_key, format!("is already given{line}: keep one of the two"));
            continue;
        }
        seen.insert(text, key.at);
        let known = schema["properties"].get(text).or_else(|| schema.get("additionalProperties"));
        match known.filter(|s| s.is_object()) {
            Some(inner) => {
                if let Some(value) = check(value, inner, &path_of_key, faults) {
                    json.insert(text.clone(), value);
                }
            }
            None if faults.is_full() => faults.add(key.at, &path_of_key, ""),
            None => {
                let message = match (&value.value, allows(schema, "string")) {
                    (Value::Scalar(rest), true) => unquoted(text, rest),
                    _ => unknown_key(text, path, schema),
                };
                misspelled.extend(meant_key(text, schema));
                is_text |= allows(schema, "string");
                faults.add(key.at, &path_of_key, message);
            }
        }
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        let is_given = entries.iter().any(|(key, _)| key.text.as_deref() == Some(required));
        if !is_given && !is_text && !misspelled.contains(&required) {
            let what =
                format!("is missing: add `{required}:` with {}", expected(&schema["properties"][required]));
            faults.add(node.at, &path.key(required), what);
        }
    }
    Json::Object(json)
}

/// The message for a text that YAML has cut at its colon.
fn unquoted(key: &str, rest: &Scalar) -> String {
    let whole = quoted(&format!("\"{key}: {}\"", rest.typed()));
    format!("unknown key; a text with a colon in it stands in quotes: write {whole}")
}

fn unknown_key(key: &str, path: &Path, schema: &Json) -> String {
    if allows(schema, "string") {
        return "unknown key; a text with a colon in it stands in quotes".to_owned();
    }
    if let Some(message) = misplaced(key, path) {
        return message;
    }
    let known = || schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    match did_you_mean(key, known()) {
        guess if guess.is_empty() => {
            format!("unknown key; known here: {}", known().collect::<Vec<_>>().join(", "))
        }
        guess => format!("unknown key{guess}"),
    }
}

/// The known key that a misspelled one is near to.
fn meant_key<'a>(key: &str, schema: &'a Json) -> Option<&'a str> {
    let mut known = schema["properties"].as_object()?.keys().map(String::as_str);
    let guess = did_you_mean(key, known.clone());
    known.find(|known| guess == format!(", did you mean `{known}`?"))
}

/// Where `key` belongs that is unknown at the top or in a scenario.
fn misplaced(key: &str, path: &Path) -> Option<String> {
    let of = |section: &str| SCHEMA["properties"][section]["properties"].get(key).is_some();
    match path.steps() {
        [] => {
            let section = ["load", "defaults", "tls", "fleet"].into_iter().find(|section| of(section))?;
            Some(format!("unknown key here: write it under `{section}:`"))
        }
        [Step::Key(scenarios), Step::Index(_)] if scenarios == "scenarios" => of("load").then(|| {
            format!(
                "unknown key here: `load.{key}` sets it for the whole run, and a scenario's `weight` is its share of \
                 the load"
            )
        }),
        _ => None,
    }
}

fn list(node: &Node, items: &[Node], schema: &Json, path: &Path, faults: &mut Faults) -> Option<Json> {
    let bound = |name: &str| schema.get(name).and_then(Json::as_u64);
    let count = items.len() as u64;
    if let Some(least) = bound("minItems").filter(|least| count < *least) {
        faults.add(node.at, path, format!("is empty: write at least {least}"));
        return None;
    }
    if let Some(most) = bound("maxItems").filter(|most| count > *most) {
        faults.add(node.at, path, format!("has {count} entries: at most {most} are possible"));
        return None;
    }
    let each = items.iter().enumerate().map(|(i, item)| {
        // A faulty entry keeps its index, so that the others keep their paths.
        check(item, &schema["items"], &path.index(i), faults).unwrap_or_else(|| Json::Object(Map::new()))
    });
    Some(Json::Array(each.collect()))
}

fn scalar(value: &Scalar, schema: &Json, path: &Path) -> Result<Json, String> {
    let wrong = || {
        let meant = section_as_meant(value, schema, path);
        format!("{value} is not possible here: write {}", meant.unwrap_or_else(|| expected(schema)))
    };
    let whole = || match value.kind {
        Kind::Integer(number) => Some(number),
        Kind::Variable => value.text.trim().parse().ok(),
        _ => None,
    };
    if let Some(words) = schema["enum"].as_array() {
        let mut words = words.iter().filter_map(Json::as_str);
        let known = words.any(|word| word == value.text);
        return if known { Ok(Json::from(value.text.as_str())) } else { Err(wrong()) };
    }
    if allows(schema, "string") {
        if let (true, Some(number)) = (allows(schema, "integer"), whole()) {
            in_bounds(number, schema, path)?;
        }
        // A number where a text of a certain form belongs is that text without its unit: the parser of that
        // form has the better message.
        let as_text = match value.kind {
            Kind::Text | Kind::Variable => true,
            Kind::Integer(_) => schema.get("pattern").is_some() || allows(schema, "number"),
            Kind::Float(_) => schema.get("pattern").is_some() || allows(schema, "number"),
            Kind::Bool(_) => allows(schema, "boolean"),
        };
        return if as_text {
            Ok(Json::from(value.text.as_str()))
        } else if allows(schema, "integer") || schema.get("pattern").is_some() {
            Err(wrong())
        } else {
            Err(format!("{value} is not text: put it in quotes"))
        };
    }
    if allows(schema, "boolean") {
        return match (value.kind, value.text.trim()) {
            (Kind::Bool(yes), _) => Ok(Json::from(yes)),
            (Kind::Variable, "true") => Ok(Json::from(true)),
            (Kind::Variable, "false") => Ok(Json::from(false)),
            _ => Err(wrong()),
        };
    }
    if allows(schema, "integer") {
        let number = whole().ok_or_else(wrong)?;
        in_bounds(number, schema, path)?;
        // Every whole number of the schema has bounds within i64.
        return i64::try_from(number).map(Json::from).map_err(|_| wrong());
    }
    Err(wrong())
}

/// The section that a single value is meant to be, as `load: 500/s` is; values of variables are not repeated.
fn section_as_meant(value: &Scalar, schema: &Json, path: &Path) -> Option<String> {
    let (text, is_section) = (value.text.trim(), allows(schema, "object") || allows(schema, "array"));
    if !is_section || value.kind == Kind::Variable || text.chars().any(char::is_control) || text.len() > 60 {
        return None;
    }
    let key = path.last_key().unwrap_or_default();
    let inner = match (key, path.steps()) {
        ("load", [_]) if units::parse_rate(text).is_ok() => format!("{{ rate: {text}, duration: 30s }}"),
        ("load", [_]) if units::parse_duration(text).is_ok() => format!("{{ duration: {text} }}"),
        ("load", [_]) if units::parse_count(text).is_ok() => format!("{{ requests: {text} }}"),
        ("scenarios", [_]) if text.starts_with('/') => format!("[{{ path: {text} }}]"),
        (_, [Step::Key(all), Step::Index(_)]) if all == "scenarios" && text.starts_with('/') => {
            return Some(format!("`- path: {text}`"));
        }
        ("thresholds", [_]) => format!("[{text:?}]"),
        ("expect", _) if text.parse::<u16>().is_ok() => format!("{{ status: {text} }}"),
        _ => return None,
    };
    Some(format!("`{key}: {inner}`"))
}

fn in_bounds(number: i128, schema: &Json, path: &Path) -> Result<(), String> {
    let bound = |name: &str| schema.get(name).and_then(Json::as_i64).map(i128::from);
    if let Some(least) = bound("minimum").filter(|least| number < *least) {
        let other = match path.last_key() {
            Some("weight") => "; to leave a scenario out, remove it or comment it out",
            _ => "",
        };
        return Err(format!("is too small: write at least {least}{other}"));
    }
    match bound("maximum").filter(|most| number > *most) {
        Some(most) => Err(format!("is too large: write at most {most}")),
        None => Ok(()),
    }
}

fn allows(schema: &Json, kind: &str) -> bool {
    match &schema["type"] {
        Json::String(only) => only == kind,
        Json::Array(several) => several.iter().any(|t| t == kind),
        _ => false,
    }
}

/// A description of what the schema expects, with its first example.
fn expected(schema: &Json) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
        return words.join(" or ");
    }
    // Of several forms, show the short one.
    let short = schema["examples"].get(0).is_some_and(Json::is_string) && allows(schema, "string");
    let kinds = if short { &["string"][..] } else { &["object", "array", "integer", "boolean", "string"] };
    let kind = kinds.iter().copied().find(|kind| allows(schema, kind));
    let words = match kind {
        Some("object") => "a mapping of keys and values",
        Some("array") => {
            let example = schema["items"]["examples"][0].as_str().map(|text| format!(", like `- {text}`"));
            return format!(
                "a list, each entry on a line that begins with `- `{}",
                example.unwrap_or_default()
            );
        }
        Some("integer") => "a whole number",
        Some("boolean") => return "`true` or `false`".to_owned(),
        _ => "a text",
    };
    match schema["examples"].get(0) {
        Some(Json::String(text)) => format!("{words} like `{text}`"),
        Some(Json::Number(number)) => format!("{words} like {number}"),
        _ => words.to_owned(),
    }
}
