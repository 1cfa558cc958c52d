//! Counts and histograms of one window of one thread. Tallies merge without loss; nothing here
//! allocates after [`Tally::new`], but for the few specimens of broken expectations.

mod close;
mod histogram;
mod outcome;
mod parcel;
pub mod quantile;
mod tls;
mod wire;

pub use close::Close;
pub use histogram::{HIGHEST_NS, Histogram};
pub use outcome::{Broken, Detail, FirstSeen, MAX_SPECIMENS, Outcome, Specimen};
pub use tls::TlsFault;

use crate::http::CapturedResponse;
use crate::http1::ProtocolError;

/// Status codes a response can carry: three digits.
pub const STATUS_FIRST: u16 = 100;
const STATUS_SLOTS: usize = 900;

/// What one scenario's exchanges did.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioTally {
    /// Requests whose due instant has come.
    pub due: u64,
    /// Requests whose send call has begun (a retried one counts once).
    pub sent: u64,
    /// Due requests that were never sent: the backlog was full, or there was no lease.
    pub dropped: u64,
    /// Ended exchanges by outcome, indexed by `Outcome as usize`.
    pub outcomes: [u64; Outcome::COUNT],
    /// Request bytes handed to the kernel.
    pub bytes_sent: u64,
    /// Response bytes read.
    pub bytes_received: u64,
    /// Due to last byte received: complete responses, and timeouts at their deadline. Exchanges that
    /// ended otherwise have no last byte; they are only counted.
    pub response_time: Histogram,
    /// Send to last byte received: complete responses, and timeouts after the send at their deadline.
    pub service_time: Histogram,
    status: Box<[u64; STATUS_SLOTS]>,
}

impl ScenarioTally {
    fn new() -> Self {
        Self {
            due: 0,
            sent: 0,
            dropped: 0,
            outcomes: [0; Outcome::COUNT],
            bytes_sent: 0,
            bytes_received: 0,
            response_time: Histogram::new(),
            service_time: Histogram::new(),
            status: Box::new([0; STATUS_SLOTS]),
        }
    }

    /// Count a complete response's status code (100..=999; others are ignored, the decoder refuses them).
    #[inline]
    pub fn count_status(&mut self, code: u16) {
        if let Some(slot) = self.status.get_mut(usize::from(code.wrapping_sub(STATUS_FIRST))) {
            *slot += 1;
        }
    }

    /// The status codes that were seen, ascending, with their counts.
    pub fn status_codes(&self) -> impl Iterator<Item = (u16, u64)> {
        (STATUS_FIRST..).zip(self.status.iter()).filter(|(_, n)| **n > 0).map(|(code, n)| (code, *n))
    }

    /// Exchanges that ended well.
    pub fn completed(&self) -> u64 {
        self.outcomes[Outcome::Ok as usize]
    }

    /// Exchanges that ended in any other way.
    pub fn failed(&self) -> u64 {
        self.outcomes.iter().sum::<u64>() - self.completed()
    }

    /// Exchanges that ended.
    pub fn ended(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    fn merge(&mut self, other: &Self) {
        self.due += other.due;
        self.sent += other.sent;
        self.dropped += other.dropped;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        add_each(&mut self.outcomes, &other.outcomes);
        add_each(&mut self.status[..], &other.status[..]);
        self.response_time.merge(&other.response_time);
        self.service_time.merge(&other.service_time);
    }

    fn clear(&mut self) {
        (self.due, self.sent, self.dropped) = (0, 0, 0);
        (self.bytes_sent, self.bytes_received) = (0, 0);
        self.outcomes.fill(0);
        self.status.fill(0);
        self.response_time.clear();
        self.service_time.clear();
    }
}

/// Counts and histograms over all scenarios of a plan, indexed like the plan's scenarios.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// One entry per scenario of the plan, in the plan's order.
    pub scenarios: Vec<ScenarioTally>,
    /// Due to the start of the send call.
    pub slip: Histogram,
    /// The part of the slip that is our own, open model: from the instant the request was due and a
    /// connection was free for it (by the kernel's stamp) to the start of the send call. The rest of the
    /// slip was spent waiting for the target to free a connection.
    pub send_delay: Histogram,
    /// The kernel had the last byte until our thread read it: our own error.
    pub receive_delay: Histogram,
    /// Connect call to established TCP connection.
    pub connect_time: Histogram,
    /// Established TCP connection to the end of the TLS handshake.
    pub tls_time: Histogram,
    /// Send to first byte of the response.
    pub first_byte_time: Histogram,
    /// Connections established.
    pub connections_opened: u64,
    /// TLS handshakes in which certificates were exchanged and checked.
    pub handshakes_full: u64,
    /// TLS handshakes that took up an earlier session.
    pub handshakes_resumed: u64,
    /// Those of them that took the place of one that was closed.
    pub reconnects: u64,
    /// Why established connections were closed, indexed by `Close as usize`.
    pub closes: [u64; Close::COUNT],
    /// Connection attempts that failed while no request was waiting on them.
    pub connect_failures: u64,
    /// Exchanges that ended as a protocol error, by what was wrong, indexed by `ProtocolError as usize`.
    pub protocol_errors: [u64; ProtocolError::COUNT],
    /// Exchanges that ended in [`Outcome::TlsFailed`], by why (see [`TlsFault::place`]).
    pub tls_faults: [u64; TlsFault::COUNT],
    /// Redirects that were followed.
    pub redirects: u64,
    /// Requests sent a second time because the target had closed the idle connection.
    pub retried: u64,
    /// Receive timestamps that could not be true (before the send, after the read) and fell back to user time.
    pub absurd_stamps: u64,
    /// Complete responses without a receive timestamp: all of them with user timestamps, and those that
    /// ended with the connection.
    pub unstamped: u64,
    /// Exchanges that ended well while load was still being applied (not in the drain).
    pub completed_in_time: u64,
    /// For each outcome, indexed by `Outcome as usize`, where it was seen first.
    pub first_seen: [Option<FirstSeen>; Outcome::COUNT],
    /// The first responses that broke an expectation: different ones, at most [`MAX_SPECIMENS`] a scenario.
    pub specimens: Vec<Specimen>,
    /// The last response, where the client was to keep it.
    pub witness: Option<Box<CapturedResponse>>,
}

