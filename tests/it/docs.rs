//! The documents agree with the program: plans in them are valid, commands are accepted, links resolve, and every
//! flag and plan key is described. `UPDATE_README=1` writes the generated parts of docs/cli.md and docs/plan.md.

mod commands;
mod links;
mod pages;
mod plan_tables;

use std::collections::BTreeSet;

use loadtester::cli;
use loadtester::http1::ProtocolError;
use loadtester::plan::{self, Overrides};
use loadtester::roles::demo_target::DemoTarget;
use loadtester::tally::{Close, Outcome};
use serde_json::Value;

use self::pages::{Page, blocks, generated_parts, with_generated};
use crate::keeper::Keeper;
use crate::run::{PROGRAM, RunDir, run};

/// The most lines of README.md, and of any other page without its generated parts.
const MAX_README_LINES: usize = 200;
const MAX_PAGE_LINES: usize = 399;
/// What the demo target's address is called in the documents.
const DOCUMENTED_TARGET: &str = "127.0.0.1:8081";

/// Compare the generated parts of a page with what they should be, or write them.
fn generated_page(file: &str, parts: &[(&str, String)]) {
    let page = Page::read(file);
    let written = with_generated(&page.text, parts);
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&page.path, &written).unwrap();
        return;
    }
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    assert_eq!(generated_parts(&page.text), names, "{file} has exactly these generated parts");
    assert!(written == page.text, "{file} is out of date: run UPDATE_README=1 cargo test --test it docs");
}

#[test]
fn the_flags_in_cli_md_are_those_of_the_parser() {
    generated_page("docs/cli.md", &cli::markdown());
}

#[test]
fn the_keys_in_plan_md_are_those_of_the_schema() {
    generated_page("docs/plan.md", &plan_tables::parts(&schema()));
}

fn schema() -> Value {
    serde_json::from_str(&plan::schema()).unwrap()
}

#[test]
fn every_flag_and_every_plan_key_is_described() {
    let help = cli::help(cli::Topic::Flags);
    let words = help.lines().filter(|line| line.starts_with("  -")).flat_map(|line| line.split([' ', ',']));
    let flags: BTreeSet<&str> = words.filter(|word| word.starts_with('-') && word.len() > 1).collect();
    assert!(flags.len() > 50, "{flags:?}");
    let page = Page::read("docs/cli.md").text;
    let described: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .flat_map(|names| names.split([' ', ',']))
        .collect();
    let missing: Vec<_> = flags.iter().filter(|flag| !described.contains(**flag)).collect();
    assert!(missing.is_empty(), "docs/cli.md does not describe {missing:?}");

    let page = Page::read("docs/plan.md").text;
    for key in plan_tables::keys(&schema()) {
        assert!(page.contains(&format!("\n| `{key}` | ")), "docs/plan.md does not describe `{key}`");
    }
}

#[test]
fn every_outcome_reason_key_and_metric_of_results_is_described() {
    let http = Page::read("docs/http.md").text;
    for name in Outcome::ALL.map(Outcome::name).into_iter().chain(Close::ALL.map(Close::name)) {
        assert!(http.contains(&format!("\n| `{name}` | ")), "docs/http.md does not describe `{name}`");
    }
    for name in ProtocolError::ALL.map(ProtocolError::name) {
        assert!(http.contains(&format!("`{name}`")), "docs/http.md does not name `{name}`");
    }
    let reports = Page::read("docs/reports.md").text;
    let report_schema: Value = serde_json::from_str(&loadtester::report::json::schema()).unwrap();
    for key in report_schema["properties"].as_object().unwrap().keys().filter(|key| *key != "schema") {
        assert!(reports.contains(&format!("`{key}`")), "docs/reports.md does not name `{key}`");
    }
    let metrics = include_str!("metrics.golden.txt").lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for name in metrics.filter_map(|line| line.split(' ').next()) {
        let is_described = reports.contains(&format!("`{name}`")) || reports.contains(&format!("`{name}{{"));
        assert!(is_described, "docs/reports.md does not describe {name}");
    }
}

#[test]
fn every_plan_in_the_documents_is_valid() {
    let known: Vec<String> = schema()["properties"].as_object().unwrap().keys().cloned().collect();
    let mut plans = 0;
    for page in Page::all() {
        for block in blocks(&page.text, "yaml") {
            let Some(plan) = completed(&block.text, &known) else { continue };
            plans += 1;
            let values = |name: &str| match name {
                _ if name.ends_with("URL") => Some("http://127.0.0.1:8081".to_owned()),
                _ if name.ends_with("TOKEN") || name.ends_with("PASSWORD") => Some("value".to_owned()),
                _ => None,
            };
            let files = |name: &str| match name {
                "users.csv" | "/data/users.csv" => Ok(b"email,password\na@example.com,x\n".to_vec().into()),
                _ => Ok(b"content".to_vec().into()),
            };
            let parsed = plan::parse_with_files(&plan, &page.name, &Overrides::default(), &values, &files);
            assert!(parsed.is_ok(), "{}:{}: {}", page.name, block.line, parsed.unwrap_err());
        }
    }
    assert!(plans >= 10, "{plans} plans");
}

