//! Good inputs, bent at random from a seed: what a target sends and what people write into plans.
//!
//! Each kind runs `LOADTESTER_FUZZ_CASES` cases (a few thousand where that is not set) from the seed
//! `LOADTESTER_FUZZ_SEED` (1). A case that fails prints its number and its input; it alone is run again
//! with `LOADTESTER_FUZZ_ONLY`. What holds for every case:
//!
//! - nothing panics, and nothing takes long: a watch ends the program and names the case;
//! - however the input is cut, the answer is the same;
//! - no byte beyond a message is taken;
//! - memory is bounded: an allocator counts, which is why this is a program of its own;
//! - the answer is that of a reference: httparse for heads, and slow, obvious code for the rest.

mod check;
mod memory;
mod mutate;
mod plans;
mod reference;
mod responses;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// No case takes so long on the slowest machine: it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often [`PATIENCE`] is checked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// Run the cases of one kind: `case` makes an input of its generator and checks it with `check`.
fn cases(
    kind: &str,
    few: u64,
    make: impl Fn(&mut fastrand::Rng) -> Vec<u8>,
    check: impl Fn(&mut fastrand::Rng, &[u8]),
) {
    let seed = setting("LOADTESTER_FUZZ_SEED").unwrap_or(1);
    let numbers = match setting("LOADTESTER_FUZZ_ONLY") {
        Some(only) => only..only + 1,
        None => 0..setting("LOADTESTER_FUZZ_CASES").unwrap_or(few),
    };
    let begun = Instant::now();
    let reached = watch(kind);
    let mut ended = 0;
    for number in numbers {
        reached.store(number, SeqCst);
        // Each case has a generator of its own, so that it can be run alone.
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
        let input = make(&mut rng);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&mut rng, &input))) {
            eprintln!("{kind}, seed {seed}, case {number}: \"{}\"", input.escape_ascii());
            resume_unwind(panic);
        }
        ended += 1;
    }
    reached.store(u64::MAX, SeqCst);
    println!("{kind}: {ended} cases from seed {seed} in {:.1} s", begun.elapsed().as_secs_f64());
}

/// End the program when the returned number stays the same for too long; `u64::MAX` ends the watch.
fn watch(kind: &str) -> Arc<AtomicU64> {
    let reached = Arc::new(AtomicU64::new(0));
    let (watched, kind) = (reached.clone(), kind.to_owned());
    std::thread::spawn(move || {
        // Looks, not time: a program that is stopped for a while does not hang.
        let (mut last, mut looks) = (0, 0);
        loop {
            std::thread::sleep(LOOK_EVERY);
            looks += 1;
            match watched.load(SeqCst) {
                u64::MAX => return,
                now if now != last => (last, looks) = (now, 0),
                now if LOOK_EVERY * looks > PATIENCE => {
                    eprintln!("{kind}: case {now} has not ended after {PATIENCE:?}");
                    std::process::abort();
                }
                _ => {}
            }
        }
    });
    reached
}
