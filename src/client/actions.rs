//! What is to be done: the next action, and until when to wait if there is none.

use std::collections::VecDeque;

use super::connection::{Connection, State};
use super::demand::{self, Demand};
use super::exchange::Exchange;
use super::judge;
use super::redirect::request;
use super::{Action, Client, MAX_CONNECTING};
use crate::http1::Recording;

impl Client {
    /// The next thing to do; ask until there is none. A [`Action::Send`] counts as begun at `now`.
    #[inline]
    pub fn next(&mut self, now: u64) -> Option<Action> {
        if let Some(c) = self.closing.pop_front() {
            return Some(Action::Close(c));
        }
        if now >= self.permitted_until_ns && self.demand.is_some() {
            self.forgo(now);
            return None;
        }
        if !self.wanted.is_empty() && self.connecting < MAX_CONNECTING && !self.is_hopeless() {
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
                &request(&self.brief, &self.hops, c, exchange).bytes[connection.written as usize..]
            }
            _ => &[],
        }
    }

    /// Response bytes that may be discarded from `c` unseen. Where the response ends with them this is
    /// one more: if that one is there too, the target sent something after it.
    #[inline]
    pub fn skippable(&self, c: u32) -> u64 {
        let connection = &self.connections[c as usize];
        let is_wanted = || self.recordings.get(c as usize).is_some_and(Recording::wants_body);
        if connection.state != State::Busy || is_wanted() {
            return 0;
        }
        let ahead = connection.decoder.skippable();
        ahead.bytes.saturating_add(u64::from(ahead.ends_response))
    }

    /// Whether the head of a response is what comes next on `c`.
    #[inline]
    pub fn expects_head(&self, c: u32) -> bool {
        self.connections[c as usize].decoder.expects_head()
    }

    /// Bytes sent on `c` since it was established, and those of the current request.
    pub fn written(&self, c: u32) -> (u64, u64) {
        let connection = &self.connections[c as usize];
        (connection.written_total, connection.written.into())
    }

    /// Whether the request on `c` is a head alone.
    pub fn sends_no_body(&self, c: u32) -> bool {
        let exchange = self.connections[c as usize].exchange.as_ref();
        exchange.is_some_and(|exchange| !request(&self.brief, &self.hops, c, exchange).has_body)
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

    /// Time between the schedule's last request and its next one; endless in the closed model.
    #[inline]
    pub fn gap_ns(&self) -> u64 {
        match &self.demand {
            Some(Demand::Open(open)) => open.gap_ns(),
            _ => u64::MAX,
        }
    }

    /// When the schedule's next request is due, unless the run has been stopped before.
    #[inline]
    pub(super) fn next_due(&self, open: &demand::Open) -> Option<u64> {
        open.peek().map(|(due, _)| due.at_ns).filter(|at_ns| *at_ns < self.course.stop)
    }

    fn begin_connecting(&mut self, now: u64) -> Option<Action> {
        let c = self.wanted.pop_front()?;
        let connection = &mut self.connections[c as usize];
        connection.state = State::Connecting;
        connection.connecting_since_ns = now;
        self.connecting += 1;
        let sent_before = connection.exchange.as_ref().and_then(|x| Some((x.scenario, x.sent_ns?)));
        let waited_for = sent_before
            .map(|(scenario, sent_ns)| sent_ns.saturating_add(self.timeouts[usize::from(scenario)].whole.1));
        let at_ns = now.saturating_add(self.connect_list.1).min(waited_for.unwrap_or(u64::MAX));
        self.deadlines.set(c, self.connect_list.0 as usize, at_ns);
        Some(Action::Connect(c))
    }

    #[inline]
    fn next_closed(&mut self, now: u64) -> Option<Action> {
        loop {
            let c = self.take_ready()?;
            let connection = &self.connections[c as usize];
            debug_assert!(matches!(connection.state, State::Down | State::Idle));
            if connection.exchange.is_none() && !self.give_request(c, now) {
                continue; // nothing left, except for those that carry a request already
            }
            if self.connections[c as usize].state == State::Idle {
                return Some(self.begin_send(c, None, now));
            }
            self.wanted.push_back(c);
            if self.connecting < MAX_CONNECTING {
                return self.begin_connecting(now);
            }
        }
    }

    #[inline]
    fn take_ready(&mut self) -> Option<u32> {
        let c = self.ready.pop_front()?;
        self.connections[c as usize].is_ready = false;
        Some(c)
    }

    /// Give `c` the next request of the closed model; whether there is one.
    #[inline]
    fn give_request(&mut self, c: u32, now: u64) -> bool {
        let Some(Demand::Closed(closed)) = &mut self.demand else { return false };
        let measured = now >= self.course.measure_from;
        let place = if now < self.course.stop { closed.take(measured) } else { None };
        let Some(k) = place else { return false };
        let exchange = Exchange::due(self.brief.picker.pick(k), now, measured, &mut self.tally);
        self.in_flight += 1;
        self.connections[c as usize].exchange = Some(exchange);
        true
    }

    #[inline]
    fn next_open(&mut self, now: u64) -> Option<Action> {
        // Sent again after an idle close, or on to where a redirect leads.
        while let Some(c) = self.take_ready() {
            if self.connections[c as usize].state == State::Idle {
                return Some(self.begin_send(c, None, now));
            }
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

    /// Without permission to send: what is due is not sent, and counted.
    #[cold]
    fn forgo(&mut self, now: u64) {
        let Some(Demand::Open(open)) = &mut self.demand else { return };
        for waiting in open.backlog.drain(..).filter(|exchange| exchange.measured) {
            self.tally.scenarios[usize::from(waiting.scenario)].dropped += 1;
        }
        while let Some((due, measured)) = open.peek()
            && due.at_ns <= now
            && due.at_ns < self.course.stop
        {
            open.advance();
            let scenario = self.brief.picker.pick(due.k);
            Exchange::due(scenario, due.at_ns, measured, &mut self.tally);
            if measured {
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
        (connection.written, connection.heard) = (0, false);
        connection.decoder.begin();
        if let (Some(recording), Some(exchange)) = (self.recordings.get_mut(c as usize), &connection.exchange)
        {
            judge::begin(recording, &self.brief, exchange);
        }
        if let Some(exchange) = &mut connection.exchange {
            exchange.send_begins(now, possible_ns, &mut self.tally);
            let timeouts = &self.timeouts[usize::from(exchange.scenario)];
            let awaited = timeouts.first_byte.filter(|_| exchange.first_byte_ns.is_none());
            let (list, length) = awaited.unwrap_or(timeouts.whole);
            // One that is sent again has been waited for since it was first sent.
            let since_ns = exchange.sent_ns.unwrap_or(now);
            self.deadlines.set(c, list as usize, since_ns.saturating_add(length));
        }
        Action::Send(c)
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
