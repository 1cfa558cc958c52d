//! Flags and commands of other tools, and what to write for them here.

use Remedy::{Flag, Words};

use super::table::find;
use crate::plan::quoted;

/// What to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// This flag, with its value.
    Flag(&'static str),
    /// As the words say.
    Words(&'static str),
}

impl Remedy {
    /// As the end of a message, after a colon.
    pub(super) fn text(self) -> String {
        match self {
            Flag(ours) => {
                let value = find(ours).map_or("", |flag| flag.value);
                format!("write {}", quoted(format!("{ours} {value}").trim_end()))
            }
            Words(words) => words.to_owned(),
        }
    }
}

const OF_A_PLAN: &str = "write `thresholds:` in a plan; `loadtester help thresholds` has the words";
const REDIRECTS: &str = "write `follow_redirects: 5` under `defaults:` in a plan";
const SCRIPT: &str =
    "no scripts are run: a plan's `scenarios` say what to send, and values change with `{{…}}`";
const PERCENTILES: &str = "percentiles are always measured: leave it out";
const HTTP_2: &str = "HTTP/2 is not supported: leave it out for HTTP/1.1";
const URL: &str = "the URL stands without a flag: `loadtester http://HOST:PORT/path`";
const CONTENT_TYPE: &str = "write `-H 'Content-Type: …'`";
const ONCE: &str = "`--once` shows a request and its response";
const FILE: &str = "write `-b @FILE`";

/// Flags of curl, hey, k6, oha, vegeta, wrk and others.
pub(super) const FLAGS_ELSEWHERE: [(&str, Remedy); 73] = [
    ("--concurrency", Flag("-c")),
    ("--users", Flag("-c")),
    ("--vus", Flag("-c")),
    ("--rps", Flag("-r")),
    ("--qps", Flag("-r")),
    ("-R", Flag("-r")),
    ("-q", Words("write `-r RATE`, the rate of the whole run and not of each connection")),
    ("--count", Flag("-n")),
    ("--iterations", Flag("-n")),
    ("--time", Flag("-d")),
    ("-z", Flag("-d")),
    ("--stage", Flag("--stages")),
    ("--ramp-up", Flag("--stages")),
    ("--warmup", Words("write `warmup: 5s` under `load:` in a plan")),
    ("--request", Flag("-m")),
    ("-X", Flag("-m")),
    ("-I", Words("write `-m HEAD`")),
    ("--head", Words("write `-m HEAD`")),
    ("--headers", Flag("-H")),
    ("-T", Words(CONTENT_TYPE)),
    ("--content-type", Words(CONTENT_TYPE)),
    ("-A", Words("write `-H 'Accept: …'` or `-H 'User-Agent: …'`")),
    ("--user-agent", Words("write `-H 'User-Agent: …'`")),
    ("--cookie", Words("write `-H 'Cookie: …'`")),
    ("--compressed", Words("write `-H 'Accept-Encoding: gzip'`")),
    ("--data", Flag("-b")),
    ("--data-raw", Flag("-b")),
    ("--data-binary", Flag("-b")),
    (
        "--json",
        Words(
            "write `-b BODY -H 'Content-Type: application/json'`; a report in JSON is `--report FILE.json`",
        ),
    ),
    ("-D", Words(FILE)),
    ("-p", Words(FILE)),
    ("--body-file", Words(FILE)),
    ("--form", Words("write `form:` or `multipart:` in a scenario of a plan")),
    ("-F", Words("write `form:` or `multipart:` in a scenario of a plan")),
    ("--basic", Flag("--user")),
    ("-a", Words("write `--user USER:PASSWORD`")),
    ("--max-time", Flag("--timeout")),
    ("--connect-timeout", Words("write `connect_timeout: 2s` under `load:` in a plan")),
    ("-L", Words(REDIRECTS)),
    ("--location", Words(REDIRECTS)),
    ("--redirects", Words(REDIRECTS)),
    ("--max-redirects", Words(REDIRECTS)),
    ("-x", Flag("--proxy")),
    ("--disable-keepalive", Flag("--no-keepalive")),
    ("--http2", Words(HTTP_2)),
    ("-h2", Words(HTTP_2)),
    ("--unix-socket", Words("write the URL as `unix:/run/app.sock:/path`")),
    ("--connect-to", Words("write `--resolve HOST:PORT:ADDRESS`, or `connect_to:` in a plan")),
    ("--url", Words(URL)),
    ("--host", Words(URL)),
    ("--targets", Flag("--urls")),
    ("--threshold", Words(OF_A_PLAN)),
    ("--thresholds", Words(OF_A_PLAN)),
    ("-s", Words(SCRIPT)),
    ("--script", Words(SCRIPT)),
    ("--latency", Words(PERCENTILES)),
    ("--latencies", Words(PERCENTILES)),
    ("-l", Words(PERCENTILES)),
    ("--tag", Flag("--label")),
    ("-e", Flag("--env")),
    ("--output", Flag("--report")),
    ("--out", Flag("--report")),
    ("-o", Flag("--report")),
    ("--summary-export", Flag("--report")),
    ("--file", Flag("--plan")),
    ("--config", Flag("--plan")),
    ("-f", Flag("--plan")),
    ("--dry-run", Flag("--check")),
    ("-v", Words(ONCE)),
    ("--verbose", Words(ONCE)),
    ("--debug", Words(ONCE)),
    ("-t", Words("write `--threads N`; how long a response may take is `--timeout DURATION`")),
    ("-w", Words("write `--threads N`; `--workers N` is for several machines, with --role coordinator")),
];

const NO_COMMAND: &str =
    "leave it out: `loadtester loadplan.yaml` or `loadtester http://HOST/ -r 500/s -d 30s`";

/// Commands of other tools, and words that are flags here.
const COMMANDS_ELSEWHERE: [(&str, Remedy); 26] = [
    ("run", Words(NO_COMMAND)),
    ("attack", Words(NO_COMMAND)),
    ("start", Words(NO_COMMAND)),
    ("test", Words(NO_COMMAND)),
    ("bench", Words(NO_COMMAND)),
    ("quick", Words(NO_COMMAND)),
    ("init", Words("`loadtester help plan` begins with a plan to copy")),
    ("new", Words("`loadtester help plan` begins with a plan to copy")),
    ("version", Flag("--version")),
    ("check", Flag("--check")),
    ("validate", Flag("--check")),
    ("inspect", Flag("--check")),
    ("once", Flag("--once")),
    ("demo", Flag("--demo")),
    ("schema", Flag("--schema")),
    ("man", Flag("--man")),
    ("completion", Flag("--completions")),
    ("completions", Flag("--completions")),
    ("report", Flag("--report")),
    ("plot", Words("write `--report FILE.html`")),
    ("compare", Flag("--baseline")),
    ("standalone", Words("leave it out, or write `--role standalone`")),
    ("worker", Words("write `--role worker`")),
    ("agent", Words("write `--role worker`")),
    ("coordinator", Words("write `--role coordinator`")),
    ("target", Words("write `--role target`")),
];

/// What to write here for the flag `name` of another tool.
pub(super) fn flag(name: &str) -> Option<Remedy> {
    FLAGS_ELSEWHERE.iter().find(|(other, _)| *other == name).map(|(_, remedy)| *remedy)
}

/// What to write here for the command `word` of another tool.
pub(super) fn command(word: &str) -> Option<Remedy> {
    COMMANDS_ELSEWHERE.iter().find(|(other, _)| *other == word).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse;

    fn refused(words: &[&str]) -> String {
        parse(words.iter().map(Into::into).collect(), &|_| false).unwrap_err().to_string()
    }

    #[test]
    fn every_flag_of_another_tool_is_refused_with_its_remedy() {
        for (i, (name, remedy)) in FLAGS_ELSEWHERE.iter().enumerate() {
            assert!(find(name).is_none(), "{name} is a flag here");
            assert!(FLAGS_ELSEWHERE[..i].iter().all(|(other, _)| other != name), "{name} stands twice");
            let error = refused(&["http://x/", name, "5"]);
            assert_eq!(error, format!("unknown flag {}: {}", quoted(name), remedy.text()));
            if let Flag(ours) = remedy {
                assert!(find(ours).is_some(), "{name}: {ours} is no flag here");
            }
        }
    }

    #[test]
    fn every_command_of_another_tool_is_refused_with_its_remedy() {
        for (word, remedy) in COMMANDS_ELSEWHERE {
            let expected = format!("{} is no command here: {}", quoted(word), remedy.text());
            assert_eq!(refused(&[word]), expected);
            assert_eq!(refused(&[word, "a.yaml"]), expected);
            if let Flag(ours) = remedy {
                assert!(find(ours).is_some(), "{word}: {ours} is no flag here");
            }
        }
    }

    #[test]
    fn remedies_name_flags_that_exist() {
        for (name, remedy) in FLAGS_ELSEWHERE {
            let text = remedy.text();
            for flag in text.split(['`', ' ', '=']).filter(|word| word.starts_with("--")) {
                assert!(find(flag).is_some(), "{name}: {flag}");
            }
        }
    }
}
