//! The connections to the targets: which are open, free, to be opened or to be closed. The pool tracks how many
//! requests they can carry, not which ones.
//!
//! In the open model a connection waits in the queue of free ones for a request. In the closed model every
//! connection that may carry a request, open or yet to be opened, is in the queue of ready ones: a request is
//! due as soon as there is a user for it. With several targets such connections go on from there to their target's
//! queue of free or spare ones, where users find them.

use std::collections::VecDeque;

use super::connection::{Connection, State};
use super::deadlines::Deadlines;
use super::exchanges::ExchangeId;
use crate::plan::{Model, Plan};
use crate::tally::{Close, Counter, Detail, Outcome, Tally};

/// The most concurrent connection attempts of a thread to one target: more would overrun a target's listen queue (4,096 on
/// current kernels) and be retried by TCP after a whole second.
const MAX_CONNECTING: u32 = 256;
/// A closed-model connection whose attempts fail waits this long before the next one, doubled each
/// time up to the maximum, so that a dead target is not flooded.
const FIRST_BACKOFF_NS: u64 = 1_000_000;
const MAX_BACKOFF_NS: u64 = 500_000_000;

/// Deadline lists: of attempts, and of the pauses after failed ones.
const ATTEMPT: usize = 0;
const BACKOFF: usize = 1;

/// How connections are opened and how long they are used.
#[derive(Debug)]
struct Policy {
    connect_timeout_ns: u64,
    keep_alive: bool,
    most_requests: Option<u64>,
    most_age_ns: Option<u64>,
    /// Whether connections are opened when a request is due: if the plan sets no number of connections, or if
    /// each is for one request, whose time includes the opening. Open model.
    on_demand: bool,
}

impl Policy {
    fn new(plan: &Plan) -> Self {
        let policy = &plan.connections;
        let on_demand = match plan.load.model {
            Model::Open { connections, .. } => connections.is_none() || !policy.keep_alive,
            Model::Closed { .. } => false,
        };
        Self {
            connect_timeout_ns: plan.connect_timeout_ns(),
            keep_alive: policy.keep_alive,
            most_requests: policy.most_requests,
            most_age_ns: policy.most_age_ns,
            on_demand,
        }
    }
}

/// The connections to one target that no request is on.
#[derive(Debug)]
struct Unused {
    /// Connections that may carry a request now, oldest first; some may have gone stale.
    free: VecDeque<u32>,
    /// Connections without a socket that open when a request needs them.
    spare: Vec<u32>,
    /// Connections to open, oldest first.
    wanted: VecDeque<u32>,
    connecting: u32,
    /// Whether a scenario sends to it.
    is_used: bool,
    was_reached: bool,
    first_failure: Option<(Outcome, Detail)>,
}

/// The connections of one thread. Each target has equally many.
#[derive(Debug)]
pub(crate) struct Pool {
    connections: Box<[Connection]>,
    policy: Policy,
    deadlines: Deadlines,
    /// Whether users wait for connections: the closed model, once load is applied.
    is_closed_model: bool,
    /// How many connections are to be opened, to all targets, and how many are being opened.
    wanted: u32,
    connecting: u32,
    /// By target.
    unused: Box<[Unused]>,
    /// Connections to close.
    closing: VecDeque<u32>,
    /// Connections with a reserved request, and in the closed model also those that may carry one.
    ready: VecDeque<u32>,
    /// Connections that pause after a failed attempt.
    pausing: u32,
    established: u32,
}

