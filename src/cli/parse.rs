//! Extracts the values of flags from the arguments.

use core::net::SocketAddr;
use std::ffi::OsString;
use std::path::PathBuf;

use pico_args::Arguments;

use super::allowed::Allowed;
use super::contradictions::refuse_contradictions;
use super::error::UsageError;
use super::options::{LogFormat, Options, Role, Timestamps};
use super::shell::Shell;
use super::source::{self, Source};
use super::topic::Topic;
use super::values::{count_up_to, header, key_value, label, resolve, stages, user, variable};
use super::{arguments, fleet, report, table};
use crate::plan::{Family, MAX_SCENARIOS, UrlTls, quoted, secrets};
use crate::units;

/// The most load threads: more cores than a machine has.
const MAX_THREADS: u64 = 1_024;

/// Parses `args` (without the program's name); `is_file` tells whether there is a file of a name. `--help` and
/// `--version` take precedence over any error.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(args: Vec<OsString>, is_file: &dyn Fn(&str) -> bool) -> Result<Options, UsageError> {
    if let Some(asked) = asked(&args) {
        return Ok(asked);
    }
    let vetted = arguments::vet(args)?;
    let mut taken =
        RemainingArguments { arguments: Arguments::from_vec(vetted.arguments), typed: vetted.typed };
    // A body may look like anything: it leaves first. Free arguments are what is left.
    let mut options = Options { body: taken.text("-b")?, ..Options::default() };
    read_source(&mut taken, &mut options)?;
    read_load(&mut taken, &mut options)?;
    read_request(&mut taken, &mut options)?;
    read_results(&mut taken, &mut options)?;
    read_measurement(&mut taken, &mut options)?;
    read_fleet(&mut taken, &mut options)?;
    match source::of(&taken.free(), is_file)? {
        Source::Nothing => {}
        Source::Help(topic) => return Ok(Options { help: Some(topic), ..Options::default() }),
        Source::Plan(file) if options.plan.is_some() => {
            let what = format!("--plan and {} both say what to send: keep one of them", quoted(&file));
            return Err(UsageError::new(what));
        }
        Source::Plan(file) => options.plan = Some(file),
        Source::Url(url) => options.url = Some(url),
    }
    refuse_contradictions(&options, &vetted.flags)?;
    Ok(options)
}

/// What to do, and with what.
fn read_source(taken: &mut RemainingArguments, options: &mut Options) -> Result<(), UsageError> {
    options.plan = taken.text("--plan")?;
    options.urls = taken.text("--urls")?;
    options.role = taken.read("--role", role)?.unwrap_or_default();
    options.env = taken.read_all_secrets("--env", |text| key_value(text).and_then(variable))?;
    options.env_file = taken.read("--env-file", path)?;
    options.completions = taken.read("--completions", shell)?;
    options.demo = taken.has("--demo");
    options.check = taken.has("--check");
    options.once = taken.has("--once");
    options.schema = taken.has("--schema");
    options.report_schema = taken.has("--report-schema");
    options.man = taken.has("--man");
    Ok(())
}

/// How much load, over which connections.
fn read_load(taken: &mut RemainingArguments, options: &mut Options) -> Result<(), UsageError> {
    options.concurrency = taken.read("-c", |text| count_up_to(text, u32::MAX.into()).map(|n| n as u32))?;
    options.rate = taken.read("-r", units::parse_rate_flag)?;
    options.requests = taken.read("-n", units::parse_count)?;
    options.duration_ns = taken.read("-d", units::parse_duration)?;
    options.stages = taken.read("--stages", stages)?;
    options.no_keep_alive = taken.has("--no-keepalive");
    options.resolve = taken.read_all("--resolve", resolve)?;
    options.proxy = taken.read_secret("--proxy", |text| Ok(text.to_owned()))?;
    options.family = match (taken.has("-4"), taken.has("-6")) {
        (true, true) => return Err(UsageError::new("-4 and -6: keep one of them")),
        (true, false) => Some(Family::V4),
        (false, true) => Some(Family::V6),
        (false, false) => None,
    };
    Ok(())
}

