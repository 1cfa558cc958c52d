//! Compares a run with an earlier one: what changed, and whether by more than chance.
//!
//! `file` reads an earlier report.json and `shape` says where it is none, `plan_match` tells whether it is of the same
//! plan, `compare` compares it figure by figure, `noise` computes how certain a difference is, `shares` looks at that of
//! a percentile from the other side.
//!
//! # When is a difference real?
//!
//! A hundred thousand latencies of one run are not a hundred thousand independent samples: they shared
//! queues, caches and neighbors, and a test that takes them as independent calls every drift of half a
//! percent significant. So the sample is the window of the timeline, by the method of batch means (B.
//! Schmeiser, *Batch size effects in the analysis of simulation output*, Operations Research 30(3), 1982): for
//! each figure what that figure was in the windows, a p95 by its p95s.
//! And two runs, minutes apart, differ by more than the mean of their windows suggests: a machine's speed
//! drifts as flicker noise, whose variance between neighboring stretches is the same at every length (D. W.
//! Allan, *Statistics of atomic frequency standards*, Proceedings of the IEEE 54(2), 1966). So runs are
//! assumed to differ by as much as long batches of windows within one: batches of one window, of two, of four and so
//! on are made, and of the longest of which there are eight, and of longer ones, the scale with the largest variance
//! counts (H. Flyvbjerg, H. G. Petersen, *Error estimates on averages of correlated data*, Journal of
//! Chemical Physics 91, 1989). On logarithms, so that 10 % is 10 % at every level, the variance of the
//! difference of two runs is
//!
//! ```text
//! Σ over both runs ( variance of the batches ÷ their number            degrees of freedom: batches + 3
//!                  + the larger of: variance of the batches,           (the same)
//!                                   but for that of their samples,
//!                                   least between runs²                (∞)
//!                  + variance of the figure if samples were independent (∞) )
//! ```
//!
//! A batch of a hundred requests has a p95 of its own by chance alone. The shape of the usual window tells how much
//! that is; what is left by more than its standard error shows how runs differ.
//!
//! The variance of the batches is moderated (G. K. Smyth, Statistical Applications in Genetics and Molecular
//! Biology 3(1), 2004): the usual variance of windows counts as four degrees of freedom, so that two windows
//! of a short run neither prove steadiness nor spoil the comparison. The last term is the contribution of a
//! scenario with few samples; for the whole run it counts twice, on the safe side.
//!
//! The difference over its standard deviation is compared with Student's t with the Welch–Satterthwaite
//! degrees of freedom (B. L. Welch, Biometrika 34, 1947), and the probabilities with `ALPHA` divided by the
//! number of figures compared (Bonferroni), so that two equal runs pass as a whole. A percentile has to pass a
//! second test, in `shares`, because a few hiccups can move it from one level to another.
//!
//! What is worse by more than allowed without being significant is neither passed nor failed: it is undecided.
//! `trials` shows how often all this is right for made-up runs, `benches/baseline.rs` on a machine.

mod compare;
mod file;
mod measurement;
mod noise;
mod plan_match;
mod shape;
mod shares;
#[cfg(test)]
mod trials;

pub use compare::{BaselineRun, Change, Resolution, compare};
pub(crate) use compare::{Compared, DEFAULT_MAX_REGRESSION, judge};
pub use file::read;
pub(crate) use file::{MAX_FILE_BYTES, is_whole};
pub use measurement::{Figure, MeasuredGroup, Measurement, Window};
pub(crate) use plan_match::CurrentPlan;
pub use plan_match::PlanMatch;
