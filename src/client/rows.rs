//! Rows of large files for one thread, which another thread reads ahead.
//!
//! Requests have numbers, and a row is a function of its request's number. So a thread knows which rows its next requests
//! take, and asks for them in batches. Where a row is not there when its request could be sent, the client says so
//! ([`Action::AwaitRow`](super::Action)), and its caller waits before it asks for the next action: the wait is send delay.

use std::collections::VecDeque;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::spec::RunSpec;
use crate::data::{Cells, Numbering};

/// The most rows in a batch, and about how many bytes they may have.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
/// Batches of a set: asked for, or read and not used up.
const BATCHES: usize = 16;
/// How many requests a batch looks ahead at most: where few take a row, looking further would hold up the thread.
const HORIZON: usize = 2_048;
/// How long a thread waits for a row: a disk that takes longer is out of order.
const PATIENCE: Duration = Duration::from_secs(30);

/// Rows of one set that a thread asks for, and their cells once they are read.
#[derive(Debug)]
pub struct RowBatch {
    /// The thread that asked.
    pub(crate) thread: usize,
    /// The set's number in the plan.
    pub(crate) set: u16,
    pub(crate) rows: Vec<u64>,
    /// The cells of the columns in use, row by row.
    pub(crate) cells: Cells,
    /// Bits of the rows that were used.
    used: u64,
    /// Whether the file could not be read.
    pub(crate) failed: bool,
}

/// The rows of one thread.
#[derive(Debug)]
pub struct RowSupply {
    ask: Sender<RowBatch>,
    read: Receiver<RowBatch>,
    /// By set; `None`: its rows are in memory.
    sets: Box<[Option<Ahead>]>,
    /// How far apart the numbers of this thread's requests are.
    stride: u64,
    /// The set and the row that a request waits for.
    awaited: Option<(u16, u64)>,
    failed: bool,
}

/// The rows of one set.
#[derive(Debug)]
struct Ahead {
    /// The most rows in a batch.
    batch: usize,
    /// The highest number whose row was taken.
    last: Option<u64>,
    /// The number from which on rows have not been asked for.
    next: u64,
    /// The numbers that batches begin with that were asked for, in the order in which they will arrive.
    pending: VecDeque<u64>,
    /// Batches that were read.
    ready: VecDeque<RowBatch>,
    idle: Vec<RowBatch>,
}

impl RowBatch {
    fn new(thread: usize, set: u16) -> Self {
        let rows = Vec::with_capacity(BATCH);
        Self { thread, set, rows, cells: Cells::default(), used: 0, failed: false }
    }

    fn empty(&mut self) {
        self.rows.clear();
        (self.used, self.failed) = (0, false);
    }

    /// The place of a row that is not used yet.
    fn find(&self, row: u64) -> Option<usize> {
        (0..self.rows.len()).find(|i| self.used & 1 << i == 0 && self.rows[*i] == row)
    }

    fn is_used_up(&self) -> bool {
        self.used.count_ones() as usize == self.rows.len()
    }
}

impl Ahead {
    fn find(&self, row: u64) -> Option<(usize, usize)> {
        self.ready.iter().enumerate().find_map(|(i, batch)| Some((i, batch.find(row)?)))
    }
}

impl RowSupply {
    /// How many batches the threads' channel of questions has to hold, and a thread's channel of answers.
    pub(crate) fn capacity(spec: &RunSpec) -> usize {
        spec.plan.data.iter().filter(|set| set.large().is_some()).count() * (BATCHES + 1)
    }

    /// That of one thread, whose requests' numbers are `stride` apart.
    pub(crate) fn new(
        spec: &RunSpec,
        thread: usize,
        stride: u64,
        (ask, read): (Sender<RowBatch>, Receiver<RowBatch>),
    ) -> Self {
        let ahead = |set: u16| Ahead {
            batch: spec.plan.data[usize::from(set)]
                .large()
                .map_or(1, |table| (BATCH_BYTES / table.longest_row()).clamp(1, BATCH)),
            last: None,
            next: 0,
            pending: VecDeque::with_capacity(BATCHES + 1),
            ready: VecDeque::with_capacity(BATCHES + 1),
            idle: (0..=BATCHES).map(|_| RowBatch::new(thread, set)).collect(),
        };
        let sets = spec.plan.data.iter().zip(0..).map(|(set, number)| set.large().map(|_| ahead(number)));
        Self { ask, read, sets: sets.collect(), stride, awaited: None, failed: false }
    }

