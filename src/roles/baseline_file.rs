//! Reads the report that `--baseline` names, bounds it, and checks it against the plan before anything is
//! sent.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::run_info;
use crate::cli::{Options, Timestamps};
use crate::plan::Plan;
use crate::report::{load_in_words, one_line};
use crate::units::print_bytes;
use crate::verdict::baseline::{
    self, BaselineRun, CurrentPlan, DEFAULT_MAX_REGRESSION, MAX_FILE_BYTES, PlanMatch,
};

/// The baseline to compare the run with, if any.
///
/// # Errors
/// Why it cannot be used, and the remedy.
pub(crate) fn read(options: &Options, plan: &Plan) -> Result<Option<Arc<BaselineRun>>, String> {
    let Some(path) = &options.baseline else { return Ok(None) };
    let shown = path.display();
    let text = text(path).map_err(|why| format!("--baseline {shown}: {why}"))?;
    let baseline = baseline::read(&text).map_err(|why| format!("--baseline {shown}: {why}"))?;
    let now = CurrentPlan {
        plan,
        base_url: &run_info::base_url(plan),
        load: &load_in_words(&plan.load),
        target_rate: run_info::target_rate(plan),
    };
    let plan = PlanMatch::of(&baseline.plan, &now);
    if let (PlanMatch::Other(differences), false) = (&plan, options.baseline_any_plan) {
        return Err(format!(
            "--baseline {shown} is of another plan: {}; measure the baseline again, or compare all the same with \
             --baseline-any-plan",
            one_line(&differences.join("; "))
        ));
    }
    let timestamps = if options.timestamps == Timestamps::Kernel { "kernel" } else { "user" };
    if baseline.timestamps != timestamps {
        let theirs = if timestamps == "kernel" { "user" } else { "kernel" };
        return Err(format!(
            "--baseline {shown} was not measured with {timestamps} timestamps, its times mean something else: \
             give --timestamps {theirs}, or measure the baseline again"
        ));
    }
    let max_regression = options.max_regression.unwrap_or(DEFAULT_MAX_REGRESSION);
    Ok(Some(Arc::new(BaselineRun { source: shown.to_string(), max_regression, plan, baseline })))
}

fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| format!("cannot be opened: {e}; check the name"))?;
    // One byte over the limit distinguishes a full file from one that is too large.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let most = print_bytes(MAX_FILE_BYTES);
        return Err(format!("is larger than {most}: give a file that --report FILE.json wrote"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8: give a file that --report FILE.json wrote".to_owned())
}
