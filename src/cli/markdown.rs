//! The generated parts of docs/cli.md, from the tables of the help.

use super::help::{EXAMPLES, EXIT_CODES, explained_without_default, typed};
use super::options::Role;
use super::table::{FLAGS, Flag, Group};
use super::topic::Topic;
use super::topics::VARIABLES;

/// Each generated part with its name, in the page's order.
pub fn markdown() -> Vec<(&'static str, String)> {
    vec![
        ("examples", examples()),
        ("topics", topics()),
        ("flags", Group::ALL.map(group).join("\n")),
        ("exit-codes", table(&["code", "meaning"], EXIT_CODES.iter().map(|(code, what)| [code, what]))),
        ("environment", table(&["variable", "meaning"], VARIABLES.iter().map(|(name, what)| [name, what]))),
    ]
}

/// Command lines, each with what it does as a comment.
fn examples() -> String {
    let widest = EXAMPLES.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let lines = EXAMPLES.iter().map(|(line, what)| format!("{line:widest$}   # {what}\n"));
    format!("```sh\n{}```\n", lines.collect::<String>())
}

fn topics() -> String {
    let names: Vec<String> = Topic::names().map(|name| format!("`{name}`")).collect();
    format!("Topics: {}.\n", names.join(", "))
}

/// A heading and a row for each flag of the group.
fn group(group: Group) -> String {
    let flags = FLAGS.iter().filter(|flag| flag.group == group);
    let rows = flags.map(|flag| {
        [&format!("`{}`", typed(flag)), &explained_without_default(flag), flag.default, &roles(flag)]
            .map(cell)
    });
    let header = "| flag | meaning | default | roles |\n|---|---|---|---|\n";
    let rows: String = rows.map(|cells| format!("| {} |\n", cells.join(" | "))).collect();
    format!("### {}\n\n{header}{rows}", group.title())
}

/// The roles that accept the flag.
fn roles(flag: &Flag) -> String {
    if Role::ALL.iter().all(|(_, role)| flag.roles.contains(role)) {
        return "all".to_owned();
    }
    flag.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

/// A table whose first column is code.
fn table<'a>(header: &[&str; 2], rows: impl Iterator<Item = [&'a &'a str; 2]>) -> String {
    let rows: String = rows.map(|[name, what]| format!("| `{name}` | {} |\n", cell(what))).collect();
    format!("| {} | {} |\n|---|---|\n{rows}", header[0], header[1])
}

/// A vertical bar would end the cell, even in code.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str) -> String {
        markdown().into_iter().find(|(known, _)| *known == name).unwrap().1
    }

    #[test]
    fn every_flag_has_a_row_of_four_cells_with_its_roles() {
        let rows: Vec<String> =
            part("flags").lines().filter(|line| line.starts_with("| `-")).map(str::to_owned).collect();
        assert_eq!(rows.len(), FLAGS.len());
        assert!(rows.iter().all(|row| row.matches(" | ").count() == 3), "{rows:#?}");
        let of = |flag: &str| rows.iter().find(|row| row.starts_with(&format!("| `{flag} "))).unwrap();
        assert!(of("--workers").ends_with(" | coordinator |"));
        assert!(of("--listen").ends_with(" | all |"));
        assert!(of("--threads").ends_with(" | standalone, worker |"));
    }

    #[test]
    fn every_exit_code_and_variable_has_a_row() {
        for (part_name, names) in [
            ("exit-codes", EXIT_CODES.map(|(name, _)| name).to_vec()),
            ("environment", VARIABLES.map(|(name, _)| name).to_vec()),
        ] {
            let text = part(part_name);
            assert!(names.iter().all(|name| text.contains(&format!("\n| `{name}` | "))), "{text}");
        }
    }
}
