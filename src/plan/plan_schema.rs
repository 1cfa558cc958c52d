//! The form of a plan: the schema, the shape check and deserialization all come from these types.
//!
//! Everything is optional here, so that a plan with faults is still read as far as it is valid; the schema
//! marks what is required. The meaning of values is checked elsewhere.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::auth_schema::AuthForm;
use super::data_schema::DataForm;
use super::limits::{
    DEFAULT_BACKLOG, MAX_BACKLOG, MAX_CONNECT_TO, MAX_CONNECTIONS, MAX_DATA_SETS, MAX_EXPECTATIONS,
    MAX_FORM_FIELDS, MAX_HEADERS, MAX_LABELS, MAX_SCENARIOS, MAX_SOURCE_ADDRESSES, MAX_STAGES, MAX_TARGETS,
    MAX_THRESHOLDS,
};
use super::part_schema::PartForm;
use super::value_forms::{
    BodyBytesForm, BodyContainsForm, ConnectToForm, Count, Duration, FormValue, HeaderRuleForm, HeaderValue,
    IpForm, JsonForm, LabelValue, Rate, Size, StatusForm, ThresholdForm, TlsVersionForm,
};
use crate::schedule::MAX_PERIOD;

/// A load plan for loadtester.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loadtester plan", extend("patternProperties" = {
    "^x-": {"description": "Ignored. Keep YAML anchors here."}
}), extend("examples" = [serde_json::json!({
    "base_url": "http://127.0.0.1:8081",
    "load": {"concurrency": 50, "rate": "500/s", "duration": "30s"},
    "scenarios": [{"name": "Get users", "path": "/v1/users?page=1"}]
})]))]
pub(super) struct Document {
    /// The plan's name. Every report shows it.
    #[schemars(example = "Checkout, evening peak")]
    pub(crate) plan: Option<String>,
    /// The target: scheme (http or https), host, port and an optional prefix for all paths. A Unix socket is
    /// written `unix:/run/app.sock` or `unix:@name`, with a prefix `unix:/run/app.sock:/v1`.
    #[schemars(required, example = "http://127.0.0.1:8081")]
    pub(crate) base_url: Option<String>,
    /// Values for all scenarios that do not set their own.
    pub(crate) defaults: Option<Defaults>,
    /// How much load to apply and for how long. Without it: the closed model with `defaults.concurrency` and
    /// `defaults.requests`.
    pub(crate) load: Option<LoadForm>,
    /// TLS settings for an https target.
    pub(crate) tls: Option<TlsForm>,
    /// Connects to another host and port than those of `base_url`. Each entry reads `host:port:to_host:to_port`,
    /// as in curl's `--connect-to`. The first entry that matches the target is used. An empty host or port on the
    /// left matches any; an empty one on the right keeps that of the target.
    #[schemars(length(max = MAX_CONNECT_TO))]
    pub(crate) connect_to: Option<Vec<ConnectToForm>>,
    /// The HTTP proxy that connections go through: a URL like `http://proxy:3128`, with user and password if it asks
    /// for them, or `none`. https targets are reached with CONNECT. Without it the environment decides: `http_proxy`,
    /// `https_proxy`, `all_proxy` and `no_proxy`. A target on this machine has no proxy.
    #[schemars(example = "http://proxy.example.com:3128")]
    pub(crate) proxy: Option<String>,
    /// More servers, by name. A scenario names the one it sends to as its `target`.
    #[schemars(extend("maxProperties" = MAX_TARGETS))]
    pub(crate) targets: Option<BTreeMap<String, TargetForm>>,
    /// How requests are authenticated, if not by headers of their own.
    pub(crate) auth: Option<AuthForm>,
    /// Rows that requests take values from, by name: `{{name.column}}` in a path, header or body.
    #[schemars(extend("maxProperties" = MAX_DATA_SETS))]
    pub(crate) data: Option<BTreeMap<String, DataForm>>,
    /// The requests to send. Their weights divide the load exactly, and the scenarios alternate evenly.
    #[schemars(required, length(min = 1, max = MAX_SCENARIOS))]
    pub(crate) scenarios: Option<Vec<ScenarioForm>>,
    /// Limits the run must keep, all of them: `[scenario:] [service|ok|failed] figure < | <= | > | >= | == limit`.
    /// Figures: p1 to p99.99, median, mean, max, error_rate, rate, dropped, count, answered_share, longest_gap.
    #[schemars(length(max = MAX_THRESHOLDS))]
    pub(crate) thresholds: Option<Vec<ThresholdForm>>,
    /// Settings for a coordinator and its workers.
    pub(crate) fleet: Option<FleetForm>,
    /// Names and values that describe the run, such as a build number. Every report and the metric
    /// `loadtester_run_info` carry them. A name has letters, digits and `_`, and does not start with a digit.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_LABELS))]
    pub(crate) labels: Option<BTreeMap<String, LabelValue>>,
}

