//! Encodes merged windows as bytes and decodes them: the format that a worker sends.
//!
//! ```text
//! window    = deflated (zlib):: length head, run, rows      head: JSON; all numbers as in [`varint`]
//! run       = counter*, histogram*, number of targets, slots*     in the order of the head's names
//! slots     = first word, number of words, (waiting, answered)*
//! rows      = number of them, row*                        only those in which something was counted
//! row       = steps since the last one, counter*, statuses, histogram*
//! statuses  = number of them, (codes since the last one, count)*
//! histogram = saturated, number of buckets, (buckets since the last one, count)*
//! ```
//!
//! Counters and timers are identified by their stable names, which the head lists once.
//!
//! The bytes of a peer are not trusted: the number of steps comes from the plan, the inflated size is
//! bounded, and every length and list is checked against its bound before anything is built from it.

use std::fmt;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::availability::{Availability, MAX_WORDS, Word};
use super::bucket::BUCKETS;
use super::counters::{row_names, run_names};
use super::merged::MAX_SUM;
use super::row::{STATUS_FIRST, STATUS_SLOTS};
use super::{
    FailureSample, FirstSeen, Histogram, MAX_FAILURE_SAMPLES, Merged, Outcome, Row, RowTimer, StepId, Timer,
    varint,
};

/// The largest count accepted: 16 TiB is more than a window of hours holds, and sums over a run's windows
/// stay far from overflowing.
const MAX_COUNT: u64 = 1 << 44;
/// The most bytes a window may inflate to: ten million hit buckets take twenty or thirty MiB. Beyond the
/// first `FREELY_INFLATED_BYTES`, at most `MAX_INFLATION` bytes per byte received.
const MAX_INFLATED_BYTES: u64 = 64 << 20;
const FREELY_INFLATED_BYTES: u64 = 1 << 20;
const MAX_INFLATION: u64 = 16;
/// What a plan's size allows a window to inflate to: the histograms of a run, and of each step, completely filled.
const INFLATED_BYTES: u64 = 2 << 20;
const INFLATED_BYTES_PER_STEP: u64 = 512 << 10;
/// Limit of the head without what depends on the plan, and what each step may add: its failures, two texts
/// each.
const HEAD_BYTES: usize = 64 << 10;
const HEAD_BYTES_PER_STEP: usize = 64 << 10;
/// The most targets.
const MAX_TARGETS: usize = 64;
/// The most names of one kind.
const MAX_NAMES: usize = 1_000;
/// The longest text in a failure sample.
const MAX_TEXT_BYTES: usize = 4 << 10;

/// What is read at most.
struct Limits {
    /// Bytes after inflating.
    inflated_bytes: u64,
    /// Bytes of the head.
    head_bytes: usize,
    /// The largest count.
    count: u64,
}

/// The parts of a window that are not lists of numbers.
#[derive(Serialize, Deserialize)]
struct Head {
    /// Number of steps in the plan.
    steps: usize,
    names: Names,
    first_seen: Vec<(String, FirstSeen)>,
    failure_samples: Vec<FailureSample>,
}

/// The stable names of the numbers that follow in lists.
#[derive(Serialize, Deserialize)]
struct Names {
    #[serde(deserialize_with = "few")]
    counters: Vec<String>,
    #[serde(deserialize_with = "few")]
    timers: Vec<String>,
    #[serde(deserialize_with = "few")]
    row_counters: Vec<String>,
    #[serde(deserialize_with = "few")]
    row_timers: Vec<String>,
}

/// Reads at most [`MAX_NAMES`] names; a longer list is rejected before it is stored.
fn few<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<String>, D::Error> {
    struct BoundedNames;
    impl<'de> Visitor<'de> for BoundedNames {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MAX_NAMES} names")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = list.next_element()? {
                if names.len() == MAX_NAMES {
                    return Err(A::Error::invalid_length(MAX_NAMES + 1, &self));
                }
                names.push(name);
            }
            Ok(names)
        }
    }
    list.deserialize_seq(BoundedNames)
}

/// Our index for each of a peer's names.
struct NameMap {
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

