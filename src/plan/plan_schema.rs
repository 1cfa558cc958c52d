//! The form of a plan: the schema, the shape check and deserialization all come from these types.
//!
//! Everything is optional here, so that a plan with faults is still read as far as it is valid; the schema
//! marks what is required. The meaning of values is checked elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::limits::{
    DEFAULT_BACKLOG, MAX_BACKLOG, MAX_CONNECT_TO, MAX_CONNECTIONS, MAX_EXPECTATIONS, MAX_HEADERS, MAX_LABELS,
    MAX_SCENARIOS, MAX_SOURCE_ADDRESSES, MAX_STAGES, MAX_THRESHOLDS,
};
use crate::schedule::MAX_PERIOD;
use crate::units::{BYTES_PATTERN, COUNT_PATTERN, DURATION_PATTERN, RATE_PATTERN};

/// One status code, or the class of those that begin with a digit.
const STATUS_PATTERN: &str = "^[1-9]([0-9][0-9]|xx)$";

/// A supported version of TLS.
const TLS_VERSION_PATTERN: &str = "^1\\.[23]$";

/// A load plan for loadtester.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loadtester plan", extend("patternProperties" = {
    "^x-": {"description": "Ignored: a place for anchors."}
}), extend("examples" = [serde_json::json!({
    "base_url": "http://127.0.0.1:8081",
    "load": {"concurrency": 50, "rate": "500/s", "duration": "30s"},
    "scenarios": [{"name": "Get users", "path": "/v1/users?page=1"}]
})]))]
pub(super) struct Document {
    /// What the plan is called: every report shows it.
    #[schemars(example = "Checkout, evening peak")]
    pub(crate) plan: Option<String>,
    /// The target: scheme (http or https), host, port and, if all paths share one, a path prefix. Or a Unix
    /// socket: `unix:/run/app.sock`, `unix:@name`, with a prefix `unix:/run/app.sock:/v1`.
    #[schemars(required, example = "http://127.0.0.1:8081")]
    pub(crate) base_url: Option<String>,
    /// What scenarios and load use when they say nothing themselves.
    pub(crate) defaults: Option<Defaults>,
    /// How much load. Absent: the closed model with `defaults.concurrency` and `defaults.requests`.
    pub(crate) load: Option<LoadForm>,
    /// How an https target is spoken to and believed.
    pub(crate) tls: Option<TlsForm>,
    /// Where connections go instead of to the host and port of `base_url`, as curl's `--connect-to` says it:
    /// `host:port:to_host:to_port`. The first entry for the target counts; an empty part is any, or the same.
    #[schemars(length(max = MAX_CONNECT_TO))]
    pub(crate) connect_to: Option<Vec<ConnectToForm>>,
    /// What is sent. Requests are shared over scenarios by weight, exactly and evenly interleaved.
    #[schemars(required, length(min = 1, max = MAX_SCENARIOS))]
    pub(crate) scenarios: Option<Vec<ScenarioForm>>,
    /// What the run has to keep to, all of it: `[scenario:] [service] figure < | <= | > | >= | == limit`.
    /// Figures: p50 to p99.99, mean, max, error_rate, rate, dropped, count.
    #[schemars(length(max = MAX_THRESHOLDS))]
    pub(crate) thresholds: Option<Vec<ThresholdForm>>,
    /// What concerns a coordinator and its workers.
    pub(crate) fleet: Option<FleetForm>,
    /// What every report and the metric `loadtester_run_info` say of the run beside its figures, by name: letters,
    /// digits and `_`.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_LABELS))]
    pub(crate) labels: Option<BTreeMap<String, LabelValue>>,
}

/// What concerns a coordinator and its workers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetForm {
    /// When a worker is lost in the middle of a run: `fail` ends it, `continue` goes on with less, `redistribute`
    /// deals its share to the others (open model).
    #[schemars(extend("default" = "fail"))]
    pub(crate) on_worker_loss: Option<OnWorkerLossForm>,
}

/// What to do when a worker is lost.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// Plain comments inside: with doc comments the schema would have one alternative per value.
pub(super) enum OnWorkerLossForm {
    // End the run and fail it.
    Fail,
    // Go on with what the others send.
    Continue,
    // Move its load to the others.
    Redistribute,
}

