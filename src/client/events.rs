//! Handles events from the target: what they do to exchanges and connections.

use super::connection::State;
use super::demand::Demand;
use super::evidence;
use super::exchange::{Arrival, Exchange};
use super::exchanges::ExchangeId;
use super::{Client, End};
use crate::http::Status;
use crate::tally::{Close, Counter, Detail, Outcome, Timer, TlsFault};

impl Client {
    /// The attempt on `c` succeeded.
    pub fn connected(&mut self, c: u32, now: u64) {
        let took = now - self.pool.get(c).connecting_since_ns;
        self.tally.record(Timer::ConnectTime, took);
        self.establish(c, now);
    }

    /// The attempt on `c` has a TCP connection; a tunnel or a TLS handshake follows. The attempt's deadline stays.
    pub(crate) fn tcp_connected(&mut self, c: u32, now: u64) {
        self.attempt_advanced(c, Timer::ConnectTime, now);
    }

    /// The attempt on `c` has a tunnel through a proxy; its TLS handshake begins.
    pub(crate) fn tunneled(&mut self, c: u32, now: u64) {
        self.attempt_advanced(c, Timer::TunnelTime, now);
    }

    fn attempt_advanced(&mut self, c: u32, timer: Timer, now: u64) {
        let connection = self.pool.get_mut(c);
        let took = now - connection.connecting_since_ns;
        connection.connecting_since_ns = now;
        self.tally.record(timer, took);
    }

    /// The TLS handshake on `c` succeeded, and with it the attempt. `resumed`: it resumed an earlier session.
    pub(crate) fn secured(&mut self, c: u32, resumed: bool, now: u64) {
        let took = now - self.pool.get(c).connecting_since_ns;
        self.tally.record(Timer::TlsTime, took);
        self.tally.count(if resumed { Counter::HandshakesResumed } else { Counter::HandshakesFull });
        self.establish(c, now);
    }

    fn establish(&mut self, c: u32, now: u64) {
        if let Some(id) = self.pool.get(c).reserved {
            self.exchanges.suspend(id);
        }
        self.pool.establish(c, now, &mut self.tally);
    }

    /// The attempt on `c` failed.
    pub fn connect_failed(&mut self, c: u32, outcome: Outcome, detail: Detail, now: u64) {
        self.attempt_failed(c, (outcome, detail), now, now);
    }

    /// The attempt on `c` failed at `at_ns`, and with it the request that it was made for.
    pub(super) fn attempt_failed(&mut self, c: u32, failure: (Outcome, Detail), at_ns: u64, now: u64) {
        let connection = self.pool.get(c);
        self.recorders[usize::from(connection.target)].waited(connection.connecting_since_ns, at_ns);
        self.pool.attempt_failed(c, failure, now);
        if let Some(id) = self.pool.get_mut(c).reserved.take() {
            return self.end_exchange(id, failure, at_ns);
        }
        match &mut self.demand {
            // The attempt was made for the request that has waited longest.
            Some(Demand::Open(open)) => match open.dequeue(self.pool.target_of(c)) {
                Some(start) => {
                    let (outcome, detail) = failure;
                    Exchange::new(start, c).fails(outcome, at_ns, detail, &mut self.tally);
                }
                None => self.tally.count(Counter::ConnectFailures),
            },
            Some(Demand::Closed(_)) => {}
            None => self.tally.count(Counter::ConnectFailures),
        }
    }

    /// The kernel took `n` bytes of [`Client::outgoing`].
    #[inline]
    pub fn sent(&mut self, c: u32, n: usize) {
        let connection = self.pool.get_mut(c);
        connection.wire.sent(n);
        connection.written += n as u64;
        if let Some(id) = connection.wire.exchange() {
            self.exchanges.get(id).sent(n, &mut self.tally);
        }
    }

