//! The worker's state machine: its state, how events change it, and which calls are due.
//!
//! ```text
//! join ──▶ plan ──▶ Joined ──prepare──▶ Preparing ──▶ Ready ──start──▶ Running ──▶ Draining ──▶ Done
//!                      └───────────── stopped, refused, failed, interrupted ──────────┘   final report, exit
//! ```

use super::call_slot::{CallSlot, UnderWay};
use super::clock::Comparison;
use super::outbox::Outbox;
use super::{Answer, CallError, Effect, Event, Exit, Request, Window};
use crate::fleet::Refusal;
use crate::fleet::messages::{
    Assignment, Final, Health, Heartbeat, Join, Key, PlanBundle, WorkerId, WorkerState,
};
use crate::plan::Shard;

const S: u64 = 1_000_000_000;
/// The longest backoff. A tenth of it for control calls while a lease may run out.
const MOST_BACKOFF_NS: u64 = 5 * S;
/// Heartbeat interval before the first orders.
const FIRST_BEAT_NS: u64 = S / 4;
/// How long before the schedule begins the load threads get the start. Late, because clock comparison goes on
/// until then and the clocks drift afterwards; early enough for a thread that has to wait for a core.
pub(super) const BEGIN_NS: u64 = S / 2;

/// A worker's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Random, made for this process.
    pub key: Key,
    /// The slot it wants; `None`: any.
    pub slot: Option<u32>,
    /// The program's version.
    pub version: String,
    /// The host's name, for display.
    pub host: String,
    /// Number of load threads.
    pub threads: u32,
    /// Its own plan, checked, if it was started with one.
    pub plan: Option<PlanBundle>,
    /// Seed of the jitter.
    pub seed: u64,
    /// Timeout of a join, heartbeat or plan call in nanoseconds: no longer than the coordinator assumes.
    pub control_timeout_ns: u64,
    /// Timeout of a report in nanoseconds.
    pub report_timeout_ns: u64,
    /// How long to try a coordinator that was never reached, in nanoseconds.
    pub join_ns: u64,
    /// How long to try one that was reached before, in nanoseconds.
    pub give_up_ns: u64,
}

impl Config {
    /// The default timeouts.
    pub fn new(key: Key, version: &str, seed: u64) -> Self {
        Self {
            key,
            slot: None,
            version: version.to_owned(),
            host: String::new(),
            threads: 1,
            plan: None,
            seed,
            control_timeout_ns: crate::fleet::coordinator::CALL_TIMEOUT_NS,
            report_timeout_ns: 10 * S,
            // The coordinator's machine may come up long after the workers'.
            join_ns: 900 * S,
            // Time to restart it, on another machine if need be.
            give_up_ns: 120 * S,
        }
    }
}

/// The kinds of control call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlCall {
    Join,
    Plan,
    Heartbeat,
}

/// The stage of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlanStage {
    None,
    /// The coordinator has one, not fetched yet.
    Wanted,
    Checking,
    /// Available.
    Known,
}

/// One worker process.
#[derive(Debug)]
pub struct Worker<W> {
    pub(super) config: Config,
    rng: fastrand::Rng,
    last_call: u64,
    pub(super) control: CallSlot<ControlCall>,
    /// A window's sequence number; 0: the final report.
    reports: CallSlot<u64>,
    pub(super) clocks: Comparison,
    pub(super) outbox: Outbox<W>,
    /// Its number, unless it has to join again.
    pub(super) id: Option<WorkerId>,
    /// Its run; kept when it has to join again.
    pub(super) run: Option<Key>,
    pub(super) plan: PlanStage,
    pub(super) state: WorkerState,
    /// The shard to prepare load threads for; `prepared`: the one they are ready for.
    pub(super) prepare: Option<Shard>,
    pub(super) prepared: Option<Shard>,
    health: Health,
    /// When the schedule begins on our clock, and the error bound at that instant.
    pub(super) start: Option<(u64, u64)>,
    /// The start as first received, on the coordinator's clock.
    pub(super) announced_start_ns: u64,
    /// The load threads have the start: it is final.
    pub(super) begun: bool,
    pub(super) stop_at_ns: Option<u64>,
    pub(super) assignments: Vec<Assignment>,
    pub(super) lease_until_ns: u64,
    pub(super) unleased_ns: u64,
    pub(super) beat_ns: u64,
    /// No new requests from here on.
    stopping: bool,
    load_ended: bool,
    /// The coordinator refuses further heartbeats.
    fenced: bool,
    /// The worker's own reason for ending early.
    why: Option<String>,
    /// The coordinator's reason for stopping early.
    pub(super) stopped_why: Option<String>,
    /// How it will end once all is delivered, if not with success.
    exit: Option<Exit>,
    exited: bool,
    /// When it failed, until the coordinator has heard of it.
    failed_ns: Option<u64>,
    /// Since when calls fail, and the last error.
    unreachable: Option<(u64, String)>,
}

