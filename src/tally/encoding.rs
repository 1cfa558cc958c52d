//! A whole tally as bytes, and back: what a worker sends of a window.
//!
//! ```text
//! tally     = length (u32) head, histogram*        head: JSON; lengths and numbers big-endian
//! histogram = length (u32) V2, deflated            empty: length 0
//! ```
//!
//! Counters and timers travel under their stable names, which the head lists once; only rows in which
//! something was counted travel. The histograms follow in the order of the head's timers, those of the
//! rows after those of the run.
//!
//! Bytes of a peer are not trusted: the number of steps is the plan's, not theirs, every length is held
//! against what is there, and every list against its bound, before anything is made of it.

use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::counters::{row_names, run_names};
use super::row::{STATUS_FIRST, STATUS_SLOTS};
use super::{FirstSeen, Histogram, MAX_SPECIMENS, Outcome, Row, RowTimer, Specimen, StepId, Tally, Timer};

/// A count that is believed: 16 TiB is more than a window of hours holds, and sums over a run's windows
/// stay far from overflowing.
const MAX_COUNT: u64 = 1 << 44;
/// JSON of the counts, for one row: its status codes take the most, thirty bytes each.
const MAX_ROW_BYTES: usize = 64 << 10;
/// A specimen's texts.
const MAX_TEXT_BYTES: usize = 4 << 10;

/// What is not a histogram.
#[derive(Serialize, Deserialize)]
struct Head {
    /// Steps of the plan.
    steps: usize,
    names: Names,
    counters: Vec<u64>,
    rows: Vec<RowCounts>,
    first_seen: Vec<(String, FirstSeen)>,
    specimens: Vec<Specimen>,
    /// Records above the bound, for each histogram in the order they follow.
    saturated: Vec<u64>,
}

/// The stable names of what follows in lists.
#[derive(Serialize, Deserialize)]
struct Names {
    counters: Vec<String>,
    timers: Vec<String>,
    row_counters: Vec<String>,
    row_timers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct RowCounts {
    step: StepId,
    counters: Vec<u64>,
    status: Vec<(u16, u64)>,
}

/// Where each of a peer's names stands with us.
struct Places {
    counters: Vec<usize>,
    timers: Vec<usize>,
    row_counters: Vec<usize>,
    row_timers: Vec<usize>,
}

impl Names {
    fn ours() -> Self {
        Self {
            counters: run_names(),
            timers: Timer::ALL.iter().map(|timer| timer.name().to_owned()).collect(),
            row_counters: row_names(),
            row_timers: RowTimer::ALL.iter().map(|timer| timer.name().to_owned()).collect(),
        }
    }

    fn places(&self) -> Result<Places, String> {
        let ours = Self::ours();
        Ok(Places {
            counters: places("counter", &self.counters, &ours.counters)?,
            timers: places("timer", &self.timers, &ours.timers)?,
            row_counters: places("row counter", &self.row_counters, &ours.row_counters)?,
            row_timers: places("row timer", &self.row_timers, &ours.row_timers)?,
        })
    }
}

/// The place among `ours` of each of `theirs`, which have to be the same names in any order.
fn places(kind: &str, theirs: &[String], ours: &[String]) -> Result<Vec<usize>, String> {
    if let Some(missing) = ours.iter().find(|name| !theirs.contains(name)) {
        return Err(format!("it lacks the {kind} `{missing}`"));
    }
    let place = |name: &String| ours.iter().position(|own| own == name);
    let unknown = |name: &String| format!("it has an unknown {kind} `{}`", name.escape_default());
    let places = theirs.iter().map(|name| place(name).ok_or_else(|| unknown(name)));
    let places = places.collect::<Result<Vec<_>, _>>()?;
    if places.len() > ours.len() { Err(format!("it names a {kind} twice")) } else { Ok(places) }
}

impl Tally {
    /// Append it to `bytes`.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let json = serde_json::to_vec(&self.head()).expect("numbers and strings are JSON");
        append(bytes, &json);
        let mut serializer = V2DeflateSerializer::new();
        let mut encoded = Vec::new();
        for histogram in self.histograms() {
            encoded.clear();
            if histogram.count() > 0 {
                let written = serializer.serialize(histogram.hdr(), &mut encoded);
                written.expect("a histogram of fixed bounds fits into memory");
            }
            append(bytes, &encoded);
        }
    }

    /// The tally of a plan of `steps` steps that was written as `bytes`, all of them.
    ///
    /// # Errors
    /// What is wrong with the bytes, as half a sentence.
    pub fn read(mut bytes: &[u8], steps: usize) -> Result<Self, String> {
        let json = take(&mut bytes)?;
        if json.len() > MAX_ROW_BYTES * (steps + 1) {
            return Err("its counts are too long".to_owned());
        }
        let head: Head = serde_json::from_slice(json).map_err(|e| format!("its counts are damaged: {e}"))?;
        let places = head.names.places()?;
        head.check(steps, &places)?;
        let mut tally = Self::new(steps);
        let mut saturated = head.saturated.iter().copied();
        let mut next = || histogram(take(&mut bytes)?, saturated.next().unwrap_or(0));
        for place in &places.timers {
            tally.timers[*place] = next()?;
        }
        for row in &head.rows {
            for place in &places.row_timers {
                tally.rows[row.step.index()].timers[*place] = next()?;
            }
        }
        if !bytes.is_empty() {
            return Err("bytes follow its last histogram".to_owned());
        }
        tally.fill(head, &places);
        Ok(tally)
    }

