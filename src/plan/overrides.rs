//! What the command line says instead of a plan.

/// What the command line puts in the place of what a plan says; `load` has the rules.
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