impl<W: Window> Worker<W> {
    /// A worker that has made no call yet.
    pub fn new(config: Config) -> Self {
        let rng = fastrand::Rng::with_seed(config.seed);
        let plan = if config.plan.is_some() { PlanStage::Known } else { PlanStage::None };
        Self {
            config,
            rng,
            last_call: 0,
            control: CallSlot::default(),
            reports: CallSlot::default(),
            clocks: Comparison::default(),
            outbox: Outbox::new(),
            id: None,
            run: None,
            plan,
            state: WorkerState::Joined,
            prepare: None,
            prepared: None,
            health: Health::default(),
            start: None,
            announced_start_ns: 0,
            begun: false,
            stop_at_ns: None,
            assignments: Vec::new(),
            lease_until_ns: 0,
            unleased_ns: 0,
            beat_ns: FIRST_BEAT_NS,
            stopping: false,
            load_ended: false,
            fenced: false,
            why: None,
            stopped_why: None,
            exit: None,
            exited: false,
            failed_ns: None,
            unreachable: None,
        }
    }

    /// When the next [`Event::Tick`] is due without other events; `None`: never again.
    pub fn wait_until(&self) -> Option<u64> {
        if self.exited {
            return None;
        }
        let given_up = self.in_vain_until().map(|(_, until_ns)| until_ns);
        let control = (!self.fenced).then(|| self.control.wait_until());
        let reports = self.has_something_to_tell().then(|| self.reports.wait_until());
        let begin = self
            .start
            .filter(|_| !self.begun && !self.is_stopping())
            .map(|(at, _)| at.saturating_sub(BEGIN_NS));
        given_up.into_iter().chain(control).chain(reports).chain(begin).min()
    }

    /// Why calls fail, and until when they are retried; `None`: the last one was answered.
    pub(crate) fn in_vain_until(&self) -> Option<(&str, u64)> {
        let limit_ns = if self.run.is_some() { self.config.give_up_ns } else { self.config.join_ns };
        self.unreachable.as_ref().map(|(since, error)| (error.as_str(), since + limit_ns))
    }

    /// Apply one event; `now` never goes back.
    pub fn step(&mut self, event: Event<W>, now: u64) -> Vec<Effect<W>> {
        let mut effects = Vec::new();
        if self.exited {
            return effects;
        }
        let silent = || CallError::Unreachable("no answer".to_owned());
        if let Some(asked) = self.control.expire(now) {
            self.control_ended(asked, Err(silent()), now, &mut effects);
        }
        if let Some(ended) = self.reports.expire(now) {
            self.report_ended(ended.what, Err(silent()), now, &mut effects);
        }
        self.take(event, now, &mut effects);
        self.advance(now, &mut effects);
        effects
    }

    fn take(&mut self, event: Event<W>, now: u64, effects: &mut Vec<Effect<W>>) {
        match event {
            Event::Tick => {}
            Event::Answered { call, answer } => {
                if let Some(asked) = self.control.end(call) {
                    self.control_ended(asked, answer, now, effects);
                } else if let Some(ended) = self.reports.end(call) {
                    self.report_ended(ended.what, answer, now, effects);
                }
            }
            Event::Compared(exchange) => self.clocks.add(exchange),
            Event::PlanChecked(Ok(())) => self.plan = PlanStage::Known,
            Event::PlanChecked(Err(why)) => self.fail(why, now, effects),
            Event::Prepared(part, result) => match result {
                _ if self.prepare != Some(part) || self.state != WorkerState::Preparing => {}
                Ok(()) => {
                    self.prepared = Some(part);
                    self.state = WorkerState::Ready;
                    self.control.due_ns = self.control.due_ns.min(now);
                }
                Err(why) => self.fail(why, now, effects),
            },
            Event::Health(health) => self.health = health,
            Event::Window(window) => self.outbox.push(window),
            Event::LoadFailed(why) => self.fail(why, now, effects),
            Event::LoadEnded => self.load_ended = true,
            Event::Interrupted => {
                self.why.get_or_insert("interrupted".to_owned());
                self.end(Exit::Interrupted, effects);
            }
        }
    }

