//! What thresholds are held against: a run's figures, and what is known of the instrument that measured them.

use super::evidence::{BUSY_RATIO_MAX, Evidence};
use super::instrument::{Instrument, Reason};
use super::outages::Outages;
use crate::plan::Timing;
use crate::tally::{Histogram, ThreadHealth};

/// What thresholds of the whole run, or of one scenario, are held against: the measured time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Due to last byte, of exchanges that ended well.
    pub(crate) response_ok: Histogram,
    /// Due to last byte, or deadline, of exchanges that failed.
    pub(crate) response_failed: Histogram,
    /// Both together.
    pub(crate) response_time: Histogram,
    /// Send to last byte, of exchanges that ended well.
    pub(crate) service_ok: Histogram,
    /// Send to last byte, of all.
    pub(crate) service_time: Histogram,
    /// Exchanges that ended well.
    pub(crate) completed: u64,
    /// Exchanges that ended otherwise.
    pub(crate) failed: u64,
    /// Of those the ones that failed because this machine ran out of something.
    pub(crate) local_errors: u64,
    /// Requests due and never sent.
    pub(crate) dropped: u64,
    /// Requests that had not ended when the run did; 0 before.
    pub(crate) unfinished: u64,
    /// Exchanges that ended well per second; `None`: no time was measured.
    pub(crate) rate: Option<f64>,
    /// The measured time in seconds.
    pub(crate) seconds: f64,
    /// Time without an answer, of the whole run; `None`: no time was measured.
    pub(crate) outages: Option<Outages>,
}

impl Figures {
    /// The times that are counted against a limit, of exchanges that have one.
    pub(super) fn times(&self, timing: Timing) -> &Histogram {
        match timing {
            Timing::Response | Timing::Ok => &self.response_ok,
            Timing::Service => &self.service_ok,
            Timing::Failed => &self.response_failed,
        }
    }

    /// The times that a mean or a maximum is of.
    pub(super) fn all_times(&self, timing: Timing) -> &Histogram {
        match timing {
            Timing::Response => &self.response_time,
            Timing::Service => &self.service_time,
            Timing::Ok | Timing::Failed => self.times(timing),
        }
    }
}

/// What is known of the instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// What the run says of itself.
    pub(crate) evidence: &'a Evidence<'a>,
    /// What was made of it.
    pub(crate) instrument: &'a Instrument,
}

/// Whether it is unknown how much our own delay added: with user timestamps our wake-up is in every time
/// and in nobody's books, so it is held possible when a thread was too busy to be prompt, or late by what is known.
pub(super) fn blind(context: Context) -> bool {
    let Context { evidence, instrument } = context;
    let is_late = |r: &Reason| matches!(r, Reason::SentLate { .. } | Reason::WorkerLate { .. });
    let is_busy = |t: &ThreadHealth| t.busy_ratio() > BUSY_RATIO_MAX;
    !evidence.kernel_timestamps
        && (instrument.reasons.iter().any(is_late) || evidence.threads.iter().any(is_busy))
}
