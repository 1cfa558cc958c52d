//! What is compared of a run, and its figures.

use super::plan_match::EarlierPlan;
use crate::tally::{Histogram, quantile};

/// What of a run is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// All scenarios together.
    pub total: MeasuredGroup,
    /// Each scenario, by name.
    pub scenarios: Vec<(String, MeasuredGroup)>,
    /// The measured time, window by window; only whole ones.
    pub windows: Vec<Window>,
}

/// One scenario, or all together.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredGroup {
    /// Due to last byte, in nanoseconds.
    pub response_time: Histogram,
    /// Successful exchanges per second; `None`: no time was measured.
    pub rate: Option<f64>,
}

/// One window of the timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// Exchanges that ended in it.
    pub ended: u64,
    /// Median response time in nanoseconds.
    pub p50_ns: Option<f64>,
    /// Its 90th percentile in nanoseconds; reports of earlier versions have neither this one, the 95th nor the mean.
    pub p90_ns: Option<f64>,
    /// Its 95th percentile in nanoseconds.
    pub p95_ns: Option<f64>,
    /// Its 99th percentile in nanoseconds.
    pub p99_ns: Option<f64>,
    /// Its mean in nanoseconds.
    pub mean_ns: Option<f64>,
}

impl Window {
    /// Its `figure`; `None`: nothing ended, or the report does not say.
    pub(super) fn value(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::P50 => self.p50_ns,
            Figure::P90 => self.p90_ns,
            Figure::P95 => self.p95_ns,
            Figure::P99 => self.p99_ns,
            Figure::Mean => self.mean_ns,
            Figure::Rate => Some(self.ended as f64),
        }
    }
}

/// An earlier run.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Its plan.
    pub(crate) plan: EarlierPlan,
    /// When it began, according to its report.
    pub(crate) started_at: Option<String>,
    /// `kernel` or `user`: where its receive times came from.
    pub(crate) timestamps: String,
    /// Why it is itself not reliable, if it is not.
    pub(crate) doubt: Option<String>,
    /// Whether it offered the asked load, so that it can be compared with.
    pub(crate) offered: bool,
    /// Its figures.
    pub(crate) measurement: Measurement,
}

/// A figure that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Response time median, in nanoseconds like all times.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Mean.
    Mean,
    /// Successful exchanges per second.
    Rate,
}

impl Figure {
    /// All, in the order of reports.
    pub(crate) const ALL: [Self; 6] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::Mean, Self::Rate];

    /// The name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Mean => "mean",
            Self::Rate => "rate",
        }
    }

    /// Its quantile; `None` for the mean and the rate.
    pub(crate) const fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::Mean | Self::Rate => None,
        }
    }

    pub(super) fn of(self, side: &MeasuredGroup) -> Option<f64> {
        match (self, self.quantile()) {
            (_, Some(q)) => quantile::percentile(&side.response_time, q).map(|ns| ns as f64),
            (Self::Rate, _) => side.rate,
            _ => side.response_time.mean(),
        }
        .filter(|value| *value > 0.0)
    }
}