    /// The worker failed.
    fn fail(&mut self, why: String, now: u64, effects: &mut Vec<Effect<W>>) {
        self.state = WorkerState::Failed;
        self.failed_ns = Some(now);
        self.why.get_or_insert_with(|| why.clone());
        self.control.due_ns = self.control.due_ns.min(now);
        self.end(Exit::Failed(why), effects);
    }

    /// Make no new requests, deliver what there is, then end with `exit`.
    pub(super) fn end(&mut self, exit: Exit, effects: &mut Vec<Effect<W>>) {
        self.exit.get_or_insert(exit);
        self.stop_load(effects);
    }

    pub(super) fn stop_load(&mut self, effects: &mut Vec<Effect<W>>) {
        if !std::mem::replace(&mut self.stopping, true) {
            if self.prepare.is_some() {
                effects.push(Effect::StopLoad);
            } else {
                self.load_ended = true;
            }
        }
    }

    /// Whether orders can no longer change the load.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping || self.load_ended
    }

    /// End now, whatever is undelivered.
    pub(super) fn leave(&mut self, exit: Exit, effects: &mut Vec<Effect<W>>) {
        self.stop_load(effects);
        if !std::mem::replace(&mut self.exited, true) {
            effects.push(Effect::Exit(self.exit.take().unwrap_or(exit)));
        }
    }

    /// The result is sealed: the coordinator accepts no more reports.
    pub(super) fn sealed(&mut self, effects: &mut Vec<Effect<W>>) {
        let delivered = !self.begun && self.outbox.is_empty();
        let why = self.stopped_why.clone();
        self.leave(if delivered { Exit::Done(why) } else { Exit::Refused(Refusal::Sealed) }, effects);
    }

    fn has_something_to_tell(&self) -> bool {
        // A heartbeat reports a failure before the final report, unless no more heartbeats are sent.
        let is_final = self.load_ended && (self.failed_ns.is_none() || self.fenced);
        self.id.is_some() && (!self.outbox.is_empty() || is_final)
    }

    /// Make the calls that are due, or end.
    fn advance(&mut self, now: u64, effects: &mut Vec<Effect<W>>) {
        if let Some((error, until_ns)) = self.in_vain_until()
            && now >= until_ns
        {
            let error = error.to_owned();
            return self.leave(Exit::Unreachable(error), effects);
        }
        if self.exit.is_some() && self.run.is_none() {
            return self.leave(Exit::Interrupted, effects);
        }
        self.begin(now, effects);
        if self.control.is_free(now) && !self.fenced && !self.exited {
            self.ask(now, effects);
        }
        if self.reports.is_free(now) && !self.exited {
            self.tell(now, effects);
        }
    }

    fn ask(&mut self, now: u64, effects: &mut Vec<Effect<W>>) {
        let (asked, request) = match self.id {
            None => (ControlCall::Join, Request::Join(Box::new(self.join()))),
            Some(_) if self.plan == PlanStage::Wanted => (ControlCall::Plan, Request::Plan),
            Some(id) => (ControlCall::Heartbeat, Request::Heartbeat(id, Box::new(self.beat(now)))),
        };
        let timeout_ns = self.config.control_timeout_ns;
        self.last_call += 1;
        self.control.begin(self.last_call, asked, now, timeout_ns);
        effects.push(Effect::Call { call: self.last_call, request, timeout_ns });
    }

    fn join(&self) -> Join {
        let Config { key, slot, version, host, threads, plan, .. } = self.config.clone();
        Join { key, slot, version, host, threads, run: self.run, plan }
    }

    fn beat(&self, now: u64) -> Heartbeat {
        let is_over = self.stopping || self.stop_at_ns.is_some_and(|at| now >= at);
        Heartbeat {
            key: self.config.key,
            run: self.run.expect("a worker with a number has joined a run"),
            epoch: self.assignments.last().map_or(0, |t| t.epoch),
            state: match self.state {
                WorkerState::Failed => WorkerState::Failed,
                _ if self.load_ended => WorkerState::Done,
                WorkerState::Running if is_over => WorkerState::Draining,
                state => state,
            },
            why: self.why.clone().filter(|_| self.state == WorkerState::Failed),
            prepared: self.prepared,
            t0_ns: now,
            at_ns: self.start.map(|(at, _)| now as i64 - at as i64),
            start_error_ns: self.start.map(|(_, error)| error),
            health: self.own_health(),
        }
    }

    fn own_health(&self) -> Health {
        let unsent_windows = self.outbox.len() as u32;
        Health { unsent_windows, unleased_ns: self.unleased_ns, ..self.health }
    }

    fn tell(&mut self, now: u64, effects: &mut Vec<Effect<W>>) {
        let Some(worker) = self.id else { return };
        let key = self.config.key;
        let (seq, request) = match self.outbox.next() {
            Some((seq, window)) => (seq, Request::Report { worker, key, seq, window }),
            None if self.has_something_to_tell() => {
                let (last_seq, totals) = (self.outbox.acked_seq(), self.outbox.totals());
                let (health, why) = (self.own_health(), self.why.clone());
                (0, Request::Final(worker, Box::new(Final { key, last_seq, totals, health, why })))
            }
            None => return,
        };
        let timeout_ns = self.config.report_timeout_ns;
        self.last_call += 1;
        self.reports.begin(self.last_call, seq, now, timeout_ns);
        effects.push(Effect::Call { call: self.last_call, request, timeout_ns });
    }

    fn control_ended(
        &mut self,
        asked: UnderWay<ControlCall>,
        answer: Result<Answer, CallError>,
        now: u64,
        effects: &mut Vec<Effect<W>>,
    ) {
        let heard = !matches!(answer, Err(CallError::Unreachable(_))) && asked.what == ControlCall::Heartbeat;
        self.failed_ns = self.failed_ns.filter(|at| !heard || asked.sent_ns < *at);
        let refusal = match answer {
            Ok(answer) => {
                self.unreachable = None;
                let due_ns =
                    if asked.what == ControlCall::Heartbeat { asked.sent_ns + self.beat_ns } else { now };
                self.control.succeeded(due_ns);
                return self.answered(asked, answer, now, effects);
            }
            Err(CallError::Unreachable(error)) => return self.in_vain(error, true, now),
            Err(CallError::Refused(refusal)) => refusal,
        };
        self.unreachable = None;
        match (asked.what, refusal) {
            (ControlCall::Heartbeat, Refusal::UnknownWorker) => {
                self.id = None;
                self.control.failed(now, self.beat_ns, &mut self.rng);
            }
            (ControlCall::Heartbeat, refusal @ (Refusal::Lost | Refusal::Replaced)) => {
                self.fenced = true;
                self.why.get_or_insert_with(|| refusal.message());
                self.end(Exit::Refused(refusal), effects);
            }
            (_, refusal) if refusal.may_pass() => self.control.failed(now, MOST_BACKOFF_NS, &mut self.rng),
            (_, refusal) => self.leave(Exit::Refused(refusal), effects),
        }
    }

    fn report_ended(
        &mut self,
        seq: u64,
        answer: Result<Answer, CallError>,
        now: u64,
        effects: &mut Vec<Effect<W>>,
    ) {
        let refusal = match answer {
            Ok(Answer::Acked(acked)) => {
                self.unreachable = None;
                self.reports.succeeded(now);
                self.outbox.acked(acked.acked_seq);
                if seq == 0 {
                    self.leave(Exit::Done(self.stopped_why.clone()), effects);
                }
                return;
            }
            Ok(_) => return self.in_vain("an answer to another call".to_owned(), false, now),
            Err(CallError::Unreachable(error)) => return self.in_vain(error, false, now),
            Err(CallError::Refused(refusal)) => refusal,
        };
        self.unreachable = None;
        match refusal {
            Refusal::Sealed => self.sealed(effects),
            Refusal::Gap { expected_seq } if expected_seq <= self.outbox.acked_seq() => {
                let why = "the coordinator has lost reports that it had acknowledged".to_owned();
                self.leave(Exit::Failed(why), effects);
            }
            // The next heartbeat's answer shows the problem; without heartbeats this one does.
            Refusal::UnknownWorker | Refusal::OtherKey if !self.fenced => {
                self.reports.failed(now, MOST_BACKOFF_NS, &mut self.rng);
            }
            refusal if refusal.may_pass() && refusal != Refusal::UnknownWorker => {
                self.reports.failed(now, MOST_BACKOFF_NS, &mut self.rng);
            }
            refusal => self.leave(Exit::Refused(refusal), effects),
        }
    }

    pub(super) fn in_vain(&mut self, error: String, control: bool, now: u64) {
        let since = self.unreachable.take().map_or(now, |(since, _)| since);
        self.unreachable = Some((since, error));
        // Hurry while a lease runs.
        let hurried = self.start.is_some() && !self.load_ended;
        let most_ns = if hurried { MOST_BACKOFF_NS / 10 } else { MOST_BACKOFF_NS };
        let lane_ns = if control { most_ns } else { MOST_BACKOFF_NS };
        match control {
            true => self.control.failed(now, lane_ns, &mut self.rng),
            false => self.reports.failed(now, lane_ns, &mut self.rng),
        }
    }
}
