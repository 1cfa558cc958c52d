//! What a plan may say of a data set, as typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::limits::{MAX_COLUMNS, MAX_INLINE_ROWS};
use super::value_forms::CellForm;

/// Rows that requests take values from: a file, or rows in the plan.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DataForm {
    /// A file, relative to the plan's folder. Of one with more than 64 MiB, rows are read while the run lasts. A name that ends in `.jsonl` or `.ndjson` holds JSON
    /// lines, any other comma-separated values. It may be packed with gzip (`.gz`).
    #[schemars(example = "users.csv")]
    pub(crate) file: Option<String>,
    /// Rows in the plan itself, each a mapping from column to value. All have the same columns.
    #[allow(dead_code, reason = "read from the tree, which knows their lines")]
    #[schemars(length(min = 1, max = MAX_INLINE_ROWS))]
    pub(crate) rows: Option<Vec<BTreeMap<String, CellForm>>>,
    /// The order in which requests take rows. `circular` begins again after the last row. `once` takes each row at
    /// most once in a run. `shuffle` takes each row once a lap, in another order each lap. `random` takes any row.
    #[schemars(extend("default" = "circular"))]
    pub(crate) order: Option<OrderForm>,
    /// The character between two fields, or `tab`. Without it: a tab for a `.tsv` file, else a comma.
    #[schemars(example = ";")]
    pub(crate) separator: Option<String>,
    /// The character around fields that contain a separator or a line feed.
    #[schemars(extend("default" = "\""))]
    pub(crate) quote: Option<String>,
    /// The names of the columns. With them, the first line of the file is a row like the others.
    #[schemars(length(min = 1, max = MAX_COLUMNS))]
    pub(crate) columns: Option<Vec<String>>,
}

/// The order in which requests take rows.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// Plain comments inside: with doc comments the schema would have one alternative per value.
pub(super) enum OrderForm {
    // And again from the first.
    Circular,
    // Each at most once.
    Once,
    // Each once a lap.
    Shuffle,
    // With replacement.
    Random,
}
