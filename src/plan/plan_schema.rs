//! The form of a plan: the schema, the shape check and deserialization all come from these types.
//!
//! Everything is optional here, so that a plan with faults is still read as far as it is valid; the schema
//! marks what is required. The meaning of values is checked elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::limits::{
    DEFAULT_BACKLOG, MAX_BACKLOG, MAX_CONNECT_TO, MAX_CONNECTIONS, MAX_EXPECTATIONS, MAX_HEADERS,
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
#[schemars(title = "loadtester plan", extend("examples" = [serde_json::json!({
    "base_url": "http://127.0.0.1:8081",
    "load": {"concurrency": 50, "rate": "500/s", "duration": "30s"},
    "scenarios": [{"name": "Get users", "path": "/v1/users?page=1"}]
})]))]
pub(super) struct Document {
    /// The plan's name, which every report shows.
    #[schemars(example = "Checkout, evening peak")]
    pub(crate) plan: Option<String>,
    /// The target: scheme (http or https), host, port and, if all paths share one, a path prefix. Or a Unix
    /// socket: `unix:/run/app.sock`, `unix:@name`, with a prefix `unix:/run/app.sock:/v1`.
    #[schemars(required, example = "http://127.0.0.1:8081")]
    pub(crate) base_url: Option<String>,
    /// Defaults for scenarios and load that have no value of their own.
    pub(crate) defaults: Option<Defaults>,
    /// How much load. Absent: the closed model with `defaults.concurrency` and `defaults.requests`.
    pub(crate) load: Option<LoadForm>,
    /// TLS settings for an https target.
    pub(crate) tls: Option<TlsForm>,
    /// Where connections go instead of to the host and port of `base_url`, in the form of curl's
    /// `--connect-to`: `host:port:to_host:to_port`. The first entry for the target counts; an empty part
    /// matches any, or stays the same.
    #[schemars(length(max = MAX_CONNECT_TO))]
    pub(crate) connect_to: Option<Vec<ConnectToForm>>,
    /// The requests. They are distributed over scenarios by weight, exactly and evenly interleaved.
    #[schemars(required, length(min = 1, max = MAX_SCENARIOS))]
    pub(crate) scenarios: Option<Vec<ScenarioForm>>,
    /// Thresholds that the run must meet, all of them: `[scenario:] [service] figure < | <= | > | >= | ==
    /// limit`. Figures: p50 to p99.99, mean, max, error_rate, rate, dropped, count.
    #[schemars(length(max = MAX_THRESHOLDS))]
    pub(crate) thresholds: Option<Vec<ThresholdForm>>,
    /// Settings for a coordinator and its workers.
    pub(crate) fleet: Option<FleetForm>,
}

/// Settings for a coordinator and its workers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetForm {
    /// When a worker is lost during a run: `fail` ends the run, `continue` goes on at a lower rate,
    /// `redistribute` moves its load to the others (open model).
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

/// Defaults for scenarios and load that have no value of their own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    /// Request method.
    #[schemars(example = &"GET", extend("default" = "GET"))]
    pub(crate) method: Option<String>,
    /// Header fields of every scenario. A scenario's own field of the same name replaces it.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_HEADERS))]
    pub(crate) headers: Option<BTreeMap<String, HeaderValue>>,
    /// Time from send to last byte, at most 1h; the connection is closed when it expires.
    #[schemars(extend("default" = "30s"))]
    pub(crate) timeout: Option<Duration>,
    /// Time from send to first byte, at most 1h, if shorter than `timeout`. Absent: only `timeout` counts.
    pub(crate) first_byte_timeout: Option<Duration>,
    /// Redirects followed within the target's origin; one more, or one to another origin, is a failure. 0: a
    /// redirect is a response like any other.
    #[schemars(range(min = 0, max = 20), extend("default" = 0))]
    pub(crate) follow_redirects: Option<u8>,
    /// Expectations of every response. A scenario's own `expect` replaces all of it.
    #[allow(dead_code, reason = "read from the tree, which knows its places")]
    pub(crate) expect: Option<ExpectForm>,
    /// Connections; `load.concurrency` takes precedence.
    #[schemars(range(min = 1, max = MAX_CONNECTIONS), example = 10)]
    pub(crate) concurrency: Option<u32>,
    /// Requests of the whole run, when `load` does not set its length.
    pub(crate) requests: Option<Count>,
}

/// How much load. With a rate or stages: the open model, requests are due at scheduled times. Without: the
/// closed model, each connection sends its next request when the last one ended.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadForm {
    /// Closed model: connections, each with at most one request in flight (default 10). Open
    /// model: the most connections (default: as needed, up to 1000).
    #[schemars(range(min = 1, max = MAX_CONNECTIONS), example = 50)]
    pub(crate) concurrency: Option<u32>,
    /// How long to measure, at most 720h, not counting warm-up and drain.
    pub(crate) duration: Option<Duration>,
    /// Stop after this many measured requests, or with `duration`, whichever comes first.
    pub(crate) requests: Option<Count>,
    /// Requests due per second, at most 10M/s. Needs `duration`.
    pub(crate) rate: Option<Rate>,
    /// Open model: how requests are spaced.
    #[schemars(extend("default" = "even"))]
    pub(crate) arrivals: Option<ArrivalsForm>,
    /// Open model in stages, instead of `rate` and `duration`. Each stage changes linearly from the rate
    /// before it to its own; the first begins at 0/s, `for: 0s` jumps.
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
    /// Whether a connection carries more than one request. `false`: each request opens its own connection and
    /// sends `Connection: close`, and its time includes the opening.
    #[schemars(extend("default" = true))]
    pub(crate) keep_alive: Option<bool>,
    /// A connection is closed after this many requests. Absent: no limit.
    pub(crate) requests_per_connection: Option<Count>,
    /// A connection is closed after the response in which it becomes this old, at most 720h. Absent: no
    /// limit.
    pub(crate) connection_age: Option<Duration>,
    /// How often the target's name is resolved again, at least 1s; new connections then go to the new
    /// addresses. Absent: only at the start.
    pub(crate) resolve_every: Option<Duration>,
    /// Addresses of this machine that connections use in turn as their source: each has its own local ports.
    #[schemars(length(min = 1, max = MAX_SOURCE_ADDRESSES))]
    pub(crate) source_addresses: Option<Vec<IpForm>>,
    /// Open model: due requests that may wait for a free connection; one more is dropped and counted.
    #[schemars(range(min = 1, max = MAX_BACKLOG), extend("default" = DEFAULT_BACKLOG))]
    pub(crate) backlog: Option<u32>,
}

