//! Extracts the values of flags from the arguments.

use core::net::SocketAddr;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pico_args::Arguments;

use super::allowed::Allowed;
use super::contradictions::refuse_contradictions;
use super::error::UsageError;
use super::options::{Options, Role, Timestamps};
use super::shell::Shell;
use super::{arguments, fleet, report, table};
use crate::plan::{MAX_SCENARIOS, UrlTls, check_header, quoted};
use crate::units;

/// The most load threads: more cores than a machine has.
const MAX_THREADS: u64 = 1_024;

/// Parses `args` (without the program's name). `--help` and `--version` take precedence over any error.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(args: Vec<OsString>) -> Result<Options, UsageError> {
    for (asked, typed) in [
        (Options { help: true, ..Options::default() }, "--help"),
        (Options { version: true, ..Options::default() }, "--version"),
    ] {
        let flag = table::find(typed);
        if args.iter().any(|a| a.to_str().is_some_and(|a| flag.is_some_and(|flag| flag.is(a)))) {
            return Ok(asked);
        }
    }
    let mut taken = RemainingArguments(Arguments::from_vec(arguments::vet(args)?));
    // A body may look like anything, so it is taken first. Free arguments are what is left.
    let body = taken.text("-b")?;
    let mut options = Options {
        body,
        plan: taken.text("--plan")?,
        role: taken.read("--role", role)?.unwrap_or_default(),
        concurrency: taken.read("-c", |text| count_up_to(text, u32::MAX.into()).map(|n| n as u32))?,
        rate: taken.read("-r", units::parse_rate_flag)?,
        requests: taken.read("-n", units::parse_count)?,
        duration_ns: taken.read("-d", units::parse_duration)?,
        method: taken.text("-m")?,
        headers: taken.read_all("-H", header)?,
        tls: UrlTls {
            ca: taken.text("--cacert")?,
            cert: taken.text("--cert")?,
            key: taken.text("--key")?,
            insecure: taken.has("--insecure"),
        },
        listen: taken.read("--listen", address)?,
        metrics_scenarios: taken.read("--metrics-scenarios", |text| {
            count_up_to(text, MAX_SCENARIOS as u64).map(|n| n as usize)
        })?,
        reports: taken.read_all("--report", report::report)?,
        baseline: taken.read("--baseline", |text| Ok(PathBuf::from(text)))?,
        max_regression: taken.read("--max-regression", units::parse_percent)?,
        baseline_any_plan: taken.has("--baseline-any-plan"),
        threads: taken.read("--threads", threads)?,
        timestamps: taken.read("--timestamps", timestamps)?.unwrap_or_default(),
        seed: taken.read("--seed", seed)?,
        coordinator: taken.read("--coordinator", fleet::coordinator)?,
        workers: taken.read("--workers", workers)?,
        join_timeout_ns: taken.read("--join-timeout", units::parse_duration)?,
        slot: taken.read("--slot", slot)?,
        state_dir: taken.read("--state-dir", |text| Ok(PathBuf::from(text)))?,
        allowed_targets: taken.read_all("--allow-target", Allowed::parse)?,
        token_file: taken.read("--token-file", |text| Ok(PathBuf::from(text)))?,
        operator_token_file: taken.read("--operator-token-file", |text| Ok(PathBuf::from(text)))?,
        public_status: taken.has("--public-status"),
        linger_ns: taken.read("--linger", units::parse_duration)?.unwrap_or(0),
        completions: taken.read("--completions", shell)?,
        demo: taken.has("--demo"),
        no_listen: taken.has("--no-listen"),
        no_pin: taken.has("--no-pin"),
        busy_poll: taken.has("--busy-poll"),
        strict: taken.has("--strict"),
        check: taken.has("--check"),
        once: taken.has("--once"),
        schema: taken.has("--schema"),
        report_schema: taken.has("--report-schema"),
        quiet: taken.has("--quiet"),
        no_color: taken.has("--no-color"),
        ..Options::default()
    };
    options.url = taken.url()?;
    refuse_contradictions(&options)?;
    Ok(options)
}

/// The checked arguments that are not taken yet.
struct RemainingArguments(Arguments);

