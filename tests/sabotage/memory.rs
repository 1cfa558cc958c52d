//! What a run takes of memory, counted, against what the preflight reckons with.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loadtester::client::{Client, RunSpec};
use loadtester::plan::{Overrides, Plan, Shard, parse, shard_load};
use loadtester::tally::Tally;
use loadtester::verdict::preflight::{Machine, Resource, TALLIES_PER_THREAD, check};

use crate::CaseResult;

/// Counts what is asked for; gives nothing back, because only growth is looked at.
struct Counting;

static ASKED_BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED_BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps alloc's contract, and this is alloc.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ASKED_BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the same allocator with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `make` asks for. No other thread of this program runs meanwhile.
fn counted<T>(make: impl FnOnce() -> T) -> u64 {
    let before = ASKED_BYTES.load(Ordering::Relaxed);
    let made = make();
    let after = ASKED_BYTES.load(Ordering::Relaxed);
    drop(made);
    after - before
}

fn plan(scenarios: usize, concurrency: u32) -> Plan {
    let mut text = "base_url: http://127.0.0.1:1\nscenarios:\n".to_owned();
    (0..scenarios).for_each(|i| text += &format!("  - {{ name: s{i}, path: / }}\n"));
    let overrides = Overrides {
        concurrency: Some(concurrency),
        duration_ns: Some(1_000_000_000),
        ..Overrides::default()
    };
    parse(&text, "plan.yaml", &overrides, &|_| None).expect("a valid plan")
}

fn waiting(backlog: u32) -> Plan {
    let text = format!(
        "base_url: http://127.0.0.1:1\nload: {{ concurrency: 1, rate: 10/s, duration: 1s, backlog: {backlog} }}\n\
         scenarios:\n  - {{ name: s, path: / }}\n"
    );
    parse(&text, "plan.yaml", &Overrides::default(), &|_| None).expect("a valid plan")
}

fn reckoned(plan: &Plan, threads: usize) -> u64 {
    let whole = Shard { slot: 0, of: 1 };
    let flight = check(plan, whole, threads, false, &Machine { fd_hard: 1 << 20, ..Machine::default() });
    flight.needs.iter().find(|n| n.resource == Resource::Memory).expect("each need is listed").needed
}

pub fn tallies_take_what_the_preflight_reckons() -> CaseResult {
    for scenarios in [1, 2, 40] {
        let plan = plan(scenarios, 1);
        let tallies = TALLIES_PER_THREAD * counted(|| Box::new(Tally::new(scenarios)));
        let per_thread = reckoned(&plan, 3) - reckoned(&plan, 2);
        assert!(tallies <= per_thread, "{scenarios} scenarios: {tallies} counted, {per_thread} reckoned");
        assert!(per_thread < tallies + tallies / 20, "{scenarios}: {tallies} counted, {per_thread} reckoned");
    }
    Ok(())
}

/// What a client takes from its making to its start.
fn client_of(plan: Plan) -> u64 {
    let share = shard_load(&plan, Shard { slot: 0, of: 1 });
    let spec = Arc::new(RunSpec::new(plan, 1));
    let tally = Box::new(Tally::new(1));
    counted(|| {
        let mut client = Client::new(spec, share, tally);
        client.start(1);
        client
    })
}

pub fn connections_and_backlog_take_no_more_than_the_preflight_reckons() -> CaseResult {
    let grown = |plan: &dyn Fn(u32) -> Plan, by: u32| {
        let (few, many) = (plan(10), plan(10 + by));
        let reckoned_bytes = reckoned(&many, 1) - reckoned(&few, 1);
        (client_of(many).saturating_sub(client_of(few)), reckoned_bytes)
    };
    for (what, (taken, reckoned_bytes)) in
        [("backlog", grown(&waiting, 100_000)), ("connections", grown(&|n| plan(1, n), 10_000))]
    {
        assert!(taken > 0 && taken <= reckoned_bytes, "{what}: {taken} counted, {reckoned_bytes} reckoned");
    }
    Ok(())
}
