//! The instrument's verdict on a snapshot.

use super::{InstrumentFigures, Snapshot};
use crate::tally::Outcome;
use crate::verdict::instrument::{Evidence, Instrument, Reason, ThreadEvidence, judge};

impl Snapshot {
    /// Whether the measurement may be believed, by what the run says of itself so far.
    pub fn judge(&self) -> Instrument {
        let tally = &self.tally;
        let ended = |outcome: Outcome| tally.sum(|s| s.outcomes[outcome as usize]);
        let threads: Vec<ThreadEvidence> = self
            .threads
            .iter()
            .map(|t| ThreadEvidence { core: t.core, busy_ratio: t.busy_ratio() })
            .collect();
        judge(&Evidence {
            open_model: self.run.model == "open",
            asked: tally.sum(|s| s.due),
            sent: tally.sum(|s| s.sent),
            turned_away: ended(Outcome::ConnectRefused)
                + ended(Outcome::ConnectUnreachable)
                + ended(Outcome::ConnectTimeout),
            dropped: tally.sum(|s| s.dropped),
            waiting: self.threads.iter().map(|t| t.backlog).sum(),
            send_delay: &tally.send_delay,
            receive_delay: &tally.receive_delay,
            service_time: &tally.over_scenarios(|s| &s.service_time),
            response_time: &tally.over_scenarios(|s| &s.response_time),
            kernel_timestamps: self.run.timestamps == "kernel",
            absurd_stamps: tally.absurd_stamps,
            threads: &threads,
            throttled_ns: self.throttled_ns,
            throttled_periods: self.throttled_periods,
            local_errors: ended(Outcome::LocalError),
        })
    }

    /// The same as figures for reports.
    pub fn instrument(&self) -> InstrumentFigures {
        let judged = self.judge();
        InstrumentFigures {
            trustworthy: judged.trustworthy,
            reasons: judged.reasons.iter().map(ToString::to_string).collect(),
            reason_names: judged.reasons.iter().map(Reason::name).collect(),
            notes: judged.notes,
            offered_ratio: judged.offered_ratio,
        }
    }
}
