//! The tables of docs/plan.md, from the plan's JSON Schema.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;

/// A name of each generated part and where in the schema its keys are.
const PARTS: [(&str, &str); 13] = [
    ("top", ""),
    ("scenarios", "/properties/scenarios/items"),
    ("multipart", "/properties/scenarios/items/properties/multipart/items"),
    ("targets", "/properties/targets/additionalProperties"),
    ("auth", "/properties/auth/properties/aws_sigv4"),
    ("data", "/properties/data/additionalProperties"),
    ("defaults", "/properties/defaults"),
    ("load", "/properties/load"),
    ("stages", "/properties/load/properties/stages/items"),
    ("expect", "/properties/defaults/properties/expect"),
    ("thresholds", "/properties/thresholds/items"),
    ("tls", "/properties/tls"),
    ("fleet", "/properties/fleet"),
];
/// Texts that only one kind of value matches, and what that kind is called.
const KINDS: [(&str, &str); 5] =
    [("2m30s", "duration"), ("500/s", "rate"), ("64KiB", "size"), ("10k", "count"), ("2xx", "status")];

/// Each generated part with its table.
pub fn parts(schema: &Value) -> Vec<(&'static str, String)> {
    PARTS.map(|(name, pointer)| (name, table(schema.pointer(pointer).expect(pointer)))).to_vec()
}

/// The names of all keys.
pub fn keys(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_keys(schema, &mut found);
    found
}

fn collect_keys(schema: &Value, found: &mut BTreeSet<String>) {
    for (key, inner) in properties(schema) {
        found.insert(key.clone());
        collect_keys(inner, found);
    }
    for inner in
        ["items", "additionalProperties"].map(|key| &schema[key]).into_iter().filter(|s| s.is_object())
    {
        collect_keys(inner, found);
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn table(schema: &Value) -> String {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = "| key | value | meaning | default |\n|---|---|---|---|\n".to_owned();
    for (key, inner) in properties(schema) {
        let meaning = inner["description"].as_str().unwrap_or_default().trim();
        let default = match &inner["default"] {
            Value::Null if required.contains(&key.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::String(default) => format!("`{default}`"),
            default => format!("`{default}`"),
        };
        let cells = [value(inner), meaning.to_owned(), default].map(|cell| cell.replace('|', "\\|"));
        text += &format!("| `{key}` | {} |\n", cells.join(" | ").trim_end());
        // Keys inside of the value, where they have no table of their own.
        let own = |pointer: &str| {
            pointer.trim_end_matches("/items").trim_end_matches("/additionalProperties").to_owned()
        };
        let has_own_part = PARTS.iter().any(|(_, pointer)| own(pointer).ends_with(&format!("/{key}")));
        let levels = [inner, &inner["items"], &inner["additionalProperties"]];
        for (inside, inner) in levels.into_iter().filter(|_| !has_own_part).flat_map(properties) {
            let meaning = inner["description"].as_str().unwrap_or_default();
            text += &format!("| `{inside}` | {}, inside `{key}` | {meaning} | |\n", value(inner));
        }
    }
    text
}

/// What may be written as the value.
fn value(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return either(words.iter().map(|word| format!("`{}`", word.as_str().unwrap_or_default())).collect());
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        only => only.as_str().into_iter().collect(),
    };
    let text = text_kind(schema, &types);
    // A text with a pattern says what a plain number means, too.
    let named = text.as_deref().filter(|kind| *kind != "text");
    let all: Vec<String> = types
        .iter()
        .filter_map(|kind| match *kind {
            "string" => text.clone(),
            "integer" | "number" if named.is_some() => None,
            "integer" => Some(bounded(schema)),
            // Only its spelling counts, as of any text.
            "number" | "boolean" if types.contains(&"string") && !types.contains(&"null") => None,
            "number" => Some("number".to_owned()),
            "boolean" => Some("`true` or `false`".to_owned()),
            "null" => Some("`null`".to_owned()),
            "array" => Some(list(schema)),
            "object" => Some(mapping(schema)),
            other => panic!("unknown type {other}"),
        })
        .collect();
    either(all)
}

fn text_kind(schema: &Value, types: &[&str]) -> Option<String> {
    if !types.contains(&"string") {
        return None;
    }
    let Some(pattern) = schema["pattern"].as_str() else { return Some("text".to_owned()) };
    let pattern = Regex::new(pattern).unwrap();
    if pattern.is_match("1.2") && pattern.is_match("1.3") && !pattern.is_match("1.4") {
        return Some("`1.2` or `1.3`".to_owned());
    }
    let kind = KINDS.iter().find(|(example, _)| pattern.is_match(example));
    Some(kind.unwrap_or_else(|| panic!("no name for {pattern:?}")).1.to_owned())
}

fn bounded(schema: &Value) -> String {
    match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        (Some(least), Some(most)) => format!("number, {least} to {}", grouped(most)),
        _ => "number".to_owned(),
    }
}

/// With a comma between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

fn list(schema: &Value) -> String {
    let item = value(&schema["items"]);
    let most = schema["maxItems"].as_u64();
    // A list of what a single value may be, too.
    let of = if schema["type"].is_array() { "these".to_owned() } else { plural(&item) };
    format!("list of {of}{}", most.map_or(String::new(), |most| format!(", at most {}", grouped(most))))
}

fn mapping(schema: &Value) -> String {
    if schema["properties"].is_object() {
        return "section".to_owned();
    }
    let most = schema["maxProperties"].as_u64();
    let what = if schema["additionalProperties"]["properties"].is_object() { "sections" } else { "values" };
    format!("names and {what}{}", most.map_or(String::new(), |most| format!(", at most {}", grouped(most))))
}

fn plural(item: &str) -> String {
    match item {
        "section" => "sections".to_owned(),
        "text" => "texts".to_owned(),
        "names and values" => "rows of names and values".to_owned(),
        "text or section" => "texts or sections".to_owned(),
        other => panic!("no plural of {other}"),
    }
}

fn either(mut all: Vec<String>) -> String {
    let last = all.pop().unwrap_or_default();
    if all.is_empty() { last } else { format!("{} or {last}", all.join(", ")) }
}
