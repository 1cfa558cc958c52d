//! Cases that run one after the other, for suites that take the machine to themselves.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use super::{Skipped, skip, twice};

/// What a case comes to, unless it panics.
pub type CaseResult = Result<(), Skipped>;

/// A case.
pub struct Case {
    pub name: &'static str,
    pub run: fn() -> CaseResult,
    /// It compares figures that the rest of the machine may spoil, and has two attempts.
    pub is_noisy: bool,
}

/// Functions under their own names. `noisy` before a module: its cases have two attempts.
macro_rules! cases {
    ($($kind:ident $module:ident::{$($name:ident),* $(,)?})*) => {
        [$($(crate::harness::Case {
            name: concat!(stringify!($module), "::", stringify!($name)),
            run: $module::$name,
            is_noisy: crate::harness::is_noisy!($kind),
        }),*),*]
    };
}
pub(crate) use cases;

/// The words before a module in [`cases!`].
macro_rules! is_noisy {
    (noisy) => {
        true
    };
    (exact) => {
        false
    };
}
pub(crate) use is_noisy;

impl Case {
    fn attempt(&self) -> CaseResult {
        if self.is_noisy { twice(self.name, self.run) } else { (self.run)() }
    }
}

/// Run the cases whose names contain one of the arguments, or all.
pub fn run(cases: &[Case]) -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), 0);
    let began = Instant::now();
    for case in cases {
        if !wanted.is_empty() && !wanted.iter().any(|part| case.name.contains(part.as_str())) {
            continue;
        }
        let case_began = Instant::now();
        let ended = catch_unwind(|| {
            let result = case.attempt();
            if let Err(why) = &result {
                skip(case.name, why);
            }
            result
        });
        let word = match ended {
            Ok(Ok(())) => {
                passed += 1;
                "ok"
            }
            Ok(Err(_)) => {
                skipped += 1;
                "skipped"
            }
            Err(_) => {
                failed.push(case.name);
                "FAILED"
            }
        };
        println!("test {} ... {word} ({:.1} s)", case.name, case_began.elapsed().as_secs_f64());
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
