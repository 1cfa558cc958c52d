//! A worker process of the simulation: its machine, its clock, and load threads that do as they are told.

use loadtester::fleet::messages::{PlanText, Totals, Turn, WorkerId};
use loadtester::fleet::worker::{Config, Effect, Event, Exit, Request, Window, Worker};
use loadtester::plan::Slice;

use super::{ARRIVALS, GAP, MS, Mutation, S};

/// A window of the simulation.
#[derive(Clone, Debug, PartialEq)]
pub struct Win(pub Totals);

impl Window for Win {
    fn extend(&mut self, later: Self) {
        self.0.add(&later.0);
    }
    fn totals(&self) -> Totals {
        self.0
    }
}

/// One request that went out.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Which arrival of the whole schedule.
    pub k: u64,
    /// When, in truth.
    pub at: u64,
    /// When, since the start by its own clock.
    pub own_ns: i64,
    /// By which process.
    pub by: usize,
}

pub struct Process {
    pub place: usize,
    pub slot: Option<u32>,
    pub machine: Worker<Win>,
    /// Its clock: parts per million it runs fast, and what it read at instant 0.
    ppm: i64,
    offset: u64,
    pub alive: bool,
    pub paused_until: u64,
    pub cut_until: u64,
    pub id: Option<WorkerId>,
    /// Which of the coordinator's runs it belongs to.
    pub era: u32,
    /// When a heartbeat of it was last answered, in truth.
    pub granted: Option<u64>,
    pub exit: Option<Exit>,
    /// What it really did.
    pub truth: Totals,
    pub most_unsent: u32,
    load: Load,
}

#[derive(Default)]
struct Load {
    preparing: Option<(u64, Slice)>,
    has_threads: bool,
    start: Option<u64>,
    stop_at: u64,
    turns: Vec<Turn>,
    lease_until: u64,
    next_k: u64,
    window: Totals,
    window_ends: u64,
    ends_at: Option<u64>,
    ended: bool,
}

impl Process {
    pub fn new(place: usize, config: Config, rng: &mut fastrand::Rng) -> Self {
        Self {
            place,
            slot: config.slot,
            machine: Worker::new(config),
            ppm: rng.i64(-90..=90),
            offset: rng.u64(0..10_000 * S),
            alive: true,
            paused_until: 0,
            cut_until: 0,
            id: None,
            era: 0,
            granted: None,
            exit: None,
            truth: Totals::default(),
            most_unsent: 0,
            load: Load::default(),
        }
    }

    pub fn clock(&self, truth: u64) -> u64 {
        (self.offset + truth).saturating_add_signed(truth as i64 / 1_000_000 * self.ppm)
    }

    /// The first instant at which its clock shows `own`.
    pub fn truth(&self, own: u64) -> u64 {
        let mut truth = own.saturating_sub(self.offset);
        truth = truth.saturating_add_signed(-(truth as i64 / 1_000_000 * self.ppm)).saturating_sub(2_000);
        while self.clock(truth) < own {
            truth += own - self.clock(truth);
        }
        truth
    }

    pub fn is_running(&self, now: u64) -> bool {
        self.alive && self.exit.is_none() && now >= self.paused_until
    }

    /// When something happens here by itself.
    pub fn wakes(&self) -> Option<u64> {
        if !self.alive || self.exit.is_some() {
            return None;
        }
        let load = &self.load;
        let arrival = load.start.filter(|_| load.ends_at.is_none());
        let arrival = arrival.map(|start| start + load.next_k.min(ARRIVALS) * GAP);
        let window = load.start.filter(|_| !load.ended).map(|_| load.window_ends);
        let ready = load.preparing.map(|(at, _)| at);
        let own = [self.machine.wait_until(), arrival, window, ready, load.ends_at.filter(|_| !load.ended)];
        own.into_iter().flatten().min().map(|own| self.truth(own).max(self.paused_until))
    }

    /// Let the threads do what is due, then the machine; `sent` takes what goes out, the answer is calls.
    pub fn wake(
        &mut self,
        now: u64,
        mutation: Mutation,
        rng: &mut fastrand::Rng,
        sent: &mut Vec<Sent>,
    ) -> Vec<(u64, Request<Win>, u64)> {
        let mut calls = Vec::new();
        for event in self.run_threads(now, mutation, sent) {
            self.feed(event, now, rng, &mut calls);
        }
        self.feed(Event::Tick, now, rng, &mut calls);
        calls
    }

