//! What was typed; no meaning yet.

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
    /// `-r`, requests per second.
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
    /// `--listen`.
    pub listen: Option<std::net::SocketAddr>,
    /// `--no-listen`.
    pub no_listen: bool,
    /// `--report`, in order.
    pub reports: Vec<std::path::PathBuf>,
    /// `--threads`.
    pub threads: Option<usize>,
    /// `--no-pin`.
    pub no_pin: bool,
    /// `--timestamps`.
    pub timestamps: Timestamps,
    /// `--busy-poll`.
    pub busy_poll: bool,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--strict`.
    pub strict: bool,
    /// `--linger`, nanoseconds.
    pub linger_ns: u64,
    /// `--check`.
    pub check: bool,
    /// `--schema`.
    pub schema: bool,
    /// `--quiet`.
    pub quiet: bool,
    /// `--no-color`.
    pub no_color: bool,
    /// `--version`.
    pub version: bool,
    /// `--help`.
    pub help: bool,
}
