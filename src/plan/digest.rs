//! The digest of a plan's meaning: comments, order of keys and spelling of values do not change it.

use std::io::{self, BufWriter, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::connections::Connections;
use super::model::{Model, Plan, Scenario};
use crate::schedule::Arrivals;

/// Hash buffer: the text is written in pieces of a few bytes.
const BUFFER_BYTES: usize = 16 << 10;

/// `sha256:` and the hex digest of what `plan` sends, where to and how, and of what it expects in response.
/// Its source and its thresholds are excluded: they do not change the run.
pub(super) fn digest(plan: &Plan) -> String {
    let mut hash = BufWriter::with_capacity(BUFFER_BYTES, Hash(Sha256::new()));
    // The text is four times as long as the bodies in it, so it is never in memory as a whole.
    serde_json::to_writer(&mut hash, &CanonicalPlan::of(plan)).expect("hashing does not fail");
    hash.flush().expect("hashing does not fail");
    let hash = std::mem::take(&mut hash.get_mut().0).finalize();
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The hashed content as JSON. The fields must be in alphabetical order, so that the keys are sorted and the
/// same meaning has the same text.
#[derive(Serialize)]
struct CanonicalPlan<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<String>,
    form: u8,
    load: Value,
    #[serde(serialize_with = "scenarios")]
    scenarios: &'a [Scenario],
    target: (&'a str, u16, &'a str),
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Value>,
}

/// The hashed content of one scenario; sorted likewise.
#[derive(Serialize)]
struct Sent<'a> {
    body: &'a [u8],
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_timeout_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follow_redirects: Option<u8>,
    headers: &'a [(String, String)],
    method: &'a str,
    name: &'a str,
    path: &'a str,
    timeout_ns: u64,
    weight: u32,
}

fn scenarios<S: Serializer>(scenarios: &[Scenario], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scenarios.iter().map(|s| Sent {
        body: &s.body,
        expect: s.expect.as_ref().map(|expect| format!("{expect:?}")),
        first_byte_timeout_ns: s.first_byte_timeout_ns,
        follow_redirects: Some(s.follow_redirects).filter(|most| *most > 0),
        headers: &s.headers,
        method: &s.method,
        name: &s.name,
        path: &s.path,
        timeout_ns: s.timeout_ns,
        weight: s.weight,
    }))
}

impl<'a> CanonicalPlan<'a> {
    fn of(plan: &'a Plan) -> Self {
        let load = &plan.load;
        let connections = Some(&plan.connections).filter(|c| **c != Connections::default());
        Self {
            connections: connections.map(|connections| format!("{connections:?}")),
            form: 1,
            load: json!({
                "model": model(&load.model), "warmup_ns": load.warmup_ns, "drain_ns": load.drain_ns,
                "requests": load.requests, "duration_ns": load.duration_ns
            }),
            scenarios: &plan.scenarios,
            target: (&plan.target.host, plan.target.port, &plan.target.authority),
            // Not the files: their content is not part of the plan, and their paths differ between machines.
            tls: plan.tls.as_ref().map(|tls| {
                json!({
                    "own_ca": tls.ca.is_some(), "client_certificate": tls.client.is_some(),
                    "insecure": tls.insecure, "server_name": tls.server_name,
                    "resumption": tls.resumption, "versions": tls.versions.name()
                })
            }),
        }
    }
}

fn model(model: &Model) -> Value {
    match model {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Overrides, parse};

    /// Reports of earlier builds contain such digests and are compared by them.
    const EVERY_KEY: &str = "sha256:b273eb5aace920d3d7ecdd36aa5cb39c4990bad388f4c088e9c5ea9dc15c2aba";

    #[test]
    fn keys_are_sorted_and_digests_stay_what_they_were() {
        let text = "
base_url: https://127.0.0.1:8443/api
tls: {insecure: true}
load: {rate: 100/s, duration: 10s, keep_alive: false}
scenarios:
  - {name: b, method: POST, path: /x, body: \"{}\\n\", weight: 2, headers: {B: \"2\", A: \"1\"}}
  - {path: /y, expect: {status: 200}, timeout: 3s, first_byte_timeout: 1s, follow_redirects: 3}
";
        let plan = parse(text, "plan", &Overrides::default(), &|_| None).unwrap();
        let streamed = serde_json::to_string(&CanonicalPlan::of(&plan)).unwrap();
        // A `Value` sorts its keys.
        let sorted = serde_json::to_value(CanonicalPlan::of(&plan)).unwrap().to_string();
        assert_eq!(streamed, sorted);
        assert_eq!(plan.digest, EVERY_KEY);
    }
}
