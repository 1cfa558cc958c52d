//! Turns a document into a [`Plan`], or reports every fault.
//!
//! Each section is read by the file named after it; this file calls them all.

use super::fault::Faults;
use super::model::{Plan, Scenario};
use super::overrides::Overrides;
use super::path::Path;
use super::plan_schema::Document;
use super::reader::{PlanReader, ReadFile};
use super::secrets::Secrets;
use super::yaml::Node;
use super::{auth, connections, data, fleet, identity, labels, load, scenario, targets, threshold};

/// The plan in `document`; `root` is the tree it was read from. `None` if there are faults, which `faults`
/// then has.
pub(super) fn check(
    root: &Node,
    mut document: Document,
    source: &str,
    overrides: &Overrides,
    files: &ReadFile<'_>,
    faults: &mut Faults,
) -> Option<Plan> {
    let mut reader = PlanReader { root, faults, files };
    let name = plan_name(&mut reader, &document);
    let sites = targets::sites(&mut reader, &document);
    let mut data = data::read(&mut reader, &document);
    let scenarios = scenario::all(&mut reader, &mut document, &sites, &mut data);
    let document = &document;
    let targets = targets::reach(&mut reader, document, &sites, overrides);
    let load = load::check(&mut reader, document, overrides);
    let is_unix = targets.as_ref().is_some_and(|targets| targets.iter().all(|target| target.unix.is_some()));
    let connections = connections::check(&mut reader, document, is_unix, overrides);
    let names: Vec<&str> = scenarios.iter().flatten().map(|s| s.name.as_str()).collect();
    let thresholds = threshold::all(&mut reader, document, names);
    let labels = labels::all(&mut reader, overrides);
    check_connection_fields(&mut reader, scenarios.as_deref().unwrap_or_default(), connections.keep_alive);
    let auth = auth::check(&mut reader, document, scenarios.as_deref().unwrap_or_default());
    let on_worker_loss = fleet::check(&mut reader, document, load.as_ref());
    if !reader.faults.list().is_empty() {
        return None;
    }
    let mut plan = Plan {
        name,
        source: source.to_owned(),
        digest: String::new(),
        text: None,
        targets: targets?,
        load: load?,
        connections,
        scenarios: scenarios?,
        auth,
        data: data.close().into(),
        thresholds,
        labels,
        on_worker_loss,
        secrets: Secrets::default(),
        refuses_link_local: false,
    };
    plan.digest = identity::digest(&plan);
    Some(plan)
}

/// Rejects `Connection: keep-alive` where each request has a connection of its own.
fn check_connection_fields(reader: &mut PlanReader<'_>, scenarios: &[Scenario], keep_alive: bool) {
    for (i, scenario) in scenarios.iter().enumerate().filter(|_| !keep_alive) {
        if let Some((name, _)) =
            scenario.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("connection"))
        {
            let what = "contradicts `keep_alive: false` (--no-keepalive): remove one of the two";
            reader.fault(&Path::of("scenarios").index(i).key("headers").key(name), what);
        }
    }
}

fn plan_name(reader: &mut PlanReader<'_>, document: &Document) -> Option<String> {
    let name = document.plan.as_ref()?;
    if let Err(wrong) = scenario::check_name(name) {
        reader.fault(&Path::of("plan"), wrong);
    }
    Some(name.clone())
}
