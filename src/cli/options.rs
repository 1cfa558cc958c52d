//! The command line, taken apart.

use core::net::SocketAddr;
use std::path::PathBuf;

use super::allowed::Allowed;
use super::report::Report;
use super::shell::Shell;
use crate::plan::UrlTls;

/// Which job this process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Plan in, result out, alone.
    #[default]
    Standalone,
    /// Sends its share for a coordinator.
    Worker,
    /// Shares out a plan and judges the result.
    Coordinator,
    /// The demo target.
    Target,
}

/// Where receive times come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// `SO_TIMESTAMPNS`: when the kernel had the bytes.
    #[default]
    Kernel,
    /// When our thread read them.
    User,
}

/// The command line, parsed and free of contradictions; values as typed where only the plan can judge them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// `--plan`: a file, or `-` for standard input.
    pub plan: Option<String>,
    /// The URL of the form without a plan file.
    pub url: Option<String>,
    /// `--role`.
    pub role: Role,
    /// `--demo`.
    pub demo: bool,
    /// `-c`.
    pub concurrency: Option<u32>,
    /// `-r`, requests per second; not bounded yet.
    pub rate: Option<f64>,
    /// `-n`.
    pub requests: Option<u64>,
    /// `-d`, nanoseconds.
    pub duration_ns: Option<u64>,
    /// `-m`.
    pub method: Option<String>,
    /// `-H`, in order.
    pub headers: Vec<(String, String)>,
    /// `-b`, as typed (`@file` not yet read).
    pub body: Option<String>,
    /// `--cacert`, `--cert`, `--key`, `--insecure`.
    pub tls: UrlTls,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--no-listen`.
    pub no_listen: bool,
    /// `--metrics-scenarios`.
    pub metrics_scenarios: Option<usize>,
    /// `--report`, in order.
    pub reports: Vec<Report>,
    /// `--baseline`.
    pub baseline: Option<PathBuf>,
    /// `--max-regression`, a share.
    pub max_regression: Option<f64>,
    /// `--baseline-any-plan`.
    pub baseline_any_plan: bool,
    /// `--threads`; at least 1.
    pub threads: Option<usize>,
    /// `--no-pin`.
    pub no_pin: bool,
    /// `--timestamps`.
    pub timestamps: Timestamps,
    /// `--busy-poll`.
    pub busy_poll: bool,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--coordinator`, `http://HOST:PORT`.
    pub coordinator: Option<String>,
    /// `--workers`; at least 1.
    pub workers: Option<u32>,
    /// `--join-timeout`.
    pub join_timeout_ns: Option<u64>,
    /// `--slot`.
    pub slot: Option<u32>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// `--allow-target`, in order; empty: any.
    pub allowed_targets: Vec<Allowed>,
    /// `--token-file`.
    pub token_file: Option<PathBuf>,
    /// `--operator-token-file`.
    pub operator_token_file: Option<PathBuf>,
    /// `--public-status`.
    pub public_status: bool,
    /// `--strict`.
    pub strict: bool,
    /// `--linger`, nanoseconds.
    pub linger_ns: u64,
    /// `--check`.
    pub check: bool,
    /// `--once`.
    pub once: bool,
    /// `--schema`.
    pub schema: bool,
    /// `--report-schema`.
    pub report_schema: bool,
    /// `--completions`.
    pub completions: Option<Shell>,
    /// `--quiet`.
    pub quiet: bool,
    /// `--no-color`.
    pub no_color: bool,
    /// `--version`.
    pub version: bool,
    /// `--help`.
    pub help: bool,
}