/// What scenarios and load use when they say nothing themselves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    /// Request method.
    #[schemars(example = &"GET", extend("default" = "GET"))]
    pub(crate) method: Option<String>,
    /// Header fields of every scenario; a list of values sends the field once for each. A scenario's own field of
    /// the same name takes its place.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_HEADERS))]
    pub(crate) headers: Option<BTreeMap<String, HeaderValue>>,
    /// From send to last byte, at most 1h; the connection is closed when it passes.
    #[schemars(extend("default" = "30s"))]
    pub(crate) timeout: Option<Duration>,
    /// From send to first byte, at most 1h, where it is shorter than `timeout`. Absent: only `timeout` counts.
    pub(crate) first_byte_timeout: Option<Duration>,
    /// Redirects followed within the target's origin; one more, or one that leads elsewhere, is a failure.
    /// 0: a redirect is an answer like any other.
    #[schemars(range(min = 0, max = 20), extend("default" = 0))]
    pub(crate) follow_redirects: Option<u8>,
    /// What every response has to be like. A scenario's own `expect` takes its place as a whole.
    #[allow(dead_code, reason = "read from the tree, which knows its places")]
    pub(crate) expect: Option<ExpectForm>,
    /// Connections; `load.concurrency` takes precedence over it.
    #[schemars(range(min = 1, max = MAX_CONNECTIONS), example = 10)]
    pub(crate) concurrency: Option<u32>,
    /// Requests of the whole run, when `load` does not say how long it is.
    pub(crate) requests: Option<Count>,
}

/// How much load. With a rate or stages: the open model, requests are due by a schedule. Without:
/// the closed model, each connection sends its next request when the last one ended.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadForm {
    /// Closed model: connections, each with at most one request in flight (default 10). Open
    /// model: the most connections (default: as needed, up to 1000).
    #[schemars(range(min = 1, max = MAX_CONNECTIONS), example = 50)]
    pub(crate) concurrency: Option<u32>,
    /// How long to measure, at most 720h; warm-up and drain come on top.
    pub(crate) duration: Option<Duration>,
    /// Stop after this many measured requests, or with `duration`, whichever comes first.
    pub(crate) requests: Option<Count>,
    /// Requests due per second, at most 10M/s. Needs `duration`.
    pub(crate) rate: Option<Rate>,
    /// Open model: how requests are spaced.
    #[schemars(extend("default" = "even"))]
    pub(crate) arrivals: Option<ArrivalsForm>,
    /// Open model by pieces, instead of `rate` and `duration`. Each stage moves in a straight line
    /// from the rate before it to its own; the first begins at its `from` or at 0/s, `for: 0s` jumps.
    #[schemars(length(min = 1, max = MAX_STAGES))]
    pub(crate) stages: Option<Vec<Stage>>,
    /// Load is applied this long before results start; in the open model at the rate the schedule begins with.
    #[schemars(extend("default" = "0s"))]
    pub(crate) warmup: Option<Duration>,
    /// How long requests in flight may take at the end, at most 1h.
    #[schemars(extend("default" = "5s"))]
    pub(crate) drain: Option<Duration>,
    /// How long an attempt to connect may take, TLS included, at most 1h. Absent: as long as the longest
    /// `timeout`, but no longer than 10s.
    pub(crate) connect_timeout: Option<Duration>,
    /// Whether a connection carries more than one request. `false`: each request opens its own, says so with
    /// `Connection: close`, and its time includes the opening.
    #[schemars(extend("default" = true))]
    pub(crate) keep_alive: Option<bool>,
    /// A connection is closed after this many requests. Absent: none is.
    pub(crate) requests_per_connection: Option<Count>,
    /// A connection is closed after the response in which it becomes this old, at most 720h. Absent: none is.
    pub(crate) connection_age: Option<Duration>,
    /// How often the target's name is resolved again, at least 1s; new connections then go to the new
    /// addresses. Absent: only at the start.
    pub(crate) resolve_every: Option<Duration>,
    /// Addresses of this machine that connections come from, in turn: each has its own local ports.
    #[schemars(length(min = 1, max = MAX_SOURCE_ADDRESSES))]
    pub(crate) source_addresses: Option<Vec<IpForm>>,
    /// Open model: due requests that may wait for a free connection; one more is dropped and counted.
    #[schemars(range(min = 1, max = MAX_BACKLOG), extend("default" = DEFAULT_BACKLOG))]
    pub(crate) backlog: Option<u32>,
}

/// How an https target is spoken to and believed. Files are named from the plan's folder and hold PEM.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsForm {
    /// Certificates of the CAs that are trusted, instead of the system's.
    #[schemars(example = "ca.pem")]
    pub(crate) ca: Option<String>,
    /// Our own certificate, with its chain, for a target that wants one. Needs `key`.
    #[schemars(example = "client.pem")]
    pub(crate) cert: Option<String>,
    /// The private key of `cert`.
    #[schemars(example = "client.key")]
    pub(crate) key: Option<String>,
    /// Trust any certificate. Whoever is between can then read and change everything.
    #[schemars(extend("default" = false))]
    pub(crate) insecure: Option<bool>,
    /// The name asked for and looked for in the certificate, instead of the host of `base_url`.
    #[schemars(example = "api.example.com")]
    pub(crate) server_name: Option<String>,
    /// Take up earlier sessions in new connections, as browsers do. Without: a full handshake each time.
    #[schemars(extend("default" = true))]
    pub(crate) resumption: Option<bool>,
    /// The oldest version spoken, 1.2 or 1.3.
    pub(crate) min_version: Option<TlsVersionForm>,
    /// The newest version spoken, 1.2 or 1.3.
    pub(crate) max_version: Option<TlsVersionForm>,
}

