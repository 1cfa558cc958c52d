//! Cores taken away, time denied, more asked than there is.

use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::fixture::{Generator, Run, TargetThread, cores, demand};
use crate::namespaces::Quota;
use crate::{CaseResult, Skipped};

/// Far below what a core can do, and often enough that a tenth of a second of trouble is in the p99.
const CALM: &str = "-r 1000 -c 20 -d 2s --threads 1";

/// Processes that never rest, before everybody else on the generator's core. They end when dropped.
struct Hogs([Child; 4]);

impl Hogs {
    fn start() -> Self {
        let core = cores().0.to_string();
        let hog = ["-n", "-20", "taskset", "-c", &core, "sh", "-c", "while :; do :; done"];
        Self([(); 4].map(|()| Command::new("nice").args(hog).spawn().expect("coreutils are there")))
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

pub fn a_core_shared_with_hogs_is_our_lateness_and_not_the_targets() -> CaseResult {
    demand()?;
    let target = TargetThread::start();
    let generator = Generator::against(&target, CALM);
    let calm = generator.undisturbed();
    let running = generator.start();
    std::thread::sleep(Duration::from_millis(600));
    let hogs = Hogs::start();
    std::thread::sleep(Duration::from_millis(900));
    drop(hogs);
    let run = running.finish();
    run.assert_doubted_for(&["sent_late", "thread_saturated"]);
    // The target answered as ever: what a user felt is in the response time, and not laid at its door.
    assert!(run.figure("/response_time/p99") > 5.0 * run.figure("/service_time/p50"), "{}", run.in_short());
    assert!(run.figure("/service_time/p50") < 10.0 * calm.figure("/service_time/p50"), "{}", run.in_short());
    assert_eq!(run.failures(), [""; 0], "{}", run.in_short());
    Ok(())
}

pub fn a_cpu_quota_that_stopped_us_is_named_with_its_time() -> CaseResult {
    demand()?;
    let quota = Quota::of_us(10_000)?;
    let target = TargetThread::start();
    let generator = Generator::against(&target, "-r 8000 -c 20 -d 2s --threads 1");
    let calm = generator.undisturbed();
    assert_eq!(calm.figure("/instrument/cpu_throttled_seconds"), 0.0);
    let run = generator.under(&quota.wrapper()).run();
    run.assert_doubted_for(&["cpu_throttled"]);
    assert!(run.figure("/instrument/cpu_throttled_seconds") > 0.05, "{}", run.in_short());
    assert!(run.figure("/instrument/cpu_throttled_periods") >= 2.0, "{}", run.in_short());
    Ok(())
}

pub fn polling_without_sleep_is_refused_under_a_quota() -> CaseResult {
    demand()?;
    let quota = Quota::of_us(50_000)?;
    let target = TargetThread::start();
    let generator = Generator::against(&target, "-r 500 -c 10 -d 500ms --threads 1 --busy-poll");
    generator.undisturbed();
    let refused = generator.under(&quota.wrapper()).run();
    assert_eq!(refused.exit, Some(3), "{}", refused.in_short());
    assert!(refused.stderr.contains("--busy-poll"), "{}", refused.stderr);
    Ok(())
}

pub fn a_stop_of_the_generator_is_its_own_delay_and_service_times_stay_true() -> CaseResult {
    const STOP: Duration = Duration::from_millis(200);
    demand()?;
    let target = TargetThread::start();
    // Of what falls due meanwhile as many are sent late as there are connections; the others then wait for one. With
    // the usual twenty it is one request in a hundred, which is what the p99 just does not show.
    let generator = Generator::against(&target, "-r 1000 -c 60 -d 2s --threads 1");
    generator.undisturbed();
    let running = generator.start();
    std::thread::sleep(Duration::from_millis(1_000));
    kill_process(running.pid(), Signal::STOP).expect("our own child");
    std::thread::sleep(STOP);
    kill_process(running.pid(), Signal::CONT).expect("our own child");
    let run = running.finish();
    run.assert_doubted_for(&["sent_late"]);
    let stop = STOP.as_secs_f64();
    assert!(
        run.figure("/response_time/max") > 0.9 * stop,
        "requests were due all the while: {}",
        run.in_short()
    );
    assert!(run.figure("/service_time/max") < 0.5 * stop, "the target was not stopped: {}", run.in_short());
    assert_eq!(run.figure("/totals/due"), 2_000.0);
    assert_eq!(run.failures(), [""; 0], "{}", run.in_short());
    Ok(())
}

pub fn more_than_a_core_can_send_is_laid_at_the_thread() -> CaseResult {
    demand()?;
    let target = TargetThread::start();
    let generator = Generator::against(&target, "-c 50 -d 2s --threads 1");
    generator.clone().and("-r 1000").undisturbed();
    let run = generator.and("-r 1000000").run();
    assert_eq!(run.exit, Some(4), "{}", run.in_short());
    assert_eq!(run.report["verdict"], "inconclusive");
    run.assert_doubted_for(&["thread_saturated"]);
    assert!(run.reasons().contains(&"load_not_offered"), "{}", run.in_short());
    let reasons = run.texts("/instrument/reasons").join("\n");
    assert!(reasons.contains("thread 0") && reasons.contains("--threads"), "{reasons}");
    Ok(())
}

fn notes(run: &Run) -> String {
    run.texts("/instrument/notes").join("\n")
}

pub fn a_saturated_closed_run_says_that_the_generator_was_the_bottleneck() -> CaseResult {
    const BODY_BYTES: usize = 16_000;
    demand()?;
    if cores().0 == cores().1 {
        return Err(Skipped("on one core the target is as much the bottleneck as the generator".to_owned()));
    }
    // Bodies that are kept and looked into cost the generator more than the target, whichever core is faster; over
    // many connections each wait finds the next responses ready, and never sleeps.
    let target = TargetThread::with(|s| s.body_bytes = BODY_BYTES);
    let plan = format!(
        "base_url: http://{}\nload: {{concurrency: 256, duration: 1s}}\nscenarios:\n\
         - {{path: /, expect: {{body_contains: xx, body_bytes: {BODY_BYTES}}}}}\n",
        target.address
    );
    let run = Generator::with_plan("expecting", &plan, "--threads 1").run();
    run.assert_in_order();
    assert!(notes(&run).contains("thread 0"), "{}", run.in_short());
    assert!(run.figure("/instrument/threads/0/busy") > 0.95);
    // A target that rests for most of the time: nobody can wait for us meanwhile.
    let lazy = TargetThread::with(|s| s.freeze_ns = Some((80_000_000, 100_000_000)));
    let run = Generator::against(&lazy, "-c 256 -d 1s --threads 1").run();
    assert!(run.figure("/instrument/threads/0/busy") < 0.5, "{}", run.in_short());
    assert_eq!(notes(&run), "", "{}", run.in_short());
    Ok(())
}

pub fn polling_in_vain_is_not_being_busy() -> CaseResult {
    demand()?;
    let target = TargetThread::start();
    let run = Generator::against(&target, "-r 500 -c 10 -d 1s --threads 1 --busy-poll").run();
    assert!(run.figure("/instrument/threads/0/busy") < 0.5, "{}", run.in_short());
    Ok(())
}