    /// Feed the machine and do what it says.
    pub fn feed(
        &mut self,
        event: Event<Win>,
        now: u64,
        rng: &mut fastrand::Rng,
        calls: &mut Vec<(u64, Request<Win>, u64)>,
    ) {
        let own = self.clock(now);
        let mut events = std::collections::VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.machine.step(event, own) {
                match effect {
                    Effect::Call { call, request, timeout_ns } => {
                        if let Request::Heartbeat(_, beat) = &request {
                            self.most_unsent = self.most_unsent.max(beat.health.unsent_windows);
                        }
                        calls.push((call, request, timeout_ns));
                    }
                    Effect::UsePlan(PlanText { .. }) => events.push_back(Event::PlanChecked(Ok(()))),
                    Effect::Prepare(slice) => {
                        self.load.has_threads = true;
                        self.load.preparing = Some((own + rng.u64(50 * MS..500 * MS), slice));
                    }
                    Effect::Start { at_ns } => {
                        assert!(self.load.start.is_none(), "started twice");
                        self.load.start = Some(at_ns);
                        self.load.stop_at = at_ns + ARRIVALS * GAP;
                        self.load.window_ends = at_ns.max(own) + S;
                        // What fell due before there was a lease is not sent any more.
                        while at_ns + self.load.next_k * GAP < own && self.load.next_k < ARRIVALS {
                            self.arrive(false);
                        }
                    }
                    Effect::Turns(turns) => self.load.turns = turns,
                    Effect::Lease { until_ns } => {
                        assert!(until_ns > self.load.lease_until, "a lease that shrinks");
                        self.load.lease_until = until_ns;
                    }
                    Effect::StopLoad => {
                        self.load.preparing = None;
                        self.load.ends_at.get_or_insert(own + rng.u64(1..200 * MS));
                    }
                    Effect::Exit(exit) => self.exit = Some(exit),
                }
            }
        }
    }

    /// The next arrival comes: owned or not, sent or dropped. Whether it was sent.
    fn arrive(&mut self, may_send: bool) -> bool {
        let k = self.load.next_k;
        self.load.next_k += 1;
        let turn = self.load.turns.iter().rfind(|t| t.from_ns <= k * GAP);
        let owned = turn.and_then(|t| t.share).is_some_and(|s| k % u64::from(s.of) == u64::from(s.slot));
        if owned {
            self.load.window.due += 1;
            if may_send {
                self.load.window.sent += 1;
                self.load.window.completed += 1;
            } else {
                self.load.window.dropped += 1;
            }
        }
        owned && may_send
    }

    fn run_threads(&mut self, now: u64, mutation: Mutation, sent: &mut Vec<Sent>) -> Vec<Event<Win>> {
        let own = self.clock(now);
        let mut events = Vec::new();
        if let Some((_, slice)) = self.load.preparing.take_if(|(at, _)| own >= *at) {
            events.push(Event::Prepared(slice, Ok(())));
        }
        if let Some(start) = self.load.start
            && self.load.ends_at.is_none()
        {
            while self.load.next_k < ARRIVALS && start + self.load.next_k * GAP <= own {
                let k = self.load.next_k;
                let leased = own < self.load.lease_until || mutation == Mutation::LeaseIgnored;
                let in_time = own < self.load.stop_at || mutation == Mutation::SentAfterTheEnd;
                if self.arrive(leased && in_time) {
                    sent.push(Sent { k, at: now, own_ns: own as i64 - start as i64, by: self.place });
                }
            }
            if self.load.next_k == ARRIVALS && own >= self.load.stop_at {
                self.load.ends_at = Some(own + 20 * MS);
            }
        }
        if !self.load.ended {
            let ends = self.load.ends_at.is_some_and(|at| own >= at);
            if self.load.start.is_some() && (own >= self.load.window_ends || ends) {
                while self.load.window_ends <= own {
                    self.load.window_ends += S;
                }
                let window = std::mem::take(&mut self.load.window);
                self.truth.add(&window);
                events.push(Event::Window(Win(window)));
            }
            if ends {
                self.load.ended = true;
                events.push(Event::LoadEnded);
            }
        }
        events
    }
}
