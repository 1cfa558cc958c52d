//! Checkpoints: everything that the journal's records have come to, as the first records of the next journal.
//!
//! Taking one is short and done under the service's lock. Writing it is not, and goes on without that lock.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::CoordinatorService;
use super::entry::{Entry, Part};
use crate::collector::{Merger, MergerState};
use crate::fleet::coordinator::Record;
use crate::journal::Draft;
use crate::roles::Failure;
use crate::run::{Intervals, Snapshot, Tails, TimelinePoint};
use crate::tally::{Merged, RowTime, RowTimer, StepId, ThreadHealth};

/// The most bytes of a part in one record: far below what a record may hold.
const PIECE_BYTES: usize = 1 << 20;

/// The state after all records so far.
pub(super) struct Checkpoint {
    state: Record,
    service: ServiceState,
    open: BTreeMap<u64, Merged>,
    snapshot: Arc<Snapshot>,
}

/// What the service and its merger know besides counts. The rest follows from plan and state machine.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ServiceState {
    sources: Vec<Option<(usize, Range<usize>)>>,
    threads: usize,
    /// As bits: what is read back from decimals may differ in the last one.
    rates: Vec<u64>,
    /// `None`: there is no plan yet.
    merger: Option<MergerState>,
}

/// The snapshot's figures besides counts. What a tick or the next window draws anew is left out.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    measured_ns: u64,
    ahead_ns: u64,
    unfinished: u64,
    threads: Vec<ThreadHealth>,
    timeline: Vec<TimelinePoint>,
    /// Absent in the journal of an earlier build.
    #[serde(default)]
    tails: Tails,
    /// Whether a histogram log was kept.
    has_log: bool,
    /// The bounds of the log's last interval, as bits, if it is not encoded yet.
    log_rest: Option<[u64; 2]>,
}

impl CoordinatorService {
    /// The present state; `None`: the journal needs no checkpoint any more.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        let state = self.coordinator.checkpoint()?;
        if self.plan.is_some() != self.merger.is_some() {
            // The result is already shown.
            return None;
        }
        let (merger, open) = self.merger.as_ref().map(Merger::checkpoint).unzip();
        let service = ServiceState {
            sources: self.sources.clone(),
            threads: self.threads,
            rates: self.rates.iter().map(|rate| rate.to_bits()).collect(),
            merger,
        };
        Some(Checkpoint { state, service, open: open.unwrap_or_default(), snapshot: self.shared.current() })
    }

    /// Take over a part of a checkpoint; the state machine has its own already.
    ///
    /// # Errors
    /// The part is damaged, or does not fit the command-line options.
    pub(super) fn restore(&mut self, part: Part, bytes: Vec<u8>) -> Result<(), Failure> {
        let steps = self.scenarios();
        let tally = || Merged::read_own(&bytes, steps).map_err(damaged);
        let no_plan = || damaged("it has counts of no plan");
        match part {
            Part::State => self.restore_state()?,
            Part::Service => self.restore_service(read_json(&bytes)?)?,
            Part::Figures => self.restore_figures(read_json(&bytes)?)?,
            Part::Total => self.merger.as_mut().ok_or_else(no_plan)?.restore_total(tally()?),
            Part::Window(index) => {
                self.merger.as_mut().ok_or_else(no_plan)?.restore_window(index, tally()?);
            }
            Part::LogLines => {
                let lines = String::from_utf8(bytes).map_err(damaged)?;
                self.shared.update(|s| {
                    if let Some(log) = &mut s.intervals {
                        log.restore_lines(&lines);
                    }
                });
            }
            Part::LogRest => {
                let scenarios: Vec<_> =
                    tally()?.rows().iter().map(|row| row.times(RowTime::Response)).collect();
                self.shared.update(|s| {
                    if let Some(log) = &mut s.intervals {
                        log.restore_rest(scenarios);
                    }
                });
            }
            Part::End => {}
        }
        Ok(())
    }

    fn restore_state(&mut self) -> Result<(), Failure> {
        if let Some((bundle, _)) = self.coordinator.plan() {
            self.show_bundle(&bundle.clone())?;
        }
        if let Some(start_at_ns) = self.coordinator.recorded_start_ns() {
            self.shared.update(|s| s.started_at = start_at_ns as f64 / 1e9);
        }
        self.stopped = self.coordinator.recorded_stop().cloned();
        Ok(())
    }

    fn restore_service(&mut self, state: ServiceState) -> Result<(), Failure> {
        (self.sources, self.threads) = (state.sources, state.threads);
        self.rates = state.rates.into_iter().map(f64::from_bits).collect();
        match (&mut self.merger, state.merger) {
            (Some(merger), Some(state)) => merger.restore(state),
            (None, None) => {}
            _ => return Err(damaged("its parts do not fit each other")),
        }
        Ok(())
    }

    fn restore_figures(&mut self, figures: Figures) -> Result<(), Failure> {
        let wants_log = self.shared.read(|s| s.intervals.is_some());
        if wants_log && !figures.has_log && !figures.timeline.is_empty() {
            return Err(Failure::usage(
                "--report with a histogram log: this run was begun without one, and what was merged since then \
                 cannot be told apart by time any more: leave that report out",
            ));
        }
        self.shared.update(|s| {
            (s.measured_ns, s.ahead_ns, s.unfinished) =
                (figures.measured_ns, figures.ahead_ns, figures.unfinished);
            (s.threads, s.timeline, s.tails) = (figures.threads, figures.timeline, figures.tails);
            if let (Some(log), Some(bounds)) = (&mut s.intervals, figures.log_rest) {
                log.restore_bounds(bounds.map(f64::from_bits));
            }
        });
        Ok(())
    }
}

