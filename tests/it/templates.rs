//! Requests with holes, `{{…}}`: what arrives at a target, and that it depends on the seed alone.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use loadtester::plan::{Overrides, parse};

use crate::keeper::{Arrived, Keeper};
use crate::once::once;
use crate::run::{PROGRAM, RunDir};

/// Runs this plan, with `BASE` and more flags.
fn run(plan: &str, keeper: &Keeper, flags: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["--plan", "-", "--quiet", "--no-listen", "--seed", "7"]).args(flags);
    command.env("BASE", format!("http://{}", keeper.address));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(plan.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

const SCENARIOS: &str = r#"
scenarios:
  - name: Order
    weight: 2
    method: POST
    path: "/orders/{{random.uuid}}?n={{flow.number}}&color={{random.pick(dark red, green)}}"
    headers: { X-Trace: "{{random.hex(16)}}-{{random.hex(16)}}" }
    body: '{"n": {{flow.number}}, "who": "{{random.letters(8)}}", "open": {"a": {}}}'
  - { name: Read, path: "/read/{{random.int(1, 1000000)}}?n={{flow.number}}" }
"#;

fn numbers(arrived: &[Arrived]) -> Vec<u64> {
    let number = |a: &Arrived| a.target.split("n=").nth(1)?.split('&').next()?.parse().ok();
    arrived.iter().map(|a| number(a).unwrap_or_else(|| panic!("{a:?}"))).collect()
}

#[test]
fn the_same_seed_sends_the_same_requests_on_any_number_of_threads() {
    let keeper = Keeper::start();
    for load in [
        "{ rate: 400/s, requests: 200, concurrency: 8 }",
        "{ rate: 300/s, duration: 500ms, warmup: 200ms, concurrency: 8 }",
        "{ requests: 200, concurrency: 8 }",
    ] {
        let plan = format!("base_url: ${{BASE}}\nload: {load}{SCENARIOS}");
        let [one, two] = ["1", "2"].map(|threads| {
            let output = run(&plan, &keeper, &["--threads", threads]);
            assert!(output.status.success(), "{load}: {}", String::from_utf8_lossy(&output.stderr));
            keeper.take()
        });
        assert_eq!(one, two, "{load}");
        assert!(one.len() >= 200, "{load}: {}", one.len());
        let numbers = numbers(&one);
        let different: BTreeSet<&u64> = numbers.iter().collect();
        assert_eq!(different.len(), one.len(), "{load}: each number once");
        assert_eq!(different.last().map(|n| **n + 1), Some(one.len() as u64), "{load}: and no gap");
        for a in one.iter().filter(|a| a.target.starts_with("/orders")) {
            let body: serde_json::Value = serde_json::from_str(&a.body).unwrap();
            assert!(a.target.contains(&format!("n={}&", body["n"])), "{a:?}");
            assert!(a.target.ends_with("color=dark%20red") || a.target.ends_with("color=green"), "{a:?}");
            let trace = a.fields.iter().find_map(|f| f.strip_prefix("X-Trace: ")).unwrap();
            let (left, right) = trace.split_once('-').unwrap();
            assert!(left != right && left.len() == 16, "{trace}");
        }
    }
}

/// By time in the closed model nobody knows how many there will be.
#[test]
fn numbers_are_unique_in_a_closed_run_by_time_with_a_warm_up() {
    let keeper = Keeper::start();
    for load in [
        "{ duration: 300ms, warmup: 200ms, concurrency: 6 }",
        "{ requests: 300, warmup: 200ms, concurrency: 6 }",
    ] {
        let plan = format!("base_url: ${{BASE}}\nload: {load}{SCENARIOS}");
        assert!(run(&plan, &keeper, &["--threads", "2"]).status.success(), "{load}");
        let numbers = numbers(&keeper.take());
        assert!(numbers.len() > 100, "{load}");
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "{load}");
    }
}

