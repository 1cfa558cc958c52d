//! Sparse counts of many series over many buckets, into which a load thread records.
//!
//! ```text
//! slots:  bucket page × series → page number (u16), 0 for none      counts: page number → 16 counts (u32)
//! ```
//!
//! Everything is allocated zeroed at the start, so only touched memory becomes resident. Slots are laid out
//! page by page and not series by series: response times of all steps lie in a few powers of two, and only
//! that part of the index is touched. A page is a cache line. Pages are taken from the pool in order and
//! returned all at once, so the resident memory is the most that one window used.
//!
//! When the pool is empty, samples are appended to a spill list one by one. The owner checks
//! [`PagedCounts::wants_shipping`] and exchanges this for an empty one long before that list is full. (If it
//! ever fills up, it grows: an allocation is better than a lost sample.) An overflowing count is also carried
//! into a list.

/// Counts in a page: a cache line of 64 bytes.
pub(crate) const PAGE: usize = 16;
/// The most pages in a pool, so that their numbers fit `u16`: 4 MiB.
pub(crate) const MAX_PAGES: usize = u16::MAX as usize;
/// Capacity for overflows between two checks by the owner; each takes 2^32 samples.
const CARRIES: usize = 64;

/// A slot and an offset in its page, as one number.
type PageIndex = u32;

/// Counts by slot and offset.
#[derive(Clone, Debug)]
pub(crate) struct PagedCounts {
    /// The page of each slot; 0: none.
    slots: Box<[u16]>,
    /// Page 0 is unused.
    counts: Box<[[u32; PAGE]]>,
    /// The slot of each page in use; page 1 first.
    owners: Vec<u32>,
    /// Pages in use from which on shipping is requested.
    enough: usize,
    /// Samples for which there was no page.
    spill: Vec<PageIndex>,
    /// Counts that wrapped around to 0.
    carries: Vec<PageIndex>,
}

impl PagedCounts {
    /// Empty counts. `slots` is the number of bucket pages of all series; the pool has at most `pages` pages,
    /// and the spill list has capacity for `spill` samples.
    pub(crate) fn new(slots: usize, pages: usize, spill: usize) -> Self {
        debug_assert!(slots * PAGE <= PageIndex::MAX as usize, "places are numbered");
        let pages = Self::pool(slots, pages);
        Self {
            slots: vec![0; slots].into(),
            counts: vec![[0; PAGE]; pages + 1].into(),
            owners: Vec::with_capacity(pages),
            // With a page for each slot, the pool cannot run out.
            enough: if pages == slots { usize::MAX } else { pages - pages / 4 },
            spill: Vec::with_capacity(spill),
            carries: Vec::with_capacity(CARRIES),
        }
    }

    fn pool(slots: usize, pages: usize) -> usize {
        pages.min(MAX_PAGES).min(slots)
    }

    /// The bytes that [`Self::new`] allocates.
    pub(crate) const fn bytes(slots: usize, pages: usize, spill: usize) -> usize {
        let pages = if pages < MAX_PAGES { pages } else { MAX_PAGES };
        let pages = if pages < slots { pages } else { slots };
        slots * 2 + (pages + 1) * PAGE * 4 + pages * 4 + (spill + CARRIES) * 4
    }

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

    /// Count the first sample of a page.
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

    /// Whether the pool is nearly empty: exchange this for an empty one, if one is available.
    #[inline]
    pub(crate) fn wants_shipping(&self) -> bool {
        self.owners.len() >= self.enough || self.must_ship()
    }

    /// Whether samples or carries are in a list: exchange this even if that means waiting for an empty one.
    #[inline]
    pub(crate) fn must_ship(&self) -> bool {
        !self.spill.is_empty() || !self.carries.is_empty()
    }

    /// The slot and counts of each page in use, in no particular order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (usize, &[u32; PAGE])> {
        self.owners.iter().map(|slot| *slot as usize).zip(&self.counts[1..])
    }

    /// The counts outside of pages: slot, offset and count, in no particular order.
    pub(crate) fn others(&self) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        let spilled = self.spill.iter().map(|place| (*place, 1));
        let carried = self.carries.iter().map(|place| (*place, 1 << u32::BITS));
        spilled.chain(carried).map(|(place, n)| (place as usize / PAGE, place as usize % PAGE, n))
    }

    /// Reset everything to zero; keeps the memory. Takes time proportional to the pages in use.
    pub(crate) fn clear(&mut self) {
        self.owners.iter().for_each(|slot| self.slots[*slot as usize] = 0);
        self.counts[1..=self.owners.len()].fill([0; PAGE]);
        self.owners.clear();
        self.spill.clear();
        self.carries.clear();
    }

    /// Set a count to its last value before overflow.
    #[cfg(test)]
    pub(crate) fn fill(&mut self, slot: usize, offset: usize) {
        self.counts[usize::from(self.slots[slot])][offset] = u32::MAX;
    }

    /// The capacity of each list: it changes when a list grows.
    #[cfg(test)]
    pub(crate) fn capacities(&self) -> [usize; 2] {
        [self.spill.capacity(), self.carries.capacity()]
    }
}

const fn place(slot: usize, offset: usize) -> PageIndex {
    (slot * PAGE + offset) as PageIndex
}
