//! Flags that contradict each other, or do not belong to the role.

use super::error::UsageError;
use super::help;
use super::options::{Options, Role};
use super::table::{Flag, Group};
use crate::plan::quoted;

/// What `--once` has no use for: it measures no load.
const NOT_ONCE: [&str; 14] = [
    "--check",
    "-c",
    "-r",
    "-n",
    "-d",
    "--stages",
    "--label",
    "--report",
    "--baseline",
    "--strict",
    "--listen",
    "--linger",
    "--metrics-scenarios",
    "--threads",
];

/// Refuses `typed` flags that contradict each other or do not belong to the role.
pub(super) fn refuse_contradictions(options: &Options, typed: &[&Flag]) -> Result<(), UsageError> {
    refuse_outside_role(options.role, typed)?;
    refuse_two_sources(options)?;
    let one_of = |names: &[&str]| typed.iter().map(|flag| flag.name).find(|name| names.contains(name));
    let of_url = typed.iter().find(|flag| flag.group == Group::Request);
    if let (Some(Flag { name, .. }), None) = (of_url, options.url.as_ref().or(options.urls.as_ref())) {
        let place = match *name {
            "--timeout" => "`defaults.timeout`",
            "--user" => "`defaults.headers`, as `Authorization: \"Basic {{base64('USER:PASSWORD')}}\"`",
            name if name.starts_with("--") => "`tls:`",
            _ => "scenarios",
        };
        let message = format!("{name} belongs to a URL: add one, or write it into the plan: {place}");
        return Err(UsageError::new(message));
    }
    if let (Some(name), None) = (one_of(&["--max-regression", "--baseline-any-plan"]), &options.baseline) {
        return Err(UsageError::new(format!("{name} belongs to --baseline FILE: add one, or remove it")));
    }
    if let (Some(name), None, Role::Standalone) =
        (one_of(&["--env", "--env-file"]), &options.plan, options.role)
    {
        return Err(UsageError::new(format!("{name} fills in `${{…}}` of a plan: add one, or remove it")));
    }
    if let (true, Some(name)) = (options.stages.is_some(), one_of(&["-r", "-d"])) {
        return Err(UsageError::new(format!(
            "--stages have rates and lengths of their own: remove {name}, or the stages"
        )));
    }
    if options.no_listen && options.listen.is_some() {
        return Err(UsageError::new("--listen and --no-listen: keep one of them"));
    }
    if options.no_listen && options.linger_ns > 0 {
        return Err(UsageError::new(
            "--linger keeps the status server up, and --no-listen has none: keep one",
        ));
    }
    if let Some(twice) =
        (1..options.reports.len()).find(|i| options.reports[..*i].contains(&options.reports[*i]))
    {
        let path = options.reports[twice].to_string();
        return Err(UsageError::new(format!("--report {} is given twice: keep one", quoted(&path))));
    }
    for (flag, names) in [("--env", &options.env), ("--label", &options.labels)] {
        let repeated = (1..names.len()).find(|i| names[..*i].iter().any(|(name, _)| *name == names[*i].0));
        if let Some(i) = repeated {
            return Err(UsageError::new(format!(
                "{flag} {} is given twice: keep one of the two",
                names[i].0
            )));
        }
    }
    if let (true, Some(name)) = (options.once, one_of(&NOT_ONCE)) {
        return Err(UsageError::new(format!(
            "--once sends each scenario once and measures no load, {name} has no meaning there: remove one"
        )));
    }
    match options.role {
        Role::Standalone => refuse_nothing_to_do(options),
        Role::Worker if options.coordinator.is_none() => {
            Err(UsageError::new("--role worker needs its coordinator: add --coordinator http://HOST:8080"))
        }
        Role::Worker | Role::Coordinator => refuse_without_plan(options, typed),
        Role::Target => Ok(()),
    }
}

fn refuse_outside_role(role: Role, typed: &[&Flag]) -> Result<(), UsageError> {
    let Some(flag) = typed.iter().find(|flag| !flag.roles.contains(&role)) else { return Ok(()) };
    let (name, named) = (flag.name, flag.roles.iter().map(|role| role.name()).collect::<Vec<_>>());
    let roles = named.join(" or ");
    let threads = if name == "--workers" { "; threads of this process are `--threads N`" } else { "" };
    Err(UsageError::new(match role {
        Role::Standalone => {
            format!("{name} belongs to --role {roles}: add that role, or remove {name}{threads}")
        }
        role => format!(
            "{name} has no meaning with --role {}: remove it, or give it to --role {roles}",
            role.name()
        ),
    }))
}

fn refuse_two_sources(options: &Options) -> Result<(), UsageError> {
    let sources = [
        (options.plan.is_some(), "--plan"),
        (options.url.is_some(), "a URL"),
        (options.urls.is_some(), "--urls"),
        (options.demo, "--demo"),
    ];
    let given: Vec<&str> = sources.iter().filter(|(given, _)| *given).map(|(_, name)| *name).collect();
    match (given.as_slice(), options.role) {
        ([first, second, ..], _) => {
            Err(UsageError::new(format!("{first} and {second} both say what to send: keep one of them")))
        }
        (["a URL"], role @ (Role::Worker | Role::Coordinator)) => Err(UsageError::new(format!(
            "a URL has no meaning with --role {}: write a plan, and give it with --plan",
            role.name()
        ))),
        (["a URL"], Role::Target) => {
            Err(UsageError::new("a URL has no meaning with --role target: remove it, or the role"))
        }
        _ => Ok(()),
    }
}

fn refuse_nothing_to_do(options: &Options) -> Result<(), UsageError> {
    let has_source =
        options.plan.is_some() || options.url.is_some() || options.urls.is_some() || options.demo;
    if has_source || options.schema || options.report_schema || options.man || options.completions.is_some() {
        return Ok(());
    }
    let message = format!(
        "nothing to do: give a plan or a URL, or try --demo\n{}\n--help explains the rest",
        help::SHORT
    );
    Err(UsageError::new(message))
}

/// What changes a plan, or is held against one, where a fleet's member brings none.
fn refuse_without_plan(options: &Options, typed: &[&Flag]) -> Result<(), UsageError> {
    let is_of_plan = |flag: &&&Flag| {
        matches!(flag.group, Group::HowMuch | Group::Connections)
            || matches!(flag.name, "--baseline" | "--label" | "--env" | "--env-file")
    };
    let of_plan = typed.iter().find(is_of_plan);
    match of_plan {
        Some(Flag { name, .. }) if options.plan.is_none() => Err(UsageError::new(format!(
            "{name} belongs to a plan, and this {} has none: add --plan, or remove it",
            options.role.name()
        ))),
        _ => Ok(()),
    }
}
