//! The plan: what to send, checked, and how it is divided.
//!
//! `parse` is the entry point, for a plan's text and for a URL with flags. `yaml` reads the text and keeps
//! each value's position, `variables` substitutes environment variables, `schema_check` compares the result
//! with the JSON schema generated from the types in `plan_schema`, and `check` (with `load`, `scenario`,
//! `url` and the others) turns it into a [`Plan`], defined in `model`, or reports every fault at once.
//! `shard` divides a plan among workers and threads.
//!
//! A [`Plan`] is always valid: no code below checks it again. Files and the environment are read elsewhere
//! and passed in.

mod auth;
mod auth_schema;
mod check;
mod connections;
mod content;
mod data;
mod data_schema;
mod identity;
mod expect;
mod expected;
mod fault;
mod fleet;
mod headers;
mod holes;
mod json_schema;
mod likely_mistakes;
mod labels;
mod limits;
mod load;
mod model;
mod overrides;
mod parse;
mod part_schema;
mod path;
mod plan_schema;
mod proxy;
mod reader;
mod request_target;
mod scenario;
mod schema_check;
mod shard;
mod targets;
mod threshold;
mod threshold_guess;
mod tls;
mod token;
mod url;
mod urls;
mod value_forms;
mod variables;
mod yaml;
pub(crate) mod secrets;
mod shown_text;

pub use connections::Connections;
pub(crate) use expect::DEFAULT_MAX_BODY_BYTES;
pub(crate) use expect::excerpt;
pub use expect::{Expect, TextPattern};
pub use fault::Faults;
pub(crate) use fault::{did_you_mean, quoted};
pub(crate) use headers::check_header;
pub use identity::{DIGEST_FORM, PartDigests};
pub use json_schema::schema;
pub(crate) use labels::check_label;
pub(crate) use likely_mistakes::likely_mistakes;
pub(crate) use limits::{DEFAULT_OPEN_CONNECTIONS, MAX_BODY_FILE_BYTES, MAX_STAGES};
pub use limits::{MAX_PLAN_BYTES, MAX_SCENARIOS};
pub use model::{AwsSigV4, Load, Model, OnWorkerLoss, Plan, RequestTemplate, Scenario};
pub use overrides::{Family, Overrides, ProxyVariables, ResolveOverride, StageOverride};
pub use parse::{UrlForm, UrlTls, from_url, parse, parse_with_files};
pub use proxy::Proxy;
pub use reader::ReadFile;
pub use secrets::Secrets;
pub use shard::{Shard, ShardLoad, shard_load, shard_load_within};
pub use targets::Target;
#[cfg(test)]
pub(crate) use threshold::THRESHOLD_WORDS;
pub use threshold::Threshold;
pub(crate) use threshold::{Comparison, Metric, Statistic, Timing};
pub use tls::{ClientFiles, Tls, Versions};
pub(crate) use url::{host, without_userinfo};
pub use urls::UrlList;
