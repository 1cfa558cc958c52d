//! What a snapshot says of the instrument and of the plan's thresholds. Pure functions of the
//! snapshot; the judging itself is done in `verdict`.

use super::InstrumentFigures;
use crate::plan::Threshold;
use crate::run::Snapshot;
use crate::tally::{Counter, Histogram, Outcome, Row, RowCounter, RowTimer, Timer};
use crate::units::print_duration;
use crate::verdict;
use crate::verdict::baseline::{self, Compared, MeasuredGroup, Measurement, Window};
use crate::verdict::instrument::{Evidence, Instrument, Reason, judge};
use crate::verdict::threshold::{self, Context, Evaluation, Figures};

impl Snapshot {
    /// Whether the measurement may be believed, by what the run says of itself so far.
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

    /// Where receive times really come from: `user` also when the kernel was asked and more than one
    /// response in a hundred came without a stamp.
    pub(crate) fn timestamps(&self) -> &'static str {
        let stamped = self.tally.timer(Timer::ReceiveDelay).count();
        if self.tally.counter(Counter::Unstamped) * 99 > stamped { "user" } else { self.run.timestamps }
    }

    /// How the plan's thresholds come out, so far or in the end, in the plan's order.
    pub fn thresholds(&self) -> Vec<Evaluation> {
        if self.run.thresholds.is_empty() {
            return Vec::new();
        }
        self.with_evidence(|evidence| {
            let instrument = self.judged(evidence);
            let context = Context { evidence, instrument: &instrument };
            let each = self.run.thresholds.iter().enumerate();
            each.map(|(i, threshold)| self.evaluate(i, threshold, context)).collect()
        })
    }

    fn evaluate(&self, i: usize, threshold: &Threshold, context: Context) -> Evaluation {
        let seconds = self.counted_ns() as f64 / 1e9;
        let of = |tally: &Row| Figures {
            completed: tally.completed(),
            failed: tally.failed(),
            dropped: tally.counter(RowCounter::Dropped),
            rate: self.per_second(tally.completed()),
            seconds,
            response_time: context.evidence.response_time,
            service_time: context.evidence.service_time,
        };
        let figures = match threshold.scenario.and_then(|i| self.tally.rows().get(i)) {
            Some(s) => Figures {
                response_time: s.timer(RowTimer::ResponseTime),
                service_time: s.timer(RowTimer::ServiceTime),
                ..of(s)
            },
            None => Figures {
                completed: self.tally.completed(),
                failed: self.tally.failed(),
                dropped: self.tally.sum(RowCounter::Dropped),
                rate: super::figures::Rate::of(self).achieved,
                seconds,
                response_time: context.evidence.response_time,
                service_time: context.evidence.service_time,
            },
        };
        let evaluation = threshold::evaluate(threshold, &figures, context);
        match self.aborted {
            Some(by) if by == i => {
                let after = print_duration(threshold.abort_after_ns.unwrap_or(0));
                let reason = Some(format!("it had failed for {after} without a break: the run was stopped"));
                Evaluation { outcome: threshold::Outcome::Failed, reason, ..evaluation }
            }
            _ => evaluation,
        }
    }

    /// How a finished run stands to the baseline; `None`: there is none.
    pub(crate) fn comparison(&self) -> Option<Compared> {
        let against = self.run.baseline.as_deref()?;
        let side = |times: &Histogram, rate| MeasuredGroup { response_time: times.clone(), rate };
        let seconds = self.measured_ns as f64 / 1e9;
        let named = self.run.scenarios.iter().zip(self.tally.rows());
        let scenarios = named.map(|((name, _), s)| {
            (name.clone(), side(s.timer(RowTimer::ResponseTime), self.per_second(s.completed())))
        });
        let windows = self.timeline.iter().filter(|p| baseline::is_whole(p.t, seconds)).map(|p| Window {
            ended: p.completed + p.failed,
            p50_ns: p.p50_ns.map(|ns| ns as f64),
            p99_ns: p.p99_ns.map(|ns| ns as f64),
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
            (tally.over_rows(RowTimer::ServiceTime), tally.over_rows(RowTimer::ResponseTime));
        look(&Evidence {
            open_model: self.run.model == "open",
            // What fell to a lost worker never came due anywhere.
            asked: tally.sum(RowCounter::Due).max(self.fleet.as_ref().and_then(|f| f.asked).unwrap_or(0)),
            sent: tally.sum(RowCounter::Sent),
            turned_away: super::figures::turned_away(tally),
            dropped: tally.sum(RowCounter::Dropped),
            waiting: self.threads.iter().map(|t| t.backlog).sum(),
            send_delay: tally.timer(Timer::SendDelay),
            receive_delay: tally.timer(Timer::ReceiveDelay),
            service_time: &service_time,
            response_time: &response_time,
            kernel_timestamps: self.timestamps() == "kernel",
            absurd_stamps: tally.counter(Counter::AbsurdStamps),
            threads: &self.threads,
            throttled_ns: self.throttled_ns,
            throttled_periods: self.throttled_periods,
            local_errors: ended(Outcome::LocalError),
        })
    }
}
