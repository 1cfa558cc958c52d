//! Due times of the requests of an open-model run.
//!
//! The rate is piecewise linear; its integral Λ(t) is the number of arrivals scheduled up to t. Even arrivals
//! are due where Λ(t) = k, solved in closed form, so nothing accumulates over a run. Poisson arrivals are due
//! where Λ(t) = Γ_k, Γ_k the k-th arrival of a unit-rate Poisson process (time-rescaling theorem: E. Çinlar,
//! "Introduction to Stochastic Processes", 1975, ch. 4.7).
//!
//! A slice takes every n-th arrival of the schedule, so all slices together are the schedule. This holds for
//! Poisson arrivals, too, because each slice walks the whole unit process (20 ns an arrival) and skips the
//! arrivals of the others.

const NS_PER_S: f64 = 1e9;
/// An arrival this close to the end of a piece counts as being at the end, because sums of rates times lengths
/// are rounded.
const SLACK: f64 = 1e-9;
/// Relative rounding error of a sum over many arrivals.
const ROUNDING: f64 = 1e-14;

/// A part of the schedule over which the rate changes linearly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Requests per second at its beginning; finite, at least 0.
    pub from: f64,
    /// Requests per second at its end; finite, at least 0.
    pub to: f64,
    /// Length in nanoseconds.
    pub length_ns: u64,
}

impl Piece {
    /// Number of arrivals in it.
    pub(crate) fn arrivals(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.length_ns as f64 / NS_PER_S
    }

    /// The most arrivals in it: of Poisson ones, but for one run in 10²².
    pub(crate) fn most_arrivals(&self, arrivals: Arrivals) -> u64 {
        let mean = self.arrivals();
        match arrivals {
            Arrivals::Even => mean.ceil() as u64,
            // The mean and ten standard deviations.
            Arrivals::Poisson => (mean + 10.0 * mean.sqrt() + 10.0).ceil() as u64,
        }
    }

    /// Nanoseconds from the beginning of the piece until this many of its arrivals are due.
    fn reach_ns(&self, arrivals: f64) -> f64 {
        let length = self.length_ns as f64 / NS_PER_S;
        let slope = if length > 0.0 { (self.to - self.from) / length } else { 0.0 };
        // arrivals = from·t + slope/2·t²; this form of the quadratic's root has no cancellation and holds for slope 0.
        let root = (self.from * self.from + 2.0 * slope * arrivals).max(0.0).sqrt();
        let t = if arrivals <= 0.0 { 0.0 } else { 2.0 * arrivals / (self.from + root) };
        (t * NS_PER_S).round()
    }

    /// The piece cut to its first `length_ns`; unchanged if it is not longer.
    pub(crate) fn until(&self, length_ns: u64) -> Self {
        if length_ns >= self.length_ns {
            return *self;
        }
        let part = length_ns as f64 / self.length_ns as f64;
        Self { from: self.from, to: self.from + (self.to - self.from) * part, length_ns }
    }
}

/// `pieces` cut after `n` arrivals; unchanged if they have fewer.
pub(crate) fn until_arrivals(pieces: &[Piece], n: u64) -> Vec<Piece> {
    let mut left = n as f64;
    let mut kept = Vec::new();
    for piece in pieces {
        let arrivals = piece.arrivals();
        if left <= arrivals {
            kept.push(piece.until((piece.reach_ns(left) as u64).max(1)));
            break;
        }
        left -= arrivals;
        kept.push(*piece);
    }
    kept
}

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// As evenly as the rate allows.
    #[default]
    Even,
    /// Exponentially distributed gaps: independent users.
    Poisson,
}

/// One slice of a schedule: an iterator over its arrivals, in order.
#[derive(Clone, Debug)]
pub struct Schedule {
    pieces: Box<[Start]>,
    origin_ns: u64,
    limit: u64,
    stride: u64,
    process: Process,
    next: Option<Due>,
}

/// One arrival: its index in the whole schedule and its due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Index in the whole schedule, from 0.
    pub(crate) k: u64,
    /// Due time, in nanoseconds on the clock of the schedule's origin.
    pub(crate) at_ns: u64,
}

