//! The plan that a worker gets from its coordinator.

use crate::cli::Options;
use crate::fleet::messages::PlanBundle;
use crate::load::Pem;
use crate::plan::Plan;
use crate::roles::plan_form::{self, DataPlace};
use crate::roles::worker_identity::allowed_from_elsewhere;

/// The coordinator's plan and the content of its PEM files, if this worker may carry it out.
pub(super) fn check(options: &Options, bundle: &PlanBundle) -> Result<(Plan, Vec<Pem>), String> {
    if options.plan.is_some() {
        return Err("the coordinator sent a plan to a worker that has its own: nothing is sent".to_owned());
    }
    let place = options.data_dir.as_deref().map_or(
        DataPlace::Nowhere("put it on each worker, and name its folder with --data-dir DIR"),
        DataPlace::Within,
    );
    let mut plan = plan_form::read(bundle, place)?;
    allowed_from_elsewhere(options, &mut plan)?;
    Ok((plan, plan_form::files(bundle)?))
}