    fn places(&self) -> Result<NameMap, String> {
        let ours = Self::ours();
        Ok(NameMap {
            counters: places("counter", &self.counters, &ours.counters)?,
            timers: places("timer", &self.timers, &ours.timers)?,
            row_counters: places("row counter", &self.row_counters, &ours.row_counters)?,
            row_timers: places("row timer", &self.row_timers, &ours.row_timers)?,
        })
    }
}

/// The index among `ours` of each of `theirs`, which must be the same names in any order.
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

impl Merged {
    /// Append the encoded window to `bytes`.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let mut encoder = ZlibEncoder::new(bytes, Compression::default());
        let deflated = encoder.write_all(&self.plain()).and_then(|()| encoder.finish());
        deflated.expect("writing to memory does not fail");
    }

    /// Decode `bytes`, all of them, for a plan of `steps` steps.
    ///
    /// # Errors
    /// What is wrong with the bytes, as a sentence fragment.
    pub(crate) fn read(bytes: &[u8], steps: usize) -> Result<Self, String> {
        let inflated_bytes = (FREELY_INFLATED_BYTES + MAX_INFLATION * bytes.len() as u64)
            .min(INFLATED_BYTES + INFLATED_BYTES_PER_STEP * steps as u64)
            .min(MAX_INFLATED_BYTES);
        let head_bytes = HEAD_BYTES + HEAD_BYTES_PER_STEP * steps;
        Self::read_within(bytes, steps, &Limits { inflated_bytes, head_bytes, count: MAX_COUNT })
    }

    /// Like [`Self::read`], for what this program has written itself: sums of many windows may be larger than
    /// anything that a peer may send.
    ///
    /// # Errors
    /// What is wrong with the bytes, as a sentence fragment.
    pub(crate) fn read_own(bytes: &[u8], steps: usize) -> Result<Self, String> {
        let limits = Limits { inflated_bytes: u64::MAX - 1, head_bytes: usize::MAX, count: MAX_SUM };
        Self::read_within(bytes, steps, &limits)
    }

    fn read_within(bytes: &[u8], steps: usize, limits: &Limits) -> Result<Self, String> {
        let mut decoder = ZlibDecoder::new(bytes);
        let mut plain = Vec::new();
        let most = limits.inflated_bytes;
        let inflated = decoder.by_ref().take(most + 1).read_to_end(&mut plain);
        match inflated {
            Err(_) => return Err("its compression is damaged".to_owned()),
            Ok(n) if n as u64 > most => return Err("it is too long".to_owned()),
            Ok(_) if decoder.total_in() != bytes.len() as u64 => return Err("bytes follow it".to_owned()),
            Ok(_) => {}
        }
        let (head, body) = VarintReader { bytes: &plain, most: limits.count }.head()?;
        if head.len() > limits.head_bytes {
            return Err("its head is too long".to_owned());
        }
        let head: Head = serde_json::from_slice(head).map_err(|e| format!("its head is damaged: {e}"))?;
        let places = head.names.places()?;
        head.check(steps)?;
        let mut merged = Self::new(steps);
        body.read_into(&mut merged, &places)?;
        for (name, first) in head.first_seen {
            merged.seen.first[outcome(&name).expect("it was checked").index()] = Some(first);
        }
        merged.seen.failure_samples = head.failure_samples;
        Ok(merged)
    }

    fn plain(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let json = serde_json::to_vec(&self.head()).expect("numbers and strings are JSON");
        varint::write(&mut bytes, json.len() as u64);
        bytes.extend_from_slice(&json);
        self.counters.iter().for_each(|n| varint::write(&mut bytes, *n));
        self.timers.iter().for_each(|timer| write_histogram(timer, &mut bytes));
        varint::write(&mut bytes, self.availability.len() as u64);
        self.availability.iter().for_each(|target| write_slots(target, &mut bytes));
        let touched = || self.rows.iter().enumerate().filter(|(_, row)| !row.is_empty());
        varint::write(&mut bytes, touched().count() as u64);
        let mut next = 0;
        for (step, row) in touched() {
            varint::write(&mut bytes, (step - next) as u64);
            next = step + 1;
            write_row(row, &mut bytes);
        }
        bytes
    }

    fn head(&self) -> Head {
        let first_seen = Outcome::ALL.iter().zip(&self.seen.first);
        let first_seen =
            first_seen.filter_map(|(outcome, first)| Some((outcome.name().to_owned(), first.clone()?)));
        Head {
            steps: self.rows.len(),
            names: Names::ours(),
            first_seen: first_seen.collect(),
            failure_samples: self.seen.failure_samples.clone(),
        }
    }
}