impl Checkpoint {
    /// Append all parts to `draft`.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn write(&self, draft: &mut Draft) -> io::Result<()> {
        let snapshot = &self.snapshot;
        write_part(draft, Part::State, &serde_json::to_vec(&self.state)?)?;
        write_part(draft, Part::Service, &serde_json::to_vec(&self.service)?)?;
        if self.service.merger.is_some() {
            let log = snapshot.intervals.as_ref();
            let rest = log.and_then(Intervals::rest);
            let figures = Figures {
                measured_ns: snapshot.measured_ns,
                ahead_ns: snapshot.ahead_ns,
                unfinished: snapshot.unfinished,
                threads: snapshot.threads.clone(),
                timeline: snapshot.timeline.clone(),
                tails: snapshot.tails.clone(),
                has_log: log.is_some(),
                log_rest: rest.map(|rest| [rest.from_s, rest.to_s].map(f64::to_bits)),
            };
            write_part(draft, Part::Figures, &serde_json::to_vec(&figures)?)?;
            write_tally(draft, Part::Total, &snapshot.tally)?;
            self.open
                .iter()
                .try_for_each(|(index, tally)| write_tally(draft, Part::Window(*index), tally))?;
            for lines in log.into_iter().flat_map(Intervals::chunks) {
                write_part(draft, Part::LogLines, lines.as_bytes())?;
            }
            if let Some(rest) = rest {
                // A tally of these times alone, for its encoding.
                let mut tally = Merged::new(rest.scenarios.len());
                for (i, times) in rest.scenarios.iter().enumerate() {
                    tally.row_mut(StepId::new(i)).add_times(RowTimer::ResponseOk, times);
                }
                write_tally(draft, Part::LogRest, &tally)?;
            }
        }
        // In a group of its own: damage before it is then never taken for the end of a torn journal.
        draft.end_group()?;
        write_part(draft, Part::End, &[])
    }
}

fn write_tally(draft: &mut Draft, part: Part, tally: &Merged) -> io::Result<()> {
    let mut bytes = Vec::new();
    tally.write(&mut bytes);
    write_part(draft, part, &bytes)
}

fn write_part(draft: &mut Draft, part: Part, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    loop {
        let (piece, left) = rest.split_at(rest.len().min(PIECE_BYTES));
        let entry = Entry::Piece { part, more: !left.is_empty() };
        draft.append(&[&entry.head(), piece])?;
        if left.is_empty() {
            return Ok(());
        }
        rest = left;
    }
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))
}

fn damaged(why: impl std::fmt::Display) -> Failure {
    Failure::incomplete(format!(
        "--state-dir: the journal's checkpoint is damaged: {why}: name another directory"
    ))
}

#[cfg(test)]
mod tests {
    mod hour;

    use std::path::Path;

