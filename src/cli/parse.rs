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
    let (vetted, typed) = arguments::vet(args)?;
    let mut taken = RemainingArguments(Arguments::from_vec(vetted));
    // A body may look like anything: it leaves first. Free arguments are what is left.
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
    refuse_contradictions(&options, &typed)?;
    Ok(options)
}

/// Of arguments that [`parse`] refuses, the reports that they ask for, as far as they can be read; none where no run
/// was meant, or where those of an earlier process may be of the same run.
pub fn reports_of(args: Vec<OsString>) -> Options {
    let mut options = Options::default();
    let mut words = args.iter().map(|word| word.to_str().unwrap_or_default());
    while let Some(word) = words.next() {
        let (name, attached) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let Some(flag) = table::find(name) else { continue };
        let value = if flag.value.is_empty() { None } else { attached.or_else(|| words.next()) };
        match (flag.name, value) {
            ("--check" | "--once" | "--schema" | "--report-schema" | "--completions" | "--state-dir", _) => {
                return Options::default();
            }
            ("--role", Some("worker" | "target")) => return Options::default(),
            ("--report", Some(value)) => options.reports.extend(report::report(value)),
            _ => {}
        }
    }
    options.reports.dedup();
    options
}

/// The vetted arguments that are left.
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
    let known = Role::ALL.iter().find(|(name, _)| *name == text);
    let remedy = "not a role: write standalone, worker, coordinator or target";
    known.map(|(_, role)| *role).ok_or(remedy.to_owned())
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
mod tests;
