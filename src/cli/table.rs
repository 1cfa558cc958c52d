//! The table of all flags. Parsing, help, the man page, completions and docs/cli.md are made from it.

use super::options::Role;

/// One flag.
#[derive(Debug)]
pub(super) struct Flag {
    /// As typed, with its dashes.
    pub(crate) name: &'static str,
    /// Another name for it, or empty.
    pub(crate) alias: &'static str,
    /// The name of its value in the help; empty: it takes none.
    pub(crate) value: &'static str,
    /// The section of the help it belongs to.
    pub(crate) group: Group,
    /// The roles it belongs to; in any other it is refused.
    pub(crate) roles: &'static [Role],
    /// What it does, in half a sentence.
    pub(crate) help: &'static str,
    /// Its default as the help shows it; empty: none.
    pub(crate) default: &'static str,
    /// How often it may be given.
    pub(crate) kind: Kind,
    /// A few words for the short help, which fits a screen; empty: it is not among the flags most people need.
    pub(crate) brief: &'static str,
}

/// Sections of the help, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    What,
    HowMuch,
    Request,
    Connections,
    Results,
    Measurement,
    Fleet,
    Other,
}

impl Group {
    pub(crate) const ALL: [Self; 8] = [
        Self::What,
        Self::HowMuch,
        Self::Request,
        Self::Connections,
        Self::Results,
        Self::Measurement,
        Self::Fleet,
        Self::Other,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::What => "What to do",
            Self::HowMuch => "Load (overrides the plan)",
            Self::Request => "Request (for a URL, without a plan)",
            Self::Connections => "Connections (override the plan)",
            Self::Results => "Results",
            Self::Measurement => "Measurement",
            Self::Fleet => "Several machines",
            Self::Other => "Other",
        }
    }
}

/// How a flag may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// At most once.
    Once,
    /// Any number of times.
    Repeatable,
}

const fn flag(
    name: &'static str,
    value: &'static str,
    group: Group,
    roles: &'static [Role],
    help: &'static str,
) -> Flag {
    Flag { name, alias: "", value, group, roles, help, default: "", kind: Kind::Once, brief: "" }
}

impl Flag {
    const fn or(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    const fn repeatable(self) -> Self {
        Self { kind: Kind::Repeatable, ..self }
    }

    const fn brief(self, brief: &'static str) -> Self {
        Self { brief, ..self }
    }

    /// Its names, the short one first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let names = if self.name.len() <= self.alias.len() {
            [self.name, self.alias]
        } else {
            [self.alias, self.name]
        };
        names.into_iter().filter(|name| !name.is_empty())
    }

    /// Whether `typed` is this flag.
    pub(crate) fn is(&self, typed: &str) -> bool {
        self.name == typed || (!self.alias.is_empty() && self.alias == typed)
    }
}

/// The flag called `typed`, if any.
pub(super) fn find(typed: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.is(typed))
}

use Group::{Connections, Fleet, HowMuch, Measurement, Other, Request, Results, What};

/// Every role.
const ALL: &[Role] = &[Role::Standalone, Role::Worker, Role::Coordinator, Role::Target];
/// The one that needs nobody else.
const ALONE: &[Role] = &[Role::Standalone];
/// Those that may be given a plan, and show how its run goes.
const PLANS: &[Role] = &[Role::Standalone, Role::Worker, Role::Coordinator];
/// Those that send load.
const SENDERS: &[Role] = &[Role::Standalone, Role::Worker];
/// Those that judge a run and report it.
const JUDGES: &[Role] = &[Role::Standalone, Role::Coordinator];
/// Those of a fleet: one of them, the other, or both.
const WORKER: &[Role] = &[Role::Worker];
const COORDINATOR: &[Role] = &[Role::Coordinator];
const FLEET: &[Role] = &[Role::Worker, Role::Coordinator];

