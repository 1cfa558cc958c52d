//! Figures and texts of a fleet: its workers, which were missing and when, how exactly they started.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;

use super::format::{count, percent, rate, seconds, short_count, time, whole_seconds};
use super::sanitize::one_line;
use crate::fleet::coordinator::{AwaitedStep, MemberState, Row, Waiting};
use crate::fleet::messages::{WorkerId, WorkerState};
use crate::run::Fleet;
use crate::verdict::fleet::WorkerEvidence;

/// What a row of the live view says of a worker.
pub(crate) const LIVE_COLUMNS: [&str; 7] =
    ["worker", "state", "share", "rate", "send delay p99", "throttled", "seen ago"];
/// What a row of the summary says of a worker.
pub(crate) const FINAL_COLUMNS: [&str; 7] =
    ["worker", "state", "share", "sent", "busy", "send delay p99", "seen ago"];
/// A worker not heard for this long is shown as silent; heartbeats come every second.
const SILENT_FROM_NS: u64 = 2_000_000_000;
/// Workers named in one sentence.
const MOST_NAMED: usize = 3;

/// The fleet as figures: times in seconds.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct FleetFigures {
    /// One entry for each process that ever joined, in the order in which they did.
    pub(crate) workers: Vec<WorkerFigures>,
    /// Two workers' starts lie at most this far apart.
    pub(crate) start_skew_bound: Option<f64>,
    /// The number of the worker that brought the plan; `null`: the coordinator has its own, or there is none yet.
    pub(crate) plan_from: Option<u32>,
    /// What load waits for before it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<WaitingFigures>,
    /// Why load was stopped before its time.
    pub(crate) stopped: Option<String>,
    /// Workers whose last word never came: what they did after their last report is not known.
    pub(crate) missing: Vec<u32>,
    /// Workers whose final totals are not the sum of their windows.
    pub(crate) unequal: Vec<u32>,
}

/// What a run that has not begun waits for.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct WaitingFigures {
    /// A plan, workers that join, or that those that have joined are ready.
    #[serde(rename = "for")]
    #[schemars(extend("enum" = AwaitedStep::NAMES))]
    pub(crate) what: &'static str,
    /// Workers that are there, or ready.
    pub(crate) there: u32,
    /// Of so many.
    pub(crate) wanted: u32,
    /// Workers that were lost and whose places nobody has taken; or that are not ready.
    pub(crate) missing: Vec<u32>,
    /// For how much longer.
    seconds_left: f64,
    /// The same in a sentence.
    pub(crate) text: String,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct WorkerFigures {
    /// Its number.
    pub(crate) worker: u32,
    /// Its place.
    pub(crate) slot: u32,
    /// Where it runs.
    pub(crate) host: String,
    /// Where it stands.
    #[schemars(extend("enum" = MemberState::NAMES))]
    pub(crate) state: &'static str,
    /// Its part by the newest sharing-out: slot of a number of slots.
    pub(crate) share: Option<[u32; 2]>,
    /// Requests that fell due for it.
    pub(crate) due: u64,
    /// Requests it sent.
    pub(crate) sent: u64,
    /// Its exchanges that ended well.
    pub(crate) completed: u64,
    /// Its exchanges that ended otherwise.
    pub(crate) failed: u64,
    /// Requests it did not send: no connection was free, or it had no lease.
    pub(crate) dropped: u64,
    /// Busy share of its busiest thread.
    pub(crate) busy: f64,
    /// 99th percentile of its send delay; `None` where the sample does not support it.
    send_delay_p99: Option<f64>,
    /// CPU throttling of its control group in the measured time.
    pub(crate) cpu_throttled_seconds: f64,
    /// Time for which it had no lease though it should have sent.
    unleased_seconds: f64,
    /// Since it was last heard.
    pub(crate) last_seen_ago: f64,
    /// Whether it was not heard for two seconds or more, though it has more to say and does not count as lost.
    pub(crate) silent: bool,
    /// When it was last heard before it was lost or replaced, since the schedule began.
    pub(crate) gone_from: Option<f64>,
}

