//! The causes for requests of the asked load not being sent, and the remedies.

use super::evidence::Evidence;
use crate::units::plural;

/// Why the missing requests were not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This tool: the requests were due and our threads never reached them.
    Generator,
    /// The target, or too few connections: the requests found none free although we kept up.
    Connections,
    /// The requests found no free connection, but by another reason we may have kept them busy ourselves.
    Either,
    /// Workers of a fleet that were lost or had no lease.
    Workers {
        /// How many were.
        cut_off: usize,
        /// How many workers had a part of the load.
        of: usize,
    },
}

impl Cause {
    /// The cause by this evidence; `otherwise_in_order`: there is no other reason to doubt.
    pub(super) fn of(evidence: &Evidence, otherwise_in_order: bool) -> Self {
        let held_up = evidence.dropped.saturating_add(evidence.waiting);
        let never_reached = evidence.missing().saturating_sub(held_up);
        if never_reached > held_up {
            Self::Generator
        } else if otherwise_in_order && never_reached == 0 {
            Self::Connections
        } else {
            Self::Either
        }
    }

    /// What became of so many requests.
    pub(super) fn explain(self, missing: u64) -> String {
        let requests = plural(missing, "request");
        let were = |n: u64| if n == 1 { "was" } else { "were" };
        match self {
            Self::Generator => format!("this generator did not get to {requests}"),
            Self::Connections => {
                format!(
                    "{requests} found every connection waiting for the target while this generator kept up"
                )
            }
            Self::Either => {
                format!("{requests} found no free connection, possibly because of this generator")
            }
            Self::Workers { cut_off, of } => format!(
                "{cut_off} of {} {} lost or had no lease for a while, and {requests} {} not sent",
                plural(of as u64, "worker"),
                were(cut_off as u64),
                were(missing),
            ),
        }
    }

    /// What to do about it.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::Generator => "add --threads or workers, or lower the rate",
            Self::Connections => "raise `concurrency` or lower the rate",
            Self::Either => "fix the other problems first, then raise `concurrency` or lower the rate",
            Self::Workers { .. } => {
                "find out what stopped them; with `on_worker_loss: redistribute` the other workers take over a lost worker's load"
            }
        }
    }
}
