//! Runs a load thread: opens connections, waits for the start, applies load, drains.

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::Duration;

use crossbeam_channel::TryRecvError;

use super::failure::Fault;
use super::job::{FirstConnects, Job, Last, WINDOW_NS, Window};
use super::transport::{BUFFER_BYTES, Transport};
use super::tunnel;
use crate::client::{Action, Client, RowSupply};
use crate::sys::{self, Addresses, MAX_EVENTS, Poller, RealtimeOffset, ThreadTls};
use crate::tally::{Tally, ThreadHealth};

/// The longest sleep, in nanoseconds; a request to stop is noticed within it.
const LONGEST_WAIT_NS: u64 = 50_000_000;
/// With requests due closer together than this, a thread polls instead of sleeping: falling asleep and waking
/// twice per request, for its response and for the next one, takes a core about as long, and each wake-up
/// would be late by a part of it.
const SHORTEST_GAP_NS: u64 = 50_000;
/// The longest sleep while waiting for the start.
const START_WAIT_NS: u64 = 200_000;
/// The most that a wait takes if events are ready at once: the call, and copying each event. Leaving a core
/// and coming back takes longer.
const NO_SLEEP_NS: u64 = 2_000;
const NO_SLEEP_NS_PER_EVENT: u64 = 150;

/// A send this long after the last look at all sockets is late: this thread was held up meanwhile.
const LATE_NS: u64 = 1_000_000;

/// Between looks for an empty tally, where there has to be one.
const EMPTY_TALLY_WAIT: Duration = Duration::from_micros(50);

/// One load thread and everything it owns.
pub(super) struct Thread {
    pub(super) job: Job,
    pub(super) client: Client,
    pub(super) poller: Poller,
    /// By target.
    pub(super) ways: Box<[Way]>,
    /// By connection, from the connect call on.
    pub(super) transports: Box<[Option<Transport>]>,
    /// Distinguishes events of a connection's current socket from those of earlier ones.
    pub(super) generations: Box<[u32]>,
    /// Connections with more to read although their edge is consumed, and whether each is among them.
    pub(super) unread: VecDeque<u32>,
    pub(super) is_unread: Box<[bool]>,
    pub(super) buffer: Box<[u8]>,
    pub(super) offset: RealtimeOffset,
    /// Time spent waiting since `observed_from_ns`.
    idle_ns: u64,
    observed_from_ns: u64,
    /// When the last step ended; `next_at_ns` is when, as of then, something else comes due.
    stepped_at_ns: u64,
    /// Consecutive waits that returned as many events as possible, and when the first of them began.
    full_rounds: usize,
    full_since_ns: u64,
    next_at_ns: u64,
    /// Up to when the last wait has seen what came.
    seen_to_ns: u64,
    /// Whether anything came due or was done in this step.
    acted: bool,
    pinned: bool,
    fault: Fault,
}

/// How this thread's connections get to one target.
pub(super) struct Way {
    pub(super) addresses: Addresses,
    /// The version of the route that `addresses` is from.
    pub(super) route_seen: u64,
    /// The request for a tunnel through the target's proxy.
    pub(super) tunnel: Option<Box<[u8]>>,
    /// Creates TLS sessions, if the target is https.
    pub(super) tls: Option<ThreadTls>,
}

impl Way {
    fn new(job: &Job, target: usize, connections: usize) -> Self {
        let (peer, each) = (&job.peers[target], job.share.connections);
        let turn = (each as usize).wrapping_mul(job.share.arrivals.0 as usize);
        let target = &job.spec.plan.targets[target];
        Self {
            addresses: Addresses::new(peer.route.addresses(), peer.route.sources(), connections, turn),
            route_seen: 0,
            tunnel: target.tunnel().map(|proxy| tunnel::request(proxy, target)),
            tls: peer.tls.as_ref().map(|tls| tls.for_thread(each)),
        }
    }
}

impl Thread {
    pub(crate) fn new(mut job: Job, poller: Poller) -> Self {
        let targets = job.spec.plan.targets.len();
        let n = job.share.connections as usize * targets;
        let tally = Tally::for_connections(job.spec.plan.scenarios.len(), n).with_targets(targets);
        let tally = Box::new(tally);
        let mut client = Client::new(job.spec.clone(), job.share.clone(), tally);
        if let Some(channels) = job.rows.take() {
            client.supply(RowSupply::new(&job.spec, job.thread, job.share.arrivals.1, channels));
        }
        Self {
            client,
            poller,
            ways: (0..targets).map(|target| Way::new(&job, target, n)).collect(),
            transports: (0..n).map(|_| None).collect(),
            generations: vec![0; n].into(),
            unread: VecDeque::with_capacity(n),
            is_unread: vec![false; n].into(),
            buffer: vec![0; BUFFER_BYTES].into(),
            offset: RealtimeOffset::measure(&job.clock),
            idle_ns: 0,
            observed_from_ns: u64::MAX,
            stepped_at_ns: 0,
            full_rounds: 0,
            full_since_ns: 0,
            next_at_ns: 0,
            seen_to_ns: 0,
            acted: false,
            pinned: false,
            fault: Fault::of(job.thread),
            job,
        }
    }