impl Pool {
    /// Slots for `each` connections to each target, none of them open.
    pub(crate) fn new(plan: &Plan, each: usize) -> Self {
        let targets = 0..plan.targets.len() as u16;
        let capacity = each * targets.len();
        let unused = |target: u16| Unused {
            is_used: plan.scenarios.iter().any(|scenario| scenario.target == usize::from(target)),
            free: VecDeque::with_capacity(each),
            spare: Vec::with_capacity(each),
            wanted: VecDeque::with_capacity(each),
            connecting: 0,
            was_reached: false,
            first_failure: None,
        };
        Self {
            connections: targets
                .clone()
                .flat_map(|target| (0..each).map(move |_| Connection::to(target)))
                .collect(),
            policy: Policy::new(plan),
            deadlines: Deadlines::new(capacity, 2),
            is_closed_model: false,
            wanted: 0,
            connecting: 0,
            unused: targets.map(unused).collect(),
            closing: VecDeque::with_capacity(capacity),
            ready: VecDeque::with_capacity(capacity),
            pausing: 0,
            established: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&self, c: u32) -> &Connection {
        &self.connections[c as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, c: u32) -> &mut Connection {
        &mut self.connections[c as usize]
    }

    /// Before the start: open all connections, or the first one where they are opened on demand.
    pub(crate) fn open(&mut self) {
        let each = (self.connections.len() / self.unused.len()) as u32;
        let first = if self.policy.on_demand { each.min(1) } else { each };
        for target in 0..self.unused.len() {
            let from = target as u32 * each;
            let first = if self.unused[target].is_used { first } else { 0 };
            (from..from + first).for_each(|c| self.want(c));
            self.unused[target].spare.extend((from + first..from + each).rev());
        }
    }

    /// The closed model's load begins: attempts in progress continue, all other connections wait for users.
    pub(crate) fn await_users(&mut self) {
        self.is_closed_model = true;
        for target in &mut self.unused {
            target.wanted.clear();
            target.spare.clear();
        }
        self.wanted = 0;
        for c in 0..self.connections.len() as u32 {
            if self.get(c).state != State::Connecting {
                self.make_ready(c);
            }
        }
    }

    /// Whether nothing is left to open or every attempt is hopeless, and none is in progress.
    pub(crate) fn is_settled(&self, started: bool) -> bool {
        (self.wanted == 0 || self.is_hopeless(started)) && self.connecting == 0
    }

    /// Before the start: an attempt failed and none succeeded. Those in progress are awaited, but a target
    /// that cannot be reached is not tried thousands of times.
    fn is_hopeless(&self, started: bool) -> bool {
        !started && self.unused.iter().any(Unused::is_hopeless)
    }

    /// Whether any connection to each target was ever established, or is not needed; if not, why the first attempt failed.
    pub(crate) fn reached(&self) -> impl Iterator<Item = Result<bool, (Outcome, Detail)>> {
        self.unused.iter().map(|target| match target.first_failure {
            Some(failure) if !target.was_reached => Err(failure),
            _ => Ok(target.was_reached || !target.is_used),
        })
    }

    /// Whether there is more than one target.
    #[inline]
    pub(crate) fn has_several_targets(&self) -> bool {
        self.unused.len() > 1
    }

    /// The number of targets.
    #[inline]
    pub(crate) fn targets(&self) -> usize {
        self.unused.len()
    }

    /// The target that `c` leads to.
    #[inline]
    pub(crate) fn target_of(&self, c: u32) -> usize {
        usize::from(self.get(c).target)
    }

    #[inline]
    fn unused_of(&mut self, c: u32) -> &mut Unused {
        &mut self.unused[usize::from(self.connections[c as usize].target)]
    }

    /// Whether connections to `target` are being opened.
    #[inline]
    pub(crate) fn is_connecting_to(&self, target: usize) -> bool {
        self.unused[target].connecting > 0
    }

    /// Open `c` as soon as possible.
    fn want(&mut self, c: u32) {
        self.unused_of(c).wanted.push_back(c);
        self.wanted += 1;
    }

    pub(crate) fn established(&self) -> u32 {
        self.established
    }

    /// Whether there is something to close, open or send.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.closing.is_empty() || self.wanted > 0 || !self.ready.is_empty()
    }

    #[inline]
    pub(crate) fn next_to_close(&mut self) -> Option<u32> {
        self.closing.pop_front()
    }

    /// Whether [`Self::begin_connecting`] has a connection to open now.
    #[inline]
    pub(crate) fn may_connect(&self, started: bool) -> bool {
        self.wanted > 0 && !self.is_hopeless(started) && self.unused.iter().any(Unused::may_connect)
    }

    /// Begin an attempt for the connection to a target that has been wanted longest.
    pub(crate) fn begin_connecting(&mut self, now: u64) -> Option<u32> {
        if self.wanted == 0 {
            return None;
        }
        let target = self.unused.iter_mut().find(|target| target.may_connect())?;
        let c = target.wanted.pop_front()?;
        target.connecting += 1;
        self.wanted -= 1;
        let connection = &mut self.connections[c as usize];
        connection.state = State::Connecting;
        connection.connecting_since_ns = now;
        self.connecting += 1;
        self.deadlines.set(c, ATTEMPT, now.saturating_add(self.policy.connect_timeout_ns));
        Some(c)
    }

    /// The attempt on `c` succeeded.
    pub(crate) fn establish(&mut self, c: u32, now: u64, tally: &mut Tally) {
        let connection = &mut self.connections[c as usize];
        debug_assert_eq!(connection.state, State::Connecting);
        (connection.state, connection.failures) = (State::Established, 0);
        (connection.served, connection.written) = (0, 0);
        (connection.opened_ns, connection.idle_since_ns) = (now, now);
        connection.wire.reset();
        tally.count(Counter::ConnectionsOpened);
        if std::mem::replace(&mut connection.reopened, true) {
            tally.count(Counter::Reconnects);
        }
        self.deadlines.clear(c);
        self.connecting -= 1;
        self.established += 1;
        let target = self.unused_of(c);
        target.connecting -= 1;
        target.was_reached = true;
        self.make_free(c);
    }

    /// The attempt on `c` failed: in the closed model, another one follows after a pause.
    pub(crate) fn attempt_failed(&mut self, c: u32, failure: (Outcome, Detail), now: u64) {
        self.closing.push_back(c);
        let connection = &mut self.connections[c as usize];
        connection.state = State::Down;
        let doublings = connection.failures.min(16);
        connection.failures += 1;
        self.connecting -= 1;
        let target = self.unused_of(c);
        target.connecting -= 1;
        target.first_failure.get_or_insert(failure);
        if self.is_closed_model {
            let pause_ns = (FIRST_BACKOFF_NS << doublings).min(MAX_BACKOFF_NS);
            self.deadlines.set(c, BACKOFF, now + pause_ns);
            self.pausing += 1;
        } else {
            self.deadlines.clear(c);
            self.unused_of(c).spare.push(c);
        }
    }

    /// Reserve `c` for `exchange`, which continues on it: at once if it is open, else once it is.
    pub(crate) fn reserve(&mut self, c: u32, exchange: ExchangeId) {
        self.connections[c as usize].reserved = Some(exchange);
        match self.get(c).state {
            State::Established => self.make_ready(c),
            _ => self.want(c),
        }
    }

    /// The response on `c` is complete and the connection stays open, free since `since_ns`.
    #[inline]
    pub(crate) fn served(&mut self, c: u32, since_ns: u64) {
        let connection = &mut self.connections[c as usize];
        connection.served += 1;
        connection.idle_since_ns = since_ns;
    }

    /// Whether `c` may carry another exchange after a response that was complete at `at_ns`. `keep_alive`:
    /// the response allows it. `clean`: no byte followed it.
    ///
    /// # Errors
    /// Why it must be closed.
    #[inline]
    pub(crate) fn stays_open(&self, c: u32, keep_alive: bool, clean: bool, at_ns: u64) -> Result<(), Close> {
        let connection = &self.connections[c as usize];
        let policy = &self.policy;
        if !policy.keep_alive {
            Err(Close::KeepAliveOff)
        } else if !keep_alive {
            Err(Close::TargetAsked)
        } else if !clean || !connection.wire.is_sent() {
            Err(Close::OutOfStep)
        } else if policy.most_requests.is_some_and(|most| connection.served + 1 >= most) {
            Err(Close::RequestsReached)
        } else if policy.most_age_ns.is_some_and(|most| at_ns.saturating_sub(connection.opened_ns) >= most) {
            Err(Close::AgeReached)
        } else {
            Ok(())
        }
    }

    /// Make `c`, established, available for the next request, or for the one reserved for it.
    #[inline]
    pub(crate) fn make_free(&mut self, c: u32) {
        let connection = &mut self.connections[c as usize];
        if self.is_closed_model || connection.reserved.is_some() {
            self.make_ready(c);
        } else if !std::mem::replace(&mut connection.is_queued, true) {
            self.unused[usize::from(connection.target)].free.push_back(c);
        }
    }

    /// Closed model with several targets: `c`, taken from the queue of ready ones and not reserved, waits for a user
    /// who needs its target.
    pub(crate) fn offer(&mut self, c: u32) {
        let connection = &mut self.connections[c as usize];
        let target = &mut self.unused[usize::from(connection.target)];
        if connection.state != State::Established {
            target.spare.push(c);
        } else if !std::mem::replace(&mut connection.is_queued, true) {
            target.free.push_back(c);
        }
    }

    /// The same: a connection to `target` for a user, an open one if there is any.
    pub(crate) fn take_offered(&mut self, target: usize) -> Option<u32> {
        self.take_free(target).or_else(|| self.unused[target].spare.pop())
    }

    /// Queue `c` to be checked when something is to be sent. It may be queued already: a response can
    /// complete and the end of input be read before the queue is processed.
    #[inline]
    fn make_ready(&mut self, c: u32) {
        if !std::mem::replace(&mut self.connections[c as usize].is_ready, true) {
            self.ready.push_back(c);
        }
    }

    #[inline]
    pub(crate) fn take_ready(&mut self) -> Option<u32> {
        let c = self.ready.pop_front()?;
        self.connections[c as usize].is_ready = false;
        Some(c)
    }

    /// The connection to `target` that has been free longest and still is.
    #[inline]
    pub(crate) fn take_free(&mut self, target: usize) -> Option<u32> {
        while let Some(c) = self.unused[target].free.pop_front() {
            let connection = &mut self.connections[c as usize];
            connection.is_queued = false;
            if connection.is_free() {
                return Some(c);
            }
        }
        None
    }

    /// Open one more connection for the `waiting` requests to `target`, unless enough are already being opened.
    pub(crate) fn open_for(&mut self, target: usize, waiting: usize) {
        let unused = &mut self.unused[target];
        if unused.connecting as usize + unused.wanted.len() < waiting
            && unused.connecting < MAX_CONNECTING
            && let Some(c) = unused.spare.pop()
        {
            self.want(c);
        }
    }

    /// Close `c`, on which nothing is outstanding. A request reserved for it goes over a new connection.
    pub(crate) fn close_idle(&mut self, c: u32, why: Close, tally: &mut Tally) {
        if self.get(c).reserved.is_none() {
            return self.close(c, why, tally);
        }
        self.retire(c, why, tally);
        // In the closed model it is in the queue of ready ones, and is opened from there.
        if !self.is_closed_model {
            self.want(c);
        }
    }

    /// Close `c`, whatever its state, and queue it again as the model requires.
    pub(crate) fn close(&mut self, c: u32, why: Close, tally: &mut Tally) {
        self.retire(c, why, tally);
        if self.is_closed_model {
            self.make_ready(c);
        } else if self.get(c).served > 0 && !self.policy.on_demand {
            // Keep the configured connections open, so that the next request finds one, but do not keep
            // reopening connections that the target closes unused.
            self.want(c);
        } else {
            self.unused_of(c).spare.push(c);
        }
    }

    /// Close `c`, but keep its slot.
    pub(crate) fn retire(&mut self, c: u32, why: Close, tally: &mut Tally) {
        tally.count(why);
        self.closing.push_back(c);
        self.connections[c as usize].state = State::Down;
        self.established -= 1;
    }

    /// The earliest deadline: of an attempt, or the end of a pause.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        if self.has_deadlines() { self.deadlines.earliest() } else { None }
    }

    /// Whether any deadline is set; during a run, mostly none is.
    #[inline]
    pub(crate) fn has_deadlines(&self) -> bool {
        self.connecting > 0 || self.pausing > 0
    }

    /// The earliest deadline at or before `now`, except for connections that are `held`.
    #[inline]
    pub(crate) fn expired(&self, now: u64, held: impl Fn(u32) -> bool) -> Option<(u32, u64)> {
        self.deadlines.expired(now, held)
    }

    /// The pause of `c` is over.
    pub(crate) fn pause_over(&mut self, c: u32) {
        self.deadlines.clear(c);
        self.pausing -= 1;
        self.make_ready(c);
    }
}

impl Unused {
    /// Whether there is a connection to open now.
    fn may_connect(&self) -> bool {
        !self.wanted.is_empty() && self.connecting < MAX_CONNECTING
    }

    /// Whether an attempt failed, and none has succeeded.
    const fn is_hopeless(&self) -> bool {
        self.first_failure.is_some() && !self.was_reached
    }
}
