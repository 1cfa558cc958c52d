//! What a person wants sent: a checked [`Plan`], and how it is shared out.
//!
//! The way of a text: `tree` reads the YAML and knows each value's place, `variables` fills in the
//! environment, `shape` holds the tree against the `schema` made from `document`, which says exactly
//! what may be typed, and `check` (with `load`, `scenario` and `url`) turns that into a [`Plan`] or
//! every fault at once. `parse` is the door; a URL with flags comes in by it too. `share` deals a plan
//! over workers and threads by arithmetic.
//!
//! A [`Plan`] in hand is valid: nobody below checks again. Files and the environment are read
//! elsewhere and passed in.

mod check;
mod connections;
mod digest;
mod document;
mod expect;
mod expected;
mod fault;
mod fleet;
mod load;
mod parse;
mod path;
mod scenario;
mod schema;
pub mod secrets;
mod shape;
mod share;
mod threshold;
mod tls;
mod tree;
mod url;
mod variables;

pub use connections::{Connections, MAX_CONNECT_TO, MAX_SOURCE_ADDRESSES};
pub use expect::{DEFAULT_MAX_BODY_BYTES, EXCERPT_BYTES, Expect, HeaderRule, JsonRule, Text, excerpt};
pub use fault::{Fault, Faults, Position, did_you_mean, quoted};
pub use fleet::OnWorkerLoss;
pub use parse::{DEFAULT_URL_DURATION_NS, Overrides, UrlForm, UrlTls, from_url, parse};
pub use scenario::check_header;
pub use schema::schema;
pub use secrets::Secrets;
pub use share::{Share, Slice, share, share_within, threads};
pub use threshold::{Comparison, MAX_THRESHOLDS, Metric, Statistic, Threshold, Timing};
pub use tls::{ClientFiles, Tls, Versions};

use crate::schedule::{Arrivals, Piece};

/// The largest plan read, in bytes: 256 scenarios with bodies of 16 KiB.
pub const MAX_PLAN_BYTES: usize = 4 << 20;

/// The most scenarios one plan may hold: each keeps two histograms per thread and window.
pub const MAX_SCENARIOS: usize = 256;
/// The most connections one plan may ask for: more than the ports of 16 source addresses.
pub const MAX_CONNECTIONS: u32 = 1_000_000;
/// The most stages one plan may hold.
pub const MAX_STAGES: usize = 1_000;
/// The most due requests that may wait: 64 bytes each, and a longer queue is no longer a wait.
pub const MAX_BACKLOG: u32 = 1_000_000;
/// The most header fields of one mapping: servers refuse more than 100.
pub const MAX_HEADERS: usize = 200;
/// The highest rate a plan may ask for, in requests per second: over ten times what one machine sends.
pub const MAX_RATE: f64 = 10_000_000.0;
/// A request's deadline when the plan names none.
pub const DEFAULT_TIMEOUT_NS: u64 = 30_000_000_000;
/// The longest an attempt to connect may take when the plan does not say: two retransmissions of a lost
/// SYN, after 1 and 3 s, and the third one's turn at 7 s.
pub const DEFAULT_CONNECT_TIMEOUT_NS: u64 = 10_000_000_000;
/// How long in-flight requests may take at the end when the plan names nothing.
pub const DEFAULT_DRAIN_NS: u64 = 5_000_000_000;
/// Closed model without `concurrency`: connections.
pub const DEFAULT_CONCURRENCY: u32 = 10;
/// Open model without `concurrency`: the most connections.
pub const DEFAULT_OPEN_CONNECTIONS: u32 = 1_000;
/// Open model without `backlog`: due requests that may wait for a free connection.
pub const DEFAULT_BACKLOG: u32 = 1_000;

