//! Whether an earlier report is of the same plan, and what differs if it is not.

use std::collections::BTreeMap;

use crate::plan::{DIGEST_FORM, PartDigests, Plan, quoted};

/// The most differences that are named one by one.
const MAX_NAMED: usize = 5;
/// The relative difference up to which two runs are equally long: a closed run ends with its last request.
const LENGTH_TOLERANCE: f64 = 0.05;
/// The relative difference up to which two rates are the same one: reports print them rounded.
const RATE_TOLERANCE: f64 = 1e-6;

/// What an earlier report says of its plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EarlierPlan {
    /// The digest of the whole plan.
    pub(crate) digest: String,
    /// The form of its digests; see [`DIGEST_FORM`].
    pub(crate) form: u32,
    /// `closed` or `open`.
    pub(crate) model: String,
    /// The mean rate of the open model, per second.
    pub(crate) target_rate: Option<f64>,
    /// Its measured time in seconds.
    pub(crate) measured_seconds: f64,
    /// How many of its requests fell due.
    pub(crate) due: u64,
    /// Where its requests went, from form 2 on.
    pub(crate) base_url: Option<String>,
    /// Its load in words, from form 2 on.
    pub(crate) load: Option<String>,
    /// The digests of its settings by name, from form 2 on.
    pub(crate) settings: BTreeMap<String, String>,
    /// Its scenarios, in order.
    pub(crate) scenarios: Vec<EarlierScenario>,
}

/// What an earlier report says of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EarlierScenario {
    pub(crate) name: String,
    pub(crate) weight: u32,
    /// Its digest, from form 2 on.
    pub(crate) digest: Option<String>,
}

/// Today's plan, as far as it is compared.
pub(crate) struct CurrentPlan<'a> {
    pub(crate) plan: &'a Plan,
    /// Where its requests go, without secrets.
    pub(crate) base_url: &'a str,
    /// Its load in words.
    pub(crate) load: &'a str,
    /// Its mean rate, per second.
    pub(crate) target_rate: Option<f64>,
}

/// How an earlier report's plan relates to today's.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanMatch {
    /// It is the same plan.
    Same,
    /// It is the same as far as can be told, with this remark.
    SameBut(String),
    /// It is another plan: what differs, at least one clause.
    Other(Vec<String>),
}

impl PlanMatch {
    /// Compares the plan of an earlier report with today's.
    pub(crate) fn of(earlier: &EarlierPlan, now: &CurrentPlan<'_>) -> Self {
        if earlier.digest == now.plan.digest {
            return Self::Same;
        }
        let is_known_form = earlier.form == DIGEST_FORM;
        let mut differences = if is_known_form { settings(earlier, now) } else { load(earlier, now) };
        differences.extend(scenarios(earlier, now.plan, is_known_form));
        if differences.len() > MAX_NAMED {
            let more = differences.len() - MAX_NAMED;
            differences.truncate(MAX_NAMED);
            differences.push(format!("{more} more"));
        }
        if !differences.is_empty() {
            return Self::Other(differences);
        }
        match &earlier.base_url {
            // Credentials in headers may differ.
            Some(theirs) if is_known_form && theirs == now.base_url => Self::Same,
            Some(theirs) if is_known_form => Self::SameBut(format!("the baseline is of {}", quoted(theirs))),
            _ => Self::SameBut(
                "the baseline was written by another version: its load model, its rate or number of requests, its \
                 length, and its scenarios' names and weights are the same; its connections and what it sent cannot be \
                 compared"
                    .to_owned(),
            ),
        }
    }

    /// Whether it is the same plan, as far as can be told.
    pub const fn is_same(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// What readers of a comparison should know; `None`: nothing.
    pub fn remark(&self) -> Option<String> {
        match self {
            Self::Same => None,
            Self::SameBut(remark) => Some(remark.clone()),
            Self::Other(differences) => {
                Some(format!("the baseline is of another plan: {}", differences.join("; ")))
            }
        }
    }
}

/// Differences of a report whose digests are of our form.
fn settings(earlier: &EarlierPlan, now: &CurrentPlan<'_>) -> Vec<String> {
    let ours = PartDigests::of(now.plan).settings;
    let differs = ours.iter().filter(|(name, digest)| earlier.settings.get(*name) != Some(digest));
    differs
        .map(|(name, _)| match (*name, &earlier.load) {
            ("load", Some(theirs)) => format!("its load is {theirs}, this plan's is {}", now.load),
            ("data", _) => "its data differs".to_owned(),
            _ => format!("its {name} settings differ"),
        })
        .collect()
}

/// Differences of a report whose digests are of another form, by what every form has.
fn load(earlier: &EarlierPlan, now: &CurrentPlan<'_>) -> Vec<String> {
    let is_same_rate = match (earlier.target_rate, now.target_rate) {
        (Some(theirs), Some(ours)) => (theirs / ours - 1.0).abs() < RATE_TOLERANCE,
        (theirs, ours) => theirs.is_none() && ours.is_none(),
    };
    let mut differences = Vec::new();
    if earlier.model != now.plan.model_name() {
        differences.push(format!("its load model is {}", quoted(&earlier.model)));
    } else if !is_same_rate {
        differences.push(format!("its rate differs, this plan's load is {}", now.load));
    }
    let asked_seconds = now.plan.load.duration_ns.map(|ns| ns as f64 / 1e9);
    if let Some(asked) =
        asked_seconds.filter(|asked| (earlier.measured_seconds / asked - 1.0).abs() > LENGTH_TOLERANCE)
    {
        differences.push(format!(
            "it measured for {:.1} s, this plan measures for {asked:.1} s",
            earlier.measured_seconds
        ));
    }
    if let Some(asked) = now.plan.load.requests.filter(|asked| *asked != earlier.due) {
        differences.push(format!("it had {} requests due, this plan asks for {asked}", earlier.due));
    }
    if earlier.base_url.as_deref().is_some_and(|theirs| theirs != now.base_url) {
        differences.push("its base_url differs".to_owned());
    }
    differences
}

fn scenarios(earlier: &EarlierPlan, plan: &Plan, by_digest: bool) -> Vec<String> {
    let ours = PartDigests::of(plan).scenarios;
    let ours: BTreeMap<&str, (u32, &String)> =
        plan.scenarios.iter().zip(&ours).map(|(s, digest)| (s.name.as_str(), (s.weight, digest))).collect();
    let mut differences = Vec::new();
    for scenario in &earlier.scenarios {
        let name = quoted(&scenario.name);
        match ours.get(scenario.name.as_str()) {
            None => differences.push(format!("it has a scenario {name}")),
            Some((weight, _)) if *weight != scenario.weight => {
                differences
                    .push(format!("scenario {name} has weight {} in it, here {weight}", scenario.weight));
            }
            Some((_, digest)) if by_digest && scenario.digest.as_ref() != Some(*digest) => {
                differences.push(format!("scenario {name} sends or expects something else"));
            }
            Some(_) => {}
        }
    }
    let theirs: Vec<&str> = earlier.scenarios.iter().map(|s| s.name.as_str()).collect();
    let new = plan.scenarios.iter().filter(|s| !theirs.contains(&s.name.as_str()));
    differences.extend(new.map(|s| format!("it has no scenario {}", quoted(&s.name))));
    let same_order = theirs.iter().copied().eq(plan.scenarios.iter().map(|s| s.name.as_str()));
    if differences.is_empty() && !same_order {
        differences.push("its scenarios are in another order".to_owned());
    }
    differences
}