impl Fleet {
    pub(crate) fn figures(&self) -> FleetFigures {
        FleetFigures {
            workers: self.rows.iter().map(|row| self.worker(row)).collect(),
            start_skew_bound: self.start_skew_bound_ns.map(seconds),
            plan_from: self.plan_from,
            waiting: self.waiting.as_ref().map(|waiting| WaitingFigures {
                what: waiting.what.name(),
                there: waiting.there,
                wanted: waiting.wanted,
                missing: waiting.missing.iter().map(|id| id.0).collect(),
                seconds_left: seconds(waiting.until_ns.saturating_sub(self.now_ns)),
                text: self.waits_for().unwrap_or_default(),
            }),
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
            host: one_line(&row.host),
            state: row.mark.name(),
            share: row.shard.map(|part| [part.slot, part.of]),
            due: row.totals.due,
            sent: row.totals.sent,
            completed: row.totals.completed,
            failed: row.totals.failed,
            dropped: row.totals.dropped,
            busy: row.health.busy,
            send_delay_p99: row.health.send_delay_p99_ns.map(seconds),
            cpu_throttled_seconds: seconds(row.health.throttled_ns),
            unleased_seconds: seconds(row.health.unleased_ns),
            last_seen_ago: seconds(self.unheard_ns(row)),
            silent: self.is_silent(row),
            gone_from: row.gone.and_then(|gone| since_start(gone.heard_ns)),
        }
    }

    fn unheard_ns(&self, row: &Row) -> u64 {
        self.now_ns.saturating_sub(row.heard_ns)
    }

    fn is_silent(&self, row: &Row) -> bool {
        let has_more_to_say = match row.mark {
            MemberState::Present(state) => !matches!(state, WorkerState::Done | WorkerState::Failed),
            MemberState::Lost | MemberState::Replaced | MemberState::Left => false,
        };
        has_more_to_say && self.unheard_ns(row) >= SILENT_FROM_NS
    }

