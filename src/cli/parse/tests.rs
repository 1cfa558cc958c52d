//! What is typed, and what it is taken for.

use super::*;
use crate::cli::table::{FLAGS, Flag};
use crate::cli::topic::Topic;

fn parse_words(words: &[&str]) -> Result<Options, UsageError> {
    parse(words.iter().map(OsString::from).collect(), &|_| false)
}

/// A value the flag takes.
fn sample(name: &str) -> &'static str {
    match name {
        "--role" => "target",
        "--listen" => "127.0.0.1:0",
        "--report" => "a.json",
        "--completions" => "bash",
        "--log-format" => "json",
        "--stages" => "1s:5/s",
        "--resolve" => "x:80:127.0.0.1",
        "--env" | "--label" => "A=b",
        "--env-file" => "FILE",
        "--user" => "a:b",
        "--timestamps" => "user",
        "-H" => "A: b",
        "--coordinator" => "http://x:8080",
        "--allow-target" => "x:80",
        "--token-file" | "--operator-token-file" | "--state-dir" => "FILE",
        "-d" | "--timeout" | "--linger" | "--join-timeout" => "3s",
        "--max-regression" => "5%",
        "-b" | "-m" | "--plan" => "TEXT",
        _ => "7",
    }
}

#[test]
fn every_flag_of_the_table_is_parsed_and_changes_something() {
    for flag in &FLAGS {
        let base: &[&str] = match flag.name {
            "--plan" | "--demo" | "--schema" | "--report-schema" | "--completions" | "--role" | "--man" => {
                &[]
            }
            "--env" | "--env-file" => &["--plan", "a.yaml"],
            "--coordinator" => &["--role", "worker"],
            "--slot" | "--allow-target" => &["--role", "worker", "--coordinator", "http://y"],
            "--workers" | "--join-timeout" | "--state-dir" | "--token-file" | "--operator-token-file" => {
                &["--role", "coordinator"]
            }
            _ => &["http://x/"],
        };
        let mut words = base.to_vec();
        words.push(flag.name);
        if !flag.value.is_empty() {
            words.push(sample(flag.name));
        }
        let parsed = parse_words(&words);
        let without = parse_words(base).unwrap_or_default();
        assert_ne!(parsed.as_ref(), Ok(&without), "{} changes nothing", flag.name);
        words.extend_from_slice(&words.clone()[base.len()..]);
        let twice = parse_words(&words);
        let goes_first = matches!(flag.name, "--help" | "--version");
        // A second report, variable or label of the same name is refused, a second header is not.
        let expected = goes_first || matches!(flag.name, "-H" | "--allow-target" | "--resolve");
        assert_eq!(twice.is_ok(), expected, "{} twice: {twice:?}", flag.name);
    }
}

/// Whatever else a role needs is there: only where the flag belongs decides.
#[test]
fn a_flag_is_refused_in_every_role_where_it_does_not_belong() {
    let needs = |flag: &Flag, role| -> &[&str] {
        match (role, flag.name) {
            (_, "--role") => &["--coordinator", "http://y"],
            (Role::Standalone, "--plan" | "--urls" | "--demo") => &[],
            (Role::Standalone, "--env" | "--env-file") => &["--plan", "a.yaml"],
            (Role::Standalone, "--max-regression" | "--baseline-any-plan") => {
                &["--baseline", "b.json", "http://x/"]
            }
            (Role::Standalone, _) => &["http://x/"],
            (Role::Worker, "--plan") => &["--coordinator", "http://y"],
            (Role::Worker, "--coordinator") => &["--plan", "a.yaml"],
            (Role::Worker, _) => &["--coordinator", "http://y", "--plan", "a.yaml"],
            (Role::Coordinator, "--plan") => &[],
            (Role::Coordinator, "--max-regression" | "--baseline-any-plan") => {
                &["--plan", "a.yaml", "--baseline", "b.json"]
            }
            (Role::Coordinator, _) => &["--plan", "a.yaml"],
            (Role::Target, _) => &[],
        }
    };
    for flag in &FLAGS {
        for (name, role) in Role::ALL {
            let mut words = needs(flag, role).to_vec();
            if flag.name == "--role" {
                words.extend(["--role", "worker"]);
            } else {
                words.extend(["--role", name, flag.name]);
                words.extend((!flag.value.is_empty()).then(|| sample(flag.name)));
            }
            // These two are answered whatever else is typed.
            let belongs = flag.roles.contains(&role) || matches!(flag.name, "--help" | "--version");
            let parsed = parse_words(&words);
            assert_eq!(parsed.is_ok(), belongs, "{words:?}: {parsed:?}");
        }
    }
}

