//! One thread's exchanges, connections and backlog: fed with events and `now`, drained for actions.
//!
//! The caller owns sockets and clock. It feeds one event with the instant it was seen, then asks
//! [`Client::next`] for actions until there are none, then waits no longer than
//! [`Client::wait_until`]. Nothing here blocks, reads a clock or, after [`Client::start`], allocates
//! (a response head that arrives in pieces is the exception, what a scenario's expectations keep
//! of bodies larger than those before, and redirects that are followed).
//!
//! Law, at every instant, over measured requests: due = completed + failed + dropped + outstanding,
//! where outstanding is the backlog and what is in flight.

mod actions;
mod connection;
mod deadlines;
mod demand;
mod events;
mod exchange;
mod judge;
mod redirect;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::http1::{HeadMemo, Recording, Request};
use crate::plan::{Model, Plan, Scenario, Share};
use crate::schedule::Picker;
use crate::tally::{Broken, Detail, Outcome, Tally};
use connection::{Connection, State};
use deadlines::Deadlines;
use demand::Demand;
use redirect::Hop;

pub use demand::Timetable;

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
    /// An end of the stream that TLS did not announce: somebody between may have made it.
    Truncated,
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
    /// Whether the last response is to be kept whole, to be shown.
    pub witness: bool,
}

impl Brief {
    /// Encode `plan`'s requests and lay out its sequence.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let requests = plan.scenarios.iter().map(|s| redirect::encode(&plan, s)).collect();
        let picker =
            Picker::new(&plan.weights(), seed).expect("a checked plan's weights have a short period");
        Self { plan, requests, picker, seed, witness: false }
    }
}

/// Instants of the run, in nanoseconds on its clock.
#[derive(Clone, Copy, Debug)]
struct Course {
    measure_from: u64,
    stop: u64,
    give_up: u64,
}

/// A deadline list and how long after the send its deadlines come.
type List = (u32, u64);

/// The deadlines of one scenario.
#[derive(Clone, Copy, Debug)]
struct Timeouts {
    /// For the whole response.
    whole: List,
    /// For its first byte, where that comes before.
    first_byte: Option<List>,
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
    /// Of each scenario.
    timeouts: Box<[Timeouts]>,
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
    /// What is kept of each connection's response; empty when no scenario looks into responses.
    recordings: Vec<Recording>,
    /// Where each connection's exchange was redirected to; empty when no scenario follows redirects.
    hops: Vec<Option<Hop>>,
    /// The broken expectations this client has reported, for each scenario.
    reported: Vec<Vec<Broken>>,
    tally: Box<Tally>,
    any_connected: bool,
    first_connect_failure: Option<(Outcome, Detail)>,
    /// Until when requests may be sent.
    permitted_until_ns: u64,
}