    /// A worker's state as reported, or `silent`.
    fn stands(&self, row: &Row) -> &'static str {
        if self.is_silent(row) { "silent" } else { row.mark.name() }
    }

    /// The workers' reports on themselves, as evidence for the verdict on the instrument.
    pub(crate) fn evidence(&self) -> Vec<WorkerEvidence> {
        let with_shard = self.rows.iter().filter(|row| row.had_shard);
        let incomplete = |id: &u32| self.missing.contains(id) || self.unequal.contains(id);
        with_shard
            .map(|row| WorkerEvidence {
                worker: row.worker.0,
                host: one_line(&row.host),
                send_delay_p99_ns: row.health.send_delay_p99_ns,
                busy: row.health.busy,
                is_incomplete: incomplete(&row.worker.0),
                is_cut_off: row.gone.is_some() || row.health.unleased_ns > 0,
            })
            .collect()
    }

    /// Whether a worker is gone or was without a lease for a while.
    pub(crate) fn was_cut_off(&self) -> bool {
        self.rows.iter().any(|row| row.gone.is_some() || row.health.unleased_ns > 0)
    }

    /// Workers present and needed before the start; `None`: no more are needed.
    pub(crate) fn awaited(&self) -> Option<(u32, u32)> {
        let waiting = self.waiting.as_ref().filter(|waiting| waiting.what != AwaitedStep::Ready)?;
        (waiting.there < waiting.wanted).then_some((waiting.there, waiting.wanted))
    }

    /// The number of workers in every state.
    pub(crate) fn by_state(&self) -> impl Iterator<Item = (&'static str, usize)> {
        MemberState::NAMES
            .iter()
            .map(|name| (*name, self.rows.iter().filter(|r| r.mark.name() == *name).count()))
    }

    /// What the result lacks compared with the plan, a clause each.
    pub(crate) fn shortcomings(&self) -> Vec<String> {
        let mut remarks: Vec<String> =
            self.stopped.iter().map(|why| format!("stopped early: {why}")).collect();
        for row in self.rows.iter().filter(|row| row.had_shard) {
            let (worker, host) = (row.worker.0, one_line(&row.host));
            if let (Some(gone), Some(start)) = (row.gone, self.start_at_ns) {
                let at = seconds(gone.heard_ns.saturating_sub(start));
                let how = match row.mark {
                    MemberState::Left => "left before the end",
                    _ if gone.replaced => "was replaced",
                    _ => "was lost",
                };
                remarks.push(format!("worker {worker} ({host}) {how}: last heard {at:.1} s after the start"));
            }
            if row.health.unleased_ns > 0 {
                let for_s = seconds(row.health.unleased_ns);
                remarks
                    .push(format!("worker {worker} ({host}) sent nothing for {for_s:.1} s: it had no lease"));
            }
            if row.health.throttled_ns > 0 {
                let for_s = seconds(row.health.throttled_ns);
                remarks.push(format!("worker {worker} ({host}) was throttled for {for_s:.2} s"));
            }
        }
        for worker in &self.missing {
            remarks.push(format!("worker {worker}'s final report never came"));
        }
        for worker in &self.unequal {
            remarks.push(format!("worker {worker}'s final totals are not the sum of its windows"));
        }
        remarks
    }

    fn named(&self, worker: u32) -> String {
        let host = self.rows.get(worker as usize).map_or(String::new(), |row| one_line(&row.host));
        format!("worker {worker} ({host})")
    }

    /// The worker that brought the plan, in a clause.
    pub(crate) fn origin(&self) -> String {
        let who =
            self.plan_from.map_or("a worker that has not joined".to_owned(), |worker| self.named(worker));
        format!("the plan is from {who}")
    }

    /// What the start waits for, which workers are missing, and the time left, in a sentence.
    pub(crate) fn waits_for(&self) -> Option<String> {
        let waiting = self.waiting.as_ref()?;
        let Waiting { there, wanted, .. } = *waiting;
        let named = |id: &WorkerId| self.named(id.0);
        let mut names: Vec<String> = waiting.missing.iter().take(MOST_NAMED).map(named).collect();
        if let more @ 1.. = waiting.missing.len().saturating_sub(MOST_NAMED) {
            names.push(format!("{} more", count(more as u64)));
        }
        let names = names.join(", ");
        let what = match waiting.what {
            AwaitedStep::Plan => "waiting for a plan: give the coordinator or a worker --plan".to_owned(),
            AwaitedStep::Workers if names.is_empty() => {
                format!("waiting for workers, {there} of {wanted} are there")
            }
            AwaitedStep::Workers => {
                format!(
                    "waiting for others in place of {names}, lost before the start, {there} of {wanted} are there"
                )
            }
            AwaitedStep::Operator => {
                format!(
                    "waiting for an operator to start the run, {there} of {wanted} are there; {}",
                    self.origin()
                )
            }
            AwaitedStep::Ready => format!("waiting for {names} to get ready, {there} of {wanted} are"),
        };
        Some(format!("{what}, {} left", whole_seconds(waiting.until_ns.saturating_sub(self.now_ns))))
    }

    /// The cells of [`LIVE_COLUMNS`] for at most `most` workers. If there are more, gone or silent ones come
    /// first, then those with the largest send delay.
    pub(crate) fn live_rows(&self, most: usize) -> Vec<Vec<String>> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        if rows.len() > most {
            let is_well = |row: &Row| row.gone.is_none() && !self.is_silent(row);
            rows.sort_by_key(|row| (is_well(row), Reverse(row.health.send_delay_p99_ns)));
            rows.truncate(most);
        }
        rows.iter().map(|row| self.live_row(row).into()).collect()
    }

    fn live_row(&self, row: &Row) -> [String; 7] {
        let sends = row.mark == MemberState::Present(WorkerState::Running) && !self.is_silent(row);
        let sent = self.rates.get(row.worker.0 as usize).filter(|_| sends);
        [
            row.worker.0.to_string(),
            self.stands(row).to_owned(),
            share(row),
            sent.map_or("–".to_owned(), |sent| rate(*sent)),
            send_delay(row),
            time(row.health.throttled_ns),
            time(self.unheard_ns(row)),
        ]
    }

    /// The cells of [`FINAL_COLUMNS`] for each worker.
    pub(crate) fn final_rows(&self) -> Vec<Vec<String>> {
        let row = |row: &Row| {
            vec![
                row.worker.0.to_string(),
                self.stands(row).to_owned(),
                share(row),
                short_count(row.totals.sent),
                percent(row.health.busy),
                send_delay(row),
                time(self.unheard_ns(row)),
            ]
        };
        self.rows.iter().map(row).collect()
    }

    /// What the result lacks, and how exactly the workers started: a clause each.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let bound = self.start_skew_bound_ns;
        let together = bound.map(|ns| format!("two workers' starts lie at most {} apart", time(ns)));
        self.shortcomings().into_iter().chain(together).collect()
    }
}

fn share(row: &Row) -> String {
    row.shard.map_or("–".to_owned(), |part| format!("{} of {}", part.slot + 1, part.of))
}

fn send_delay(row: &Row) -> String {
    row.health.send_delay_p99_ns.map_or("–".to_owned(), time)
}

