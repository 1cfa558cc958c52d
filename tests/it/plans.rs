//! Plans as people write them, good and bad: what they mean, and every fault with its place and remedy.

use loadtester::plan::{self, ClientFiles, Faults, Model, Overrides, Plan, Tls, UrlForm, UrlTls, Versions};
use loadtester::schedule::{Arrivals, Picker, Piece};

const S: u64 = 1_000_000_000;

fn env(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("s3cr3t-t0ken".to_owned()),
        "PORT" => Some("8081".to_owned()),
        "N" => Some("25".to_owned()),
        "BAD" => Some("s3cr3t bad\nvalue".to_owned()),
        "YAML" => Some("x\nload: {concurrency: 7}".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Plan, Faults> {
    parse_with(text, &Overrides::default())
}

fn parse_with(text: &str, overrides: &Overrides) -> Result<Plan, Faults> {
    plan::parse(text, "plan.yaml", overrides, &env)
}

/// Exactly one fault, and it prints as `expected`.
#[track_caller]
fn one_fault(text: &str, expected: &str) {
    let faults = parse(text).expect_err("a fault");
    assert_eq!(faults.to_string(), expected, "\n{text}");
}

/// A plan of one scenario with `load` lines added.
fn with_load(load: &str) -> String {
    format!("base_url: http://x\nscenarios: [{{path: /}}]\nload: {load}\n")
}

#[track_caller]
fn load_fault(load: &str, place: &str, remedy: &str) {
    let faults = parse(&with_load(load)).expect_err(load);
    let text = faults.to_string();
    assert_eq!(faults.count(), 1, "{load}: {text}");
    assert!(text.contains(place) && text.contains(remedy), "{load}: {text}");
}

const SAMPLE: &str = include_str!("sample.yaml");

#[test]
fn the_first_sample_is_ten_connections_a_hundred_requests_two_to_one() {
    let plan = parse(&SAMPLE.replace("https://api.example.com", "http://127.0.0.1:8081")).unwrap();
    assert_eq!(plan.load.model, Model::Closed { connections: 10 });
    assert_eq!((plan.load.requests, plan.load.duration_ns), (Some(100), None));
    assert_eq!(plan.weights(), [2, 1]);
    let shares = Picker::new(&plan.weights(), 1).unwrap().shares(100, 2);
    assert_eq!(shares, [67, 33]);
    let [users, create] = plan.scenarios.as_slice() else { panic!("two scenarios") };
    assert_eq!(
        (users.name.as_str(), users.method.as_str(), users.path.as_str()),
        ("Get users", "GET", "/v1/users")
    );
    assert_eq!(create.method, "POST");
    assert_eq!(create.body, b"{\n  \"name\": \"John\",\n  \"email\": \"john@example.com\"\n}\n");
    assert_eq!(users.headers[0], ("Authorization".into(), "Bearer dummy-token".into()));
    assert_eq!(users.headers[1], ("Content-Type".into(), "application/json".into()));
    assert!(plan.scenarios.iter().all(|s| s.timeout_ns == 5 * S && s.headers.len() == 2));
    assert_eq!(plan.target.authority, "127.0.0.1:8081");
}

#[test]
fn an_https_target_is_spoken_to_with_care_unless_told_otherwise() {
    let plan = parse(SAMPLE).unwrap();
    assert_eq!((plan.target.port, plan.target.authority.as_str()), (443, "api.example.com"));
    assert_eq!(plan.origin(), "https://api.example.com");
    let careful = Tls {
        ca: None,
        client: None,
        insecure: false,
        server_name: "api.example.com".into(),
        resumption: true,
        versions: Versions::Both,
    };
    assert_eq!(plan.tls, Some(careful));
    let tls =
        "tls: {ca: a.pem, cert: b.pem, key: c.pem, server_name: x, resumption: false, min_version: 1.3}";
    let plan = parse(&format!("{SAMPLE}{tls}\n")).unwrap();
    let client = ClientFiles { certificate: "b.pem".into(), key: "c.pem".into() };
    let tls = Tls {
        ca: Some("a.pem".into()),
        client: Some(client),
        insecure: false,
        server_name: "x".into(),
        resumption: false,
        versions: Versions::Only13,
    };
    assert_eq!(plan.tls, Some(tls));
    let insecure = format!("{SAMPLE}tls:\n  insecure: ${{NO_CARE}}\n  max_version: '1.2'\n");
    let env = |name: &str| (name == "NO_CARE").then(|| "true".to_owned());
    let tls = plan::parse(&insecure, "plan", &Overrides::default(), &env).unwrap().tls.unwrap();
    assert_eq!((tls.insecure, tls.versions), (true, Versions::Only12));
}

#[test]
fn what_is_wrong_with_tls_says_what_to_write() {
    let cases = [
        ("{cert: a}", "tls.cert: is of no use alone: add `key`"),
        ("{key: a}", "tls.key: is of no use alone: add `cert`"),
        ("{ca: ''}", "tls.ca: is empty"),
        ("{ca: a, insecure: true}", "tls.insecure: accepts every certificate, `ca` only some"),
        ("{insecure: 1}", "tls.insecure: `1` is not possible here: write `true` or `false`"),
        ("{min_version: 1.1}", "tls.min_version: `1.1` is not a version spoken here: write 1.2 or 1.3"),
        ("{min_version: 1.3, max_version: 1.2}", "tls.min_version: is above `max_version`"),
        ("{server_name: 'a b'}", "tls.server_name: `a b` is not a name a certificate can have"),
        ("{cacert: a}", "tls.cacert: unknown key"),
    ];
    for (typed, expected) in cases {
        let error = parse(&format!("{SAMPLE}tls: {typed}\n")).unwrap_err().to_string();
        assert!(error.contains(expected) && error.lines().count() == 1, "{typed}: {error}");
    }
    let plain = SAMPLE.replace("https://", "http://") + "tls: {insecure: true}\n";
    let error = parse(&plain).unwrap_err().to_string();
    assert!(error.ends_with("tls: belongs to an https target: write `base_url: https://…`, or remove it"));
}

#[test]
fn the_digest_tells_how_tls_is_spoken_and_not_where_its_files_lie() {
    let digest = |tls: &str| parse(&format!("{SAMPLE}tls: {tls}\n")).unwrap().digest;
    let files = digest("{ca: a, cert: b, key: c}");
    assert_eq!(files, digest("{ca: /x/a, cert: /x/b, key: /x/c}"));
    let others =
        ["{insecure: true}", "{resumption: false}", "{server_name: x}", "{max_version: 1.2}", "{ca: a}"];
    let mut digests: Vec<String> = others.iter().map(|tls| digest(tls)).collect();
    digests.extend([
        files,
        parse(SAMPLE).unwrap().digest,
        parse(&SAMPLE.replace("https:", "http:")).unwrap().digest,
    ]);
    digests.sort();
    assert!(digests.windows(2).all(|pair| pair[0] != pair[1]), "{digests:#?}");
}

#[test]
fn all_faults_are_reported_at_once_in_the_order_of_the_text() {
    let text = "\
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
    let expected = "\
plan.yaml:3:12: defaults.timeout: a duration needs a unit: write 5s or 5ms
plan.yaml:4:16: defaults.concurrency: is too small: write at least 1
plan.yaml:5:11: defaults.method: methods are case-sensitive: write GET
plan.yaml:8:11: scenarios[0].path: does not begin with `/`: write `/users`
plan.yaml:9:5: scenarios[0].weigth: unknown key, did you mean `weight`?
plan.yaml:10:13: scenarios[0].weight: is too small: write at least 1; to leave a scenario out, remove it or comment it out
plan.yaml:11:11: scenarios[1].name: is the name of scenarios[0] too: give each its own
plan.yaml:13:5: scenarios[1].path: is already given on line 12: keep one of the two
plan.yaml:14:15: scenarios[1].headers.Connection: is the tool's to set: remove it, and write `keep_alive: false` under `load` for a connection per request
plan.yaml:14:34: scenarios[1].headers.a b: `a b` is not a header name: use letters, digits and `-`
plan.yaml:14:55: scenarios[1].headers.accept: is already given in another spelling: keep one of the two
plan.yaml:15:11: scenarios[1].body: `12` is not text: put it in quotes
plan.yaml:16:5: scenarios[2].path: is missing: add `path:` with a text like `/v1/users?page=1`
plan.yaml:17:9: scenarios[2].name: has no value: write a text like `Get users`, or remove the key
plan.yaml:18:14: thresholds[0]: limit `250`: a duration needs a unit: write 250s or 250ms, as in `p99 < 250ms`
plan.yaml:20:9: load.rate: a rate needs a unit: write 500/s
plan.yaml:21:13: load.arrivals: `random` is not possible here: write even or poisson
plan.yaml:22:11: load.stages: is empty: write at least 1
plan.yaml:23:1: nam: unknown key; known here: base_url, connect_to, defaults, fleet, load, plan, scenarios, thresholds, tls";
    assert_eq!(parse(text).unwrap_err().to_string(), expected);
}

#[test]
fn a_schedule_can_be_dealt_anew_and_connections_can_not() {
    let plan =
        |load: &str, word: &str| parse(&format!("{}fleet: {{on_worker_loss: {word}}}\n", with_load(load)));
    let open = "{rate: 5/s, duration: 1s}";
    for (word, meant) in [
        ("fail", plan::OnWorkerLoss::Fail),
        ("continue", plan::OnWorkerLoss::Continue),
        ("redistribute", plan::OnWorkerLoss::Redistribute),
    ] {
        assert_eq!(plan(open, word).unwrap().on_worker_loss, meant);
        assert_eq!(meant.name(), word);
    }
    assert_eq!(parse(&with_load(open)).unwrap().on_worker_loss, plan::OnWorkerLoss::Fail);
    let fault = plan("{requests: 1}", "redistribute").unwrap_err().to_string();
    assert!(fault.contains("fleet.on_worker_loss: `redistribute` deals out a schedule anew"), "{fault}");
    assert!(plan("{requests: 1}", "continue").is_ok());
}

#[test]
fn what_is_no_plan_is_refused_with_a_place() {
    let deep = format!("a: {}{}", "[".repeat(2_000), "]".repeat(2_000));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &(0..8u8)
            .map(|i| {
                let (this, last) = ((b'b' + i) as char, (b'a' + i) as char);
                format!("{this}: &{this} [{}]\n", vec![format!("*{last}"); 9].join(","))
            })
            .collect::<String>();
    let large = format!("# {}\n", "x".repeat(plan::MAX_PLAN_BYTES));
    let cases: [(&str, &str); 16] = [
        ("", "the plan is empty"),
        ("# nothing\n", "the plan is empty"),
        ("~", "the plan is empty"),
        ("- a\n- b\n", "is a list"),
        ("hello", "is a single value"),
        ("a: 1\n---\nb: 1\n", "plan.yaml:3:1: a second document"),
        ("a:\n\tb: 1\n", "plan.yaml:2:2: not YAML: tabs"),
        ("a: [1, 2", "plan.yaml:1:4: not YAML: unclosed bracket"),
        ("a: 'x", "plan.yaml:1:4: not YAML: unclosed quote"),
        ("a: b: c", "plan.yaml:1:5: not YAML"),
        ("a: *nobody", "plan.yaml:1:4: not YAML: alias references unknown anchor"),
        ("a: &a [*a]", "plan.yaml:1:8: this alias stands inside its own anchor"),
        ("a: \u{0}", "not YAML"),
        (&deep, "too deeply nested"),
        (&bomb, "too large or too deeply nested"),
        (&large, "larger than 8.00 MiB"),
    ];
    for (text, expected) in cases {
        let faults = parse(text).expect_err(expected);
        assert_eq!(faults.count(), 1, "{faults}");
        assert!(faults.to_string().contains(expected), "{faults} does not say {expected}");
    }
}

#[test]
fn anchors_and_merge_keys_work_and_faults_stand_where_the_text_is() {
    let text = "\
base_url: http://x
load: {requests: 10}
scenarios:
  - &a {path: /a, weight: 3, headers: {X-Version: 1.10}}
  - {<<: *a, path: /b}
";
    let plan = parse(text).unwrap();
    assert_eq!(plan.weights(), [3, 3]);
    assert_eq!(plan.scenarios[1].headers, [("X-Version".to_owned(), "1.10".to_owned())]);
    let faults = parse(&text.replace("weight: 3", "weight: -3")).unwrap_err().to_string();
    let places: Vec<&str> = faults.lines().map(|line| line.split(": is").next().unwrap()).collect();
    assert_eq!(places, ["plan.yaml:4:27: scenarios[0].weight", "plan.yaml:4:27: scenarios[1].weight"]);
}

#[test]
fn aliases_can_not_multiply_a_large_text_without_bound() {
    let body = "x".repeat(1 << 20);
    let text = format!(
        "base_url: http://x\nload: {{requests: 1}}\nscenarios:\n- {{name: a, path: /, body: &b {body}}}\n{}",
        (0..100).map(|i| format!("- {{name: n{i}, path: /, body: *b}}\n")).collect::<String>()
    );
    let faults = parse(&text).unwrap_err().to_string();
    assert!(faults.contains("too large"), "{faults}");
}

#[test]
fn variables_are_filled_in_after_the_yaml_is_read() {
    let text = "\
base_url: http://127.0.0.1:${PORT}
load:
  requests: \"${N}\"
  concurrency: ${N}
scenarios:
  - {name: \"${YAML:-x}\", path: \"/${NOPE:-a}\", headers: {Authorization: \"Bearer ${TOKEN}\"}, body: \"$${N}\"}
";
    // A line break from the environment can not become a key: it is part of the name, which can not hold one.
    let fault = parse(text).unwrap_err().to_string();
    assert!(fault.contains("scenarios[0].name: can not contain control characters"), "{fault}");
    let plan = parse(&text.replace("${YAML:-x}", "n")).unwrap();
    assert_eq!((plan.target.port, plan.load.requests), (8081, Some(25)));
    assert_eq!(plan.load.model, Model::Closed { connections: 25 });
    let scenario = &plan.scenarios[0];
    assert_eq!((scenario.path.as_str(), scenario.body.as_slice()), ("/a", b"${N}".as_slice()));
    assert_eq!(scenario.headers[0].1, "Bearer s3cr3t-t0ken");
}

#[test]
fn an_unset_variable_names_line_variable_and_both_remedies() {
    one_fault(
        "base_url: http://x\nload: {requests: 1}\nscenarios:\n- path: /${NOPE}\n",
        "plan.yaml:4:9: scenarios[0].path: the environment variable `NOPE` is not set: set it, or give a default with `${NOPE:-default}`",
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
fn a_load_that_can_not_be_is_refused_with_a_remedy() {
    load_fault("{}", "load:", "add `requests: 1000` (-n 1000) or `duration: 30s` (-d 30s)");
    load_fault("{rate: 500/s}", "load.rate:", "add `duration: 30s` (-d 30s)");
    load_fault("{rate: 500/s, requests: 1200}", "load.rate:", "add `duration: 3s` (-d 3s)");
    load_fault("{rate: 0/s, duration: 1s}", "load.rate:", "closed model");
    load_fault("{rate: 10.1M/s, duration: 1s}", "load.rate:", "10000000/s");
    load_fault("{duration: 0s}", "load.duration:", "like `30s`");
    load_fault("{duration: 721h}", "load.duration:", "720h");
    load_fault("{duration: 1s, drain: 2h}", "load.drain:", "at most 1h");
    load_fault("{requests: 0}", "load.requests:", "at least 1");
    load_fault("{requests: 0k}", "load.requests:", "at least 1");
    load_fault("{requests: 1.5}", "load.requests:", "whole number");
    load_fault("{requests: true}", "load.requests:", "quotes");
    load_fault("{duration: 1s, concurrency: 1000001}", "load.concurrency:", "at most 1000000");
    load_fault("{duration: 1s, backlog: 5}", "load.backlog:", "open model");
    load_fault("{duration: 1s, arrivals: poisson}", "load.arrivals:", "open model");
    load_fault("{rate: 1/s, stages: [{for: 1s, rate: 1/s}]}", "load.stages:", "keep one");
    load_fault("{duration: 9s, stages: [{for: 1s, rate: 1/s}]}", "load.duration:", "remove `duration`");
    load_fault("{stages: [{for: 0s, rate: 1/s}]}", "load.stages:", "longer than nothing");
    load_fault("{stages: [{for: 1s, rate: 0/s}]}", "load.stages:", "no request at all");
    load_fault("{stages: [{for: 1s}]}", "load.stages[0].rate:", "add `rate:`");
    load_fault("{warmup: 1s, stages: [{for: 1s, rate: 9/s}]}", "load.warmup:", "`{ for: 0s, rate: … }`");
    load_fault("[]", "load:", "is a list");
}

#[test]
fn the_open_model_has_a_schedule_and_bounds() {
    let text = with_load(
        "{rate: 1.5k/s, duration: 2m, arrivals: poisson, warmup: 5s, drain: 0s, backlog: 7, requests: 10k}",
    );
    let load = parse(&text).unwrap().load;
    let piece = Piece { from: 1500.0, to: 1500.0, length_ns: 120 * S };
    let model =
        Model::Open { pieces: vec![piece], arrivals: Arrivals::Poisson, connections: None, backlog: 7 };
    assert_eq!(load.model, model);
    assert_eq!((load.warmup_ns, load.drain_ns), (5 * S, 0));
    assert_eq!((load.requests, load.duration_ns), (Some(10_000), Some(120 * S)));
}

#[test]
fn stages_move_in_straight_lines_and_jump_where_they_take_no_time() {
    let text = with_load(
        "{warmup: 1s, stages: [{for: 0s, rate: 10/s}, {for: 2s, rate: 10/s}, {for: 1s, rate: 0/s}, {for: 0s, rate: 5/s}, {for: 1s, rate: 6/s}]}",
    );
    let load = parse(&text).unwrap().load;
    let Model::Open { pieces, .. } = &load.model else { panic!("open") };
    let piece = |from: f64, to: f64, seconds: u64| Piece { from, to, length_ns: seconds * S };
    assert_eq!(*pieces, [piece(10.0, 10.0, 2), piece(10.0, 0.0, 1), piece(5.0, 6.0, 1)]);
    assert_eq!(load.duration_ns, Some(4 * S));
}

#[test]
fn defaults_say_how_long_only_where_the_load_does_not() {
    let plan = |load: &str| {
        parse(&format!(
            "base_url: http://x\ndefaults: {{requests: 100, concurrency: 3}}\nscenarios: [{{path: /}}]\n{load}"
        ))
    };
    let extent = |load: &str| plan(load).map(|p| (p.load.requests, p.load.duration_ns)).unwrap();
    assert_eq!(extent(""), (Some(100), None));
    assert_eq!(extent("load: {concurrency: 5}"), (Some(100), None));
    assert_eq!(extent("load: {duration: 1s}"), (None, Some(S)));
    assert_eq!(extent("load: {duration: 1s, requests: 5}"), (Some(5), Some(S)));
    assert_eq!(extent("load: {rate: 5/s, duration: 1s}"), (None, Some(S)));
    assert!(
        plan("load: {rate: 5/s}")
            .unwrap_err()
            .to_string()
            .contains("a rate and 100 requests without a duration")
    );
}

#[test]
fn the_command_line_goes_before_the_plan() {
    let closed = with_load("{requests: 100, duration: 30s, concurrency: 5}");
    let open = with_load("{rate: 5/s, duration: 30s}");
    let stages = with_load("{stages: [{for: 10s, rate: 5/s}]}");
    let none = Overrides::default();
    let extent = |text: &str, overrides: Overrides| {
        let plan = parse_with(text, &overrides).unwrap();
        (plan.model_name(), plan.load.requests, plan.load.duration_ns.map(|ns| ns / S))
    };
    let requests = Some(7);
    let duration_ns = Some(2 * S);
    let rate = Some(9.0);
    assert_eq!(extent(&closed, Overrides { requests, ..none }), ("closed", Some(7), None));
    assert_eq!(extent(&closed, Overrides { duration_ns, ..none }), ("closed", None, Some(2)));
    assert_eq!(extent(&closed, Overrides { duration_ns, requests, ..none }), ("closed", Some(7), Some(2)));
    assert_eq!(extent(&closed, Overrides { rate, ..none }), ("open", Some(100), Some(30)));
    assert_eq!(extent(&open, Overrides { requests, ..none }), ("open", Some(7), Some(30)));
    assert_eq!(extent(&open, Overrides { duration_ns, ..none }), ("open", None, Some(2)));
    assert_eq!(extent(&stages, Overrides { rate, ..none }), ("open", None, Some(10)));
    assert_eq!(extent(&stages, Overrides { rate, duration_ns, ..none }), ("open", None, Some(2)));
    let cut = parse_with(&stages, &Overrides { duration_ns, ..none }).unwrap_err().to_string();
    assert!(cut.starts_with("command line: -d: the plan's stages say how long"), "{cut}");
    let many = parse_with(&closed, &Overrides { concurrency: Some(40), ..none }).unwrap();
    assert_eq!(many.load.model, Model::Closed { connections: 40 });
    for bad in [Some(0), Some(u32::MAX)] {
        let faults = parse_with(&closed, &Overrides { concurrency: bad, ..none }).unwrap_err().to_string();
        assert!(faults.contains("command line: -c: ") && faults.contains("from 1 to 1000000"), "{faults}");
    }
}

#[test]
fn scenarios_take_defaults_and_go_before_them() {
    let text = "\
base_url: http://x/api/
defaults: {method: PUT, timeout: 2s, headers: {A: 1, B: 2}}
load: {requests: 1}
scenarios:
  - path: /a
  - {path: /b, method: DELETE, timeout: 1s, headers: {b: 3, Host: other}}
";
    let plan = parse(text).unwrap();
    let [a, b] = plan.scenarios.as_slice() else { panic!("two scenarios") };
    assert_eq!((a.name.as_str(), a.path.as_str(), a.timeout_ns), ("PUT /a", "/api/a", 2 * S));
    assert_eq!((b.name.as_str(), b.path.as_str(), b.timeout_ns), ("DELETE /b", "/api/b", S));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(a.headers, [pair("A", "1"), pair("B", "2")]);
    assert_eq!(b.headers, [pair("A", "1"), pair("b", "3"), pair("Host", "other")]);
}

#[test]
fn scenarios_that_can_not_be_sent_are_refused_with_a_remedy() {
    let cases = [
        ("[]", "scenarios: is empty"),
        ("[{path: /}, {path: /}]", "give each a `name`"),
        ("[{path: /, method: G T}]", "is not an HTTP method"),
        ("[{path: /, method: CONNECT}]", "another method"),
        ("[{path: /, timeout: 0s}]", "longer than nothing"),
        ("[{path: /, timeout: 61m}]", "at most 1h"),
        ("[{path: /, name: ''}]", "is empty"),
        ("[{path: /, headers: {Content-Length: 5}}]", "set from the body's length"),
        ("[{path: /, headers: {Transfer-Encoding: chunked}}]", "sent whole"),
        ("[{path: /, headers: {A: \"x\\r\\nB: y\"}}]", "line breaks"),
        ("[{path: /, headers: {A: \"x\\0\"}}]", "control characters"),
        ("[{path: /, headers: [A]}]", "a mapping of keys and values"),
        ("[{path: '/a b'}]", "`%20`"),
        ("[{path: /ü}]", "`%C3%BC`"),
        ("[{path: 'http://y/'}]", "only the path"),
        ("[{path: /a, weight: 1048573}, {path: /b, weight: 65537}]", "rounder weights"),
        ("[x]", "scenarios[0]: `x` is not possible here"),
        ("{path: /}", "a list, each entry on a line"),
    ];
    for (scenarios, expected) in cases {
        let faults = parse(&format!("base_url: http://x\nload: {{requests: 1}}\nscenarios: {scenarios}\n"));
        let faults = faults.expect_err(scenarios);
        assert_eq!(faults.count(), 1, "{faults}");
        assert!(faults.to_string().contains(expected), "{scenarios}: {faults}");
    }
    let many: String = (0..=plan::MAX_SCENARIOS).map(|i| format!("- path: /{i}\n")).collect();
    let faults =
        parse(&format!("base_url: http://x\nload: {{requests: 1}}\nscenarios:\n{many}")).unwrap_err();
    assert!(faults.to_string().contains("scenarios: has 5001 entries: at most 5000"), "{faults}");
}

#[test]
fn the_digest_is_of_the_meaning() {
    let plain =
        "base_url: http://x\nload: {requests: 1000, concurrency: 2}\nscenarios: [{path: /, timeout: 1s}]\n";
    let other = "# a comment\nscenarios:\n  - timeout: 1000ms\n    path: \"/\"\nload:\n  concurrency: 2\n  requests: 1k\nbase_url: http://X:80/\n";
    let digest = |text: &str| parse(text).unwrap().digest;
    assert_eq!(digest(plain), digest(other));
    assert!(digest(plain).starts_with("sha256:") && digest(plain).len() == 7 + 64);
    assert_ne!(digest(plain), digest(&plain.replace("timeout: 1s", "timeout: 2s")));
    let overridden = parse_with(plain, &Overrides { requests: Some(9), ..Overrides::default() }).unwrap();
    assert_ne!(digest(plain), overridden.digest);
}

#[test]
fn a_url_and_its_flags_are_a_plan_of_one_scenario() {
    let form = UrlForm {
        url: "http://127.0.0.1:8081/a?b=1".into(),
        method: Some("POST".into()),
        headers: vec![("A".into(), "1".into())],
        body: vec![0xff, 0],
        tls: UrlTls::default(),
    };
    let plan = plan::from_url(&form, &Overrides::default()).unwrap();
    assert_eq!((plan.load.requests, plan.load.duration_ns), (None, Some(10 * S)));
    assert_eq!(plan.load.model, Model::Closed { connections: 10 });
    let scenario = &plan.scenarios[0];
    assert_eq!((scenario.name.as_str(), scenario.path.as_str()), ("POST /a?b=1", "/a?b=1"));
    assert_eq!((scenario.method.as_str(), scenario.body.as_slice()), ("POST", [0xff, 0].as_slice()));
    assert_eq!(scenario.headers, form.headers);
    let open = Overrides { rate: Some(1000.0), duration_ns: Some(S), ..Overrides::default() };
    assert_eq!(plan::from_url(&form, &open).unwrap().model_name(), "open");
    let bare = UrlForm { url: "http://[::1]".into(), ..UrlForm::default() };
    let bare = plan::from_url(&bare, &Overrides { requests: Some(5), ..Overrides::default() }).unwrap();
    assert_eq!((bare.scenarios[0].path.as_str(), bare.load.duration_ns), ("/", None));
}

#[test]
fn a_url_s_faults_name_the_flags() {
    let form = UrlForm {
        url: "ftp://x/".into(),
        method: Some("get".into()),
        headers: vec![("Connection".into(), "close".into())],
        body: vec![],
        tls: UrlTls { cert: Some("a.pem".into()), ..UrlTls::default() },
    };
    let overrides = Overrides { requests: Some(0), concurrency: Some(0), ..Overrides::default() };
    let expected = "\
command line: URL: the scheme `ftp` is not supported: use http or https
command line: -m: methods are case-sensitive: write GET
command line: -H Connection: is the tool's to set: remove it, and write `keep_alive: false` under `load` for a connection per request
command line: --cert: is of no use alone: add `key`, the file with its private key
command line: -n: must be at least 1: leave it out for no limit
command line: -c: must be at least 1: write a number from 1 to 1000000";
    assert_eq!(plan::from_url(&form, &overrides).unwrap_err().to_string(), expected);
}

#[test]
fn thousands_of_faults_are_counted_not_printed() {
    let text: String = (0..20_000).map(|i| format!("key{i}: 1\n")).collect();
    let faults = parse(&text).unwrap_err();
    assert_eq!(faults.count(), 20_003);
    assert!(faults.to_string().ends_with("… and 19953 more"));
}

#[test]
fn a_mapping_of_too_many_headers_is_refused_at_once() {
    let headers: String = (0..20_000).map(|i| format!("    h{i}: 1\n")).collect();
    let text =
        format!("base_url: http://x\nload: {{requests: 1}}\nscenarios:\n- path: /\n  headers:\n{headers}");
    one_fault(&text, "plan.yaml:6:5: scenarios[0].headers: has 20000 entries: at most 200 are possible");
    let long = format!(
        "base_url: http://x\nload: {{requests: 1}}\nscenarios:\n- path: /\n  headers: {{A: {}}}",
        "x".repeat(70_000)
    );
    assert!(parse(&long).unwrap_err().to_string().contains("at most 65536"));
}
