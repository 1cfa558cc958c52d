//! The parsed command line.

use core::net::SocketAddr;
use std::path::PathBuf;

use super::allowed::Allowed;
use super::report::Report;
use super::shell::Shell;
use super::topic::Topic;
use crate::plan::{Family, Overrides, ProxyVariables, ResolveOverride, StageOverride, UrlTls};

/// The role of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Runs a plan alone.
    #[default]
    Standalone,
    /// Sends its part of the load for a coordinator.
    Worker,
    /// Divides a plan among workers and judges the result.
    Coordinator,
    /// The demo target.
    Target,
}

impl Role {
    /// Each by its name.
    pub(super) const ALL: [(&str, Self); 4] = [
        ("standalone", Self::Standalone),
        ("worker", Self::Worker),
        ("coordinator", Self::Coordinator),
        ("target", Self::Target),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, role)| *role == self).map_or("", |(name, _)| name)
    }
}

/// Where receive times come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Timestamps {
    /// `SO_TIMESTAMPNS`: when the kernel received the bytes.
    #[default]
    Kernel,
    /// When our thread read them.
    User,
}

/// How messages on standard error are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub(super) const ALL: [(&str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

/// The command line, parsed and free of contradictions; values are as typed where only the plan can check
/// them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// `--plan`: a file, or `-` for standard input.
    pub(crate) plan: Option<String>,
    /// The URL of the form without a plan file.
    pub(crate) url: Option<String>,
    /// `--urls`.
    pub(crate) urls: Option<String>,
    /// `--role`.
    pub role: Role,
    /// `--demo`.
    pub demo: bool,
    /// `-c`.
    pub(crate) concurrency: Option<u32>,
    /// `-r`, requests per second; not bounded yet.
    pub(crate) rate: Option<f64>,
    /// `-n`.
    pub(crate) requests: Option<u64>,
    /// `-d`, nanoseconds.
    pub(crate) duration_ns: Option<u64>,
    /// `--stages`.
    pub(crate) stages: Option<Vec<StageOverride>>,
    /// `--no-keepalive`.
    pub(crate) no_keep_alive: bool,
    /// `-4` or `-6`.
    pub(crate) family: Option<Family>,
    /// `--resolve`, in order.
    pub(crate) resolve: Vec<ResolveOverride>,
    /// `--label`, in order.
    pub(crate) labels: Vec<(String, String)>,
    /// `--env`, in order.
    pub(crate) env: Vec<(String, String)>,
    /// `--env-file`.
    pub(crate) env_file: Option<PathBuf>,
    /// `--user`: name and password.
    pub(crate) user: Option<(String, String)>,
    /// `--timeout`, nanoseconds.
    pub(crate) timeout_ns: Option<u64>,
    /// `-m`.
    pub(crate) method: Option<String>,
    /// `-H`, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// `-b`, as typed (`@file` not yet read).
    pub(crate) body: Option<String>,
    /// `--cacert`, `--cert`, `--key`, `--insecure`.
    pub(crate) tls: UrlTls,
    /// `--proxy`.
    pub(crate) proxy: Option<String>,
    /// The environment's proxies.
    pub proxy_variables: ProxyVariables,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--no-listen`.
    pub(crate) no_listen: bool,
    /// `--metrics-scenarios`.
    pub(crate) metrics_scenarios: Option<usize>,
    /// `--report`, in order.
    pub(crate) reports: Vec<Report>,
    /// `--baseline`.
    pub(crate) baseline: Option<PathBuf>,
    /// `--max-regression`, a fraction.
    pub(crate) max_regression: Option<f64>,
    /// `--baseline-any-plan`.
    pub(crate) baseline_any_plan: bool,
    /// `--threads`; at least 1.
    pub(crate) threads: Option<usize>,
    /// `--no-pin`.
    pub(crate) no_pin: bool,
    /// `--timestamps`.
    pub(crate) timestamps: Timestamps,
    /// `--busy-poll`.
    pub(crate) busy_poll: bool,
    /// `--seed`.
    pub(crate) seed: Option<u64>,
    /// `--coordinator`, `http://HOST:PORT`.
    pub(crate) coordinator: Option<String>,
    /// `--workers`; at least 1.
    pub(crate) workers: Option<u32>,
    /// `--join-timeout`.
    pub(crate) join_timeout_ns: Option<u64>,
    /// `--slot`.
    pub(crate) slot: Option<u32>,
    /// `--data-dir`.
    pub(crate) data_dir: Option<PathBuf>,
    /// `--state-dir`.
    pub(crate) state_dir: Option<PathBuf>,
    /// `--allow-target`, in order; empty: any.
    pub(crate) allowed_targets: Vec<Allowed>,
    /// `--token-file`.
    pub(crate) token_file: Option<PathBuf>,
    /// `--operator-token-file`.
    pub(crate) operator_token_file: Option<PathBuf>,
    /// `--public-status`.
    pub(crate) public_status: bool,
    /// `--strict`.
    pub(crate) strict: bool,
    /// `--linger`, nanoseconds.
    pub(crate) linger_ns: u64,
    /// `--check`.
    pub(crate) check: bool,
    /// `--once`.
    pub(crate) once: bool,
    /// `--schema`.
    pub schema: bool,
    /// `--report-schema`.
    pub report_schema: bool,
    /// `--completions`.
    pub completions: Option<Shell>,
    /// `--man`.
    pub man: bool,
    /// `--log-format`.
    pub log_format: LogFormat,
    /// `--quiet`.
    pub(crate) quiet: bool,
    /// `--no-color`.
    pub(crate) no_color: bool,
    /// `--version`.
    pub version: bool,
    /// `--help`, or `help`, and what about.
    pub help: Option<Topic>,
}

impl Options {
    /// What replaces parts of a plan.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            concurrency: self.concurrency,
            rate: self.rate,
            requests: self.requests,
            duration_ns: self.duration_ns,
            stages: self.stages.clone(),
            no_keep_alive: self.no_keep_alive,
            family: self.family,
            resolve: self.resolve.clone(),
            proxy: self.proxy.clone(),
            proxy_variables: self.proxy_variables.clone(),
            labels: self.labels.clone(),
        }
    }
}
