//! The simulation's world: true time, a network, a coordinator with a disk, and what must hold of them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use loadtester::fleet::coordinator::{
    self, Answer as CoordinatorAnswer, AwaitedStep, Coordinator, Effect, Event, OnWorkerLoss, Partitioning,
    Record, Row, RunEnd, RunTerms,
};
use loadtester::fleet::messages::{Key, PlanBundle, Totals, WorkerId};
use loadtester::fleet::worker::{self, Answer, CallError, MAX_WAITING, Request};
use loadtester::fleet::{Refusal, Refused};

use super::process::{Process, Sent, SimWindow};
use super::{ARRIVALS, GAP, MS, Mutation, Plot, S};

/// How long workers are waited for, and how long once a complete fleet has lost one.
pub const GATHER_NS: u64 = 100 * S;
pub const REPLACE_NS: u64 = 20 * S;
/// How long a coordinator answers after the end at least.
const LAST_WORD_NS: u64 = 1_500 * MS;
/// No run of the simulation takes longer, or it does not end.
const LIMIT: u64 = 600 * S;

enum Message {
    Call { from: usize, call: u64, request: Request<SimWindow> },
    Answer { to: usize, call: u64, answer: Result<Answer, CallError> },
}

pub struct World {
    pub plot: Plot,
    rng: fastrand::Rng,
    pub now: u64,
    serial: u64,
    mail: BinaryHeap<Reverse<(u64, u64, usize)>>,
    messages: Vec<Option<Message>>,
    pub processes: Vec<Process>,
    pub coordinator: Option<Coordinator>,
    clock_ahead: u64,
    clock_was_set: bool,
    journal: Vec<Record>,
    /// How many of its last records may not be on the disk yet.
    unsettled: usize,
    /// Windows merged so far, by worker.
    merged: Vec<(u64, Totals)>,
    pub sent: Vec<Sent>,
    /// Who sent what, of each run: a coordinator without a disk begins a new one when it comes back.
    owner: HashMap<(u32, u64), usize>,
    /// Who had the connections of each place, one after the other.
    holders: HashMap<(u32, u32), Vec<usize>>,
    /// The run for which the operator's start was accepted.
    promised: Option<u32>,
    /// When the result was sealed, and whether the coordinator's process has ended since.
    sealed_ns: Option<u64>,
    is_gone: bool,
    era: u32,
    checked: usize,
    sealed: Option<(RunEnd, Vec<Totals>)>,
    down_until: Option<u64>,
    /// When each run's schedule began, in truth.
    started: HashMap<u32, u64>,
    keys: u128,
}

