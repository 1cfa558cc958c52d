//! A plan's meaning as one number: comments, order of keys and spelling of values do not change it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::connections::Connections;
use super::model::{Model, Plan};
use crate::schedule::Arrivals;

/// `sha256:` and the hex digest of what `plan` sends, where to and how, and of what it expects to come
/// back; its source and its thresholds stay out: they change nothing of the run.
pub(super) fn digest(plan: &Plan) -> String {
    let text = meaning(plan).to_string();
    let hash = Sha256::digest(text.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Keys come out sorted: the text is the same for the same meaning.
fn meaning(plan: &Plan) -> Value {
    let model = match &plan.load.model {
        Model::Closed { connections } => json!({ "closed": { "connections": connections } }),
        Model::Open { pieces, arrivals, connections, backlog } => {
            let pieces: Vec<Value> = pieces.iter().map(|p| json!([p.from, p.to, p.length_ns])).collect();
            let arrivals = match arrivals {
                Arrivals::Even => "even",
                Arrivals::Poisson => "poisson",
            };
            json!({ "open": {
                "pieces": pieces, "arrivals": arrivals, "connections": connections, "backlog": backlog
            } })
        }
    };
    let scenarios: Vec<Value> = plan
        .scenarios
        .iter()
        .map(|s| {
            let mut sent = json!({
                "name": s.name, "weight": s.weight, "method": s.method, "path": s.path,
                "headers": s.headers, "body": s.body, "timeout_ns": s.timeout_ns
            });
            if let Some(expect) = &s.expect {
                sent["expect"] = Value::from(format!("{expect:?}"));
            }
            if let Some(ns) = s.first_byte_timeout_ns {
                sent["first_byte_timeout_ns"] = ns.into();
            }
            if s.follow_redirects > 0 {
                sent["follow_redirects"] = s.follow_redirects.into();
            }
            sent
        })
        .collect();
    let mut meaning = json!({
        "form": 1,
        "target": [plan.target.host, plan.target.port, plan.target.authority],
        "load": {
            "model": model, "warmup_ns": plan.load.warmup_ns, "drain_ns": plan.load.drain_ns,
            "requests": plan.load.requests, "duration_ns": plan.load.duration_ns
        },
        "scenarios": scenarios
    });
    if plan.connections != Connections::default() {
        meaning["connections"] = Value::from(format!("{:?}", plan.connections));
    }
    // Not the files: what they hold is not the plan's, and where they lie differs between machines.
    if let Some(tls) = &plan.tls {
        meaning["tls"] = json!({
            "own_ca": tls.ca.is_some(), "client_certificate": tls.client.is_some(), "insecure": tls.insecure,
            "server_name": tls.server_name, "resumption": tls.resumption, "versions": tls.versions.name()
        });
    }
    meaning
}
