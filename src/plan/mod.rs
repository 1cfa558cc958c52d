//! What a person wants sent: a checked [`Plan`], and how it is shared out.
//!
//! `parse` is the entry, for a plan's text as for a URL with flags. `yaml` reads the text and keeps each
//! value's position, `variables` fills in the environment, `schema_check` compares the result with the
//! JSON schema made from the types in `plan_schema`, and `check` (with `load`, `scenario`, `url` and the
//! others) turns it into a [`Plan`], defined in `model`, or reports every fault at once. `share` divides
//! a plan over workers and threads.
//!
//! A [`Plan`] in hand is valid: nobody below checks again. Files and the environment are read
//! elsewhere and passed in.

mod check;
mod connections;
mod digest;
mod expect;
mod expected;
mod fault;
mod fleet;
mod json_schema;
mod limits;
mod load;
mod model;
mod overrides;
mod parse;
mod path;
mod plan_schema;
mod reader;
mod scenario;
mod schema_check;
mod share;
mod threshold;
mod tls;
mod token;
mod url;
mod variables;
mod yaml;
pub mod secrets;

pub use connections::Connections;
pub use expect::{DEFAULT_MAX_BODY_BYTES, EXCERPT_BYTES, Expect, HeaderRule, JsonRule, Text, excerpt};
pub use fault::{Fault, Faults, Position, did_you_mean, quoted};
pub use json_schema::schema;
pub use limits::{
    DEFAULT_BACKLOG, DEFAULT_CONCURRENCY, DEFAULT_CONNECT_TIMEOUT_NS, DEFAULT_DRAIN_NS,
    DEFAULT_OPEN_CONNECTIONS, DEFAULT_TIMEOUT_NS, DEFAULT_URL_DURATION_NS, MAX_BACKLOG, MAX_CONNECT_TO,
    MAX_CONNECTIONS, MAX_HEADERS, MAX_PLAN_BYTES, MAX_RATE, MAX_SCENARIOS, MAX_SOURCE_ADDRESSES, MAX_STAGES,
    MAX_THRESHOLDS,
};
pub use model::{Load, Model, OnWorkerLoss, Plan, Scenario};
pub use overrides::Overrides;
pub use parse::{UrlForm, UrlTls, from_url, parse};
pub use scenario::check_header;
pub use secrets::Secrets;
pub use share::{Share, Slice, share, share_within};
pub use threshold::{Comparison, Metric, Statistic, Threshold, Timing};
pub use tls::{ClientFiles, Tls, Versions};
pub use url::Target;