    /// The numbers of this thread's requests are this far apart from now on.
    pub(super) fn set_stride(&mut self, stride: u64) {
        self.stride = stride;
    }

    /// The next request has this `number`: ask for rows.
    pub(super) fn begin(&mut self, spec: &RunSpec, numbering: &Numbering, number: u64) {
        for set in 0..self.sets.len() as u16 {
            if let Some(ahead) = &mut self.sets[usize::from(set)] {
                ahead.next = number;
                self.ask_ahead(spec, numbering, set);
            }
        }
    }

    /// Whether the row that request `number` takes of `set` is there; if not, [`Self::wait`] waits for it.
    pub(super) fn has(&mut self, spec: &RunSpec, numbering: &Numbering, (set, number): (u16, u64)) -> bool {
        while let Ok(batch) = self.read.try_recv() {
            self.arrived(batch);
        }
        let row = spec.picks.row(&spec.plan.data[usize::from(set)], set, number, (numbering, spec.seed));
        let Some(ahead) = &self.sets[usize::from(set)] else { return true };
        if ahead.find(row).is_some() {
            return true;
        }
        self.ask_for(spec, numbering, (set, number), row);
        // Where nothing is on its way, nobody reads any more.
        self.failed |= self.sets[usize::from(set)].as_ref().is_some_and(|ahead| ahead.pending.is_empty());
        self.awaited = Some((set, row));
        false
    }

    /// Nobody foresaw that request `number` takes `row` next, or it is on its way.
    #[cold]
    fn ask_for(&mut self, spec: &RunSpec, numbering: &Numbering, (set, number): (u16, u64), row: u64) {
        let Some(ahead) = &mut self.sets[usize::from(set)] else { return };
        let is_asked = ahead.pending.front().is_some_and(|first| (*first..ahead.next).contains(&number));
        let is_of_another_phase = match *numbering {
            Numbering::Sequence { requests } => (number < requests) != (ahead.next <= requests),
            _ => false,
        };
        if is_asked && !is_of_another_phase {
            return;
        }
        if is_of_another_phase || ahead.last.is_none_or(|last| number > last) {
            // Go on from here.
            (ahead.next, ahead.last) = (number, None);
            while let Some(batch) = ahead.ready.pop_front() {
                ahead.idle.push(batch);
            }
            return self.ask_ahead(spec, numbering, set);
        }
        // It was passed over when a later request was sent first.
        let batch = ahead.idle.pop().or_else(|| ahead.ready.pop_front());
        if let Some(mut batch) = batch {
            batch.empty();
            batch.rows.push(row);
            ahead.send(&self.ask, batch, number);
        }
    }

    /// Wait until the row that [`Self::has`] missed was read, or cannot be.
    pub(super) fn wait(&mut self) {
        let Some((set, row)) = self.awaited.take() else { return };
        let is_there = |ahead: &Option<Ahead>| ahead.as_ref().is_none_or(|ahead| ahead.find(row).is_some());
        while !self.failed && !is_there(&self.sets[usize::from(set)]) {
            if self.sets[usize::from(set)].as_ref().is_none_or(|ahead| ahead.pending.is_empty()) {
                return; // it was not among those on their way: the next look asks for it
            }
            match self.read.recv_timeout(PATIENCE) {
                Ok(batch) => self.arrived(batch),
                Err(_) => self.failed = true,
            }
        }
    }

    /// Whether a file cannot be read any more.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// Put the cells of the row that request `number` takes of `set`, which is there, into `cells`.
    pub(super) fn take(
        &mut self,
        spec: &RunSpec,
        numbering: &Numbering,
        (set, number): (u16, u64),
        cells: &mut Cells,
    ) {
        let data = &spec.plan.data[usize::from(set)];
        let row = spec.picks.row(data, set, number, (numbering, spec.seed));
        let columns = data.large().map_or(0, |table| table.used_columns());
        let Some(ahead) = &mut self.sets[usize::from(set)] else { return };
        let Some((at, i)) = ahead.find(row) else { return };
        ahead.last = ahead.last.max(Some(number));
        let batch = &mut ahead.ready[at];
        cells.clear();
        (i * columns..(i + 1) * columns).for_each(|cell| cells.push(batch.cells.get(cell)));
        batch.used |= 1 << i;
        if batch.is_used_up() {
            ahead.idle.extend(ahead.ready.remove(at));
        }
        // Batches before it are used up, except for the last of them: requests may be sent in another order than they
        // were due.
        for _ in 1..at {
            ahead.idle.extend(ahead.ready.pop_front());
        }
        self.ask_ahead(spec, numbering, set);
    }