    /// # Errors
    /// What the kernel says when it cannot be waited for.
    pub(crate) fn run(mut self) -> io::Result<()> {
        self.pinned = self.job.core.is_some_and(sys::cores::pin);
        sys::set_timer_slack();
        self.client.open();
        while !self.client.is_settled() && !self.job.control.is_stopped() {
            self.step(LONGEST_WAIT_NS)?;
        }
        // A closed channel means that the run was given up.
        let _ = self.job.settled.send(FirstConnects { reached: self.client.reached_targets().collect() });
        let (start_ns, from_ns) = loop {
            match self.job.control.begins() {
                Some(begins) => break begins,
                None if self.job.control.is_stopped() => return Ok(()),
                None => self.step(START_WAIT_NS)?,
            }
        };
        // Not before that time: what is sent earlier is neither warm-up nor measured.
        while let wait_ns @ 1.. = from_ns.saturating_sub(self.job.clock.now()) {
            if self.job.control.is_stopped() {
                break;
            }
            self.step(wait_ns.min(LONGEST_WAIT_NS))?;
        }
        self.client.join(start_ns, from_ns);
        self.load(start_ns + self.job.spec.plan.load.warmup_ns)
    }

    /// Apply load until there is nothing left to do, or it fails; what was counted is sent in both cases.
    fn load(&mut self, measure_from_ns: u64) -> io::Result<()> {
        self.observed_from_ns = measure_from_ns.max(self.job.clock.now());
        let mut window_ends = measure_from_ns + WINDOW_NS;
        let mut timetables = 0;
        let (load_ended_at_ns, ended) = loop {
            let now = self.job.clock.now();
            if now >= window_ends {
                self.ship(now);
                window_ends += WINDOW_NS * (1 + (now - window_ends) / WINDOW_NS);
            }
            let stop_at_ns = self.job.control.stops_at_ns();
            if stop_at_ns < self.client.stops_at_ns() {
                self.client.stop(stop_at_ns.max(now));
            }
            if self.job.control.has_timetables_since(&mut timetables) {
                self.job
                    .timetables
                    .try_iter()
                    .for_each(|(from_ns, table)| self.client.follow(from_ns, table));
            }
            if self.client.is_done(now) {
                break (self.client.load_ended(now), Ok(()));
            }
            if let Err(error) = self.step(window_ends.saturating_sub(now).min(LONGEST_WAIT_NS)) {
                // Nothing falls due any more: what did has not been looked at.
                self.client.stop(now);
                break (self.client.load_ended(now), Err(error));
            }
            if self.client.tally().wants_shipping() {
                self.ship_early();
            }
        };
        self.client.count_unreached();
        // A thread that fails ends no part of the run: the collector waits for the failure's message.
        let last = ended.is_ok().then_some(Last { load_ended_at_ns });
        let now = self.job.clock.now();
        // The load is over, so waiting for an empty tally delays nothing. None will come if the collector is
        // gone, and then ours is not needed.
        if let Ok(empty) = self.job.empties.recv() {
            self.send_window(empty, now, last);
        }
        ended
    }

    /// Close the window if an empty tally is available; otherwise continue with this one.
    fn ship(&mut self, now: u64) {
        if let Ok(empty) = self.job.empties.try_recv() {
            self.send_window(empty, now, None);
            match self.fault {
                Fault::None => {}
                Fault::Panic => panic!("as LOADTESTER_FAULT says"),
                Fault::Wait => self.poller = Poller::broken(),
            }
        }
    }

    /// Close the window early, because its tally has few pages left. If it has none, waiting for an empty
    /// tally is better than continuing without: what is sent late meanwhile is measured as send delay.
    #[cold]
    fn ship_early(&mut self) {
        loop {
            match self.job.empties.try_recv() {
                Ok(empty) => return self.send_window(empty, self.job.clock.now(), None),
                // Sleeping does not allocate, unlike waiting on the channel.
                Err(TryRecvError::Empty)
                    if self.client.tally().must_ship() && !self.job.control.is_stopped() =>
                {
                    thread::sleep(EMPTY_TALLY_WAIT);
                }
                Err(_) => return,
            }
        }
    }

