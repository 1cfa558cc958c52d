//! Plans as people write them: what they mean.

use loadtester::plan::{self, ClientFiles, Faults, Model, Overrides, Plan, Tls, UrlForm, Versions};
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

pub fn parse(text: &str) -> Result<Plan, Faults> {
    parse_with(text, &Overrides::default())
}

fn parse_with(text: &str, overrides: &Overrides) -> Result<Plan, Faults> {
    plan::parse(text, "plan.yaml", overrides, &env)
}

/// Where each fault is, after the plan's name or `command line`: like `3:7: load.rate`, or a flag.
pub fn places(faults: &Faults) -> Vec<String> {
    let place = |text: String, message: &str| {
        let place = text.strip_suffix(message).expect("the message comes last").trim_end_matches(": ");
        let place = place.trim_start_matches("plan.yaml").trim_start_matches("command line");
        place.trim_start_matches([':', ' ']).to_owned()
    };
    faults.list().iter().map(|fault| place(fault.to_string(), &fault.message)).collect()
}

/// A plan of one scenario with `load` lines added.
pub fn with_load(load: &str) -> String {
    format!("base_url: http://x\nscenarios: [{{path: /}}]\nload: {load}\n")
}

pub const SAMPLE: &str = include_str!("sample.yaml");

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
    assert_eq!(plan.targets[0].authority, "127.0.0.1:8081");
}

#[test]
fn an_https_target_is_checked_unless_the_plan_says_otherwise() {
    let plan = parse(SAMPLE).unwrap();
    assert_eq!((plan.targets[0].port, plan.targets[0].authority.as_str()), (443, "api.example.com"));
    assert_eq!(plan.targets[0].origin(), "https://api.example.com");
    let careful = Tls {
        ca: None,
        client: None,
        insecure: false,
        server_name: "api.example.com".into(),
        resumption: true,
        versions: Versions::Both,
    };
    assert_eq!(plan.targets[0].tls, Some(careful));
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
    assert_eq!(plan.targets[0].tls, Some(tls));
    let insecure = format!("{SAMPLE}tls:\n  insecure: ${{NO_CARE}}\n  max_version: '1.2'\n");
    let env = |name: &str| (name == "NO_CARE").then(|| "true".to_owned());
    let tls =
        plan::parse(&insecure, "plan", &Overrides::default(), &env).unwrap().targets[0].tls.clone().unwrap();
    assert_eq!((tls.insecure, tls.versions), (true, Versions::Only12));
}

#[test]
fn the_digest_depends_on_tls_settings_and_not_on_file_paths() {
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
fn only_the_open_model_can_redistribute_a_lost_workers_load() {
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
    let faults = plan("{requests: 1}", "redistribute").unwrap_err();
    assert_eq!(places(&faults), ["4:25: fleet.on_worker_loss"], "{faults}");
    assert!(plan("{requests: 1}", "continue").is_ok());
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
    let faults = parse(&text.replace("weight: 3", "weight: -3")).unwrap_err();
    assert_eq!(places(&faults), ["4:27: scenarios[0].weight", "4:27: scenarios[1].weight"]);
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
    // A line break from the environment cannot become a key: it is part of the name, which cannot hold one.
    let faults = parse(text).unwrap_err();
    assert_eq!(places(&faults), ["6:12: scenarios[0].name"], "{faults}");
    let plan = parse(&text.replace("${YAML:-x}", "n")).unwrap();
    assert_eq!((plan.targets[0].port, plan.load.requests), (8081, Some(25)));
    assert_eq!(plan.load.model, Model::Closed { connections: 25 });
    let scenario = &plan.scenarios[0];
    assert_eq!((scenario.path.as_str(), scenario.body.as_slice()), ("/a", b"${N}".as_slice()));
    assert_eq!(scenario.headers[0].1, "Bearer s3cr3t-t0ken");
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
    // A rate and requests say how long it takes, whatever longer duration is written beside them.
    assert_eq!(extent("load: {rate: 5/s}"), (Some(100), Some(20 * S)));
    assert_eq!(extent("load: {rate: 50/s, requests: 200, duration: 60s}"), (Some(200), Some(4 * S)));
    assert_eq!(extent("load: {rate: 50/s, requests: 200, duration: 3s}"), (Some(200), Some(3 * S)));
    let stages = "stages: [{for: 2s, rate: 50/s}, {for: 60s, rate: 50/s}]";
    assert_eq!(extent(&format!("load: {{{stages}, requests: 100}}")), (Some(100), Some(3 * S)));
    let poisson = extent("load: {rate: 5/s, requests: 100, arrivals: poisson}").1.unwrap();
    assert!(poisson > 25 * S, "room for requests that fall due later than on the mean: {poisson}");
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
    assert_eq!(extent(&closed, Overrides { requests, ..none.clone() }), ("closed", Some(7), None));
    assert_eq!(extent(&closed, Overrides { duration_ns, ..none.clone() }), ("closed", None, Some(2)));
    assert_eq!(
        extent(&closed, Overrides { duration_ns, requests, ..none.clone() }),
        ("closed", Some(7), Some(2))
    );
    assert_eq!(extent(&closed, Overrides { rate, ..none.clone() }), ("open", Some(100), Some(11)));
    assert_eq!(extent(&open, Overrides { requests, ..none.clone() }), ("open", Some(7), Some(1)));
    assert_eq!(extent(&open, Overrides { duration_ns, ..none.clone() }), ("open", None, Some(2)));
    assert_eq!(extent(&stages, Overrides { rate, ..none.clone() }), ("open", None, Some(10)));
    assert_eq!(extent(&stages, Overrides { rate, duration_ns, ..none.clone() }), ("open", None, Some(2)));
    let cut = parse_with(&stages, &Overrides { duration_ns, ..none.clone() }).unwrap_err();
    assert_eq!(places(&cut), ["-d"], "{cut}");
    let many = parse_with(&closed, &Overrides { concurrency: Some(40), ..none.clone() }).unwrap();
    assert_eq!(many.load.model, Model::Closed { connections: 40 });
    for bad in [Some(0), Some(u32::MAX)] {
        let faults = parse_with(&closed, &Overrides { concurrency: bad, ..none.clone() }).unwrap_err();
        assert_eq!(places(&faults), ["-c"], "{faults}");
        assert!(faults.list()[0].message.contains(" 1000000"), "{faults}");
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
        body: Some(vec![0xff, 0]),
        ..UrlForm::default()
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
