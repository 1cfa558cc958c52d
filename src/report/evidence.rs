//! Evaluates a snapshot: the instrument, the thresholds and the baseline comparison. Pure functions; the
//! rules are in `verdict`.

use super::InstrumentFigures;
use crate::plan::Threshold;
use crate::run::Snapshot;
use crate::tally::{Counter, Histogram, Outcome, Row, RowCounter, RowTime, RowTimer, Timer};
use crate::units::print_duration;
use crate::verdict;
use crate::verdict::baseline::{self, Compared, MeasuredGroup, Measurement, Window};
use crate::verdict::instrument::{Evidence, Instrument, Reason, judge};
use crate::verdict::outages::Outages;
use crate::verdict::threshold::{self, Context, Evaluation, Figures};

impl Snapshot {
    /// Whether the measurement can be trusted, by the evidence so far.
    pub(crate) fn judge(&self) -> Instrument {
        self.with_evidence(|evidence| self.judged(evidence))
    }

    /// The same as figures for reports.
    pub fn instrument(&self) -> InstrumentFigures {
        let judged = self.judge();
        InstrumentFigures {
            trustworthy: judged.trustworthy,
            reasons: judged.reasons.iter().map(ToString::to_string).collect(),
            reason_names: judged.reasons.iter().map(Reason::name).collect(),
            notes: judged.notes,
            offered_ratio: judged.offered_ratio,
        }
    }

