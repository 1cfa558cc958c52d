//! One thread's exchanges, connections and backlog: fed with events and `now`, drained for actions.
//!
//! The caller owns sockets and clock. It feeds one event with the instant it was seen, then asks
//! [`Client::next`] for actions until there are none, then waits no longer than
//! [`Client::wait_until`]. Nothing here blocks, reads a clock or, after [`Client::start`], allocates
//! (a response head that arrives in pieces is the exception).
//!
//! Law, at every instant, over measured requests: due = completed + failed + dropped + outstanding,
//! where outstanding is the backlog and what is in flight.

mod connection;
mod deadlines;
mod demand;
mod exchange;
#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::http1::{HeadMemo, Request};
use crate::plan::{Model, Plan, Share};
use crate::schedule::Picker;
use crate::tally::{Detail, Outcome, Tally};
use connection::{Connection, State};
use deadlines::Deadlines;
use demand::Demand;
use exchange::{Arrival, Exchange};

/// Connection attempts under way at once, per thread: more would overrun a target's listen queue
/// (4,096 on current kernels) and be retried by TCP after a whole second.
const MAX_CONNECTING: u32 = 256;
/// A closed-model connection whose attempts fail waits this long before the next one, doubled each
/// time up to the maximum: a dead target is asked, not flooded.
const FIRST_BACKOFF_NS: u64 = 1_000_000;
const MAX_BACKOFF_NS: u64 = 500_000_000;

/// What the caller has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin a connection attempt; answer with [`Client::connected`] or [`Client::connect_failed`].
    Connect(u32),
    /// Send [`Client::outgoing`]; answer with [`Client::sent`].
    Send(u32),
    /// Close the socket. Nothing is to be answered.
    Close(u32),
}

/// How the target ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// An orderly end of the stream.
    Eof,
    /// An error, with the operating system's number.
    Reset(i32),
}

/// What all threads of a run share, read-only.
#[derive(Debug)]
pub struct Brief {
    /// The checked plan.
    pub plan: Plan,
    /// Requests as bytes, indexed like the plan's scenarios.
    pub requests: Box<[Request]>,
    /// Which scenario the k-th request is.
    pub picker: Picker,
    /// Seed of all randomness.
    pub seed: u64,
}

impl Brief {
    /// Encode `plan`'s requests and lay out its sequence.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let encode = |s: &crate::plan::Scenario| {
            crate::http1::encode(&s.method, &s.path, &plan.target.authority, &s.headers, &s.body)
        };
        let requests = plan.scenarios.iter().map(encode).collect();
        let picker =
            Picker::new(&plan.weights(), seed).expect("a checked plan's weights have a short period");
        Self { plan, requests, picker, seed }
    }
}

/// Instants of the run, in nanoseconds on its clock.
#[derive(Clone, Copy, Debug)]
struct Course {
    measure_from: u64,
    stop: u64,
    give_up: u64,
}

/// One thread's client.
#[derive(Debug)]
pub struct Client {
    brief: Arc<Brief>,
    share: Share,
    demand: Option<Demand>,
    course: Course,
    connections: Vec<Connection>,
    deadlines: Deadlines,
    /// Deadline list of each scenario, and the lists' lengths.
    timeout_list: Box<[(u32, u64)]>,
    connect_list: (u32, u64),
    retry_list: u32,
    /// Connections to open, oldest first.
    wanted: VecDeque<u32>,
    /// Connections without a socket that open when a request needs them.
    spare: Vec<u32>,
    /// Connections to close.
    closing: VecDeque<u32>,
    /// Connections that may carry a request now; in the open model some may have gone stale.
    free: VecDeque<u32>,
    /// Established connections that have a request waiting for them.
    ready: VecDeque<u32>,
    connecting: u32,
    established: u32,
    in_flight: u32,
    memo: HeadMemo,
    tally: Box<Tally>,
    any_connected: bool,
    first_connect_failure: Option<(Outcome, Detail)>,
}

