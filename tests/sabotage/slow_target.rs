//! What is the target's doing is reported to be the target's, exactly.

use crate::CaseResult;
use crate::fixture::{Generator, TargetThread, demand};
use crate::instrument::stall::exact_quantile;
use crate::instrument::target::Stamps;

pub fn a_backlog_that_overflows_is_counted_and_laid_at_the_connections() -> CaseResult {
    demand()?;
    let plan = "-r 3000 -c 10 -d 2s --threads 1";
    let calm = TargetThread::start();
    Generator::against(&calm, plan).undisturbed();
    // 2,700 requests come due in each freeze, 1,000 may wait.
    let target = TargetThread::with(|s| s.freeze_ns = Some((900_000_000, 1_000_000_000)));
    let generator = Generator::against(&target, plan).ahead();
    let run = generator.run();
    assert_eq!(run.reasons(), ["load_not_offered"], "what is ours is in order: {}", run.in_short());
    assert_eq!(run.exit, Some(4), "{}", run.in_short());
    assert_eq!(run.report["verdict"], "inconclusive");
    assert!(run.figure("/totals/dropped") > 1_000.0, "{}", run.in_short());
    let reasons = run.texts("/instrument/reasons").join("\n");
    assert!(reasons.contains("`concurrency`") && !reasons.contains("--threads"), "{reasons}");
    let (due, ok) = (run.figure("/totals/due"), run.figure("/totals/ok"));
    let rest =
        run.figure("/totals/failed") + run.figure("/totals/dropped") + run.figure("/totals/unfinished");
    assert_eq!((due, due), (6_000.0, ok + rest));
    // Counted from due: a request that waited out most of a freeze felt it, wherever it waited.
    assert!(run.figure("/response_time/p50") > 0.3, "{}", run.in_short());
    assert!(run.figure("/service_time/p50") < 0.1, "{}", run.in_short());
    Ok(())
}

/// How far off a percentile may be: the target's own time to answer and thaw is in it.
const TOLERANCE: f64 = 0.05;

pub fn a_target_that_stalls_gets_exactly_the_response_times_it_made() -> CaseResult {
    demand()?;
    let (rate, seconds) = (1_000.0, 6.0);
    let plan = format!("-r {rate} -c 10 -d {seconds}s --threads 1");
    let calm = TargetThread::start();
    Generator::against(&calm, &plan).undisturbed();
    let target = TargetThread::with(|s| {
        s.freeze_ns = Some((100_000_000, 1_000_000_000));
        s.log = Some((Stamps::Kernel, 10_000));
    });
    let run = Generator::against(&target, &plan).ahead().run();
    let (report, mut arrivals_ns) = target.finish();
    run.assert_in_order();
    arrivals_ns.sort_unstable();
    let (from, to) = (arrivals_ns[0], arrivals_ns[0] + (seconds * 1e9) as u64);
    for (q, name) in [(0.95, "/response_time/p95"), (0.99, "/response_time/p99")] {
        let (exact, reported) = (exact_quantile(&report.freezes, from, to, q), run.figure(name));
        let is_near = (reported / exact - 1.0).abs() <= TOLERANCE;
        assert!(is_near, "{name}: {reported} s, exactly {exact} s; {}", run.in_short());
    }
    assert_eq!(run.figure("/totals/ok"), rate * seconds);
    // The ten requests on the wire wait the freeze out; those behind them wait for a connection, which
    // service time does not see.
    assert!(run.figure("/service_time/p95") < 0.5 * run.figure("/response_time/p95"), "{}", run.in_short());
    Ok(())
}