    /// The actual source of receive times: `user` also if the kernel's were requested and more than one
    /// response in a hundred had no stamp.
    pub(crate) fn timestamps(&self) -> &'static str {
        let stamped = self.tally.timer(Timer::ReceiveDelay).count();
        if self.tally.counter(Counter::Unstamped) * 99 > stamped { "user" } else { self.run.timestamps }
    }

    /// The evaluation of the plan's thresholds, so far or final, in the plan's order.
    pub fn thresholds(&self) -> Vec<Evaluation> {
        if self.run.thresholds.is_empty() {
            return Vec::new();
        }
        self.with_evidence(|evidence| {
            let instrument = self.judged(evidence);
            let context = Context { evidence, instrument: &instrument };
            let each = self.run.thresholds.iter().enumerate();
            let whole = self.whole();
            each.map(|(i, threshold)| self.evaluate(i, threshold, &whole, context)).collect()
        })
    }

    fn evaluate(&self, i: usize, threshold: &Threshold, whole: &Figures, context: Context) -> Evaluation {
        let evaluation = match threshold.scenario.and_then(|i| self.tally.rows().get(i)) {
            Some(row) => {
                let figures = Figures { rate: self.per_second(row.completed()), ..self.figures(&[row]) };
                threshold::evaluate(threshold, &figures, context)
            }
            None => threshold::evaluate(threshold, whole, context),
        };
        match self.aborted {
            Some(by) if by == i => {
                let after = print_duration(threshold.abort_after_ns.unwrap_or(0));
                let reason = Some(format!("it had failed for {after} without a break: the run was stopped"));
                Evaluation { outcome: threshold::Outcome::Failed, reason, ..evaluation }
            }
            _ => evaluation,
        }
    }

    /// The figures for thresholds of the whole run.
    fn whole(&self) -> Figures {
        Figures {
            rate: super::figures::Rate::of(self).achieved,
            outages: self.outages(),
            ..self.figures(&self.tally.rows().iter().collect::<Vec<_>>())
        }
    }

    /// The figures of these rows for thresholds, without the rate.
    fn figures(&self, rows: &[&Row]) -> Figures {
        let sum = |which: RowTimer| Histogram::sum(rows.iter().map(|row| row.timer(which)));
        let [response_ok, response_failed, service_ok, service_failed] = RowTimer::ALL.map(sum);
        let count = |count: fn(&Row) -> u64| rows.iter().map(|row| count(row)).sum::<u64>();
        let (due, settled) = (count(|row| row.counter(RowCounter::Due)), count(Row::settled));
        Figures {
            response_time: Histogram::sum([&response_ok, &response_failed]),
            service_time: Histogram::sum([&service_ok, &service_failed]),
            response_ok,
            response_failed,
            service_ok,
            completed: count(Row::completed),
            failed: count(Row::failed),
            local_errors: count(|row| row.counter(Outcome::LocalError)),
            dropped: count(|row| row.counter(RowCounter::Dropped)),
            unfinished: if self.is_final() { due.saturating_sub(settled) } else { 0 },
            rate: None,
            seconds: self.counted_ns() as f64 / 1e9,
            outages: None,
        }
    }

    /// Time without an answer so far, of the target that is worst off; `None`: no time was measured.
    pub(crate) fn outages(&self) -> Option<Outages> {
        let targets = (0..self.run.targets.len().max(1)).filter_map(|target| self.outages_of(target));
        targets.reduce(Outages::worse)
    }

    /// The same of one target, by its number.
    pub(crate) fn outages_of(&self, target: usize) -> Option<Outages> {
        let rows = match self.run.targets.get(target) {
            Some(target) if self.run.targets.len() > 1 => Some(&target.scenarios),
            _ => None,
        };
        let ok = match rows {
            Some(rows) => {
                let rows = rows.iter().filter_map(|row| self.tally.rows().get(*row));
                Histogram::sum(rows.map(|row| row.timer(RowTimer::ResponseOk)))
            }
            None => self.tally.over_rows(RowTimer::ResponseOk),
        };
        Outages::of(self.tally.availability(target)?, self.measured_ns, ok.quantile(0.5))
    }

    /// The comparison with the baseline; `None`: there is none.
    pub(crate) fn comparison(&self) -> Option<Compared> {
        let against = self.run.baseline.as_deref()?;
        let side = |times: &Histogram, rate| MeasuredGroup { response_time: times.clone(), rate };
        let seconds = self.measured_ns as f64 / 1e9;
        let named = self.run.scenarios.iter().zip(self.tally.rows());
        let scenarios = named.map(|((name, _), s)| {
            (name.clone(), side(&s.times(RowTime::Response), self.per_second(s.completed())))
        });
        let windows = self.timeline.iter().filter(|p| baseline::is_whole(p.t, seconds)).map(|p| Window {
            ended: p.completed + p.failed,
            p50_ns: p.p50_ns.map(|ns| ns as f64),
            p90_ns: p.p90_ns.map(|ns| ns as f64),
            p95_ns: p.p95_ns.map(|ns| ns as f64),
            p99_ns: p.p99_ns.map(|ns| ns as f64),
            mean_ns: p.mean_ns.map(|ns| ns as f64),
        });
        Some(self.with_evidence(|evidence| {
            let now = Measurement {
                total: side(evidence.response_time, super::figures::Rate::of(self).achieved),
                scenarios: scenarios.collect(),
                windows: windows.collect(),
            };
            baseline::judge(against, &now, Context { evidence, instrument: &self.judged(evidence) })
        }))
    }

    fn judged(&self, evidence: &Evidence) -> Instrument {
        let mut judged = judge(evidence);
        if let Some(fleet) = &self.fleet {
            verdict::fleet::weigh(&mut judged, evidence, &fleet.evidence());
        }
        judged
    }

    fn with_evidence<T>(&self, look: impl FnOnce(&Evidence) -> T) -> T {
        let tally = &self.tally;
        let ended = |outcome: Outcome| tally.sum(outcome);
        let (service_time, response_time): (Histogram, Histogram) =
            (tally.times(RowTime::Service), tally.times(RowTime::Response));
        look(&Evidence {
            open_model: self.run.model == "open",
            // Requests of a lost worker's shard never fell due anywhere.
            asked: tally.sum(RowCounter::Due).max(self.fleet.as_ref().and_then(|f| f.asked).unwrap_or(0)),
            sent: tally.sum(RowCounter::Sent),
            turned_away: super::figures::turned_away(tally),
            dropped: tally.sum(RowCounter::Dropped),
            waiting: self.threads.iter().map(|t| t.backlog).sum(),
            send_delay: tally.timer(Timer::SendDelay),
            receive_delay: tally.timer(Timer::ReceiveDelay),
            service_time: &service_time,
            response_time: &response_time,
            received_bytes: tally.sum(RowCounter::BytesReceived),
            kernel_timestamps: self.timestamps() == "kernel",
            absurd_stamps: tally.counter(Counter::AbsurdStamps),
            threads: &self.threads,
            throttled_ns: self.throttled_ns,
            throttled_periods: self.throttled_periods,
            // A request whose row could not be read ends as one.
            local_errors: ended(Outcome::LocalError).saturating_sub(tally.counter(Counter::DataUnreadable)),
            out_of_data: tally.counter(Counter::OutOfData),
            data_unreadable: tally.counter(Counter::DataUnreadable),
            rows_awaited: tally.counter(Counter::RowsAwaited),
            rows_awaited_ns: tally.counter(Counter::RowsAwaitedNs),
            unaccounted: if self.is_final() { self.unaccounted() } else { 0 },
        })
    }
}