/// A server that scenarios can send to, beside that of `base_url`. The plan's `defaults.headers`, `tls`, `connect_to` and
/// `auth` are not for it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetForm {
    /// Scheme, host, port and an optional prefix for all paths, as in `base_url`.
    #[schemars(required, example = "https://login.example.com")]
    pub(crate) url: Option<String>,
    /// Header fields for every request to it. A scenario's own field of the same name replaces one.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_HEADERS))]
    pub(crate) headers: Option<BTreeMap<String, HeaderValue>>,
    /// TLS settings, if it is an https target.
    pub(crate) tls: Option<TlsForm>,
    /// Connects to another host and port, as `connect_to` of the plan does.
    #[schemars(length(max = MAX_CONNECT_TO))]
    pub(crate) connect_to: Option<Vec<ConnectToForm>>,
    /// Its HTTP proxy, instead of the plan's; `none` for no proxy.
    pub(crate) proxy: Option<String>,
}

/// Settings for a coordinator and its workers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetForm {
    /// What to do when a worker is lost during the run. `fail` ends the run. `continue` goes on with less load.
    /// `redistribute` gives its share to the other workers (open model only).
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

/// Values for all scenarios that do not set their own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    /// Request method.
    #[schemars(example = &"GET", extend("default" = "GET"))]
    pub(crate) method: Option<String>,
    /// Header fields for every scenario. A list of values sends the field once for each value. A scenario's own
    /// field of the same name replaces it.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_HEADERS))]
    pub(crate) headers: Option<BTreeMap<String, HeaderValue>>,
    /// Time from sending the request to the last byte of the response, at most 1h. When it runs out, the request
    /// has failed and its connection is closed.
    #[schemars(extend("default" = "30s"))]
    pub(crate) timeout: Option<Duration>,
    /// Time from sending the request to the first byte of the response, at most 1h. Set it lower than `timeout`.
    /// Without it only `timeout` applies.
    pub(crate) first_byte_timeout: Option<Duration>,
    /// The number of redirects to follow. One more redirect, or one to another origin, is a failure. With 0 a
    /// redirect is a response like any other.
    #[schemars(range(min = 0, max = 20), extend("default" = 0))]
    pub(crate) follow_redirects: Option<u8>,
    /// What every response must look like. A scenario's own `expect` replaces all of it.
    #[allow(dead_code, reason = "read from the tree, which knows its places")]
    pub(crate) expect: Option<ExpectForm>,
    /// The number of connections. `load.concurrency` takes precedence.
    #[schemars(range(min = 1, max = MAX_CONNECTIONS), example = 10)]
    pub(crate) concurrency: Option<u32>,
    /// The number of requests in the run. Used only if `load` does not say how long the run is.
    pub(crate) requests: Option<Count>,
}

