//! Who kept requests of the asked load from being sent, and what to do about it.

use super::evidence::Evidence;
use crate::units::plural;

/// Who kept the missing requests from being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This tool: the requests were due and our threads never got to them.
    Generator,
    /// The target, or too few connections: the requests found none free though we kept up.
    Connections,
    /// The requests found no free connection, and another reason says we may have kept them busy ourselves.
    Either,
    /// Workers of a fleet that were lost or had no lease, so many of so many.
    Workers {
        /// Those that were.
        cut_off: usize,
        /// All that had a part.
        of: usize,
    },
}

impl Cause {
    /// Of what is missing by this evidence; nothing but that may be out of order.
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

    /// What became of so many requests, and the remedy.
    pub(super) fn explain(self, missing: u64) -> String {
        let requests = plural(missing, "request");
        let were = |n: u64| if n == 1 { "was" } else { "were" };
        match self {
            Self::Generator => format!(
                "this generator did not get to {requests}: add --threads or workers, or lower the rate"
            ),
            Self::Connections => format!(
                "{requests} found every connection waiting for the target while this generator kept up: \
                 raise `concurrency` or lower the rate"
            ),
            Self::Either => format!(
                "{requests} found every connection taken, and this generator may have kept them: \
                 put the other reasons right first, then raise `concurrency` or lower the rate"
            ),
            Self::Workers { cut_off, of } => format!(
                "{cut_off} of {} {} lost or had no lease for a while, and {requests} {} not sent: find out what \
                 stopped them; `on_worker_loss: redistribute` deals a lost one's part to the others",
                plural(of as u64, "worker"),
                were(cut_off as u64),
                were(missing),
            ),
        }
    }
}
