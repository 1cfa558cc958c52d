//! One load thread's requests and connections: takes events and the current time, returns actions.
//!
//! The caller owns the sockets and the clock. It feeds one event with the time at which it was seen, then calls
//! [`Client::next`] until there are no more actions, then waits no longer than [`Client::wait_until`].
//! [`Client::next`] (in `sending`) is where the decision to send a request is made.
//! Nothing here reads a clock, blocks (but for [`Client::await_row`]) or, after [`Client::start`], allocates (exceptions: a
//! response head that arrives in pieces, captured bodies and rows of large files longer than those before, and redirects
//! that are followed).
//!
//! ```text
//! Demand ──start──▶ Exchanges ──request──▶ Pool: Connection: Wire ──bytes──▶ caller
//!   ▲ ended            │ instants, deadline                     ◀─bytes──
//!   └──────────────────┴──▶ Tally
//! ```
//!
//! Invariant at all times, over measured requests: due = completed + failed + dropped + outstanding, where
//! outstanding is the backlog plus what is in flight.

mod backlog;
mod connection;
mod deadlines;
mod demand;
mod encode;
mod events;
mod evidence;
mod exchange;
mod exchanges;
mod judge;
mod lapse;
mod phases;
mod pool;
mod redirect;
mod rows;
mod sending;
mod sigv4;
mod spec;
mod time;
mod wire;

use std::sync::Arc;

use crate::http1::HeadMemo;
use crate::plan::ShardLoad;
use crate::tally::{Counter, Detail, Outcome, Recorder, Tally};
use demand::{Demand, ends_with_requests};
use exchanges::Exchanges;
use judge::Judge;
use lapse::Lapse;
use phases::Phases;
use pool::Pool;

pub(crate) use demand::Timetable;
pub use rows::{RowBatch, RowSupply};
pub use spec::RunSpec;

/// What the caller must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin a connection attempt; report it with [`Client::connected`] or [`Client::connect_failed`].
    Connect(u32),
    /// Send [`Client::outgoing`]; report it with [`Client::sent`].
    Send(u32),
    /// Close the socket; nothing to report.
    Close(u32),
    /// Call [`Client::await_row`]: the next request takes a row that was not read yet.
    AwaitRow,
}

/// How the target ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// An orderly end of input.
    Eof,
    /// An end of input without a TLS `close_notify` alert: a third party may have caused it.
    Truncated,
    /// An error, with the operating system's number.
    Reset(i32),
}

/// One thread's client: connects its parts. Connections have numbers; those of a target are in a row.
#[derive(Debug)]
pub struct Client {
    spec: Arc<RunSpec>,
    share: ShardLoad,
    phases: Phases,
    demand: Option<Demand>,
    exchanges: Exchanges,
    pool: Pool,
    judge: Judge,
    memo: HeadMemo,
    tally: Box<Tally>,
    /// When requests waited at the targets and when they answered.
    /// By target.
    recorders: Box<[Recorder]>,
    /// Until when requests may be sent.
    permitted_until_ns: u64,
    /// By target.
    lapses: Box<[Lapse]>,
    /// Rows of large files, if the plan has any.
    rows: Option<Box<RowSupply>>,
    /// The first request whose rows were asked for.
    first_number: Option<u64>,
}

impl Client {
    /// A client for one slot of the plan. `tally` is an empty one for this plan.
    pub fn new(spec: Arc<RunSpec>, share: ShardLoad, tally: Box<Tally>) -> Self {
        let each = share.connections as usize;
        let connections = each * spec.plan.targets.len();
        let numbering = demand::numbering(&spec.plan.load, &share, spec.picker.period());
        Self {
            share,
            phases: Phases::UNKNOWN,
            demand: None,
            exchanges: Exchanges::new(&spec, connections, numbering),
            pool: Pool::new(&spec.plan, each),
            judge: Judge::new(spec.plan.scenarios.len()),
            memo: HeadMemo::new(),
            tally,
            recorders: (0..spec.plan.targets.len()).map(|_| Recorder::new(u64::MAX)).collect(),
            permitted_until_ns: u64::MAX,
            rows: None,
            first_number: None,
            lapses: vec![Lapse::default(); spec.plan.targets.len()].into(),
            spec,
        }
    }

    /// Take the rows of large files from here.
    pub(crate) fn supply(&mut self, mut rows: RowSupply) {
        // Those of a run from its beginning are read while connections are opened.
        let demand = Demand::new(&self.spec, &self.share, 0, 0);
        self.first_number = demand.first_number(self.spec.plan.load.warmup_ns > 0);
        let numbering = self.exchanges.numbering();
        self.first_number.into_iter().for_each(|number| rows.begin(&self.spec, numbering, number));
        self.rows = Some(Box::new(rows));
    }

    /// Wait for the row of the next request. The wait is send delay: the next action is decided afterwards.
    #[cold]
    pub fn await_row(&mut self) {
        if let Some(rows) = &mut self.rows {
            rows.wait();
        }
    }

    /// The last wait for a row took so long.
    #[cold]
    pub fn awaited_row(&mut self, ns: u64) {
        self.tally.add(Counter::RowsAwaited, 1);
        self.tally.add(Counter::RowsAwaitedNs, ns);
    }

    /// Begin to open the initial connections: all that the plan asks for, or one, to check that there is a
    /// target.
    pub fn open(&mut self) {
        self.pool.open();
    }

