//! What a plan says of a fleet. What a fleet is stays out.

use super::check::Checker;
use super::document::{Document, OnWorkerLossForm};
use super::path::Path;
use super::{Load, Model};

/// What a coordinator does when a worker is lost in the middle of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnWorkerLoss {
    /// End the run and fail it.
    #[default]
    Fail,
    /// Go on with what the others send: the rate falls.
    Continue,
    /// Deal the schedule anew to those that are left: the rate returns. Open model only.
    Redistribute,
}

impl OnWorkerLoss {
    /// The word in a plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Continue => "continue",
            Self::Redistribute => "redistribute",
        }
    }
}

/// `fleet.on_worker_loss`, held against the load.
pub(super) fn check(checker: &mut Checker<'_>, document: &Document, load: Option<&Load>) -> OnWorkerLoss {
    let form = document.fleet.as_ref().and_then(|fleet| fleet.on_worker_loss);
    let chosen = match form {
        Some(OnWorkerLossForm::Continue) => OnWorkerLoss::Continue,
        Some(OnWorkerLossForm::Redistribute) => OnWorkerLoss::Redistribute,
        Some(OnWorkerLossForm::Fail) | None => OnWorkerLoss::Fail,
    };
    let is_closed = load.is_some_and(|load| matches!(load.model, Model::Closed { .. }));
    if chosen == OnWorkerLoss::Redistribute && is_closed {
        checker.fault(
            &Path::of("fleet").key("on_worker_loss"),
            "`redistribute` deals out a schedule anew, and the closed model has none: \
             add `rate`, or write fail or continue",
        );
    }
    chosen
}
