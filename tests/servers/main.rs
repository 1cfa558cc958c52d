//! The program against servers that people run: nginx, haproxy, Node, Python, tinyproxy and squid. What the program
//! reports is held against what each server has logged or counted.
//!
//! Cases whose server is not installed are skipped. They start and end their own servers on free ports of
//! loopback, one after the other:
//! `cargo test --test servers [PART OF A NAME]`.

mod bodies;
mod certificates;
mod haproxy;
#[path = "../harness/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "other suites use the rest")]
mod harness;
mod nginx;
mod outages;
mod plain;
mod proxies;
#[path = "../it/run.rs"]
#[allow(dead_code, reason = "the tests in it/ use the rest")]
mod run;
mod secure;
mod service;

use harness::cases;

fn main() -> std::process::ExitCode {
    harness::run(&cases! {
        exact plain::{
            nginx_logs_what_is_reported_and_ends_connections_after_a_hundred_requests,
            nginx_compresses_and_all_is_well,
            what_nginx_compressed_is_decoded_for_expectations,
            nginx_answers_head_not_modified_and_not_found,
            haproxy_counts_what_is_reported,
            haproxy_before_nginx_ends_connections_as_it_likes,
            node_sends_chunks,
            python_speaks_http_1_0_and_closes,
        }
        exact bodies::{
            python_understands_the_values_of_data_files_in_every_place,
            python_understands_queries_forms_parts_and_json_with_any_characters,
            node_reads_files_and_chunks,
        }
        exact proxies::{
            tinyproxy_forwards_and_tunnels,
            squid_forwards_and_tunnels,
        }
        exact secure::{
            nginx_speaks_tls_1_3,
            nginx_speaks_tls_1_2,
            nginx_compresses_under_tls,
            nginx_demands_a_certificate_of_the_client,
            a_certificate_of_nobody_known_is_refused,
        }
        exact outages::{
            nginx_reloaded_under_load_loses_nothing,
            nginx_killed_and_started_again_is_met_again,
        }
    })
}
