//! What happened: the target's doings and the passing of time, and what they make of a connection.

use super::connection::State;
use super::demand::Demand;
use super::exchange::{Arrival, Exchange, by_status};
use super::redirect::request;
use super::{Client, End, FIRST_BACKOFF_NS, MAX_BACKOFF_NS};
use crate::http1::{Head, is_redirect};
use crate::tally::{Close, Detail, Outcome, TlsFault};

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
        (connection.opened_ns, connection.idle_since_ns) = (now, now);
        self.tally.reconnects += u64::from(std::mem::replace(&mut connection.reopened, true));
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
                self.ends_idle(c, Close::OutOfStep);
            }
            return;
        };
        connection.heard = true;
        let is_first = exchange.first_byte_ns.is_none();
        let arrival = exchange.arrived(bytes.len(), stamp_ns, now);
        let is_head = request(&self.brief, &self.hops, c, exchange).is_head;
        if is_first && !self.is_heard_in_time(c, arrival.at_ns) {
            return;
        }
        let connection = &mut self.connections[c as usize];
        let fed = match self.recordings.get_mut(c as usize) {
            None => connection.decoder.feed(bytes, is_head, &mut self.memo),
            Some(recording) => connection.decoder.feed_to(bytes, is_head, &mut self.memo, recording),
        };
        match fed {
            Ok(fed) if fed.complete => self.complete(c, fed.consumed == bytes.len(), arrival),
            Ok(_) => self.goes_on(c, arrival),
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
        } else {
            self.goes_on(c, arrival);
        }
    }

    /// The response on `c` is not complete at `arrival`: if its deadline came before, it has ended. One that
    /// never pauses is found out here.
    #[inline]
    fn goes_on(&mut self, c: u32, arrival: Arrival) {
        if let Some(deadline_ns) = self.deadlines.of(c).filter(|at_ns| arrival.at_ns > *at_ns) {
            self.fail(c, Outcome::Timeout, deadline_ns, Detail::None);
        }
    }

    /// The target closed or reset `c`. `unacknowledged`: its kernel acknowledged nothing of the
    /// current request.
    pub fn closed(&mut self, c: u32, end: End, unacknowledged: bool, now: u64) {
        let connection = &mut self.connections[c as usize];
        match (connection.state, &mut connection.exchange) {
            (State::Down | State::Connecting, _) => {}
            (State::Idle, _) | (_, None) => self.ends_idle(c, Close::TargetIdle),
            (State::Busy, Some(exchange)) => {
                let complete = end == End::Eof && connection.decoder.ends_here();
                // No byte left this machine; or the target's kernel acknowledged none. With an orderly end
                // that proves that the target hung up before it had them. With a reset it is as good as
                // certain, which is enough where twice means the same as once.
                let request = request(&self.brief, &self.hops, c, exchange);
                let proven = !matches!(end, End::Reset(_)) || request.is_idempotent;
                let unseen = connection.written == 0 || (unacknowledged && proven);
                let idle_closed = connection.served > 0 && !connection.heard && unseen;
                if complete {
                    // Its last byte is what came last, not the end that told so.
                    let last = exchange.last.unwrap_or(Arrival::judge(None, 0, now));
                    self.complete(c, false, last);
                } else if idle_closed && !exchange.retried {
                    exchange.retried = true;
                    self.tally.retried += u64::from(exchange.measured);
                    self.retire(c, Close::TargetIdle);
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
            State::Idle => self.ends_idle(c, Close::Failure),
            State::Busy => self.fail(c, Outcome::TlsFailed, now, Detail::Tls(fault)),
        }
    }

    /// Let time pass: deadlines that have come by `now` end what they are for.
    #[inline]
    pub fn advance(&mut self, now: u64) {
        self.advance_but(now, |_| false);
    }

    /// The same for all connections but those that are `held`: what had come for them by `now` has not all
    /// been fed.
    #[inline]
    pub fn advance_but(&mut self, now: u64, held: impl Fn(u32) -> bool) {
        while let Some((c, at_ns)) = self.deadlines.expired(now, &held) {
            self.deadline_passed(c, at_ns, now);
        }
    }

    /// The response on `c` is complete; `clean`: no byte came after it.
    #[inline]
    fn complete(&mut self, c: u32, clean: bool, arrival: Arrival) {
        if let Some(deadline_ns) = self.deadlines.of(c).filter(|at_ns| arrival.at_ns > *at_ns) {
            return self.fail(c, Outcome::Timeout, deadline_ns, Detail::None); // its deadline came first
        }
        let connection = &self.connections[c as usize];
        let (Some(exchange), Some(head)) = (connection.exchange, connection.decoder.head()) else {
            return;
        };
        self.deadlines.clear(c);
        let stays = self.stays_open(c, &exchange, head, clean, arrival.at_ns);
        let scenario = &self.brief.plan.scenarios[usize::from(exchange.scenario)];
        let follows = scenario.follow_redirects > 0 && is_redirect(head.status);
        let followed = if follows { Some(self.redirect(c, head.status)) } else { None };
        let (outcome, detail) =
            match (followed, &self.brief.plan.scenarios[usize::from(exchange.scenario)].expect) {
                (Some(Ok(())), _) => return self.go_on(c, stays, arrival.at_ns),
                (Some(Err(error)), _) => (Outcome::RedirectFailed, Detail::Redirect(error)),
                (None, None) => by_status(head.status),
                (None, Some(_)) => self.judge(c, &exchange, head.status, arrival.at_ns),
            };
        self.connections[c as usize].exchange = None;
        self.in_flight -= 1;
        let in_time = arrival.at_ns <= self.course.stop;
        exchange.completes(head, (outcome, detail), arrival, in_time, &mut self.tally);
        match stays {
            Ok(()) => {
                self.stays_idle(c, arrival.at_ns);
                self.becomes_free(c);
            }
            Err(why) => self.drop_connection(c, why),
        }
    }

    /// Whether `c` may carry another exchange after the response to `exchange`, complete at `at_ns`; why not.
    #[inline]
    fn stays_open(
        &self,
        c: u32,
        exchange: &Exchange,
        head: Head,
        clean: bool,
        at_ns: u64,
    ) -> Result<(), Close> {
        let connection = &self.connections[c as usize];
        let length = request(&self.brief, &self.hops, c, exchange).bytes.len();
        let policy = &self.brief.plan.connections;
        if !policy.keep_alive {
            Err(Close::KeepAliveOff)
        } else if !head.keep_alive {
            Err(Close::TargetAsked)
        } else if !clean || connection.written as usize != length {
            Err(Close::OutOfStep)
        } else if policy.most_requests.is_some_and(|most| connection.served + 1 >= most) {
            Err(Close::RequestsReached)
        } else if policy.most_age_ns.is_some_and(|most| at_ns.saturating_sub(connection.opened_ns) >= most) {
            Err(Close::AgeReached)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn stays_idle(&mut self, c: u32, since_ns: u64) {
        let connection = &mut self.connections[c as usize];
        connection.served += 1;
        connection.state = State::Idle;
        connection.idle_since_ns = since_ns;
    }

    /// The exchange on `c` goes on where a redirect leads, over a new connection where this one ends.
    fn go_on(&mut self, c: u32, stays: Result<(), Close>, at_ns: u64) {
        match stays {
            Ok(()) => {
                self.stays_idle(c, at_ns);
                self.becomes_ready(c);
            }
            Err(why) => {
                self.retire(c, why);
                self.wanted.push_back(c);
            }
        }
    }

    /// The first byte of the response on `c` was there at `at_ns`; from now on the whole of it is waited
    /// for. Whether that was in time: if not, the exchange has ended.
    #[inline]
    fn is_heard_in_time(&mut self, c: u32, at_ns: u64) -> bool {
        let Some(exchange) = &self.connections[c as usize].exchange else { return false };
        let timeouts = &self.timeouts[usize::from(exchange.scenario)];
        if timeouts.first_byte.is_none() {
            return true;
        }
        let (list, length) = timeouts.whole;
        let whole_ns = exchange.sent_ns.unwrap_or(at_ns).saturating_add(length);
        if let Some(deadline_ns) = self.deadlines.of(c).filter(|deadline_ns| at_ns > *deadline_ns) {
            self.fail(c, Outcome::FirstByteTimeout, deadline_ns, Detail::None);
            return false;
        }
        self.deadlines.set(c, list as usize, whole_ns);
        true
    }

    /// The exchange on `c` ends without a complete response, and the connection with it.
    fn fail(&mut self, c: u32, outcome: Outcome, at_ns: u64, detail: Detail) {
        self.end_exchange(c, outcome, at_ns, detail);
        self.drop_connection(c, Close::Failure);
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
            return self.becomes_ready(c);
        }
        match &self.demand {
            Some(Demand::Closed(_)) => self.becomes_ready(c),
            _ if !connection.queued => {
                connection.queued = true;
                self.free.push_back(c);
            }
            _ => {}
        }
    }

    /// Have `c` looked at when something is to be sent. It may stand there already: a response is complete
    /// and the end of the stream read before anything is done.
    #[inline]
    pub(super) fn becomes_ready(&mut self, c: u32) {
        if !std::mem::replace(&mut self.connections[c as usize].is_ready, true) {
            self.ready.push_back(c);
        }
    }

    /// Close `c`, on which nothing is outstanding. A request that was about to be sent on it goes over
    /// a new connection.
    fn ends_idle(&mut self, c: u32, why: Close) {
        if self.connections[c as usize].exchange.is_none() {
            return self.drop_connection(c, why);
        }
        self.retire(c, why);
        // In the closed model it stands among those ready, and is opened from there.
        if !matches!(self.demand, Some(Demand::Closed(_))) {
            self.wanted.push_back(c);
        }
    }

    /// Close `c`, whatever it did, and let it go on as the model wants.
    fn drop_connection(&mut self, c: u32, why: Close) {
        self.retire(c, why);
        let served = self.connections[c as usize].served > 0;
        match &self.demand {
            Some(Demand::Closed(_)) => self.becomes_ready(c),
            // Keep the asked connections open, so that the next request finds one; but do not ply a
            // target with connections that it closes unused.
            _ if served && !self.opens_on_demand() => self.wanted.push_back(c),
            _ => self.spare.push(c),
        }
    }

    fn retire(&mut self, c: u32, why: Close) {
        self.tally.closes[why as usize] += 1;
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
                // One that was sent before has a deadline of its own, which may have come first.
                let sent = self.connections[c as usize]
                    .exchange
                    .as_ref()
                    .and_then(|x| Some((x.scenario, x.sent_ns?)));
                let is_own = sent.is_some_and(|(scenario, sent_ns)| {
                    at_ns == sent_ns.saturating_add(self.timeouts[usize::from(scenario)].whole.1)
                });
                let outcome = if is_own { Outcome::Timeout } else { Outcome::ConnectTimeout };
                self.attempt_failed(c, outcome, Detail::None, at_ns, now);
            }
            State::Busy => {
                let unsent = !self.outgoing(c).is_empty();
                let exchange = self.connections[c as usize].exchange;
                let silent = exchange.is_some_and(|x| {
                    x.first_byte_ns.is_none() && self.timeouts[usize::from(x.scenario)].first_byte.is_some()
                });
                let outcome = match (unsent, silent) {
                    (true, _) => Outcome::WriteTimeout,
                    (false, true) => Outcome::FirstByteTimeout,
                    (false, false) => Outcome::Timeout,
                };
                self.fail(c, outcome, at_ns, Detail::None);
            }
            State::Down => self.becomes_ready(c),
            State::Idle => {}
        }
    }
}