    use super::super::handle::ServiceHandle;
    use super::super::tests::RunDir;
    use super::*;
    use crate::fleet::coordinator::StopReason;
    use crate::fleet::messages::{Final, Heartbeat, Join, Key, Totals, WorkerId, WorkerState};
    use crate::fleet::report::{LastSpan, Report, Span};
    use crate::plan::Shard;
    use crate::tally::{Outcome, RowCounter};
    use crate::web::{Call, Calls as _};

    const S: u64 = 1_000_000_000;
    const THREADS: u32 = 2;
    /// Two scenarios and a warm-up; who joins late or replaces another takes part.
    const PLAN: &str = "base_url: http://127.0.0.1:1\nload: {rate: 100/s, duration: 300s, warmup: 1s}\n\
                        scenarios: [{name: a, path: /}, {name: b, path: /b}]\nfleet: {on_worker_loss: redistribute}\n";

    /// What happens to a coordinator.
    #[derive(Clone, Copy)]
    enum Step {
        /// The process with this key asks for this slot.
        Join(u128, u32),
        /// The worker says that it is ready for this shard of so many.
        Ready(u32, u32, u32),
        /// The worker's window with this number.
        Window(u32, u64),
        /// The worker's last window and its final report.
        Last(u32, u64),
        /// Seconds pass.
        Wait(u64),
        /// An operator stops the run.
        Stop,
    }

    fn window(worker: u32, seq: u64, is_last: bool) -> Report {
        let mut rng = fastrand::Rng::with_seed(u64::from(worker) << 32 | seq);
        let mut tally = Merged::new(2);
        for _ in 0..rng.u64(1..40) {
            let step = StepId::new(rng.usize(..2));
            let (outcome, timer) = match rng.u8(..8) {
                0 => (Outcome::Timeout, RowTimer::ResponseFailed),
                _ => (Outcome::Ok, RowTimer::ResponseOk),
            };
            for counter in [RowCounter::Due, RowCounter::Sent] {
                tally.add_row(step, counter, 1);
            }
            tally.add_row(step, outcome, 1);
            tally.record_row(step, timer, rng.u64(1_000..50_000_000));
            tally.count_status(step, 200);
        }
        tally.add_row(StepId::new(0), RowCounter::Due, 1);
        let threads = vec![ThreadHealth { busy_ns: seq, observed_ns: 9 * seq, ..ThreadHealth::default() }; 2];
        // Workers are not in step: what one has closed is still open for another.
        let from_ns = seq * S + u64::from(worker) * 10_000_000;
        let last = is_last.then_some(LastSpan { load_ended_ns: from_ns + S, unfinished: seq });
        Report { key: key(worker), span: Span { from_ns, to_ns: from_ns + S, last, threads }, tally }
    }

    /// The key of the process that got this number.
    fn key(worker: u32) -> Key {
        Key(u128::from(worker) + 1)
    }

    fn json(message: &impl Serialize) -> Vec<u8> {
        serde_json::to_vec(message).unwrap()
    }

    fn call(handle: &ServiceHandle, call: Call<'_>) {
        if let Err(refusal) = handle.carry_out(call) {
            panic!("{}", refusal.message());
        }
    }

    impl Step {
        fn act(self, handle: &ServiceHandle) {
            match self {
                Self::Join(key, slot) => {
                    let version = env!("CARGO_PKG_VERSION").into();
                    let (key, slot) = (Key(key), Some(slot));
                    let join = Join {
                        key,
                        slot,
                        version,
                        host: "h".into(),
                        threads: THREADS,
                        run: None,
                        plan: None,
                    };
                    call(handle, Call::Join(&json(&join)));
                }
                Self::Ready(worker, slot, of) => {
                    let run = handle.with(|service| service.coordinator.run());
                    let beat = Heartbeat {
                        key: key(worker),
                        run,
                        epoch: 0,
                        state: WorkerState::Ready,
                        why: None,
                        prepared: Some(Shard { slot, of }),
                        t0_ns: 0,
                        at_ns: None,
                        start_error_ns: None,
                        health: Default::default(),
                    };
                    call(handle, Call::Heartbeat(worker, &json(&beat)));
                }
                Self::Window(worker, seq) => {
                    call(handle, Call::Report(worker, seq, &window(worker, seq, false).write()));
                }
                Self::Last(worker, seq) => {
                    call(handle, Call::Report(worker, seq, &window(worker, seq, true).write()));
                    let totals = handle.with(|service| service.coordinator.applied(WorkerId(worker)));
                    let totals = Totals { unfinished: seq, ..totals.unwrap().1 };
                    let (key, health) = (key(worker), Default::default());
                    let last = Final { key, last_seq: seq, totals, health, why: None };
                    call(handle, Call::Final(worker, &json(&last)));
                }
                Self::Wait(seconds) => handle.with(|service| service.epoch_ns += seconds * S),
                Self::Stop => handle.with(|service| service.stop(StopReason::Operator)),
            }
        }
    }

