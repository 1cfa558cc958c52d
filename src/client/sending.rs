//! Decides what to do now: close, connect, send. Also has the queries a caller needs to do it.

use super::connection::State;
use super::demand::Demand;
use super::exchange::Start;
use super::exchanges::ExchangeId;
use super::{Action, Client};
use crate::http::CapturedResponse;
use crate::tally::{Counter, Detail, Outcome};

impl Client {
    /// The next action; call until there is none. An [`Action::Send`] counts as begun at `now`.
    #[inline]
    pub fn next(&mut self, now: u64) -> Option<Action> {
        if let Some(c) = self.pool.next_to_close() {
            return Some(Action::Close(c));
        }
        if now >= self.permitted_until_ns
            && let Some(demand) = &mut self.demand
        {
            if let Demand::Open(open) = demand {
                open.drop_unpermitted(now, &self.spec, &self.phases, &mut self.tally);
            }
            return None;
        }
        if self.pool.may_connect(self.demand.is_some()) {
            return self.begin_connecting(now);
        }
        match &self.demand {
            Some(Demand::Closed(_)) => self.next_closed(now),
            Some(Demand::Open(_)) => self.next_open(now),
            None => None,
        }
    }

    /// Whether [`Client::next`] may return another action. This saves the caller a clock reading; it may be
    /// `true` when there is none.
    #[inline]
    pub(crate) fn may_have_more(&self) -> bool {
        self.pool.has_work()
            || matches!(self.demand, Some(Demand::Open(_)))
            || self.pool.has_several_targets()
    }

    /// Whether a connection attempt on `c` is in progress.
    #[inline]
    pub(crate) fn is_connecting(&self, c: u32) -> bool {
        self.pool.get(c).state == State::Connecting
    }

    /// The number of the target that `c` leads to.
    #[inline]
    pub(crate) fn target_of(&self, c: u32) -> usize {
        self.pool.target_of(c)
    }

    /// Whether `c` is established.
    #[inline]
    pub fn is_established(&self, c: u32) -> bool {
        self.pool.get(c).state == State::Established
    }

    /// The bytes for `c` that the kernel has not taken yet.
    #[inline]
    pub fn outgoing(&self, c: u32) -> &[u8] {
        let wire = &self.pool.get(c).wire;
        match wire.exchange() {
            Some(id) => wire.outgoing(self.exchanges.request(&self.spec, id)),
            None => &[],
        }
    }

    /// Whether [`Self::outgoing`] has bytes for `c`.
    #[inline]
    pub(crate) fn has_outgoing(&self, c: u32) -> bool {
        let wire = &self.pool.get(c).wire;
        wire.exchange().is_some() && !wire.is_sent()
    }

    /// Response bytes on `c` that may be discarded unseen. Where the response ends with them this is one
    /// more: if that byte is there too, the target sent something after the response.
    #[inline]
    pub fn skippable(&self, c: u32) -> u64 {
        let wire = &self.pool.get(c).wire;
        let Some(id) = wire.exchange() else { return 0 };
        if self.exchanges.captured(id).is_some_and(CapturedResponse::wants_body) {
            return 0;
        }
        let ahead = wire.skippable();
        ahead.bytes.saturating_add(u64::from(ahead.ends_response))
    }

    /// Whether a response head comes next on `c`.
    #[inline]
    pub(crate) fn expects_head(&self, c: u32) -> bool {
        self.pool.get(c).wire.expects_head()
    }

    /// Bytes sent on `c` since it was established, and of those the current request's.
    pub(crate) fn written(&self, c: u32) -> (u64, u64) {
        let connection = self.pool.get(c);
        (connection.written, connection.wire.written() as u64)
    }

    /// Whether the request on `c` has no body.
    pub(crate) fn sends_no_body(&self, c: u32) -> bool {
        let exchange = self.pool.get(c).wire.exchange();
        exchange.is_some_and(|id| !self.exchanges.request(&self.spec, id).has_body)
    }

    fn begin_connecting(&mut self, now: u64) -> Option<Action> {
        let c = self.pool.begin_connecting(now)?;
        if let Some(id) = self.pool.get(c).reserved {
            self.exchanges.await_again(id);
        }
        Some(Action::Connect(c))
    }

    #[inline]
    fn next_closed(&mut self, now: u64) -> Option<Action> {
        loop {
            let Some(c) = self.pool.take_ready() else {
                return if self.pool.has_several_targets() { self.next_of_users(now) } else { None };
            };
            let connection = self.pool.get(c);
            debug_assert_ne!(connection.state, State::Connecting);
            let id = match connection.reserved {
                Some(id) => id,
                None if self.pool.has_several_targets() => {
                    self.pool.offer(c);
                    continue;
                }
                None => match self.start_closed(c, now) {
                    Some(id) => id,
                    None => continue, // nothing left, except for those that have a request already
                },
            };
            if let Some(action) = self.send_on(c, id, now) {
                return Some(action);
            }
        }
    }

    /// Send `id` on `c`, or open it first.
    #[inline]
    fn send_on(&mut self, c: u32, id: ExchangeId, now: u64) -> Option<Action> {
        if self.is_established(c) {
            return self.begin_send(c, id, None, now);
        }
        self.pool.reserve(c, id);
        self.begin_connecting(now)
    }

    /// Several targets: give users the connections that were offered.
    fn next_of_users(&mut self, now: u64) -> Option<Action> {
        loop {
            let (c, start) = self.next_match(now)?;
            let id = self.exchanges.insert(start, c);
            if let Some(action) = self.send_on(c, id, now) {
                return Some(action);
            }
        }
    }

