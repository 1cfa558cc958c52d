//! A second attempt for what compares rates, evenness or delays: other processes of the machine may spoil one
//! attempt, not two.

use std::any::Any;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Make `attempt`, and once more if it panics. The outcomes of both attempts are printed.
///
/// # Panics
/// When both attempts do.
pub fn twice<T>(name: &str, attempt: impl Fn() -> T) -> T {
    let first = match catch_unwind(AssertUnwindSafe(&attempt)) {
        Ok(done) => return done,
        Err(panic) => panic,
    };
    report(&format!("{name}: attempt 1 of 2 failed: {}", message(&*first)));
    match catch_unwind(AssertUnwindSafe(&attempt)) {
        Ok(done) => {
            report(&format!("{name}: attempt 2 of 2 passed"));
            done
        }
        Err(second) => {
            report(&format!("{name}: attempt 2 of 2 failed: {}", message(&*second)));
            resume_unwind(second)
        }
    }
}

/// Print past libtest, which shows what the print macros print only for tests that fail.
fn report(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("see above")
}
