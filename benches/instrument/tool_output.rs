//! What load generators say of a run, read from what they print.

use serde_json::Value;

use super::schedule_fit::quantile;

/// One generator's own account of one run. Times in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolOutput {
    /// Requests it completed.
    pub requests: u64,
    /// Per second.
    pub rate: f64,
    /// Median of what it calls latency; `None`: it does not say.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Median of the time the target took, where a generator reports it.
    pub service_p50: Option<f64>,
}

/// wrk with `--latency`.
pub fn wrk(text: &str) -> Option<ToolOutput> {
    let percentile = |p: &str| {
        let line = text.lines().find_map(|l| l.trim().strip_prefix(p))?;
        seconds(line.trim())
    };
    Some(ToolOutput {
        requests: text
            .lines()
            .find(|l| l.contains(" requests in "))?
            .split_whitespace()
            .next()?
            .parse()
            .ok()?,
        rate: after(text, "Requests/sec:")?.parse().ok()?,
        p50: percentile("50%"),
        p99: percentile("99%"),
        ..ToolOutput::default()
    })
}

/// h2load's summary (which has no percentiles) and, if it was asked to write one, its log of requests.
pub fn h2load(text: &str, log: Option<&str>) -> Option<ToolOutput> {
    let rate = text.lines().find(|l| l.starts_with("finished in"))?.split(", ").nth(1)?;
    let requests = text.lines().find(|l| l.starts_with("requests:"))?;
    let succeeded = requests.split(", ").find_map(|part| part.strip_suffix(" succeeded"))?;
    let mut times: Vec<f64> = log
        .unwrap_or_default()
        .lines()
        .filter_map(|l| Some(l.split('\t').nth(2)?.parse::<f64>().ok()? / 1e6))
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |q| (!times.is_empty()).then(|| quantile(&times, q));
    Some(ToolOutput {
        requests: succeeded.trim().parse().ok()?,
        rate: rate.split(' ').next()?.parse().ok()?,
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        service_p50: None,
    })
}

/// hey's summary.
pub fn hey(text: &str) -> Option<ToolOutput> {
    let percentile = |p: &str| {
        let line = text.lines().find_map(|l| l.trim().strip_prefix(p))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let requests = text
        .lines()
        .filter(|l| l.ends_with(" responses"))
        .filter_map(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum();
    Some(ToolOutput {
        requests,
        rate: after(text, "Requests/sec:")?.parse().ok()?,
        p50: percentile("50% in"),
        p95: percentile("95% in"),
        p99: percentile("99% in"),
        service_p50: None,
    })
}

/// oha with `--output-format json`.
pub fn oha(text: &str) -> Option<ToolOutput> {
    let all: Value = serde_json::from_str(text).ok()?;
    let percentile = |p: &str| all["latencyPercentiles"][p].as_f64();
    Some(ToolOutput {
        requests: all["statusCodeDistribution"].as_object()?.values().filter_map(Value::as_u64).sum(),
        rate: all["summary"]["requestsPerSec"].as_f64()?,
        p50: percentile("p50"),
        p95: percentile("p95"),
        p99: percentile("p99"),
        service_p50: None,
    })
}

/// The bare loop's line.
pub fn bare(text: &str) -> Option<ToolOutput> {
    let done: super::bare::LoopResult = serde_json::from_str(text.trim()).ok()?;
    Some(ToolOutput {
        requests: done.requests,
        rate: done.requests as f64 / done.seconds,
        ..ToolOutput::default()
    })
}

/// Our own report.json.
pub fn loadtester(text: &str) -> Option<ToolOutput> {
    let all: Value = serde_json::from_str(text).ok()?;
    let response = |p: &str| all["response_time"][p].as_f64();
    Some(ToolOutput {
        requests: all["totals"]["completed"].as_u64()?,
        rate: all["rate"]["achieved"].as_f64()?,
        p50: response("p50"),
        p95: response("p95"),
        p99: response("p99"),
        service_p50: all["service_time"]["p50"].as_f64(),
    })
}

/// The first word behind `label` on its line.
fn after<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|l| l.trim().strip_prefix(label))?.split_whitespace().next()
}