    /// The rows in which something was counted.
    fn touched(&self) -> impl Iterator<Item = (StepId, &Row)> {
        (0..).map(StepId).zip(&self.rows).filter(|(_, row)| !row.is_empty())
    }

    fn histograms(&self) -> impl Iterator<Item = &Histogram> {
        self.timers.iter().chain(self.touched().flat_map(|(_, row)| &row.timers))
    }

    fn head(&self) -> Head {
        let row = |(step, row): (StepId, &Row)| RowCounts {
            step,
            counters: row.counters.to_vec(),
            status: row.status_codes().collect(),
        };
        let first_seen = Outcome::ALL.iter().zip(&self.first_seen);
        let first_seen =
            first_seen.filter_map(|(outcome, first)| Some((outcome.name().to_owned(), (*first)?)));
        Head {
            steps: self.rows.len(),
            names: Names::ours(),
            counters: self.counters.to_vec(),
            rows: self.touched().map(row).collect(),
            first_seen: first_seen.collect(),
            specimens: self.specimens.clone(),
            saturated: self.histograms().map(Histogram::saturated).collect(),
        }
    }

    fn fill(&mut self, head: Head, places: &Places) {
        for (place, n) in places.counters.iter().zip(head.counters) {
            self.counters[*place] = n;
        }
        for theirs in head.rows {
            let mine = &mut self.rows[theirs.step.index()];
            for (place, n) in places.row_counters.iter().zip(theirs.counters) {
                mine.counters[*place] = n;
            }
            theirs.status.iter().for_each(|(code, n)| mine.status[usize::from(code - STATUS_FIRST)] = *n);
        }
        for (name, first) in head.first_seen {
            self.first_seen[outcome(&name).expect("it was checked").index()] = Some(first);
        }
        self.specimens = head.specimens;
    }
}

fn outcome(name: &str) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
}

fn histogram(encoded: &[u8], saturated: u64) -> Result<Histogram, String> {
    let mut histogram =
        if encoded.is_empty() { Histogram::new() } else { Histogram::from_v2_deflate(encoded)? };
    if saturated > histogram.count() {
        return Err("more records saturated than there are".to_owned());
    }
    histogram.saturated = saturated;
    Ok(histogram)
}

impl Head {
    /// Hold every list against the bounds of the plan's tally.
    fn check(&self, steps: usize, places: &Places) -> Result<(), String> {
        if self.steps != steps {
            return Err(format!("it has {} steps, not the plan's {steps}", self.steps));
        }
        let histograms = places.timers.len() + self.rows.len() * places.row_timers.len();
        let is_step = |step: StepId| step.index() < steps;
        let is_status =
            |(code, _): &(u16, u64)| (STATUS_FIRST..STATUS_FIRST + STATUS_SLOTS as u16).contains(code);
        let row_fits = |row: &RowCounts| {
            is_step(row.step)
                && row.counters.len() == places.row_counters.len()
                && row.status.iter().all(is_status)
        };
        let fit = self.rows.is_sorted_by(|a, b| a.step < b.step)
            && self.rows.iter().all(row_fits)
            && self.counters.len() == places.counters.len()
            && self.saturated.len() == histograms
            && self.first_seen.iter().all(|(name, first)| outcome(name).is_some() && is_step(first.step))
            && self.specimens.len() <= MAX_SPECIMENS * steps
            && self.specimens.iter().all(|s| {
                is_step(s.step) && s.what.len() <= MAX_TEXT_BYTES && s.excerpt.len() <= MAX_TEXT_BYTES
            });
        if !fit {
            return Err("its counts do not fit the plan".to_owned());
        }
        let of_rows = self.rows.iter().flat_map(|row| {
            let status = row.status.iter().map(|(_, n)| *n);
            row.counters.iter().copied().chain(status)
        });
        let most = self.counters.iter().copied().chain(of_rows).max();
        if most > Some(MAX_COUNT) { Err("its counts are impossible".to_owned()) } else { Ok(()) }
    }
}

fn append(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
    bytes.extend_from_slice(part);
}

