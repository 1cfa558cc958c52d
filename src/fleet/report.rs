//! The binary form of a worker's window, in calls and in the journal.
//!
//! ```text
//! report = "LTRP", version (u16), length of the head (u32), head (JSON), tally, checksum (u32)
//! ```
//!
//! Numbers are big-endian; the checksum is CRC-32 over everything before it.

use serde::{Deserialize, Serialize};

use super::Refusal;
use super::messages::{Key, MAX_REPORT_BYTES, MAX_THREADS, MAX_TIME_NS, Totals};
use super::worker::Window;
use crate::tally::{Merged, RowCounter, RowTime, ThreadHealth};

const MAGIC: [u8; 4] = *b"LTRP";
const VERSION: u16 = 2;
/// Magic, version, length of the head.
const FRONT_BYTES: usize = 10;
/// The longest head: of a worker with [`MAX_THREADS`] threads.
const MAX_HEAD_BYTES: usize = 512 << 10;
const CHECKSUM_BYTES: usize = 4;
/// Upper bound on the requests or connections of a thread: sums over the threads of all workers fit 64 bits.
const MAX_HELD: u64 = 1 << 40;

/// One closed window of a worker, merged over its threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The worker's key.
    pub key: Key,
    /// The window's time span and its threads' health.
    pub span: Span,
    /// The counts and histograms.
    pub tally: Merged,
}

/// The time that a window covers, and its threads' health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Start, in nanoseconds of the schedule.
    pub from_ns: u64,
    /// End, in nanoseconds of the schedule.
    pub to_ns: u64,
    /// Set in the worker's last window: requests that had not ended, and when load ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastSpan>,
    /// One entry per load thread.
    pub threads: Vec<ThreadHealth>,
}

/// How a worker's load ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSpan {
    /// When it stopped making requests, in nanoseconds of the schedule.
    pub load_ended_ns: u64,
    /// Measured requests that had not ended.
    pub unfinished: u64,
}

#[derive(Serialize, Deserialize)]
struct Head {
    key: Key,
    span: Span,
}

impl Report {
    /// The encoded report.
    pub fn write(&self) -> Vec<u8> {
        let head = Head { key: self.key, span: self.span.clone() };
        let head = serde_json::to_vec(&head).expect("numbers are JSON");
        let mut bytes = Vec::with_capacity(head.len() + 4096);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&(head.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&head);
        self.tally.write(&mut bytes);
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// Decode a report for a plan of `scenarios` scenarios.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] before anything is parsed, [`Refusal::Malformed`] with the reason.
    pub fn read(bytes: &[u8], scenarios: usize) -> Result<Self, Refusal> {
        PackedReport::read(bytes)?.unpack(scenarios)
    }
}

/// A report whose tally is still packed: unpacking takes far more memory and time than its bytes suggest.
#[derive(Debug)]
pub(crate) struct PackedReport<'a> {
    pub(crate) key: Key,
    span: Span,
    tally: &'a [u8],
}

impl<'a> PackedReport<'a> {
    /// Check and parse all but the tally.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] before anything is parsed, [`Refusal::Malformed`] with the reason.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_REPORT_BYTES {
            return Err(Refusal::TooLarge);
        }
        parse(bytes).map_err(malformed)
    }

    /// Unpack the tally for a plan of `scenarios` scenarios.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] with the reason.
    pub(crate) fn unpack(self, scenarios: usize) -> Result<Report, Refusal> {
        let tally = Merged::read(self.tally, scenarios).map_err(malformed)?;
        Ok(Report { key: self.key, span: self.span, tally })
    }
}

fn malformed(what: String) -> Refusal {
    Refusal::Malformed(format!("a report: {what}"))
}

fn parse(bytes: &[u8]) -> Result<PackedReport<'_>, String> {
    let short = || "it is cut short".to_owned();
    let (front, rest) = bytes.split_at_checked(FRONT_BYTES).ok_or_else(short)?;
    if front[..4] != MAGIC || front[4..6] != VERSION.to_be_bytes() {
        return Err("it does not begin as one".to_owned());
    }
    let body_bytes = rest.len().checked_sub(CHECKSUM_BYTES).ok_or_else(short)?;
    let (body, sum) = rest.split_at(body_bytes);
    if checksum(&bytes[..FRONT_BYTES + body_bytes]).to_be_bytes() != sum {
        return Err("its checksum is wrong".to_owned());
    }
    let head_bytes = u32::from_be_bytes([front[6], front[7], front[8], front[9]]) as usize;
    let (head, tally) = body.split_at_checked(head_bytes.min(MAX_HEAD_BYTES)).ok_or_else(short)?;
    let Head { key, span } = serde_json::from_slice(head).map_err(|e| format!("its head is damaged: {e}"))?;
    span.check()?;
    Ok(PackedReport { key, span, tally })
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