    /// `bytes` were read from `c`; `stamp_ns` is the kernel's word on when the last of them was there. It may be
    /// wrong: the wall clock is stepped at times.
    #[inline]
    pub fn received(&mut self, c: u32, bytes: &[u8], stamp_ns: Option<u64>, now: u64) {
        self.received_when(c, bytes, (stamp_ns, |_| false), now);
    }

    /// The same; `was_before` says whether the stamp proves that they were there before an instant. It is asked
    /// only where the stamp lies before the request's send.
    #[inline]
    pub fn received_when(
        &mut self,
        c: u32,
        bytes: &[u8],
        (stamp_ns, was_before): (Option<u64>, impl FnOnce(u64) -> bool),
        now: u64,
    ) {
        let connection = self.pool.get_mut(c);
        let Some(id) = connection.wire.exchange() else {
            if connection.state == State::Established {
                self.pool.close_idle(c, Close::OutOfStep, &mut self.tally);
            }
            return;
        };
        let exchange = self.exchanges.get_mut(id);
        let is_first = exchange.first_byte_ns.is_none();
        let arrival = exchange.arrived(bytes.len(), stamp_ns, now);
        if is_first && (arrival.absurd || connection.wire.written() == 0) {
            let sent_ns = exchange.sent_ns.unwrap_or(now);
            // What was there before the request was sent is never its answer (RFC 9112, 9.2).
            if connection.wire.written() == 0 || was_before(sent_ns) {
                return self.out_of_step(c, id, now);
            }
        }
        if is_first && let Err(deadline_ns) = self.exchanges.first_byte_arrived(id, arrival.at_ns) {
            return self.fail(c, (Outcome::FirstByteTimeout, Detail::None), deadline_ns);
        }
        let captured = self.exchanges.captured_mut(id);
        match connection.wire.feed(bytes, &mut self.memo, captured) {
            Ok(fed) if fed.complete => self.complete(c, id, fed.consumed == bytes.len(), arrival),
            Ok(_) => self.check_deadline(c, id, arrival),
            Err(error) => {
                let failure = (Outcome::ProtocolError, Detail::Protocol(error));
                self.fail_because(c, failure, (arrival.at_ns, bytes), Close::Failure);
            }
        }
    }

    /// `n` bytes, at most [`Client::skippable`], were discarded from `c`.
    #[inline]
    pub fn skipped(&mut self, c: u32, n: u64, stamp_ns: Option<u64>, now: u64) {
        let connection = self.pool.get_mut(c);
        let Some(id) = connection.wire.exchange() else { return };
        let arrival = self.exchanges.get_mut(id).arrived(n as usize, stamp_ns, now);
        let body = n.min(connection.wire.skippable().bytes);
        if connection.wire.skip(body) {
            self.complete(c, id, n == body, arrival);
        } else {
            self.check_deadline(c, id, arrival);
        }
    }

    /// The response on `c` is not complete at `arrival`: if its deadline came before, it fails. This catches
    /// responses that never pause.
    #[inline]
    fn check_deadline(&mut self, c: u32, id: ExchangeId, arrival: Arrival) {
        if let Some(deadline_ns) = self.exchanges.missed_deadline(id, arrival.at_ns) {
            self.fail(c, (Outcome::Timeout, Detail::None), deadline_ns);
        }
    }