/// How requests of the open model are spaced.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// Plain comments inside: with doc comments the schema would have one alternative per value.
pub(super) enum ArrivalsForm {
    // As evenly as the rate allows.
    Even,
    // Exponentially distributed gaps.
    Poisson,
}

/// A piece of the open model's schedule.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    /// How long it takes to get there; `0s` jumps.
    #[serde(rename = "for")]
    #[schemars(required)]
    pub(crate) length: Option<Duration>,
    /// The rate at its end.
    #[schemars(required)]
    pub(crate) rate: Option<Rate>,
    /// Only in the first stage: the rate at its beginning.
    #[schemars(extend("default" = "0/s"))]
    pub(crate) from: Option<Rate>,
}

/// A named request with a weight.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioForm {
    /// Unique; how reports call it. Absent: method and path.
    #[schemars(example = "Get users")]
    pub(crate) name: Option<String>,
    /// Its share of the requests, against the other scenarios' weights.
    #[schemars(range(min = 1, max = MAX_PERIOD), extend("default" = 1))]
    pub(crate) weight: Option<u32>,
    /// Path and query, percent-encoded, put after `base_url`.
    #[schemars(required, example = "/v1/users?page=1")]
    pub(crate) path: Option<String>,
    /// Request method.
    #[schemars(example = &"POST", extend("default" = "GET"))]
    pub(crate) method: Option<String>,
    /// Header fields; a list of values sends the field once for each. `Connection`, `Content-Length` and
    /// `Transfer-Encoding` are set by the tool.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_HEADERS))]
    pub(crate) headers: Option<BTreeMap<String, HeaderValue>>,
    /// Request body, sent as it stands.
    pub(crate) body: Option<String>,
    /// From send to last byte, at most 1h; the connection is closed when it passes.
    #[schemars(extend("default" = "30s"))]
    pub(crate) timeout: Option<Duration>,
    /// From send to first byte, at most 1h, where it is shorter than `timeout`. Absent: only `timeout` counts.
    pub(crate) first_byte_timeout: Option<Duration>,
    /// Redirects followed within the target's origin; one more, or one that leads elsewhere, is a failure.
    /// 0: a redirect is an answer like any other.
    #[schemars(range(min = 0, max = 20), extend("default" = 0))]
    pub(crate) follow_redirects: Option<u8>,
    /// What every response has to be like, or it counts as failed. Absent: a status below 400.
    #[allow(dead_code, reason = "read from the tree, which knows its places")]
    pub(crate) expect: Option<ExpectForm>,
}

/// What a response has to be like; all of it has to hold. Only what looks at bodies costs more than a comparison.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read from the tree, which knows its places")]
pub(super) struct ExpectForm {
    /// The status, or one of several; `2xx` is all from 200 to 299. Absent: a status below 400.
    pub(crate) status: Option<StatusForm>,
    /// By the field's name, its exact value, or `{contains: text}`. Of several fields of a name one will do.
    #[schemars(extend("maxProperties" = MAX_EXPECTATIONS))]
    pub(crate) header: Option<BTreeMap<String, HeaderRuleForm>>,
    /// A text that the body contains, or several.
    pub(crate) body_contains: Option<BodyContainsForm>,
    /// By JSON pointer (RFC 6901), the value in a JSON body.
    #[schemars(extend("maxProperties" = MAX_EXPECTATIONS))]
    pub(crate) json: Option<BTreeMap<String, JsonForm>>,
    /// The body's length: a size, or the least and the most.
    pub(crate) body_bytes: Option<BodyBytesForm>,
    /// How much of a body is kept to be looked into; a larger one fails unchecked, as `body_too_large`.
    #[schemars(extend("default" = "1MiB"))]
    pub(crate) max_body: Option<Size>,
}

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
            "contains": { "type": "string", "description": "A part of the value.", "examples": ["json"] }
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
                "description": "The least it may have.", "examples": ["1KiB"]
            },
            "max": {
                "type": ["integer", "string"], "minimum": 0, "pattern": BYTES_PATTERN,
                "description": "The most it may have.", "examples": ["2MiB"]
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
                    "description": "The threshold itself.",
                    "examples": ["p99 < 250ms", "Get users: p95 < 100ms", "error_rate < 1%", "rate >= 495/s"]
                },
                "abort_after": {
                    "type": "string",
                    "pattern": DURATION_PATTERN,
                    "description": "Stop the run once it has failed for so long without a break.",
                    "examples": ["10s"]
                }
            }
    }
);
