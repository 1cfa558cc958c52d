//! The plan's JSON Schema (draft 2020-12), generated from the types in `plan_schema`.

use std::sync::LazyLock;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use super::plan_schema::Document;

/// The schema that `--schema` prints, as pretty-printed JSON.
pub fn schema() -> String {
    // A value made of maps with text keys always serializes.
    serde_json::to_string_pretty(&*SCHEMA).expect("a JSON value has a JSON form")
}

/// The schema with all subschemas inlined: no references to resolve.
pub(super) static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RecursiveTransform(tidy));
    settings.into_generator().into_root_schema_for::<Document>().to_value()
});

/// Removes what the Rust types add and the plan does not mean: `null` (an absent value is left out, not
/// written as null) and the names of integer types.
fn tidy(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        // The `null` of an optional value comes last; a `null` in first position is meant.
        types.pop_if(|t| t == "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(any)) = object.remove("anyOf")
        && let Some(Value::Object(inner)) = any.into_iter().find(|s| s["type"] != "null")
    {
        for (key, value) in inner {
            object.entry(key).or_insert(value);
        }
    }
    object.remove("format");
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}
