//! When requests were waiting and when bytes of good answers came, in slots of 10 ms of the measured time.
//!
//! Threads and workers merge their slots by *or*: a slot is answered when anybody was answered in it. A *gap*
//! begins and ends with a slot in which a request waited and nobody was answered, and has no answered slot
//! in it. A request that ends well marks the slot of its last byte as answered, so slots in which nobody waits
//! follow a waiting one only after a failure; a gap goes on over at most [`BRIDGE_SLOTS`] of them, since users
//! who are refused come back.

/// The length of a slot, in nanoseconds.
const SLOT_NS: u64 = 10_000_000;
/// Slots without a waiting request that a gap may go on over: one second.
const BRIDGE_SLOTS: u64 = 1_000_000_000 / SLOT_NS;
/// Slots in one word of a bitmap.
const WORD_SLOTS: u64 = 64;
/// Words of a [`Recorder`]: 82 s, of which 61 s may lie before what it marks first. A byte that came earlier
/// than that, in an exchange that ends later, is not marked.
pub(super) const RECORDED_WORDS: usize = 128;
const WORDS_BEFORE: u64 = 96;
/// Words of the longest run whose slots are kept: a day and a half, like its timeline; 3 MiB.
pub(super) const MAX_WORDS: usize = 203_125;

/// Two bitmaps over the measured time. Words outside of what is stored are zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Availability {
    /// The place of the first stored word in the measured time.
    first_word: u64,
    /// Per word: slots in which a request waited, and slots in which bytes of a good answer came.
    words: Vec<Word>,
}

/// 64 slots.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Word {
    pub(super) waiting: u64,
    pub(super) answered: u64,
}

/// A stretch of slots without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Its beginning, in nanoseconds of the measured time.
    pub(crate) from_ns: u64,
    /// Its length in nanoseconds, a multiple of [`SLOT_NS`].
    pub(crate) length_ns: u64,
}

impl Availability {
    /// What [`Self::with_capacity`] asks for.
    pub(super) const RECORDED_BYTES: usize = size_of::<Self>() + RECORDED_WORDS * size_of::<Word>();

    /// Nothing marked, with memory for what a [`Recorder`] holds.
    pub(super) fn with_capacity() -> Self {
        Self { first_word: 0, words: Vec::with_capacity(RECORDED_WORDS) }
    }

    /// From stored words.
    pub(super) fn from_words(first_word: u64, words: Vec<Word>) -> Self {
        Self { first_word, words }
    }

    pub(super) fn first_word(&self) -> u64 {
        self.first_word
    }

    pub(super) fn words(&self) -> &[Word] {
        &self.words
    }

    pub(super) fn clear(&mut self) {
        self.first_word = 0;
        self.words.clear();
    }

    /// Mark in `mine` what `others` have marked, target by target.
    pub(super) fn merge_all(mine: &mut Vec<Self>, others: &[Self]) {
        if mine.len() < others.len() {
            mine.resize_with(others.len(), Self::default);
        }
        mine.iter_mut().zip(others).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    /// Mark what `other` has marked.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.words.is_empty() {
            return;
        }
        if self.words.is_empty() {
            self.first_word = other.first_word;
        }
        if other.first_word < self.first_word {
            let missing = (self.first_word - other.first_word) as usize;
            self.words.splice(0..0, std::iter::repeat_n(Word::default(), missing));
            self.first_word = other.first_word;
        }
        let at = (other.first_word - self.first_word) as usize;
        if self.words.len() < at + other.words.len() {
            self.words.resize(at + other.words.len(), Word::default());
        }
        for (mine, theirs) in self.words[at..].iter_mut().zip(&other.words) {
            mine.waiting |= theirs.waiting;
            mine.answered |= theirs.answered;
        }
    }

    /// The gaps of the first `measured_ns`, in order of time.
    pub(crate) fn gaps(&self, measured_ns: u64) -> Vec<Gap> {
        let end = measured_ns / SLOT_NS;
        let mut gaps = Vec::new();
        let mut open: Option<(u64, u64)> = None;
        let first_slot = self.first_word * WORD_SLOTS;
        let slots = (first_slot..end).zip(self.slots());
        for (slot, (waiting, answered)) in slots {
            let ended = open.filter(|(_, last)| answered || slot - last > BRIDGE_SLOTS);
            if let Some(gap) = ended {
                gaps.push(gap);
                open = None;
            }
            if waiting && !answered {
                open = Some((open.map_or(slot, |(from, _)| from), slot));
            }
        }
        gaps.extend(open);
        let gap = |(from, last): (u64, u64)| Gap {
            from_ns: from * SLOT_NS,
            length_ns: (last + 1 - from) * SLOT_NS,
        };
        gaps.into_iter().map(gap).collect()
    }

    /// Per slot from the first stored one: whether a request waited, and whether one was answered.
    fn slots(&self) -> impl Iterator<Item = (bool, bool)> {
        let bit = |bits: u64, i: u64| bits >> i & 1 == 1;
        self.words
            .iter()
            .flat_map(move |word| (0..WORD_SLOTS).map(move |i| (bit(word.waiting, i), bit(word.answered, i))))
    }
}

