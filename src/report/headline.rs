//! The verdict in words: the first line of every page.

use super::availability;
use super::compared;
use super::figures::{InstrumentFigures, Totals, Verdict, status_codes};
use super::format::{count, percent, time};
use super::sanitize::one_line;
use crate::fleet::coordinator::{MemberState, Row};
use crate::run::{Ending, Fleet, Snapshot, State};
use crate::tally::{Counter, Outcome};
use crate::verdict::threshold::{OFFERED_RATIO_TO_PASS, Outcome as Gate};

/// The note on every page of a run that accepted any certificate.
pub(crate) const INSECURE: &str =
    "insecure: any certificate was accepted, so who answered may not have been the target";

/// The verdicts of a run that passed, or had nothing to pass, with an unreliable measurement: readers of this
/// line alone must not take its figures for good ones.
const PASSED_IN_DOUBT: &str = "PASSED, NOT TRUSTWORTHY";
const DONE_IN_DOUBT: &str = "DONE, NOT TRUSTWORTHY";

/// The severity of a headline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A good result.
    Good,
    /// A warning.
    Warn,
    /// A bad result.
    Bad,
}

/// The result, and whether to trust it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Headline {
    pub(crate) tone: Tone,
    /// The verdict in a few words, in capitals.
    pub(crate) word: &'static str,
    /// The details after it; may be empty.
    pub(crate) but: String,
    /// Whether to trust the measurement, as a clause.
    pub(crate) trust: &'static str,
}

impl Headline {
    /// The separator between the verdict and the details.
    pub(crate) fn joint(&self) -> &'static str {
        match self.word {
            _ if self.but.is_empty() => "",
            "PASSED" | PASSED_IN_DOUBT => ", ",
            _ => ": ",
        }
    }

    /// The headline of a run that has not ended: its state and problems so far.
    pub(crate) fn so_far(snapshot: &Snapshot, instrument: &InstrumentFigures) -> Self {
        let awaited = snapshot.fleet.as_ref().and_then(Fleet::awaited);
        let word = match snapshot.state {
            State::Starting if awaited.is_some() => "WAITING FOR WORKERS",
            State::Starting => "STARTING",
            State::WarmingUp => "WARMING UP",
            State::Running => "RUNNING",
            State::Draining | State::Finished => "ENDING",
        };
        let measured = snapshot.tally.ended() > 0;
        let failing =
            thresholds_that(snapshot, Gate::Failed, "fails so far", "fail so far").filter(|_| measured);
        let (tone, trust) = match instrument.trustworthy {
            _ if !measured => (Tone::Good, "nothing has been measured yet"),
            true => (Tone::Good, "the measurement is trustworthy so far"),
            false => (Tone::Warn, "the measurement is NOT trustworthy so far"),
        };
        let tone = if failing.is_some() { Tone::Bad } else { tone };
        let here = awaited.map(|(here, wanted)| format!("{here} of {wanted} have joined"));
        let lost = snapshot.fleet.as_ref().and_then(workers_lost);
        let tone = if lost.is_some() && tone == Tone::Good { Tone::Warn } else { tone };
        Self {
            tone,
            word,
            but: [lost, failing, here].into_iter().flatten().collect::<Vec<_>>().join("; "),
            trust,
        }
    }

    /// The headline of a finished run.
    pub(crate) fn of(snapshot: &Snapshot, instrument: &InstrumentFigures) -> Self {
        let totals = Totals::of(snapshot);
        let amiss = totals.failed + totals.dropped + totals.unfinished;
        let in_doubt = !instrument.trustworthy && totals.ok + totals.failed > 0;
        let (tone, word, but) = match Verdict::of(snapshot, instrument) {
            Verdict::Passed => {
                let outage = availability::outage(snapshot);
                let tone = if amiss == 0 && !in_doubt && outage.is_none() { Tone::Good } else { Tone::Warn };
                let (word, but) = match snapshot.run.is_judged() {
                    true if amiss == 0 => ("PASSED", outage.unwrap_or_default()),
                    true => {
                        let amiss = std::iter::once(format!("with {}", what_is_amiss(&totals)));
                        ("PASSED", amiss.chain(outage).collect::<Vec<_>>().join(", "))
                    }
                    false => ("DONE", what_happened(snapshot, &totals)),
                };
                (tone, if in_doubt { doubted(word) } else { word }, but)
            }
            Verdict::Failed => (Tone::Bad, "FAILED", which_failed(snapshot, &totals)),
            Verdict::Inconclusive => (Tone::Bad, "INCONCLUSIVE", why_inconclusive(snapshot, instrument)),
            Verdict::Incomplete => (Tone::Bad, "INCOMPLETE", why_incomplete(snapshot)),
            Verdict::Interrupted => {
                // That it was interrupted is no excuse for what had failed by then.
                let failed = failed_gates(snapshot);
                let tone = if failed.is_empty() { Tone::Warn } else { Tone::Bad };
                let but = std::iter::once(how_interrupted(snapshot)).chain(failed);
                (tone, "INTERRUPTED", but.collect::<Vec<_>>().join("; "))
            }
        };
        let trust = match instrument.trustworthy {
            _ if totals.ok + totals.failed == 0 => "nothing was measured",
            _ if word == PASSED_IN_DOUBT || word == DONE_IN_DOUBT => "do not rely on its figures",
            true => "the measurement is trustworthy",
            false => "the measurement is NOT trustworthy",
        };
        Self { tone, word, but, trust }
    }
}

