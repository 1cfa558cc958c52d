//! The instrument names its own faults, and never blames the target for what it did not do.
//!
//! Each case breaks one thing on purpose (a core is taken away, a quota set, the process stopped, ports
//! or descriptors run out) and reads what the program reports of it. Each stands beside an undisturbed
//! run of the same plan that is trustworthy, so that a tool that always cried wolf would fail as well.
//!
//! These tests disturb the machine they run on: they need root, iproute2, util-linux and a CPU
//! controller of control groups, and fail where something of that is missing. They run one after the
//! other, which is why this is a program of its own: `cargo test --test sabotage [PART OF A NAME]`.

mod clock;
mod cores;
#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the programs in benches/ use the rest")]
mod instrument;
mod memory;
mod readers;
mod resources;
mod rooms;
mod slow_target;
mod stage;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

/// Why a case says nothing here: the kernel lacks what it is about.
pub struct Skipped(pub &'static str);

/// What a case comes to, unless it panics.
pub type Done = Result<(), Skipped>;

/// Functions under their own names.
macro_rules! cases {
    ($($module:ident::{$($name:ident),* $(,)?})*) => {
        [$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name as fn() -> Done)),*),*]
    };
}

fn main() -> ExitCode {
    let cases = cases! {
        clock::{
            a_step_of_the_wall_clock_by_an_hour_makes_no_latency_absurd,
        }
        memory::{
            tallies_take_what_the_preflight_reckons,
            connections_and_backlog_take_no_more_than_the_preflight_reckons,
        }
        cores::{
            a_core_shared_with_hogs_is_our_lateness_and_not_the_targets,
            a_cpu_quota_that_stopped_us_is_named_with_its_time,
            polling_without_sleep_is_refused_under_a_quota,
            a_stop_of_the_generator_is_its_own_delay_and_service_times_stay_true,
            more_than_a_core_can_send_is_laid_at_the_thread,
            a_saturated_closed_run_says_that_the_generator_was_the_bottleneck,
            polling_in_vain_is_not_being_busy,
        }
        resources::{
            local_ports_that_run_out_are_local_errors,
            with_no_port_left_at_the_start_the_target_is_not_suspected,
            too_few_file_descriptors_are_refused_before_the_start,
            file_descriptors_that_run_out_are_local_errors,
        }
        readers::{
            slow_and_idle_readers_of_the_status_pages_do_not_touch_the_load,
        }
        slow_target::{
            a_backlog_that_overflows_is_counted_and_laid_at_the_connections,
            a_target_that_stalls_gets_exactly_the_response_times_it_made,
        }
    };
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
