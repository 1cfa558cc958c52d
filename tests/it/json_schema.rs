//! Just enough of JSON Schema (draft 2020-12, validation) to judge values by the schemas we publish.

use serde_json::Value;

/// The words this file judges or may ignore; a schema that says others is not judged in full.
pub const WORDS: &str = "$schema $defs $ref additionalProperties anyOf const default description enum examples items \
                         maxItems maxProperties maximum minItems minimum oneOf pattern patternProperties \
                         properties required title type";

/// Why `value` breaks the whole schema `root`.
pub fn violation(root: &Value, value: &Value) -> Option<String> {
    broken(root, root, value)
}

fn broken(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.strip_prefix('#').unwrap()).expect(reference);
        return broken(root, target, value);
    }
    for choices in ["anyOf", "oneOf"] {
        if let Some(any) = schema[choices].as_array() {
            let faults: Vec<String> = any.iter().map_while(|one| broken(root, one, value)).collect();
            if faults.len() == any.len() {
                return Some(faults.join("; "));
            }
        }
    }
    if schema.get("const").is_some_and(|only| only != value)
        || schema["enum"].as_array().is_some_and(|words| !words.contains(value))
    {
        return Some(format!("{value} is not listed"));
    }
    let kinds = schema["type"].as_array().cloned().or_else(|| schema.get("type").map(|t| vec![t.clone()]));
    if kinds.as_ref().is_some_and(|kinds| !kinds.iter().any(|kind| is(value, kind.as_str().unwrap()))) {
        return Some(format!("{value} is not {kinds:?}"));
    }
    if out_of_bounds(schema, value) {
        return Some(format!("{value} is out of bounds"));
    }
    let of_items = value
        .as_array()
        .into_iter()
        .flatten()
        .find_map(|item| schema.get("items").and_then(|items| broken(root, items, item)));
    of_items.or_else(|| {
        value.as_object().into_iter().flatten().find_map(|(key, item)| {
            let inner = of_key(schema, key)?;
            let fault = match inner {
                Value::Bool(false) => Some("is unknown".to_owned()),
                Value::Bool(true) => None,
                inner => broken(root, inner, item),
            };
            fault.map(|fault| format!("{key}: {fault}"))
        })
    })
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

/// The schema of the value at `key`.
fn of_key<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let by_pattern = || {
        let patterns = schema["patternProperties"].as_object()?;
        patterns.iter().find(|(p, _)| regex_lite::Regex::new(p).unwrap().is_match(key)).map(|(_, s)| s)
    };
    schema["properties"].get(key).or_else(by_pattern).or_else(|| schema.get("additionalProperties"))
}

fn out_of_bounds(schema: &Value, value: &Value) -> bool {
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    match value {
        Value::Number(n) => {
            let n = n.as_f64().unwrap();
            number("minimum").is_some_and(|least| n < least) || number("maximum").is_some_and(|most| n > most)
        }
        Value::String(text) => {
            schema["pattern"].as_str().is_some_and(|p| !regex_lite::Regex::new(p).unwrap().is_match(text))
        }
        Value::Array(items) => {
            let n = items.len() as f64;
            number("minItems").is_some_and(|least| n < least)
                || number("maxItems").is_some_and(|most| n > most)
        }
        Value::Object(entries) => {
            let required = schema["required"].as_array().into_iter().flatten();
            required.into_iter().any(|key| !entries.contains_key(key.as_str().unwrap()))
                || number("maxProperties").is_some_and(|most| entries.len() as f64 > most)
        }
        _ => false,
    }
}