/// A piece, and the time and arrivals before it.
#[derive(Clone, Copy, Debug)]
struct Start {
    piece: Piece,
    at_ns: u64,
    arrivals: f64,
}

/// The next arrival and its value on Λ's axis.
#[derive(Clone, Debug)]
enum Process {
    Even { k: u64 },
    Poisson { k: u64, level: f64, rng: fastrand::Rng },
}

impl Process {
    fn k(&self) -> u64 {
        match self {
            Self::Even { k } | Self::Poisson { k, .. } => *k,
        }
    }

    fn level(&self) -> f64 {
        match self {
            Self::Even { k } => *k as f64,
            Self::Poisson { level, .. } => *level,
        }
    }

    fn skip(&mut self, n: u64) {
        match self {
            Self::Even { k } => *k += n,
            Self::Poisson { k, level, rng } => {
                *k += n;
                for _ in 0..n {
                    // 1 - f64() lies in (0, 1], so its logarithm is finite. Subtracted one by one, so that
                    // each slice rounds alike.
                    *level -= (1.0 - rng.f64()).ln();
                }
            }
        }
    }
}

impl Schedule {
    /// Slice `slot` of `of` of the schedule that begins at `origin_ns` and ends after `limit` arrivals or
    /// with its last piece. All slices of a run need the same `seed`.
    pub fn new(
        pieces: &[Piece],
        arrivals: Arrivals,
        seed: u64,
        (slot, of): (u64, u64),
        origin_ns: u64,
        limit: Option<u64>,
    ) -> Self {
        let (mut at_ns, mut before) = (0, 0.0);
        let pieces = pieces
            .iter()
            .map(|piece| {
                let start = Start { piece: *piece, at_ns, arrivals: before };
                at_ns += piece.length_ns;
                before += piece.arrivals();
                start
            })
            .collect();
        let process = match arrivals {
            Arrivals::Even => Process::Even { k: 0 },
            Arrivals::Poisson => {
                let mut process = Process::Poisson { k: 0, level: 0.0, rng: fastrand::Rng::with_seed(seed) };
                // A Poisson process has no arrival at its origin.
                process.skip(1);
                if let Process::Poisson { k, .. } = &mut process {
                    *k = 0;
                }
                process
            }
        };
        let mut schedule =
            Self { pieces, origin_ns, limit: limit.unwrap_or(u64::MAX), stride: of, process, next: None };
        schedule.process.skip(slot);
        schedule.next = schedule.solve();
        schedule
    }

    /// The same slice without its arrivals due before `at_ns`. Even arrivals are skipped at once, Poisson
    /// ones one by one (20 ns each), so do not call this on a thread that is sending.
    pub(crate) fn beginning(mut self, at_ns: u64) -> Self {
        // One less than the level, in case rounding put that arrival at `at_ns` or later.
        let surely_before = (self.level_at(at_ns) - 1.0).max(0.0) as u64;
        if let Process::Even { k } = &mut self.process {
            *k += surely_before.saturating_sub(*k) / self.stride * self.stride;
            self.next = self.solve();
        }
        while self.next.is_some_and(|due| due.at_ns < at_ns) {
            self.advance();
        }
        self
    }

    /// Λ at `at_ns`.
    fn level_at(&self, at_ns: u64) -> f64 {
        let since_ns = at_ns.saturating_sub(self.origin_ns);
        let Some(i) = self.pieces.partition_point(|s| s.at_ns <= since_ns).checked_sub(1) else { return 0.0 };
        let Start { piece, at_ns, arrivals } = self.pieces[i];
        let into_ns = (since_ns - at_ns).min(piece.length_ns);
        let there = piece.from + (piece.to - piece.from) * into_ns as f64 / piece.length_ns.max(1) as f64;
        arrivals + Piece { from: piece.from, to: there, length_ns: into_ns }.arrivals()
    }

    /// The next arrival this slice owns; `None` when the schedule is over.
    #[inline]
    pub fn peek(&self) -> Option<Due> {
        self.next
    }

    /// Advance past the arrival that [`Self::peek`] returns.
    #[inline]
    pub fn advance(&mut self) {
        self.process.skip(self.stride);
        self.next = self.solve();
    }