/// A time with its unit, as wrk prints it.
fn seconds(text: &str) -> Option<f64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[unit_at..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(text[..unit_at].parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-12)
    }

    #[test]
    fn wrk_is_read() {
        let output = wrk("Running 1s test @ http://127.0.0.1:18999/body\n  1 threads and 10 connections\n  \
            Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   837.82us  333.53us   5.46ms   85.43%\n  \
            Latency Distribution\n     50%  745.00us\n     75%    1.04ms\n     90%    1.19ms\n     99%    1.60ms\n  \
            11966 requests in 1.00s, 1.14GB read\nRequests/sec:  11958.96\nTransfer/sec:      1.14GB\n")
        .unwrap();
        assert_eq!((output.requests, output.rate), (11_966, 11_958.96));
        assert!(near(output.p50, 745e-6) && near(output.p99, 1.6e-3), "{output:?}");
    }

    #[test]
    fn h2load_and_its_log_are_read() {
        let text = "finished in 1.00s, 200.00 req/s, 19.58MB/s\n\
            requests: 200 total, 210 started, 200 done, 199 succeeded, 1 failed, 0 errored, 0 timeout\n";
        let log: String = (1..=100).map(|i| format!("1795367546362799\t200\t{}\n", i * 10)).collect();
        let output = h2load(text, Some(&log)).unwrap();
        assert_eq!((output.requests, output.rate), (199, 200.0));
        assert!(
            near(output.p50, 500e-6) && near(output.p95, 950e-6) && near(output.p99, 990e-6),
            "{output:?}"
        );
        assert_eq!(h2load(text, None).unwrap().p50, None);
    }

    #[test]
    fn hey_is_read() {
        let output = hey("\nSummary:\n  Total:\t1.0013 secs\n  Requests/sec:\t14817.8106\n  \n\
            Latency distribution:\n  10% in 0.0002 secs\n  50% in 0.0005 secs\n  95% in 0.0015 secs\n  \
            99% in 0.0046 secs\n\nStatus code distribution:\n  [200]\t14837 responses\n  [503]\t3 responses\n")
        .unwrap();
        assert_eq!((output.requests, output.rate), (14_840, 14817.8106));
        assert!(
            near(output.p50, 0.0005) && near(output.p95, 0.0015) && near(output.p99, 0.0046),
            "{output:?}"
        );
    }

    #[test]
    fn json_is_read() {
        let output = oha(
            r#"{"summary":{"requestsPerSec":114000.5},"latencyPercentiles":{"p50":1e-4,"p95":2e-4,"p99":3e-4},
            "statusCodeDistribution":{"200":570000,"404":1}}"#,
        )
        .unwrap();
        assert_eq!((output.requests, output.rate, output.p95), (570_001, 114_000.5, Some(2e-4)));
        let output = loadtester(
            r#"{"totals":{"completed":7},"rate":{"achieved":3.5},"response_time":{"p50":1e-4,"p95":2e-4,"p99":null},
            "service_time":{"p50":5e-5}}"#,
        )
        .unwrap();
        assert_eq!((output.requests, output.rate, output.p99), (7, 3.5, None));
        assert_eq!((output.p50, output.service_p50), (Some(1e-4), Some(5e-5)));
        let output = bare("{\"requests\":100,\"seconds\":2.0,\"cpu_seconds\":1.0,\"late\":0}\n").unwrap();
        assert_eq!((output.requests, output.rate), (100, 50.0));
    }

    #[test]
    fn what_is_not_a_report_is_refused() {
        for read in [wrk, hey, oha, bare, loadtester] {
            assert_eq!(read("unable to connect"), None);
            assert_eq!(read(""), None);
        }
        assert_eq!(h2load("requests: none", None), None);
    }
}
