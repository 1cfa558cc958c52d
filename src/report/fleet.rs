//! A fleet in the picture: its workers, who was missing and from when to when, how exactly they began.

use schemars::JsonSchema;
use serde::Serialize;

use super::shown::harmless;
use crate::fleet::coordinator::Mark;
use crate::fleet::coordinator::Row;
use crate::verdict::fleet::WorkerEvidence;

/// What the snapshot of a coordinator holds of its workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// One for each process that ever joined.
    pub rows: Vec<Row>,
    /// When this was, on the coordinator's clock.
    pub now_ns: u64,
    /// When the schedule began on it.
    pub start_at_ns: Option<u64>,
    /// Two workers' starts lie at most this far apart.
    pub start_skew_bound_ns: Option<u64>,
    /// Why load was stopped before its time.
    pub stopped: Option<String>,
    /// Workers whose last word never came.
    pub missing: Vec<u32>,
    /// Workers whose final totals are not the sum of their windows.
    pub unequal: Vec<u32>,
    /// Arrivals the plan asks for, at the end of an open run that was carried out to its end.
    pub asked: Option<u64>,
}

/// The fleet as figures: times in seconds.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct FleetFigures {
    /// One entry for each process that ever joined, in the order in which they did.
    pub workers: Vec<WorkerFigures>,
    /// Two workers' starts lie at most this far apart.
    pub start_skew_bound: Option<f64>,
    /// Why load was stopped before its time.
    pub stopped: Option<String>,
    /// Workers whose last word never came: what they did after their last report is not known.
    pub missing: Vec<u32>,
    /// Workers whose final totals are not the sum of their windows.
    pub unequal: Vec<u32>,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct WorkerFigures {
    /// Its number.
    pub worker: u32,
    /// Its place.
    pub slot: u32,
    /// Where it runs.
    pub host: String,
    /// Where it stands.
    #[schemars(extend("enum" = Mark::NAMES))]
    pub state: &'static str,
    /// Its part by the newest sharing-out: slot of a number of slots.
    pub share: Option<[u32; 2]>,
    /// Requests that fell due for it.
    pub due: u64,
    /// Requests it sent.
    pub sent: u64,
    /// Its exchanges that ended well.
    pub completed: u64,
    /// Its exchanges that ended otherwise.
    pub failed: u64,
    /// Requests it did not send: no connection was free, or it had no lease.
    pub dropped: u64,
    /// Busy share of its busiest thread.
    pub busy: f64,
    /// 99th percentile of its send delay.
    pub send_delay_p99: f64,
    /// CPU throttling of its control group in the measured time.
    pub cpu_throttled_seconds: f64,
    /// Time for which it had no lease though it should have sent.
    pub unleased_seconds: f64,
    /// Since it was last heard.
    pub last_seen_ago: f64,
    /// When it was last heard before it was lost or replaced, since the schedule began.
    pub gone_from: Option<f64>,
}

impl Fleet {
    /// Its figures.
    pub fn figures(&self) -> FleetFigures {
        FleetFigures {
            workers: self.rows.iter().map(|row| self.worker(row)).collect(),
            start_skew_bound: self.start_skew_bound_ns.map(seconds),
            stopped: self.stopped.clone(),
            missing: self.missing.clone(),
            unequal: self.unequal.clone(),
        }
    }

    fn worker(&self, row: &Row) -> WorkerFigures {
        let since_start = |at: u64| self.start_at_ns.map(|start| seconds(at.saturating_sub(start)));
        WorkerFigures {
            worker: row.worker.0,
            slot: row.slot,
            host: harmless(&row.host),
            state: row.mark.name(),
            share: row.share.map(|part| [part.slot, part.of]),
            due: row.totals.due,
            sent: row.totals.sent,
            completed: row.totals.completed,
            failed: row.totals.failed,
            dropped: row.totals.dropped,
            busy: row.health.busy,
            send_delay_p99: seconds(row.health.send_delay_p99_ns),
            cpu_throttled_seconds: seconds(row.health.throttled_ns),
            unleased_seconds: seconds(row.health.unleased_ns),
            last_seen_ago: seconds(self.now_ns.saturating_sub(row.heard_ns)),
            gone_from: row.gone.and_then(|gone| since_start(gone.heard_ns)),
        }
    }

    /// What its workers say of themselves, for the verdict on the instrument.
    pub fn evidence(&self) -> Vec<WorkerEvidence> {
        let with_part = self.rows.iter().filter(|row| row.had_share);
        let incomplete = |id: &u32| self.missing.contains(id) || self.unequal.contains(id);
        with_part
            .map(|row| WorkerEvidence {
                worker: row.worker.0,
                host: harmless(&row.host),
                send_delay_p99_ns: row.health.send_delay_p99_ns,
                busy: row.health.busy,
                is_incomplete: incomplete(&row.worker.0),
            })
            .collect()
    }

    /// Workers by state: every state there is, with its number.
    pub fn by_state(&self) -> impl Iterator<Item = (&'static str, usize)> {
        Mark::NAMES.iter().map(|name| (*name, self.rows.iter().filter(|r| r.mark.name() == *name).count()))
    }

    /// What makes the result less than what was asked for, a sentence each.
    pub fn shortcomings(&self) -> Vec<String> {
        let mut said: Vec<String> = self.stopped.iter().map(|why| format!("stopped early: {why}")).collect();
        for row in self.rows.iter().filter(|row| row.had_share) {
            let (worker, host) = (row.worker.0, harmless(&row.host));
            if let (Some(gone), Some(start)) = (row.gone, self.start_at_ns) {
                let at = seconds(gone.heard_ns.saturating_sub(start));
                let how = if gone.replaced { "was replaced" } else { "was lost" };
                said.push(format!("worker {worker} ({host}) {how}: last heard {at:.1} s after the start"));
            }
            if row.health.unleased_ns > 0 {
                let for_s = seconds(row.health.unleased_ns);
                said.push(format!("worker {worker} ({host}) sent nothing for {for_s:.1} s: it had no lease"));
            }
            if row.health.throttled_ns > 0 {
                let for_s = seconds(row.health.throttled_ns);
                said.push(format!("worker {worker} ({host}) was throttled for {for_s:.2} s"));
            }
        }
        for worker in &self.missing {
            said.push(format!("worker {worker}'s final report never came"));
        }
        for worker in &self.unequal {
            said.push(format!("worker {worker}'s final totals are not the sum of its windows"));
        }
        said
    }

    /// A line for each worker, under a heading, and one for each shortcoming.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{:<8} {:<10} {:<7} {:>10} {:>8} {:>10} {:>9}",
            "worker", "state", "share", "sent", "busy", "slip p99", "seen ago"
        )];
        for row in &self.rows {
            let share = row.share.map_or("–".to_owned(), |part| format!("{}/{}", part.slot, part.of));
            let slip = super::format::time(row.health.send_delay_p99_ns);
            let ago = seconds(self.now_ns.saturating_sub(row.heard_ns));
            let (worker, state, busy) = (row.worker.0, row.mark.name(), row.health.busy * 100.0);
            lines.push(format!(
                "{worker:<8} {state:<10} {share:<7} {:>10} {busy:>7.0}% {slip:>10} {ago:>7.1} s",
                row.totals.sent
            ));
        }
        lines.extend(self.shortcomings());
        if let Some(bound) = self.start_skew_bound_ns {
            lines.push(format!("two workers' starts lie at most {} apart", super::format::time(bound)));
        }
        lines
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
