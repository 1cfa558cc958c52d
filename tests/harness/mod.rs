//! Cases that run one after the other, for suites that take the machine to themselves: what is
//! printed, and what a skipped case is.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

/// Why a case says nothing here: something is missing that it is about.
pub struct Skipped(pub &'static str);

/// What a case comes to, unless it panics.
pub type CaseResult = Result<(), Skipped>;

/// A case and its name.
pub type Case = (&'static str, fn() -> CaseResult);

/// Functions under their own names.
macro_rules! cases {
    ($($module:ident::{$($name:ident),* $(,)?})*) => {
        [$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name as fn() -> crate::harness::CaseResult)),*),*]
    };
}
pub(crate) use cases;

/// Run the cases whose names contain one of the arguments, or all.
pub fn run(cases: &[Case]) -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), 0);
    let began = Instant::now();
    for (name, case) in cases {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let case_began = Instant::now();
        let word = match catch_unwind(case) {
            Ok(Ok(())) => {
                passed += 1;
                "ok".to_owned()
            }
            Ok(Err(Skipped(why))) => {
                skipped += 1;
                format!("SKIPPED: {why}")
            }
            Err(_) => {
                failed.push(name);
                "FAILED".to_owned()
            }
        };
        println!("test {name} ... {word} ({:.1} s)", case_began.elapsed().as_secs_f64());
    }
    failed.iter().for_each(|name| println!("failed: {name}"));
    println!(
        "test result: {}. {passed} passed; {} failed; {skipped} skipped; finished in {:.1} s",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len(),
        began.elapsed().as_secs_f64()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
