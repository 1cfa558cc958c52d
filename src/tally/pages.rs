//! Counts of many series over many buckets, of which few are ever hit: what a load thread records into.
//!
//! ```text
//! slots:  bucket page × series → page number (u16), 0 for none      counts: page number → 16 counts (u32)
//! ```
//!
//! Everything is allocated at the start, zeroed, so that it is resident only as far as it is touched. Slots
//! lie page by page and not series by series: response times of all steps lie in a few powers of two, and
//! only that part of the index is ever touched. A page is a cache line. Pages are handed out in order and
//! given back all at once, so what stays resident is the most that one window took.
//!
//! When the pool is empty, samples are spilled into a list, one by one; the owner looks at
//! [`PagedCounts::wants_shipping`] and exchanges this for an empty one long before that list is full. (Were it
//! ever full, it would grow: an allocation is better than a lost sample.) A count that overflows is carried
//! into a list as well.

/// Counts of a page: a cache line of 64 bytes.
pub(crate) const PAGE: usize = 16;
/// Pages of a pool at the most, so that their numbers fit `u16`: 4 MiB.
pub(crate) const MAX_PAGES: usize = u16::MAX as usize;
/// Counts that may overflow before anybody looks: each takes 2^32 samples.
const CARRIES: usize = 64;

/// A slot and a count of its page, as one number.
type PageIndex = u32;

/// Counts by slot and offset.
#[derive(Clone, Debug)]
pub(crate) struct PagedCounts {
    /// The page of each slot; 0: none.
    slots: Box<[u16]>,
    /// Page 0 is nobody's.
    counts: Box<[[u32; PAGE]]>,
    /// The slot of each page that was handed out; page 1 first.
    owners: Vec<u32>,
    /// Pages from which on shipping is asked for.
    enough: usize,
    /// Samples for which there was no page.
    spill: Vec<PageIndex>,
    /// Counts that began again at 0.
    carries: Vec<PageIndex>,
}

impl PagedCounts {
    /// Nothing counted. `slots` as pages of buckets of all series; a pool of at most `pages`, room for `spill`
    /// samples more.
    pub(crate) fn new(slots: usize, pages: usize, spill: usize) -> Self {
        debug_assert!(slots * PAGE <= PageIndex::MAX as usize, "places are numbered");
        let pages = Self::pool(slots, pages);
        Self {
            slots: vec![0; slots].into(),
            counts: vec![[0; PAGE]; pages + 1].into(),
            owners: Vec::with_capacity(pages),
            // All of them, where no slot can go without.
            enough: if pages == slots { usize::MAX } else { pages - pages / 4 },
            spill: Vec::with_capacity(spill),
            carries: Vec::with_capacity(CARRIES),
        }
    }

    fn pool(slots: usize, pages: usize) -> usize {
        pages.min(MAX_PAGES).min(slots)
    }

    /// The bytes that [`Self::new`] asks for.
    pub(crate) const fn bytes(slots: usize, pages: usize, spill: usize) -> usize {
        let pages = if pages < MAX_PAGES { pages } else { MAX_PAGES };
        let pages = if pages < slots { pages } else { slots };
        slots * 2 + (pages + 1) * PAGE * 4 + pages * 4 + (spill + CARRIES) * 4
    }

    /// Count one more.
    #[inline]
    pub(crate) fn add(&mut self, slot: usize, offset: usize) {
        let page = usize::from(self.slots[slot]);
        if page == 0 {
            return self.add_first(slot, offset);
        }
        let count = &mut self.counts[page][offset % PAGE];
        *count = count.wrapping_add(1);
        if *count == 0 {
            self.carry(slot, offset);
        }
    }

    /// The first count of a page.
    #[cold]
    #[inline(never)]
    fn add_first(&mut self, slot: usize, offset: usize) {
        let page = self.owners.len() + 1;
        if page == self.counts.len() {
            return self.spill.push(place(slot, offset));
        }
        self.owners.push(slot as u32);
        self.slots[slot] = page as u16;
        self.counts[page][offset] = 1;
    }

    #[cold]
    #[inline(never)]
    fn carry(&mut self, slot: usize, offset: usize) {
        self.carries.push(place(slot, offset));
    }

    /// Whether the pool is nearly empty: time to exchange this for an empty one, if there is one.
    #[inline]
    pub(crate) fn wants_shipping(&self) -> bool {
        self.owners.len() >= self.enough || self.must_ship()
    }

    /// Whether what has no page is being kept: time to wait for an empty one.
    #[inline]
    pub(crate) fn must_ship(&self) -> bool {
        !self.spill.is_empty() || !self.carries.is_empty()
    }

    /// The slot and the counts of each page that was handed out, in no order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (usize, &[u32; PAGE])> {
        self.owners.iter().map(|slot| *slot as usize).zip(&self.counts[1..])
    }

    /// What is beside the pages: slot, offset and count, in no order.
    pub(crate) fn others(&self) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        let spilled = self.spill.iter().map(|place| (*place, 1));
        let carried = self.carries.iter().map(|place| (*place, 1 << u32::BITS));
        spilled.chain(carried).map(|(place, n)| (place as usize / PAGE, place as usize % PAGE, n))
    }

    /// Forget everything; keeps the memory. Takes as long as there are pages in use.
    pub(crate) fn clear(&mut self) {
        self.owners.iter().for_each(|slot| self.slots[*slot as usize] = 0);
        self.counts[1..=self.owners.len()].fill([0; PAGE]);
        self.owners.clear();
        self.spill.clear();
        self.carries.clear();
    }

    /// Let a count be about to overflow.
    #[cfg(test)]
    pub(crate) fn fill(&mut self, slot: usize, offset: usize) {
        self.counts[usize::from(self.slots[slot])][offset] = u32::MAX;
    }

    /// Where each allocation lies and how much it holds: both change when one grows.
    #[cfg(test)]
    pub(crate) fn room(&self) -> [usize; 2] {
        [self.spill.capacity(), self.carries.capacity()]
    }
}

const fn place(slot: usize, offset: usize) -> PageIndex {
    (slot * PAGE + offset) as PageIndex
}
