//! The types of a checked plan: targets, load and scenarios.
//!
//! Types that only one section of a plan needs are defined beside the code that reads it.

use std::sync::Arc;

use super::connections::Connections;
use super::expect::Expect;
use super::limits::DEFAULT_CONNECT_TIMEOUT_NS;
use super::secrets::Secrets;
use super::targets::Target;
use super::threshold::Threshold;
use crate::data::DataSet;
use crate::schedule::{Arrivals, Piece};
use crate::template::{Field, Template};

/// A valid plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The plan's own name, if it has one.
    pub name: Option<String>,
    /// Where it came from, as shown to people: a file name, `-` or a URL.
    pub source: String,
    /// `sha256:` and the hex digest of the plan's meaning.
    pub digest: String,
    /// Its text for reports: masked, and cut where it is very long. `None`: it was given by flags.
    pub text: Option<String>,
    /// Where requests go: the target of `base_url`, then those that have names.
    pub targets: Vec<Target>,
    /// How much load, in which model.
    pub load: Load,
    /// How connections are made and how long they are used.
    pub connections: Connections,
    /// At least one; at most [`super::MAX_SCENARIOS`].
    pub scenarios: Vec<Scenario>,
    /// The credentials that sign requests for AWS.
    pub auth: Option<AwsSigV4>,
    /// Rows that requests take values from.
    pub data: Arc<[DataSet]>,
    /// Thresholds that the run must meet, all of them; at most `MAX_THRESHOLDS`.
    pub thresholds: Vec<Threshold>,
    /// What reports say of the run beside its figures, sorted by name.
    pub labels: Vec<(String, String)>,
    /// What a coordinator does when a worker is lost.
    pub on_worker_loss: OnWorkerLoss,
    /// Values that must not be shown.
    pub secrets: Secrets,
    /// Link-local addresses are refused: whoever carries the plan out neither wrote nor allowed it. No plan says so.
    pub refuses_link_local: bool,
}

/// How load is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Closed or open.
    pub model: Model,
    /// Load is applied for this many nanoseconds before results start.
    pub warmup_ns: u64,
    /// How long in-flight requests may take after the end, in nanoseconds.
    pub drain_ns: u64,
    /// Stop after this many measured requests.
    pub requests: Option<u64>,
    /// Stop after this many nanoseconds, not counting warm-up and drain. `requests` or this is set; the open
    /// model always has this.
    pub duration_ns: Option<u64>,
}

/// What determines when a request is due.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Each connection sends its next request when the last one ended.
    Closed {
        /// Connections, each with at most one request in flight.
        connections: u32,
    },
    /// Requests are due at scheduled times.
    Open {
        /// The rate over the measured time, piece by piece; at least one, lengths add up to the duration.
        pieces: Vec<Piece>,
        /// How arrivals are spaced.
        arrivals: Arrivals,
        /// The most connections; `None`: as needed, up to `DEFAULT_OPEN_CONNECTIONS`.
        connections: Option<u32>,
        /// Due requests that may wait for a free connection, over all threads.
        backlog: u32,
    },
}

/// The credentials that sign requests for AWS, and for what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSigV4 {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    /// Of temporary credentials.
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// A named request with a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Unique within the plan.
    pub name: String,
    /// The number of its target in [`Plan::targets`].
    pub target: usize,
    /// Relative frequency, at least 1.
    pub weight: u32,
    /// An HTTP token, upper case by convention.
    pub method: String,
    /// Origin-form request target: base path, path and query.
    pub path: String,
    /// Header fields in sending order, without `Host` and `Content-Length` unless the plan sets them.
    pub headers: Vec<(String, String)>,
    /// Request body; empty: none.
    pub body: Vec<u8>,
    /// Path, headers and body with their holes, if there are any; the fields above then have them as typed.
    pub template: Option<Box<RequestTemplate>>,
    /// Whether the body is sent in chunks instead of with its length.
    pub chunked: bool,
    /// Nanoseconds from send to last byte, over all redirects; the connection is closed when they pass.
    pub timeout_ns: u64,
    /// Nanoseconds from send to first byte, likewise; without effect unless shorter than `timeout_ns`.
    pub first_byte_timeout_ns: Option<u64>,
    /// The most redirects one exchange follows; 0: a redirect is a response like any other.
    pub follow_redirects: u8,
    /// Expectations of its responses; `None`: a status below 400.
    pub expect: Option<Box<Expect>>,
}