#[test]
fn a_url_is_for_a_process_alone() {
    for role in ["worker", "coordinator", "target"] {
        let error = parse_words(&["http://x/", "--role", role]).unwrap_err().to_string();
        assert!(error.starts_with("a URL "), "{error}");
    }
}

#[test]
fn a_flag_that_takes_a_value_is_refused_without_one() {
    for flag in FLAGS.iter().filter(|f| !f.value.is_empty()) {
        for words in [vec![flag.name], vec![flag.name, "--check"]] {
            let error = parse_words(&words).unwrap_err().to_string();
            let remedy = format!("{} needs a value", flag.name);
            assert!(
                error.starts_with(&remedy) && error.contains(&format!("{} {}", flag.name, flag.value)),
                "{error}"
            );
        }
    }
    for flag in FLAGS.iter().filter(|f| f.value.is_empty()) {
        let error = parse_words(&[&format!("{}=x", flag.name)]).unwrap_err().to_string();
        assert!(error.contains("takes no value"), "{error}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "each flag and its value")]
fn all_values_arrive() {
    let options = parse_words(&[
        "http://x/",
        "-c",
        "50",
        "-r=1k",
        "-n",
        "10k",
        "-d",
        "2m30s",
        "-m",
        "POST",
        "-H",
        "A: b:c ",
        "-H",
        "B:",
        "-b=--check",
        "--listen=[::1]:0",
        "--report",
        "a.json",
        "--report",
        "b.HTML",
        "--report=-",
        "--baseline",
        "old.json",
        "--max-regression",
        "5%",
        "--baseline-any-plan",
        "--threads",
        "2",
        "--no-pin",
        "--timestamps",
        "user",
        "--busy-poll",
        "--seed",
        "9",
        "--strict",
        "--linger",
        "1m",
        "--check",
        "--quiet",
        "--no-color",
    ]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = Options {
        url: Some("http://x/".into()),
        concurrency: Some(50),
        rate: Some(1000.0),
        requests: Some(10_000),
        duration_ns: Some(150_000_000_000),
        method: Some("POST".into()),
        headers: vec![pair("A", "b:c"), pair("B", "")],
        body: Some("--check".into()),
        listen: Some(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0))),
        reports: ["a.json", "b.HTML", "-"].map(|text| report::report(text).unwrap()).into(),
        baseline: Some("old.json".into()),
        max_regression: Some(0.05),
        baseline_any_plan: true,
        threads: Some(2),
        no_pin: true,
        timestamps: Timestamps::User,
        busy_poll: true,
        seed: Some(9),
        strict: true,
        linger_ns: 60_000_000_000,
        check: true,
        quiet: true,
        no_color: true,
        ..Options::default()
    };
    assert_eq!(options, Ok(expected));
    let plan = parse_words(&["--plan", "-"]).unwrap();
    assert_eq!(plan.plan.as_deref(), Some("-"));
    let body = parse_words(&["http://x/", "-b", "-5"]).unwrap();
    assert_eq!(body.body.as_deref(), Some("-5"));
    let quotes = parse_words(&["http://x/", "-b=\"x\""]).unwrap();
    assert_eq!(quotes.body.as_deref(), Some("\"x\""));
}

#[test]
fn help_and_version_go_before_any_error() {
    assert_eq!(parse_words(&["--bogus", "-h"]).unwrap().help, Some(Topic::Short));
    for words in [&["--help", "plan"][..], &["--help=plan"], &["help", "plan"], &["-c", "5", "help", "plan"]]
    {
        assert_eq!(parse_words(words).unwrap().help, Some(Topic::Plan), "{words:?}");
    }
    assert_eq!(parse_words(&["http://x", "-h", "y"]).unwrap().help, Some(Topic::Short));
    assert!(parse_words(&["--version", "x", "y"]).unwrap().version);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a_usage_error_names_the_flag_and_the_remedy() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "nothing to do: give a plan or a URL, or try --demo\n  loadtester loadplan.yaml"),
        (&["--chekc"], "unknown flag `--chekc`, did you mean `--check`?"),
        (&["--xyzzyx"], "`--help all` lists them"),
        (&["-y"], "unknown flag `-y`: `--help"),
        (&["-rate=50/s"], "unknown flag `-rate`: write `--rate RATE`"),
        (&["http://x", "-z10s"], "unknown flag `-z`: write `-d DURATION`"),
        (&["http://x", "-t4"], "unknown flag `-t`: write `--threads N`"),
        (&["-once"], "unknown flag `-once`: write `--once`"),
        (&["--proxi", "x"], "unknown flag `--proxi`, did you mean `--proxy`?"),
        (&["-c50"], "unknown flag `-c50`: write `-c 50`"),
        (&["--plan", "--check"], "--plan needs a value, but `--check` follows: write --plan FILE"),
        (&["http://x", "-b", "--check"], "a body that begins like a flag is written -b=--check"),
        (&["--plan", "a", "--plan", "b"], "--plan is given twice"),
        (&["http://x", "http://y"], "`http://x` and `http://y` stand without a flag"),
        (&["a.yaml", "--plan", "b.yaml"], "--plan and `a.yaml` both say what to send"),
        (&["plan"], "`plan` is no command, no file and no URL"),
        (&["--plan", "a", "http://x"], "--plan and a URL both say what to send"),
        (&["--plan", "a", "--demo"], "--plan and --demo both"),
        (&["--demo", "http://x"], "a URL and --demo both"),
        (&["--plan", "a", "-m", "GET"], "-m belongs to a URL"),
        (&["--plan", "a", "-H", "A: b"], "-H belongs to a URL"),
        (&["--demo", "-b", "x"], "-b belongs to a URL"),
        (&["--demo", "--listen", "127.0.0.1:0", "--no-listen"], "--listen and --no-listen: keep one"),
        (&["--demo", "--linger", "1s", "--no-listen"], "--linger keeps the status server up"),
        (&["--role", "target", "--plan", "a"], "--plan has no meaning with --role target"),
        (&["--role", "target", "--no-listen"], "--no-listen has no meaning with --role target"),
        (&["--role", "target", "--threads", "4"], "--threads has no meaning with --role target"),
        (&["--role", "worker"], "add --coordinator http://HOST:8080"),
        (&["--role", "boss"], "write standalone, worker, coordinator or target"),
        (&["--once"], "nothing to do"),
        (&["http://x", "--coordinator", "http://x"], "--coordinator belongs to --role worker: add that"),
        (&["http://x", "--slot", "1"], "--slot belongs to --role worker"),
        (
            &["http://x", "--workers", "3"],
            "--workers belongs to --role coordinator: add that role, or remove --workers; threads of this process are \
             `--threads N`",
        ),
        (&["http://x", "--token-file", "x"], "--token-file belongs to --role worker or coordinator"),
        (&["--role", "target", "--public-status"], "--public-status has no meaning with --role target"),
        (&["--role", "worker", "--coordinator", "https://x"], "https is not possible here"),
        (&["--role", "worker", "--coordinator", "http://x", "--report", "a.json"], "or coordinator"),
        (
            &["--role", "worker", "--coordinator", "http://x", "--workers", "2"],
            "give it to --role coordinator",
        ),
        (&["--role", "worker", "--coordinator", "http://x", "-r", "5/s"], "this worker has none: add --plan"),
        (&["--role", "worker", "--coordinator", "http://x", "--demo"], "--demo has no meaning"),
        (&["--role", "coordinator", "--coordinator", "http://x"], "give it to --role worker"),
        (&["--role", "coordinator", "--workers", "0"], "--workers `0`: too small: write at least 1"),
        (&["--role", "coordinator", "--workers", "1001"], "--workers `1001`: too large"),
        (&["--role", "coordinator", "--threads", "2"], "give it to --role standalone or worker"),
        (&["--role", "coordinator", "--no-listen"], "--no-listen has no meaning"),
        (&["--role", "coordinator", "-d", "5s"], "this coordinator has none: add --plan"),
        (&["--demo", "--once", "-d", "5s"], "-d has no meaning there"),
        (&["--demo", "--once", "--check"], "--check has no meaning there"),
        (&["http://x", "--duration", "5"], "--duration `5`: a duration needs a unit"),
        (&["http://x", "--duration", "5s", "-d", "5s"], "-d is given twice"),
        (&["http://x", "--http2"], "unknown flag `--http2`: HTTP/2 is not supported"),
        (
            &["--plan", "a", "--timeout", "5s"],
            "--timeout belongs to a URL: add one, or write it into the plan: `defaults.timeout`",
        ),
        (
            &["--plan", "a", "--user", "a:secret"],
            "`defaults.headers`, as `Authorization: \"Basic {{base64('USER:PASSWORD')}}\"`",
        ),
        (&["http://x", "-u", "secret"], "-u: has no password: write USER:PASSWORD"),
        (&["http://x", "--env", "A=b"], "--env fills in `${…}` of a plan"),
        (&["--plan", "a", "--env", "secret"], "--env: has no `=`: write KEY=VALUE"),
        (&["--plan", "a", "--label", "a-b=c"], "--label `a-b=c`: `a-b` is not a label's name"),
        (&["http://x", "-4", "-6"], "-4 and -6: keep one"),
        (&["http://x", "--stages", "1s:5/s", "-r", "5"], "remove -r, or the stages"),
        (&["http://x", "--stages", "1s"], "--stages `1s`: `1s` is not a stage"),
        (&["http://x", "--once", "--stages", "1s:5/s"], "--stages has no meaning there"),
        (&["http://x", "--resolve", "x:80"], "--resolve `x:80`: not three parts"),
        (&["http://x", "--log-format", "xml"], "write text or json"),
        (&["--role", "worker", "--coordinator", "http://x", "-6"], "this worker has none: add --plan"),
        (&["-X", "POST"], "unknown flag `-X`: write `-m METHOD`"),
        (&["--dry-run"], "unknown flag `--dry-run`: write `--check`"),
        (&["--cocurrency", "5"], "unknown flag `--cocurrency`, did you mean `--connections`?"),
        (&["--plan", "a", "--env", "A=1", "--env", "A=2"], "--env A is given twice: keep one of the two"),
        (&["http://x", "--label", "a=1", "--label", "a=1"], "--label a is given twice: keep one of the two"),
        (&["http://x", "-c", "many"], "-c `many`: not a count"),
        (&["http://x", "-c", "5G"], "-c `5G`: too large"),
        (&["http://x", "-c", "-5"], "-c needs a value, but `-5` follows"),
        (&["http://x", "-r", "fast"], "-r `fast`: not a rate"),
        (&["http://x", "-d", "30"], "-d `30`: a duration needs a unit: write 30s"),
        (&["http://x", "-H", "A"], "-H `A`: not a header: write it as 'Name: value'"),
        (&["http://x", "-H", "A b: c"], "is not a header name"),
        (&["http://x", "-H", "Connection: upgrade"], "remove it"),
        (&["http://x", "--listen", "8089"], "like 127.0.0.1:8089"),
        (&["http://x", "--threads", "0"], "write at least 1"),
        (&["http://x", "--threads", "1025"], "at most 1024"),
        (&["http://x", "--seed", "-1"], "--seed needs a value"),
        (&["http://x", "--timestamps", "nic"], "kernel or user"),
        (
            &["http://x", "--report", "a.txt"],
            "ends in .json, .html, .xml (JUnit), .csv (timeline), .scenarios.csv or .hlog",
        ),
        (&["--completions", "csh"], "write bash, zsh or fish"),
        (&["http://x", "--report", "a.json", "--report", "a.json"], "--report `a.json` is given twice"),
    ];
    for (words, expected) in cases {
        let error = parse_words(words).expect_err(&words.join(" ")).to_string();
        assert!(error.contains(expected), "{words:?}: {error}");
    }
    use std::os::unix::ffi::OsStringExt;
    let error = parse(vec!["--demo".into(), OsString::from_vec(vec![0xff])], &|_| false).unwrap_err();
    assert_eq!(error.to_string(), "argument 2 is not valid UTF-8");
}

#[test]
fn no_message_repeats_a_credential() {
    for words in [
        &["http://x", "-H", "Authorization: Bearer s3cret\u{1}"][..],
        &["http://x", "-H", "X-Api-Key: s3cret\u{1}"],
        &["http://x", "-H", "password=s3cret"],
        &["http://x", "-uuser:s3cret"],
        &["http://x", "-u", "-user:s3cret"],
        &["http://x", "--user", "s3cret"],
        &["--plan", "a", "--env", "s3cret"],
        &["http://x", "-HAuthorization: s3cret"],
        &["http://x", "-aadmin:s3cret"],
    ] {
        let error = parse_words(words).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{words:?}: {error}");
    }
    let error = parse_words(&["http://x", "-H", "Accept: a\u{1}"]).unwrap_err().to_string();
    assert!(error.contains("Accept: a"), "{error}");
}