    /// Workers join and start; one falls behind, one is replaced, the schedule is dealt anew, and all end.
    fn script() -> Vec<Step> {
        use Step::*;
        let mut steps = vec![Join(1, 0), Join(2, 1), Ready(0, 0, 2), Ready(1, 1, 2)];
        steps.extend((1..=6).flat_map(|seq| [Window(0, seq), Window(1, seq)]));
        steps.extend([Window(0, 7), Window(0, 8), Window(0, 9), Join(3, 1)]);
        for seq in 1..=4 {
            steps.extend([Wait(2), Ready(0, 0, 2), Ready(2, 1, 2), Window(0, 9 + seq), Window(2, seq)]);
        }
        // What the replaced one has counted still counts.
        steps.extend([Window(1, 7), Window(2, 5), Stop, Window(0, 14), Last(0, 15), Window(2, 6)]);
        steps.push(Last(2, 7));
        steps
    }

    /// Everything that figures are drawn from.
    fn assert_same(a: &CoordinatorService, b: &CoordinatorService, when: &str) {
        let (a_now, b_now) = (a.shared.current(), b.shared.current());
        assert_eq!(a.rates, b.rates, "{when}");
        assert_eq!(a.stopped, b.stopped, "{when}");
        assert_eq!(a.sealed, b.sealed, "{when}");
        match (a.checkpoint(), b.checkpoint()) {
            (Some(a), Some(b)) => {
                assert_eq!(a.state, b.state, "{when}");
                assert_eq!(a.service, b.service, "{when}");
                assert_eq!(a.open, b.open, "{when}");
            }
            (None, None) => {}
            _ => panic!("{when}: only one is open"),
        }
        assert_eq!(a_now.tally, b_now.tally, "{when}");
        assert_eq!(a_now.timeline, b_now.timeline, "{when}");
        assert_eq!(a_now.intervals, b_now.intervals, "{when}");
        assert_eq!(a_now.threads, b_now.threads, "{when}");
        assert_eq!(a_now.first_failures, b_now.first_failures, "{when}");
        let figures = |s: &Snapshot| (s.measured_ns, s.ahead_ns, s.unfinished);
        assert_eq!(figures(&a_now), figures(&b_now), "{when}");
        if a.coordinator.recorded_start_ns().is_some() {
            assert_eq!(a_now.started_at, b_now.started_at, "{when}");
        }
    }

    fn copy_of(dir: &RunDir, name: &str) -> RunDir {
        let copy = RunDir::with(name, PLAN, OPTIONS.to_vec());
        let state = copy.0.join("state");
        let _ = std::fs::remove_dir_all(&state);
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
            .create(&state)
            .unwrap();
        std::fs::copy(dir.0.join("state/journal"), state.join("journal")).unwrap();
        copy
    }

    fn journal_bytes(dir: &Path) -> u64 {
        dir.join("state/journal").metadata().unwrap().len()
    }

    const OPTIONS: [&str; 4] = ["--workers", "2", "--report", "result.hlog"];

