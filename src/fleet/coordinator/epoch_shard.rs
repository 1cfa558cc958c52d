//! Who owns which part of the schedule.

use serde::{Deserialize, Serialize};

use crate::fleet::messages::WorkerId;
use crate::plan::Shard;

/// A worker's shard in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochShard {
    pub(crate) worker: WorkerId,
    /// Index below `of`; distinct within an epoch.
    pub(crate) slot: u32,
    /// The number of shards, the same throughout an epoch.
    pub(crate) of: u32,
}

impl EpochShard {
    pub(crate) fn shard(self) -> Shard {
        Shard { slot: self.slot, of: self.of }
    }
}
