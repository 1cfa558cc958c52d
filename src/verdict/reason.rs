//! Why a measurement is not trustworthy: names, figures and remedies.

use std::fmt;

use super::cause::Cause;
use super::evidence::{BUSY_RATIO_MAX, FEW};
use crate::units::{plural, print_percent, print_time};

/// One reason to doubt a measurement, with its figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Fewer requests were offered than asked.
    LoadNotOffered {
        /// Offered ÷ asked.
        ratio: f64,
        /// Asked and not offered.
        missing: u64,
        /// Why they were not offered.
        cause: Cause,
    },
    /// A thread was too busy to keep to a schedule.
    ThreadSaturated {
        /// Index of the busiest one, from 0.
        thread: usize,
        /// Its busy ratio, 0..=1.
        busy_ratio: f64,
        /// How many threads are over the bound.
        over: usize,
    },
    /// Requests were sent late although they could have been sent before.
    SentLate {
        /// Send delay, 99th percentile.
        p99_ns: u64,
        /// The limit of the send delay.
        limit_ns: u64,
        /// How many were later than that.
        late: u64,
        /// Of how many.
        of: u64,
    },
    /// Responses waited in the kernel for too long before we read them.
    ReadLate {
        /// Receive delay, 99th percentile.
        p99_ns: u64,
        /// The limit of the receive delay.
        limit_ns: u64,
        /// How many lay there for longer than that.
        late: u64,
        /// Of how many.
        of: u64,
    },
    /// Our control group was throttled.
    Throttled {
        /// For how long, in nanoseconds.
        ns: u64,
        /// In how many enforcement periods.
        periods: u64,
    },
    /// The final counts of some workers of a fleet are missing or do not add up.
    WorkersIncomplete {
        /// How many.
        workers: usize,
    },
    /// One worker of a fleet sent late, whatever the others did.
    WorkerLate {
        /// The worker's number.
        worker: u32,
        /// Its own send delay, 99th percentile.
        p99_ns: u64,
        /// The limit of the send delay.
        limit_ns: u64,
    },
    /// This machine ran out of a resource.
    LocalErrors {
        /// Exchanges that failed because of it.
        count: u64,
    },
    /// The rows of a data set that takes each at most once were used up, and the run ended before its time.
    DataExhausted,
    /// A data file changed while its rows were read, and the run ended before its time.
    DataUnreadable,
    /// Rows were not read from their file in time.
    DataNotReady {
        /// How many requests waited for their row.
        count: u64,
        /// The time in which a load thread waited, as a fraction of the measured time.
        ratio: f64,
    },
    /// In the end due is not completed + failed + dropped + unfinished.
    CountsDoNotAddUp {
        /// How far they are apart.
        difference: u64,
    },
}

impl Reason {
    /// Every name there is.
    pub const NAMES: [&str; 12] = [
        "load_not_offered",
        "thread_saturated",
        "sent_late",
        "read_late",
        "cpu_throttled",
        "local_errors",
        "data_exhausted",
        "data_unreadable",
        "data_not_ready",
        "workers_incomplete",
        "worker_late",
        "counts_do_not_add_up",
    ];

    /// The stable name in JSON and metric labels.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LoadNotOffered { .. } => "load_not_offered",
            Self::ThreadSaturated { .. } => "thread_saturated",
            Self::SentLate { .. } => "sent_late",
            Self::ReadLate { .. } => "read_late",
            Self::Throttled { .. } => "cpu_throttled",
            Self::LocalErrors { .. } => "local_errors",
            Self::DataExhausted => "data_exhausted",
            Self::DataUnreadable => "data_unreadable",
            Self::DataNotReady { .. } => "data_not_ready",
            Self::WorkersIncomplete { .. } => "workers_incomplete",
            Self::WorkerLate { .. } => "worker_late",
            Self::CountsDoNotAddUp { .. } => "counts_do_not_add_up",
        }
    }
}