    fn arrived(&mut self, batch: RowBatch) {
        let Some(ahead) = &mut self.sets[usize::from(batch.set)] else { return };
        ahead.pending.pop_front();
        if batch.failed {
            self.failed = true;
            ahead.idle.push(batch);
        } else {
            ahead.ready.push_back(batch);
        }
    }

    /// Ask for the rows of the next requests, as long as there are batches for them; one is kept for a row that nobody
    /// foresees.
    fn ask_ahead(&mut self, spec: &RunSpec, numbering: &Numbering, set: u16) {
        let Some(ahead) = &mut self.sets[usize::from(set)] else { return };
        let data = &spec.plan.data[usize::from(set)];
        while ahead.idle.len() > 1
            && let Some(mut batch) = ahead.idle.pop()
        {
            batch.empty();
            let first = ahead.next;
            for _ in 0..HORIZON {
                if spec.picks.takes(set, ahead.next, numbering) {
                    batch.rows.push(spec.picks.row(data, set, ahead.next, (numbering, spec.seed)));
                }
                ahead.next = ahead.next.saturating_add(stride_at(numbering, ahead.next, self.stride));
                if batch.rows.len() == ahead.batch {
                    break;
                }
            }
            if batch.rows.is_empty() {
                ahead.idle.push(batch);
                return;
            }
            if !ahead.send(&self.ask, batch, first) {
                return;
            }
        }
    }
}

impl Ahead {
    /// Ask for the rows in `batch`, which begins with the request of this number.
    fn send(&mut self, ask: &Sender<RowBatch>, batch: RowBatch, first: u64) -> bool {
        match ask.try_send(batch) {
            Ok(()) => self.pending.push_back(first),
            Err(error) => {
                self.idle.push(error.into_inner());
                return false;
            }
        }
        true
    }
}