    /// The target closed or reset `c`. `unacknowledged`: its kernel acknowledged no byte of the current
    /// request.
    pub fn closed(&mut self, c: u32, end: End, unacknowledged: bool, now: u64) {
        let connection = self.pool.get(c);
        if connection.state != State::Established {
            return;
        }
        let wire = &connection.wire;
        let Some(id) = wire.exchange() else {
            return self.pool.close_idle(c, Close::TargetIdle, &mut self.tally);
        };
        let exchange = self.exchanges.get(id);
        if end == End::Eof && wire.ends_here() {
            // The response ended when its last byte arrived, not at the end of input.
            let last = exchange.last.unwrap_or(Arrival::judge(None, 0, now));
            return self.complete(c, id, false, last);
        }
        // Where twice means the same as once, an end without a byte of response is enough (RFC 9110, 9.2.2).
        // Anything else is sent again only if the target cannot have seen it: no byte left this machine, or its
        // kernel acknowledged none and ended the connection in order, which acknowledges all it had.
        let is_idempotent = self.exchanges.request(&self.spec, id).is_idempotent;
        let unseen = wire.written() == 0 || (unacknowledged && !matches!(end, End::Reset(_)));
        let may_be_sent_again = connection.served > 0 && !wire.is_heard() && (is_idempotent || unseen);
        if may_be_sent_again && !exchange.retried {
            return self.send_again(c, id, Close::TargetIdle);
        }
        let failure = match end {
            End::Eof => (Outcome::ClosedEarly, Detail::None),
            End::Truncated => (Outcome::ClosedEarly, Detail::Truncated),
            End::Reset(errno) => (Outcome::Reset, Detail::Os(errno)),
        };
        self.fail(c, failure, now);
    }

    /// What `c` holds was sent before the request on it was: the request goes over another connection, if the
    /// target cannot have it or twice means the same as once.
    #[cold]
    fn out_of_step(&mut self, c: u32, id: ExchangeId, now: u64) {
        let may_be_sent_again =
            self.pool.get(c).wire.written() == 0 || self.exchanges.request(&self.spec, id).is_idempotent;
        let exchange = self.exchanges.get_mut(id);
        exchange.unhear();
        if may_be_sent_again && !exchange.retried {
            return self.send_again(c, id, Close::OutOfStep);
        }
        self.fail_because(c, (Outcome::ClosedEarly, Detail::None), (now, &[]), Close::OutOfStep);
    }

    /// `c` brought no answer to the request on it: close it and send the request again over a new connection.
    fn send_again(&mut self, c: u32, id: ExchangeId, why: Close) {
        self.exchanges.get_mut(id).retries(&mut self.tally);
        self.exchanges.suspend(id);
        self.pool.get_mut(c).wire.end();
        self.pool.retire(c, why, &mut self.tally);
        self.pool.reserve(c, id);
    }

    /// TLS on `c`, established, failed: a fatal alert, or bytes that do not decrypt.
    pub(crate) fn broken(&mut self, c: u32, fault: TlsFault, now: u64) {
        let connection = self.pool.get(c);
        match (connection.state, connection.wire.exchange()) {
            (State::Down | State::Connecting, _) => {}
            (State::Established, None) => self.pool.close_idle(c, Close::Failure, &mut self.tally),
            (State::Established, Some(_)) => self.fail(c, (Outcome::TlsFailed, Detail::Tls(fault)), now),
        }
    }

    /// The response on `c` is complete; `clean`: no byte followed it.
    #[inline]
    fn complete(&mut self, c: u32, id: ExchangeId, clean: bool, arrival: Arrival) {
        if let Some(deadline_ns) = self.exchanges.missed_deadline(id, arrival.at_ns) {
            return self.fail(c, (Outcome::Timeout, Detail::None), deadline_ns); // its deadline came first
        }
        let Some(head) = self.pool.get(c).wire.head() else { return };
        let stays = self.pool.stays_open(c, head.keep_alive, clean, arrival.at_ns);
        self.pool.get_mut(c).wire.end();
        let scenario = &self.spec.plan.scenarios[self.exchanges.get(id).step.index()];
        let judged = if scenario.follow_redirects > 0 && Status(head.status).is_redirect() {
            match self.exchanges.redirect(&self.spec, id, head.status, &mut self.tally) {
                Ok(()) => return self.continue_after_redirect(c, id, stays, arrival.at_ns),
                Err(error) => (Outcome::RedirectFailed, Detail::Redirect(error)),
            }
        } else {
            let response = (head.status, self.exchanges.captured(id));
            self.judge.judge(&self.spec, self.exchanges.get(id), response, arrival.at_ns, &mut self.tally)
        };
        // On a connection that was used before, what nobody expected may be another request's answer.
        let may_be_anothers = judged.0 == Outcome::ExpectationFailed && self.pool.get(c).served > 0;
        let stays = if may_be_anothers { stays.and(Err(Close::ExpectationFailed)) } else { stays };
        let in_time = arrival.at_ns <= self.phases.stop;
        let exchange = self.exchanges.remove(id);
        let recorder = &mut self.recorders[self.pool.target_of(c)];
        exchange.mark(judged.0.is_ok(), arrival.at_ns, recorder);
        exchange.completes(head, judged, arrival, in_time, &mut self.tally);
        if judged.0 == Outcome::RedirectFailed {
            self.show_location(id);
        }
        self.request_ended();
        match stays {
            Ok(()) => {
                self.pool.served(c, arrival.at_ns);
                self.pool.make_free(c);
            }
            Err(why) => self.pool.close(c, why, &mut self.tally),
        }
    }