impl World {
    pub fn new(seed: u64, plot: Plot) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let clock_ahead = 1_000_000 * S + rng.u64(0..S);
        let mut world = Self {
            rng,
            now: 0,
            serial: 0,
            mail: BinaryHeap::new(),
            messages: Vec::new(),
            processes: Vec::new(),
            coordinator: None,
            clock_ahead,
            clock_was_set: false,
            journal: Vec::new(),
            unsettled: 0,
            merged: Vec::new(),
            sent: Vec::new(),
            owner: HashMap::new(),
            holders: HashMap::new(),
            promised: None,
            sealed_ns: None,
            is_gone: false,
            era: 0,
            checked: 0,
            sealed: None,
            down_until: None,
            started: HashMap::new(),
            keys: 0,
            plot,
        };
        world.open();
        for slot in 0..world.plot.present {
            world.spawn(Some(slot));
        }
        for victim in world.plot.unable.clone() {
            let n = world.processes.len();
            world.processes[victim % n].is_unable = true;
        }
        world
    }

    /// A fresh coordinator with its plan.
    fn open(&mut self) {
        self.keys += 1;
        let run = Key(self.keys << 64 | u128::from(self.rng.u64(..)));
        let now = self.clock();
        let (coordinator, opened) = Coordinator::new(self.config(), run, now);
        (self.journal, self.unsettled, self.merged) = (vec![opened], 1, Vec::new());
        (self.era, self.sealed) = (self.era + 1, None);
        self.coordinator = Some(coordinator);
        let terms = RunTerms {
            partitioning: self.plot.partitioning,
            on_worker_loss: self.plot.policy,
            length_ns: (self.plot.partitioning != Partitioning::Requests).then_some(ARRIVALS * GAP),
            drain_ns: S,
        };
        let digest = format!("sha256:{:064x}", 7);
        let plan = PlanBundle { source: "plan".into(), digest, content: serde_json::Value::Null };
        let answer = self.tell(Event::Plan(plan, terms, None), None);
        assert!(answer.is_none());
    }

    fn config(&self) -> coordinator::Config {
        let (gather_ns, replace_ns) = (GATHER_NS, REPLACE_NS);
        coordinator::Config { gather_ns, replace_ns, ..coordinator::Config::new(self.plot.workers, "1") }
    }

    pub fn clock(&self) -> u64 {
        self.now + self.clock_ahead
    }

    pub fn spawn(&mut self, slot: Option<u32>) {
        self.keys += 1;
        let key = Key(self.keys << 64 | u128::from(self.rng.u64(..)));
        let config =
            worker::Config { slot, host: "h".into(), ..worker::Config::new(key, "1", self.rng.u64(..)) };
        self.processes.push(Process::new(
            self.processes.len(),
            config,
            self.plot.partitioning,
            &mut self.rng,
        ));
    }

    /// Let everything happen until the run has ended everywhere.
    pub fn run(&mut self) -> Result<(), String> {
        let mut steps_at_once = 0;
        while !self.is_over() {
            let next = self.next();
            steps_at_once = if next > self.now { 0 } else { steps_at_once + 1 };
            if steps_at_once > 10_000 {
                let waits = self.processes.iter().map(Process::wakes).collect::<Vec<_>>();
                return Err(format!("time stands still at {next}: {waits:?}"));
            }
            if next > LIMIT {
                let rows = self.coordinator.as_ref().map(Coordinator::rows);
                return Err(format!("the run does not end: {rows:?}"));
            }
            self.now = self.now.max(next);
            self.mischief();
            self.deliver();
            for i in 0..self.processes.len() {
                if self.processes[i].is_running(self.now) && self.processes[i].wakes() <= Some(self.now) {
                    let (now, mutation) = (self.now, self.plot.mutation);
                    let calls = self.processes[i].wake(now, mutation, &mut self.rng, &mut self.sent);
                    self.post_calls(i, calls);
                }
            }
            let due = self.coordinator.as_ref().and_then(Coordinator::wait_until);
            if due.is_some_and(|at| at <= self.clock()) {
                self.tell(Event::Tick, None);
            }
            self.check()?;
            self.go();
        }
        self.check_end()
    }

    /// The coordinator's process ends once that would leave nobody behind; the rest of the world does not.
    fn go(&mut self) {
        let now = self.clock();
        let Some(coordinator) = self.coordinator.as_ref().filter(|_| self.plot.goes && !self.is_gone) else {
            return;
        };
        if coordinator.closing().is_some() {
            let sealed_ns = *self.sealed_ns.get_or_insert(now);
            self.is_gone = now >= sealed_ns + LAST_WORD_NS && coordinator.unheard(now) == 0;
        }
    }

    fn is_over(&self) -> bool {
        let sealed = self.coordinator.as_ref().is_some_and(|c| c.closing().is_some());
        sealed && self.processes.iter().all(|p| !p.alive || p.exit.is_some())
    }

    fn next(&self) -> u64 {
        let mail = self.mail.peek().map(|Reverse((at, _, _))| *at);
        let processes = self.processes.iter().filter_map(Process::wakes);
        let due = self.coordinator.as_ref().and_then(Coordinator::wait_until);
        let due = due.map(|at| at.saturating_sub(self.clock_ahead));
        let plotted = self.plot.next(self.now);
        mail.into_iter()
            .chain(processes)
            .chain(due)
            .chain(self.down_until)
            .chain(plotted)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// What the plot has in store for now.
    fn mischief(&mut self) {
        while let Some(deed) = self.plot.due(self.now) {
            let n = self.processes.len();
            let victim = &mut self.processes[deed.victim % n];
            match deed.kind {
                super::Kind::Kill => victim.alive = false,
                super::Kind::Pause => victim.paused_until = self.now + deed.length,
                super::Kind::Cut => victim.cut_until = self.now + deed.length,
                super::Kind::Spawn => {
                    let slot = victim.slot.filter(|_| deed.length.is_multiple_of(2));
                    if n < 12 {
                        self.spawn(slot);
                    }
                }
                super::Kind::Crash => self.crash(deed.length),
                super::Kind::Stop => {
                    self.tell(Event::Stop(coordinator::StopReason::Operator), None);
                }
                super::Kind::Start => {
                    let answer = self.tell(Event::Start, None);
                    self.promised = answer.filter(Result::is_ok).map(|_| self.era).or(self.promised);
                }
            }
        }
        if self.down_until.is_some_and(|at| self.now >= at) {
            self.down_until = None;
            // Its clock may have been set meanwhile.
            if self.rng.bool() {
                self.clock_was_set = true;
                self.clock_ahead = self.clock_ahead.saturating_add_signed(self.rng.i64(-30..30) * S as i64);
            }
            if self.plot.has_disk {
                let restored = Coordinator::restore(self.config(), self.found(), self.clock());
                self.coordinator = Some(restored.expect("its own journal"));
                self.merged = merged(&self.journal);
            } else {
                self.open();
            }
        }
    }

    /// The journal with a checkpoint in place of its first two thirds, as JSON and back.
    fn found(&self) -> Vec<Record> {
        let (before, after) = self.journal.split_at(self.journal.len() * 2 / 3);
        let restore = |records| Coordinator::restore(self.config(), records, self.clock());
        let checkpoint = restore(before.to_vec()).ok().and_then(|coordinator| coordinator.checkpoint());
        let Some(checkpoint) = checkpoint else { return self.journal.clone() };
        let written = serde_json::to_string(&checkpoint).expect("records are JSON");
        let checkpoint = serde_json::from_str(&written).expect("it was written just now");
        let found: Vec<Record> = std::iter::once(checkpoint).chain(after.iter().cloned()).collect();
        let state = |records| restore(records).expect("its own journal").checkpoint();
        assert_eq!(state(found.clone()), state(self.journal.clone()), "a checkpoint loses nothing");
        found
    }

    fn crash(&mut self, length: u64) {
        if self.coordinator.take().is_some() {
            self.down_until = Some(self.now + length);
            // The disk may have got them, or not; the first one opens the run.
            let lost = self.rng.usize(..=self.unsettled).min(self.journal.len() - 1);
            self.journal.truncate(self.journal.len() - lost);
            self.unsettled = 0;
        }
    }

    /// Tell the coordinator something and do what it says; it may crash on the way.
    fn tell(&mut self, event: Event, at_hand: Option<Totals>) -> Option<Result<CoordinatorAnswer, Refusal>> {
        let now = self.clock();
        let effects = self.coordinator.as_mut()?.step(event, now);
        for effect in effects {
            if self.plot.crashes_midway > 0 && self.rng.u32(..150) == 0 {
                self.plot.crashes_midway -= 1;
                let length = self.rng.u64(MS..8 * S);
                self.crash(length);
                return None;
            }
            match effect {
                Effect::Persist(Record::Report { .. }) if self.plot.mutation == Mutation::AckedNotWritten => {
                }
                Effect::Persist(record) => {
                    if let Record::Started { start_at_ns, .. } = &record {
                        self.started.insert(self.era, start_at_ns - self.clock_ahead);
                    }
                    self.journal.push(record);
                    self.unsettled += 1;
                }
                Effect::Merge(worker, seq) => {
                    let i = worker.0 as usize;
                    if self.merged.len() <= i {
                        self.merged.resize(i + 1, (0, Totals::default()));
                    }
                    let merged = &mut self.merged[i];
                    assert_eq!(seq, merged.0 + 1, "reports of {worker:?} are merged in their order, once");
                    merged.0 = seq;
                    merged.1.add(&at_hand.expect("a report is at hand"));
                }
                Effect::Answer(answer) => {
                    if self.plot.mutation != Mutation::AnsweredUnsettled {
                        self.unsettled = 0;
                    }
                    return Some(answer);
                }
                // Nobody is shown an end that is not on the disk.
                Effect::Seal(_) => self.unsettled = 0,
                Effect::Note(_) => {}
            }
        }
        None
    }

    fn post(&mut self, message: Message) {
        let calm = self.plot.is_calm(self.now);
        let (loss, most) = if calm { (0, 5 * MS) } else { (self.plot.loss, self.plot.delay) };
        // A duplicate is a request that is carried twice.
        let copies = 1 + usize::from(!calm && self.rng.u32(..100) < self.plot.loss / 2);
        let mut message = Some(message);
        for copy in (0..copies).rev() {
            if self.rng.u32(..100) < loss {
                continue;
            }
            let message = match (&message, copy) {
                (Some(Message::Call { from, call, request }), 1..) => {
                    Message::Call { from: *from, call: *call, request: request.clone() }
                }
                _ => match message.take() {
                    Some(message) => message,
                    None => continue,
                },
            };
            self.messages.push(Some(message));
            self.serial += 1;
            let at = self.now + self.rng.u64(MS / 10..=most);
            self.mail.push(Reverse((at, self.serial, self.messages.len() - 1)));
        }
    }

    fn post_calls(&mut self, from: usize, calls: Vec<(u64, Request<SimWindow>, u64)>) {
        for (call, request, timeout_ns) in calls {
            self.post(Message::Call { from, call, request });
            let answer = Err(CallError::Unreachable("timed out".into()));
            self.messages.push(Some(Message::Answer { to: from, call, answer }));
            self.serial += 1;
            self.mail.push(Reverse((self.now + timeout_ns, self.serial, self.messages.len() - 1)));
        }
    }

    fn deliver(&mut self) {
        while let Some(Reverse((at, _, index))) = self.mail.peek().copied() {
            if at > self.now {
                break;
            }
            self.mail.pop();
            match self.messages[index].take() {
                Some(Message::Call { from, call, request }) => self.serve(from, call, request),
                Some(Message::Answer { to, call, answer }) => {
                    let timed_out = matches!(answer, Err(CallError::Unreachable(_)));
                    let process = &mut self.processes[to];
                    if !process.alive || process.exit.is_some() || self.now < process.cut_until && !timed_out
                    {
                        continue;
                    }
                    if self.now < process.paused_until {
                        // It lies in the socket until somebody reads it.
                        self.messages[index] = Some(Message::Answer { to, call, answer });
                        self.mail.push(Reverse((process.paused_until, self.serial, index)));
                        self.serial += 1;
                        continue;
                    }
                    if let Ok(Answer::Joined(joined)) = &answer {
                        process.id = Some(joined.worker);
                        process.era = self.era;
                    }
                    let (now, mutation) = (self.now, self.plot.mutation);
                    let mut calls = process.wake(now, mutation, &mut self.rng, &mut self.sent);
                    let event = worker::Event::Answered { call, answer };
                    process.feed(event, now, &mut self.rng, &mut calls);
                    self.post_calls(to, calls);
                }
                None => {}
            }
        }
    }

    /// The coordinator's side of a call.
    fn serve(&mut self, from: usize, call: u64, request: Request<SimWindow>) {
        if self.now < self.processes[from].cut_until || self.coordinator.is_none() || self.is_gone {
            return;
        }
        let mut at_hand = None;
        let event = match request {
            Request::Plan => {
                let plan = self.coordinator.as_ref().and_then(|c| c.plan()).map(|(plan, _)| plan.clone());
                let answer = plan.map(Answer::Plan).ok_or(CallError::Refused(Refusal::NoPlan));
                return self.post(Message::Answer { to: from, call, answer });
            }
            Request::Join(join) => Event::Join(join),
            Request::Heartbeat(worker, beat) => Event::Heartbeat(worker, beat),
            Request::Report { worker, key, seq, window } => {
                let mut totals = window.0;
                if self.plot.mutation == Mutation::ChangedWhenResent && self.rng.u32(..4) == 0 {
                    totals.add(&Totals { due: 1, sent: 1, completed: 1, ..Totals::default() });
                }
                at_hand = Some(totals);
                Event::Report { worker, key, seq, totals }
            }
            Request::Final(worker, last) => Event::Final(worker, last),
        };
        let beats = matches!(event, Event::Heartbeat(..));
        let Some(answer) = self.tell(event, at_hand) else { return };
        let answer = match answer {
            Ok(CoordinatorAnswer::Joined(joined)) => Ok(Answer::Joined(joined)),
            Ok(CoordinatorAnswer::Acked(acked)) => Ok(Answer::Acked(acked)),
            Ok(CoordinatorAnswer::Orders(mut orders)) => {
                match self.plot.mutation {
                    Mutation::LeaseTooLong if orders.lease_ns > 0 => orders.lease_ns *= 4,
                    // Leases go on as if nothing had been decided.
                    Mutation::TurnsKeptBack if orders.assignments.len() > 1 && from.is_multiple_of(2) => {
                        orders.assignments.truncate(1);
                    }
                    _ => {}
                }
                if beats && orders.lease_ns > 0 {
                    self.processes[from].granted = Some(self.now);
                }
                Ok(Answer::Orders(orders))
            }
            Ok(CoordinatorAnswer::Done) => unreachable!("workers do not operate"),
            // As it bundle.
            Err(refusal) => Err(CallError::Refused(Refused::from(&refusal).into())),
        };
        self.post(Message::Answer { to: from, call, answer });
    }

    /// What must hold after each step.
    fn check(&mut self) -> Result<(), String> {
        let rows = self.coordinator.as_ref().map(Coordinator::rows).unwrap_or_default();
        while let Some(sent) = self.sent.get(self.checked).copied() {
            self.checked += 1;
            self.check_sent(sent, &rows)?;
        }
        for (i, row) in rows.iter().enumerate() {
            let merged = self.merged.get(i).copied().unwrap_or_default();
            if (row.acked_seq, row.totals) != merged {
                return Err(format!("{:?}: applied {:?} but merged {merged:?}", row.worker, row.totals));
            }
        }
        for process in &self.processes {
            if process.most_unsent as usize > MAX_WAITING + 1 {
                return Err(format!("{} windows are kept unsent", process.most_unsent));
            }
        }
        self.check_waiting()?;
        let closing = self.coordinator.as_ref().and_then(Coordinator::closing).cloned();
        if let Some(closing) = closing {
            let now = (closing, rows.iter().map(|r| r.totals).collect::<Vec<_>>());
            match &self.sealed {
                Some(before) if *before != now => return Err(format!("sealed {before:?} became {now:?}")),
                _ => self.sealed = Some(now),
            }
        }
        Ok(())
    }

    /// Nothing is waited for without a deadline, nor beyond it, nor for more than the operator's start allows.
    fn check_waiting(&self) -> Result<(), String> {
        let Some(waiting) = self.coordinator.as_ref().and_then(Coordinator::waiting) else { return Ok(()) };
        let left = waiting.until_ns as i64 - self.clock() as i64;
        if !(0..=GATHER_NS as i64).contains(&left) {
            return Err(format!("{waiting:?} has {left} ns left"));
        }
        let is_promised = self.promised == Some(self.era);
        if is_promised && waiting.what == AwaitedStep::Workers && waiting.wanted != 1 {
            return Err(format!("{waiting:?} though the operator has said start"));
        }
        Ok(())
    }

    fn check_sent(&mut self, sent: Sent, rows: &[Row]) -> Result<(), String> {
        let process = &self.processes[sent.by];
        let lease = self.config().lease_ns;
        let leased = process.granted.is_some_and(|at| sent.at <= at + lease + lease / 1_000);
        if !leased {
            return Err(format!("{sent:?} without a lease, the last of {:?}", process.granted));
        }
        if self.plot.partitioning == Partitioning::Connections {
            let holders = self.holders.entry((process.era, sent.slot)).or_default();
            match holders.iter().position(|by| *by == sent.by) {
                None => holders.push(sent.by),
                Some(i) if i + 1 == holders.len() => {}
                Some(_) => return Err(format!("{sent:?} though its place was taken: {holders:?}")),
            }
        } else if let Some(other) = self.owner.insert((process.era, sent.k), sent.by) {
            return Err(format!("{sent:?} was sent by {other} too"));
        }
        let started = *self.started.get(&process.era).ok_or("sent before a start was fixed")?;
        // By the worker's own clock, exactly; in truth, as far as clocks could be compared.
        let length = if self.plot.partitioning == Partitioning::Requests { LIMIT } else { ARRIVALS * GAP };
        if sent.own_ns < 0 || sent.own_ns > length as i64 {
            return Err(format!("{sent:?} outside of its schedule"));
        }
        let (from, to) = (started.saturating_sub(2 * S), started + length + 2 * S);
        if !self.clock_was_set && (sent.at < from || sent.at > to) {
            return Err(format!("{sent:?} outside of {from}..{to}"));
        }
        let row = process
            .id
            .filter(|_| process.era == self.era)
            .and_then(|id| rows.get(id.0 as usize))
            .filter(|row| row.had_shard);
        if let Some(gone) = row.and_then(|row| row.gone)
            && !gone.replaced
            && process.machine.wait_until().is_some()
        {
            return Err(format!("{sent:?} by one that was called lost: {gone:?}"));
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), String> {
        let coordinator = self.coordinator.as_ref().expect("it has sealed the result");
        let closing = coordinator.closing().expect("it has sealed the result").clone();
        if !closing.unequal.is_empty() {
            return Err(format!("finals that are not the sum of their windows: {closing:?}"));
        }
        let rows = coordinator.rows();
        for process in &self.processes {
            let of_this_run = process.era == self.era;
            let Some(row) = process.id.and_then(|WorkerId(i)| rows.get(i as usize)).filter(|_| of_this_run)
            else {
                continue;
            };
            let complete = !closing.missing.contains(&row.worker) && row.had_shard;
            if complete && row.totals != process.truth || row.totals.sent > process.truth.sent {
                return Err(format!("counted {:?}, in truth {:?}", row.totals, process.truth));
            }
        }
        Ok(())
    }

    /// Arrivals that nobody sent.
    pub fn left_out(&self) -> Vec<u64> {
        (0..ARRIVALS).filter(|k| !self.owner.contains_key(&(self.era, *k))).collect()
    }

    /// How the run ended.
    pub fn closing(&self) -> RunEnd {
        self.sealed.clone().expect("the run has ended").0
    }

    pub fn policy(&self) -> OnWorkerLoss {
        self.plot.policy
    }
}

fn merged(journal: &[Record]) -> Vec<(u64, Totals)> {
    let mut merged: Vec<(u64, Totals)> = Vec::new();
    for record in journal {
        if let Record::Report { worker, seq, totals } = record {
            let i = worker.0 as usize;
            if merged.len() <= i {
                merged.resize(i + 1, (0, Totals::default()));
            }
            merged[i].0 = *seq;
            merged[i].1.add(totals);
        }
    }
    merged
}
