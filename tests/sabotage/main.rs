//! The instrument names its own faults, and never blames the target for what it did not do.
//!
//! Each case breaks one thing on purpose (a core is taken away, a quota set, the process stopped, ports
//! or descriptors run out) and reads what the program reports of it. Each stands beside an undisturbed
//! run of the same plan that is trustworthy, so that a tool that always cried wolf would fail as well.
//!
//! These tests disturb the machine they run on: they need root, iproute2, util-linux and a CPU
//! controller of control groups, and are skipped where something of that is missing. They run one after
//! the other, which is why this is a program of its own: `cargo test --test sabotage [PART OF A NAME]`.
//! What else the machine does may spoil a comparison, so each of those has two attempts.

mod clock;
mod cores;
#[path = "../harness/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "other suites use the rest")]
mod harness;
#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the programs in benches/ use the rest")]
mod instrument;
mod memory;
mod readers;
mod resources;
mod namespaces;
mod slow_target;
mod fixture;

use harness::cases;
pub use harness::{CaseResult, Skipped};

fn main() -> std::process::ExitCode {
    harness::run(&cases! {
        exact clock::{
            a_step_of_the_wall_clock_by_an_hour_makes_no_latency_absurd,
            a_step_of_the_wall_clock_closes_no_connection,
        }
        exact memory::{
            tallies_take_what_the_preflight_reckons,
            connections_and_backlog_take_no_more_than_the_preflight_reckons,
        }
        noisy cores::{
            a_core_shared_with_hogs_is_our_lateness_and_not_the_targets,
            a_cpu_quota_that_stopped_us_is_named_with_its_time,
            polling_without_sleep_is_refused_under_a_quota,
            a_stop_of_the_generator_is_its_own_delay_and_service_times_stay_true,
            more_than_a_core_can_send_is_laid_at_the_thread,
            a_saturated_closed_run_says_that_the_generator_was_the_bottleneck,
            polling_in_vain_is_not_being_busy,
        }
        noisy resources::{
            local_ports_that_run_out_are_local_errors,
            with_no_port_left_at_the_start_the_target_is_not_suspected,
            too_few_file_descriptors_are_refused_before_the_start,
            file_descriptors_that_run_out_are_local_errors,
        }
        noisy readers::{
            slow_and_idle_readers_of_the_status_pages_do_not_touch_the_load,
        }
        noisy slow_target::{
            a_backlog_that_overflows_is_counted_and_laid_at_the_connections,
            a_target_that_stalls_gets_exactly_the_response_times_it_made,
        }
    })
}
