//! A plan as it travels between a coordinator and its workers: its text, what the command line put in the
//! place of parts of it, and the variables it names. Whoever gets one checks it with the same code.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::standalone::Failure;
use super::{plan_source, tokens};
use crate::cli::Options;
use crate::fleet::messages::PlanText;
use crate::plan::{self, Overrides, Plan};

/// The longest name of a plan that travels.
const MAX_SOURCE_BYTES: usize = 200;

#[derive(Serialize, Deserialize)]
struct Form {
    text: String,
    variables: BTreeMap<String, String>,
    concurrency: Option<u32>,
    rate: Option<f64>,
    requests: Option<u64>,
    duration_ns: Option<u64>,
}

/// The plan that was named on the command line, if one was, checked and as it travels.
///
/// # Errors
/// What is wrong with it.
pub fn of(options: &Options) -> Result<Option<(Plan, PlanText)>, Failure> {
    let Some(path) = &options.plan else { return Ok(None) };
    let text = plan_source::read(path).map_err(Failure::usage)?;
    let variables = RefCell::new(BTreeMap::new());
    let look_up = |name: &str| {
        let value = tokens::variable(name)?;
        variables.borrow_mut().insert(name.to_owned(), value.clone());
        Some(value)
    };
    let overrides = Overrides {
        concurrency: options.concurrency,
        rate: options.rate,
        requests: options.requests,
        duration_ns: options.duration_ns,
    };
    let plan = plan::parse(&text, path, &overrides, &look_up);
    let plan = plan.map_err(|faults| Failure::usage(faults.to_string()))?;
    let Overrides { concurrency, rate, requests, duration_ns } = overrides;
    let variables = variables.into_inner();
    let form = Form { text, variables, concurrency, rate, requests, duration_ns };
    let content = serde_json::to_value(form).map_err(|e| Failure::usage(e.to_string()))?;
    let mut source: String = path.chars().filter(|c| !c.is_control()).collect();
    source.truncate(source.floor_char_boundary(MAX_SOURCE_BYTES));
    let travels = PlanText { source, digest: plan.digest.clone(), content };
    Ok(Some((plan, travels)))
}

/// The plan that came as `travels`, checked here.
///
/// # Errors
/// What is wrong with it, or that it is not the one its digest says.
pub fn read(travels: &PlanText) -> Result<Plan, String> {
    let form = Form::deserialize(&travels.content).map_err(|e| format!("no plan of this version: {e}"))?;
    let Form { text, variables, concurrency, rate, requests, duration_ns } = form;
    let overrides = Overrides { concurrency, rate, requests, duration_ns };
    let plan = plan::parse(&text, &travels.source, &overrides, &|name| variables.get(name).cloned());
    let plan = plan.map_err(|faults| faults.to_string())?;
    if plan.digest != travels.digest {
        return Err(format!("the plan is {}, and was announced as {}", plan.digest, travels.digest));
    }
    Ok(plan)
}