impl Client {
    /// A client for one slot of the plan. `tally` is an empty one for this plan.
    pub fn new(brief: Arc<Brief>, share: Share, tally: Box<Tally>) -> Self {
        let n = share.connections as usize;
        let of_scenario = |s: &Scenario| [Some(s.timeout_ns), s.first_byte_timeout_ns];
        let mut lengths: Vec<u64> = brief.plan.scenarios.iter().flat_map(of_scenario).flatten().collect();
        lengths.sort_unstable();
        lengths.dedup();
        let place = |ns: u64| lengths.binary_search(&ns).expect("collected above") as u32;
        let list = |ns: u64| (place(ns), ns);
        let of_scenario = |s: &Scenario| Timeouts {
            whole: list(s.timeout_ns),
            first_byte: s.first_byte_timeout_ns.filter(|ns| *ns < s.timeout_ns).map(list),
        };
        let timeouts = brief.plan.scenarios.iter().map(of_scenario).collect();
        let follows = brief.plan.scenarios.iter().any(|s| s.follow_redirects > 0);
        let lists = lengths.len() as u32;
        Self {
            share,
            demand: None,
            course: Course { measure_from: u64::MAX, stop: u64::MAX, give_up: u64::MAX },
            connections: (0..n).map(|_| Connection::new()).collect(),
            deadlines: Deadlines::new(n, lengths.len() + 2),
            timeouts,
            connect_list: (lists, brief.plan.connect_timeout_ns()),
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
            recordings: judge::recordings(&brief, n),
            hops: vec![None; if follows { n } else { 0 }],
            reported: vec![Vec::new(); brief.plan.scenarios.len()],
            tally,
            any_connected: false,
            first_connect_failure: None,
            permitted_until_ns: u64::MAX,
            brief,
        }
    }

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
        (self.wanted.is_empty() || self.is_hopeless()) && self.connecting == 0
    }

    /// Before the start: an attempt has failed and none has succeeded. Those under way are waited for, but
    /// a target that answers nobody is not asked thousands of times.
    fn is_hopeless(&self) -> bool {
        self.demand.is_none() && self.first_connect_failure.is_some() && !self.any_connected
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
        self.join(start_ns, start_ns);
    }

    /// Take part from `from_ns` on in a run whose load began at `start_ns`.
    pub fn join(&mut self, start_ns: u64, from_ns: u64) {
        let load = &self.brief.plan.load;
        let measure_from = start_ns + load.warmup_ns;
        let stop = load.duration_ns.map_or(u64::MAX, |d| measure_from + d);
        self.course = Course { measure_from, stop, give_up: stop.saturating_add(load.drain_ns) };
        let period = self.brief.picker.period();
        let demand = Demand::new(load, &self.share, period, self.brief.seed, start_ns, from_ns);
        if matches!(demand, Demand::Closed(_)) {
            // Those under way follow when their attempt has ended; the others begin now.
            self.wanted.clear();
            for c in 0..self.share.connections {
                if self.connections[c as usize].state != State::Connecting {
                    self.becomes_ready(c);
                }
            }
        }
        self.demand = Some(demand);
    }

    /// Requests may be sent until `until_ns`. From then on none begins to be sent: in the open model what
    /// waits and what comes due is counted as dropped, in the closed model nothing comes due.
    #[inline]
    pub fn permit(&mut self, until_ns: u64) {
        self.permitted_until_ns = until_ns;
    }

    /// Open model: from `from_ns` on, requests are due by `timetable`. The closed model has none to change.
    pub fn follow(&mut self, from_ns: u64, timetable: Timetable) {
        if let Some(Demand::Open(open)) = &mut self.demand {
            open.follow(from_ns, timetable);
        }
    }

    /// Make no new requests from `at_ns` on, the present or later; those outstanding have the plan's drain
    /// time.
    pub fn stop(&mut self, at_ns: u64) {
        if at_ns < self.course.stop {
            self.course.stop = at_ns;
            self.course.give_up = at_ns.saturating_add(self.brief.plan.load.drain_ns);
        }
    }

    /// Whether nothing is left to do: all answered, or the drain time is over.
    pub fn is_done(&self, now: u64) -> bool {
        let exhausted = match &self.demand {
            None => false,
            Some(Demand::Closed(closed)) => now >= self.course.stop || closed.is_empty(),
            Some(Demand::Open(open)) => {
                let over = now >= self.course.stop || open.is_limited();
                over && self.next_due(open).is_none() && open.backlog.is_empty()
            }
        };
        (exhausted && self.in_flight == 0) || now >= self.course.give_up
    }

    /// When requests stopped being made: the instant load ended, or `now` if the last one ended before.
    /// A schedule lasts to its end, though nothing may be due in its last moments.
    pub fn load_ended(&self, now: u64) -> u64 {
        match &self.demand {
            Some(Demand::Open(_)) if self.brief.plan.load.requests.is_none() => self.course.stop,
            _ => now.min(self.course.stop),
        }
    }

    /// When requests stop being made.
    pub fn stops_at_ns(&self) -> u64 {
        self.course.stop
    }

    /// At the end: count the requests that were due before load ended and that this thread never came
    /// to, because it was held up past the drain. They stay unfinished; returns how many they are.
    pub fn forfeit(&mut self) -> u64 {
        let mut forfeited = 0;
        while let Some(Demand::Open(open)) = &mut self.demand {
            let Some((due, measured)) = open.peek().filter(|(due, _)| due.at_ns < self.course.stop) else {
                break;
            };
            open.advance();
            if measured {
                self.tally.scenarios[self.brief.picker.pick(due.k)].due += 1;
                forfeited += 1;
            }
        }
        forfeited
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

    /// Whether connections of the open model are opened when a request is due: where nobody asked for a
    /// number of them, and where each is for one request, of whose time its opening is a part.
    pub(super) fn opens_on_demand(&self) -> bool {
        match self.brief.plan.load.model {
            Model::Open { connections, .. } => {
                connections.is_none() || !self.brief.plan.connections.keep_alive
            }
            Model::Closed { .. } => false,
        }
    }
}
