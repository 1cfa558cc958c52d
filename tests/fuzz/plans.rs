//! Plans: every text is a plan or a list of faults that a person can use.

use std::sync::Arc;

use loadtester::client::RunSpec;
use loadtester::plan::{self, Overrides, Shard};

use crate::cases;
use crate::memory::height_of;
use crate::mutate::{Corpus, bent};

/// Cases where none are asked for: each builds and checks a whole tree.
const FEW: u64 = 3_000;
/// Held at most for each byte of text; and besides, by a text whose aliases make it as large as a plan may be.
const HELD_BYTES_PER_BYTE: u64 = 64;
const HELD_BYTES: u64 = 10 * plan::MAX_PLAN_BYTES as u64;
/// What `${TOKEN}` stands for, and no message may say.
const SECRET: &str = "s3cr3t-v4lue";

const WORDS: [&str; 46] = [
    "\n",
    "\n  ",
    "\n- ",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "#",
    "|\n",
    ">\n",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "? ",
    "---\n",
    "...\n",
    "\"",
    "'",
    "${TOKEN}",
    "${NONE}",
    "${NONE:-x}",
    "${",
    "null",
    "true",
    "~",
    ".inf",
    ".nan",
    "1e999",
    "99999999999999999999",
    "-0",
    "0x7fffffffffffffff",
    "1h",
    "500/s",
    "100%",
    "p99 < 1ms",
    "weight: 2\n",
    "load: {rate: 1/s}\n",
    "expect: {status: [200]}\n",
    "\t",
    "\u{feff}",
    "\u{202e}",
    "\0",
];

fn corpus() -> Corpus {
    let nest = |open: &str, close: &str, n: usize| open.repeat(n) + "x" + &close.repeat(n);
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='k').zip('a'..='j') {
        bomb += &format!(
            "{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
        );
    }
    let scenario = "base_url: http://x\nscenarios: [{ path: / }]\n";
    let light = [
        include_str!("../it/sample.yaml").to_owned(),
        "base_url: http://127.0.0.1:8081/v1\ndefaults: { timeout: 5s, headers: { A: '${TOKEN}' } }\n\
         load:\n  stages:\n    - { for: 30s, rate: 1000/s }\n    - { for: 2m, rate: 5k/s }\n  warmup: 5s\n  backlog: 10\n\
         scenarios:\n  - { name: a, path: '/a?b=${NONE:-c}', weight: 3 }\n  - { path: /b, method: POST, body: \"x\\ny\" }\n\
         thresholds:\n  - p99 < 250ms\n  - \"a: error_rate < 1%\"\n"
            .to_owned(),
        format!("{scenario}load: {{ duration: 10s, rate: 100/s, arrivals: poisson, concurrency: 7 }}\n"),
        "base_url: http://x\nload: { requests: 10 }\nscenarios:\n  - path: /\n    expect: { status: [200, 300-304], \
         body_contains: x, header: { A: b }, json: { /a/0: 1.5 }, max_body: 1MB }\n"
            .to_owned(),
        "base_url: http://x\nd: &d { path: /, weight: 1 }\nload: { requests: 1 }\nscenarios:\n  - <<: *d\n    name: a\n  - *d\n".to_owned(),
        format!("{scenario}load: {{ requests: {} }}\n", "9".repeat(400)),
    ];
    let heavy = [
        format!("{bomb}{scenario}"),
        format!("{scenario}x: {}\n", nest("[", "]", 2_000)),
        format!("{scenario}x: {}\n", nest("{a: ", "}", 2_000)),
        (0..500).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
        format!(
            "base_url: http://x\nload: {{ requests: 1 }}\nscenarios:\n{}",
            "  - { path: /, weight: 4294967295 }\n".repeat(500)
        ),
    ];
    Corpus {
        light: light.map(String::into_bytes).into(),
        heavy: heavy.map(String::into_bytes).into(),
        words: &WORDS,
    }
}

#[test]
fn a_text_is_a_plan_or_a_list_of_faults() {
    let corpus = corpus();
    let make = |rng: &mut fastrand::Rng| bent(rng, &corpus);
    cases("plans", FEW, make, |_, bytes| {
        let text = String::from_utf8_lossy(bytes);
        let parse = || {
            plan::parse(&text, "plan.yaml", &Overrides::default(), &|name| {
                (name == "TOKEN").then(|| SECRET.into())
            })
        };
        let (first, held) = height_of(parse);
        let most = HELD_BYTES + HELD_BYTES_PER_BYTE * text.len() as u64;
        assert!(held <= most, "{held} bytes held for {} of text", text.len());
        match (first, parse()) {
            (Ok(plan), Ok(again)) => {
                assert_eq!(plan, again);
                check_plan(plan);
            }
            (Err(faults), Err(again)) => {
                assert_eq!(faults.to_string(), again.to_string());
                check_faults(&faults.to_string(), &text);
            }
            (first, again) => panic!("{first:?}, and then {again:?}"),
        }
    });
}

/// What has been accepted can be carried out: its requests are encoded and sharded.
fn check_plan(plan: plan::Plan) {
    assert!(!plan.scenarios.is_empty() && plan.scenarios.iter().all(|s| s.timeout_ns > 0));
    let share = plan::shard_load(&plan, Shard { slot: 0, of: 1 });
    assert!(share.connections > 0);
    let scenarios = plan.scenarios.len();
    let spec = Arc::new(RunSpec::new(plan, 1));
    assert!((0..100).all(|k| spec.picker.pick(k) < scenarios));
}

/// Each fault is a line with a place in the text, and none contains a secret.
fn check_faults(faults: &str, text: &str) {
    assert!(!faults.trim().is_empty() && !faults.contains(SECRET), "{faults}");
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    for fault in faults.lines().filter_map(|line| line.strip_prefix("plan.yaml:")) {
        let line: Option<usize> = fault.split(':').next().and_then(|number| number.parse().ok());
        assert!(line.is_none_or(|line| (1..=lines + 1).contains(&line)), "{fault}");
    }
}
