//! The table of all flags, from which parsing, `--help` and the README's table are made.

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
    /// What it does, as a sentence fragment.
    pub(crate) help: &'static str,
    /// Its default as the help shows it; empty: none.
    pub(crate) default: &'static str,
    /// How often it may be given.
    pub(crate) kind: Kind,
}

/// Sections of the help, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    What,
    HowMuch,
    Request,
    Results,
    Measurement,
    Fleet,
    Other,
}

impl Group {
    pub(crate) const ALL: [Self; 7] = [
        Self::What,
        Self::HowMuch,
        Self::Request,
        Self::Results,
        Self::Measurement,
        Self::Fleet,
        Self::Other,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::What => "What to do",
            Self::HowMuch => "How much load (instead of what the plan says)",
            Self::Request => "The request, when there is a URL and no plan",
            Self::Results => "Results while and after it runs",
            Self::Measurement => "How it is measured",
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

const fn flag(name: &'static str, value: &'static str, group: Group, help: &'static str) -> Flag {
    Flag { name, alias: "", value, group, help, default: "", kind: Kind::Once }
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

    /// Whether `typed` is this flag.
    pub(crate) fn is(&self, typed: &str) -> bool {
        self.name == typed || (!self.alias.is_empty() && self.alias == typed)
    }
}

/// The flag called `typed`, if any.
pub(super) fn find(typed: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.is(typed))
}

use Group::{Fleet, HowMuch, Measurement, Other, Request, Results, What};

/// All flags, in the order of the help.
pub(super) static FLAGS: [Flag; 46] = [
    flag("--plan", "FILE", What, "the load plan, a YAML file; `-` reads standard input"),
    flag("--demo", "", What, "start a target of its own and load it with a sample plan"),
    flag("--role", "ROLE", What, "`standalone`, `worker`, `coordinator`, or `target` for the demo target alone")
        .default("standalone"),
    flag("--check", "", What, "check the plan, print what would be sent and needed; send nothing"),
    flag("--once", "", What, "send each scenario once, print both sides, times and what it expects"),
    flag("--schema", "", What, "print the plan's JSON Schema"),
    flag("-c", "N", HowMuch, "connections; with a rate, the most connections")
        .default("10; with a rate 1000"),
    flag("-r", "RATE", HowMuch, "requests due per second, like `500/s` or `1000`; makes it the open model"),
    flag("-n", "N", HowMuch, "stop after so many measured requests, like `5000` or `10k`"),
    flag("-d", "DURATION", HowMuch, "measure for so long, like `30s` or `2m30s`")
        .default("10s for a URL without -n"),
    flag("-m", "METHOD", Request, "request method").default("GET"),
    flag("-H", "'NAME: VALUE'", Request, "header field").repeatable(),
    flag("-b", "BODY", Request, "request body; `@FILE` reads it from a file"),
    flag("--cacert", "FILE", Request, "PEM file of the CAs to trust").default("the system's"),
    flag("--cert", "FILE", Request, "PEM file of our own certificate, for a target that wants one"),
    flag("--key", "FILE", Request, "PEM file of its private key"),
    flag("--insecure", "", Request, "accept any certificate").or("-k"),
    flag(
        "--report",
        "FILE",
        Results,
        "write the result, the format by the name's end: .json .html .xml (JUnit) .csv (timeline) .scenarios.csv .hlog; \
         `-` is JSON on standard output",
    )
    .repeatable(),
    flag("--report-schema", "", Results, "print the JSON Schema of report.json"),
    flag("--baseline", "FILE", Results, "compare with an earlier .json; exit with 1 when it is worse"),
    flag("--max-regression", "PERCENT", Results, "how much worse a figure may be than in the baseline")
        .default("10%"),
    flag("--baseline-any-plan", "", Results, "compare though the baseline is of another plan"),
    flag("--strict", "", Results, "exit with 4 when the measurement is not trustworthy"),
    flag("--listen", "ADDR", Results, "address of the status server or demo target")
        .default("status server 127.0.0.1:8089; coordinator 0.0.0.0:8080, without tokens 127.0.0.1:8080; target: a free port"),
    flag("--no-listen", "", Results, "no status server"),
    flag("--metrics-scenarios", "N", Results, "scenarios with rows of their own in /metrics and /status, the first ones of the plan; /metrics has the rest as `_other`")
        .default("100"),
    flag("--linger", "DURATION", Results, "keep the status server up for so long after the end")
        .default("0s"),
    flag("--quiet", "", Results, "print the result only, no progress"),
    flag("--no-color", "", Results, "no colours; the variable NO_COLOR does the same"),
    flag("--threads", "N", Measurement, "load threads").default("one per whole core allowed to us"),
    flag("--no-pin", "", Measurement, "leave threads to the scheduler (they are pinned from 3 cores on)"),
    flag("--timestamps", "SOURCE", Measurement, "where receive times come from: `kernel` or `user`")
        .default("kernel"),
    flag("--busy-poll", "", Measurement, "never sleep between events; for cores nobody else needs"),
    flag("--seed", "N", Measurement, "seed of all randomness").default("random, printed"),
    flag("--coordinator", "URL", Fleet, "where a worker reports, like http://coordinator-svc:8080"),
    flag("--workers", "N", Fleet, "a coordinator starts when N have joined").default("1"),
    flag("--join-timeout", "DURATION", Fleet, "how long a coordinator waits for them; for one that was lost before the start 2m at most")
        .default("15m"),
    flag("--slot", "N", Fleet, "a worker's place; a new process of the same place takes the old one's part")
        .default("the variable JOB_COMPLETION_INDEX, or any free one"),
    flag("--allow-target", "TARGET", Fleet, "what a worker may load, HOST, HOST:PORT or unix:SOCKET; anything else is refused")
        .default("any")
        .repeatable(),
    flag("--state-dir", "DIR", Fleet, "where a coordinator keeps its journal, to go on after a crash"),
    flag("--token-file", "FILE", Fleet, "holds the token that workers show to the coordinator")
        .default("the variable LOADTESTER_TOKEN"),
    flag("--operator-token-file", "FILE", Fleet, "holds the token that starts and stops runs")
        .default("the variable LOADTESTER_OPERATOR_TOKEN"),
    flag("--public-status", "", Fleet, "let everybody read status, metrics and dashboard without a token"),
    flag("--completions", "SHELL", Other, "print completions for `bash`, `zsh` or `fish`"),
    flag("--version", "", Other, "print the version").or("-V"),
    flag("--help", "", Other, "print this help").or("-h"),
];