    /// Without checkpoints, with one at each step, and with other records after the newest one.
    #[test]
    fn a_recovered_run_is_what_it_was_at_every_step_wherever_checkpoints_fall() {
        for every in [usize::MAX, 1, 5] {
            let dir = RunDir::with(&format!("steps-{every}"), PLAN, OPTIONS.to_vec());
            let handle = ServiceHandle::new(dir.service(true));
            // Its clock is behind that of those that take over, and has almost caught up in the end.
            handle.with(|service| {
                service.epoch_ns -= 20 * S;
                service.coordinator.resume(service.epoch_ns);
            });
            let steps = script();
            let settled_from = steps.iter().rposition(|step| matches!(step, Step::Wait(_))).unwrap();
            let mut recovered = Vec::new();
            for (i, step) in steps.iter().enumerate() {
                step.act(&handle);
                ServiceHandle::settle(&handle).unwrap();
                if i % every == 0 && every < usize::MAX {
                    handle.checkpoint();
                }
                let copy = copy_of(&dir, &format!("copy-{every}"));
                let again = copy.service(true);
                handle.with(|service| assert_same(service, &again, &format!("step {i}, every {every}")));
                if i > settled_from {
                    recovered.push((i, again));
                }
            }
            // Those that took over late enough go on with the very same calls.
            for (i, again) in recovered {
                let again = ServiceHandle::new(again);
                steps[i + 1..].iter().for_each(|step| step.act(&again));
                handle.with(|service| {
                    again.with(|again| assert_same(service, again, &format!("the end, taken over at {i}")));
                });
            }
            handle.with(|service| {
                assert!(service.shared.read(|s| s.timeline.len() > 5));
                assert!(service.sealed.as_ref().is_some_and(|closing| closing.started));
                assert_eq!(service.sources.iter().flatten().count(), 3, "the schedule was dealt anew");
            });
        }
    }

    /// A run of these options up to a checkpoint, with two windows of each worker.
    fn checkpointed(name: &str, options: &[&'static str]) -> RunDir {
        let dir = RunDir::with(name, PLAN, options.to_vec());
        let handle = ServiceHandle::new(dir.service(true));
        script()[..8].iter().for_each(|step| step.act(&handle));
        handle.checkpoint();
        dir
    }

    /// Where the last group begins is what was written before it.
    #[test]
    fn a_checkpoint_without_its_end_is_refused() {
        let dir = checkpointed("endless", &OPTIONS);
        let journal = dir.0.join("state/journal");
        let bytes = std::fs::read(&journal).unwrap();
        std::fs::write(&journal, &bytes[..bytes.len() - 1]).unwrap();
        let failure = dir.try_service(true).err().unwrap();
        assert!(failure.message.contains("its checkpoint has no end"), "{}", failure.message);
        for at in (20..bytes.len() - 60).step_by(97) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            std::fs::write(&journal, &damaged).unwrap();
            let failure = dir.try_service(true).err().unwrap();
            assert!(failure.message.contains("is damaged at byte"), "{at}: {}", failure.message);
        }
        std::fs::write(&journal, &bytes).unwrap();
        assert!(dir.try_service(true).is_ok());
    }

    /// Chunk by chunk; and the next checkpoint is due as if there had been no restart.
    #[test]
    fn a_long_histogram_log_is_recovered_whole() {
        let dir = RunDir::with("long-log", PLAN, OPTIONS.to_vec());
        let handle = ServiceHandle::new(dir.service(true));
        script()[..8].iter().for_each(|step| step.act(&handle));
        let mut tally = Merged::new(2);
        for ns in 0..3_000 {
            tally.record_row(StepId::new(0), RowTimer::ResponseOk, 1_000 * ns * ns);
        }
        let shared = handle.with(|service| service.shared.clone());
        shared.update(|s| {
            let log = s.intervals.as_mut().unwrap();
            (0..400).for_each(|second| log.add(f64::from(second), f64::from(second) + 1.0, tally.rows()));
            assert!(log.chunks().count() > 2);
        });
        handle.checkpoint();
        let bytes = journal_bytes(&dir.0);
        let again = copy_of(&dir, "long-log-copy").service(true);
        handle.with(|service| assert_same(service, &again, "recovered"));
        let due = again.journal.as_ref().unwrap().writer().due();
        // As many bytes as its groups have heads are missing.
        assert!((bytes - 1_000..=bytes).contains(&(due - (64 << 20))), "{due} after {bytes}");
    }

    #[test]
    fn a_histogram_log_cannot_be_asked_for_once_its_windows_are_merged() {
        let without = checkpointed("no-log", &OPTIONS[..2]);
        assert!(without.try_service(true).is_ok());
        let with = copy_of(&without, "log-later");
        let failure = with.try_service(true).err().unwrap();
        assert_eq!(failure.exit, crate::roles::Exit::Usage);
        assert!(failure.message.contains("histogram log"), "{}", failure.message);
    }
}
