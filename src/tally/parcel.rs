//! A whole tally as bytes, and back: what a worker sends of a window.
//!
//! ```text
//! parcel    = length (u32) counts, histogram*      counts: JSON; lengths and numbers big-endian
//! histogram = length (u32) V2, deflated            empty: length 0
//! ```
//!
//! Bytes of a peer are not trusted: the number of scenarios is the plan's, not theirs, every length is held
//! against what is there, and every list against its bound, before anything is made of it.

use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::{
    FirstSeen, Histogram, MAX_SPECIMENS, Outcome, STATUS_FIRST, STATUS_SLOTS, ScenarioTally, Specimen, Tally,
};

/// A count that is believed: 16 TiB is more than a window of hours holds, and sums over a run's windows
/// stay far from overflowing.
const MAX_COUNT: u64 = 1 << 44;
/// JSON of the counts, for one scenario: its status codes take the most, thirty bytes each.
const MAX_COUNTS_BYTES: usize = 64 << 10;
/// A specimen's texts.
const MAX_TEXT_BYTES: usize = 4 << 10;

/// What is not a histogram.
#[derive(Serialize, Deserialize)]
struct Counts {
    scenarios: Vec<ScenarioCounts>,
    counters: Vec<u64>,
    first_seen: Vec<(usize, FirstSeen)>,
    specimens: Vec<Specimen>,
    /// Records above the bound, for each histogram in the order they follow.
    saturated: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct ScenarioCounts {
    counters: Vec<u64>,
    status: Vec<(u16, u64)>,
}

/// A tally's counters and histograms, those of the scenarios last, always in this order; as references of
/// the kind that is given. A field that is added to a tally has to be added here: nothing compiles otherwise.
macro_rules! parts {
    ($tally:expr) => {{
        let Tally {
            scenarios,
            slip,
            send_delay,
            receive_delay,
            connect_time,
            tls_time,
            first_byte_time,
            connections_opened,
            handshakes_full,
            handshakes_resumed,
            reconnects,
            closes,
            connect_failures,
            protocol_errors,
            tls_faults,
            redirects,
            retried,
            absurd_stamps,
            unstamped,
            completed_in_time,
            first_seen: _,
            specimens: _,
            witness: _,
        } = $tally;
        let mut counters = vec![connections_opened, handshakes_full, handshakes_resumed, reconnects];
        counters.extend([connect_failures, redirects, retried, absurd_stamps, unstamped, completed_in_time]);
        counters.extend(closes.into_iter().chain(protocol_errors).chain(tls_faults));
        let mut histograms = vec![slip, send_delay, receive_delay, connect_time, tls_time, first_byte_time];
        for ScenarioTally { response_time, service_time, .. } in scenarios {
            histograms.extend([response_time, service_time]);
        }
        (counters, histograms)
    }};
}

/// A scenario's counters but for its status codes, in the same way.
macro_rules! counters {
    ($scenario:expr) => {{
        let ScenarioTally {
            due,
            sent,
            dropped,
            outcomes,
            bytes_sent,
            bytes_received,
            response_time: _,
            service_time: _,
            status: _,
        } = $scenario;
        [due, sent, dropped, bytes_sent, bytes_received].into_iter().chain(outcomes)
    }};
}

impl Tally {
    /// Append it to `bytes`.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let json = serde_json::to_vec(&self.counts()).expect("numbers and strings are JSON");
        append(bytes, &json);
        let mut serializer = V2DeflateSerializer::new();
        let mut encoded = Vec::new();
        for histogram in parts!(self).1 {
            encoded.clear();
            if histogram.count() > 0 {
                let written = serializer.serialize(histogram.hdr(), &mut encoded);
                written.expect("a histogram of fixed bounds fits into memory");
            }
            append(bytes, &encoded);
        }
    }

    /// The tally of a plan of `scenarios` scenarios that was written as `bytes`, all of them.
    ///
    /// # Errors
    /// What is wrong with the bytes, as half a sentence.
    pub fn read(mut bytes: &[u8], scenarios: usize) -> Result<Self, String> {
        let json = take(&mut bytes)?;
        if json.len() > MAX_COUNTS_BYTES * (scenarios + 1) {
            return Err("its counts are too long".to_owned());
        }
        let counts: Counts =
            serde_json::from_slice(json).map_err(|e| format!("its counts are damaged: {e}"))?;
        let mut tally = Self::new(scenarios);
        counts.check(&tally)?;
        for (histogram, saturated) in parts!(&mut tally).1.into_iter().zip(counts.saturated.iter().copied()) {
            let encoded = take(&mut bytes)?;
            if !encoded.is_empty() {
                *histogram = Histogram::from_v2_deflate(encoded)?;
            }
            if saturated > histogram.count() {
                return Err("more records saturated than there are".to_owned());
            }
            histogram.saturated = saturated;
        }
        if !bytes.is_empty() {
            return Err("bytes follow its last histogram".to_owned());
        }
        tally.fill(counts);
        Ok(tally)
    }

