//! Faults of a plan: each is found, at its place, and names the keys, flags and limits to write. How they
//! read is in `golden/plan_faults.txt` alone.

use loadtester::plan::{self, Faults, Overrides, UrlForm, UrlTls};

use crate::plans::{SAMPLE, parse, places, with_load};
use crate::report::golden;

/// A text with one fault: where that is, and the words that its message must hold.
type Case<'a> = (&'a str, &'a str, &'a [&'a str]);

fn with_scenarios(scenarios: &str) -> String {
    format!("base_url: http://x\nload: {{requests: 1}}\nscenarios: {scenarios}\n")
}

fn with_tls(tls: &str) -> String {
    format!("{SAMPLE}tls: {tls}\n")
}

/// Exactly one fault, with this place after the plan's name.
#[track_caller]
fn one_fault(text: &str, place: &str, words: &[&str]) -> Faults {
    let faults = parse(text).expect_err(text);
    assert_eq!(places(&faults), [place], "{text}\n{faults}");
    let message = &faults.list()[0].message;
    assert!(words.iter().all(|word| message.contains(word)), "{text}: not all of {words:?} in: {message}");
    faults
}

/// Check each case and give what is printed of it.
fn each_fault(text: impl Fn(&str) -> String, cases: &[Case]) -> String {
    let fault = |(typed, place, words): &Case| {
        let faults = one_fault(&text(typed), place, words);
        format!("{}\n    {faults}\n", typed.replace('\0', "\\0"))
    };
    cases.iter().map(fault).collect()
}

const LOADS: [Case; 29] = [
    ("{}", "3:7: load", &["`requests: 1000`", "-n 1000", "`duration: 30s`", "-d 30s"]),
    ("{rate: 500/s}", "3:14: load.rate", &["`duration: 30s`", "-d 30s"]),
    ("{rate: 1/s, requests: 99M}", "3:29: load.requests", &["720h"]),
    ("{rate: 0/s, duration: 1s}", "3:14: load.rate", &[]),
    ("{rate: 10.1M/s, duration: 1s}", "3:14: load.rate", &["10000000/s"]),
    ("{duration: 0s}", "3:18: load.duration", &["`30s`"]),
    ("{duration: 721h}", "3:18: load.duration", &["720h"]),
    ("{duration: 1s, drain: 2h}", "3:29: load.drain", &["1h"]),
    ("{requests: 0}", "3:18: load.requests", &["1"]),
    ("{requests: 0k}", "3:18: load.requests", &["1"]),
    ("{requests: 1.5}", "3:18: load.requests", &["10k"]),
    ("{requests: true}", "3:18: load.requests", &["`true`"]),
    ("{duration: 1s, concurrency: 1000001}", "3:35: load.concurrency", &["1000000"]),
    ("{duration: 1s, backlog: 5}", "3:31: load.backlog", &["`rate`"]),
    ("{duration: 1s, arrivals: poisson}", "3:32: load.arrivals", &["`rate`"]),
    ("{rate: 1/s, stages: [{for: 1s, rate: 1/s}]}", "3:27: load.stages", &["`rate`"]),
    ("{duration: 9s, stages: [{for: 1s, rate: 1/s}]}", "3:18: load.duration", &["`duration`"]),
    ("{stages: [{for: 0s, rate: 1/s}]}", "3:16: load.stages", &[]),
    ("{stages: [{for: 1s, rate: 0/s}]}", "3:16: load.stages", &[]),
    ("{stages: [{for: 1s}]}", "3:17: load.stages[0].rate", &["`rate:`"]),
    ("{warmup: 1s, stages: [{for: 1s, rate: 9/s}]}", "3:16: load.warmup", &["`from: 100/s`"]),
    (
        "{stages: [{for: 1s, rate: 1/s}, {for: 1s, from: 1/s, rate: 2/s}]}",
        "3:55: load.stages[1].from",
        &["`{ for: 0s, rate: … }`"],
    ),
    ("[]", "3:7: load", &[]),
    ("500/s", "3:7: load", &["`load: { rate: 500/s, duration: 30s }`"]),
    ("30s", "3:7: load", &["`load: { duration: 30s }`"]),
    ("1k", "3:7: load", &["`load: { requests: 1k }`"]),
    ("{duration: 10 s}", "3:18: load.duration", &["write 10s"]),
    ("{duration: 2 minutes}", "3:18: load.duration", &["write 2m"]),
    ("{rate: 500 rps, duration: 1s}", "3:14: load.rate", &["write 500/s"]),
];

const SCENARIOS: [Case; 24] = [
    ("[]", "3:12: scenarios", &["1"]),
    ("[{path: /}, {path: /}]", "3:24: scenarios[1]", &["`name`"]),
    ("[{path: /, method: G T}]", "3:31: scenarios[0].method", &[]),
    ("[{path: /, method: CONNECT}]", "3:31: scenarios[0].method", &["CONNECT"]),
    ("[{path: /, timeout: 0s}]", "3:32: scenarios[0].timeout", &["`30s`"]),
    ("[{path: /, timeout: 61m}]", "3:32: scenarios[0].timeout", &["1h"]),
    ("[{path: /, name: ''}]", "3:29: scenarios[0].name", &[]),
    ("[{path: /, headers: {Content-Length: 5}}]", "3:33: scenarios[0].headers.Content-Length", &[]),
    (
        "[{path: /, headers: {Transfer-Encoding: chunked}}]",
        "3:33: scenarios[0].headers.Transfer-Encoding",
        &[],
    ),
    ("[{path: /, headers: {A: \"x\\r\\nB: y\"}}]", "3:33: scenarios[0].headers.A", &[]),
    ("[{path: /, headers: {A: \"x\\0\"}}]", "3:33: scenarios[0].headers.A", &[]),
    ("[{path: /, headers: [A]}]", "3:32: scenarios[0].headers", &[]),
    ("[{path: '/a b'}]", "3:20: scenarios[0].path", &["`%20`"]),
    ("[{path: '/a b#c%'}]", "3:20: scenarios[0].path", &["`%20`", "`%23`", "`%25`"]),
    ("[{pth: /}]", "3:14: scenarios[0].pth", &["`path`"]),
    ("[/users]", "3:13: scenarios[0]", &["`- path: /users`"]),
    ("[{path: /, expect: 200}]", "3:31: scenarios[0].expect", &["`expect: { status: 200 }`"]),
    ("/users", "3:12: scenarios", &["`scenarios: [{ path: /users }]`"]),
    ("[{path: 'http://y/'}]", "3:20: scenarios[0].path", &["`base_url`"]),
    ("[{path: /a, weight: 1048573}, {path: /b, weight: 65537}]", "3:12: scenarios", &[]),
    ("[x]", "3:13: scenarios[0]", &["`x`"]),
    ("[{path: /, rate: 5/s}]", "3:23: scenarios[0].rate", &["`load.rate`", "`weight`"]),
    ("[{path: /, headers: {Host: [a, b]}}]", "3:33: scenarios[0].headers.Host", &[]),
    ("{path: /}", "3:12: scenarios", &["`- `"]),
];

const TLS: [Case; 9] = [
    ("{cert: a}", "25:13: tls.cert", &["`key`"]),
    ("{key: a}", "25:12: tls.key", &["`cert`"]),
    ("{ca: ''}", "25:11: tls.ca", &[]),
    ("{ca: a, insecure: true}", "25:24: tls.insecure", &["`ca`"]),
    ("{insecure: 1}", "25:17: tls.insecure", &["`1`", "`true`", "`false`"]),
    ("{min_version: 1.1}", "25:20: tls.min_version", &["`1.1`", "1.2", "1.3"]),
    ("{min_version: 1.3, max_version: 1.2}", "25:20: tls.min_version", &["`max_version`"]),
    ("{server_name: 'a b'}", "25:20: tls.server_name", &["`a b`"]),
    ("{cacert: a}", "25:7: tls.cacert", &[]),
];

const DOCUMENTS: [Case; 16] = [
    ("", "", &[]),
    ("# nothing\n", "", &[]),
    ("~", "", &[]),
    ("- a\n- b\n", "1:1", &[]),
    ("hello", "1:1", &[]),
    ("a: 1\n---\nb: 1\n", "3:1", &[]),
    ("a:\n\tb: 1\n", "2:2", &[]),
    ("a: [1, 2", "1:4", &[]),
    ("a: 'x", "1:4", &[]),
    ("a: b: c", "1:5", &[]),
    ("a: *nobody", "1:4", &["`*nobody`", "`&nobody`"]),
    ("x: &some 1\na: *same", "2:4", &["`*same`", "`some`"]),
    ("x: &one 1\na: [*two]", "2:5", &["`*two`", "`&one`"]),
    ("a: &a [*a]", "1:8", &["`*a`"]),
    ("{\"a\": 1 \"b\": 2}", "1:12", &["not JSON"]),
    ("a: \u{0}", "1:4", &[]),
];

const MANY_FAULTS: &str = "\
base_url: http://x
defaults:
  timeout: 5
  concurrency: 0
  method: get
scenarios:
  - name: A
    path: users
    weigth: 2
    weight: 0
  - name: A
    path: /b
    path: /c
    headers: {Connection: close, \"a b\": 1, Accept: x, accept: y}
    body: 12
  - method: GET
    name:
thresholds: [p99 < 250]
load:
  rate: 500
  arrivals: random
  stages: []
nam: x
";

#[test]
fn all_faults_are_reported_at_once_in_the_order_of_the_text() {
    let faults = parse(MANY_FAULTS).unwrap_err();
    let expected = [
        "3:12: defaults.timeout",
        "4:16: defaults.concurrency",
        "5:11: defaults.method",
        "8:11: scenarios[0].path",
        "9:5: scenarios[0].weigth",
        "10:13: scenarios[0].weight",
        "11:11: scenarios[1].name",
        "13:5: scenarios[1].path",
        "14:15: scenarios[1].headers.Connection",
        "14:34: scenarios[1].headers.a b",
        "14:55: scenarios[1].headers.accept",
        "15:11: scenarios[1].body",
        "16:5: scenarios[2].path",
        "17:9: scenarios[2].name",
        "18:14: thresholds[0]",
        "20:9: load.rate",
        "21:13: load.arrivals",
        "22:11: load.stages",
        "23:1: nam",
    ];
    assert_eq!(places(&faults), expected);
    assert!(faults.list()[4].message.contains("`weight`"), "the nearest key is named: {faults}");
}

fn url_faults() -> Faults {
    let form = UrlForm {
        url: "ftp://x/".into(),
        method: Some("get".into()),
        headers: vec![("Connection".into(), "upgrade".into())],
        tls: UrlTls { cert: Some("a.pem".into()), ..UrlTls::default() },
        ..UrlForm::default()
    };
    let overrides = Overrides { requests: Some(0), concurrency: Some(0), ..Overrides::default() };
    plan::from_url(&form, &overrides).unwrap_err()
}

#[test]
fn faults_of_a_url_name_the_flags() {
    let faults = url_faults();
    assert_eq!(places(&faults), ["URL", "-m", "-H Connection", "--cert", "-n", "-c"]);
}

#[test]
fn each_fault_has_its_place_and_reads_as_in_the_golden_page() {
    let parts = [
        ("Load", each_fault(with_load, &LOADS)),
        ("Scenarios", each_fault(with_scenarios, &SCENARIOS)),
        ("TLS", each_fault(with_tls, &TLS)),
        ("Document", each_fault(str::to_owned, &DOCUMENTS)),
        ("Many at once", format!("{}\n", parse(MANY_FAULTS).unwrap_err())),
        ("URL", format!("{}\n", url_faults())),
    ];
    let page: Vec<String> = parts.iter().map(|(title, faults)| format!("== {title}\n{faults}")).collect();
    golden("plan_faults.txt", &page.join("\n"));
}

#[test]
fn an_unknown_key_with_an_anchor_is_told_where_anchors_may_stand() {
    let sample = |first: &str| format!("{first}\n{}", with_scenarios("[{path: /}]"));
    one_fault(&sample("common: &c {a: b}"), "1:1: common", &["an anchor", "`x-common:`"]);
    one_fault(&sample("lod: &c {a: b}"), "1:1: lod", &["`x-lod:`"]);
    let plain = one_fault(&sample("common: {a: '&c'}"), "1:1: common", &["known here"]);
    assert!(!plain.to_string().contains("x-common"), "{plain}");
}

#[test]
fn a_text_that_yaml_cuts_at_its_colon_is_one_fault() {
    let text = with_scenarios("[{path: /, name: Get}]") + "thresholds:\n- Get: p99 < 1s\n";
    one_fault(&text, "5:3: thresholds[0].Get", &["`\"Get: p99 < 1s\"`"]);
}

#[test]
fn a_fault_in_a_variable_says_what_is_wrong_without_its_value() {
    one_fault(
        &with_load("{rate: \"${TOKEN}\", duration: 1s}"),
        "3:14: load.rate",
        &["`${TOKEN}`", "not a rate: write"],
    );
    let spaced = parse("base_url: \"${BAD}\"\nload: {requests: 1}\nscenarios: [{path: /}]\n").unwrap_err();
    assert!(spaced.to_string().contains("`BAD`"), "{spaced}");
}

#[test]
fn tls_keys_need_an_https_target() {
    let plain = SAMPLE.replace("https://", "http://") + "tls: {insecure: true}\n";
    let faults = parse(&plain).unwrap_err();
    assert_eq!(faults.count(), 1, "{faults}");
    assert!(faults.list()[0].message.contains("begin the URL with `https://`"), "{faults}");
}

#[test]
fn deep_and_large_documents_are_refused() {
    let deep = format!("a: {}{}", "[".repeat(2_000), "]".repeat(2_000));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &(0..8u8)
            .map(|i| {
                let (this, last) = ((b'b' + i) as char, (b'a' + i) as char);
                format!("{this}: &{this} [{}]\n", vec![format!("*{last}"); 9].join(","))
            })
            .collect::<String>();
    let large = format!("# {}\n", "x".repeat(plan::MAX_PLAN_BYTES));
    for (text, word) in [(&deep, ""), (&bomb, ""), (&large, "8.00 MiB")] {
        let faults = parse(text).unwrap_err();
        assert!(faults.count() == 1 && faults.list()[0].message.contains(word), "{faults}");
    }
}

#[test]
fn aliases_cannot_multiply_a_large_text_without_bound() {
    let body = "x".repeat(1 << 20);
    let text = |aliases: usize| {
        let first = format!("- {{name: a, path: /, body: &b {body}}}\n");
        let others: String = (0..aliases).map(|i| format!("- {{name: n{i}, path: /, body: *b}}\n")).collect();
        format!("base_url: http://x\nload: {{requests: 1}}\nscenarios:\n{first}{others}")
    };
    assert!(parse(&text(1)).is_ok());
    assert_eq!(parse(&text(100)).unwrap_err().count(), 1);
}

#[test]
fn an_unset_variable_is_named_with_its_place() {
    one_fault(
        &with_scenarios("[{path: \"/${NOPE}\"}]"),
        "3:20: scenarios[0].path",
        &["`NOPE`", "`${NOPE:-default}`"],
    );
}

#[test]
fn a_value_from_the_environment_is_never_printed() {
    let keys = [
        "base_url: \"${BAD}\"",
        "base_url: \"http://${BAD}\"",
        "load: {concurrency: \"${BAD}\"}",
        "load: {requests: \"${BAD}\"}",
        "load: {duration: \"${BAD}\"}",
        "load: {rate: \"${TOKEN}\", duration: \"1${TOKEN}\"}",
        "load: {arrivals: \"${TOKEN}\"}",
        "load: {stages: [{for: \"${TOKEN}\", rate: \"${TOKEN}\"}]}",
        "load: \"${TOKEN}\"",
        "defaults: {method: \"${BAD}\", timeout: \"${TOKEN}\", headers: {A: \"${BAD}\"}}",
        "scenarios: [{path: \"${TOKEN}\"}, {path: \"/${BAD}\"}, {path: /, name: \"${BAD}\", weight: \"${TOKEN}\"}]",
        "scenarios: \"${TOKEN}\"",
    ];
    for key in keys {
        let text = parse(key).unwrap_err().to_string();
        assert!(!text.contains("s3cr3t"), "{key}: {text}");
    }
    let unnamed =
        parse("base_url: http://x\nload: {requests: 1}\nscenarios: [{path: \"/?t=${TOKEN}\"}]").unwrap();
    assert_eq!(unnamed.scenarios[0].name, "GET /?t=${TOKEN}");
    assert_eq!(unnamed.scenarios[0].path, "/?t=s3cr3t-t0ken");
}

#[test]
fn thousands_of_faults_are_counted_not_printed() {
    let text: String = (0..20_000).map(|i| format!("key{i}: 1\n")).collect();
    let faults = parse(&text).unwrap_err();
    assert_eq!(faults.count(), 20_003);
    let text = faults.to_string();
    let last = text.lines().last().unwrap();
    assert!(text.lines().count() == 51 && last.contains(" 19953 "), "{last}");
}

#[test]
fn too_many_entries_and_too_long_values_are_refused() {
    let many: String = (0..=plan::MAX_SCENARIOS).map(|i| format!("- path: /{i}\n")).collect();
    one_fault(&with_scenarios(&format!("\n{many}")), "4:3: scenarios", &["5001", "5000"]);
    let headers: String = (0..20_000).map(|i| format!("    h{i}: 1\n")).collect();
    let text = with_scenarios(&format!("\n- path: /\n  headers:\n{headers}"));
    one_fault(&text, "6:5: scenarios[0].headers", &["20000", "200"]);
    let long = format!("\n- path: /\n  headers: {{A: {}}}", "x".repeat(70_000));
    one_fault(&with_scenarios(&long), "4:3: scenarios[0]", &["65536"]);
}
