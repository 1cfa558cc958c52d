//! Decides what to do now: close, connect, send. Also has the queries a caller needs to do it.

use super::connection::State;
use super::demand::Demand;
use super::exchange::Start;
use super::exchanges::ExchangeId;
use super::{Action, Client};
use crate::http::CapturedResponse;

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
        self.pool.has_work() || matches!(self.demand, Some(Demand::Open(_)))
    }

    /// Whether a connection attempt on `c` is in progress.
    #[inline]
    pub(crate) fn is_connecting(&self, c: u32) -> bool {
        self.pool.get(c).state == State::Connecting
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
            let c = self.pool.take_ready()?;
            let connection = self.pool.get(c);
            debug_assert_ne!(connection.state, State::Connecting);
            let id = match connection.reserved {
                Some(id) => id,
                None => match self.start_closed(c, now) {
                    Some(id) => id,
                    None => continue, // nothing left, except for those that have a request already
                },
            };
            if self.is_established(c) {
                return Some(self.begin_send(c, id, None, now));
            }
            self.pool.reserve(c, id);
            if let Some(action) = self.begin_connecting(now) {
                return Some(action);
            }
        }
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
            {
                return Some(self.begin_send(c, id, None, now));
            }
        }
        loop {
            let Some(Demand::Open(open)) = &mut self.demand else { return None };
            if let Some(first) = open.backlog.front().copied() {
                if let Some(c) = self.pool.take_free() {
                    open.backlog.pop_front();
                    return Some(self.carry(c, first, now));
                }
                self.pool.open_for(open.backlog.len());
                if let Some(action) = self.begin_connecting(now) {
                    return Some(action);
                }
            }
            let Some(Demand::Open(open)) = &mut self.demand else { return None };
            let start = open.arrival(now, &self.spec, &self.phases, &mut self.tally)?;
            if open.backlog.is_empty()
                && let Some(c) = self.pool.take_free()
            {
                return Some(self.carry(c, start, now));
            }
            open.enqueue(start, &mut self.tally);
        }
    }

    fn carry(&mut self, c: u32, start: Start, now: u64) -> Action {
        let free_ns = self.pool.get(c).idle_since_ns;
        let possible_ns = self.lapse.possible_ns(start.due_ns, free_ns);
        self.lapse.sent(start.due_ns, free_ns, now);
        let id = self.exchanges.insert(start, c);
        self.begin_send(c, id, Some(possible_ns), now)
    }

    #[inline]
    fn begin_send(&mut self, c: u32, id: ExchangeId, possible_ns: Option<u64>, now: u64) -> Action {
        let connection = self.pool.get_mut(c);
        connection.reserved = None;
        self.exchanges.render(&self.spec, id, now, &mut self.tally);
        connection.wire.start(id, self.exchanges.request(&self.spec, id));
        self.exchanges.send_begins(&self.spec, id, possible_ns, now, &mut self.tally);
        Action::Send(c)
    }
}
