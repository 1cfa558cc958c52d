//! The schema that `--schema` prints and the parser agree, on a corpus and on what chance makes of it.

use std::collections::BTreeSet;

use loadtester::plan::{self, Overrides};
use serde_json::Value;

use super::json_schema::violation;

/// Plans that both accept.
const GOOD: [&str; 13] = [
    include_str!("sample.yaml"),
    "plan: Checkout\nbase_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]",
    "base_url: http://x/api\nload: {requests: 10k, duration: 1.5s, concurrency: 5, warmup: 0s, drain: 1h}\nscenarios: [{path: /, weight: 2, name: a}, {path: /, name: b}]",
    "base_url: http://[::1]:8080\nload: {rate: 1.5k/s, duration: 2m30s, arrivals: poisson, backlog: 1, concurrency: 1000000}\nscenarios:\n- path: /a?b\n  headers: {A: 1, B: 1.10, C: true, D: x}\n  body: |\n    x\n  timeout: 250ms\n  method: PATCH",
    "base_url: http://x\nload:\n  warmup: 5us\n  stages:\n  - {for: 0s, rate: 30/m}\n  - for: 1h\n    rate: 5000/h\nscenarios: [{path: /}]",
    "base_url: http://x\ndefaults: {method: HEAD, headers: {}, timeout: 1h, concurrency: 1, requests: 1}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {}\ndefaults: {requests: 1G}\nscenarios: [&a {path: /a, headers: {Host: y}}, {<<: *a, path: /b}]",
    "{\"base_url\": \"http://x\", \"load\": {\"duration\": \"1m1s1ms1us1µs1ns\"}, \"scenarios\": [{\"path\": \"/\"}]}",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, name: a}]\nthresholds: [p99 < 1s, 'a: rate > 5/s', {expression: error_rate < 1%, abort_after: 10s}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {status: [200, 3xx, '204'], header: {Content-Type: application/json, X: 1, Y: {contains: a}}, body_contains: [a, b], json: {/0/name: John, '': 1.5, /b: true, /c: null}, body_bytes: {min: 1KiB}, max_body: 2MiB}}]",
    "base_url: http://x\nload: {requests: 10}\ndefaults: {expect: {status: 2xx, body_contains: a, body_bytes: 5, max_body: 512}}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {rate: 5/s, duration: 1s}\nscenarios: [{path: /}]\nfleet: {on_worker_loss: redistribute}",
    "x-a: &a [1, true]\nx-b: {c: 1}\nbase_url: http://x\nload: {stages: [{for: 1s, from: 10/min, rate: 0.5/s}]}\nlabels: {build: 17, team_2: a b}\ndefaults: {headers: {Connection: keep-alive}}\nscenarios: [{path: /, headers: {A: [x, 1, true], B: *a}}]",
];

/// What stands in for a good plan's part and makes its form wrong.
const BAD_FORM: [&str; 52] = [
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nfleet: {on_worker_loss: ignore}",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nfleet: {workers: 3}",
    "load: {requests: 10}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {requests: 10}",
    "base_url: [http://x]\nload: {requests: 10}\nscenarios: [{path: /}]",
    "base_url: 5\nload: {requests: 10}\nscenarios: [{path: /}]",
    "base_url: ~\nload: {requests: 10}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: []",
    "base_url: http://x\nload: {requests: 10}\nscenarios: {path: /}",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [/]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, weigth: 1}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, weight: 0}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, weight: 1.5}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, weight: '1'}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, weight: 5000000}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, name: }]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, name: true}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, headers: [A]}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, headers: {A: [[1]]}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, headers: {A: []}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nlabels: {a: [b]}",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\ny-a: 1",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, headers: {A: }}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, body: {a: 1}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, timeout: 5}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, timeout: 5 s}]",
    "base_url: http://x\nload: {requests: 0}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {requests: 10K}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {requests: 2.5}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {rate: 500, duration: 1s}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {rate: 500/d, duration: 1s}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {rate: 5/s, duration: 1d}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {rate: 5/s, duration: 1s, arrivals: Even}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {rate: 5/s, duration: 1s, backlog: 0}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {stages: []}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {stages: [{for: 1s}]}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {stages: [{for: 1s, rate: -5/s}]}\nscenarios: [{path: /}]",
    "base_url: http://x\ndefaults: {concurrency: 1000001}\nload: {requests: 1}\nscenarios: [{path: /}]",
    "- base_url: http://x",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nthresholds: p99 < 1s",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nthresholds: [{abort_after: 1s}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nthresholds: [{expression: p99 < 1s, abort_after: 5}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nthresholds: [[p99 < 1s]]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {status: 99}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {status: []}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {statsu: 200}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {header: {A: [1]}}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {header: {A: {contain: x}}}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {json: {/a: [1]}}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {body_contains: {a: b}}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {body_bytes: {least: 5}}}]",
];

