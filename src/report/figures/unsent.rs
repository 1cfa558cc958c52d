//! Requests that were due and never sent, and why, as far as the snapshot shows; and requests sent twice.

use crate::report::format::percent;
use crate::run::Snapshot;
use crate::tally::{Counter, Merged, Outcome, RowCounter};
use crate::units::plural;

/// Requests attempted but never sent, because they got no connection.
pub(crate) fn turned_away(tally: &Merged) -> u64 {
    let ended = |outcome: Outcome| tally.sum(outcome);
    let refused = ended(Outcome::ConnectRefused) + ended(Outcome::ConnectUnreachable);
    let in_vain = ended(Outcome::ConnectTimeout) + ended(Outcome::ProxyFailed);
    refused + in_vain + tally.counter(Counter::AwaitedConnection)
}

/// Resends are shown above this share of requests sent: a few are normal with a target that closes idle
/// connections.
const RESENDS_WORTH_TELLING: f64 = 0.001;

/// Number and share of resent requests; `None`: too few to show.
pub(crate) fn resends(tally: &Merged) -> Option<String> {
    let (n, of) = (tally.counter(Counter::Retried), tally.sum(RowCounter::Sent));
    let share = n as f64 / of.max(1) as f64;
    (share > RESENDS_WORTH_TELLING).then(|| {
        format!("{} ({} of sent): their connections brought no answer", plural(n, "request"), percent(share))
    })
}

/// Why requests were dropped; in a fleet also because a worker had no lease.
pub(crate) fn dropped_because(snapshot: &Snapshot) -> &'static str {
    match &snapshot.fleet {
        Some(fleet) if fleet.was_cut_off() => {
            "due while a worker had no lease or its backlog was full, never sent"
        }
        _ => "due while the backlog was full, never sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Fleet, RunInfo};

    #[test]
    fn a_worker_without_a_lease_may_be_why_requests_were_dropped() {
        let mut snapshot = Snapshot::new(RunInfo::unknown(), 1, 0.0);
        assert!(!dropped_because(&snapshot).contains("lease"));
        snapshot.fleet = Some(Fleet::example(2));
        assert!(!dropped_because(&snapshot).contains("lease"), "all had a lease");
        snapshot.fleet.as_mut().expect("a fleet").rows[1].health.unleased_ns = 1;
        assert!(dropped_because(&snapshot).contains("lease"));
    }
}