    /// The arrival where Λ reaches the process's level.
    fn solve(&self) -> Option<Due> {
        let (k, level) = (self.process.k(), self.process.level());
        if k >= self.limit {
            return None;
        }
        let slack = SLACK + level * ROUNDING;
        let i = self.pieces.partition_point(|s| s.arrivals <= level).checked_sub(1)?;
        let Start { piece, at_ns, arrivals } = self.pieces[i];
        let rest = level - arrivals;
        let into_ns = piece.reach_ns(rest);
        // An arrival at or past the end of its piece moves to the next piece that has any; past the last, it
        // is dropped.
        if rest >= piece.arrivals() - slack || into_ns >= piece.length_ns as f64 {
            let next = self.pieces.get(i + 1..)?.iter().find(|s| s.piece.arrivals() > 0.0)?;
            return Some(Due { k, at_ns: self.origin_ns + next.at_ns });
        }
        Some(Due { k, at_ns: self.origin_ns + at_ns + into_ns as u64 })
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let due = self.next?;
        self.advance();
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 1_000_000_000;

    fn whole(pieces: &[Piece], arrivals: Arrivals, seed: u64) -> Vec<Due> {
        Schedule::new(pieces, arrivals, seed, (0, 1), 0, None).collect()
    }

    fn constant(rate: f64, seconds: u64) -> Piece {
        Piece { from: rate, to: rate, length_ns: seconds * S }
    }

    #[test]
    fn a_constant_rate_is_a_comb() {
        let dues = whole(&[constant(500.0, 30)], Arrivals::Even, 0);
        assert_eq!(dues.len(), 15_000);
        assert!(dues.iter().all(|d| d.at_ns == d.k * 2_000_000));
    }

    #[test]
    fn nothing_drifts_in_a_day() {
        // 7/s has no exact period in nanoseconds: an accumulated one would be off by 7 * 86400 * 0.43 ns.
        let last =
            Schedule::new(&[constant(7.0, 86_400)], Arrivals::Even, 0, (0, 1), 0, None).last().unwrap();
        assert_eq!(last.k, 7 * 86_400 - 1);
        assert_eq!(last.at_ns, (last.k as f64 / 7.0 * 1e9).round() as u64);
    }

    #[test]
    fn a_ramp_from_zero_follows_the_parabola() {
        let ramp = [Piece { from: 0.0, to: 20_000.0, length_ns: 10 * S }];
        let dues = whole(&ramp, Arrivals::Even, 0);
        assert_eq!(dues.len(), 100_000);
        for t in 1..=100u64 {
            let counted = dues.iter().filter(|d| d.at_ns < t * S / 10).count() as f64;
            let asked = 1000.0 * (t as f64 / 10.0).powi(2);
            assert!((counted - asked).abs() <= 1.0, "{counted} against {asked} at {t}");
        }
    }

    #[test]
    fn silence_between_pieces_is_kept() {
        let dues = whole(&[constant(2.0, 1), constant(0.0, 5), constant(2.0, 1)], Arrivals::Even, 0);
        let at: Vec<u64> = dues.iter().map(|d| d.at_ns).collect();
        assert_eq!(at, [0, S / 2, 6 * S, 6 * S + S / 2]);
    }

    /// A ramp that ends at a whole number of arrivals, and silence after it.
    #[test]
    fn what_is_due_at_the_very_end_of_a_piece_belongs_to_the_next_that_asks_for_any() {
        let ramp = Piece { from: 0.0, to: 50.0, length_ns: 2 * S };
        for n in 1..=3 {
            let pieces = [ramp, constant(0.0, 3)].repeat(n);
            let dues = whole(&pieces, Arrivals::Even, 0);
            assert_eq!(dues.len(), 50 * n);
            assert!(dues.iter().all(|due| due.at_ns % (5 * S) < 2 * S), "{dues:?}");
            // The first of a ramp is due as it begins.
            assert!((0..n).all(|i| dues[50 * i].at_ns == i as u64 * 5 * S));
        }
        let down = [Piece { from: 0.1, to: 0.7, length_ns: S }, Piece { from: 39.2, to: 0.0, length_ns: S }];
        assert_eq!(whole(&down, Arrivals::Even, 0).len(), 20);
    }

    #[test]
    fn a_schedule_is_cut_where_it_has_asked_for_so_many() {
        assert_eq!(until_arrivals(&[constant(50.0, 10)], 200), [constant(50.0, 4)]);
        assert_eq!(until_arrivals(&[constant(50.0, 4)], 200), [constant(50.0, 4)]);
        assert_eq!(until_arrivals(&[constant(50.0, 4)], 900), [constant(50.0, 4)]);
        let ramp = Piece { from: 0.0, to: 50.0, length_ns: 2 * S };
        let cut = until_arrivals(&[ramp, constant(50.0, 9)], 100);
        assert_eq!(cut, [ramp, constant(50.0, 1)]);
        assert_eq!(until_arrivals(&[constant(50.0, 4)], 1)[0].length_ns, S / 50);
    }

    #[test]
    fn the_limit_ends_it() {
        let schedule = Schedule::new(&[constant(100.0, 10)], Arrivals::Even, 0, (1, 3), 0, Some(10));
        assert_eq!(schedule.map(|d| d.k).collect::<Vec<_>>(), [1, 4, 7]);
    }

    /// Kolmogorov–Smirnov against the exponential: the statistic's 0.1 % point is 1.95 / √n
    /// (F. J. Massey, "The Kolmogorov-Smirnov Test for Goodness of Fit", JASA 46, 1951).
    #[test]
    fn poisson_gaps_are_exponential() {
        for (seed, rate) in [(1, 10.0), (2, 1_000.0), (3, 50_000.0)] {
            let dues = whole(&[constant(rate, (100_000.0 / rate) as u64)], Arrivals::Poisson, seed);
            let mut gaps: Vec<f64> =
                dues.windows(2).map(|w| (w[1].at_ns - w[0].at_ns) as f64 / 1e9).collect();
            gaps.sort_by(f64::total_cmp);
            let n = gaps.len() as f64;
            let statistic = gaps.iter().enumerate().fold(0.0f64, |d, (i, gap)| {
                let cdf = 1.0 - (-rate * gap).exp();
                d.max((cdf - i as f64 / n).abs()).max((cdf - (i + 1) as f64 / n).abs())
            });
            assert!(statistic < 1.95 / n.sqrt(), "rate {rate}: D = {statistic}, n = {n}");
            assert!((n - 100_000.0).abs() < 4.0 * 100_000f64.sqrt());
        }
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let piece = (0u32..3_000, 0u32..3_000, 1u64..1_500).prop_map(|(from, to, ms)| Piece {
            from: from.into(),
            to: to.into(),
            length_ns: ms * 1_000_000,
        });
        prop::collection::vec(piece, 1..5)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn slices_are_the_whole_schedule(pieces in pieces(), poisson: bool, seed: u64, of in 1u64..9) {
            let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Even };
            let whole = whole(&pieces, arrivals, seed);
            let mut union: Vec<Due> =
                (0..of).flat_map(|slot| Schedule::new(&pieces, arrivals, seed, (slot, of), 0, None)).collect();
            union.sort_by_key(|d| d.k);
            prop_assert!(union == whole, "{} arrivals against {}", union.len(), whole.len());
            prop_assert!(whole.windows(2).all(|w| w[0].at_ns <= w[1].at_ns && w[0].k + 1 == w[1].k));
        }

        #[test]
        fn a_slice_that_begins_later_is_the_rest_of_it(
            pieces in pieces(), poisson: bool, seed: u64, of in 1u64..9, at_ns in 0u64..6 * S
        ) {
            let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Even };
            for slot in 0..of {
                let slice = || Schedule::new(&pieces, arrivals, seed, (slot, of), S, None);
                let rest: Vec<Due> = slice().filter(|due| due.at_ns >= at_ns).collect();
                prop_assert_eq!(slice().beginning(at_ns).collect::<Vec<_>>(), rest);
            }
        }

        #[test]
        fn even_arrivals_are_as_many_as_asked(pieces in pieces()) {
            let asked: f64 = pieces.iter().map(Piece::arrivals).sum();
            let got = whole(&pieces, Arrivals::Even, 0).len() as f64;
            prop_assert!((got - asked).abs() <= 1.0, "{} against {}", got, asked);
        }
    }
}
