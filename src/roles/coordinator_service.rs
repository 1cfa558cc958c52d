//! The coordinator's service: the state machine, its journal and the snapshot. It carries out the machine's
//! effects, one call at a time.

mod calls;
mod checkpoint;
mod entry;
pub(crate) mod handle;
mod recovery;

use std::sync::Arc;

use entry::Entry;

use super::live::Notes;
use super::run_info::{run_info, seed_of};
use super::timing::wall_clock;
use super::{Failure, baseline_file, log};
use crate::cli::Options;
use crate::collector::{Merger, SourceWindow};
use crate::fleet::coordinator::terms::{Config, RunTerms};
use crate::fleet::coordinator::{Answer, Coordinator, Effect, Event, Note, Record, RunEnd, StopReason};
use crate::fleet::messages::{Health, Key, PlanBundle, WorkerId};
use crate::fleet::report::Report;
use crate::fleet::{Refusal, worker::Window as _};
use crate::journal::Journal;
use crate::load::Last;
use crate::plan::{Model, Plan};
use crate::report::Format;
use crate::run::Intervals;
use crate::run::SharedSnapshot;
use crate::run::{Ending, Fleet, Snapshot, State};
use crate::sys::Clock;
use crate::tally::ThreadHealth;
use crate::verdict::preflight;
use crate::verdict::rows::check_rows;

/// Memory for windows that some worker has not reported yet.
const OPEN_WINDOWS_BYTES: usize = 64 << 20;
/// The most open windows: several times the silence after which a worker is lost, in seconds.
const MOST_OPEN_WINDOWS: usize = 60;

/// State shared by the main thread and the calls.
pub(crate) struct CoordinatorService {
    options: Options,
    coordinator: Coordinator,
    journal: Option<Journal>,
    shared: Arc<SharedSnapshot>,
    plan: Option<Plan>,
    merger: Option<Merger>,
    /// Per worker, its index among the merger's sources, and its range of thread rows.
    sources: Vec<Option<(usize, std::ops::Range<usize>)>>,
    threads: usize,
    clock: Clock,
    epoch_ns: u64,
    sealed: Option<RunEnd>,
    /// Another process continues the run.
    left: bool,
    stopped: Option<StopReason>,
    /// Per worker, the requests per second sent in its newest window.
    rates: Vec<f64>,
    notes: Notes,
}

impl CoordinatorService {
    /// A new run, or the one in the journal.
    ///
    /// # Errors
    /// The journal cannot be used, or is of another plan.
    pub(crate) fn open(
        options: &Options,
        shared: Arc<SharedSnapshot>,
        own: Option<(Plan, PlanBundle)>,
        has_operator: bool,
        notes: Notes,
    ) -> Result<Self, Failure> {
        let (clock, epoch_ns) = (Clock::start(), (wall_clock() * 1e9) as u64);
        let mut config = Config::new(options.workers.unwrap_or(1), env!("CARGO_PKG_VERSION"));
        config.has_operator = has_operator;
        if let Some(most_ns) = options.join_timeout_ns {
            (config.gather_ns, config.replace_ns) = (most_ns, config.replace_ns.min(most_ns));
        }
        let mut run = fastrand::u128(..);
        if let Some(seed) = options.seed {
            run = (run & !((1 << 53) - 1)) | u128::from(seed & ((1 << 53) - 1));
        }
        let (coordinator, first) = Coordinator::new(config, Key(run), epoch_ns);
        let mut service = Self {
            options: options.clone(),
            coordinator,
            journal: None,
            shared,
            plan: None,
            merger: None,
            sources: Vec::new(),
            threads: 0,
            clock,
            epoch_ns,
            sealed: None,
            left: false,
            stopped: None,
            rates: Vec::new(),
            notes,
        };
        let is_new = match &options.state_dir {
            Some(directory) => service.recover(directory, own.as_ref().map(|(_, bundle)| bundle))?,
            None => true,
        };
        if is_new {
            service.persist(first, &[])?;
        }
        log::of_run(&service.coordinator.run(), None);
        if let Some((plan, bundle)) = own {
            service.take_plan(plan, bundle, None).map_err(|refusal| Failure::usage(refusal.message()))?;
        }
        if !is_new {
            service.report_recovery();
        }
        Ok(service)
    }