    /// Whether every attempt made so far has succeeded or failed.
    pub fn is_settled(&self) -> bool {
        self.pool.is_settled(self.demand.is_some())
    }

    /// For each target, whether any connection was ever established, or why the first attempt failed when none has
    /// succeeded.
    pub(crate) fn reached_targets(&self) -> impl Iterator<Item = Result<bool, (Outcome, Detail)>> {
        self.pool.reached()
    }

    /// Apply load from `start_ns` on, which must not be before any event fed so far.
    pub fn start(&mut self, start_ns: u64) {
        self.join(start_ns, start_ns);
    }

    /// Take part from `from_ns` on in a run whose load began at `start_ns`.
    pub(crate) fn join(&mut self, start_ns: u64, from_ns: u64) {
        let load = &self.spec.plan.load;
        self.phases = Phases::new(load, start_ns);
        for recorder in &mut self.recorders {
            *recorder = Recorder::new(self.phases.measure_from);
        }
        let demand = Demand::new(&self.spec, &self.share, start_ns, from_ns);
        if matches!(demand, Demand::Closed(_)) {
            self.pool.await_users();
        }
        let first = demand.first_number(self.spec.plan.load.warmup_ns > 0);
        if let (Some(rows), Some(number)) = (&mut self.rows, first)
            && first != self.first_number
        {
            rows.begin(&self.spec, self.exchanges.numbering(), number);
        }
        self.demand = Some(demand);
    }

    /// Permit sending until `until_ns`. From then on no send begins: in the open model, requests that wait or
    /// come due are counted as dropped; in the closed model, nothing comes due.
    #[inline]
    pub fn permit(&mut self, until_ns: u64) {
        self.permitted_until_ns = until_ns;
    }

    /// Open model: from `from_ns` on, requests are due by `timetable`. No effect in the closed model.
    pub(crate) fn follow(&mut self, from_ns: u64, timetable: Timetable) {
        if let Some(Demand::Open(open)) = &mut self.demand {
            open.follow(from_ns, timetable);
        }
    }

    /// Make no new requests from `at_ns` on, which is now or later; outstanding ones have the plan's drain
    /// time.
    pub fn stop(&mut self, at_ns: u64) {
        self.phases.stop(at_ns, self.spec.plan.load.drain_ns);
    }

    /// Whether nothing is left to do: every exchange has ended, or the drain time is over.
    pub fn is_done(&self, now: u64) -> bool {
        let exhausted = self.demand.as_ref().is_some_and(|demand| demand.is_over(now, &self.phases));
        (exhausted && self.exchanges.len() == 0) || now >= self.phases.give_up
    }

    /// When requests stopped being made: when load ended, or `now` if the last one ended before. A schedule
    /// lasts to its end, even if nothing is due in its last moments.
    pub(crate) fn load_ended(&self, now: u64) -> u64 {
        match &self.demand {
            Some(Demand::Open(_)) if !ends_with_requests(&self.spec.plan.load) => self.phases.stop,
            _ => now.min(self.phases.stop),
        }
    }

    /// When requests stop being made.
    pub(crate) fn stops_at_ns(&self) -> u64 {
        self.phases.stop
    }

    /// At the end: count the requests that were due before load ended but that this thread never reached,
    /// because it was delayed past the drain. They stay unfinished.
    pub fn count_unreached(&mut self) {
        let Some(demand) = &mut self.demand else { return };
        if let Demand::Open(open) = demand {
            let hanging = (0..self.pool.targets()).filter(|target| self.pool.is_connecting_to(*target));
            let waiting = hanging.map(|target| open.backlog().measured_of(target)).sum();
            self.tally.add(Counter::AwaitedConnection, waiting);
        }
        demand.count_unreached(&self.spec, &self.phases, &mut self.tally);
    }

    /// Measured requests that are due and have not ended: backlog and in flight. Iterates over all exchanges:
    /// for tests.
    pub fn outstanding(&self) -> u64 {
        let waiting = match &self.demand {
            Some(Demand::Open(open)) => open.backlog().iter().filter(|start| start.measured).count(),
            _ => 0,
        };
        (self.exchanges.measured() + waiting) as u64
    }

    /// Requests on the wire or waiting for their own connection attempt.
    pub fn in_flight(&self) -> u64 {
        self.exchanges.len() as u64
    }

    /// Due requests waiting for a free connection.
    pub fn backlog(&self) -> u64 {
        match &self.demand {
            Some(Demand::Open(open)) => open.backlog().len() as u64,
            _ => 0,
        }
    }

    /// Established connections.
    pub fn established(&self) -> u64 {
        self.pool.established().into()
    }

    /// The tally of the current window.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Hand out the tally of the window that ends `now`, and go on with an empty one. Looks at every exchange.
    pub fn swap_tally(&mut self, empty: Box<Tally>, now: u64) -> Box<Tally> {
        for (target, recorder) in self.recorders.iter_mut().enumerate() {
            let is_to = |connection: u32| self.pool.target_of(connection) == target;
            if let Some(sent_ns) = self.exchanges.oldest_sent_ns(is_to) {
                recorder.waited(sent_ns, now);
            }
            if let Some(availability) = self.tally.availability_mut(target) {
                recorder.drain_into(availability);
            }
        }
        std::mem::replace(&mut self.tally, empty)
    }
}
