//! Single values of a plan as typed, with the schema of each.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::limits::{MAX_EXPECTATIONS, MAX_FORM_FIELDS, MAX_HEADERS};
use crate::units::{BYTES_PATTERN, COUNT_PATTERN, DURATION_PATTERN, RATE_PATTERN};

/// One status code, or the class of those that begin with a digit.
const STATUS_PATTERN: &str = "^[1-9]([0-9][0-9]|xx)$";
/// A supported version of TLS.
const TLS_VERSION_PATTERN: &str = "^1\\.[23]$";

/// A text whose form the schema describes.
macro_rules! text_form {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        pub(super) struct $name(#[allow(dead_code, reason = "headers are read from the tree")] pub String);

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text_form!(
    /// A duration as typed.
    Duration,
    { "type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "250ms", "2m30s"] }
);
text_form!(
    /// A rate as typed.
    Rate,
    { "type": "string", "pattern": RATE_PATTERN, "examples": ["500/s", "1.5k/s", "30/m"] }
);
text_form!(
    /// A count as typed.
    Count,
    { "type": ["integer", "string"], "minimum": 1, "pattern": COUNT_PATTERN, "examples": [10_000, "10k"] }
);
text_form!(
    /// A label's value as typed; numbers and `true` keep their spelling.
    LabelValue,
    { "type": ["string", "number", "boolean"], "examples": ["nightly"] }
);
text_form!(
    /// A TLS version as typed.
    TlsVersionForm,
    { "type": ["string", "number"], "pattern": TLS_VERSION_PATTERN, "examples": ["1.3"] }
);
text_form!(
    /// Where connections go instead, as typed.
    ConnectToForm,
    { "type": "string", "examples": ["api.example.com:443:127.0.0.1:8443"] }
);
text_form!(
    /// An IP address as typed.
    IpForm,
    { "type": "string", "examples": ["127.0.0.2", "::1"] }
);
text_form!(
    /// A size as typed.
    Size,
    { "type": ["integer", "string"], "minimum": 1, "pattern": BYTES_PATTERN, "examples": ["64KiB", 512] }
);

/// A value of several forms; read from the tree, which has its position.
macro_rules! mixed_form {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        pub(super) struct $name(#[allow(dead_code, reason = "read from the tree")] serde_json::Value);

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

mixed_form!(
    /// A header's value as typed, or several, each for a field of its own; numbers and `true` keep their spelling.
    HeaderValue,
    {
        "type": ["string", "number", "boolean", "array"], "minItems": 1, "maxItems": MAX_HEADERS,
        "items": { "type": ["string", "number", "boolean"], "examples": ["text/html"] },
        "examples": ["application/json", ["text/html", "application/json"]]
    }
);
mixed_form!(
    /// A field's value as typed, or several, each for a field of its own; numbers and `true` keep their spelling.
    FormValue,
    {
        "type": ["string", "number", "boolean", "array"], "minItems": 1, "maxItems": MAX_FORM_FIELDS,
        "items": { "type": ["string", "number", "boolean"], "examples": ["red"] },
        "examples": ["Ada", ["red", "green"]]
    }
);
mixed_form!(
    /// One status or class, or several.
    StatusForm,
    {
        "type": ["integer", "string", "array"], "minimum": 100, "maximum": 999, "pattern": STATUS_PATTERN,
        "minItems": 1, "maxItems": MAX_EXPECTATIONS,
        "items": { "type": ["integer", "string"], "minimum": 100, "maximum": 999, "pattern": STATUS_PATTERN },
        "examples": ["2xx", 200, [200, 304]]
    }
);
mixed_form!(
    /// A field's value, or a part of it.
    HeaderRuleForm,
    {
        "type": ["string", "number", "boolean", "object"],
        "examples": ["application/json", {"contains": "json"}],
        "required": ["contains"],
        "additionalProperties": false,
        "properties": {
            "contains": { "type": "string", "description": "A text that the value must contain.", "examples": ["json"] }
        }
    }
);
mixed_form!(
    /// One text, or several.
    BodyContainsForm,
    {
        "type": ["string", "array"], "minItems": 1, "maxItems": MAX_EXPECTATIONS,
        "items": { "type": "string", "examples": ["users"] },
        "examples": ["users", ["users", "John"]]
    }
);
mixed_form!(
    /// A JSON value that holds no others.
    JsonForm,
    { "type": ["null", "string", "number", "boolean"], "examples": ["John", 42, true] }
);
mixed_form!(
    /// A size, or two bounds.
    BodyBytesForm,
    {
        "type": ["integer", "string", "object"], "minimum": 0, "pattern": BYTES_PATTERN,
        "examples": ["64KiB", 512, {"min": "1KiB", "max": "2MiB"}],
        "additionalProperties": false,
        "properties": {
            "min": {
                "type": ["integer", "string"], "minimum": 0, "pattern": BYTES_PATTERN,
                "description": "The smallest allowed size.", "examples": ["1KiB"]
            },
            "max": {
                "type": ["integer", "string"], "minimum": 0, "pattern": BYTES_PATTERN,
                "description": "The largest allowed size.", "examples": ["2MiB"]
            }
        }
    }
);
mixed_form!(
    /// A threshold, short or long.
    ThresholdForm,
    {
            "type": ["string", "object"],
            "examples": ["p99 < 250ms", {"expression": "error_rate < 1%", "abort_after": "10s"}],
            "required": ["expression"],
            "additionalProperties": false,
            "properties": {
                "expression": {
                    "type": "string",
                    "description": "The threshold itself, as in the short form.",
                    "examples": ["p99 < 250ms", "Get users: p95 < 100ms", "error_rate < 1%", "rate >= 495/s"]
                },
                "abort_after": {
                    "type": "string",
                    "pattern": DURATION_PATTERN,
                    "description": "Stops the run once the threshold has been broken for this long without a pause.",
                    "examples": ["10s"]
                }
            }
    }
);
mixed_form!(
    /// A cell of a row as typed; numbers and `true` keep their spelling.
    CellForm,
    { "type": ["string", "number", "boolean"], "examples": ["Ada", 42] }
);