/// What one load thread marks. Instants are nanoseconds on the run's clock; what lies before the measured time
/// is left out.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// When the measured time begins.
    origin_ns: u64,
    /// A slot that is already marked as waiting and answered: the usual case, and then there is nothing to do.
    marked_from_ns: u64,
    marked_to_ns: u64,
    /// The place of `words[0]` in the measured time; meaningful when `used` is not empty.
    first_word: u64,
    words: Box<[Word; RECORDED_WORDS]>,
    /// The words that may not be zero.
    used: std::ops::Range<usize>,
}

impl Recorder {
    /// Nothing marked; the measured time begins at `origin_ns`.
    pub(crate) fn new(origin_ns: u64) -> Self {
        Self {
            origin_ns,
            // Everything before the measured time counts as marked.
            marked_from_ns: 0,
            marked_to_ns: origin_ns,
            first_word: 0,
            words: Box::new([Word::default(); RECORDED_WORDS]),
            used: 0..0,
        }
    }

    /// An answer that ended well: it was waited for from `from_ns` to its last byte at `to_ns`, its first byte
    /// came at `first_ns`, and its longest silence between two reads was `silence`.
    #[inline]
    pub(crate) fn answered(&mut self, from_ns: u64, first_ns: u64, to_ns: u64, silence: Silence) {
        if from_ns < self.marked_from_ns || to_ns >= self.marked_to_ns {
            self.mark_answered(from_ns, first_ns, to_ns, silence);
        }
    }

    /// A request waited from `from_ns` to `to_ns`.
    pub(crate) fn waited(&mut self, from_ns: u64, to_ns: u64) {
        self.mark(from_ns, to_ns, |word, bits| word.waiting |= bits);
    }

    #[inline(never)]
    fn mark_answered(&mut self, from_ns: u64, first_ns: u64, to_ns: u64, silence: Silence) {
        self.waited(from_ns, to_ns);
        let answer = |word: &mut Word, bits| word.answered |= bits;
        if silence.to_ns > silence.from_ns {
            self.mark(first_ns, silence.from_ns, answer);
            self.mark(silence.to_ns, to_ns, answer);
        } else {
            self.mark(first_ns, to_ns, answer);
        }
        if to_ns >= self.origin_ns {
            self.marked_from_ns = to_ns - (to_ns - self.origin_ns) % SLOT_NS;
            self.marked_to_ns = self.marked_from_ns + SLOT_NS;
        }
    }

    /// Mark the slots from that of `from_ns` to that of `to_ns`.
    fn mark(&mut self, from_ns: u64, to_ns: u64, set: impl Fn(&mut Word, u64)) {
        if to_ns < self.origin_ns {
            return;
        }
        let slot = |ns: u64| ns.saturating_sub(self.origin_ns) / SLOT_NS;
        let last = MAX_WORDS as u64 * WORD_SLOTS - 1;
        let (from, to) = (slot(from_ns.min(to_ns)).min(last), slot(to_ns).min(last));
        if self.used.is_empty() {
            self.first_word = (to / WORD_SLOTS).saturating_sub(WORDS_BEFORE);
        }
        // What is too far away to be stored is left out: it is then neither waiting nor answered.
        let first = self.first_word * WORD_SLOTS;
        let end = first + RECORDED_WORDS as u64 * WORD_SLOTS;
        let (from, to) = (from.max(first), to.min(end - 1));
        if from > to {
            return;
        }
        let index = |slot: u64| ((slot - first) / WORD_SLOTS) as usize;
        let (low, high) = (index(from), index(to));
        let after = u64::MAX << (from % WORD_SLOTS);
        let before = u64::MAX >> (WORD_SLOTS - 1 - to % WORD_SLOTS);
        for i in low..=high {
            let bits = if i == low { after } else { u64::MAX } & if i == high { before } else { u64::MAX };
            set(&mut self.words[i], bits);
        }
        let used = if self.used.is_empty() { low..high + 1 } else { self.used.clone() };
        self.used = used.start.min(low)..used.end.max(high + 1);
    }

    /// Move everything that was marked to `availability`, whose memory suffices when it was made for this.
    pub(crate) fn drain_into(&mut self, availability: &mut Availability) {
        availability.clear();
        availability.first_word = self.first_word + self.used.start as u64;
        availability.words.extend_from_slice(&self.words[self.used.clone()]);
        self.words[self.used.clone()].fill(Word::default());
        self.used = 0..0;
        // A slot that goes on is marked again, for the next window.
        if self.marked_to_ns > self.origin_ns {
            (self.marked_from_ns, self.marked_to_ns) = (u64::MAX, 0);
        }
    }
}