/// How much load to apply and for how long. With a rate or stages this is the open model: requests are due by a
/// schedule. Without them it is the closed model: each connection sends its next request when the last one ended.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadForm {
    /// Closed model: the number of connections, each with at most one request in flight (default 10). Open model:
    /// the highest number of connections (default: as many as needed, up to 1000).
    #[schemars(range(min = 1, max = MAX_CONNECTIONS), example = 50)]
    pub(crate) concurrency: Option<u32>,
    /// How long to measure, at most 720h. Warm-up and drain are extra.
    pub(crate) duration: Option<Duration>,
    /// Stop after this many measured requests. With `duration`, whichever comes first ends the run.
    pub(crate) requests: Option<Count>,
    /// Open model: the number of requests due per second, at most 10M/s. Needs `duration` or `requests`.
    pub(crate) rate: Option<Rate>,
    /// Open model: `even` spaces requests evenly. `poisson` spaces them at random, as independent users would.
    #[schemars(extend("default" = "even"))]
    pub(crate) arrivals: Option<ArrivalsForm>,
    /// Open model: a rate that changes, instead of `rate` and `duration`. Each stage moves in a straight line from
    /// the rate before it to its own.
    #[schemars(length(min = 1, max = MAX_STAGES))]
    pub(crate) stages: Option<Vec<Stage>>,
    /// Applies load for this long before measuring starts. In the open model at the rate the schedule starts with.
    #[schemars(extend("default" = "0s"))]
    pub(crate) warmup: Option<Duration>,
    /// How long requests in flight may take to finish at the end, at most 1h.
    #[schemars(extend("default" = "5s"))]
    pub(crate) drain: Option<Duration>,
    /// How long an attempt to connect may take, including TLS, at most 1h. Without it: as long as the longest
    /// `timeout`, but at most 10s.
    pub(crate) connect_timeout: Option<Duration>,
    /// Whether connections are reused. With `false` each request opens its own connection and sends
    /// `Connection: close`, and its response time includes the time to connect.
    #[schemars(extend("default" = true))]
    pub(crate) keep_alive: Option<bool>,
    /// Closes a connection after this many requests. Without it there is no limit.
    pub(crate) requests_per_connection: Option<Count>,
    /// Closes a connection after the first response that ends when the connection is this old, at most 720h. Without
    /// it there is no limit.
    pub(crate) connection_age: Option<Duration>,
    /// How often to resolve the target's name again, at least 1s. New connections then use the new addresses.
    /// Without it the name is resolved once, at the start.
    pub(crate) resolve_every: Option<Duration>,
    /// Local addresses to connect from, in turn. Each address adds its own range of local ports. Without it the
    /// kernel chooses.
    #[schemars(length(min = 1, max = MAX_SOURCE_ADDRESSES))]
    pub(crate) source_addresses: Option<Vec<IpForm>>,
    /// Open model: the number of due requests that may wait for a free connection. Further requests are dropped and
    /// counted.
    #[schemars(range(min = 1, max = MAX_BACKLOG), extend("default" = DEFAULT_BACKLOG))]
    pub(crate) backlog: Option<u32>,
}

/// TLS settings for an https target. Files are PEM, and relative paths start at the plan's folder.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsForm {
    /// File with the CAs to trust instead of the system's, or with a self-signed certificate.
    #[schemars(example = "ca.pem")]
    pub(crate) ca: Option<String>,
    /// File with the client certificate and its chain, for a target that asks for one. Needs `key`.
    #[schemars(example = "client.pem")]
    pub(crate) cert: Option<String>,
    /// File with the private key of `cert`, not encrypted.
    #[schemars(example = "client.key")]
    pub(crate) key: Option<String>,
    /// Accepts any certificate. Anybody on the network path can then read and change everything.
    #[schemars(extend("default" = false))]
    pub(crate) insecure: Option<bool>,
    /// The name to send as SNI and to expect in the certificate, instead of the host of `base_url`.
    #[schemars(example = "api.example.com")]
    pub(crate) server_name: Option<String>,
    /// Resumes earlier TLS sessions in new connections, as browsers do. With `false` each connection makes a full
    /// handshake.
    #[schemars(extend("default" = true))]
    pub(crate) resumption: Option<bool>,
    /// The oldest TLS version to offer, 1.2 or 1.3.
    pub(crate) min_version: Option<TlsVersionForm>,
    /// The newest TLS version to offer, 1.2 or 1.3.
    pub(crate) max_version: Option<TlsVersionForm>,
}

/// How requests of the open model are spaced.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// Plain comments inside: with doc comments the schema would have one alternative per value.
pub(super) enum ArrivalsForm {
    // Evenly spaced.
    Even,
    // Exponentially distributed gaps.
    Poisson,
}

/// One stage of the open model's schedule.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    /// How long the stage takes. With `0s` the rate jumps.
    #[serde(rename = "for")]
    #[schemars(required)]
    pub(crate) length: Option<Duration>,
    /// The rate at the end of the stage.
    #[schemars(required)]
    pub(crate) rate: Option<Rate>,
    /// First stage only: the rate it starts at.
    #[schemars(extend("default" = "0/s"))]
    pub(crate) from: Option<Rate>,
}

