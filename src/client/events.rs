//! What happened: the target's doings and the passing of time, and what they make of a connection.

use super::connection::State;
use super::demand::Demand;
use super::exchange::{Arrival, by_status};
use super::{Client, End, FIRST_BACKOFF_NS, MAX_BACKOFF_NS};
use crate::tally::{Detail, Outcome, TlsFault};

impl Client {
    /// The attempt on `c` succeeded.
    pub fn connected(&mut self, c: u32, now: u64) {
        let took = now - self.connections[c as usize].connecting_since_ns;
        self.tally.connect_time.record(took);
        self.establish(c, now);
    }

    /// The attempt on `c` has a TCP connection; its TLS handshake begins. The attempt's deadline stays.
    pub fn handshaking(&mut self, c: u32, now: u64) {
        let connection = &mut self.connections[c as usize];
        let took = now - connection.connecting_since_ns;
        connection.connecting_since_ns = now;
        self.tally.connect_time.record(took);
    }

    /// The TLS handshake on `c` succeeded, and with it the attempt. `resumed`: it took up an earlier session.
    pub fn secured(&mut self, c: u32, resumed: bool, now: u64) {
        let took = now - self.connections[c as usize].connecting_since_ns;
        self.tally.tls_time.record(took);
        self.tally.handshakes_resumed += u64::from(resumed);
        self.tally.handshakes_full += u64::from(!resumed);
        self.establish(c, now);
    }

    fn establish(&mut self, c: u32, now: u64) {
        let connection = &mut self.connections[c as usize];
        debug_assert_eq!(connection.state, State::Connecting);
        (connection.state, connection.failures) = (State::Idle, 0);
        (connection.served, connection.written_total, connection.written) = (0, 0, 0);
        connection.idle_since_ns = now;
        self.deadlines.clear(c);
        self.connecting -= 1;
        self.established += 1;
        self.any_connected = true;
        self.tally.connections_opened += 1;
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
        let fed = match self.recordings.get_mut(c as usize) {
            None => connection.decoder.feed(bytes, is_head, &mut self.memo),
            Some(recording) => connection.decoder.feed_to(bytes, is_head, &mut self.memo, recording),
        };
        match fed {
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
        let body = n.min(connection.decoder.skippable().bytes);
        if connection.decoder.skip(body) {
            self.complete(c, n == body, arrival);
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
                // No byte left this machine; or the target's kernel acknowledged none. With an orderly end
                // that proves that the target hung up before it had them. With a reset it is as good as
                // certain, which is enough where twice means the same as once.
                let request = &self.brief.requests[usize::from(exchange.scenario)];
                let proven = !matches!(end, End::Reset(_)) || request.is_idempotent;
                let unseen = connection.written == 0 || (unacknowledged && proven);
                let idle_closed = connection.served > 0 && exchange.received == 0 && unseen;
                if complete {
                    // Its last byte is what came last, not the end that told so.
                    let last = exchange.last.unwrap_or(Arrival::judge(None, 0, now));
                    self.complete(c, false, last);
                } else if idle_closed && !exchange.retried {
                    exchange.retried = true;
                    self.tally.retried += u64::from(exchange.measured);
                    self.retire(c);
                    self.wanted.push_back(c);
                } else {
                    match end {
                        End::Eof => self.fail(c, Outcome::ClosedEarly, now, Detail::None),
                        End::Truncated => self.fail(c, Outcome::ClosedEarly, now, Detail::Truncated),
                        End::Reset(errno) => self.fail(c, Outcome::Reset, now, Detail::Os(errno)),
                    }
                }
            }
        }
    }

    /// TLS on `c`, established, is broken: a fatal alert, or bytes that are not what the target sealed.
    pub fn broken(&mut self, c: u32, fault: TlsFault, now: u64) {
        match self.connections[c as usize].state {
            State::Down | State::Connecting => {}
            State::Idle => self.drop_connection(c),
            State::Busy => self.fail(c, Outcome::TlsFailed, now, Detail::Tls(fault)),
        }
    }

    /// Let time pass: deadlines that have come by `now` end what they are for.
    #[inline]
    pub fn advance(&mut self, now: u64) {
        while let Some((c, at_ns)) = self.deadlines.expired(now) {
            self.deadline_passed(c, at_ns, now);
        }
    }

    /// The response on `c` is complete; `clean`: no byte came after it.
    #[inline]
    fn complete(&mut self, c: u32, clean: bool, arrival: Arrival) {
        if let Some(deadline_ns) = self.deadlines.of(c).filter(|at_ns| arrival.at_ns > *at_ns) {
            return self.fail(c, Outcome::Timeout, deadline_ns, Detail::None); // its deadline came first
        }
        let connection = &mut self.connections[c as usize];
        let (Some(exchange), Some(head)) = (connection.exchange.take(), connection.decoder.head()) else {
            return;
        };
        self.deadlines.clear(c);
        self.in_flight -= 1;
        let length = self.brief.requests[usize::from(exchange.scenario)].bytes.len();
        let (outcome, detail) = match &self.brief.plan.scenarios[usize::from(exchange.scenario)].expect {
            None => by_status(head.status),
            Some(_) => self.judge(c, &exchange, head.status, arrival.at_ns),
        };
        let in_time = arrival.at_ns <= self.course.stop;
        exchange.completes(head, (outcome, detail), arrival, in_time, &mut self.tally);
        let connection = &mut self.connections[c as usize];
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