/// What is sent to a URL; its body has left.
fn read_request(taken: &mut RemainingArguments, options: &mut Options) -> Result<(), UsageError> {
    options.method = taken.text("-m")?;
    options.headers = taken.read_all_shown("-H", header, shown_header)?;
    options.user = taken.read_secret("--user", user)?;
    options.timeout_ns = taken.read("--timeout", units::parse_duration)?;
    options.tls = UrlTls {
        ca: taken.text("--cacert")?,
        cert: taken.text("--cert")?,
        key: taken.text("--key")?,
        insecure: taken.has("--insecure"),
    };
    Ok(())
}

/// What becomes of the result.
fn read_results(taken: &mut RemainingArguments, options: &mut Options) -> Result<(), UsageError> {
    let up_to_scenarios = |text: &str| count_up_to(text, MAX_SCENARIOS as u64).map(|n| n as usize);
    options.labels = taken.read_all("--label", label)?;
    options.log_format = taken.read("--log-format", log_format)?.unwrap_or_default();
    options.listen = taken.read("--listen", address)?;
    options.no_listen = taken.has("--no-listen");
    options.metrics_scenarios = taken.read("--metrics-scenarios", up_to_scenarios)?;
    options.reports = taken.read_all("--report", report::report)?;
    options.baseline = taken.read("--baseline", path)?;
    options.max_regression = taken.read("--max-regression", units::parse_percent)?;
    options.baseline_any_plan = taken.has("--baseline-any-plan");
    options.linger_ns = taken.read("--linger", units::parse_duration)?.unwrap_or(0);
    options.strict = taken.has("--strict");
    options.quiet = taken.has("--quiet");
    options.no_color = taken.has("--no-color");
    Ok(())
}

/// How is measured.
fn read_measurement(taken: &mut RemainingArguments, options: &mut Options) -> Result<(), UsageError> {
    options.threads = taken.read("--threads", threads)?;
    options.timestamps = taken.read("--timestamps", timestamps)?.unwrap_or_default();
    options.seed = taken.read("--seed", seed)?;
    options.no_pin = taken.has("--no-pin");
    options.busy_poll = taken.has("--busy-poll");
    Ok(())
}

/// What coordinators and workers need.
fn read_fleet(taken: &mut RemainingArguments, options: &mut Options) -> Result<(), UsageError> {
    options.coordinator = taken.read("--coordinator", fleet::coordinator)?;
    options.workers = taken.read("--workers", workers)?;
    options.join_timeout_ns = taken.read("--join-timeout", units::parse_duration)?;
    options.slot = taken.read("--slot", slot)?;
    options.data_dir = taken.read("--data-dir", path)?;
    options.state_dir = taken.read("--state-dir", path)?;
    options.allowed_targets = taken.read_all("--allow-target", Allowed::parse)?;
    options.token_file = taken.read("--token-file", path)?;
    options.operator_token_file = taken.read("--operator-token-file", path)?;
    options.public_status = taken.has("--public-status");
    Ok(())
}