/// A named request with a weight.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioForm {
    /// The scenario's name in reports, unique in the plan. Without it: method and path.
    #[schemars(example = "Get users")]
    pub(crate) name: Option<String>,
    /// The target to send to, one of `targets`. Without it: that of `base_url`.
    pub(crate) target: Option<String>,
    /// The scenario's share of the load, relative to the weights of the others.
    #[schemars(range(min = 1, max = MAX_PERIOD), extend("default" = 1))]
    pub(crate) weight: Option<u32>,
    /// Path and query, appended to `base_url`. Characters that no URL may have are percent-encoded.
    #[schemars(required, example = "/v1/users?page=1")]
    pub(crate) path: Option<String>,
    /// Request method.
    #[schemars(example = &"POST", extend("default" = "GET"))]
    pub(crate) method: Option<String>,
    /// Header fields. A list of values sends the field once for each value. The program sets `Connection`,
    /// `Content-Length` and `Transfer-Encoding` itself.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_HEADERS))]
    pub(crate) headers: Option<BTreeMap<String, HeaderValue>>,
    /// Request body: a text, which may have holes, `{{…}}`. A request has at most one of `body`, `body_file`, `form` and `multipart`.
    pub(crate) body: Option<String>,
    /// A file to send as the body, relative to the plan's folder; at most 64 MiB.
    #[allow(dead_code, reason = "read from the tree")]
    #[schemars(example = "order.json")]
    pub(crate) body_file: Option<String>,
    /// Fields of a form, sent percent-encoded as `application/x-www-form-urlencoded`. A list of values sends the
    /// field once for each. Names and values may have holes.
    #[allow(dead_code, reason = "read from the tree, which knows their order")]
    #[schemars(extend("maxProperties" = MAX_FORM_FIELDS))]
    pub(crate) form: Option<BTreeMap<String, FormValue>>,
    /// Parts of a `multipart/form-data` body, in this order.
    #[allow(dead_code, reason = "read from the tree")]
    #[schemars(length(min = 1, max = MAX_FORM_FIELDS))]
    pub(crate) multipart: Option<Vec<PartForm>>,
    /// Send the body in chunks (`Transfer-Encoding: chunked`) instead of with its length.
    #[schemars(extend("default" = false))]
    pub(crate) chunked: Option<bool>,
    /// Time from sending the request to the last byte of the response, at most 1h. When it runs out, the request
    /// has failed and its connection is closed.
    #[schemars(extend("default" = "30s"))]
    pub(crate) timeout: Option<Duration>,
    /// Time from sending the request to the first byte of the response, at most 1h. Set it lower than `timeout`.
    /// Without it only `timeout` applies.
    pub(crate) first_byte_timeout: Option<Duration>,
    /// The number of redirects to follow. One more redirect, or one to another origin, is a failure. With 0 a
    /// redirect is a response like any other.
    #[schemars(range(min = 0, max = 20), extend("default" = 0))]
    pub(crate) follow_redirects: Option<u8>,
    /// What every response must look like. One that does not match counts as failed. Without it: a status below 400.
    #[allow(dead_code, reason = "read from the tree, which knows its places")]
    pub(crate) expect: Option<ExpectForm>,
}

/// What a response must look like, all of it. Only checks of headers and bodies keep the response.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read from the tree, which knows its places")]
pub(super) struct ExpectForm {
    /// The status, or a list of allowed ones. `2xx` stands for 200 to 299. Without it: a status below 400.
    pub(crate) status: Option<StatusForm>,
    /// By field name: the exact value, or `{contains: text}`. If the field occurs several times, one match is enough.
    #[schemars(extend("maxProperties" = MAX_EXPECTATIONS))]
    pub(crate) header: Option<BTreeMap<String, HeaderRuleForm>>,
    /// A text that the body must contain, or a list of such texts.
    pub(crate) body_contains: Option<BodyContainsForm>,
    /// By JSON pointer (RFC 6901): the value in a JSON body.
    #[schemars(extend("maxProperties" = MAX_EXPECTATIONS))]
    pub(crate) json: Option<BTreeMap<String, JsonForm>>,
    /// The length of the body: an exact size, or `min` and `max`.
    pub(crate) body_bytes: Option<BodyBytesForm>,
    /// How much of a body to keep for checks, at most 64MiB. A larger body fails as `body_too_large`, unchecked.
    #[schemars(extend("default" = "1MiB"))]
    pub(crate) max_body: Option<Size>,
}
