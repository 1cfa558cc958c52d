//! A histogram as figures: a summary in seconds, or all of it, encoded.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::report::format::seconds;
use crate::tally::{Histogram, quantile};

/// The percentiles of every summary: key, quantile.
pub(crate) const PERCENTILES: [(&str, f64); 7] = [
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99_9", 0.999),
    ("p99_99", 0.9999),
];

/// One histogram in a few numbers, in seconds.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Latency {
    /// Recorded times.
    pub(crate) count: u64,
    /// The smallest.
    pub(crate) min: Option<f64>,
    /// The mean.
    pub(crate) mean: Option<f64>,
    /// The standard deviation.
    pub(crate) stddev: Option<f64>,
    /// The median.
    pub(crate) p50: Option<f64>,
    /// The 75th percentile; `None` where the sample does not support it.
    pub(crate) p75: Option<f64>,
    /// The 90th percentile; `None` where the sample does not support it.
    pub(crate) p90: Option<f64>,
    /// The 95th percentile; `None` where the sample does not support it.
    pub(crate) p95: Option<f64>,
    /// The 99th percentile; `None` where the sample does not support it.
    pub(crate) p99: Option<f64>,
    /// The 99.9th percentile; `None` where the sample does not support it.
    p99_9: Option<f64>,
    /// The 99.99th percentile; `None` where the sample does not support it.
    p99_99: Option<f64>,
    /// The largest.
    pub(crate) max: Option<f64>,
    /// Times over the histogram's range of one hour, recorded as one hour.
    pub(crate) saturated: u64,
    /// 95 % confidence interval of each percentile, low and high; `None` where the sample does not give one.
    pub(crate) intervals: BTreeMap<&'static str, Option<[f64; 2]>>,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram) -> Self {
        let percentile = |q| quantile::percentile(histogram, q).map(seconds);
        let interval = |q| {
            quantile::percentile(histogram, q)?;
            quantile::interval(histogram, q).map(|(low, high)| [seconds(low), seconds(high)])
        };
        let [p50, p75, p90, p95, p99, p99_9, p99_99] = PERCENTILES.map(|(_, q)| percentile(q));
        Self {
            count: histogram.count(),
            min: histogram.min().map(seconds),
            // Below a nanosecond the buckets' midpoints mean nothing.
            mean: histogram.mean().map(|ns| ns.round() / 1e9),
            stddev: histogram.stddev().map(|ns| ns.round() / 1e9),
            p50,
            p75,
            p90,
            p95,
            p99,
            p99_9,
            p99_99,
            max: histogram.max().map(seconds),
            saturated: histogram.saturated(),
            intervals: PERCENTILES.map(|(key, q)| (key, interval(q))).into(),
        }
    }
}

/// Whole distributions in HdrHistogram's V2 encoding, deflated, in base64; values in nanoseconds.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Histograms {
    /// Due to last byte.
    pub(crate) response_time: String,
    /// Send to last byte.
    pub(crate) service_time: String,
}

impl Histograms {
    pub(crate) fn of(response_time: &Histogram, service_time: &Histogram) -> Self {
        Self { response_time: response_time.to_base64(), service_time: service_time.to_base64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupported_percentile_has_no_value_and_no_interval() {
        let mut h = Histogram::new();
        (0..1000).for_each(|i| h.record(1_000_000 + i * 1000));
        let latency = Latency::of(&h);
        assert!(latency.p99.is_some() && latency.intervals["p99"].is_some());
        assert_eq!((latency.p99_9, latency.intervals["p99_9"]), (None, None));
        let [low, high] = latency.intervals["p50"].unwrap();
        assert!(low < latency.p50.unwrap() && latency.p50.unwrap() < high);
    }
}
