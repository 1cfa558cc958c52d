//! Time: expires deadlines, and computes how long to wait.

use super::Client;
use super::connection::State;
use super::demand::Demand;
use super::exchanges::ExchangeId;
use crate::tally::{Detail, Outcome};

impl Client {
    /// Expire all deadlines at or before `now`.
    #[inline]
    pub fn advance(&mut self, now: u64) {
        self.advance_except(now, |_| false);
    }

    /// The same except for connections that are `held`: not all of their input up to `now` has been fed.
    #[inline]
    pub(crate) fn advance_except(&mut self, now: u64, held: impl Fn(u32) -> bool) {
        loop {
            let of_pool = if self.pool.has_deadlines() { self.pool.expired(now, &held) } else { None };
            match (self.exchanges.expired(now, &held), of_pool) {
                (Some((id, at_ns)), other) if other.is_none_or(|(_, other_ns)| at_ns <= other_ns) => {
                    self.exchange_expired(id, at_ns, now);
                }
                (_, Some((c, at_ns))) => self.connection_expired(c, at_ns, now),
                (_, None) => return,
            }
        }
    }

    fn exchange_expired(&mut self, id: ExchangeId, at_ns: u64, now: u64) {
        let c = self.exchanges.get(id).connection;
        if self.pool.get(c).state == State::Connecting {
            // It was sent before; the connection attempt to send it again ends with it.
            return self.attempt_failed(c, (Outcome::Timeout, Detail::None), at_ns, now);
        }
        let outcome = if self.has_outgoing(c) {
            Outcome::WriteTimeout
        } else if self.exchanges.awaits_first_byte(id) {
            Outcome::FirstByteTimeout
        } else {
            Outcome::Timeout
        };
        self.fail(c, (outcome, Detail::None), at_ns);
    }

    fn connection_expired(&mut self, c: u32, at_ns: u64, now: u64) {
        match self.pool.get(c).state {
            State::Connecting => {
                self.attempt_failed(c, (Outcome::ConnectTimeout, Detail::None), at_ns, now);
            }
            _ => self.pool.pause_over(c),
        }
    }

    /// The time at which to call [`Self::advance`] if nothing happens before.
    #[inline]
    pub fn wait_until(&self, now: u64) -> Option<u64> {
        let mut until = self.phases.next_end(now);
        if let Some(Demand::Open(open)) = &self.demand {
            until = until.min(open.next_due(&self.phases).unwrap_or(u64::MAX));
        }
        until = until.min(self.exchanges.next_deadline().unwrap_or(u64::MAX));
        until = until.min(self.pool.next_deadline().unwrap_or(u64::MAX));
        (until != u64::MAX).then_some(until)
    }

    /// Nanoseconds between the schedule's last request and its next one; `u64::MAX` in the closed model.
    #[inline]
    pub(crate) fn gap_ns(&self) -> u64 {
        match &self.demand {
            Some(Demand::Open(open)) => open.gap_ns(),
            _ => u64::MAX,
        }
    }
}