/// Plans of the right form that mean nothing: only the parser can know.
const BAD_MEANING: [&str; 24] = [
    "base_url: http://x\nscenarios: [{path: /}]",
    "base_url: x\nload: {requests: 10}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: x}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}, {path: /}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, method: get}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, headers: {Connection: close}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, headers: {Host: [a, b]}}]",
    "base_url: http://x\nload: {requests: 10, keep_alive: false}\nscenarios: [{path: /, headers: {Connection: keep-alive}}]",
    "base_url: http://x\nload: {stages: [{for: 1s, rate: 5/s}, {for: 1s, from: 1/s, rate: 5/s}]}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nlabels: {a-b: c}",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, timeout: 0s}]",
    "base_url: http://x\nload: {rate: 5/s}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {rate: 5/s, stages: [{for: 1s, rate: 1/s}]}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {requests: 10, backlog: 5}\nscenarios: [{path: /}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nthresholds: [p99 < 1]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /}]\nthresholds: [{expression: p99 < 1s, abort_after: 0s}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {json: {a.b: 1}}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {json: {/a~2: 1}}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {body_contains: ''}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {header: {'a b': 1}}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {body_bytes: {min: 5, max: 4}}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, expect: {max_body: 1GiB}}]",
    "base_url: http://x\nload: {requests: 10}\nscenarios: [{path: /, method: HEAD, expect: {body_contains: a}}]",
];

fn schema() -> Value {
    serde_json::from_str(&plan::schema()).unwrap()
}

fn json(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

fn parses(text: &str) -> Result<(), plan::Faults> {
    let text = text.replace("https://api.example.com", "http://127.0.0.1:8081");
    plan::parse(&text, "plan", &Overrides::default(), &|_| None).map(|_| ())
}

#[test]
fn schema_and_parser_agree_on_the_corpus() {
    let schema = schema();
    for text in GOOD {
        assert_eq!(parses(text), Ok(()), "{text}");
        assert_eq!(violation(&schema, &json(text).unwrap()), None, "{text}");
    }
    for text in BAD_FORM {
        assert!(parses(text).is_err(), "{text}");
        assert!(violation(&schema, &json(text).unwrap()).is_some(), "{text}");
    }
    for text in BAD_MEANING {
        assert!(parses(text).is_err(), "{text}");
        assert_eq!(violation(&schema, &json(text).unwrap()), None, "{text}");
    }
}

#[test]
fn the_schema_is_complete_and_uses_only_words_judged_here() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let mut words = BTreeSet::new();
    each_schema(&schema, &mut |part| {
        let object = part.as_object().unwrap();
        words.extend(object.keys().cloned());
        for example in object.get("examples").and_then(Value::as_array).into_iter().flatten() {
            assert_eq!(violation(part, example), None);
        }
        if let Some(default) = object.get("default") {
            assert_eq!(violation(part, default), None);
        }
        for (key, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            assert!(property["description"].as_str().is_some_and(|d| d.len() > 10), "{key} is not described");
        }
    });
    let judged = "$schema additionalProperties default description enum examples items maxItems maxProperties \
                  maximum minItems minimum pattern patternProperties properties required title type";
    for word in words {
        assert!(judged.split(' ').any(|known| known == word), "{word} is not judged by this test");
    }
    assert_eq!(plan::schema().matches("null").count(), 2, "only a JSON value that is expected may be null");
}

