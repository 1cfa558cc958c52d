//! The texts of the help's topics that are not about flags.

use serde_json::Value;

use super::layout::entry;
use crate::plan;
use crate::report::EXTENSIONS;

/// The column at which the meanings of a plan's keys begin.
const KEY_COLUMN: usize = 28;

pub(super) const THRESHOLDS: &str = "\
Limits that the run must keep, in the plan:

  thresholds:
    - p99 < 250ms
    - error_rate < 1%
    - \"Get users: p95 < 100ms\"
    - { expression: \"rate >= 495/s\", abort_after: 10s }

A threshold is [SCENARIO:] [WHICH] FIGURE < | <= | > | >= | == LIMIT.

  p1 to p99.99, median,    a time, like 250ms; a request that failed or was
  mean, max                dropped because of the target counts as over the
                           limit of a percentile
  error_rate               a share, like 1% or 0.01
  rate                     good responses a second, like 495/s
  dropped, count           requests never sent; requests that ended
  answered_share           share of the time with answers, like 99%
  longest_gap              the longest time without one, like 2s

WHICH goes before a time. `response`, the default, is the time from the instant
a request was due. `service` is the time from the send. `ok` looks only at
requests that succeeded, `failed` only at those that did not.

A plan with thresholds and none on answered_share or longest_gap gets
`answered_share >= 99%`. If there are too few requests to decide, the threshold
is inconclusive: exit code 4. `--check` says how many would decide.
`abort_after` ends the run once the threshold has failed for that long.
";

pub(super) const FLEET: &str = "\
One coordinator has the plan, judges and reports. Workers send the load:

  loadtester loadplan.yaml --role coordinator --workers 3
  loadtester --role worker --coordinator http://HOST:8080

LOADTESTER_TOKEN or --token-file gives both the same token
(`openssl rand -hex 32` makes one). Without a token a coordinator listens on
this machine alone. Give the flags of the plan (-c, -r, --env, --label, ...) to
the process that has it.
";

/// Variables that are read, and what for.
pub(super) const VARIABLES: [(&str, &str); 13] = [
    (
        "NAME",
        "any name that the plan uses as `${NAME}` or `${NAME:-default}`; --env and --env-file override it; `$${` is a literal `${`",
    ),
    ("http_proxy, https_proxy, all_proxy", "the proxy of http targets, https targets, both (--proxy)"),
    ("no_proxy", "hosts that are reached without a proxy"),
    ("LOADTESTER_TOKEN", "the token that workers show to the coordinator (--token-file)"),
    ("LOADTESTER_OPERATOR_TOKEN", "the token that starts and stops runs (--operator-token-file)"),
    ("LOADTESTER_READ_TOKEN", "a token that may only read status, metrics and dashboard"),
    ("JOB_COMPLETION_INDEX", "a worker's slot (--slot), as Kubernetes sets it"),
    ("COLUMNS", "columns of the summary where it goes to no terminal, 40 to 200; else 100"),
    ("NO_COLOR", "set and not empty: no colors (--no-color)"),
    ("SSL_CERT_FILE", "PEM file with the CAs to trust instead of the system's"),
    ("SSL_CERT_DIR", "directory with such files"),
    ("GITHUB_ACTIONS", "`true`: the run prints annotations for what failed"),
    ("GITHUB_STEP_SUMMARY", "the file that the job summary is added to"),
];

pub(super) fn environment() -> String {
    let entries = VARIABLES.iter().map(|(name, what)| entry(2, name, 29, what));
    let file = "lines of KEY=VALUE; empty lines and lines that start with # are skipped, and so are `export ` before a key and \
                quotes around a value";
    let entries = entries.collect::<String>();
    format!("Variables of the environment:\n{entries}\nThe file of --env-file:\n{}", entry(0, "", 2, file))
}

pub(super) fn reports() -> String {
    let mut text = "Formats of --report, by extension:\n".to_owned();
    for (extension, format) in EXTENSIONS {
        text += &entry(2, &format!(".{extension}"), 18, format.meaning());
    }
    text += &entry(2, "-", 18, "JSON on standard output; the summary goes to standard error");
    text += "\nA file is replaced when its new content is complete. If a run has no result, the\n\
             file says why. During a run, and for --linger after it, the status server has:\n";
    for (path, what) in [
        ("/", "the dashboard"),
        ("/status", "the run so far, as JSON"),
        ("/metrics", "the same for Prometheus"),
        ("/report.json", "the result, once the run is over; .html, .xml and .csv likewise"),
        ("/healthz, /readyz", "this process is alive; the run has begun"),
    ] {
        text += &entry(2, path, 21, what);
    }
    text
}

/// The keys of a plan, from its schema.
pub(super) fn plan() -> String {
    let mut text = "A load plan is a YAML file:\n\n\
                    \u{20} base_url: http://127.0.0.1:8081\n\
                    \u{20} load: { rate: 500/s, duration: 30s }\n\
                    \u{20} scenarios:\n\
                    \u{20}   - { name: Get users, path: \"/v1/users?page=1\", weight: 2 }\n\
                    \u{20}   - { path: /v1/users, method: POST, body: \"{}\" }\n\
                    \u{20} thresholds: [p99 < 250ms, error_rate < 1%]\n\n\
                    `${NAME}` and `${NAME:-default}` come from the environment, `$${` is a literal\n\
                    `${`. Top-level keys that start with x- are ignored: keep anchors there.\n\n"
        .to_owned();
    let schema: Value = serde_json::from_str(&plan::schema()).unwrap_or_default();
    keys(&schema, 0, &mut text);
    text
}

/// A line or more for each key of `schema`, those within it below.
fn keys(schema: &Value, depth: usize, text: &mut String) {
    let of_items = &schema["items"];
    let properties = schema["properties"].as_object().or_else(|| of_items["properties"].as_object());
    for (key, inner) in properties.into_iter().flatten() {
        let mut what = inner["description"].as_str().unwrap_or_default().trim().to_owned();
        match &inner["default"] {
            Value::Null => {}
            Value::String(default) => what += &format!(" Default: {default}."),
            default => what += &format!(" Default: {default}."),
        }
        *text += &entry(2 * depth, key, KEY_COLUMN, &what);
        keys(inner, depth + 1, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_thresholds_names_every_word_of_a_threshold() {
        for word in plan::THRESHOLD_WORDS {
            assert!(THRESHOLDS.contains(word), "{word}");
        }
        for line in THRESHOLDS.lines().filter_map(|line| line.trim().strip_prefix("- ")) {
            assert!(plan().contains("thresholds"), "{line}");
        }
    }

    #[test]
    fn the_topic_plan_has_the_keys_at_every_depth() {
        let text = plan();
        for key in ["base_url", "\n  stages", "\n    from", "\n  body ", "labels", "\n    json", "connect_to"]
        {
            assert!(text.contains(key), "{key}: {text}");
        }
    }
}