    fn counts(&self) -> Counts {
        let scenario = |s: &ScenarioTally| ScenarioCounts {
            counters: counters!(s).copied().collect(),
            status: s.status_codes().collect(),
        };
        let first_seen = self.first_seen.iter().enumerate();
        let first_seen = first_seen.filter_map(|(i, first)| first.map(|first| (i, first))).collect();
        let (counters, histograms) = parts!(self);
        Counts {
            counters: counters.into_iter().copied().collect(),
            saturated: histograms.iter().map(|h| h.saturated()).collect(),
            first_seen,
            specimens: self.specimens.clone(),
            scenarios: self.scenarios.iter().map(scenario).collect(),
        }
    }

    fn fill(&mut self, counts: Counts) {
        for (mine, theirs) in self.scenarios.iter_mut().zip(counts.scenarios) {
            counters!(&mut *mine).zip(theirs.counters).for_each(|(a, b)| *a = b);
            theirs.status.iter().for_each(|(code, n)| mine.status[usize::from(code - STATUS_FIRST)] = *n);
        }
        parts!(&mut *self).0.into_iter().zip(counts.counters).for_each(|(a, b)| *a = b);
        counts.first_seen.into_iter().for_each(|(i, first)| self.first_seen[i] = Some(first));
        self.specimens = counts.specimens;
    }
}

impl Counts {
    /// Hold every list against the bounds that an empty tally of the plan has.
    fn check(&self, plan: &Tally) -> Result<(), String> {
        let scenarios = plan.scenarios.len();
        if self.scenarios.len() != scenarios {
            return Err(format!("it has {} scenarios, not the plan's {scenarios}", self.scenarios.len()));
        }
        let (counters, histograms) = parts!(plan);
        let fit = self.counters.len() == counters.len() && self.saturated.len() == histograms.len();
        let is_scenario = |i: u16| usize::from(i) < scenarios;
        let is_status =
            |(code, _): &(u16, u64)| (STATUS_FIRST..STATUS_FIRST + STATUS_SLOTS as u16).contains(code);
        let fits = |(theirs, ours): (&ScenarioCounts, &ScenarioTally)| {
            theirs.counters.len() == counters!(ours).count() && theirs.status.iter().all(is_status)
        };
        let fit = fit
            && self.scenarios.iter().zip(&plan.scenarios).all(fits)
            && self.first_seen.iter().all(|(i, first)| *i < Outcome::COUNT && is_scenario(first.scenario))
            && self.specimens.len() <= MAX_SPECIMENS * scenarios
            && self.specimens.iter().all(|s| {
                is_scenario(s.scenario) && s.what.len() <= MAX_TEXT_BYTES && s.excerpt.len() <= MAX_TEXT_BYTES
            });
        if !fit {
            return Err("its counts do not fit the plan".to_owned());
        }
        let of_scenarios = self.scenarios.iter().flat_map(|s| {
            let status = s.status.iter().map(|(_, n)| *n);
            s.counters.iter().copied().chain(status)
        });
        let most = self.counters.iter().copied().chain(of_scenarios).max();
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
    use crate::tally::{Broken, Detail};

    fn some(seed: u64) -> Tally {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut tally = Tally::new(3);
        for _ in 0..2_000 {
            let scenario = rng.usize(..2);
            let s = &mut tally.scenarios[scenario];
            s.due += 1;
            s.sent += 1;
            s.outcomes[rng.usize(..Outcome::COUNT)] += 1;
            s.count_status(rng.u16(100..=999));
            s.bytes_received += rng.u64(..1_000);
            let most = 1 << rng.u32(1..45);
            s.response_time.record(rng.u64(..most));
            s.service_time.record(rng.u64(..1_000_000));
            tally.slip.record(rng.u64(..10_000));
        }
        tally.tls_time.record(5);
        tally.connections_opened = 7;
        tally.closes[0] = 3;
        tally.protocol_errors[1] = 4;
        tally.tls_faults[2] = 5;
        let detail = Detail::Broken(Broken::Status(3));
        tally.first_seen[2] = Some(FirstSeen { at_ns: 5, scenario: 1, detail });
        tally.specimens.push(Specimen {
            at_ns: 5,
            scenario: 1,
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
        assert!(a.scenarios[0].response_time.saturated() > 0, "the test must reach the bound");
        let mut one = a.clone();
        one.merge(&b);
        let mut far = Tally::read(&written(&a), 3).unwrap();
        far.merge(&Tally::read(&written(&b), 3).unwrap());
        assert_eq!(far, one);
    }

    #[test]
    fn lies_are_refused_before_anything_is_made_of_them() {
        let good = written(&some(1));
        assert!(Tally::read(&good, 2).unwrap_err().contains("3 scenarios, not the plan's 2"));
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
        assert_eq!(change("\"scenario\":1", "\"scenario\":3"), "its counts do not fit the plan");
        assert_eq!(change("\"saturated\":[0", "\"saturated\":[0,0"), "its counts do not fit the plan");
        assert_eq!(
            change("\"saturated\":[0", "\"saturated\":[9000"),
            "more records saturated than there are"
        );
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
