//! One request and its response: its times, and how they are tallied.

use crate::http::Status;
use crate::http1::Head;
use crate::tally::{
    Counter, Detail, FirstSeen, Outcome, Recorder, RowCounter, RowTime, Silence, StepId, Tally, Timer,
};

/// How a complete response is judged without expectations.
#[inline]
pub(crate) fn by_status(status: u16) -> (Outcome, Detail) {
    (
        if Status(status).is_failure() { Outcome::UnexpectedStatus } else { Outcome::Ok },
        Detail::Status(status),
    )
}

/// A due request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) step: StepId,
    /// Whether it is measured: it was due after the warm-up.
    pub(crate) measured: bool,
    pub(crate) due_ns: u64,
    /// Its number in the run: no other request has it, on any thread or worker.
    pub(crate) number: u64,
}

impl Start {
    /// A request of `step`, due at `due_ns`; counts it.
    #[inline]
    pub(crate) fn due(step: StepId, number: u64, due_ns: u64, measured: bool, tally: &mut Tally) -> Self {
        if measured {
            tally.count_row(step, RowCounter::Due);
        }
        Self { step, measured, due_ns, number }
    }

    /// Count it as dropped: it will not be sent.
    pub(crate) fn dropped(self, tally: &mut Tally) {
        if self.measured {
            tally.count_row(self.step, RowCounter::Dropped);
        }
    }
}

/// An exchange in progress. Times are nanoseconds on the run's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) step: StepId,
    /// Whether it is measured: it was due after the warm-up.
    pub(crate) measured: bool,
    /// Whether it met a connection that brought no answer and was sent again.
    pub(crate) retried: bool,
    /// Redirects it has followed.
    pub(crate) redirects: u8,
    /// Whether it sends a request of its own: one with holes, or one after a redirect.
    pub(crate) has_own_request: bool,
    /// Whether this is a slot without an exchange.
    pub(crate) is_vacant: bool,
    /// The connection it is on or waits for.
    pub(crate) connection: u32,
    pub(crate) due_ns: u64,
    /// When its first send call began.
    pub(crate) sent_ns: Option<u64>,
    /// When the first byte of the response arrived.
    pub(crate) first_byte_ns: Option<u64>,
    /// The last read of the response.
    pub(crate) last: Option<Arrival>,
    /// Response bytes so far.
    pub(crate) received: u64,
    /// The longest time between two reads of the response.
    silence: Silence,
}

/// When the last byte of a read arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// By the kernel's timestamp if it is plausible, else by our clock.
    pub(crate) at_ns: u64,
    /// How long the kernel held it, by a plausible timestamp.
    delay_ns: Option<u64>,
    /// A stamp was there and could not be true.
    pub(crate) absurd: bool,
}

impl Arrival {
    /// A timestamp is plausible if it lies between the send and the read.
    #[inline]
    pub(crate) fn judge(stamp_ns: Option<u64>, not_before: u64, now: u64) -> Self {
        match stamp_ns {
            Some(stamp) if stamp >= not_before && stamp <= now => {
                Self { at_ns: stamp, delay_ns: Some(now - stamp), absurd: false }
            }
            stamp => Self { at_ns: now, delay_ns: None, absurd: stamp.is_some() },
        }
    }
}

impl Exchange {
    /// A slot without an exchange.
    pub(crate) const VACANT: Self = Self {
        step: StepId(0),
        measured: false,
        retried: false,
        redirects: 0,
        has_own_request: false,
        is_vacant: true,
        connection: 0,
        due_ns: 0,
        sent_ns: None,
        first_byte_ns: None,
        last: None,
        received: 0,
        silence: Silence { from_ns: 0, to_ns: 0 },
    };

    /// A due request, to go over `connection`.
    #[inline]
    pub(crate) fn new(start: Start, connection: u32) -> Self {
        let Start { step, measured, due_ns, number: _ } = start;
        Self { step, measured, due_ns, connection, is_vacant: false, ..Self::VACANT }
    }

    /// A send call for it begins, the first or a later one. `possible_ns`: since when a connection was free
    /// for it, if the send delay is to be recorded.
    #[inline]
    pub(crate) fn send_begins(&mut self, now: u64, possible_ns: Option<u64>, tally: &mut Tally) {
        if self.sent_ns.is_some() {
            return; // sent again: a user feels one request
        }
        self.sent_ns = Some(now);
        if self.measured {
            tally.count_row(self.step, RowCounter::Sent);
            tally.record(Timer::Slip, now - self.due_ns);
            if let Some(possible) = possible_ns {
                tally.record(Timer::SendDelay, now.saturating_sub(possible.max(self.due_ns)));
            }
        }
    }