    /// A user's next request, due `now`, and an offered connection to its target.
    fn next_match(&mut self, now: u64) -> Option<(u32, Start)> {
        let Some(Demand::Closed(closed)) = &mut self.demand else { return None };
        if now >= self.phases.stop {
            return None;
        }
        for target in 0..self.pool.targets() {
            if closed.has_parked(target)
                && let Some(c) = self.pool.take_offered(target)
                && let Some(drawn) = closed.unpark(target)
            {
                return Some((c, drawn.start(now, &mut self.tally)));
            }
        }
        while let Some(drawn) = closed.draw(now, &self.spec, &self.phases, &mut self.tally) {
            let target = self.spec.plan.scenarios[drawn.step.index()].target;
            match self.pool.take_offered(target) {
                Some(c) => return Some((c, drawn.start(now, &mut self.tally))),
                None => closed.park(target, drawn),
            }
        }
        None
    }

    /// The next request of the closed model, to go over `c`.
    #[inline]
    fn start_closed(&mut self, c: u32, now: u64) -> Option<ExchangeId> {
        let Some(Demand::Closed(closed)) = &mut self.demand else { return None };
        let start = closed.start(now, &self.spec, &self.phases, &mut self.tally)?;
        Some(self.exchanges.insert(start, c))
    }

    #[inline]
    fn next_open(&mut self, now: u64) -> Option<Action> {
        // Sent again after an idle close, or following a redirect.
        while let Some(c) = self.pool.take_ready() {
            let connection = self.pool.get(c);
            if connection.state == State::Established
                && let Some(id) = connection.reserved
                && let Some(action) = self.begin_send(c, id, None, now)
            {
                return Some(action);
            }
        }
        loop {
            for target in 0..self.pool.targets() {
                let Some(Demand::Open(open)) = &mut self.demand else { return None };
                let Some(first) = open.backlog().first(target) else { continue };
                if let Some(c) = self.pool.take_free(target) {
                    open.dequeue(target);
                    return self.carry(c, first, now);
                }
                self.pool.open_for(target, open.backlog().len_of(target));
                if let Some(action) = self.begin_connecting(now) {
                    return Some(action);
                }
            }
            let Some(Demand::Open(open)) = &mut self.demand else { return None };
            let start = open.arrival(now, &self.spec, &self.phases, &mut self.tally)?;
            let target = match self.pool.has_several_targets() {
                true => self.spec.plan.scenarios[start.step.index()].target,
                false => 0,
            };
            if open.backlog().len_of(target) == 0
                && let Some(c) = self.pool.take_free(target)
            {
                return self.carry(c, start, now);
            }
            let waits = open.enqueue(target, start, &mut self.tally);
            if !waits && start.measured && self.pool.is_connecting_to(target) {
                self.tally.count(Counter::AwaitedConnection);
            }
        }
    }

    fn carry(&mut self, c: u32, start: Start, now: u64) -> Option<Action> {
        if !self.has_rows(start) {
            return self.wait_for_rows(c, start, now);
        }
        let free_ns = self.pool.get(c).idle_since_ns;
        let lapse = &mut self.lapses[self.pool.target_of(c)];
        let possible_ns = lapse.possible_ns(start.due_ns, free_ns);
        lapse.sent(start.due_ns, free_ns, now);
        let id = self.exchanges.insert(start, c);
        self.begin_send(c, id, Some(possible_ns), now)
    }

    #[inline]
    fn begin_send(&mut self, c: u32, id: ExchangeId, possible_ns: Option<u64>, now: u64) -> Option<Action> {
        let connection = self.pool.get_mut(c);
        connection.reserved = None;
        if !self.exchanges.render(&self.spec, (id, now), self.rows.as_deref_mut(), &mut self.tally) {
            return self.wait_for_own_rows(c, id, now);
        }
        connection.wire.start(id, self.exchanges.request(&self.spec, id));
        self.exchanges.send_begins(&self.spec, id, possible_ns, now, &mut self.tally);
        Some(Action::Send(c))
    }

    /// Whether the rows of large files that a request takes were read.
    #[inline]
    fn has_rows(&mut self, start: Start) -> bool {
        let Some(rows) = &mut self.rows else { return true };
        if let Some(Demand::Open(open)) = &self.demand {
            rows.set_stride(open.stride());
        }
        let (spec, numbering) = (&self.spec, self.exchanges.numbering());
        spec.large_sets_of(start.step).iter().all(|set| rows.has(spec, numbering, (*set, start.number)))
    }

    /// Open model: let a request, for which `c` is free, wait for its rows.
    #[cold]
    fn wait_for_rows(&mut self, c: u32, start: Start, now: u64) -> Option<Action> {
        let is_readable = self.rows.as_ref().is_none_or(|rows| !rows.has_failed());
        let target = self.pool.target_of(c);
        if let Some(Demand::Open(open)) = &mut self.demand {
            open.put_back(target, start);
        }
        self.pool.make_free(c);
        if is_readable {
            return Some(Action::AwaitRow);
        }
        self.end_for_want_of_rows(now);
        None
    }

    /// The same for one that has `c` already.
    #[cold]
    fn wait_for_own_rows(&mut self, c: u32, id: ExchangeId, now: u64) -> Option<Action> {
        if self.rows.as_ref().is_none_or(|rows| !rows.has_failed()) {
            self.pool.reserve(c, id);
            return Some(Action::AwaitRow);
        }
        self.end_exchange(id, (Outcome::LocalError, Detail::None), now);
        self.pool.make_free(c);
        self.end_for_want_of_rows(now);
        None
    }

    /// Rows cannot be read any more: nothing else is sent.
    fn end_for_want_of_rows(&mut self, now: u64) {
        self.tally.add(Counter::DataUnreadable, 1);
        self.stop(now);
        if let Some(Demand::Open(open)) = &mut self.demand {
            open.drop_unpermitted(now, &self.spec, &self.phases, &mut self.tally);
        }
    }
}
