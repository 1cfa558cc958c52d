//! The counters and timers. A new one needs a variant here and a line in a report: storage, merging, clearing
//! and encoding follow from the lists.

use super::{Close, Outcome, TlsFault};
use crate::http1::ProtocolError;

named_enum! {
    /// Counters of a whole run, besides the reasons in [`Close`], [`ProtocolError`] and `TlsFault`.
    pub enum Counter {
        /// Connections established.
        ConnectionsOpened = "connections_opened",
        /// TLS handshakes in which certificates were exchanged and checked.
        HandshakesFull = "handshakes_full",
        /// TLS handshakes that resumed an earlier session.
        HandshakesResumed = "handshakes_resumed",
        /// Connections established to replace a closed one.
        Reconnects = "reconnects",
        /// Connection attempts that failed while no request was waiting for them.
        ConnectFailures = "connect_failures",
        /// Redirects that were followed.
        Redirects = "redirects",
        /// Requests sent a second time because the connection they went out on brought no answer.
        Retried = "retried",
        /// Receive timestamps that cannot be true (before the send, after the read) and were replaced by our
        /// own clock reading.
        AbsurdStamps = "absurd_stamps",
        /// Complete responses without a kernel receive timestamp: all of them with user timestamps, and those
        /// that ended with the connection.
        Unstamped = "unstamped",
        /// Load threads that took the last row of their data before load was to end.
        OutOfData = "out_of_data",
        /// Due requests that were dropped or left over while connections to their target were being opened.
        AwaitedConnection = "awaited_connection",
        /// Rows of large files that a load thread had to wait for.
        RowsAwaited = "rows_awaited",
        /// How long load threads waited for them, in nanoseconds.
        RowsAwaitedNs = "rows_awaited_ns",
        /// Load threads that could not read the rows of a data file any more.
        DataUnreadable = "data_unreadable",
        /// Exchanges that succeeded while load was still being applied (not in the drain).
        CompletedInTime = "completed_in_time",
    }
}

named_enum! {
    /// Times measured over the whole run, in nanoseconds.
    pub enum Timer {
        /// From the due time to the start of the send call.
        Slip = "slip",
        /// The part of the slip caused by the load generator, in the open model: from when the request was
        /// due and a connection was free for it (by the kernel's timestamp) to the start of the send call.
        /// The rest of the slip was spent waiting for the target to free a connection.
        SendDelay = "send_delay",
        /// From the last byte's arrival in the kernel to our thread's read: our own error.
        ReceiveDelay = "receive_delay",
        /// From the connect call to the established TCP connection.
        ConnectTime = "connect_time",
        /// From the established TCP connection with a proxy to its response to CONNECT.
        TunnelTime = "tunnel_time",
        /// From the established TCP connection or tunnel to the end of the TLS handshake.
        TlsTime = "tls_time",
        /// From the send to the first byte of the response.
        FirstByteTime = "first_byte_time",
    }
}

named_enum! {
    /// Counters of each step, besides the [`Outcome`]s of its exchanges.
    pub enum RowCounter {
        /// Requests whose due time has come.
        Due = "due",
        /// Requests whose send call has begun (a retried one counts once).
        Sent = "sent",
        /// Due requests that were never sent: the backlog was full, or there was no lease.
        Dropped = "dropped",
        /// Request bytes handed to the kernel.
        BytesSent = "bytes_sent",
        /// Response bytes read.
        BytesReceived = "bytes_received",
    }
}

named_enum! {
    /// What is timed of each step, apart for exchanges that ended well and for those that did not: complete
    /// responses, and timeouts at their deadline. Exchanges that ended otherwise have no last byte; they are only
    /// counted.
    pub enum RowTimer {
        /// [`RowTime::Response`] of exchanges that ended well.
        ResponseOk = "response_time_ok",
        /// [`RowTime::Response`] of exchanges that failed.
        ResponseFailed = "response_time_failed",
        /// [`RowTime::Service`] of exchanges that ended well.
        ServiceOk = "service_time_ok",
        /// [`RowTime::Service`] of exchanges that failed.
        ServiceFailed = "service_time_failed",
    }
}

/// A time of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowTime {
    /// Due to last byte received.
    Response,
    /// Send to last byte received; of timeouts, only those after the send.
    Service,
}