    /// The kernel took `n` bytes of its request.
    #[inline]
    pub(crate) fn sent(&self, n: usize, tally: &mut Tally) {
        if self.measured {
            tally.add_row(self.step, RowCounter::BytesSent, n as u64);
        }
    }

    /// It met a connection that brought no answer, and is sent again.
    pub(crate) fn retries(&mut self, tally: &mut Tally) {
        self.retried = true;
        tally.add(Counter::Retried, u64::from(self.measured));
    }

    /// What was read last was no answer to it.
    #[cold]
    pub(crate) fn unhear(&mut self) {
        (self.first_byte_ns, self.last, self.received) = (None, None, 0);
    }

    /// `n` bytes of its response were read.
    #[inline]
    pub(crate) fn arrived(&mut self, n: usize, stamp_ns: Option<u64>, now: u64) -> Arrival {
        let arrival = Arrival::judge(stamp_ns, self.sent_ns.unwrap_or(self.due_ns), now);
        self.received += n as u64;
        self.first_byte_ns.get_or_insert(arrival.at_ns);
        if let Some(last) = self.last {
            self.silence = self.silence.or_longer(last.at_ns, arrival.at_ns);
        }
        self.last = Some(arrival);
        arrival
    }

    /// It ended with a complete response.
    #[inline]
    pub(crate) fn completes(
        &self,
        head: Head,
        (outcome, detail): (Outcome, Detail),
        arrival: Arrival,
        in_time: bool,
        tally: &mut Tally,
    ) {
        if self.measured {
            self.record_times(arrival.at_ns, outcome.is_ok(), tally);
            if let (Some(sent), Some(first)) = (self.sent_ns, self.first_byte_ns) {
                tally.record(Timer::FirstByteTime, first.saturating_sub(sent));
            }
            if let Some(delay) = arrival.delay_ns {
                tally.record(Timer::ReceiveDelay, delay);
            }
            tally.add(Counter::AbsurdStamps, u64::from(arrival.absurd));
            tally.add(Counter::Unstamped, u64::from(arrival.delay_ns.is_none() && !arrival.absurd));
            tally.add(Counter::CompletedInTime, u64::from(in_time && outcome.is_ok()));
            tally.count_status(self.step, head.status);
        }
        self.count(outcome, arrival.at_ns, detail, tally);
    }

    /// It ended without a complete response.
    pub(crate) fn fails(&self, outcome: Outcome, at_ns: u64, detail: Detail, tally: &mut Tally) {
        if outcome.is_timeout() && self.measured {
            self.record_times(at_ns, false, tally);
        }
        self.count(outcome, at_ns, detail, tally);
    }

    /// It ended at `at_ns`: mark since when it waited at the target, and if it ended well when it was answered.
    #[inline]
    pub(crate) fn mark(&self, ok: bool, at_ns: u64, recorder: &mut Recorder) {
        let Some(sent_ns) = self.sent_ns else { return };
        match self.first_byte_ns {
            Some(first_ns) if ok => recorder.answered(sent_ns, first_ns, at_ns, self.silence),
            _ => recorder.waited(sent_ns, at_ns),
        }
    }

    #[inline]
    fn record_times(&self, end_ns: u64, ok: bool, tally: &mut Tally) {
        tally.record_row(self.step, RowTime::Response.timer(ok), end_ns.saturating_sub(self.due_ns));
        if let Some(sent) = self.sent_ns {
            tally.record_row(self.step, RowTime::Service.timer(ok), end_ns.saturating_sub(sent));
        }
    }

    #[inline(always)]
    fn count(&self, outcome: Outcome, at_ns: u64, detail: Detail, tally: &mut Tally) {
        if !self.measured {
            return;
        }
        tally.end_row(self.step, outcome);
        tally.add_row(self.step, RowCounter::BytesReceived, self.received);
        if !outcome.is_ok() {
            self.count_failure(outcome, at_ns, detail, tally);
        }
    }

    #[inline(never)]
    fn count_failure(&self, outcome: Outcome, at_ns: u64, detail: Detail, tally: &mut Tally) {
        match detail {
            Detail::Protocol(error) => tally.count(error),
            Detail::Tls(fault) => tally.count(fault),
            _ => {}
        }
        if !tally.has_seen(outcome) {
            tally.see_first(outcome, FirstSeen { at_ns, step: self.step, detail, evidence: String::new() });
        }
    }
}
