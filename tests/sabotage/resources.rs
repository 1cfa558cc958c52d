//! Local ports and file descriptors that run out: our machine's fault, under its own name.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::CaseResult;
use crate::fixture::{Generator, Run, TargetThread, demand};
use crate::namespaces::Network;

/// Each response ends its connection, so each request takes a new port and a new descriptor.
const CHURN: &str = "-r 300 -c 20 -d 2s --threads 1";

fn assert_ours_alone(run: &Run) {
    run.assert_doubted_for(&["local_errors"]);
    assert_eq!(run.failures(), ["local_error"], "{}", run.in_short());
    assert!(run.figure("/outcomes/local_error") > 0.0);
}

pub fn local_ports_that_run_out_are_local_errors() -> CaseResult {
    demand()?;
    let network = Network::new()?;
    let target = TargetThread::inside(network.entrance(), |s| s.close = true);
    let generator = Generator::against(&target, CHURN).under(&network.wrapper());
    generator.undisturbed();
    // A closed connection holds its port for a minute: a hundred last for a third of a second.
    network.set("ip_local_port_range", "20000 20099");
    assert_ours_alone(&generator.run());
    Ok(())
}

pub fn with_no_port_left_at_the_start_the_target_is_not_suspected() -> CaseResult {
    demand()?;
    let network = Network::new()?;
    let target = TargetThread::inside(network.entrance(), |s| s.close = true);
    let generator = Generator::against(&target, "-d 200ms -c 2 --threads 1").under(&network.wrapper());
    network.set("ip_local_port_range", "20000 20009");
    generator.run(); // leaves the ports waiting
    let run = generator.run();
    assert_eq!(run.exit, Some(3), "{}", run.in_short());
    assert!(run.stderr.contains("ip_local_port_range") && !run.stderr.contains("base_url"), "{}", run.stderr);
    Ok(())
}

pub fn too_few_file_descriptors_are_refused_before_the_start() -> CaseResult {
    demand()?;
    let target = TargetThread::start();
    let generator = Generator::against(&target, "-r 500 -c 100 -d 1s --threads 1");
    generator.undisturbed();
    let refused = generator.under(&["prlimit", "--nofile=300:300"]).run();
    assert_eq!(refused.exit, Some(3), "{}", refused.in_short());
    assert!(refused.stderr.contains("ulimit -n"), "{}", refused.stderr);
    Ok(())
}

pub fn file_descriptors_that_run_out_are_local_errors() -> CaseResult {
    demand()?;
    let target = TargetThread::with(|s| s.close = true);
    let generator = Generator::against(&target, CHURN);
    generator.undisturbed();
    let running = generator.start();
    std::thread::sleep(Duration::from_millis(700));
    let hard = getrlimit(Resource::Nofile).maximum;
    let none = Rlimit { current: Some(0), maximum: hard };
    let before = prlimit(Some(running.pid()), Resource::Nofile, none).expect("our own child");
    std::thread::sleep(Duration::from_millis(400));
    prlimit(Some(running.pid()), Resource::Nofile, before).expect("our own child");
    let run = running.finish();
    assert_ours_alone(&run);
    assert!(run.figure("/outcomes/ok") > 300.0, "it goes on when there are some again: {}", run.in_short());
    Ok(())
}