impl Span {
    fn check(&self) -> Result<(), String> {
        let unfinished = self.last.map_or(0, |last| last.unfinished.max(last.load_ended_ns));
        let times = self.threads.iter().flat_map(|t| [t.busy_ns, t.observed_ns, t.core.unwrap_or(0) as u64]);
        let most = times.chain([self.to_ns, unfinished]).max().unwrap_or(0);
        let held = self.threads.iter().flat_map(|t| [t.in_flight, t.backlog, t.connections]).max();
        if self.from_ns > self.to_ns
            || most > MAX_TIME_NS
            || held.unwrap_or(0) > MAX_HELD
            || self.threads.len() > MAX_THREADS as usize
        {
            return Err("its span is impossible".to_owned());
        }
        Ok(())
    }
}

impl Window for Report {
    fn extend(&mut self, later: Self) {
        self.tally.merge(&later.tally);
        let from_ns = self.span.from_ns;
        self.span = Span { from_ns, ..later.span };
    }

    fn totals(&self) -> Totals {
        let tally = &self.tally;
        Totals {
            due: tally.sum(RowCounter::Due),
            sent: tally.sum(RowCounter::Sent),
            completed: tally.completed(),
            failed: tally.failed(),
            dropped: tally.sum(RowCounter::Dropped),
            unfinished: self.span.last.map_or(0, |last| last.unfinished),
            samples: tally.rows().iter().map(|row| row.times(RowTime::Response).count()).sum(),
            bytes_sent: tally.sum(RowCounter::BytesSent),
            bytes_received: tally.sum(RowCounter::BytesReceived),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::MAX_SCENARIOS;
    use crate::tally::RowTimer;
    use crate::tally::StepId;

    fn some() -> Report {
        let mut tally = Merged::new(2);
        tally.row_mut(StepId(1)).set(RowCounter::Due, 3);
        tally.record_row(StepId(1), RowTimer::ResponseOk, 1_000);
        let threads = vec![ThreadHealth { core: Some(1), busy_ns: 5, ..ThreadHealth::default() }; 2];
        let last = Some(LastSpan { load_ended_ns: 9, unfinished: 2 });
        Report { key: Key(7), span: Span { from_ns: 1, to_ns: 10, last, threads }, tally }
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(Report::read(&some().write(), 2), Ok(some()));
        assert_eq!(some().totals(), Totals { due: 3, unfinished: 2, samples: 1, ..Totals::default() });
    }

    #[test]
    fn a_report_of_most_threads_fits() {
        let mut report = some();
        let full = ThreadHealth {
            core: Some(1_000),
            busy_ns: 1 << 60,
            observed_ns: 1 << 60,
            ..ThreadHealth::default()
        };
        report.span.threads = vec![full; MAX_THREADS as usize];
        assert_eq!(Report::read(&report.write(), 2), Ok(report));
    }

    /// The size of one second with 5,000 scenarios, and of an hour's backlog of a worker that was out of
    /// reach.
    #[test]
    fn reports_of_as_many_scenarios_as_a_plan_may_hold_fit() {
        let sizes = [40, 1_000].map(|buckets| {
            let mut rng = fastrand::Rng::with_seed(1);
            let mut report = some();
            report.tally = Merged::new(MAX_SCENARIOS);
            for step in (0..MAX_SCENARIOS).map(StepId::new) {
                let row = report.tally.row_mut(step);
                RowCounter::ALL.into_iter().for_each(|counter| row.add(counter, buckets));
                row.count_status(200);
                for timer in RowTimer::ALL {
                    let mut ns = 150_000;
                    for _ in 0..buckets {
                        ns += rng.u64(300..900);
                        (0..rng.u8(1..3)).for_each(|_| row.record(timer, ns));
                    }
                }
            }
            let bytes = report.write();
            assert_eq!(Report::read(&bytes, MAX_SCENARIOS), Ok(report));
            bytes.len()
        });
        assert!(sizes[0] < 1 << 20 && sizes[1] < MAX_REPORT_BYTES, "{sizes:?}");
    }

    #[test]
    fn damage_is_seen_and_too_much_is_not_looked_at() {
        let good = some().write();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x40;
            assert!(matches!(Report::read(&bytes, 2), Err(Refusal::Malformed(_))), "byte {at}");
            assert!(Report::read(&good[..at], 2).is_err(), "cut at {at}");
        }
        assert_eq!(Report::read(&vec![0; MAX_REPORT_BYTES + 1], 2), Err(Refusal::TooLarge));
    }

    #[test]
    fn windows_add_up_over_their_whole_span() {
        let (mut first, mut second) = (some(), some());
        first.span.last = None;
        (second.span.from_ns, second.span.to_ns) = (10, 30);
        let expected = Totals { due: 6, unfinished: 2, samples: 2, ..Totals::default() };
        first.extend(second);
        assert_eq!((first.totals(), first.span.from_ns, first.span.to_ns), (expected, 1, 30));
    }
}