#[test]
fn the_plan_with_basic_authentication_sends_user_and_password() {
    let page = Page::read("docs/http.md").text;
    let blocks = blocks(&page, "yaml");
    let block = blocks.iter().find(|block| block.text.contains("Basic {{base64(")).expect("it is there");
    let keeper = Keeper::start();
    let own = format!("http://{}", keeper.address);
    let dir = RunDir::new();
    let plan = dir.write("plan.yaml", block.text.replace("https://api.example.com", &own));
    let run = |password: &str| {
        let env = format!("API_PASSWORD={password}");
        let ended = run(&[&plan, "--env", &env, "-n", "1"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        keeper.take().remove(0).fields
    };
    // In base64: ada:s3cret, and ada:it's {{x}}.
    assert!(run("s3cret").contains(&"Authorization: Basic YWRhOnMzY3JldA==".to_owned()));
    assert!(run("it's {{x}}").contains(&"Authorization: Basic YWRhOml0J3Mge3t4fX0=".to_owned()));
}

/// A plan, or the part of one, with what it lacks; `None`: something else in YAML.
fn completed(text: &str, known: &[String]) -> Option<String> {
    let keys: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '-', '}', ']']))
        .filter_map(|line| line.split_once(':'))
        .map(|(key, _)| key)
        .collect();
    let is_plan = |key: &&str| known.iter().any(|known| known == key) || key.starts_with("x-");
    if keys.is_empty() || !keys.iter().all(is_plan) {
        return None;
    }
    let mut plan = text.to_owned();
    for (key, lacking) in [
        ("base_url", "base_url: http://127.0.0.1:8081\n"),
        ("load", "load: { rate: 100/s, duration: 10s }\n"),
        ("scenarios", "scenarios: [{ path: / }]\n"),
    ] {
        let is_there = keys.contains(&key) || (key == "load" && text.contains("requests:"));
        if !is_there {
            plan += lacking;
        }
    }
    Some(plan)
}

#[test]
fn every_command_in_the_documents_is_accepted() {
    let mut checked = 0;
    for page in Page::all() {
        for block in blocks(&page.text, "sh") {
            for arguments in commands::of_program(&block.text) {
                checked += 1;
                let words = arguments.iter().map(Into::into).collect();
                let parsed = cli::parse(words, &|_| false);
                assert!(
                    parsed.is_ok(),
                    "{}:{}: {arguments:?}: {}",
                    page.name,
                    block.line,
                    parsed.unwrap_err()
                );
            }
        }
    }
    assert!(checked >= 20, "{checked} commands");
}

/// The three commands of the README's quick start, in its order, with the first words of each line of the output
/// that the README shows for it.
fn quick_start(readme: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let section = readme.split("\n## Quick start\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let section = section.expect("README.md has a quick start");
    let mut steps: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for block in blocks(section, "") {
        match block.language.as_str() {
            "sh" => {
                steps.extend(commands::of_program(&block.text).into_iter().map(|words| (words, Vec::new())))
            }
            "text" => {
                let (_, shown) = steps.last_mut().expect("output follows a command");
                let labels = block.text.lines().filter_map(|line| line.split_whitespace().next());
                shown.extend(labels.filter(|word| word.len() > 2).map(str::to_owned));
            }
            _ => {}
        }
    }
    steps.retain(|(words, _)| !words.iter().any(|word| word == "target"));
    steps
}

#[test]
fn the_quick_start_of_the_readme_works() {
    let target = DemoTarget::start_program(std::path::Path::new(PROGRAM), None).expect("the target starts");
    let address = target.addr().to_string();
    let readme = Page::read("README.md").text;
    let dir = RunDir::new();
    let plans = blocks(&readme, "yaml");
    let plan = plans.iter().find(|block| block.text.contains("base_url")).expect("README.md shows a plan");
    let plan = plan.text.replace(DOCUMENTED_TARGET, &address).replace("duration: 10s", "duration: 1s");
    assert!(plan.contains(&address) && plan.contains("duration: 1s"), "{plan}");
    let plan_file = dir.write("loadplan.yaml", plan);
    let steps = quick_start(&readme);
    assert_eq!(steps.len(), 3, "{steps:?}");
    for (words, shown) in steps {
        // A shorter run is as good here.
        let words = words.iter().map(|word| match word.as_str() {
            "10s" => "1s".to_owned(),
            "loadplan.yaml" => plan_file.clone(),
            "result.html" => dir.file("result.html"),
            word => word.replace(DOCUMENTED_TARGET, &address),
        });
        let words: Vec<String> = words.collect();
        let mut command = std::process::Command::new(PROGRAM);
        command.args(&words).env_remove("GITHUB_ACTIONS");
        if !words.iter().any(|word| word == "--once") {
            command.arg("--no-listen");
        }
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        // A busy machine cannot always judge a threshold; that is 4.
        assert!(matches!(output.status.code(), Some(0 | 4)), "{words:?}: {printed}");
        for word in shown {
            assert!(printed.contains(&word), "{words:?} prints no {word:?}: {printed}");
        }
    }
    let html = std::fs::read_to_string(dir.file("result.html")).expect("the third command writes a report");
    assert!(html.contains("<svg"), "the report has charts");
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut faults = Vec::new();
    let mut checked = 0;
    for page in Page::with_links() {
        for (line, link) in links::of(&page.text) {
            checked += 1;
            if let Err(why) = links::resolve(&page, &link) {
                faults.push(format!("{}:{line}: {link}: {why}", page.name));
            }
        }
    }
    assert!(checked > 30, "{checked} links");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pages_are_short_and_say_first_whom_they_are_for() {
    for page in Page::all() {
        let lines = page.lines_by_hand();
        let most = if page.name == "README.md" { MAX_README_LINES } else { MAX_PAGE_LINES };
        assert!(lines <= most, "{} has {lines} lines, at most {most}", page.name);
        let mut text = page.text.lines().filter(|line| !line.trim().is_empty());
        assert!(
            text.next().is_some_and(|line| line.starts_with("# ")),
            "{} begins with its title",
            page.name
        );
        let first = text.next().unwrap_or_default();
        let is_sentence = !first.starts_with(['#', '|', '<', '-', '`', '!']);
        assert!(is_sentence, "{} says what it is about: {first}", page.name);
    }
}