/// `1 of 3 workers lost`; `None`: no loss. A worker that left with a shard counts as lost; one whose slot was
/// taken by another does not.
fn workers_lost(fleet: &Fleet) -> Option<String> {
    fleet.start_at_ns?;
    let lost = fleet.rows.iter().filter(|row| is_missed(row)).count();
    let joined = fleet.rows.iter().filter(|row| row.mark != MemberState::Replaced).count();
    (lost > 0).then(|| format!("{lost} of {joined} workers lost"))
}

fn is_missed(row: &Row) -> bool {
    row.mark == MemberState::Lost || row.mark == MemberState::Left && row.had_shard
}

fn doubted(word: &str) -> &'static str {
    if word == "PASSED" { PASSED_IN_DOUBT } else { DONE_IN_DOUBT }
}

/// `12,345 requests in 10.0 s, 3 failed`.
fn what_happened(snapshot: &Snapshot, totals: &Totals) -> String {
    let requests = if totals.due == 1 { "request" } else { "requests" };
    let mut text = format!("{} {requests} in {}", count(totals.due), time(snapshot.measured_ns));
    for (n, kind) in amiss_by_kind(totals) {
        text += &format!(", {} {kind}", count(n));
    }
    text.extend(availability::outage(snapshot).map(|outage| format!(", {outage}")));
    text
}

fn why_incomplete(snapshot: &Snapshot) -> String {
    let why = snapshot.error.as_deref().map(|why| why.lines().map(one_line).collect::<Vec<_>>().join("; "));
    why.unwrap_or_else(|| match snapshot.ending {
        Ending::Complete => "no connection was ever established".to_owned(),
        _ => "the run could not be carried out".to_owned(),
    })
}