/// Calls `look` for the schema and every schema in it.
fn each_schema(schema: &Value, look: &mut impl FnMut(&Value)) {
    look(schema);
    for inner in schema["properties"].as_object().into_iter().flat_map(|p| p.values()) {
        each_schema(inner, look);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            each_schema(&schema[key], look);
        }
    }
}

/// Pieces that matter to YAML, to variables and to the plan.
const PIECES: [&str; 40] = [
    "\n",
    " ",
    "  ",
    "\t",
    ":",
    ": ",
    "- ",
    "-",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!!int ",
    "!x ",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "~",
    "null",
    "0",
    "-1",
    "1e9",
    "99999999999999999999",
    ".nan",
    "true",
    "${A}",
    "${A:-5}",
    "$${",
    "\u{0}",
    "\u{feff}",
    "ü",
];

fn mutated(rng: &mut fastrand::Rng) -> String {
    let bad = |rng: &mut fastrand::Rng| {
        BAD_FORM.iter().chain(&BAD_MEANING).nth(rng.usize(..BAD_FORM.len())).unwrap()
    };
    let seed = if rng.u8(..4) > 0 { GOOD[rng.usize(..GOOD.len())] } else { bad(rng) };
    let mut text: Vec<char> = seed.replace("https://api", "http://api").chars().collect();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=text.len());
        let end = (at + rng.usize(..12)).min(text.len());
        match rng.u8(..8) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, PIECES[rng.usize(..PIECES.len())].chars())),
            2 => {
                let copy: Vec<char> = text[at..end].to_vec();
                let to = rng.usize(..=text.len());
                drop(text.splice(to..to, copy));
            }
            3 => {
                let lines: Vec<char> = bad(rng).lines().last().unwrap().chars().collect();
                drop(text.splice(at..end, lines));
            }
            4 => {
                let other = rng.usize(..=text.len().saturating_sub(1));
                if at < text.len() {
                    text.swap(at, other);
                }
            }
            _ => {
                // Another digit or letter: most of these are still plans.
                let places: Vec<usize> =
                    (0..text.len()).filter(|i| text[*i].is_ascii_alphanumeric()).collect();
                if let Some(place) = rng.choice(&places) {
                    text[*place] =
                        if text[*place].is_ascii_digit() { rng.digit(10) } else { rng.lowercase() };
                }
            }
        }
    }
    text.into_iter().collect()
}

/// `LOADTESTER_FUZZ_CASES` sets how many plans are tried.
#[test]
fn no_plan_makes_the_parser_panic_and_what_it_accepts_the_schema_accepts() {
    let cases = std::env::var("LOADTESTER_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000u64);
    let (schema, mut accepted) = (schema(), 0);
    for seed in 0..cases {
        let text = mutated(&mut fastrand::Rng::with_seed(seed));
        let env = |name: &str| (name == "A").then(|| "s3cr3t".to_owned());
        let parsed = std::panic::catch_unwind(|| plan::parse(&text, "plan", &Overrides::default(), &env));
        match parsed.unwrap_or_else(|_| panic!("seed {seed}: {text:?}")) {
            Ok(_) => {
                accepted += 1;
                // The schema sees a plan before its variables are filled in, and duplicates as one.
                if let (false, Some(json)) = (text.contains("${"), json(&text)) {
                    assert_eq!(violation(&schema, &json), None, "seed {seed}: {text}");
                }
            }
            Err(faults) => {
                let shown = faults.to_string();
                assert!(!faults.list().is_empty() && shown.lines().count() <= 51, "seed {seed}: {shown}");
                assert!(!shown.contains("s3cr3t"), "seed {seed}: {shown}");
                let lines = text.chars().filter(|c| *c == '\n').count() as u32 + 1;
                for fault in faults.list() {
                    assert!(fault.message.len() > 5, "seed {seed}: {shown}");
                    assert!(
                        fault.position.is_none_or(|at| at.line >= 1 && at.line <= lines + 1),
                        "seed {seed}: {shown}"
                    );
                }
            }
        }
    }
    assert!(accepted > cases / 50, "only {accepted} of {cases} were plans: the mutations are too wild");
}
