//! Adds a fleet's reasons to doubt a measurement. One worker out of ten may be late in all it sends and move
//! no merged percentile, so each is judged by itself, and the worst is named.

use super::instrument::{Cause, Evidence, Instrument, Reason, send_delay_limit_ns};
use crate::units::{plural, print_percent, print_time};

/// A worker that had a part in the run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WorkerEvidence {
    /// Its number.
    pub(crate) worker: u32,
    /// Where it runs, safe to show.
    pub(crate) host: String,
    /// 99th percentile of its own send delay; `None`: it sent too few requests.
    pub(crate) send_delay_p99_ns: Option<u64>,
    /// Busy ratio of its busiest thread, 0..=1.
    pub(crate) busy: f64,
    /// Whether its final counts are missing or do not add up.
    pub(crate) is_incomplete: bool,
    /// Whether it was lost or replaced, or had no lease for a while.
    pub(crate) is_cut_off: bool,
}

/// Add the reasons to doubt that a fleet's workers give, and name the worst of them.
pub(crate) fn weigh(judged: &mut Instrument, evidence: &Evidence, workers: &[WorkerEvidence]) {
    let incomplete = workers.iter().filter(|w| w.is_incomplete).count();
    if incomplete > 0 {
        judged.reasons.push(Reason::WorkersIncomplete { workers: incomplete });
    }
    let (cut_off, of) = (workers.iter().filter(|w| w.is_cut_off).count(), workers.len());
    for reason in &mut judged.reasons {
        if let Reason::LoadNotOffered { cause, .. } = reason
            && cut_off > 0
        {
            // Whatever else was wrong: nothing was sent in their place.
            *cause = Cause::Workers { cut_off, of };
        }
    }
    judged.trustworthy = judged.reasons.is_empty();
    let known = workers.iter().filter_map(|w| Some((w.send_delay_p99_ns?, w)));
    let Some((p99_ns, worst)) = known.max_by_key(|(p99_ns, _)| *p99_ns) else { return };
    let limit_ns = send_delay_limit_ns(evidence);
    if evidence.open_model && p99_ns > limit_ns {
        let worker = worst.worker;
        judged.reasons.push(Reason::WorkerLate { worker, p99_ns, limit_ns });
    }
    judged.trustworthy = judged.reasons.is_empty();
    if workers.len() > 1 {
        judged.notes.push(format!(
            "of {} worker {} ({}) was the latest: 99 % of its requests were sent within {} of when they could be, \
             its busiest thread was busy {}",
            plural(workers.len() as u64, "worker"),
            worst.worker,
            worst.host,
            print_time(p99_ns),
            print_percent(worst.busy)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Histogram;

    fn worker(worker: u32, send_delay_p99_ns: u64) -> WorkerEvidence {
        let host = format!("node-{worker}");
        WorkerEvidence {
            worker,
            host,
            send_delay_p99_ns: Some(send_delay_p99_ns),
            busy: 0.25,
            is_incomplete: false,
            is_cut_off: false,
        }
    }

    fn weighed(open_model: bool, workers: &[WorkerEvidence]) -> Instrument {
        weighed_of(1_000, open_model, workers)
    }

    fn weighed_of(sent: u64, open_model: bool, workers: &[WorkerEvidence]) -> Instrument {
        let none = Histogram::new();
        let evidence = Evidence {
            open_model,
            asked: 1_000,
            sent,
            turned_away: 0,
            dropped: 0,
            waiting: 0,
            send_delay: &none,
            receive_delay: &none,
            service_time: &none,
            response_time: &none,
            received_bytes: 0,
            kernel_timestamps: true,
            absurd_stamps: 0,
            threads: &[],
            throttled_ns: 0,
            throttled_periods: 0,
            local_errors: 0,
            out_of_data: 0,
            data_unreadable: 0,
            rows_awaited: 0,
            rows_awaited_ns: 0,
            unaccounted: 0,
        };
        let mut judged = crate::verdict::instrument::judge(&evidence);
        weigh(&mut judged, &evidence, workers);
        judged
    }

    #[test]
    fn one_late_worker_is_named_though_all_others_are_early() {
        let judged = weighed(true, &[worker(0, 5), worker(7, 3_000_000), worker(2, 9)]);
        let limit_ns = crate::verdict::instrument::SEND_DELAY_FLOOR_NS;
        let late = Reason::WorkerLate { worker: 7, p99_ns: 3_000_000, limit_ns };
        assert_eq!((judged.trustworthy, judged.reasons), (false, vec![late]));
        let note = &judged.notes[judged.notes.len() - 1];
        assert!(note.contains("worker 7 (node-7)"), "{note}");
    }

    #[test]
    fn a_worker_that_is_in_order_is_no_reason_and_a_closed_model_has_no_schedule() {
        assert!(weighed(true, &[worker(0, 1_000_000), worker(1, 5)]).trustworthy);
        assert!(weighed(false, &[worker(0, 9_000_000), worker(1, 5)]).trustworthy);
        let alone = weighed(true, &[worker(0, 5)]);
        assert!(alone.notes.iter().all(|note| !note.contains("worker 0")), "{:?}", alone.notes);
        assert!(weighed(true, &[]).trustworthy);
    }

    #[test]
    fn nobody_is_called_the_latest_by_a_percentile_that_is_not_known() {
        let unknown = |number| WorkerEvidence { send_delay_p99_ns: None, ..worker(number, 0) };
        let judged = weighed(true, &[unknown(0), unknown(1)]);
        assert!(
            judged.trustworthy && judged.notes.iter().all(|n| !n.contains("node-")),
            "{:?}",
            judged.notes
        );
        let judged = weighed(true, &[unknown(0), worker(1, 5), unknown(2)]);
        assert!(judged.notes.iter().any(|n| n.contains("worker 1 (node-1)")), "{:?}", judged.notes);
        let incomplete = WorkerEvidence { is_incomplete: true, ..unknown(0) };
        assert!(!weighed(true, &[incomplete]).trustworthy);
    }

    #[test]
    fn load_that_fell_to_a_lost_worker_is_not_put_down_to_threads() {
        let mut lost = worker(1, 5);
        lost.is_cut_off = true;
        let reason = |workers: &[WorkerEvidence]| weighed_of(500, true, workers).reasons[0];
        let Reason::LoadNotOffered { missing, cause, .. } = reason(&[worker(0, 5), lost]) else { panic!() };
        assert_eq!((missing, cause), (500, Cause::Workers { cut_off: 1, of: 2 }));
        let of_threads = reason(&[worker(0, 5), worker(1, 5)]);
        assert!(matches!(of_threads, Reason::LoadNotOffered { cause: Cause::Generator, .. }), "{of_threads}");
    }

    #[test]
    fn counts_that_are_missing_are_a_reason() {
        let mut lost = worker(1, 5);
        lost.is_incomplete = true;
        let judged = weighed(false, &[worker(0, 5), lost]);
        assert_eq!(judged.reasons, [Reason::WorkersIncomplete { workers: 1 }]);
        assert!(!judged.trustworthy);
    }
}