    fn send_window(&mut self, empty: Box<Tally>, now: u64, last: Option<Last>) {
        // The drain is not measured time.
        let observed_ns = now.min(self.client.stops_at_ns()).saturating_sub(self.observed_from_ns);
        let health = ThreadHealth {
            core: self.job.core.filter(|_| self.pinned),
            busy_ns: observed_ns.saturating_sub(self.idle_ns),
            observed_ns,
            in_flight: self.client.in_flight(),
            backlog: self.client.backlog(),
            connections: self.client.established(),
        };
        let tally = self.client.swap_tally(empty, now);
        let window = Window { thread: self.job.thread, ended_at_ns: now, tally, health, last };
        // The channel has capacity for every tally; it is closed only when the collector is gone.
        let _ = self.job.windows.try_send(window);
    }

    /// Do what is due, wait for the next event but no longer than `most_ns`, and handle it.
    #[inline]
    fn step(&mut self, most_ns: u64) -> io::Result<()> {
        let now = self.job.clock.now();
        self.acted = now >= self.next_at_ns;
        self.drain(now);
        let before = self.job.clock.now();
        let left_ns =
            self.client.wait_until(before).map_or(most_ns, |at| at.saturating_sub(before).min(most_ns));
        let hurried = self.job.may_poll && self.client.gap_ns() < SHORTEST_GAP_NS;
        let polls = hurried || self.job.busy_poll || !self.unread.is_empty();
        let wait_ns = if polls { 0 } else { left_ns };
        // A stop of this process interrupts a wait: then nobody has looked, and there are no events.
        let looked = match self.poller.wait(wait_ns) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => None,
            waited => Some(waited?),
        };
        let events = looked.unwrap_or(0);
        let mut now = self.job.clock.now();
        self.seen_to_ns = if looked.is_some() { now } else { self.seen_to_ns };
        let idle_from_ns = match polls {
            // A round in which nothing happened was waiting as a whole.
            true if events == 0 && !self.acted && self.unread.is_empty() => self.stepped_at_ns,
            false if slept(now - before, events) => before,
            _ => now,
        };
        // A wait may have begun before the measured time did.
        let observed_to_ns = now.min(self.client.stops_at_ns());
        self.idle_ns += observed_to_ns.saturating_sub(idle_from_ns.max(self.observed_from_ns));
        self.next_at_ns = before + left_ns;
        self.offset.refresh(&self.job.clock, now);
        for i in 0..events {
            now = self.serve(self.poller.ready(i), now);
            now = self.drain(now);
        }
        for _ in 0..self.unread.len() {
            let Some(c) = self.unread.pop_front() else { break };
            self.is_unread[c as usize] = false;
            // Whether it was hung up is not remembered, and there may be no edge left to wait for.
            now = self.read(c, true, now);
            now = self.drain(now);
        }
        if let Some(served_to_ns) = self.served_to(events, before) {
            let is_unread = &self.is_unread;
            self.client.advance_except(served_to_ns, |c| is_unread[c as usize]);
            now = self.drain(now);
        }
        self.stepped_at_ns = now;
        Ok(())
    }

    /// The time up to which everything that was in the kernel has been served, except for connections with
    /// more to read. Deadlines are checked only up to it: a response that arrived in time is in time, even if
    /// we are late.
    fn served_to(&mut self, events: usize, waited_from_ns: u64) -> Option<u64> {
        if events < MAX_EVENTS {
            self.full_rounds = 0;
            return Some(waited_from_ns);
        }
        // There were more events than one wait returns. Sockets are served in turn, so after this many rounds
        // all that were ready before the first of them have been served.
        if self.full_rounds == 0 {
            self.full_since_ns = waited_from_ns;
        }
        self.full_rounds += 1;
        let all_served = self.full_rounds > self.transports.len() / MAX_EVENTS;
        all_served.then(|| {
            self.full_rounds = 0;
            self.full_since_ns
        })
    }

    /// Execute all actions of the client; returns the current time.
    #[inline]
    pub(super) fn drain(&mut self, mut now: u64) -> u64 {
        self.client.permit(self.job.control.permitted_until_ns());
        while let Some(action) = self.client.next(now) {
            self.acted = true;
            match action {
                Action::Send(c) if now - self.seen_to_ns > LATE_NS => self.write_late(c, now),
                Action::Send(c) => self.write(c, now),
                Action::Connect(c) => self.connect(c, now),
                Action::Close(c) => self.close(c),
                Action::AwaitRow => {
                    self.client.await_row();
                    let ns = self.job.clock.now().saturating_sub(now);
                    self.client.awaited_row(ns);
                }
            }
            if !self.client.may_have_more() {
                break;
            }
            now = self.job.clock.now();
        }
        now
    }
}

/// Whether a wait of `took_ns` that returned `events` was idle time. A thread that never catches up finds its
/// next events ready at each call; the call itself is work.
#[inline]
fn slept(took_ns: u64, events: usize) -> bool {
    took_ns > NO_SLEEP_NS + NO_SLEEP_NS_PER_EVENT * events as u64
}
