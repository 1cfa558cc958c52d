//! How much memory a piece of code held at its height, on its own thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes held and their height; neither needs memory or a destructor. What one thread allocates and
    /// another frees makes the difference negative, which no measured code does.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static HEIGHT: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    HEIGHT.set(HEIGHT.get().max(held));
}

// SAFETY: everything is System's; counting touches neither the memory nor the layout, and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps to alloc's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps to dealloc's contract, and all memory is System's.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller keeps to realloc's contract, and all memory is System's.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// What `work` gives, and the most bytes that were held during it beyond those held before.
pub fn height_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = HELD.get();
    HEIGHT.set(before);
    let result = work();
    (result, HEIGHT.get().abs_diff(before) as u64)
}

#[test]
fn what_was_held_and_given_back_counts() {
    let (length, height) = height_of(|| vec![1u8; 1_000_000].len());
    assert!(length == 1_000_000 && (1_000_000..1_100_000).contains(&height), "{height}");
    assert!(height_of(|| ()).1 == 0);
}