fn write_slots(availability: &Availability, bytes: &mut Vec<u8>) {
    varint::write(bytes, availability.first_word());
    varint::write(bytes, availability.words().len() as u64);
    for word in availability.words() {
        varint::write(bytes, word.waiting);
        varint::write(bytes, word.answered);
    }
}

fn write_row(row: &Row, bytes: &mut Vec<u8>) {
    row.counters.iter().for_each(|n| varint::write(bytes, *n));
    let codes = row.status.iter().map(|(code, n)| (usize::from(*code - STATUS_FIRST), *n));
    write_list(codes, bytes);
    row.timers.iter().for_each(|timer| write_histogram(timer, bytes));
}

fn write_histogram(histogram: &Histogram, bytes: &mut Vec<u8>) {
    varint::write(bytes, histogram.saturated());
    write_list(histogram.counts(), bytes);
}

/// Writes counts by ascending index.
fn write_list(list: impl ExactSizeIterator<Item = (usize, u64)>, bytes: &mut Vec<u8>) {
    varint::write(bytes, list.len() as u64);
    let mut next = 0;
    for (index, n) in list {
        varint::write(bytes, (index - next) as u64);
        varint::write(bytes, n);
        next = index + 1;
    }
}

/// The bytes left to read.
struct VarintReader<'a> {
    bytes: &'a [u8],
    /// The largest count.
    most: u64,
}

impl<'a> VarintReader<'a> {
    fn number(&mut self) -> Result<u64, String> {
        varint::read(&mut self.bytes).ok_or_else(|| "it is cut short".to_owned())
    }

    fn count(&mut self) -> Result<u64, String> {
        let n = self.number()?;
        if n > self.most { Err("its counts are impossible".to_owned()) } else { Ok(n) }
    }

    /// A list length or a distance between indices, at most `most`.
    fn within(&mut self, most: usize) -> Result<usize, String> {
        let n = usize::try_from(self.number()?).ok().filter(|n| *n <= most);
        n.ok_or_else(|| "its counts do not fit the plan".to_owned())
    }

    fn head(mut self) -> Result<(&'a [u8], Self), String> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let (head, body) = self.bytes.split_at_checked(length).ok_or("it is cut short")?;
        Ok((head, Self { bytes: body, ..self }))
    }

    fn read_into(mut self, merged: &mut Merged, places: &NameMap) -> Result<(), String> {
        for place in &places.counters {
            merged.counters[*place] = self.count()?;
        }
        for place in &places.timers {
            merged.timers[*place] = self.histogram()?;
        }
        let targets = self.within(MAX_TARGETS)?.max(1);
        merged.availability = (0..targets).map(|_| self.slots()).collect::<Result<_, _>>()?;
        let mut next = 0;
        for _ in 0..self.within(merged.rows.len())? {
            let left = merged.rows.len().checked_sub(next + 1).ok_or("its counts do not fit the plan")?;
            let step = next + self.within(left)?;
            next = step + 1;
            self.row(&mut merged.rows[step], places)?;
        }
        if self.bytes.is_empty() { Ok(()) } else { Err("bytes follow its last row".to_owned()) }
    }

    fn slots(&mut self) -> Result<Availability, String> {
        let first_word = self.within(MAX_WORDS)?;
        let length = self.within(MAX_WORDS - first_word)?;
        // Each takes two bytes at the least.
        let mut words = Vec::with_capacity(length.min(self.bytes.len() / 2));
        for _ in 0..length {
            words.push(Word { waiting: self.number()?, answered: self.number()? });
        }
        Ok(Availability::from_words(first_word as u64, words))
    }

    fn row(&mut self, row: &mut Row, places: &NameMap) -> Result<(), String> {
        for place in &places.row_counters {
            row.counters[*place] = self.count()?;
        }
        let codes = self.list(STATUS_SLOTS)?;
        row.status = codes.into_iter().map(|(index, n)| (STATUS_FIRST + index as u16, n)).collect();
        for place in &places.row_timers {
            row.timers[*place] = self.histogram()?;
        }
        Ok(())
    }