impl RemainingArguments {
    fn has(&mut self, name: &'static str) -> bool {
        self.0.contains(name)
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>, UsageError> {
        self.read(name, |text| Ok(text.to_owned()))
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, UsageError> {
        let text: Option<String> =
            self.0.opt_value_from_str(name).map_err(|error| UsageError::new(format!("{name}: {error}")))?;
        text.map(|text| parse(&text).map_err(|message| refused(name, &text, &message))).transpose()
    }

    fn read_all<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, UsageError> {
        std::iter::from_fn(|| self.read(name, &parse).transpose()).collect()
    }

    /// The free argument; call this after all flags are taken.
    fn url(self) -> Result<Option<String>, UsageError> {
        let free: Vec<String> = self.0.finish().iter().map(|a| a.to_string_lossy().into_owned()).collect();
        match free.as_slice() {
            [] => Ok(None),
            [file] if file == "-" || is_plan_name(file) => {
                Err(UsageError::new(format!("{} is not a URL: a plan is given with --plan", quoted(file))))
            }
            [url] => Ok(Some(url.clone())),
            [first, second, ..] => Err(UsageError::new(format!(
                "{} and {} stand without a flag: give one URL, or one flag for each",
                quoted(first),
                quoted(second)
            ))),
        }
    }
}

fn refused(name: &str, text: &str, message: &str) -> UsageError {
    UsageError::new(format!("{name} {}: {message}", quoted(text)))
}

fn is_plan_name(text: &str) -> bool {
    let extension = Path::new(text).extension().and_then(|e| e.to_str());
    !text.contains("://") && matches!(extension, Some("yaml" | "yml"))
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "standalone" => Ok(Role::Standalone),
        "target" => Ok(Role::Target),
        "worker" => Ok(Role::Worker),
        "coordinator" => Ok(Role::Coordinator),
        _ => Err("not a role: write standalone, worker, coordinator or target".to_owned()),
    }
}

fn timestamps(text: &str) -> Result<Timestamps, String> {
    match text {
        "kernel" => Ok(Timestamps::Kernel),
        "user" => Ok(Timestamps::User),
        _ => Err("not a source of receive times: write kernel or user".to_owned()),
    }
}

fn count_up_to(text: &str, most: u64) -> Result<u64, String> {
    match units::parse_count(text)? {
        n if n > most => Err(format!("too large: write at most {most}")),
        n => Ok(n),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match count_up_to(text, MAX_THREADS)? {
        0 => Err("too small: write at least 1, or leave it out".to_owned()),
        n => Ok(n as usize),
    }
}

fn workers(text: &str) -> Result<u32, String> {
    match count_up_to(text, fleet::MAX_WORKERS)? {
        0 => Err("too small: write at least 1".to_owned()),
        n => Ok(n as u32),
    }
}

fn slot(text: &str) -> Result<u32, String> {
    let most = crate::fleet::messages::MAX_SLOT - 1;
    text.parse()
        .ok()
        .filter(|n| *n <= most)
        .ok_or(format!("not a place: write a whole number from 0 to {most}"))
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("not a seed: write a whole number from 0 to {}", u64::MAX))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let remedy = "not an address: write an IP address and a port, like 127.0.0.1:8089 or [::1]:0";
    text.parse().map_err(|_| remedy.to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("not a header: write it as 'Name: value'")?;
    let (name, value) = (name.trim_end(), value.trim());
    check_header(name, value)?;
    Ok((name.to_owned(), value.to_owned()))
}

fn shell(text: &str) -> Result<Shell, String> {
    let known = Shell::ALL.iter().find(|(name, _)| *name == text);
    known.map(|(_, shell)| *shell).ok_or("not a shell we know: write bash, zsh or fish".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::FLAGS;

    fn parse_words(words: &[&str]) -> Result<Options, UsageError> {
        parse(words.iter().map(OsString::from).collect())
    }

    /// A valid value for the flag.
    fn sample(name: &str) -> &'static str {
        match name {
            "--role" => "target",
            "--listen" => "127.0.0.1:0",
            "--report" => "a.json",
            "--completions" => "bash",
            "--timestamps" => "user",
            "-H" => "A: b",
            "--coordinator" => "http://x:8080",
            "--allow-target" => "x:80",
            "--token-file" | "--operator-token-file" | "--state-dir" => "FILE",
            "-d" | "--linger" | "--join-timeout" => "3s",
            "--max-regression" => "5%",
            "-b" | "-m" | "--plan" => "TEXT",
            _ => "7",
        }
    }

    #[test]
    fn every_flag_of_the_table_is_parsed_and_changes_something() {
        for flag in &FLAGS {
            let base: &[&str] = match flag.name {
                "--plan" | "--demo" | "--schema" | "--report-schema" | "--completions" | "--role" => &[],
                "--coordinator" => &["--role", "worker"],
                "--slot" | "--allow-target" => &["--role", "worker", "--coordinator", "http://y"],
                "--workers" | "--join-timeout" | "--state-dir" | "--token-file" => &["--role", "coordinator"],
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
            // A second report of the same name is refused, a second header is not.
            let expected = goes_first || matches!(flag.name, "-H" | "--allow-target");
            assert_eq!(twice.is_ok(), expected, "{} twice: {twice:?}", flag.name);
        }
    }

    #[test]
    fn a_flag_that_takes_a_value_is_refused_without_one() {
        for flag in FLAGS.iter().filter(|f| !f.value.is_empty()) {
            for words in [vec![flag.name], vec![flag.name, "--check"]] {
                let error = parse_words(&words).unwrap_err().to_string();
                assert!(error.contains(&format!("{} {}", flag.name, flag.value)), "{error}");
            }
        }
        for flag in FLAGS.iter().filter(|f| f.value.is_empty()) {
            let error = parse_words(&[&format!("{}=x", flag.name)]).unwrap_err().to_string();
            assert!(error.contains(flag.name), "{error}");
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
        assert!(parse_words(&["--bogus", "-h"]).unwrap().help);
        assert!(parse_words(&["--version", "x", "y"]).unwrap().version);
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn a_usage_error_names_the_flag_and_the_remedy() {
        let cases: [(&[&str], &str); 61] = [
            (&[], "nothing to do: give a plan or a URL, or try --demo\n  loadtester --plan"),
            (&["--chekc"], "unknown flag `--chekc`, did you mean `--check`?"),
            (&["--xyzzyx"], "--help lists them all"),
            (&["-x"], "unknown flag `-x`: --help"),
            (&["-c50"], "unknown flag `-c50`: write `-c 50`"),
            (&["--plan", "--check"], "--plan needs a value, but `--check` follows: write --plan FILE"),
            (&["http://x", "-b", "--check"], "a body that begins like a flag is written -b=--check"),
            (&["--plan", "a", "--plan", "b"], "--plan is given twice"),
            (&["http://x", "http://y"], "`http://x` and `http://y` stand without a flag"),
            (&["plan.yaml"], "a plan is given with --plan"),
            (&["--plan", "a", "http://x"], "--plan and a URL both say what to send"),
            (&["--plan", "a", "--demo"], "--plan and --demo both"),
            (&["--demo", "http://x"], "a URL and --demo both"),
            (&["--plan", "a", "-m", "GET"], "-m belongs to a URL"),
            (&["--plan", "a", "-H", "A: b"], "-H belongs to a URL"),
            (&["--demo", "-b", "x"], "-b belongs to a URL"),
            (&["--demo", "--listen", "127.0.0.1:0", "--no-listen"], "--listen and --no-listen: keep one"),
            (&["--demo", "--linger", "1s", "--no-listen"], "--linger keeps the status server up"),
            (&["--role", "target", "--plan", "a"], "--plan has no meaning there"),
            (&["--role", "target", "--no-listen"], "--no-listen has no meaning there"),
            (&["--role", "target", "-c", "5"], "-c has no meaning there"),
            (&["--role", "worker"], "add --coordinator http://HOST:8080"),
            (&["--role", "boss"], "write standalone, worker, coordinator or target"),
            (&["--once"], "nothing to do"),
            (&["http://x", "--coordinator", "http://x"], "--coordinator belongs to --role worker: add that"),
            (&["http://x", "--slot", "1"], "--slot belongs to --role worker"),
            (&["http://x", "--workers", "3"], "--workers belongs to --role coordinator: add that"),
            (&["http://x", "--token-file", "x"], "--token-file belongs to --role worker or coordinator"),
            (&["--role", "target", "--public-status"], "--public-status has no meaning with --role target"),
            (&["--role", "worker", "--coordinator", "https://x"], "https is not possible here"),
            (&["--role", "worker", "--coordinator", "http://x", "--report", "a.json"], "give it there"),
            (
                &["--role", "worker", "--coordinator", "http://x", "--workers", "2"],
                "belongs to the coordinator",
            ),
            (&["--role", "worker", "--coordinator", "http://x", "-r", "5/s"], "this worker brings none"),
            (&["--role", "worker", "--coordinator", "http://x", "--demo"], "--demo has no meaning"),
            (
                &["--role", "coordinator", "--coordinator", "http://x"],
                "--coordinator belongs to --role worker",
            ),
            (&["--role", "coordinator", "--workers", "0"], "--workers `0`: too small: write at least 1"),
            (&["--role", "coordinator", "--workers", "1001"], "--workers `1001`: too large"),
            (
                &["--role", "coordinator", "--threads", "2"],
                "a coordinator sends none: give it to the workers",
            ),
            (&["--role", "coordinator", "--no-listen"], "--no-listen has no meaning"),
            (&["--role", "coordinator", "-d", "5s"], "this coordinator has none: add --plan"),
            (&["--demo", "--once", "-d", "5s"], "-d has no meaning there"),
            (&["--demo", "--once", "--check"], "--check has no meaning there"),
            (&["--duration", "5s"], "unknown flag `--duration`: write `-d DURATION`"),
            (&["-X", "POST"], "unknown flag `-X`: write `-m METHOD`"),
            (&["--dry-run"], "unknown flag `--dry-run`: write `--check`"),
            (&["http://x", "-c", "many"], "-c `many`: not a count"),
            (&["http://x", "-c", "5G"], "-c `5G`: too large"),
            (&["http://x", "-c", "-5"], "-c needs a value, but `-5` follows"),
            (&["http://x", "-r", "fast"], "-r `fast`: not a rate"),
            (&["http://x", "-d", "30"], "-d `30`: a duration needs a unit: write 30s"),
            (&["http://x", "-H", "A"], "-H `A`: not a header: write it as 'Name: value'"),
            (&["http://x", "-H", "A b: c"], "is not a header name"),
            (&["http://x", "-H", "Connection: close"], "remove it"),
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
        let error = parse(vec!["--demo".into(), OsString::from_vec(vec![0xff])]).unwrap_err();
        assert_eq!(error.to_string(), "argument 2 is not valid UTF-8");
    }
}