    /// Continue the exchange where a redirect leads, over a new connection if `c` does not stay open.
    fn continue_after_redirect(&mut self, c: u32, id: ExchangeId, stays: Result<(), Close>, at_ns: u64) {
        self.exchanges.suspend(id);
        match stays {
            Ok(()) => self.pool.served(c, at_ns),
            Err(why) => self.pool.retire(c, why, &mut self.tally),
        }
        self.pool.reserve(c, id);
    }

    /// The exchange on `c` ends without a complete response, and the connection with it.
    pub(super) fn fail(&mut self, c: u32, failure: (Outcome, Detail), at_ns: u64) {
        self.fail_because(c, failure, (at_ns, &[]), Close::Failure);
    }

    /// As [`Self::fail`]; `last`: the bytes at which it failed.
    fn fail_because(&mut self, c: u32, failure: (Outcome, Detail), (at_ns, last): (u64, &[u8]), why: Close) {
        if let Some(id) = self.pool.get(c).wire.exchange() {
            let evidence = self.evidence(c, id, failure.0, last);
            self.pool.get_mut(c).wire.end();
            let is_first = !self.tally.has_seen(failure.0);
            self.end_exchange(id, failure, at_ns);
            if is_first {
                self.tally.add_evidence(failure.0, evidence);
            }
        }
        self.pool.close(c, why, &mut self.tally);
    }

    /// Keep where the first redirect leads that is not followed. The exchange has ended, and its slot still has its
    /// response.
    #[cold]
    fn show_location(&mut self, id: ExchangeId) {
        let Some(captured) = self.exchanges.captured(id) else { return };
        if self.tally.lacks_evidence(Outcome::RedirectFailed) {
            if self.spec.capture_last {
                self.tally.capture_last(Box::new(captured.clone()));
            }
            let location = evidence::location(captured.head(), &self.spec.plan.secrets);
            self.tally.add_evidence(Outcome::RedirectFailed, location);
        }
    }

    /// What came of the response on `c`, if it is the first with this outcome.
    #[cold]
    fn evidence(&mut self, c: u32, id: ExchangeId, outcome: Outcome, last: &[u8]) -> String {
        if !self.exchanges.get(id).measured || self.tally.has_seen(outcome) {
            return String::new();
        }
        if let Some(captured) = self.exchanges.captured(id).filter(|_| self.spec.capture_last) {
            self.tally.capture_last(Box::new(captured.clone()));
        }
        let (wire, exchange) = (&self.pool.get(c).wire, self.exchanges.get(id));
        evidence::of(wire, exchange, last, &self.spec.plan.secrets)
    }

    pub(super) fn end_exchange(&mut self, id: ExchangeId, (outcome, detail): (Outcome, Detail), at_ns: u64) {
        let exchange = self.exchanges.remove(id);
        let recorder = &mut self.recorders[self.pool.target_of(exchange.connection)];
        exchange.mark(false, at_ns, recorder);
        exchange.fails(outcome, at_ns, detail, &mut self.tally);
        self.request_ended();
    }

    #[inline]
    fn request_ended(&mut self) {
        if let Some(demand) = &mut self.demand {
            demand.request_ended();
        }
    }
}