impl RowTime {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Response, Self::Service];

    /// The timer of exchanges that ended well, or of those that failed.
    pub const fn timer(self, ok: bool) -> RowTimer {
        match (self, ok) {
            (Self::Response, true) => RowTimer::ResponseOk,
            (Self::Response, false) => RowTimer::ResponseFailed,
            (Self::Service, true) => RowTimer::ServiceOk,
            (Self::Service, false) => RowTimer::ServiceFailed,
        }
    }
}

/// A counter of a whole run.
pub trait RunCount: Copy {
    /// Index among all counters of a run, below [`RUN_SLOTS`].
    fn slot(self) -> usize;
}

/// A counter of each step.
pub trait RowCount: Copy {
    /// Index among all counters of a row, below [`ROW_SLOTS`].
    fn slot(self) -> usize;
}

const CLOSES: usize = Counter::COUNT;
const PROTOCOL_ERRORS: usize = CLOSES + Close::COUNT;
const TLS_FAULTS: usize = PROTOCOL_ERRORS + ProtocolError::COUNT;
/// Number of counters of a run.
pub(super) const RUN_SLOTS: usize = TLS_FAULTS + TlsFault::COUNT;

const OUTCOMES: usize = RowCounter::COUNT;
/// Number of counters of a row.
pub(super) const ROW_SLOTS: usize = OUTCOMES + Outcome::COUNT;

impl RunCount for Counter {
    #[inline]
    fn slot(self) -> usize {
        self.index()
    }
}

impl RunCount for Close {
    #[inline]
    fn slot(self) -> usize {
        CLOSES + self.index()
    }
}

/// What was wrong with the response of an exchange that ended as a protocol error.
impl RunCount for ProtocolError {
    #[inline]
    fn slot(self) -> usize {
        PROTOCOL_ERRORS + self.index()
    }
}

/// Why an exchange ended in [`Outcome::TlsFailed`].
impl RunCount for TlsFault {
    #[inline]
    fn slot(self) -> usize {
        TLS_FAULTS + self.index()
    }
}

impl RowCount for RowCounter {
    #[inline]
    fn slot(self) -> usize {
        self.index()
    }
}

impl RowCount for Outcome {
    #[inline]
    fn slot(self) -> usize {
        OUTCOMES + self.index()
    }
}

/// The stable names of a run's counters, in the order of their slots.
pub(super) fn run_names() -> Vec<String> {
    let group = |prefix: &'static str, name: &'static str| format!("{prefix}.{name}");
    let own = Counter::ALL.iter().map(|counter| counter.name().to_owned());
    own.chain(Close::ALL.iter().map(|why| group("closes", why.name())))
        .chain(ProtocolError::ALL.iter().map(|error| group("protocol_errors", error.name())))
        .chain(TlsFault::ALL.iter().map(|fault| group("tls_faults", fault.name())))
        .collect()
}

/// The stable names of a row's counters, in the order of their slots.
pub(super) fn row_names() -> Vec<String> {
    let own = RowCounter::ALL.iter().map(|counter| counter.name().to_owned());
    own.chain(Outcome::ALL.iter().map(|outcome| format!("outcomes.{}", outcome.name()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_counter_and_timer_has_a_slot_and_a_name_of_its_own() {
        let distinct = |names: Vec<String>| (names.len(), names.into_iter().collect::<BTreeSet<_>>().len());
        assert_eq!(distinct(run_names()), (RUN_SLOTS, RUN_SLOTS));
        assert_eq!(distinct(row_names()), (ROW_SLOTS, ROW_SLOTS));
        let timers = Timer::ALL.iter().map(|t| t.name());
        let timers: Vec<_> =
            timers.chain(RowTimer::ALL.iter().map(|t| t.name())).map(str::to_owned).collect();
        assert_eq!(distinct(timers), (Timer::COUNT + RowTimer::COUNT, Timer::COUNT + RowTimer::COUNT));

        let names = run_names();
        assert_eq!(names[Counter::Retried.slot()], "retried");
        assert_eq!(names[Close::Failure.slot()], "closes.failure");
        assert_eq!(names[ProtocolError::BadChunk.slot()], "protocol_errors.bad_chunk");
        assert_eq!(names[TlsFault::Alert(40).slot()], "tls_faults.alert");
        let names = row_names();
        assert_eq!(names[RowCounter::BytesSent.slot()], "bytes_sent");
        assert_eq!(names[Outcome::Timeout.slot()], "outcomes.timeout");
    }
}
