//! From what was typed to what it means: a [`Plan`], or every fault.
//!
//! The tree gives each fault its place and its spelling, so that a value from the environment is
//! never shown. `load` and `scenario` judge their parts; this file has what both need.

use super::document::Document;
use super::fault::{Faults, quoted};
use super::path::Path;
use super::tree::{Kind, Node, Scalar, Value};
use super::{Overrides, Plan, Secrets, connections, digest, fleet, load, scenario, threshold, tls};
use crate::units;

/// The longest measurement, in nanoseconds: 30 days.
pub(super) const MAX_DURATION_NS: u64 = 30 * 24 * 3_600 * 1_000_000_000;
/// The longest timeout and drain, in nanoseconds: an hour, where histograms end.
pub(super) const MAX_TIMEOUT_NS: u64 = 3_600 * 1_000_000_000;

/// The plan that `document` means; `root` is the tree it was read from. `None`: `faults` says why.
pub(super) fn check(
    root: &Node,
    document: &Document,
    source: &str,
    overrides: &Overrides,
    faults: &mut Faults,
) -> Option<Plan> {
    let mut checker = Checker { root, faults };
    let name = plan_name(&mut checker, document);
    let url = scenario::base(&mut checker, document);
    let prefix = url.as_ref().map_or("", |url| url.rest.as_str());
    let scenarios = scenario::all(&mut checker, document, prefix);
    let tls = tls::check(&mut checker, document, url.as_ref());
    let load = load::check(&mut checker, document, overrides);
    let connections = connections::check(&mut checker, document, url.as_ref());
    let thresholds = threshold::all(&mut checker, document, scenarios.as_deref().unwrap_or_default());
    let on_worker_loss = fleet::check(&mut checker, document, load.as_ref());
    if !checker.faults.list().is_empty() {
        return None;
    }
    let mut plan = Plan {
        name,
        source: source.to_owned(),
        digest: String::new(),
        target: url?.target,
        tls,
        load: load?,
        connections,
        scenarios: scenarios?,
        thresholds,
        on_worker_loss,
        secrets: Secrets::default(),
    };
    plan.digest = digest::digest(&plan);
    Some(plan)
}

fn plan_name(checker: &mut Checker<'_>, document: &Document) -> Option<String> {
    let name = document.plan.as_ref()?;
    if let Err(wrong) = scenario::check_name(name) {
        checker.fault(&Path::of("plan"), wrong);
    }
    Some(name.clone())
}

/// Collects faults with their places.
pub(super) struct Checker<'a> {
    pub root: &'a Node,
    pub faults: &'a mut Faults,
}

impl Checker<'_> {
    /// Notes what is wrong with the value at `path`, or with what should stand there.
    pub fn fault(&mut self, path: &Path, message: impl Into<String>) {
        let at = self.root.find(path).and_then(|node| node.at);
        self.faults.add(at, path, message);
    }

    /// Whether anything stands at `path`, right or wrong.
    pub fn is_given(&self, path: &Path) -> bool {
        self.root.find(path).is_some()
    }

    /// Notes that `result`'s value can not be read. The message is not shown when the text came
    /// from the environment, as it may repeat it.
    pub fn read<T>(&mut self, path: &Path, form: &str, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(message) => {
                let message = match self.root.find(path).map(|node| &node.value) {
                    Some(Value::Scalar(Scalar { typed, kind: Kind::Variable, .. })) => {
                        format!("what {} stands for is not possible here: it must be {form}", quoted(typed))
                    }
                    _ => message,
                };
                self.fault(path, message);
                None
            }
        }
    }

    /// A duration in `least..=most` nanoseconds; `least` is 0 or 1.
    pub fn duration(&mut self, path: &Path, text: &str, least: u64, most: u64) -> Option<u64> {
        let ns = self.read(path, "a duration like `30s`", units::parse_duration(text))?;
        self.duration_in(path, ns, least, most)
    }

    /// The same, of a duration already read.
    pub fn duration_in(&mut self, path: &Path, ns: u64, least: u64, most: u64) -> Option<u64> {
        if ns < least {
            self.fault(path, "must be longer than nothing: write a duration like `30s`");
        } else if ns > most {
            self.fault(path, format!("is too long: at most {} is possible", units::print_duration(most)));
        } else {
            return Some(ns);
        }
        None
    }
}