/// What is answered whatever else is typed: help and version.
fn asked(args: &[OsString]) -> Option<Options> {
    let is = |typed: &str, name: &str| table::find(name).is_some_and(|flag| flag.is(typed));
    let mut words = args.iter().map(|word| word.to_str().unwrap_or_default()).peekable();
    let mut version = None;
    while let Some(word) = words.next() {
        let (name, attached) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        if is(name, "--help") {
            let topic = match attached.map(Topic::find) {
                // Not a topic: a mistake that is told later.
                Some(None) => continue,
                Some(topic) => topic,
                None => words.peek().and_then(|word| Topic::find(word)),
            };
            let topic = topic.unwrap_or(Topic::Short);
            return Some(Options { help: Some(topic), ..Options::default() });
        }
        if is(word, "--version") {
            version = Some(Options { version: true, ..Options::default() });
        }
    }
    version
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

/// Whether arguments that [`parse`] may refuse ask for messages as JSON.
pub fn log_format_of(args: &[OsString]) -> LogFormat {
    let mut words = args.iter().map(|word| word.to_str().unwrap_or_default());
    let is_json = words.any(|word| word == "--log-format=json")
        || args.windows(2).any(|two| two[0] == "--log-format" && two[1] == "json");
    if is_json { LogFormat::Json } else { LogFormat::Text }
}

/// The vetted arguments that are left.
struct RemainingArguments {
    arguments: Arguments,
    /// Each flag's own name, and the name that was typed.
    typed: Vec<(&'static str, String)>,
}

impl RemainingArguments {
    fn has(&mut self, name: &'static str) -> bool {
        self.arguments.contains(name)
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>, UsageError> {
        self.read(name, |text| Ok(text.to_owned()))
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, UsageError> {
        self.read_shown(name, parse, str::to_owned)
    }

    /// Messages show a value as `shown` does.
    fn read_shown<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
        shown: fn(&str) -> String,
    ) -> Result<Option<T>, UsageError> {
        let text = self.value(name)?;
        let typed = self.typed(name);
        let error = |text: &str, why| UsageError::new(format!("{typed} {}: {why}", quoted(&shown(text))));
        text.map(|text| parse(&text).map_err(|why| error(&text, why))).transpose()
    }

    /// A value that no message repeats.
    fn read_secret<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, UsageError> {
        let text = self.value(name)?;
        let typed = self.typed(name);
        text.map(|text| parse(&text).map_err(|message| UsageError::new(format!("{typed}: {message}"))))
            .transpose()
    }

    fn read_all_secrets<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, UsageError> {
        std::iter::from_fn(|| self.read_secret(name, &parse).transpose()).collect()
    }

    fn value(&mut self, name: &'static str) -> Result<Option<String>, UsageError> {
        let value = self.arguments.opt_value_from_str(name);
        value.map_err(|error| UsageError::new(format!("{name}: {error}")))
    }

    /// The name under which the flag was typed.
    fn typed(&self, name: &'static str) -> String {
        let found = self.typed.iter().find(|(own, _)| *own == name);
        found.map_or_else(|| name.to_owned(), |(_, typed)| typed.clone())
    }

    fn read_all<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, UsageError> {
        self.read_all_shown(name, parse, str::to_owned)
    }

    fn read_all_shown<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
        shown: fn(&str) -> String,
    ) -> Result<Vec<T>, UsageError> {
        std::iter::from_fn(|| self.read_shown(name, &parse, shown).transpose()).collect()
    }

    /// The arguments without a flag; call this after all flags are taken.
    fn free(self) -> Vec<String> {
        self.arguments.finish().iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }
}

/// A header for a message, without a credential; what is no header may be one.
fn shown_header(text: &str) -> String {
    match text.split_once(':') {
        Some((name, value)) => format!("{name}: {}", secrets::header_value(name, value.trim())),
        None => secrets::text(text),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "parsers of values may fail")]
fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
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

fn log_format(text: &str) -> Result<LogFormat, String> {
    let known = LogFormat::ALL.iter().find(|(name, _)| *name == text);
    known.map(|(_, format)| *format).ok_or("not a format of messages: write text or json".to_owned())
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
        .ok_or(format!("not a slot number: write a whole number from 0 to {most}"))
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("not a seed: write a whole number from 0 to {}", u64::MAX))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let remedy = "not an address: write an IP address and a port, like 127.0.0.1:8089 or [::1]:0";
    text.parse().map_err(|_| remedy.to_owned())
}

fn shell(text: &str) -> Result<Shell, String> {
    let known = Shell::ALL.iter().find(|(name, _)| *name == text);
    known.map(|(_, shell)| *shell).ok_or("not a shell we know: write bash, zsh or fish".to_owned())
}

#[cfg(test)]
mod tests;