/// How far the next number of a thread is from `number`.
fn stride_at(numbering: &Numbering, number: u64, stride: u64) -> u64 {
    match *numbering {
        Numbering::Sequence { requests } if number < requests => 1,
        _ => stride,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::{Content, Source, sha256_of};
    use crate::plan::parse_with_files;
    use crossbeam_channel::bounded;

    /// A large file in memory.
    #[derive(Debug)]
    struct Memory(Vec<u8>);

    impl Source for Memory {
        fn bytes(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, String> {
            let from = (offset as usize).min(self.0.len());
            let n = buffer.len().min(self.0.len() - from);
            buffer[..n].copy_from_slice(&self.0[from..from + n]);
            Ok(n)
        }

        fn sha256(&self) -> Result<String, String> {
            sha256_of(self)
        }

        fn check_unchanged(&self) -> Result<(), String> {
            Ok(())
        }
    }

    const ROWS: u64 = 50_000;

    fn spec(order: &str) -> RunSpec {
        let text = format!(
            "base_url: http://a\nload: {{requests: 1}}\ndata: {{u: {{file: u.csv, order: {order}}}}}\n\
             scenarios: [{{name: a, path: '/{{{{u.id}}}}'}}, {{name: b, path: /}}]\n"
        );
        let rows: String = (0..ROWS).map(|i| format!("{i},\"x, {i}\"\n")).collect();
        let files = |_: &str| Ok(Content::Large(Arc::new(Memory(format!("id,note\n{rows}").into_bytes()))));
        RunSpec::new(parse_with_files(&text, "p", &Default::default(), &|_| None, &files).unwrap(), 7)
    }

    /// A supply and the reader's ends of its channels.
    struct Both<'a> {
        spec: &'a RunSpec,
        supply: RowSupply,
        asked: Receiver<RowBatch>,
        answer: Sender<RowBatch>,
        batches: u64,
        waits: u64,
    }

    impl<'a> Both<'a> {
        fn new(spec: &'a RunSpec, stride: u64) -> Self {
            let capacity = RowSupply::capacity(spec);
            let ((ask, asked), (answer, read)) = (bounded(capacity), bounded(capacity));
            let supply = RowSupply::new(spec, 0, stride, (ask, read));
            Self { spec, supply, asked, answer, batches: 0, waits: 0 }
        }

        fn read(&mut self) {
            let mut reader = self.spec.plan.data[0].large().unwrap().reader().unwrap();
            while let Ok(mut batch) = self.asked.try_recv() {
                batch.cells.clear();
                batch.rows.iter().for_each(|row| reader.read(*row, &mut batch.cells).unwrap());
                self.batches += 1;
                self.answer.try_send(batch).unwrap();
            }
        }

        /// The request with this number is sent; if it takes a row, that is the right one.
        fn send(&mut self, numbering: &Numbering, number: u64) {
            if !self.spec.picks.takes(0, number, numbering) {
                return;
            }
            for attempt in 0.. {
                assert!(attempt < 3 && !self.supply.has_failed(), "{number} waits for ever");
                if self.supply.has(self.spec, numbering, (0, number)) {
                    break;
                }
                self.waits += 1;
                self.read();
                self.supply.wait();
            }
            let mut cells = Cells::default();
            self.supply.take(self.spec, numbering, (0, number), &mut cells);
            let row = self.spec.picks.row(&self.spec.plan.data[0], 0, number, (numbering, self.spec.seed));
            assert_eq!(cells.get(0), row.to_string().as_bytes(), "{numbering:?} {number}");
            self.read();
        }
    }

    #[test]
    fn rows_are_there_before_their_requests_and_each_is_read_once() {
        for order in ["circular", "once", "shuffle", "random"] {
            let spec = spec(order);
            for (numbering, stride, first) in [
                (Numbering::Schedule { warm_up: 0 }, 3, 1),
                (Numbering::Sequence { requests: 40_000 }, 1, 10_000),
                (Numbering::Thread { slot: 1, stride: 2, offset: 1 }, 2, 1),
            ] {
                let mut both = Both::new(&spec, stride);
                both.supply.begin(&spec, &numbering, first);
                both.read();
                (0..6_400).for_each(|i| both.send(&numbering, first + i * stride));
                // Half of the requests take a row.
                assert!(
                    both.waits == 0 && both.batches <= 6_400 / 2 / 64 + BATCHES as u64,
                    "{order} {numbering:?} {}",
                    both.batches
                );
            }
        }
    }

    #[test]
    fn whatever_is_dropped_comes_late_or_begins_anew_each_request_gets_its_row() {
        let spec = spec("shuffle");
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (numbering, stride) = match seed % 3 {
                0 => (Numbering::Schedule { warm_up: 5_000 }, rng.u64(1..6)),
                1 => (Numbering::Sequence { requests: 9_000 }, rng.u64(1..6)),
                _ => (Numbering::Thread { slot: 0, stride: 4, offset: 2 }, 4),
            };
            let mut both = Both::new(&spec, stride);
            // First those of the warm-up, then the measured ones.
            let phases = match numbering {
                Numbering::Sequence { .. } => [(9_000, stride), (100, 1)],
                _ => [(0, stride), (5_000, stride)],
            };
            both.supply.begin(&spec, &numbering, phases[0].0);
            let mut late: Vec<u64> = Vec::new();
            for (first, stride) in phases {
                for i in 0..800 {
                    let number = first + i * stride;
                    match rng.u8(0..20) {
                        0 => {}
                        1 | 2 => late.push(number),
                        3 if !late.is_empty() => {
                            let number = late.swap_remove(rng.usize(0..late.len()));
                            both.send(&numbering, number);
                        }
                        _ => both.send(&numbering, number),
                    }
                    if i == 400 && rng.bool() && seed % 3 == 0 {
                        both.supply.set_stride(rng.u64(1..9));
                    }
                }
                std::mem::take(&mut late).into_iter().for_each(|number| both.send(&numbering, number));
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_ends_the_wait() {
        let spec = spec("circular");
        let numbering = Numbering::Sequence { requests: 10 };
        let mut both = Both::new(&spec, 1);
        assert!(!both.supply.has(&spec, &numbering, (0, 0)));
        let mut batch = both.asked.recv().unwrap();
        batch.failed = true;
        both.answer.try_send(batch).unwrap();
        both.supply.wait();
        assert!(both.supply.has_failed());
        // Nor does one whose reader has ended.
        let mut both = Both::new(&spec, 1);
        both.asked = bounded(1).1;
        assert!(!both.supply.has(&spec, &numbering, (0, 0)) && both.supply.has_failed());
    }
}