/// A request with holes, which are filled for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTemplate {
    /// Path and query.
    pub(crate) path: Template,
    /// The values of the scenario's headers, in their order.
    pub(crate) headers: Vec<Template>,
    pub(crate) body: Template,
}

impl RequestTemplate {
    /// The request of a scenario that has none.
    pub(crate) fn without_holes(scenario: &Scenario) -> Self {
        let constant = |text: &str| Template::of_bytes(text.as_bytes().to_vec());
        Self {
            path: constant(&scenario.path),
            headers: scenario.headers.iter().map(|(_, value)| constant(value)).collect(),
            body: Template::of_bytes(scenario.body.clone()),
        }
    }

    /// Whether it takes rows of the data set with this number.
    pub(crate) fn takes_rows_of(&self, set: usize) -> bool {
        let mut takes = false;
        let mut visit = |field: Field| takes |= usize::from(field.at.0) == set;
        [&self.path, &self.body].into_iter().chain(&self.headers).for_each(|part| part.fields(&mut visit));
        takes
    }

    /// The longest request that it makes, in bytes, without what is the same in all requests.
    pub(crate) fn most_bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(Template::most_bytes).sum();
        self.path.most_bytes() + headers + self.body.most_bytes()
    }
}

/// What a coordinator does when a worker is lost in the middle of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnWorkerLoss {
    /// End the run and fail it.
    #[default]
    Fail,
    /// Continue with the remaining workers: the rate drops.
    Continue,
    /// Redistribute the schedule to the remaining workers: the rate recovers. Open model only.
    Redistribute,
}

impl Load {
    /// The rate before the measured time, whose rate is that of `pieces`: the one at its beginning.
    pub(crate) fn warm_up(&self, pieces: &[Piece]) -> Piece {
        let rate = pieces.first().map_or(0.0, |piece| piece.from);
        Piece { from: rate, to: rate, length_ns: self.warmup_ns }
    }
}

impl OnWorkerLoss {
    /// The value's name in a plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Continue => "continue",
            Self::Redistribute => "redistribute",
        }
    }
}

impl Plan {
    /// `closed` or `open`, as reports print it.
    pub fn model_name(&self) -> &'static str {
        match self.load.model {
            Model::Closed { .. } => "closed",
            Model::Open { .. } => "open",
        }
    }

    /// The target of `base_url`.
    pub fn main_target(&self) -> &Target {
        &self.targets[0]
    }

    /// The target of a scenario.
    pub fn target_of(&self, scenario: &Scenario) -> &Target {
        &self.targets[scenario.target]
    }

    /// How long an attempt to connect may take, in nanoseconds: as configured, else the longest timeout of a
    /// scenario, but no longer than `DEFAULT_CONNECT_TIMEOUT_NS`.
    pub fn connect_timeout_ns(&self) -> u64 {
        let most_patient = self.scenarios.iter().map(|s| s.timeout_ns).max();
        let default = most_patient.unwrap_or(u64::MAX).min(DEFAULT_CONNECT_TIMEOUT_NS);
        self.connections.connect_timeout_ns.unwrap_or(default)
    }

    /// Whether a scenario takes rows of a data set; both by number.
    pub(crate) fn takes_rows(&self, scenario: usize, set: usize) -> bool {
        self.scenarios[scenario].template.as_ref().is_some_and(|template| template.takes_rows_of(set))
    }

    /// The weights, indexed like the scenarios.
    pub fn weights(&self) -> Vec<u32> {
        self.scenarios.iter().map(|s| s.weight).collect()
    }
}