#[test]
fn another_seed_sends_others_and_the_clock_is_that_of_the_wall() {
    let keeper = Keeper::start();
    let plan = "base_url: ${BASE}\nload: {requests: 1}\nscenarios: [{path: '/{{random.uuid}}?at={{now.s}}&run={{run.id}}'}]";
    let mut targets = BTreeSet::new();
    for seed in ["1", "2"] {
        // The last one counts.
        let output = Command::new(PROGRAM)
            .args(["--plan", "-", "--quiet", "--no-listen", "--seed", seed])
            .env("BASE", format!("http://{}", keeper.address))
            .stdin(Stdio::piped())
            .spawn()
            .and_then(|mut child| {
                child.stdin.take().unwrap().write_all(plan.as_bytes())?;
                child.wait_with_output()
            });
        assert!(output.unwrap().status.success());
        let target = keeper.take().remove(0).target;
        let at: u64 = target.split("at=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!(at.abs_diff(now) < 60, "{at} {now}");
        assert_eq!(target.split("run=").nth(1).unwrap().len(), 32);
        targets.insert(target[..37].to_owned());
    }
    assert_eq!(targets.len(), 2);
}

#[test]
fn a_redirect_that_keeps_the_body_keeps_its_values() {
    let keeper = Keeper::start();
    let plan = "base_url: ${BASE}\nload: {requests: 5}\ndefaults: {follow_redirects: 2}\n\
                scenarios: [{method: POST, path: /from, headers: {X-Id: '{{random.uuid}}'}, body: 'at {{now}} {{random.uuid}}'}]";
    assert!(run(plan, &keeper, &[]).status.success());
    let arrived = keeper.take();
    let (from, to): (Vec<_>, Vec<_>) = arrived.into_iter().partition(|a| a.target == "/from");
    assert_eq!((from.len(), to.len()), (5, 5));
    for a in &from {
        assert!(to.iter().any(|b| b.body == a.body && b.fields == a.fields), "{a:?}");
    }
}

#[test]
fn once_shows_what_was_sent_and_masks_what_is_secret() {
    let keeper = Keeper::start();
    let plan = "base_url: ${BASE}\nload: {requests: 9}\n\
                scenarios: [{path: '/a b', headers: {X-Signature: \"{{hmac_sha256('${KEY}', now.s)}}\"}}, \
                {path: '/n/{{flow.number}}?q={{random.pick(x y)}}'}]"
        .replace("/a b", "/a");
    let base = format!("http://{}", keeper.address);
    let output = once(&plan, &[("BASE", &base), ("KEY", "s3cret-key")], &[]);
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(page.contains("> GET /n/0?q=x%20y HTTP/1.1"), "{page}");
    assert!(page.contains("X-Signature: ***") && !page.contains("s3cret-key"), "{page}");
    assert_eq!(keeper.take().len(), 2);
}

#[test]
fn values_from_the_environment_are_text_and_four_braces_are_two() {
    let keeper = Keeper::start();
    let plan = "base_url: ${BASE}\nload: {requests: 1}\n\
                scenarios: [{method: POST, path: '/', body: 'a ${X} {{{{b}} {{flow.number}}', headers: {X-A: '{{{{x'}}]";
    let output = Command::new(PROGRAM)
        .args(["--plan", "-", "--quiet", "--no-listen"])
        .env("BASE", format!("http://{}", keeper.address))
        .env("X", "{{random.uuid}}")
        .stdin(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            child.stdin.take().unwrap().write_all(plan.as_bytes())?;
            child.wait_with_output()
        });
    assert!(output.unwrap().status.success());
    let arrived = keeper.take().remove(0);
    assert_eq!(arrived.body, "a {{random.uuid}} {{b}} 0");
    assert!(arrived.fields.contains(&"X-A: {{x".to_owned()), "{arrived:?}");
}

#[test]
fn faults_have_the_line_and_the_remedy() {
    let text = "base_url: http://h\nload: {requests: 1}\nscenarios:\n  - path: /{{random.uid}}\n    headers: {X-A: '{{now'}\n    body: '{{token}}'\n  - path: /b/{{now}}\n";
    let faults = parse(text, "p.yaml", &Overrides::default(), &|_| None).unwrap_err().to_string();
    for expected in [
        "p.yaml:4:11: scenarios[0].path",
        "did you mean `random.uuid`?",
        "headers.X-A",
        "`{{` without `}}`",
        "there is no value `token`",
    ] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
    let base = parse(
        "base_url: 'http://h/{{now}}'\nload: {requests: 1}\nscenarios: [{path: /}]\n",
        "p",
        &Overrides::default(),
        &|_| None,
    );
    assert!(base.unwrap_err().to_string().contains("write it into the scenarios' paths"));
}

#[test]
fn bodies_have_one_source_and_faults_name_it() {
    let faults = |scenario: &str| {
        let text = format!("base_url: http://h\nload: {{requests: 1}}\nscenarios: [{scenario}]\n");
        parse(&text, "p", &Overrides::default(), &|_| None).unwrap_err().to_string()
    };
    for (scenario, expected) in [
        ("{path: /, body: a, form: {a: 1}}", "a request has one body, and `body` gives one"),
        ("{path: /, body_file: x.json}", "`x.json`: no files are read here"),
        ("{path: /, multipart: [{value: a}]}", "has no `name`"),
        (
            "{path: /, multipart: [{name: a, value: b, file: c}]}",
            "has one content: write `value: text` or `file: NAME`",
        ),
        (
            "{path: /, multipart: [{name: a, value: b}], headers: {content-type: x}}",
            "is set from `multipart`",
        ),
        ("{path: /, multipart: []}", "multipart"),
        ("{path: /, form: {a: '{{nope}}'}}", "scenarios[0].form.a"),
        ("{path: /, headers: {Transfer-Encoding: chunked}}", "write `chunked: true`"),
        ("{path: {{now}}}", "quotes"),
    ] {
        assert!(faults(scenario).contains(expected), "{scenario}: {}", faults(scenario));
    }
}

#[test]
fn a_variable_in_a_hole_of_a_path_is_encoded() {
    let keeper = Keeper::start();
    let base = format!("http://{}", keeper.address);
    let plan =
        "base_url: ${BASE}\nload: {requests: 1}\nscenarios: [{path: \"/{{'${ID}'}}?a={{'${ID}'}}\"}]\n";
    let dir = RunDir::new();
    let file = dir.write("plan.yaml", plan);
    let ended = crate::run::run(&[&file, "--env", &format!("BASE={base}"), "--env", "ID=a b%#it's {{x}}"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let encoded = "a%20b%25%23it%27s%20%7B%7Bx%7D%7D";
    assert_eq!(keeper.take()[0].target, format!("/{encoded}?a={encoded}"));
}