/// All flags, in the order of the help.
pub(super) static FLAGS: [Flag; 61] = [
    flag("--plan", "FILE", What, PLANS, "the load plan, a YAML file; `-` reads standard input; also the first argument without a flag"),
    flag("--env", "KEY=VALUE", What, PLANS, "a value for `${KEY}` in the plan; overrides --env-file and the environment")
        .repeatable()
        .brief("a value for `${KEY}` in the plan"),
    flag("--env-file", "FILE", What, PLANS, "a file with lines of KEY=VALUE for `${KEY}` in the plan; overrides the environment"),
    flag("--demo", "", What, ALONE, "start a demo target and run a sample plan against it"),
    flag("--role", "ROLE", What, ALL, "what this process is: `standalone`, `worker`, `coordinator`, or `target`, the demo target")
        .default("standalone"),
    flag("--check", "", What, ALONE, "check the plan and print what it would send and need; send nothing")
        .brief("print what would be sent; send nothing"),
    flag("--once", "", What, ALONE, "send each scenario once; print request, response, times and expectations")
        .brief("send each request once, print both sides"),
    flag("--schema", "", What, ALL, "print the JSON Schema of a plan"),
    flag("-c", "N", HowMuch, PLANS, "number of connections; with a rate, the highest number")
        .or("--connections")
        .default("10; with a rate up to 1000")
        .brief("connections (10)"),
    flag("-r", "RATE", HowMuch, PLANS, "open model: requests due per second, like `500/s`, `1000` or `10/min`")
        .or("--rate")
        .brief("fixed request rate, like 500/s or 10/min"),
    flag("-n", "N", HowMuch, PLANS, "stop after this many measured requests, like `5000` or `10k`; -r then needs no -d")
        .or("--requests")
        .brief("stop after so many requests, like 10k"),
    flag("-d", "DURATION", HowMuch, PLANS, "how long to measure, like `30s` or `2m30s`")
        .or("--duration")
        .default("10s for a URL without -n")
        .brief("measure for so long, like 30s or 2m30s (10s)"),
    flag("--stages", "STAGES", HowMuch, PLANS, "open model with a changing rate, like `30s:500/s,1m:500/s`: each stage moves in a straight line to its rate, the first from 0/s; `0s:500/s` jumps")
        .brief("ramp to rates, like 30s:500/s,1m:500/s"),
    flag("--urls", "FILE", Request, ALONE, "a file with URLs of one target, one a line, instead of one URL; as comma-separated values with the columns `url` and `label`, each label has figures of its own"),
    flag("-m", "METHOD", Request, ALONE, "request method")
        .or("--method")
        .default("GET; with -b POST")
        .brief("method (GET; with -b POST)"),
    flag("-H", "'NAME: VALUE'", Request, ALONE, "header field; a name given twice is sent twice")
        .or("--header")
        .repeatable()
        .brief("header field; repeatable"),
    flag("-b", "BODY", Request, ALONE, "request body; `@FILE` reads it from a file")
        .or("--body")
        .brief("body; @FILE reads it from a file"),
    flag("--user", "USER:PASSWORD", Request, ALONE, "basic authentication, like `http://USER:PASSWORD@HOST/`; other users of this machine can see command lines")
        .or("-u")
        .brief("basic authentication"),
    flag("--timeout", "DURATION", Request, ALONE, "time from sending a request to the last byte of its response")
        .default("30s")
        .brief("how long a response may take (30s)"),
    flag("--cacert", "FILE", Request, ALONE, "PEM file with the CAs to trust").default("the system's"),
    flag("--cert", "FILE", Request, ALONE, "PEM file with the client certificate, for a target that asks for one"),
    flag("--key", "FILE", Request, ALONE, "PEM file with the private key of --cert"),
    flag("--insecure", "", Request, ALONE, "accept any server certificate").or("-k").brief("accept any certificate"),
    flag("--no-keepalive", "", Connections, PLANS, "open a connection for each request, and send `Connection: close`"),
    flag("--resolve", "HOST:PORT:ADDRESS", Connections, PLANS, "connect to this IP address instead of resolving the target's name")
        .repeatable(),
    flag("--proxy", "URL", Connections, PLANS, "HTTP proxy, like `http://proxy:3128`; `none` for no proxy; https targets are reached with CONNECT; a target on this machine has no proxy")
        .default("http_proxy, https_proxy, all_proxy and no_proxy of the environment"),
    flag("-4", "", Connections, PLANS, "use only IPv4 addresses of the target's name").or("--ipv4"),
    flag("-6", "", Connections, PLANS, "use only IPv6 addresses of the target's name").or("--ipv6"),
    flag(
        "--report", "FILE",
        Results, JUDGES,
        "write the result to a file; its extension selects the format: .json .html .xml (JUnit) .csv (timeline) \
         .scenarios.csv .hlog; `-` is JSON on standard output",
    )
    .repeatable()
    .brief("write .json .html .xml (JUnit) .csv .hlog"),
    flag("--report-schema", "", Results, ALL, "print the JSON Schema of report.json"),
    flag("--label", "KEY=VALUE", Results, PLANS, "label of the run, like `build=17`, for reports and the metric loadtester_run_info")
        .repeatable(),
    flag("--baseline", "FILE", Results, JUDGES, "compare with an earlier .json report; exit with 1 if this run is worse")
        .brief("compare with an earlier .json; 1 if worse"),
    flag("--max-regression", "PERCENT", Results, JUDGES, "how much worse than the baseline a figure may be")
        .default("10%"),
    flag("--baseline-any-plan", "", Results, JUDGES, "compare even if the baseline is of another plan"),
    flag("--strict", "", Results, JUDGES, "exit with 4 if the measurement is not trustworthy"),
    flag("--listen", "ADDR", Results, ALL, "address of the status server or of the demo target")
        .default("status server 127.0.0.1:8089; coordinator 0.0.0.0:8080, without tokens 127.0.0.1:8080; target: a free port")
        .brief("dashboard and metrics (127.0.0.1:8089)"),
    flag("--no-listen", "", Results, SENDERS, "no status server"),
    flag("--metrics-scenarios", "N", Results, PLANS, "how many scenarios, from the first on, get rows of their own in /metrics and /status; /metrics adds up the rest as `_other`")
        .default("100"),
    flag("--linger", "DURATION", Results, JUDGES, "keep the status server up for this long after the run")
        .default("0s"),
    flag("--quiet", "", Results, PLANS, "print only the result, no progress").brief("print the result only"),
    flag("--no-color", "", Results, JUDGES, "no colors; the environment variable NO_COLOR does the same"),
    flag("--log-format", "FORMAT", Results, ALL, "format of messages on standard error: `text`, or `json` for one object per line with level, worker and run")
        .default("text"),
    flag("--threads", "N", Measurement, SENDERS, "number of load threads").default("one per whole core this process may use"),
    flag("--no-pin", "", Measurement, SENDERS, "do not pin load threads to cores (they are pinned on 3 or more cores)"),
    flag("--timestamps", "SOURCE", Measurement, SENDERS, "source of receive times: `kernel` or `user`")
        .default("kernel"),
    flag("--busy-poll", "", Measurement, SENDERS, "never sleep between events; for cores that nothing else needs"),
    flag("--seed", "N", Measurement, JUDGES, "seed of all randomness").default("random, printed"),
    flag("--coordinator", "URL", Fleet, WORKER, "the coordinator of this worker, like http://coordinator-svc:8080"),
    flag("--workers", "N", Fleet, COORDINATOR, "start the run when N workers have joined").default("1"),
    flag("--join-timeout", "DURATION", Fleet, COORDINATOR, "how long to wait for workers; for one that was lost before the start at most 2m")
        .default("15m"),
    flag("--slot", "N", Fleet, WORKER, "this worker's slot; a new process with the same slot replaces the old one")
        .default("the variable JOB_COMPLETION_INDEX, or any free slot"),
    flag("--allow-target", "TARGET", Fleet, WORKER, "a target this worker may load: HOST, HOST:PORT or unix:SOCKET; it refuses any other")
        .default("any")
        .repeatable(),
    flag("--data-dir", "DIR", Fleet, WORKER, "folder with data files that are too large to travel with a plan; a plan may name files in it and below"),
    flag("--state-dir", "DIR", Fleet, COORDINATOR, "directory of the coordinator's journal, to continue after a crash"),
    flag("--token-file", "FILE", Fleet, FLEET, "file with the token that workers show to the coordinator")
        .default("the variable LOADTESTER_TOKEN"),
    flag("--operator-token-file", "FILE", Fleet, COORDINATOR, "file with the token that starts and stops runs")
        .default("the variable LOADTESTER_OPERATOR_TOKEN"),
    flag("--public-status", "", Fleet, PLANS, "let anybody read status, metrics and dashboard without a token"),
    flag("--completions", "SHELL", Other, ALL, "print completions for `bash`, `zsh` or `fish`"),
    flag("--man", "", Other, ALL, "print the man page"),
    flag("--version", "", Other, ALL, "print the version").or("-V"),
    flag("--help", "", Other, ALL, "print the short help; `--help all` and `help TOPIC` print the rest")
        .or("-h")
        .brief("more: all, or a topic as below"),
];