    /// Advance time; returns whether the result is sealed.
    pub(crate) fn tick(&mut self) -> bool {
        let now = self.now();
        if self.sealed.is_none() && self.coordinator.wait_until().is_some_and(|at| at <= now) {
            // No call to answer.
            let _ = self.feed(Event::Tick, None);
        }
        let elapsed_ns = self.coordinator.starts_at_ns().and_then(|start| now.checked_sub(start));
        if let (Some(merger), Some(elapsed_ns), None) = (&mut self.merger, elapsed_ns, &self.sealed) {
            merger.tick(elapsed_ns);
        }
        self.show_fleet();
        self.sealed.is_some()
    }

    /// Stop load: no new requests.
    pub(crate) fn stop(&mut self, reason: StopReason) {
        let _ = self.feed(Event::Stop(reason), None);
    }

    /// The operator starts the run.
    ///
    /// # Errors
    /// Why it cannot start now.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        self.feed(Event::Start, None).map(|_| ()).map_err(|refusal| refusal.message())
    }

    /// Leave the run to the next process with the same journal; returns whether that is possible. Calls that
    /// still arrive are journaled.
    pub(crate) fn leave(&mut self) -> bool {
        self.left = self.journal.is_some() && self.sealed.is_none() && !self.coordinator.is_broken();
        if self.left {
            self.say("left as it is: a coordinator with the same --state-dir takes the run up; workers wait 2 min for it");
        }
        self.left
    }

    pub(crate) fn is_left(&self) -> bool {
        self.left
    }

    /// Show the results up to the point where the run was left.
    pub(crate) fn show_left(&mut self) {
        self.show_fleet();
        if let Some(merger) = self.merger.take() {
            self.shared.update(|s| {
                (s.ending, s.error) = (Ending::Interrupted, Some("left to the next coordinator".to_owned()));
            });
            merger.finish();
        }
    }

    /// Whether some worker has yet to hear that the run is over.
    pub(crate) fn is_awaited(&self) -> bool {
        self.coordinator.unheard(self.now()) > 0
    }

    /// The reason if load never began; `None` otherwise.
    pub(crate) fn never_began(&self) -> Option<String> {
        let closing = self.sealed.as_ref().filter(|closing| !closing.started)?;
        let why = closing.stopped.as_ref().map_or("no reason".to_owned(), ToString::to_string);
        Some(format!("the run never began: {why}; nothing was sent"))
    }

    /// The clock that workers compare theirs with, and the offset to add to it, in nanoseconds.
    pub(crate) fn clock(&self) -> (Clock, u64) {
        (self.clock, self.epoch_ns)
    }

    fn now(&self) -> u64 {
        self.epoch_ns + self.clock.now()
    }

    fn scenarios(&self) -> usize {
        self.plan.as_ref().map_or(0, |plan| plan.scenarios.len())
    }

    /// Feed an event and carry out its effects; returns the answer if it is a call.
    fn feed(&mut self, event: Event, at_hand: Option<(&Report, &[u8])>) -> Result<Option<Answer>, Refusal> {
        let now = self.now();
        for effect in self.coordinator.step(event, now) {
            match effect {
                Effect::Persist(record) => {
                    let bytes =
                        at_hand.filter(|_| matches!(record, Record::Report { .. })).map(|(_, bytes)| bytes);
                    if let Err(failure) = self.persist(record, bytes.unwrap_or_default()) {
                        // Skip the remaining effects: they are not journaled.
                        self.journal_failed(&failure.message);
                        return Err(Refusal::JournalFailed);
                    }
                }
                Effect::Merge(worker, _) => {
                    if let Some((report, _)) = at_hand {
                        self.merge(worker, report);
                    }
                }
                Effect::Note(note) => self.note(&note),
                Effect::Seal(closing) => self.sealed = Some(closing),
                Effect::Answer(answer) => return answer.map(Some),
            }
        }
        Ok(None)
    }

    /// The journal cannot be written any more, and how much of it is on disk is unknown. A result that the
    /// machine has already sealed stays final, or this process would wait forever, but counts as incomplete.
    fn journal_failed(&mut self, why: &str) {
        if self.coordinator.is_broken() {
            return;
        }
        self.say(why);
        // No call to answer.
        let _ = self.feed(Event::JournalFailed, None);
        if let Some(closing) = self.coordinator.closing() {
            let mut closing = closing.clone();
            self.stopped = Some(closing.stopped.get_or_insert(StopReason::JournalFailed).clone());
            self.sealed = Some(closing);
        }
    }

    /// Append to the journal. It has to be on disk before any answer leaves: see
    /// [`handle::ServiceHandle::settle`].
    fn persist(&mut self, record: Record, bytes: &[u8]) -> Result<(), Failure> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal
            .append(&[&Entry::Record(record).head(), bytes])
            .map_err(|e| Failure::incomplete(format!("--state-dir: the journal cannot be written: {e}")))
    }

    /// `from`: the key of the worker that brought the plan; `None`: it is the coordinator's own.
    fn take_plan(&mut self, plan: Plan, bundle: PlanBundle, from: Option<Key>) -> Result<(), Refusal> {
        if self.plan.is_none() {
            check_rows(&plan, seed_of(self.coordinator.run())).map_err(Refusal::NotNow)?;
        }
        let terms = RunTerms::of(&plan);
        self.feed(Event::Plan(bundle, terms, from), None)?;
        if self.plan.is_none() {
            self.show_plan(plan).map_err(Refusal::NotNow)?;
        }
        Ok(())
    }

    fn show_plan(&mut self, plan: Plan) -> Result<(), String> {
        let baseline = baseline_file::read(&self.options, &plan)?;
        let seed = seed_of(self.coordinator.run());
        let most = preflight::most_connections(&plan.load);
        let mut info = run_info(&plan, &self.options, seed, most);
        info.baseline = baseline;
        let hlog = self.options.reports.iter().any(|report| report.format == Format::Hlog);
        let intervals = hlog.then(|| Intervals::new(plan.scenarios.iter().map(|s| s.name.as_str())));
        self.shared.update(|s| {
            let fleet = s.fleet.take();
            *s = Snapshot { intervals, fleet, ..Snapshot::new(info, 0, s.started_at) };
        });
        let each = preflight::window_bytes(plan.scenarios.len()) as usize;
        let patience = (OPEN_WINDOWS_BYTES / each).min(MOST_OPEN_WINDOWS);
        let merger = Merger::new(self.shared.clone(), 0, plan.load.warmup_ns).with_patience(patience);
        self.merger = Some(merger);
        self.plan = Some(plan);
        Ok(())
    }

    /// Load begins at this instant of the wall clock.
    fn begin(&mut self, start_at_ns: u64) {
        self.shared.update(|s| s.started_at = start_at_ns as f64 / 1e9);
        self.add_sources();
    }

    /// Add workers that got a shard to the snapshot.
    fn add_sources(&mut self) {
        let Some(merger) = &mut self.merger else { return };
        let rows = self.coordinator.rows();
        self.sources.resize(rows.len(), None);
        for (row, source) in rows.iter().zip(&mut self.sources) {
            if source.is_none() && row.had_shard {
                let range = self.threads..self.threads + row.threads as usize;
                self.threads = range.end;
                let from_ns = self.coordinator.shard_begins_ns(row.worker).unwrap_or(0);
                *source = Some((merger.add(range.clone(), from_ns), range));
            }
        }
    }

    fn merge(&mut self, worker: WorkerId, report: &Report) {
        let (Some(merger), Some(Some((source, range)))) =
            (&mut self.merger, self.sources.get(worker.0 as usize))
        else {
            return;
        };
        let length_ns = report.span.to_ns - report.span.from_ns;
        if length_ns > 0 {
            self.rates.resize(self.sources.len(), 0.0);
            self.rates[worker.0 as usize] = report.totals().sent as f64 * 1e9 / length_ns as f64;
        }
        let mut threads: Vec<ThreadHealth> = report.span.threads.clone();
        threads.resize(range.len(), ThreadHealth::default());
        merger.merge(&SourceWindow {
            source: *source,
            began_at_ns: Some(report.span.from_ns),
            ended_at_ns: report.span.to_ns,
            tally: &report.tally,
            threads: &threads,
            last: report.span.last.map(|last| Last { load_ended_at_ns: last.load_ended_ns }),
        });
    }

    fn give_up(&mut self, worker: WorkerId) {
        if let (Some(merger), Some(Some((source, _)))) =
            (&mut self.merger, self.sources.get(worker.0 as usize))
        {
            merger.give_up(*source);
        }
    }

    fn note(&mut self, note: &Note) {
        let host = |worker: &WorkerId| {
            let rows = self.coordinator.rows();
            rows.get(worker.0 as usize).map_or(String::new(), |row| row.host.clone())
        };
        match note {
            Note::Joined(worker) => {
                let (there, wanted) = self.coordinator.gathered();
                let (number, host) = (worker.0, host(worker));
                // More workers may join than a start waits for.
                let asked_for =
                    if there > wanted { format!(", of {wanted} asked for") } else { format!(" of {wanted}") };
                self.say(&format!("worker {number} ({host}) joined, {there}{asked_for}"));
            }
            Note::Replaced(worker) | Note::Lost(worker) | Note::Left(worker, _) => {
                let how = match note {
                    Note::Left(_, why) => format!("left: {why}"),
                    Note::Lost(_) => "is lost".to_owned(),
                    _ => "was replaced".to_owned(),
                };
                self.say(&format!("worker {} ({}) {how}", worker.0, host(worker)));
                self.give_up(*worker);
                if let Some(awaited) = self.fleet(self.now()).waits_for() {
                    self.say(&awaited);
                }
            }
            Note::Preparing => self.say("all are here: they open their connections"),
            Note::Starting(start_at_ns) => {
                self.begin(*start_at_ns);
                self.say("load begins");
            }
            Note::Shared(epoch, _) => {
                self.add_sources();
                self.say(&format!("the schedule is repartitioned (epoch {epoch})"));
            }
            Note::Stopping(reason) => {
                self.say(&format!("load stops: {reason}"));
                self.stopped = Some(reason.clone());
            }
        }
    }

    fn say(&self, what: &str) {
        self.notes.say(&format!("fleet: {what}"));
    }

    fn fleet(&self, now: u64) -> Fleet {
        let closing = self.sealed.as_ref();
        let ids =
            |of: Option<&Vec<WorkerId>>| of.map_or(Vec::new(), |ids| ids.iter().map(|id| id.0).collect());
        // A stopped run is compared with the load planned up to the stop.
        let asked_until_ns = closing.map(|closing| match closing.stopped {
            None => u64::MAX,
            Some(_) => self.shared.read(|s| s.measured_ns),
        });
        let asked = self.plan.as_ref().zip(asked_until_ns).and_then(|(plan, until_ns)| asked(plan, until_ns));
        let rows = self.coordinator.rows();
        Fleet {
            rows,
            rates: self.rates.clone(),
            now_ns: now,
            start_at_ns: self.coordinator.starts_at_ns(),
            start_skew_bound_ns: self.coordinator.start_skew_bound_ns(),
            plan_from: self.coordinator.plan_from().map(|worker| worker.0),
            waiting: self.coordinator.waiting(),
            stopped: self.stopped.as_ref().map(ToString::to_string),
            missing: ids(closing.map(|closing| &closing.missing)),
            unequal: ids(closing.map(|closing| &closing.unequal)),
            asked,
        }
    }

    fn show_fleet(&self) {
        let fleet = self.fleet(self.now());
        self.shared.update(|s| s.fleet = Some(fleet));
    }

    /// Publish the final result. Its seal is on disk by now, or cannot be written.
    pub(crate) fn seal(&mut self) {
        self.show_fleet();
        let Some(merger) = self.merger.take() else {
            return self.shared.update(|s| s.state = State::Finished);
        };
        let reason = self.sealed.as_ref().and_then(|closing| closing.stopped.clone());
        // A failed threshold reports itself, and so does data that ran out.
        let reports_itself =
            |reason: &&StopReason| matches!(reason, StopReason::Threshold(_) | StopReason::OutOfData);
        let error = reason.as_ref().filter(|reason| !reports_itself(reason));
        self.shared.update(|s| s.error = error.map(ToString::to_string));
        self.shared.update(|s| match reason {
            None | Some(StopReason::OutOfData) => {}
            Some(StopReason::Threshold(place)) => s.aborted = Some(place),
            Some(StopReason::Operator | StopReason::Interrupted) => s.ending = Ending::Interrupted,
            Some(StopReason::WorkerLost(_) | StopReason::WorkerLeft(_)) => s.ending = Ending::Failed,
            Some(_) => s.ending = Ending::Incomplete,
        });
        let throttled = self.coordinator.rows().iter().fold((0, 0), |(ns, periods), row| {
            let Health { throttled_ns, throttled_periods, .. } = row.health;
            (throttled_ns.saturating_add(ns), throttled_periods.saturating_add(periods))
        });
        self.shared.update(|s| (s.throttled_ns, s.throttled_periods) = throttled);
        merger.finish();
    }
}