/// The next part, which has to be there in full.
fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let short = || "it is cut short".to_owned();
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
    let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(short)?;
    *bytes = rest;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::ProtocolError;
    use crate::tally::{Broken, Close, Counter, Detail, RowCounter, TlsFault};

    fn some(seed: u64) -> Tally {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut tally = Tally::new(3);
        for _ in 0..2_000 {
            let step = StepId(rng.u32(..2));
            tally.count_row(step, RowCounter::Due);
            tally.count_row(step, RowCounter::Sent);
            tally.end_row(step, Outcome::ALL[rng.usize(..Outcome::COUNT)]);
            tally.count_status(step, rng.u16(100..=999));
            tally.add_row(step, RowCounter::BytesReceived, rng.u64(..1_000));
            let most = 1 << rng.u32(1..45);
            tally.record_row(step, RowTimer::ResponseTime, rng.u64(..most));
            tally.record_row(step, RowTimer::ServiceTime, rng.u64(..1_000_000));
            tally.record(Timer::Slip, rng.u64(..10_000));
        }
        tally.record(Timer::TlsTime, 5);
        tally.add(Counter::ConnectionsOpened, 7);
        tally.add(Close::KeepAliveOff, 3);
        tally.add(ProtocolError::HeadTooLarge, 4);
        tally.add(TlsFault::NotYetValid, 5);
        let detail = Detail::Broken(Broken::Status(3));
        tally.see_first(Outcome::ExpectationFailed, FirstSeen { at_ns: 5, step: StepId(1), detail });
        tally.keep_specimen(Specimen {
            at_ns: 5,
            step: StepId(1),
            broken: Broken::NotJson,
            status: 200,
            what: "x".into(),
            excerpt: "\u{2028}".into(),
        });
        tally
    }

    fn written(tally: &Tally) -> Vec<u8> {
        let mut bytes = Vec::new();
        tally.write(&mut bytes);
        bytes
    }

    #[test]
    fn what_was_written_is_read_bit_for_bit_and_merges_like_the_original() {
        let (a, b) = (some(1), some(2));
        for tally in [&a, &b, &Tally::new(3)] {
            assert_eq!(Tally::read(&written(tally), 3).as_ref(), Ok(tally));
        }
        assert!(
            a.row(StepId(0)).timer(RowTimer::ResponseTime).saturated() > 0,
            "the test must reach the bound"
        );
        let mut one = a.clone();
        one.merge(&b);
        let mut far = Tally::read(&written(&a), 3).unwrap();
        far.merge(&Tally::read(&written(&b), 3).unwrap());
        assert_eq!(far, one);
    }

    #[test]
    fn counters_and_timers_are_found_by_their_names_in_any_order() {
        let tally = some(1);
        let written = written(&tally);
        let json = take(&mut &written[..]).unwrap();
        let mut head: serde_json::Value = serde_json::from_slice(json).unwrap();
        for pointer in ["/names/counters", "/counters"] {
            head.pointer_mut(pointer).unwrap().as_array_mut().unwrap().reverse();
        }
        let mut bytes = Vec::new();
        append(&mut bytes, head.to_string().as_bytes());
        bytes.extend_from_slice(&written[4 + json.len()..]);
        assert_eq!(Tally::read(&bytes, 3), Ok(tally));
    }

    #[test]
    fn lies_are_refused_before_anything_is_made_of_them() {
        let good = written(&some(1));
        assert!(Tally::read(&good, 2).unwrap_err().contains("3 steps, not the plan's 2"));
        assert_eq!(Tally::read(&good[..good.len() - 1], 3).unwrap_err(), "it is cut short");
        assert_eq!(
            Tally::read(&[&good[..], &[0]].concat(), 3).unwrap_err(),
            "bytes follow its last histogram"
        );
        assert_eq!(Tally::read(&u32::MAX.to_be_bytes(), 3).unwrap_err(), "it is cut short");
        let change = |from: &str, to: &str| {
            let json = String::from_utf8(take(&mut &good[..]).unwrap().to_vec()).unwrap();
            let changed = json.replacen(from, to, 1);
            assert_ne!(json, changed, "{from}");
            let mut bytes = Vec::new();
            append(&mut bytes, changed.as_bytes());
            bytes.extend_from_slice(&good[4 + json.len()..]);
            Tally::read(&bytes, 3).unwrap_err()
        };
        assert_eq!(
            change("\"counters\":[7", "\"counters\":[18446744073709551615"),
            "its counts are impossible"
        );
        assert_eq!(change("\"step\":1,\"detail", "\"step\":3,\"detail"), "its counts do not fit the plan");
        assert_eq!(change("\"saturated\":[0", "\"saturated\":[0,0"), "its counts do not fit the plan");
        assert_eq!(
            change("\"saturated\":[0", "\"saturated\":[9000"),
            "more records saturated than there are"
        );
        assert_eq!(
            change("\"step\":1,\"counters", "\"step\":0,\"counters"),
            "its counts do not fit the plan"
        );
        assert_eq!(change("\"retried\"", "\"tried\""), "it lacks the counter `retried`");
        assert_eq!(change("\"retried\",", "\"retried\",\"new\","), "it has an unknown counter `new`");
        assert_eq!(change("\"retried\",", "\"retried\",\"retried\","), "it names a counter twice");
        assert_eq!(change("\"service_time\"", "\"x\""), "it lacks the row timer `service_time`");
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..500 {
            let mut bytes = good.clone();
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
            bytes.truncate(rng.usize(..=good.len()));
            let _ = Tally::read(&bytes, 3);
        }
    }
}