impl Tally {
    /// An empty tally for a plan of `scenarios` scenarios. The only place that allocates.
    pub fn new(scenarios: usize) -> Self {
        Self {
            scenarios: (0..scenarios).map(|_| ScenarioTally::new()).collect(),
            slip: Histogram::new(),
            send_delay: Histogram::new(),
            receive_delay: Histogram::new(),
            connect_time: Histogram::new(),
            tls_time: Histogram::new(),
            first_byte_time: Histogram::new(),
            connections_opened: 0,
            handshakes_full: 0,
            handshakes_resumed: 0,
            reconnects: 0,
            closes: [0; Close::COUNT],
            connect_failures: 0,
            protocol_errors: [0; ProtocolError::COUNT],
            tls_faults: [0; TlsFault::COUNT],
            redirects: 0,
            retried: 0,
            absurd_stamps: 0,
            unstamped: 0,
            completed_in_time: 0,
            first_seen: [None; Outcome::COUNT],
            specimens: Vec::new(),
            witness: None,
        }
    }

    /// Add everything `other` counted.
    ///
    /// # Panics
    /// When the two were made for plans of different length.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.scenarios.len(), other.scenarios.len(), "tallies of one plan");
        for (mine, theirs) in self.scenarios.iter_mut().zip(&other.scenarios) {
            mine.merge(theirs);
        }
        self.slip.merge(&other.slip);
        self.send_delay.merge(&other.send_delay);
        self.receive_delay.merge(&other.receive_delay);
        self.connect_time.merge(&other.connect_time);
        self.tls_time.merge(&other.tls_time);
        self.first_byte_time.merge(&other.first_byte_time);
        self.connections_opened += other.connections_opened;
        self.handshakes_full += other.handshakes_full;
        self.handshakes_resumed += other.handshakes_resumed;
        self.reconnects += other.reconnects;
        add_each(&mut self.closes, &other.closes);
        self.connect_failures += other.connect_failures;
        add_each(&mut self.protocol_errors, &other.protocol_errors);
        add_each(&mut self.tls_faults, &other.tls_faults);
        self.redirects += other.redirects;
        self.retried += other.retried;
        self.absurd_stamps += other.absurd_stamps;
        self.unstamped += other.unstamped;
        self.completed_in_time += other.completed_in_time;
        for (mine, theirs) in self.first_seen.iter_mut().zip(&other.first_seen) {
            if let Some(seen) = theirs
                && mine.is_none_or(|m| seen.at_ns < m.at_ns)
            {
                *mine = Some(*seen);
            }
        }
        other.specimens.iter().for_each(|specimen| self.keep(specimen));
        if other.witness.is_some() {
            self.witness.clone_from(&other.witness);
        }
    }

    /// Keep the earliest of each kind, and few kinds.
    fn keep(&mut self, specimen: &Specimen) {
        let of_scenario = |s: &&Specimen| s.scenario == specimen.scenario;
        let is_full = self.specimens.iter().filter(of_scenario).count() >= MAX_SPECIMENS;
        let same = |s: &&mut Specimen| s.scenario == specimen.scenario && s.broken == specimen.broken;
        match self.specimens.iter_mut().find(same) {
            Some(mine) if specimen.at_ns < mine.at_ns => mine.clone_from(specimen),
            None if !is_full => self.specimens.push(specimen.clone()),
            _ => {}
        }
    }

    /// Forget everything; keeps the memory.
    pub fn clear(&mut self) {
        self.scenarios.iter_mut().for_each(ScenarioTally::clear);
        self.slip.clear();
        self.send_delay.clear();
        self.receive_delay.clear();
        self.connect_time.clear();
        self.tls_time.clear();
        self.first_byte_time.clear();
        (self.connections_opened, self.reconnects, self.connect_failures) = (0, 0, 0);
        self.closes.fill(0);
        self.protocol_errors.fill(0);
        self.tls_faults.fill(0);
        self.redirects = 0;
        (self.handshakes_full, self.handshakes_resumed) = (0, 0);
        (self.retried, self.completed_in_time) = (0, 0);
        (self.absurd_stamps, self.unstamped) = (0, 0);
        self.first_seen = [None; Outcome::COUNT];
        self.specimens.clear();
        self.witness = None;
    }

    /// The sum of one counter over all scenarios: `tally.sum(|s| s.due)`.
    pub fn sum(&self, counter: impl Fn(&ScenarioTally) -> u64) -> u64 {
        self.scenarios.iter().map(counter).sum()
    }

    /// One histogram over all scenarios: `tally.over_scenarios(|s| &s.response_time)`.
    pub fn over_scenarios(&self, pick: impl Fn(&ScenarioTally) -> &Histogram) -> Histogram {
        let mut all = Histogram::new();
        self.scenarios.iter().for_each(|s| all.merge(pick(s)));
        all
    }
}

fn add_each(mine: &mut [u64], theirs: &[u64]) {
    for (a, b) in mine.iter_mut().zip(theirs) {
        *a += b;
    }
}