/// Arrivals that an open plan schedules within `until_ns` of measured time; `None` in the closed model.
fn asked(plan: &Plan, until_ns: u64) -> Option<u64> {
    let Model::Open { pieces, .. } = &plan.load.model else { return None };
    let (mut arrivals, mut left_ns) = (0.0, until_ns);
    for piece in pieces {
        arrivals += piece.until(left_ns).arrivals();
        left_ns = left_ns.saturating_sub(piece.length_ns);
    }
    Some(plan.load.requests.map_or(arrivals as u64, |n| n.min(arrivals as u64)))
}

#[cfg(test)]
mod tests {
    use super::handle::ServiceHandle;
    use super::*;
    use crate::fleet::messages::{Final, Join, Totals};
    use crate::roles::plan_form;
    use crate::run::RunInfo;
    use crate::web::{Call, Calls};

    /// A directory with a plan, and more options.
    pub(super) struct RunDir(pub(super) std::path::PathBuf, Vec<&'static str>);

    impl Drop for RunDir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    impl RunDir {
        pub(super) fn new(name: &str) -> Self {
            let plan = "base_url: http://127.0.0.1:1\nload: {requests: 9, concurrency: 1}\nscenarios: [{name: a, path: /}]\n";
            Self::with(name, plan, Vec::new())
        }

        /// The one of another process.
        pub(super) fn at(path: std::path::PathBuf, more: Vec<&'static str>) -> Self {
            Self(path, more)
        }

        pub(super) fn with(name: &str, plan: &str, more: Vec<&'static str>) -> Self {
            let path = std::env::temp_dir().join(format!("loadtester-service-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("plan.yaml"), plan).unwrap();
            Self(path, more)
        }

        fn options(&self) -> Options {
            let (plan, state) = (self.0.join("plan.yaml"), self.0.join("state"));
            let typed = ["--role", "coordinator", "--quiet", "--plan"].map(Into::into);
            let more = [plan.into(), "--state-dir".into(), state.into_os_string()];
            let all = typed.into_iter().chain(more).chain(self.1.iter().map(Into::into)).collect();
            crate::cli::parse(all, &|_| false).unwrap()
        }

        /// A coordinator whose only worker has this key and may report.
        pub(super) fn started(&self, key: Key) -> CoordinatorService {
            let mut service = self.service(true);
            let at_ns = service.epoch_ns;
            append(&mut service, Record::Joined { key, slot: 0, host: "h".into(), threads: 1, at_ns });
            let share = crate::fleet::coordinator::EpochShard { worker: WorkerId(0), slot: 0, of: 1 };
            append(&mut service, Record::Started { start_at_ns: 5_000_000_000, shards: vec![share] });
            drop(service);
            self.service(true)
        }

        pub(super) fn service(&self, own: bool) -> CoordinatorService {
            self.try_service(own).ok().unwrap()
        }

        pub(super) fn try_service(&self, own: bool) -> Result<CoordinatorService, Failure> {
            let (options, snapshot) = (self.options(), Snapshot::new(RunInfo::unknown(), 0, 7.0));
            let own = own.then(|| plan_form::of(&options).ok().flatten().unwrap());
            CoordinatorService::open(
                &options,
                Arc::new(SharedSnapshot::new(snapshot)),
                own,
                false,
                Notes::Nowhere,
            )
        }
    }

    fn append(service: &mut CoordinatorService, record: Record) {
        service.persist(record, &[]).ok().unwrap();
        let journal = service.journal.as_mut().unwrap();
        journal.writer().write(|| journal.take()).unwrap();
    }

    #[test]
    fn a_run_ends_though_its_end_can_not_be_written_down() {
        let run_dir = RunDir::new("full");
        let mut service = run_dir.service(true);
        assert!(!service.tick());
        service.journal = Some(Journal::full());
        let handle = ServiceHandle::new(service);
        handle.with(|service| service.stop(StopReason::Interrupted));
        assert_eq!(handle.settle(), Err(Refusal::JournalFailed));
        assert!(handle.with(CoordinatorService::tick), "or it would wait for ever");
        assert!(handle.with(|service| service.never_began()).is_some_and(|why| why.contains("interrupted")));
    }

    #[test]
    fn what_is_sealed_but_not_written_down_is_not_whole() {
        let run_dir = RunDir::new("unwritten");
        let mut service = run_dir.started(Key(1));
        assert_eq!(service.shared.read(|s| s.started_at), 5.0, "the run's start, not this process's");
        service.journal = Some(Journal::full());
        let last = Final {
            key: Key(1),
            last_seq: 0,
            totals: Totals::default(),
            health: Default::default(),
            why: None,
        };
        let last = serde_json::to_vec(&last).unwrap();
        let handle = ServiceHandle::new(service);
        assert!(handle.carry_out(Call::Final(0, &last)).is_ok(), "it has not left");
        assert!(handle.with(CoordinatorService::tick), "its only worker is done");
        assert_eq!(Calls::settle(&handle), Err(Refusal::JournalFailed), "so it will not");
        handle.with(CoordinatorService::seal);
        handle.with(|service| {
            assert_eq!(service.sealed.as_ref().unwrap().stopped, Some(StopReason::JournalFailed));
            assert_eq!(service.shared.read(|s| s.ending), Ending::Incomplete);
        });
    }

    /// The main thread failed to write a call's records to disk before the call's answer left.
    #[test]
    fn what_another_could_not_write_is_not_acknowledged() {
        let run_dir = RunDir::new("taken");
        let mut service = run_dir.service(true);
        service.journal = Some(Journal::full());
        let handle = ServiceHandle::new(service);
        let join = Join {
            key: Key(1),
            slot: None,
            version: env!("CARGO_PKG_VERSION").into(),
            host: "h".into(),
            threads: 1,
            run: None,
            plan: None,
        };
        let join = serde_json::to_vec(&join).unwrap();
        assert!(handle.carry_out(Call::Join(&join)).is_ok(), "it has not left");
        assert_eq!(handle.settle(), Err(Refusal::JournalFailed));
        assert_eq!(Calls::settle(&handle), Err(Refusal::JournalFailed), "so it will not");
        // Answers from now on report the failure and acknowledge nothing.
        assert_eq!(Calls::settle(&handle), Ok(()));
        assert_eq!(handle.settle(), Err(Refusal::JournalFailed));
        assert!(handle.with(|service| service.coordinator.is_broken()));
    }

    #[test]
    fn what_is_asked_for_until_a_stop_is_a_part_of_the_schedule() {
        let stages = "[{for: 10s, rate: 100/s}, {for: 10s, rate: 100/s}]";
        let text = format!(
            "base_url: http://127.0.0.1:1\nload: {{stages: {stages}}}\nscenarios: [{{name: a, path: /}}]\n"
        );
        let plan = crate::plan::parse(&text, "p", &Default::default(), &|_| None).unwrap();
        const S: u64 = 1_000_000_000;
        // A ramp to half its height schedules a quarter of its arrivals.
        let parts = [0, 5 * S, 10 * S, 15 * S, 20 * S, u64::MAX].map(|until_ns| asked(&plan, until_ns));
        assert_eq!(parts, [0, 125, 500, 1_000, 1_500, 1_500].map(Some));
    }

    #[test]
    fn a_worker_that_is_turned_away_leaves_no_plan_behind() {
        let run_dir = RunDir::new("plan");
        let mut service = run_dir.service(false);
        let (_, bundle) = plan_form::of(&run_dir.options()).ok().flatten().unwrap();
        let mut join = Join {
            key: Key(1),
            slot: None,
            version: "another".into(),
            host: "h".into(),
            threads: 1,
            run: None,
            plan: Some(bundle),
        };
        let bytes = |join: &Join| serde_json::to_vec(join).unwrap();
        assert!(matches!(service.call(Call::Join(&bytes(&join))), Err(Refusal::OtherVersion { .. })));
        assert_eq!((service.plan.is_some(), service.coordinator.plan()), (false, None));
        join.version = env!("CARGO_PKG_VERSION").into();
        assert!(service.call(Call::Join(&bytes(&join))).is_ok() && service.plan.is_some());
    }
}