fn which_failed(snapshot: &Snapshot, totals: &Totals) -> String {
    let none_ok = (totals.ok == 0).then(|| match what_is_amiss(totals) {
        amiss if amiss.is_empty() => "no request was due".to_owned(),
        amiss => format!("no request ended ok, {amiss}"),
    });
    let stopped = if snapshot.aborted.is_some() { ", which stopped the run" } else { "" };
    let thresholds = failed_thresholds(snapshot);
    let worse = is_worse(snapshot);
    let lost = (snapshot.ending == Ending::Failed).then(|| {
        let rows = || snapshot.fleet.iter().flat_map(|fleet| &fleet.rows);
        let has_left = rows().any(|row| row.mark == MemberState::Left)
            && !rows().any(|row| row.mark == MemberState::Lost);
        (if has_left { "a worker left before the end" } else { "a worker was lost" }).to_owned()
    });
    let thresholds = thresholds.map(|t| t + stopped);
    let parts =
        [lost, none_ok, thresholds, availability::outage(snapshot), worse, commonest_failure(snapshot)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// `most failures: unexpected_status 503 (300 of 315)`; `None`: no request failed.
fn commonest_failure(snapshot: &Snapshot) -> Option<String> {
    let tally = &snapshot.tally;
    let failures = || Outcome::ALL.into_iter().filter(|o| !o.is_ok()).map(|o| (tally.sum(o), o));
    let all: u64 = failures().map(|(n, _)| n).sum();
    let (n, outcome) = failures().rev().max_by_key(|(n, _)| *n).filter(|(n, _)| *n > 0)?;
    let codes = status_codes(tally);
    // Each of them has a status that nobody wanted, mostly one from 400 on.
    let code = codes.iter().filter(|(code, _)| outcome == Outcome::UnexpectedStatus && **code >= 400);
    let code = code.max_by_key(|(_, n)| **n).map_or(String::new(), |(code, _)| format!(" {code}"));
    Some(match n == all {
        true => format!("all failures: {}{code} ({})", outcome.name(), count(n)),
        false => format!("most failures: {}{code} ({} of {})", outcome.name(), count(n), count(all)),
    })
}

/// When it was stopped, and what its figures are then.
fn how_interrupted(snapshot: &Snapshot) -> String {
    let planned = snapshot.run.duration_ns.filter(|d| snapshot.measured_ns < *d);
    let planned = planned.map_or(String::new(), |d| format!(" of {}", time(d)));
    match snapshot.measured_ns {
        0 => "the run was stopped before anything was measured".to_owned(),
        ns if snapshot.tally.ended() == 0 => {
            format!("the run was stopped after {}{planned}, before any request ended", time(ns))
        }
        ns => {
            format!("the run was stopped after {}{planned}, and these are its figures until then", time(ns))
        }
    }
}

/// The gates of an interrupted run that failed, in words.
fn failed_gates(snapshot: &Snapshot) -> Vec<String> {
    failed_thresholds(snapshot).into_iter().chain(is_worse(snapshot)).collect()
}

fn failed_thresholds(snapshot: &Snapshot) -> Option<String> {
    thresholds_that(snapshot, Gate::Failed, "does not hold", "do not hold")
}

fn is_worse(snapshot: &Snapshot) -> Option<String> {
    let worse = snapshot.comparison().filter(|c| c.outcome == Gate::Failed);
    worse.map(|_| "worse than the baseline".to_owned())
}

fn why_inconclusive(snapshot: &Snapshot, instrument: &InstrumentFigures) -> String {
    if instrument.offered_ratio.is_some_and(|ratio| ratio < OFFERED_RATIO_TO_PASS) {
        return "the asked load was not offered".to_owned();
    }
    if snapshot.tally.counter(Counter::DataUnreadable) > 0 {
        return "the run ended before its time: a data file has changed or cannot be read".to_owned();
    }
    if snapshot.is_out_of_data() {
        return "the run ended before its time: its data has no rows left".to_owned();
    }
    let unknown = "could not be judged";
    let compared = || snapshot.comparison().filter(|compared| compared.outcome == Gate::Inconclusive);
    if let Some(thresholds) = thresholds_that(snapshot, Gate::Inconclusive, unknown, unknown) {
        return thresholds;
    }
    match (compared(), snapshot.run.baseline.as_deref()) {
        (Some(compared), Some(against)) => match compared::undecided(against, &compared) {
            0 => "the comparison with the baseline is inconclusive".to_owned(),
            n => format!("{} worse than in the baseline, which may be chance", compared::figures(n)),
        },
        _ => "--strict was given and the measurement is not trustworthy".to_owned(),
    }
}

/// `1 of 3 thresholds does not hold (p99 < 250ms)`.
fn thresholds_that(snapshot: &Snapshot, outcome: Gate, one: &str, several: &str) -> Option<String> {
    let both = snapshot.run.thresholds.iter().zip(snapshot.thresholds());
    let named: Vec<String> =
        both.filter(|(_, e)| e.outcome == outcome).map(|(t, _)| one_line(&t.expression)).collect();
    let verb = if named.len() == 1 { one } else { several };
    let of = snapshot.run.thresholds.len();
    match named.as_slice() {
        [] => None,
        [only] => Some(format!("1 of {of} thresholds {verb} ({only})")),
        _ => Some(format!("{} of {of} thresholds {verb}", named.len())),
    }
}

/// Requests that did not succeed, by kind, without zeros.
fn amiss_by_kind(totals: &Totals) -> impl Iterator<Item = (u64, &'static str)> {
    let kinds = [(totals.failed, "failed"), (totals.dropped, "dropped"), (totals.unfinished, "unfinished")];
    kinds.into_iter().filter(|(n, _)| *n > 0)
}

fn what_is_amiss(totals: &Totals) -> String {
    let share = |n: u64| percent(n as f64 / totals.due.max(1) as f64);
    let named: Vec<String> =
        amiss_by_kind(totals).map(|(n, kind)| format!("{} {kind} ({})", count(n), share(n))).collect();
    named.join(", ")
}