/// TLS settings for an https target. File names are relative to the plan's directory; the files hold PEM.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsForm {
    /// Certificates of the trusted CAs, instead of the system's.
    #[schemars(example = "ca.pem")]
    pub(crate) ca: Option<String>,
    /// Our client certificate, with its chain, for a target that wants one. Needs `key`.
    #[schemars(example = "client.pem")]
    pub(crate) cert: Option<String>,
    /// The private key of `cert`.
    #[schemars(example = "client.key")]
    pub(crate) key: Option<String>,
    /// Trust any certificate. An attacker on the network can then read and change everything.
    #[schemars(extend("default" = false))]
    pub(crate) insecure: Option<bool>,
    /// The name sent as SNI and checked in the certificate, instead of the host of `base_url`.
    #[schemars(example = "api.example.com")]
    pub(crate) server_name: Option<String>,
    /// Resume earlier sessions in new connections, as browsers do. Without: a full handshake each time.
    #[schemars(extend("default" = true))]
    pub(crate) resumption: Option<bool>,
    /// The oldest TLS version used, 1.2 or 1.3.
    pub(crate) min_version: Option<TlsVersionForm>,
    /// The newest TLS version used, 1.2 or 1.3.
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

/// A stage of the open model's schedule.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    /// Time until `rate` is reached; `0s` jumps.
    #[serde(rename = "for")]
    #[schemars(required)]
    pub(crate) length: Option<Duration>,
    /// The rate at its end.
    #[schemars(required)]
    pub(crate) rate: Option<Rate>,
}

/// A named request with a weight.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioForm {
    /// Unique; its name in reports. Absent: method and path.
    #[schemars(example = "Get users")]
    pub(crate) name: Option<String>,
    /// Weight of its requests, relative to the other scenarios' weights.
    #[schemars(range(min = 1, max = MAX_PERIOD), extend("default" = 1))]
    pub(crate) weight: Option<u32>,
    /// Path and query, percent-encoded, appended to `base_url`.
    #[schemars(required, example = "/v1/users?page=1")]
    pub(crate) path: Option<String>,
    /// Request method.
    #[schemars(example = &"POST", extend("default" = "GET"))]
    pub(crate) method: Option<String>,
    /// Header fields. `Connection`, `Content-Length` and `Transfer-Encoding` are set by the tool.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_HEADERS))]
    pub(crate) headers: Option<BTreeMap<String, HeaderValue>>,
    /// Request body, sent unchanged.
    pub(crate) body: Option<String>,
    /// Time from send to last byte, at most 1h; the connection is closed when it expires.
    #[schemars(extend("default" = "30s"))]
    pub(crate) timeout: Option<Duration>,
    /// Time from send to first byte, at most 1h, if shorter than `timeout`. Absent: only `timeout` counts.
    pub(crate) first_byte_timeout: Option<Duration>,
    /// Redirects followed within the target's origin; one more, or one to another origin, is a failure. 0: a
    /// redirect is a response like any other.
    #[schemars(range(min = 0, max = 20), extend("default" = 0))]
    pub(crate) follow_redirects: Option<u8>,
    /// Expectations of every response; one that breaks any counts as failed. Absent: a status below 400.
    #[allow(dead_code, reason = "read from the tree, which knows its places")]
    pub(crate) expect: Option<ExpectForm>,
}

/// Expectations of a response; all must hold. Only checks of the body cost more than a comparison.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read from the tree, which knows its places")]
pub(super) struct ExpectForm {
    /// The status, or one of several; `2xx` means 200 to 299. Absent: a status below 400.
    pub(crate) status: Option<StatusForm>,
    /// By field name, the exact value, or `{contains: text}`. Of several fields with one name, one match is
    /// enough.
    #[schemars(extend("maxProperties" = MAX_EXPECTATIONS))]
    pub(crate) header: Option<BTreeMap<String, HeaderRuleForm>>,
    /// A text that the body contains, or several.
    pub(crate) body_contains: Option<BodyContainsForm>,
    /// By JSON pointer (RFC 6901), the value in a JSON body.
    #[schemars(extend("maxProperties" = MAX_EXPECTATIONS))]
    pub(crate) json: Option<BTreeMap<String, JsonForm>>,
    /// The body's length: a size, or a minimum and a maximum.
    pub(crate) body_bytes: Option<BodyBytesForm>,
    /// How much of a body is kept to be checked; a larger one fails unchecked, as `body_too_large`.
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
    /// A header's value as typed; numbers and `true` keep their spelling.
    HeaderValue,
    { "type": ["string", "number", "boolean"], "examples": ["application/json"] }
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