impl Client {
    /// A client for one slot of the plan. `tally` is an empty one for this plan.
    pub fn new(brief: Arc<Brief>, share: Share, tally: Box<Tally>) -> Self {
        let n = share.connections as usize;
        let mut lengths: Vec<u64> = brief.plan.scenarios.iter().map(|s| s.timeout_ns).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let place = |ns: u64| lengths.binary_search(&ns).expect("collected above") as u32;
        let timeout_list = brief.plan.scenarios.iter().map(|s| (place(s.timeout_ns), s.timeout_ns)).collect();
        // A connection is for every scenario: it may take as long as the most patient one.
        let connect_ns = *lengths.last().expect("a plan has a scenario");
        let lists = lengths.len() as u32;
        Self {
            share,
            demand: None,
            course: Course { measure_from: u64::MAX, stop: u64::MAX, give_up: u64::MAX },
            connections: (0..n).map(|_| Connection::new()).collect(),
            deadlines: Deadlines::new(n, lengths.len() + 2),
            timeout_list,
            connect_list: (lists, connect_ns),
            retry_list: lists + 1,
            wanted: VecDeque::with_capacity(n),
            spare: Vec::with_capacity(n),
            closing: VecDeque::with_capacity(n),
            free: VecDeque::with_capacity(n),
            ready: VecDeque::with_capacity(n),
            connecting: 0,
            established: 0,
            in_flight: 0,
            memo: HeadMemo::new(),
            tally,
            any_connected: false,
            first_connect_failure: None,
            brief,
        }
    }

    // ── the course of a run ──

    /// Begin to open the connections the run starts with: all that were asked for, or one, to know
    /// that there is a target.
    pub fn open(&mut self) {
        let all = self.share.connections;
        let first = if self.opens_on_demand() { all.min(1) } else { all };
        self.wanted.extend(0..first);
        self.spare.extend((first..all).rev());
    }

    /// Whether every attempt made so far has ended, one way or the other.
    pub fn is_settled(&self) -> bool {
        self.wanted.is_empty() && self.connecting == 0
    }

    /// Whether any connection was ever established; if not, why the first attempt failed.
    pub fn reached_target(&self) -> Result<bool, (Outcome, Detail)> {
        match self.first_connect_failure {
            Some(failure) if !self.any_connected => Err(failure),
            _ => Ok(self.any_connected),
        }
    }

    /// Apply load from `start_ns` on, which must not lie in the past of any event fed so far.
    pub fn start(&mut self, start_ns: u64) {
        let load = &self.brief.plan.load;
        let measure_from = start_ns + load.warmup_ns;
        let stop = load.duration_ns.map_or(u64::MAX, |d| measure_from + d);
        self.course = Course { measure_from, stop, give_up: stop.saturating_add(load.drain_ns) };
        let period = self.brief.picker.period();
        let demand = Demand::new(load, &self.share, period, self.brief.seed, start_ns);
        if matches!(demand, Demand::Closed(_)) {
            // Those under way follow when their attempt has ended; the others begin now.
            self.wanted.clear();
            let under_way = |c: &u32| self.connections[*c as usize].state == State::Connecting;
            self.ready.extend((0..self.share.connections).filter(|c| !under_way(c)));
        }
        self.demand = Some(demand);
    }

    /// Make no new requests from `now` on; those outstanding have the plan's drain time.
    pub fn stop(&mut self, now: u64) {
        if now < self.course.stop {
            self.course.stop = now;
            self.course.give_up = now.saturating_add(self.brief.plan.load.drain_ns);
        }
    }

    /// Whether nothing is left to do: all answered, or the drain time is over.
    pub fn is_done(&self, now: u64) -> bool {
        let exhausted = match &self.demand {
            None => false,
            Some(Demand::Closed(closed)) => now >= self.course.stop || closed.is_empty(),
            Some(Demand::Open(open)) => self.next_due(open).is_none() && open.backlog.is_empty(),
        };
        (exhausted && self.in_flight == 0) || now >= self.course.give_up
    }

    /// When requests stopped being made: the instant load ended, or `now` if the last one ended before.
    pub fn load_ended(&self, now: u64) -> u64 {
        now.min(self.course.stop)
    }

    /// Measured requests that are due and have not ended: backlog and in flight. Looks at every
    /// connection: for the end of a run and for tests.
    pub fn outstanding(&self) -> u64 {
        let carried = self.connections.iter().filter_map(|c| c.exchange.as_ref());
        let waiting = match &self.demand {
            Some(Demand::Open(open)) => Some(open.backlog.iter()),
            _ => None,
        };
        carried.chain(waiting.into_iter().flatten()).filter(|x| x.measured).count() as u64
    }