impl fmt::Display for Reason {
    /// One sentence: the figure, then the remedy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LoadNotOffered { ratio, missing, cause } => {
                let what = cause.explain(missing);
                // So many were asked.
                if missing as f64 / (1.0 - ratio) < FEW as f64 {
                    return f.write_str(&what);
                }
                let offered = print_percent(ratio);
                write!(f, "{offered} of the asked load was offered: {what}: {}", cause.remedy())
            }
            Self::ThreadSaturated { thread, busy_ratio, over } => {
                write!(f, "thread {thread} was busy {}", print_percent(busy_ratio))?;
                if over > 1 {
                    write!(f, " (and {} more over {})", over - 1, print_percent(BUSY_RATIO_MAX))?;
                }
                write!(f, ": add --threads or lower the rate")
            }
            Self::SentLate { p99_ns, limit_ns, late, of } => {
                f.write_str(&sent_late((late, of), (p99_ns, limit_ns)))
            }
            Self::ReadLate { p99_ns, limit_ns, late, of } => {
                f.write_str(&read_late((late, of), (p99_ns, limit_ns)))
            }
            Self::Throttled { ns, periods } => write!(
                f,
                "the CPU quota stopped this generator for {} in {}: \
                 raise the container's CPU limit, or lower --threads or the rate",
                print_time(ns),
                plural(periods, "period")
            ),
            Self::WorkersIncomplete { workers } => {
                let workers = plural(workers as u64, "worker");
                write!(f, "the last windows of {workers} are missing: see the table of workers, and run again")
            }
            Self::WorkerLate { worker, p99_ns, limit_ns } => write!(
                f,
                "worker {worker} sent 1 % of its requests {} or more after they could be, {} is the limit: \
                 leave it cores that nothing else uses, or spread the load over more workers",
                print_time(p99_ns),
                print_time(limit_ns)
            ),
            Self::LocalErrors { count } => write!(
                f,
                "{} failed because this machine ran out of ports, file descriptors or memory: \
                 see --check for what is needed, or lower `concurrency`",
                plural(count, "exchange")
            ),
            Self::DataExhausted => f.write_str(
                "the run ended before its time, when a data set with `order: once` had no rows left: add rows, \
                 shorten the run, or choose `order: circular`",
            ),
            Self::DataUnreadable => f.write_str(
                "the run ended before its time, when a data file could not be read or was not the same any more: leave \
                 data files alone while a run uses them",
            ),
            Self::DataNotReady { count, ratio } => write!(
                f,
                "load threads waited for rows of a data file, {} of their time ({}): put the file on a faster disk, or \
                 have more memory for its pages",
                print_percent(ratio),
                plural(count, "wait")
            ),
            Self::CountsDoNotAddUp { difference } => write!(
                f,
                "due and what became of it differ by {}: this is a bug in loadtester, report it with the plan",
                plural(difference, "request")
            ),
        }
    }
}

/// Of `of` requests `late` were late: the 99th percentile and its limit.
fn sent_late((late, of): (u64, u64), (p99_ns, limit_ns): (u64, u64)) -> String {
    if of < FEW {
        return late_of((late, of), "request", "sent", (p99_ns, limit_ns));
    }
    format!(
        "1 % of the requests were sent {} or more after they could be, {} is the limit: \
         lower the rate, or leave this generator cores that nothing else uses",
        print_time(p99_ns),
        print_time(limit_ns)
    )
}

/// Of `of` responses `late` were read late: the 99th percentile and its limit.
fn read_late((late, of): (u64, u64), (p99_ns, limit_ns): (u64, u64)) -> String {
    if of < FEW {
        return late_of((late, of), "response", "read", (p99_ns, limit_ns));
    }
    format!(
        "1 % of the responses lay {} or more in the kernel before they were read, {} is the limit: \
         lower the rate, add --threads, or leave this generator cores that nothing else uses",
        print_time(p99_ns),
        print_time(limit_ns)
    )
}

/// `1 of 40 requests was late: sent 30.0 ms after it could be, 1.00 ms is the limit`.
fn late_of((late, of): (u64, u64), what: &str, done: &str, (worst_ns, limit_ns): (u64, u64)) -> String {
    let (were, it) = if late == 1 { ("was", "it") } else { ("were", "they") };
    let (worst, limit) = (print_time(worst_ns), print_time(limit_ns));
    format!(
        "{late} of {} {were} late: {done} up to {worst} after {it} could be, {limit} is the limit",
        plural(of, what)
    )
}
