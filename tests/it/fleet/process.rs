//! A worker process of the simulation: its machine, its clock, and load threads that follow orders.

use loadtester::fleet::coordinator::Partitioning;
use loadtester::fleet::messages::{Assignment, PlanBundle, Totals, WorkerId};
use loadtester::fleet::worker::{Config, Effect, Event, Exit, Request, Window, Worker};
use loadtester::plan::Shard;

use super::{ARRIVALS, GAP, MS, Mutation, S};

/// A window of the simulation.
#[derive(Clone, Debug, PartialEq)]
pub struct SimWindow(pub Totals);

impl Window for SimWindow {
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
    /// Which arrival of the whole schedule, or which of the plan's requests.
    pub k: u64,
    /// The place it was sent for.
    pub slot: u32,
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
    pub machine: Worker<SimWindow>,
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
    /// Its connections cannot be opened.
    pub is_unable: bool,
    load: Load,
}

struct Load {
    partitioning: Partitioning,
    /// Of a stretch of requests, how many were made.
    made: u64,
    preparing: Option<(u64, Shard)>,
    start: Option<u64>,
    stop_at: u64,
    assignments: Vec<Assignment>,
    lease_until: u64,
    next_k: u64,
    window: Totals,
    window_ends: u64,
    ends_at: Option<u64>,
    ended: bool,
}

impl Process {
    pub fn new(place: usize, config: Config, partitioning: Partitioning, rng: &mut fastrand::Rng) -> Self {
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
            is_unable: false,
            load: Load::new(partitioning),
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
        let last_k = if load.partitioning == Partitioning::Requests { u64::MAX } else { ARRIVALS };
        let arrival = arrival.map(|start| start + load.next_k.min(last_k) * GAP);
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
    ) -> Vec<(u64, Request<SimWindow>, u64)> {
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
        event: Event<SimWindow>,
        now: u64,
        rng: &mut fastrand::Rng,
        calls: &mut Vec<(u64, Request<SimWindow>, u64)>,
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
                    Effect::UsePlan(PlanBundle { .. }) => events.push_back(Event::PlanChecked(Ok(()))),
                    Effect::Prepare(slice) => {
                        self.load.preparing = Some((own + rng.u64(50 * MS..500 * MS), slice));
                    }
                    Effect::Start { at_ns } => {
                        assert!(self.load.start.is_none(), "started twice");
                        self.load.start = Some(at_ns);
                        let has_end = self.load.partitioning != Partitioning::Requests;
                        self.load.stop_at = if has_end { at_ns + ARRIVALS * GAP } else { u64::MAX };
                        self.load.window_ends = at_ns.max(own) + S;
                        // What fell due before there was a lease is not sent any more.
                        while at_ns + self.load.next_k * GAP < own
                            && (self.load.next_k < ARRIVALS || !has_end)
                        {
                            self.arrive(false);
                        }
                    }
                    Effect::Assignments(assignments) => self.load.assignments = assignments,
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

    /// The next arrival comes, or the next turn of a connection: what is sent, and for which place.
    fn arrive(&mut self, may_send: bool) -> Option<(u64, u32)> {
        let load = &mut self.load;
        let k = load.next_k;
        load.next_k += 1;
        let shard = load.assignments.iter().rfind(|t| t.from_ns <= k * GAP).and_then(|t| t.shard)?;
        let (slot, of) = (u64::from(shard.slot), u64::from(shard.of));
        let k = match load.partitioning {
            Partitioning::Arrivals if k % of != slot => return None,
            Partitioning::Arrivals => k,
            // Without a lease a connection only waits.
            _ if !may_send => return None,
            Partitioning::Connections => k,
            Partitioning::Requests if slot + of * load.made >= ARRIVALS => return None,
            Partitioning::Requests => {
                load.made += 1;
                slot + of * (load.made - 1)
            }
        };
        load.window.due += 1;
        if !may_send {
            load.window.dropped += 1;
            return None;
        }
        load.window.sent += 1;
        load.window.completed += 1;
        Some((k, shard.slot))
    }

    /// Whether nothing is left to be sent by its load threads, at `own`.
    fn is_through(&self, own: u64) -> bool {
        let load = &self.load;
        match (load.partitioning, load.assignments.iter().find_map(|t| t.shard)) {
            (Partitioning::Requests, Some(shard)) => {
                u64::from(shard.slot) + u64::from(shard.of) * load.made >= ARRIVALS
            }
            _ => load.next_k == ARRIVALS && own >= load.stop_at,
        }
    }

    fn run_threads(&mut self, now: u64, mutation: Mutation, sent: &mut Vec<Sent>) -> Vec<Event<SimWindow>> {
        let own = self.clock(now);
        let mut events = Vec::new();
        if let Some((_, slice)) = self.load.preparing.take_if(|(at, _)| own >= *at) {
            let result = if self.is_unable { Err("no connection".to_owned()) } else { Ok(()) };
            events.push(Event::Prepared(slice, result));
        }
        if let Some(start) = self.load.start
            && self.load.ends_at.is_none()
        {
            let most_k = if self.load.partitioning == Partitioning::Requests { u64::MAX } else { ARRIVALS };
            while self.load.next_k < most_k && start + self.load.next_k * GAP <= own {
                let leased = own < self.load.lease_until || mutation == Mutation::LeaseIgnored;
                let in_time = own < self.load.stop_at || mutation == Mutation::SentAfterTheEnd;
                if let Some((k, slot)) = self.arrive(leased && in_time) {
                    let own_ns = own as i64 - start as i64;
                    sent.push(Sent { k, slot, at: now, own_ns, by: self.place });
                }
            }
            if self.is_through(own) {
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
                events.push(Event::Window(SimWindow(window)));
            }
            if ends {
                self.load.ended = true;
                events.push(Event::LoadEnded);
            }
        }
        events
    }
}

impl Load {
    fn new(partitioning: Partitioning) -> Self {
        Self {
            partitioning,
            made: 0,
            preparing: None,
            start: None,
            stop_at: 0,
            assignments: Vec::new(),
            lease_until: 0,
            next_k: 0,
            window: Totals::default(),
            window_ends: 0,
            ends_at: None,
            ended: false,
        }
    }
}