    /// Requests on the wire or waiting for their own connection attempt.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.into()
    }

    /// Due requests waiting for a free connection.
    pub fn backlog(&self) -> u64 {
        match &self.demand {
            Some(Demand::Open(open)) => open.backlog.len() as u64,
            _ => 0,
        }
    }

    /// Established connections.
    pub fn established(&self) -> u64 {
        self.established.into()
    }

    /// The tally of the current window.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Hand out the tally of the window that ends now, and go on with an empty one.
    pub fn swap_tally(&mut self, empty: Box<Tally>) -> Box<Tally> {
        std::mem::replace(&mut self.tally, empty)
    }

    // ── events ──

    /// The attempt on `c` succeeded.
    pub fn connected(&mut self, c: u32, now: u64) {
        let connection = &mut self.connections[c as usize];
        debug_assert_eq!(connection.state, State::Connecting);
        let took = now - connection.connecting_since_ns;
        (connection.state, connection.failures) = (State::Idle, 0);
        (connection.served, connection.written_total) = (0, 0);
        connection.idle_since_ns = now;
        self.deadlines.clear(c);
        self.connecting -= 1;
        self.established += 1;
        self.any_connected = true;
        self.tally.connections_opened += 1;
        self.tally.connect_time.record(took);
        self.becomes_free(c);
    }

    /// The attempt on `c` failed.
    pub fn connect_failed(&mut self, c: u32, outcome: Outcome, detail: Detail, now: u64) {
        self.closing.push_back(c);
        self.attempt_failed(c, outcome, detail, now, now);
    }

    /// `n` bytes of [`Client::outgoing`] were taken by the kernel.
    #[inline]
    pub fn sent(&mut self, c: u32, n: usize) {
        let connection = &mut self.connections[c as usize];
        connection.written += n as u32;
        connection.written_total += n as u64;
        if let Some(exchange) = connection.exchange.filter(|x| x.measured) {
            self.tally.scenarios[usize::from(exchange.scenario)].bytes_sent += n as u64;
        }
    }

    /// `bytes` were read from `c`; `stamp_ns` is the kernel's word on when the last of them was there.
    #[inline]
    pub fn received(&mut self, c: u32, bytes: &[u8], stamp_ns: Option<u64>, now: u64) {
        let connection = &mut self.connections[c as usize];
        let (State::Busy, Some(exchange)) = (connection.state, &mut connection.exchange) else {
            if connection.state == State::Idle {
                self.drop_connection(c);
            }
            return;
        };
        let arrival = exchange.arrived(bytes.len(), stamp_ns, now);
        let is_head = self.brief.requests[usize::from(exchange.scenario)].is_head;
        match connection.decoder.feed(bytes, is_head, &mut self.memo) {
            Ok(fed) if fed.complete => self.complete(c, fed.consumed == bytes.len(), arrival),
            Ok(_) => {}
            Err(error) => self.fail(c, Outcome::ProtocolError, arrival.at_ns, Detail::Protocol(error)),
        }
    }

    /// `n` bytes, at most [`Client::skippable`], were discarded from `c`.
    #[inline]
    pub fn skipped(&mut self, c: u32, n: u64, stamp_ns: Option<u64>, now: u64) {
        let connection = &mut self.connections[c as usize];
        let Some(exchange) = &mut connection.exchange else { return };
        let arrival = exchange.arrived(n as usize, stamp_ns, now);
        if connection.decoder.skip(n) {
            self.complete(c, true, arrival);
        }
    }

    /// The target closed or reset `c`. `unacknowledged`: its kernel acknowledged nothing of the
    /// current request.
    pub fn closed(&mut self, c: u32, end: End, unacknowledged: bool, now: u64) {
        let connection = &mut self.connections[c as usize];
        match (connection.state, &mut connection.exchange) {
            (State::Down | State::Connecting, _) => {}
            (State::Idle, _) | (_, None) => self.drop_connection(c),
            (State::Busy, Some(exchange)) => {
                let complete = end == End::Eof && connection.decoder.ends_here();
                let idle_closed = connection.served > 0 && exchange.received == 0 && unacknowledged;
                if complete {
                    self.complete(c, false, Arrival::judge(None, 0, now));
                } else if idle_closed && !exchange.retried {
                    exchange.retried = true;
                    self.tally.retried += u64::from(exchange.measured);
                    self.retire(c);
                    self.wanted.push_back(c);
                } else {
                    match end {
                        End::Eof => self.fail(c, Outcome::ClosedEarly, now, Detail::None),
                        End::Reset(errno) => self.fail(c, Outcome::Reset, now, Detail::Os(errno)),
                    }
                }
            }
        }
    }

    /// Let time pass: deadlines that have come by `now` end what they are for.
    #[inline]
    pub fn advance(&mut self, now: u64) {
        while let Some((c, at_ns)) = self.deadlines.expired(now) {
            self.deadline_passed(c, at_ns, now);
        }
    }

    // ── what to do ──

    /// The next thing to do; ask until there is none. A [`Action::Send`] counts as begun at `now`.
    #[inline]
    pub fn next(&mut self, now: u64) -> Option<Action> {
        if let Some(c) = self.closing.pop_front() {
            return Some(Action::Close(c));
        }
        if !self.wanted.is_empty() && self.connecting < MAX_CONNECTING {
            return self.begin_connecting(now);
        }
        match &mut self.demand {
            Some(Demand::Closed(_)) => self.next_closed(now),
            Some(Demand::Open(_)) => self.next_open(now),
            None => None,
        }
    }

    /// Whether asking [`Client::next`] again may give something. With this a caller saves a reading of
    /// its clock; it may be wrong on the side of asking.
    #[inline]
    pub fn may_have_more(&self) -> bool {
        let queued = !self.closing.is_empty() || !self.wanted.is_empty() || !self.ready.is_empty();
        queued || matches!(self.demand, Some(Demand::Open(_)))
    }

    /// Whether an attempt to connect `c` is under way.
    #[inline]
    pub fn is_connecting(&self, c: u32) -> bool {
        self.connections[c as usize].state == State::Connecting
    }

    /// Whether `c` is established.
    #[inline]
    pub fn is_established(&self, c: u32) -> bool {
        matches!(self.connections[c as usize].state, State::Idle | State::Busy)
    }

    /// The bytes of `c`'s request that the kernel has not taken yet.
    #[inline]
    pub fn outgoing(&self, c: u32) -> &[u8] {
        let connection = &self.connections[c as usize];
        match (&connection.exchange, connection.state) {
            (Some(exchange), State::Busy) => {
                &self.brief.requests[usize::from(exchange.scenario)].bytes[connection.written as usize..]
            }
            _ => &[],
        }
    }

    /// Response bytes that may be discarded from `c` unseen.
    #[inline]
    pub fn skippable(&self, c: u32) -> u64 {
        let connection = &self.connections[c as usize];
        if connection.state == State::Busy { connection.decoder.skippable() } else { 0 }
    }

    /// Bytes sent on `c` since it was established, and those of the current request.
    pub fn written(&self, c: u32) -> (u64, u64) {
        let connection = &self.connections[c as usize];
        (connection.written_total, connection.written.into())
    }

    /// The instant by which to call again if nothing happens.
    #[inline]
    pub fn wait_until(&self, now: u64) -> Option<u64> {
        let due = match &self.demand {
            Some(Demand::Open(open)) => self.next_due(open),
            _ => None,
        };
        let end = if now < self.course.stop { self.course.stop } else { self.course.give_up };
        [self.deadlines.earliest(), due, (end != u64::MAX).then_some(end)].into_iter().flatten().min()
    }

    // ── inside ──

    fn opens_on_demand(&self) -> bool {
        matches!(self.brief.plan.load.model, Model::Open { connections: None, .. })
    }

    /// When the schedule's next request is due, unless the run has been stopped before.
    #[inline]
    fn next_due(&self, open: &demand::Open) -> Option<u64> {
        open.peek().map(|(due, _)| due.at_ns).filter(|at_ns| *at_ns < self.course.stop)
    }

    fn begin_connecting(&mut self, now: u64) -> Option<Action> {
        let c = self.wanted.pop_front()?;
        let connection = &mut self.connections[c as usize];
        connection.state = State::Connecting;
        connection.connecting_since_ns = now;
        self.connecting += 1;
        self.deadlines.set(c, self.connect_list.0 as usize, now.saturating_add(self.connect_list.1));
        Some(Action::Connect(c))
    }

    #[inline]
    fn next_closed(&mut self, now: u64) -> Option<Action> {
        loop {
            let c = self.ready.pop_front()?;
            if self.connections[c as usize].exchange.is_some() {
                return Some(self.begin_send(c, None, now));
            }
            let Some(Demand::Closed(closed)) = &mut self.demand else { return None };
            let measured = now >= self.course.measure_from;
            let place = if now < self.course.stop { closed.take(measured) } else { None };
            let Some(k) = place else {
                self.ready.clear(); // nothing left for the others either
                return None;
            };
            let exchange = Exchange::due(self.brief.picker.pick(k), now, measured, &mut self.tally);
            self.in_flight += 1;
            let connection = &mut self.connections[c as usize];
            connection.exchange = Some(exchange);
            if connection.state == State::Idle {
                return Some(self.begin_send(c, None, now));
            }
            self.wanted.push_back(c);
            if self.connecting < MAX_CONNECTING {
                return self.begin_connecting(now);
            }
        }
    }

    #[inline]
    fn next_open(&mut self, now: u64) -> Option<Action> {
        if let Some(c) = self.ready.pop_front() {
            return Some(self.begin_send(c, None, now)); // sent again after an idle close
        }
        loop {
            let Some(Demand::Open(open)) = &mut self.demand else { return None };
            if let Some(first) = open.backlog.front().copied() {
                if let Some(c) = take_free(&mut self.free, &mut self.connections) {
                    open.backlog.pop_front();
                    return Some(self.carry(c, first, now));
                }
                if let Some(c) = self.connection_to_open() {
                    self.wanted.push_back(c);
                    return self.begin_connecting(now);
                }
            }
            let Some(Demand::Open(open)) = &mut self.demand else { return None };
            let (due, measured) = open.peek()?;
            if due.at_ns > now || due.at_ns >= self.course.stop {
                return None;
            }
            open.advance();
            let scenario = self.brief.picker.pick(due.k);
            let exchange = Exchange::due(scenario, due.at_ns, measured, &mut self.tally);
            if open.backlog.is_empty()
                && let Some(c) = take_free(&mut self.free, &mut self.connections)
            {
                return Some(self.carry(c, exchange, now));
            }
            if open.has_room() {
                open.backlog.push_back(exchange);
            } else if measured {
                self.tally.scenarios[scenario].dropped += 1;
            }
        }
    }

    /// A connection to open for the backlog, unless enough are on their way for it.
    fn connection_to_open(&mut self) -> Option<u32> {
        let on_their_way = u64::from(self.connecting) + self.wanted.len() as u64;
        if on_their_way >= self.backlog() || self.connecting >= MAX_CONNECTING {
            return None;
        }
        self.spare.pop()
    }

    fn carry(&mut self, c: u32, exchange: Exchange, now: u64) -> Action {
        self.in_flight += 1;
        let connection = &mut self.connections[c as usize];
        connection.exchange = Some(exchange);
        let possible_ns = connection.idle_since_ns;
        self.begin_send(c, Some(possible_ns), now)
    }

    #[inline]
    fn begin_send(&mut self, c: u32, possible_ns: Option<u64>, now: u64) -> Action {
        let connection = &mut self.connections[c as usize];
        connection.state = State::Busy;
        connection.written = 0;
        connection.decoder.begin();
        if let Some(exchange) = &mut connection.exchange {
            exchange.send_begins(now, possible_ns, &mut self.tally);
            let (list, length) = self.timeout_list[usize::from(exchange.scenario)];
            self.deadlines.set(c, list as usize, now.saturating_add(length));
        }
        Action::Send(c)
    }

    /// The response on `c` is complete; `clean`: no byte came after it.
    #[inline]
    fn complete(&mut self, c: u32, clean: bool, arrival: Arrival) {
        let connection = &mut self.connections[c as usize];
        let (Some(exchange), Some(head)) = (connection.exchange.take(), connection.decoder.head()) else {
            return;
        };
        self.deadlines.clear(c);
        self.in_flight -= 1;
        let length = self.brief.requests[usize::from(exchange.scenario)].bytes.len();
        exchange.completes(head, arrival, arrival.at_ns <= self.course.stop, &mut self.tally);
        if head.keep_alive && clean && connection.written as usize == length {
            connection.served += 1;
            connection.state = State::Idle;
            connection.idle_since_ns = arrival.at_ns;
            self.becomes_free(c);
        } else {
            self.drop_connection(c);
        }
    }

    /// The exchange on `c` ends without a complete response, and the connection with it.
    fn fail(&mut self, c: u32, outcome: Outcome, at_ns: u64, detail: Detail) {
        self.end_exchange(c, outcome, at_ns, detail);
        self.drop_connection(c);
    }

    fn end_exchange(&mut self, c: u32, outcome: Outcome, at_ns: u64, detail: Detail) -> bool {
        let Some(exchange) = self.connections[c as usize].exchange.take() else { return false };
        self.in_flight -= 1;
        exchange.fails(outcome, at_ns, detail, &mut self.tally);
        true
    }

    #[inline]
    fn becomes_free(&mut self, c: u32) {
        let connection = &mut self.connections[c as usize];
        if connection.exchange.is_some() {
            self.ready.push_back(c);
            return;
        }
        match &self.demand {
            Some(Demand::Closed(_)) => self.ready.push_back(c),
            _ if !connection.queued => {
                connection.queued = true;
                self.free.push_back(c);
            }
            _ => {}
        }
    }

    /// Close `c`, whatever it did, and let it go on as the model wants.
    fn drop_connection(&mut self, c: u32) {
        self.retire(c);
        let served = self.connections[c as usize].served > 0;
        match &self.demand {
            Some(Demand::Closed(_)) => self.ready.push_back(c),
            // Keep the asked connections open, so that the next request finds one; but do not ply a
            // target with connections that it closes unused.
            _ if served && !self.opens_on_demand() => self.wanted.push_back(c),
            _ => self.spare.push(c),
        }
    }

    fn retire(&mut self, c: u32) {
        self.deadlines.clear(c);
        self.closing.push_back(c);
        self.connections[c as usize].state = State::Down;
        self.established -= 1;
    }

    fn attempt_failed(&mut self, c: u32, outcome: Outcome, detail: Detail, at_ns: u64, now: u64) {
        self.deadlines.clear(c);
        self.connecting -= 1;
        let connection = &mut self.connections[c as usize];
        connection.state = State::Down;
        let doublings = connection.failures.min(16);
        connection.failures += 1;
        self.first_connect_failure.get_or_insert((outcome, detail));
        let own = self.end_exchange(c, outcome, at_ns, detail);
        match &mut self.demand {
            Some(Demand::Closed(_)) => {
                let pause = (FIRST_BACKOFF_NS << doublings).min(MAX_BACKOFF_NS);
                self.deadlines.set(c, self.retry_list as usize, now + pause);
                return;
            }
            // The attempt was made for the request that has waited longest.
            Some(Demand::Open(open)) if !own => match open.backlog.pop_front() {
                Some(exchange) => exchange.fails(outcome, at_ns, detail, &mut self.tally),
                None => self.tally.connect_failures += 1,
            },
            _ => self.tally.connect_failures += u64::from(!own),
        }
        self.spare.push(c);
    }

    fn deadline_passed(&mut self, c: u32, at_ns: u64, now: u64) {
        match self.connections[c as usize].state {
            State::Connecting => {
                self.closing.push_back(c);
                self.attempt_failed(c, Outcome::ConnectTimeout, Detail::None, at_ns, now);
            }
            State::Busy => {
                let unsent = !self.outgoing(c).is_empty();
                let outcome = if unsent { Outcome::WriteTimeout } else { Outcome::Timeout };
                self.fail(c, outcome, at_ns, Detail::None);
            }
            State::Down => self.ready.push_back(c),
            State::Idle => {}
        }
    }
}

/// The connection that has been free longest and still is.
#[inline]
fn take_free(free: &mut VecDeque<u32>, connections: &mut [Connection]) -> Option<u32> {
    while let Some(c) = free.pop_front() {
        let connection = &mut connections[c as usize];
        connection.queued = false;
        if connection.state == State::Idle && connection.exchange.is_none() {
            return Some(c);
        }
    }
    None
}
