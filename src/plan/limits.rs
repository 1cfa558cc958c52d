//! Limits and defaults of a plan.

/// The largest plan read, in bytes: one body of 4 MiB, however it is indented, or 5,000 scenarios with
/// bodies of 1 KiB.
pub const MAX_PLAN_BYTES: usize = 8 << 20;

/// The largest file that is sent as a body, in bytes. It is in memory once, whatever the number of connections.
pub(crate) const MAX_BODY_FILE_BYTES: u64 = 64 << 20;

/// The most scenarios one plan may hold.
pub const MAX_SCENARIOS: usize = 5_000;
/// The most connections one plan may ask for: more than the ports of 16 source addresses.
pub(crate) const MAX_CONNECTIONS: u32 = 1_000_000;
/// The most stages one plan may hold.
pub(crate) const MAX_STAGES: usize = 1_000;
/// The most due requests that may wait, 24 bytes each.
pub(crate) const MAX_BACKLOG: u32 = 1_000_000;
/// The most header fields in one mapping: servers refuse more than 100.
pub(crate) const MAX_HEADERS: usize = 200;
/// The most fields of a form, and the most parts of a multipart body.
pub(crate) const MAX_FORM_FIELDS: usize = 1_000;
/// The most data sets of a plan.
pub(crate) const MAX_DATA_SETS: usize = 100;
/// The most named columns of a data set.
pub(crate) const MAX_COLUMNS: usize = 1_000;
/// The most rows of a data set that are written in the plan.
pub(crate) const MAX_INLINE_ROWS: usize = 10_000;
/// The most labels of a run: each is repeated in every scrape.
pub(crate) const MAX_LABELS: usize = 32;
/// The highest rate a plan may ask for, in requests per second: over ten times what one machine sends.
pub(crate) const MAX_RATE: f64 = 10_000_000.0;
/// A request's timeout when the plan has none.
pub(crate) const DEFAULT_TIMEOUT_NS: u64 = 30_000_000_000;
/// The longest connection attempt when the plan has no limit: enough for two retransmissions of a lost SYN,
/// after 1 and 3 s, and the third at 7 s.
pub(crate) const DEFAULT_CONNECT_TIMEOUT_NS: u64 = 10_000_000_000;
/// How long in-flight requests may take at the end when the plan has no `drain`.
pub(crate) const DEFAULT_DRAIN_NS: u64 = 5_000_000_000;
/// Closed model without `concurrency`: connections.
pub(crate) const DEFAULT_CONCURRENCY: u32 = 10;
/// Open model without `concurrency`: the most connections.
pub(crate) const DEFAULT_OPEN_CONNECTIONS: u32 = 1_000;
/// Open model without `backlog`: due requests that may wait for a free connection.
pub(crate) const DEFAULT_BACKLOG: u32 = 1_000;
/// The longest measurement, in nanoseconds: 30 days.
pub(super) const MAX_DURATION_NS: u64 = 30 * 24 * 3_600 * 1_000_000_000;
/// The longest timeout and drain, in nanoseconds: an hour, the upper bound of histograms.
pub(super) const MAX_TIMEOUT_NS: u64 = 3_600 * 1_000_000_000;
/// The most source addresses one plan may name: over a million ports to one target.
pub(crate) const MAX_SOURCE_ADDRESSES: usize = 256;
/// The most targets beside that of `base_url`: each has connections of its own.
pub(crate) const MAX_TARGETS: usize = 16;
/// The most entries of `connect_to`.
pub(crate) const MAX_CONNECT_TO: usize = 100;
/// The most entries of one list or mapping of expectations: each is checked on every response.
pub(super) const MAX_EXPECTATIONS: usize = 100;
/// The most thresholds one plan may hold: each is judged ten times a second.
pub(crate) const MAX_THRESHOLDS: usize = 1_024;
/// How long a URL run without `-n` and `-d` lasts, in nanoseconds.
pub(crate) const DEFAULT_URL_DURATION_NS: u64 = 10_000_000_000;
