//! Compares a run with an earlier one: what changed, and whether by more than chance.
//!
//! `file` reads an earlier report.json, `plan_match` tells whether it is of the same plan, `compare` compares
//! it figure by figure, `noise` computes how certain a difference is.
//!
//! # When is a difference real?
//!
//! A hundred thousand latencies of one run are not a hundred thousand independent samples: they shared
//! queues, caches and neighbors, and a test that takes them as independent calls every drift of half a
//! percent significant. So the sample is the window of the timeline, by the method of batch means (B.
//! Schmeiser, *Batch size effects in the analysis of simulation output*, Operations Research 30(3), 1982).
//! And two runs, minutes apart, differ by more than the mean of their windows suggests: a machine's speed
//! drifts as flicker noise, whose variance between neighboring stretches is the same at every length (D. W.
//! Allan, *Statistics of atomic frequency standards*, Proceedings of the IEEE 54(2), 1966). So runs are
//! assumed to differ by as much as the windows of one, or by more if longer stretches lie farther apart:
//! batches of one window, of two, of four and so on are examined, and the scale with the largest variance
//! counts (H. Flyvbjerg, H. G. Petersen, *Error estimates on averages of correlated data*, Journal of
//! Chemical Physics 91, 1989). On logarithms, so that 10 % is 10 % at every level, the variance of the
//! difference of two runs is
//!
//! ```text
//! Σ over both runs ( variance of the batches ÷ their number            degrees of freedom: batches + 3
//!                  + the larger of: variance of the batches,           (the same)
//!                                   RUN_NOISE²                         (∞)
//!                  + variance of the figure if samples were independent (∞) )
//! ```
//!
//! The variance of the batches is moderated (G. K. Smyth, Statistical Applications in Genetics and Molecular
//! Biology 3(1), 2004): the usual variance of windows counts as four degrees of freedom, so that two windows
//! of a short run neither prove steadiness nor spoil the comparison. The last term is the contribution of a
//! scenario with few samples; for the whole run it counts twice, on the safe side.
//!
//! The difference over its standard deviation is compared with Student's t with the Welch–Satterthwaite
//! degrees of freedom (B. L. Welch, Biometrika 34, 1947), and the probabilities with `ALPHA` divided by the
//! number of figures compared (Bonferroni), so that two equal runs pass as a whole. `benches/baseline.rs`
//! shows how well this works on a machine.

mod compare;
mod file;
mod measurement;
mod noise;
mod plan_match;

pub use compare::{BaselineRun, Change, Resolution, compare};
pub(crate) use compare::{Compared, DEFAULT_MAX_REGRESSION, judge};
pub use file::read;
pub(crate) use file::{MAX_FILE_BYTES, is_whole};
pub use measurement::{Figure, MeasuredGroup, Measurement, Window};
pub(crate) use plan_match::CurrentPlan;
pub use plan_match::PlanMatch;
