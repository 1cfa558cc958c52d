//! Overrides from the command line.

/// Command-line values that replace those of a plan; `load` has the rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `-c`: connections.
    pub concurrency: Option<u32>,
    /// `-r`: requests per second.
    pub rate: Option<f64>,
    /// `-n`: measured requests of the whole run.
    pub requests: Option<u64>,
    /// `-d`: nanoseconds measured.
    pub duration_ns: Option<u64>,
}
