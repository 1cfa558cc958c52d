//! What identifies a plan: the digest of its meaning, and the digests of its parts. Comments, order of keys and
//! spelling of values change neither.

use std::io::{self, BufWriter, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::connections::Connections;
use super::expect::{Expect, HeaderRule};
use super::model::{Load, Model, Plan, Scenario};
use super::secrets;
use super::targets::Target;
use crate::schedule::Arrivals;

/// Hash buffer: the text is written in pieces of a few bytes.
const BUFFER_BYTES: usize = 16 << 10;

/// The version of the text that is hashed. It changes when plans without new keys get other digests; a report
/// says which one its digests have.
pub const DIGEST_FORM: u32 = 2;
/// Hex digits of a part's digest: 64 bits tell the parts of two plans apart.
const PART_DIGITS: usize = 16;

/// The digests of a plan's parts, to say what differs between two plans. The target is none of them, and
/// credentials in headers are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartDigests {
    /// The digests of `load`, `connections` and `tls` settings and, if there is any, of `data`.
    pub settings: Vec<(&'static str, String)>,
    /// One per scenario, in the plan's order.
    pub scenarios: Vec<String>,
}

impl PartDigests {
    /// The parts of `plan`.
    pub fn of(plan: &Plan) -> Self {
        let part = |value: &Value| hex(value, PART_DIGITS);
        let mut settings = vec![
            ("load", part(&load(&plan.load))),
            ("connections", part(&connections(plan))),
            ("tls", part(&tls(plan.main_target()))),
        ];
        if plan.targets.len() > 1 {
            settings.push(("targets", part(&json!(targets(plan)))));
        }
        if !plan.data.is_empty() {
            settings.push(("data", part(&json!(data(plan)))));
        }
        Self {
            settings,
            scenarios: plan.scenarios.iter().map(|s| hex(&Sent::of(plan, s, true), PART_DIGITS)).collect(),
        }
    }
}

/// `sha256:` and the hex digest of what `plan` sends, where to and how, and of what it expects in response.
/// Its source and its thresholds are excluded: they do not change the run.
pub(super) fn digest(plan: &Plan) -> String {
    format!("sha256:{}", hex(&CanonicalPlan::of(plan), 64))
}

/// The first `digits` hex digits of the SHA-256 of `content` as JSON.
fn hex(content: &impl Serialize, digits: usize) -> String {
    let mut hash = BufWriter::with_capacity(BUFFER_BYTES, Hash(Sha256::new()));
    // The text is four times as long as the bodies in it, so it is never in memory as a whole.
    serde_json::to_writer(&mut hash, content).expect("hashing does not fail");
    hash.flush().expect("hashing does not fail");
    let hash = std::mem::take(&mut hash.get_mut().0).finalize();
    let mut hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
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
/// same meaning has the same text. A key that a later version adds is left out where it has its default, so
/// that the digests of plans without it stay as they are.
#[derive(Serialize)]
struct CanonicalPlan<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<(&'a str, &'a str)>,
    #[serde(skip_serializing_if = "is_empty_object")]
    connections: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data: Vec<(&'a str, String)>,
    form: u32,
    load: Value,
    #[serde(serialize_with = "scenarios")]
    scenarios: &'a Plan,
    target: (&'a str, u16, &'a str, &'a str),
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Value>,
    #[serde(skip_serializing_if = "Value::is_null")]
    tls: Value,
}

/// The hashed content of one scenario; sorted likewise.
#[derive(Serialize)]
struct Sent<'a> {
    body: &'a [u8],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    chunked: bool,
    #[serde(skip_serializing_if = "Value::is_null")]
    expect: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_timeout_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follow_redirects: Option<u8>,
    headers: Vec<(&'a str, &'a str)>,
    method: &'a str,
    name: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    target: &'a str,
    timeout_ns: u64,
    weight: u32,
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn scenarios<S: Serializer>(plan: &Plan, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plan.scenarios.iter().map(|scenario| Sent::of(plan, scenario, false)))
}

impl<'a> Sent<'a> {
    /// `masks`: credentials in headers count as equal. A report that shows the rest would otherwise let people
    /// guess them, and they change from run to run.
    fn of(plan: &'a Plan, scenario: &'a Scenario, masks: bool) -> Self {
        let target = plan.target_of(scenario);
        let header = |(name, value): &'a (String, String)| {
            let is_masked = masks && secrets::names_a_credential(name);
            (name.as_str(), if is_masked { secrets::MASK } else { value.as_str() })
        };
        Self {
            body: &scenario.body,
            chunked: scenario.chunked,
            expect: scenario.expect.as_deref().map_or(Value::Null, expect),
            first_byte_timeout_ns: scenario.first_byte_timeout_ns,
            follow_redirects: Some(scenario.follow_redirects).filter(|most| *most > 0),
            headers: scenario.headers.iter().map(header).collect(),
            method: &scenario.method,
            name: &scenario.name,
            path: scenario.path.strip_prefix(&target.path_prefix).unwrap_or(&scenario.path),
            target: &target.name,
            timeout_ns: scenario.timeout_ns,
            weight: scenario.weight,
        }
    }
}

impl<'a> CanonicalPlan<'a> {
    fn of(plan: &'a Plan) -> Self {
        let main = plan.main_target();
        Self {
            // Not the credentials, which change from run to run.
            auth: plan.auth.as_ref().map(|auth| (auth.region.as_str(), auth.service.as_str())),
            connections: connections(plan),
            data: data(plan),
            form: DIGEST_FORM,
            load: load(&plan.load),
            scenarios: plan,
            target: (&main.host, main.port, &main.authority, &main.path_prefix),
            targets: targets(plan),
            tls: tls(main),
        }
    }
}

/// The name of each data set and the digest of its rows.
fn data(plan: &Plan) -> Vec<(&str, String)> {
    plan.data.iter().map(|set| (set.name.as_str(), set.digest())).collect()
}

fn load(load: &Load) -> Value {
    json!({
        "model": model(&load.model), "warmup_ns": load.warmup_ns, "drain_ns": load.drain_ns,
        "requests": load.requests, "duration_ns": load.duration_ns
    })
}

/// The named targets.
fn targets(plan: &Plan) -> Vec<Value> {
    let named = plan.targets.iter().skip(1);
    named
        .map(|target| {
            let mut value = json!({
                "name": target.name, "at": [&target.host, target.port, &target.authority, &target.path_prefix],
                "tls": tls(target)
            });
            way_to(target, &mut value);
            value
        })
        .collect()
}

/// How connections get to `target`, where it is not by its own host and port.
fn way_to(target: &Target, value: &mut Value) {
    if let Some(peer) = &target.connect_to {
        value["connect_to"] = json!(peer);
    }
    if let Some(socket) = &target.unix {
        value["unix"] = json!(socket);
    }
    if let Some(proxy) = &target.proxy {
        value["proxy"] = json!([proxy.host, proxy.port]);
    }
}

/// What differs from the defaults.
fn connections(plan: &Plan) -> Value {
    let default = Connections::default();
    let mut value = json!({});
    let mut set = |key: &str, is_default: bool, content: Value| {
        if !is_default {
            value[key] = content;
        }
    };
    let Connections {
        connect_timeout_ns,
        keep_alive,
        most_requests,
        most_age_ns,
        resolve_every_ns,
        source_addresses,
        family,
    } = &plan.connections;
    set("connect_timeout_ns", *connect_timeout_ns == default.connect_timeout_ns, json!(connect_timeout_ns));
    set("keep_alive", *keep_alive == default.keep_alive, json!(keep_alive));
    set("most_requests", *most_requests == default.most_requests, json!(most_requests));
    set("most_age_ns", *most_age_ns == default.most_age_ns, json!(most_age_ns));
    set("resolve_every_ns", *resolve_every_ns == default.resolve_every_ns, json!(resolve_every_ns));
    set("source_addresses", source_addresses.is_empty(), json!(source_addresses));
    set("family", family.is_none(), json!(family));
    way_to(plan.main_target(), &mut value);
    value
}

/// Not the files: their content is not part of the plan, and their paths differ between machines. Nor the
/// target's own name.
fn tls(target: &Target) -> Value {
    let Some(tls) = &target.tls else { return Value::Null };
    let server_name = Some(&tls.server_name).filter(|name| **name != target.host);
    json!({
        "own_ca": tls.ca.is_some(), "client_certificate": tls.client.is_some(),
        "insecure": tls.insecure, "server_name": server_name,
        "resumption": tls.resumption, "versions": tls.versions.name()
    })
}

fn expect(expect: &Expect) -> Value {
    let Expect { statuses, headers, body_contains, json, body_bytes, max_body_bytes } = expect;
    let statuses: Vec<_> = statuses.iter().map(|range| json!([range.start(), range.end()])).collect();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, rule)| match rule {
            HeaderRule::Equals(pattern) => json!([name, "equals", pattern.text]),
            HeaderRule::Contains(pattern) => json!([name, "contains", pattern.text]),
        })
        .collect();
    let body_contains: Vec<&str> = body_contains.iter().map(|pattern| pattern.text.as_str()).collect();
    let json: Vec<_> = json.iter().map(|rule| json!([rule.pointer, rule.value])).collect();
    json!({
        "statuses": statuses, "headers": headers, "body_contains": body_contains, "json": json,
        "body_bytes": body_bytes.as_ref().map(|range| [*range.start(), *range.end()]),
        "max_body_bytes": max_body_bytes
    })
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

    /// Reports contain such digests and are compared by them: with another text they need another form.
    const EVERY_KEY: &str = "sha256:a4b97df75851d10573a6c51b097dab49b492f29cecceae16ef263f2a2754352a";

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