    fn histogram(&mut self) -> Result<Histogram, String> {
        let saturated = self.count()?;
        let mut histogram = Histogram::of(self.list(BUCKETS)?.into_iter());
        if histogram.count() > self.most {
            return Err("its counts are impossible".to_owned());
        }
        if saturated > histogram.count() {
            return Err("more records saturated than there are".to_owned());
        }
        histogram.saturated = saturated;
        Ok(histogram)
    }

    /// Counts by ascending indices below `most`.
    fn list(&mut self, most: usize) -> Result<Vec<(usize, u64)>, String> {
        let length = self.within(most)?;
        // Each takes at least two bytes.
        let mut list = Vec::with_capacity(length.min(self.bytes.len() / 2));
        let mut next = 0;
        for _ in 0..length {
            let left = most.checked_sub(next + 1).ok_or("its counts do not fit the plan")?;
            let index = next + self.within(left)?;
            next = index + 1;
            match self.count()? {
                0 => return Err("it counts to zero".to_owned()),
                n => list.push((index, n)),
            }
        }
        Ok(list)
    }
}

fn outcome(name: &str) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
}

impl Head {
    /// Check every list against the plan's bounds.
    fn check(&self, steps: usize) -> Result<(), String> {
        if self.steps != steps {
            return Err(format!("it has {} steps, not the plan's {steps}", self.steps));
        }
        let is_step = |step: StepId| step.index() < steps;
        let is_first = |first: &FirstSeen| is_step(first.step) && first.evidence.len() <= MAX_TEXT_BYTES;
        let fit = self.first_seen.iter().all(|(name, first)| outcome(name).is_some() && is_first(first))
            && self.failure_samples.len() <= MAX_FAILURE_SAMPLES * steps
            && self.failure_samples.iter().all(|s| {
                is_step(s.step) && s.what.len() <= MAX_TEXT_BYTES && s.excerpt.len() <= MAX_TEXT_BYTES
            });
        if fit { Ok(()) } else { Err("its head does not fit the plan".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::ProtocolError;
    use crate::tally::{BrokenRule, Close, Counter, Detail, RowCounter, TlsFault};

    fn some(seed: u64) -> Merged {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut merged = Merged::new(3);
        for _ in 0..2_000 {
            let step = StepId(rng.u32(..2));
            merged.add_row(step, RowCounter::Due, 1);
            merged.add_row(step, RowCounter::Sent, 1);
            merged.add_row(step, Outcome::ALL[rng.usize(..Outcome::COUNT)], 1);
            merged.count_status(step, rng.u16(100..=999));
            merged.add_row(step, RowCounter::BytesReceived, rng.u64(..1_000));
            let most = 1 << rng.u32(1..45);
            merged.record_row(step, RowTimer::ResponseOk, rng.u64(..most));
            merged.record_row(step, RowTimer::ServiceOk, rng.u64(..1_000_000));
            merged.record(Timer::Slip, rng.u64(..10_000));
        }
        merged.record(Timer::TlsTime, 5);
        merged.add(Counter::ConnectionsOpened, 7);
        merged.add(Close::KeepAliveOff, 3);
        merged.add(ProtocolError::HeadTooLarge, 4);
        merged.add(TlsFault::NotYetValid, 5);
        let detail = Detail::BrokenRule(BrokenRule::Status(3));
        let seen = FirstSeen { at_ns: 5, step: StepId(1), detail, evidence: "x".to_owned() };
        merged.seen.first[Outcome::ExpectationFailed.index()] = Some(seen);
        merged.seen.failure_samples.push(FailureSample {
            at_ns: 5,
            step: StepId(1),
            broken: BrokenRule::NotJson,
            status: 200,
            what: "x".into(),
            excerpt: "\u{2028}".into(),
        });
        merged
    }

    fn written(merged: &Merged) -> Vec<u8> {
        let mut bytes = Vec::new();
        merged.write(&mut bytes);
        bytes
    }

    fn deflated(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read_bit_for_bit_and_merges_like_the_original() {
        let (a, b) = (some(1), some(2));
        for merged in [&a, &b, &Merged::new(3)] {
            assert_eq!(Merged::read(&written(merged), 3).as_ref(), Ok(merged));
        }
        assert!(
            a.row(StepId(0)).timer(RowTimer::ResponseOk).saturated() > 0,
            "the test must reach the bound"
        );
        let mut one = a.clone();
        one.merge(&b);
        let mut far = Merged::read(&written(&a), 3).unwrap();
        far.merge(&Merged::read(&written(&b), 3).unwrap());
        assert_eq!(far, one);
    }

    /// Sums outgrow what a peer may send in one window.
    #[test]
    fn what_this_program_wrote_itself_may_be_larger_than_what_peers_may_send() {
        let mut sum = some(1);
        sum.add_row(StepId(0), RowCounter::Due, MAX_SUM / 4);
        sum.rows[1].timers[0] = Histogram::of((0..BUCKETS).map(|bucket| (bucket, MAX_COUNT / 1_000)));
        assert_eq!(Merged::read(&written(&sum), 3).unwrap_err(), "its counts are impossible");
        assert_eq!(Merged::read_own(&written(&sum), 3), Ok(sum));
    }

    #[test]
    fn rows_that_were_not_touched_take_no_bytes() {
        let bytes = |steps| written(&Merged::new(steps)).len();
        assert!(bytes(5_000) <= bytes(1) + 8, "{} and {}", bytes(5_000), bytes(1));
    }

    /// A window's bytes with its head changed by `change`.
    fn with_head(merged: &Merged, change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let plain = merged.plain();
        let (head, body) = VarintReader { bytes: &plain, most: MAX_COUNT }.head().unwrap();
        let mut head: serde_json::Value = serde_json::from_slice(head).unwrap();
        change(&mut head);
        let json = head.to_string();
        let mut bytes = Vec::new();
        varint::write(&mut bytes, json.len() as u64);
        deflated(&[&bytes, json.as_bytes(), body.bytes].concat())
    }

    #[test]
    fn counters_are_found_by_their_names_in_any_order() {
        let merged = some(1);
        let names = run_names();
        let (a, b) = (Counter::ConnectionsOpened, Counter::Retried);
        let swapped = with_head(&merged, |head| {
            head["names"]["counters"][0] = names[b.index()].as_str().into();
            head["names"]["counters"][b.index()] = names[a.index()].as_str().into();
        });
        let read = Merged::read(&swapped, 3).unwrap();
        assert_eq!((read.counter(a), read.counter(b)), (merged.counter(b), merged.counter(a)));
    }

    #[test]
    fn a_head_that_does_not_fit_is_refused() {
        let merged = some(1);
        let change = |change: &dyn Fn(&mut serde_json::Value)| {
            Merged::read(&with_head(&merged, |head| change(head)), 3).unwrap_err()
        };
        let last = Counter::COUNT - 1;
        assert_eq!(
            change(&|head| head["names"]["counters"][last] = "new".into()),
            "it lacks the counter `completed_in_time`"
        );
        let more = |name: &'static str| {
            change(&|head| head["names"]["counters"].as_array_mut().unwrap().push(name.into()))
        };
        assert_eq!(more("new"), "it has an unknown counter `new`");
        assert_eq!(more("retried"), "it names a counter twice");
        assert_eq!(
            change(&|head| head["names"]["row_timers"][1] = "x".into()),
            "it lacks the row timer `response_time_failed`"
        );
        assert_eq!(
            change(&|head| head["failure_samples"][0]["step"] = 3.into()),
            "its head does not fit the plan"
        );
        assert_eq!(change(&|head| head["first_seen"][0][0] = "x".into()), "its head does not fit the plan");
        assert_eq!(change(&|head| head["steps"] = 4.into()), "it has 4 steps, not the plan's 3");
        let many = change(&|head| head["names"]["timers"] = vec![""; MAX_NAMES + 1].into());
        assert!(many.contains(" 1000 "), "{many}");
        let long = change(&|head| head["names"]["timers"][0] = "x".repeat(HEAD_BYTES_PER_STEP * 4).into());
        assert_eq!(long, "its head is too long");
    }

    #[test]
    fn lies_are_refused_before_anything_is_made_of_them() {
        let merged = some(1);
        let (good, plain) = (written(&merged), merged.plain());
        assert!(Merged::read(&good, 2).unwrap_err().contains("3 steps"));
        assert_eq!(Merged::read(&[&good[..], &[0]].concat(), 3).unwrap_err(), "bytes follow it");
        let longer = deflated(&[&plain[..], &[0]].concat());
        assert_eq!(Merged::read(&longer, 3).unwrap_err(), "bytes follow its last row");
        let bomb = deflated(&vec![0; MAX_INFLATED_BYTES as usize + 1]);
        assert_eq!(Merged::read(&bomb, 3).unwrap_err(), "it is too long");
        let (head, body) = VarintReader { bytes: &plain, most: MAX_COUNT }.head().unwrap();
        let front = &plain[..plain.len() - body.bytes.len()];
        assert!(!head.is_empty());
        let body = |numbers: &[u64]| {
            let mut bytes = front.to_vec();
            numbers.iter().for_each(|n| varint::write(&mut bytes, *n));
            Merged::read(&deflated(&bytes), 3).unwrap_err()
        };
        // Counters, two numbers for each timer, two for the slots.
        let run = vec![0; run_names().len() + 2 * Timer::COUNT + 3];
        let row = vec![0; row_names().len()];
        assert_eq!(body(&[MAX_COUNT + 1]), "its counts are impossible");
        assert_eq!(body(&run[1..]), "it is cut short");
        assert_eq!(body(&[&run[..], &[4]].concat()), "its counts do not fit the plan");
        let slots = &run[..run.len() - 2];
        for [first, length] in [[MAX_WORDS as u64 + 1, 0], [MAX_WORDS as u64, 1], [0, MAX_WORDS as u64 + 1]] {
            assert_eq!(body(&[slots, &[first, length]].concat()), "its counts do not fit the plan");
        }
        assert_eq!(body(&[slots, &[0, 2, 1, 1]].concat()), "it is cut short");
        assert_eq!(body(&[&run[..], &[1, 3]].concat()), "its counts do not fit the plan");
        assert_eq!(
            body(&[&run[..], &[2, 2], &row, &[0; 1 + 2 * RowTimer::COUNT]].concat()),
            "its counts do not fit the plan"
        );
        let row = |rest: &[u64]| body(&[&run[..], &[1, 0], &row, rest].concat());
        assert_eq!(row(&[901]), "its counts do not fit the plan");
        assert_eq!(row(&[1, 900, 1]), "its counts do not fit the plan");
        assert_eq!(row(&[0, 0, u64::MAX]), "its counts do not fit the plan");
        assert_eq!(row(&[0, 1, 1, 5, 0]), "it counts to zero");
        assert_eq!(row(&[0, 2, 1, 5, 1]), "more records saturated than there are");
        assert_eq!(row(&[0, 0, 2, 0, MAX_COUNT, 0, 1]), "its counts are impossible");
    }

    #[test]
    fn what_may_be_unpacked_follows_the_plans_size() {
        let plain = vec![0; (INFLATED_BYTES + INFLATED_BYTES_PER_STEP) as usize + 1];
        // Bytes that do not compress follow, so that the ratio alone would let it pass.
        let mut rng = fastrand::Rng::with_seed(1);
        let noise: Vec<u8> = (0..1 << 20).map(|_| rng.u8(..)).collect();
        let bytes = deflated(&[&noise[..], &plain].concat());
        assert_eq!(Merged::read(&bytes, 1).unwrap_err(), "it is too long");
        assert_ne!(Merged::read(&bytes, 100).unwrap_err(), "it is too long");
    }

    #[test]
    fn damaged_bytes_are_refused_without_panic() {
        let (good, plain) = (written(&some(1)), some(1).plain());
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..500 {
            let mut bytes = good.clone();
            let at = rng.usize(..bytes.len());
            bytes[at] ^= rng.u8(1..);
            bytes.truncate(rng.usize(..=good.len()));
            let _ = Merged::read(&bytes, 3);
            let mut bytes = plain.clone();
            let at = rng.usize(plain.len() / 4..bytes.len());
            bytes[at] = rng.u8(..);
            let _ = Merged::read(&deflated(&bytes), 3);
        }
    }
}