/// A valid plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What it is called, if it has a name.
    pub name: Option<String>,
    /// Where it came from, as shown to people: a file name, `-` or a URL.
    pub source: String,
    /// `sha256:` and the hex digest of the plan's meaning-bearing text.
    pub digest: String,
    /// The target all scenarios share.
    pub target: Target,
    /// How TLS is spoken; `None`: the target is plain HTTP.
    pub tls: Option<Tls>,
    /// How much load, in which model.
    pub load: Load,
    /// How connections are made and how long they are used.
    pub connections: Connections,
    /// At least one; at most [`MAX_SCENARIOS`].
    pub scenarios: Vec<Scenario>,
    /// What the run has to keep to, all of it; at most [`MAX_THRESHOLDS`].
    pub thresholds: Vec<Threshold>,
    /// What a coordinator does when a worker is lost.
    pub on_worker_loss: OnWorkerLoss,
    /// What must not be shown.
    pub secrets: Secrets,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host name, IPv4 address or IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What the `Host` header says: brackets around IPv6, the port unless it is the scheme's own.
    pub authority: String,
}

/// How load is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Closed or open.
    pub model: Model,
    /// Load is applied for this long before results start.
    pub warmup_ns: u64,
    /// How long in-flight requests may take after the end.
    pub drain_ns: u64,
    /// Stop after this many measured requests.
    pub requests: Option<u64>,
    /// Stop after this long, not counting warm-up and drain. At least one of the two is set; the
    /// open model always has it.
    pub duration_ns: Option<u64>,
}

/// Who decides when a request is due.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Each connection sends its next request when the last one ended.
    Closed {
        /// Connections, each with at most one request in flight.
        connections: u32,
    },
    /// Requests are due by a schedule.
    Open {
        /// The rate over the measured time, piece by piece; at least one, lengths add up to the duration.
        pieces: Vec<Piece>,
        /// How arrivals are spaced.
        arrivals: Arrivals,
        /// The most connections; `None`: as needed, up to [`DEFAULT_OPEN_CONNECTIONS`].
        connections: Option<u32>,
        /// Due requests that may wait for a free connection, over all threads.
        backlog: u32,
    },
}

/// A named request with a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Unique within the plan.
    pub name: String,
    /// At least 1.
    pub weight: u32,
    /// An HTTP token, upper case by convention.
    pub method: String,
    /// Origin-form request target: base path, path and query.
    pub path: String,
    /// Header fields in the order they are sent, without `Host` and `Content-Length` unless the plan set them.
    pub headers: Vec<(String, String)>,
    /// Request body; empty: none.
    pub body: Vec<u8>,
    /// From send to last byte, over all redirects; the connection is closed when it passes.
    pub timeout_ns: u64,
    /// From send to first byte, likewise; without effect unless shorter than `timeout_ns`.
    pub first_byte_timeout_ns: Option<u64>,
    /// The most redirects one exchange follows; 0: a redirect is an answer like any other.
    pub follow_redirects: u8,
    /// What its responses have to be like; `None`: a status below 400.
    pub expect: Option<Box<Expect>>,
}

impl Plan {
    /// `closed` or `open`, as reports print it.
    pub fn model_name(&self) -> &'static str {
        match self.load.model {
            Model::Closed { .. } => "closed",
            Model::Open { .. } => "open",
        }
    }

    /// The target as people write it, without a path.
    pub fn origin(&self) -> String {
        if let Some(socket) = &self.connections.unix {
            return format!("unix:{socket}");
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.target.authority)
    }

    /// How long an attempt to connect may take: as given, else as long as the most patient scenario, but
    /// no longer than [`DEFAULT_CONNECT_TIMEOUT_NS`].
    pub fn connect_timeout_ns(&self) -> u64 {
        let most_patient = self.scenarios.iter().map(|s| s.timeout_ns).max();
        let default = most_patient.unwrap_or(u64::MAX).min(DEFAULT_CONNECT_TIMEOUT_NS);
        self.connections.connect_timeout_ns.unwrap_or(default)
    }

    /// The weights, indexed like the scenarios.
    pub fn weights(&self) -> Vec<u32> {
        self.scenarios.iter().map(|s| s.weight).collect()
    }
}