/// A stretch between two reads of one response: none when `to_ns` is not after `from_ns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
}

impl Silence {
    /// The longer one of this and the stretch from `from_ns` to `to_ns`.
    #[inline]
    pub(crate) fn or_longer(self, from_ns: u64, to_ns: u64) -> Self {
        let longer = to_ns.saturating_sub(from_ns) > self.to_ns.saturating_sub(self.from_ns);
        if longer { Self { from_ns, to_ns } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;

    fn drained(recorder: &mut Recorder) -> Availability {
        let mut availability = Availability::with_capacity();
        recorder.drain_into(&mut availability);
        availability
    }

    fn answer(recorder: &mut Recorder, from_ns: u64, to_ns: u64) {
        recorder.answered(from_ns, to_ns, to_ns, Silence::default());
    }

    fn gaps(availability: &Availability, measured_ns: u64) -> Vec<(u64, u64)> {
        availability.gaps(measured_ns).into_iter().map(|g| (g.from_ns / MS, g.length_ns / MS)).collect()
    }

    #[test]
    fn a_slow_answer_is_a_gap_up_to_its_first_byte() {
        let mut recorder = Recorder::new(S);
        answer(&mut recorder, S, S + 5 * MS);
        recorder.answered(S + 6 * MS, S + 3_000 * MS, S + 3_002 * MS, Silence::default());
        assert_eq!(gaps(&drained(&mut recorder), 6 * S), [(10, 2_990)]);
    }

    #[test]
    fn a_silence_in_the_middle_of_an_answer_is_a_gap() {
        let mut recorder = Recorder::new(0);
        let silence = Silence::default().or_longer(12 * MS, 20 * MS).or_longer(20 * MS, 2_020 * MS);
        recorder.answered(0, 5 * MS, 2_500 * MS, silence);
        assert_eq!(gaps(&drained(&mut recorder), 6 * S), [(30, 1_990)]);
    }

    #[test]
    fn nobody_waiting_is_no_gap() {
        let mut recorder = Recorder::new(0);
        answer(&mut recorder, 0, 5 * MS);
        answer(&mut recorder, 4 * S, 4 * S + 5 * MS);
        assert_eq!(gaps(&drained(&mut recorder), 6 * S), []);
    }

    #[test]
    fn refusals_that_follow_one_another_are_one_gap_and_single_ones_are_not() {
        let mut recorder = Recorder::new(0);
        for i in 0..30 {
            recorder.waited(i * 100 * MS, i * 100 * MS);
        }
        recorder.waited(9 * S, 9 * S);
        answer(&mut recorder, 20 * S, 20 * S);
        assert_eq!(gaps(&drained(&mut recorder), 30 * S), [(0, 2_910), (9_000, 10)]);
    }

    #[test]
    fn gaps_of_several_are_those_that_all_of_them_have() {
        let (mut one, mut other) = (Recorder::new(0), Recorder::new(0));
        one.answered(0, 3 * S, 3 * S, Silence::default());
        other.answered(0, 2 * S, 2 * S, Silence::default());
        let mut all = drained(&mut one);
        all.merge(&drained(&mut other));
        assert_eq!(gaps(&all, 5 * S), [(0, 2_000), (2_010, 990)]);
    }

    #[test]
    fn windows_merge_in_any_order_to_what_one_window_would_hold() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..50 {
            let (mut whole, mut cut) = (Recorder::new(3 * S), Recorder::new(3 * S));
            let (mut parts, mut now) = (Vec::new(), 0);
            while now < 60 * S {
                let took = rng.u64(1..400 * MS);
                if rng.bool() {
                    answer(&mut whole, now, now + took);
                    answer(&mut cut, now, now + took);
                } else {
                    whole.waited(now, now + took);
                    cut.waited(now, now + took);
                }
                now += took;
                if rng.u8(..4) == 0 {
                    parts.push(drained(&mut cut));
                }
            }
            parts.push(drained(&mut cut));
            rng.shuffle(&mut parts);
            let mut merged = Availability::default();
            parts.iter().for_each(|part| merged.merge(part));
            assert_eq!(gaps(&merged, 90 * S), gaps(&drained(&mut whole), 90 * S));
        }
    }

    #[test]
    fn what_is_outside_of_the_recorded_span_is_left_out() {
        let mut recorder = Recorder::new(0);
        answer(&mut recorder, 200 * S, 200 * S);
        recorder.waited(10 * S, 200 * S + 300 * S);
        let availability = drained(&mut recorder);
        assert!(availability.words().len() <= RECORDED_WORDS);
        assert!(gaps(&availability, 1_000 * S).iter().all(|(_, length)| *length < 82_000));
    }
}
