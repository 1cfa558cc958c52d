//! Reads the `fleet` section of a plan.

use super::model::{Load, Model, OnWorkerLoss};
use super::path::Path;
use super::plan_schema::{Document, OnWorkerLossForm};
use super::reader::PlanReader;

/// `fleet.on_worker_loss`, checked against the load model.
pub(super) fn check(reader: &mut PlanReader<'_>, document: &Document, load: Option<&Load>) -> OnWorkerLoss {
    let form = document.fleet.as_ref().and_then(|fleet| fleet.on_worker_loss);
    let chosen = match form {
        Some(OnWorkerLossForm::Continue) => OnWorkerLoss::Continue,
        Some(OnWorkerLossForm::Redistribute) => OnWorkerLoss::Redistribute,
        Some(OnWorkerLossForm::Fail) | None => OnWorkerLoss::Fail,
    };
    let is_closed = load.is_some_and(|load| matches!(load.model, Model::Closed { .. }));
    if chosen == OnWorkerLoss::Redistribute && is_closed {
        reader.fault(
            &Path::of("fleet").key("on_worker_loss"),
            "`redistribute` repartitions a schedule, and the closed model has none: \
             add `rate`, or write fail or continue",
        );
    }
    chosen
}