#[cfg(test)]
impl Fleet {
    /// This many workers that all run well.
    pub(crate) fn example(workers: u32) -> Self {
        tests::fleet(
            (0..workers).map(|i| tests::row(i, MemberState::Present(WorkerState::Running))).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::coordinator::Departure;
    use crate::fleet::messages::{Health, Totals};
    use crate::plan::Shard;

    pub(crate) fn row(worker: u32, mark: MemberState) -> Row {
        let gone = (mark == MemberState::Lost).then_some(Departure {
            at_ns: 7_000_000_000,
            heard_ns: 1_000_000_000,
            replaced: false,
        });
        Row {
            worker: WorkerId(worker),
            slot: worker,
            host: "host".to_owned(),
            threads: 1,
            mark,
            shard: Some(Shard { slot: worker, of: 3 }),
            health: Health {
                send_delay_p99_ns: Some(12_000),
                throttled_ns: 250_000_000,
                ..Health::default()
            },
            heard_ns: 9_500_000_000,
            acked_seq: 9,
            totals: Totals::default(),
            gone,
            start_error_ns: None,
            had_shard: true,
        }
    }

    pub(crate) fn fleet(rows: Vec<Row>) -> Fleet {
        let rates = vec![1_000.0; rows.len()];
        Fleet {
            rows,
            rates,
            now_ns: 10_000_000_000,
            start_at_ns: Some(0),
            start_skew_bound_ns: None,
            plan_from: None,
            waiting: None,
            stopped: None,
            missing: Vec::new(),
            unequal: Vec::new(),
            asked: None,
        }
    }

    #[test]
    fn a_live_row_says_state_share_rate_delay_throttling_and_when_it_was_seen() {
        let running = MemberState::Present(WorkerState::Running);
        let rows = fleet(vec![row(0, running), row(1, MemberState::Lost)]).live_rows(16);
        let of = |rate: &str| format!("{rate}|{}|{}|500 ms", time(12_000), time(250_000_000));
        assert_eq!(rows[0].join("|"), format!("0|running|1 of 3|{}", of(&rate(1_000.0))));
        assert_eq!(
            rows[1].join("|"),
            format!("1|lost|2 of 3|{}", of("–")),
            "nothing is known of what it sends"
        );
        assert!(rows.iter().all(|row| row.len() == LIVE_COLUMNS.len()));
        assert!(fleet(Vec::new()).live_rows(16).is_empty());
    }

    #[test]
    fn a_worker_that_is_not_heard_is_silent_before_it_is_lost() {
        let mut unheard = row(1, MemberState::Present(WorkerState::Running));
        unheard.heard_ns = 8_000_000_000;
        let mut over = row(2, MemberState::Present(WorkerState::Done));
        over.heard_ns = 1_000_000_000;
        let fleet = fleet(vec![row(0, MemberState::Present(WorkerState::Running)), unheard, over]);
        assert_eq!(
            fleet.figures().workers.iter().map(|w| w.silent).collect::<Vec<_>>(),
            [false, true, false]
        );
        let rows = fleet.live_rows(16);
        assert_eq!([0, 1, 2].map(|i| rows[i][1].as_str()), ["running", "silent", "done"]);
        assert_eq!((rows[1][3].as_str(), rows[1][6].as_str()), ("–", "2.00 s"), "what it sends is not known");
    }

    #[test]
    fn the_summary_writes_figures_as_all_the_rest_does() {
        let mut row = row(0, MemberState::Present(WorkerState::Done));
        (row.totals.sent, row.health.busy, row.health.send_delay_p99_ns) = (1_191, 0.0029, None);
        let rows = fleet(vec![row]).final_rows();
        assert_eq!(rows[0].join("|"), "0|done|1 of 3|1,191|0.29 %|–|500 ms");
        assert_eq!(rows[0].len(), FINAL_COLUMNS.len());
    }

    #[test]
    fn what_is_waited_for_names_who_is_missing_and_for_how_long() {
        let mut fleet = fleet((0..6).map(|i| row(i, MemberState::Lost)).collect());
        let mut awaited = |what, missing: &[u32]| {
            let missing = missing.iter().copied().map(WorkerId).collect();
            let until_ns = fleet.now_ns + 112_000_000_000;
            fleet.waiting = Some(Waiting { what, there: 2, wanted: 6, missing, until_ns });
            fleet.waits_for().unwrap()
        };
        let left = format!("2 of 6 are there, {} left", whole_seconds(112_000_000_000));
        assert_eq!(awaited(AwaitedStep::Workers, &[]), format!("waiting for workers, {left}"));
        let lost = awaited(AwaitedStep::Workers, &[1]);
        assert_eq!(
            lost,
            format!("waiting for others in place of worker 1 (host), lost before the start, {left}")
        );
        let unready = awaited(AwaitedStep::Ready, &[0, 1, 2, 3, 5]);
        assert!(unready.contains("worker 2 (host)") && unready.contains("2 of 6"), "{unready}");
        assert!(awaited(AwaitedStep::Plan, &[]).contains("--plan"));
        assert_eq!(fleet.figures().waiting.unwrap().seconds_left, 112.0);
    }

    #[test]
    fn of_many_workers_those_in_trouble_are_shown() {
        let mut rows: Vec<Row> =
            (0..500).map(|i| row(i, MemberState::Present(WorkerState::Running))).collect();
        rows[77].health.send_delay_p99_ns = Some(9_000_000);
        rows[300] = row(300, MemberState::Lost);
        let rows = fleet(rows).live_rows(16);
        assert_eq!((rows.len(), rows[0][0].as_str(), rows[1][0].as_str()), (16, "300", "77"));
    }
}
