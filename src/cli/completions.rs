//! Shell completions, generated from the table of flags.
//!
//! Each script completes flags, file names where a flag takes a file, and words where it takes one of a few.
//! Where to install a script depends on the shell.

use super::options::{LogFormat, Role};
use super::shell::Shell;
use super::table::{FLAGS, Flag, Kind};
use super::topic::Topic;

/// The value that follows a flag.
enum ArgumentKind {
    Nothing,
    Anything,
    File,
    Words(Vec<&'static str>),
}

fn follows(flag: &Flag) -> ArgumentKind {
    match flag.value {
        "" => ArgumentKind::Nothing,
        "FILE" | "DIR" => ArgumentKind::File,
        "ROLE" => ArgumentKind::Words(Role::ALL.iter().map(|(name, _)| *name).collect()),
        "SOURCE" => ArgumentKind::Words(vec!["kernel", "user"]),
        "FORMAT" => ArgumentKind::Words(LogFormat::ALL.iter().map(|(name, _)| *name).collect()),
        "SHELL" => ArgumentKind::Words(Shell::ALL.iter().map(|(name, _)| *name).collect()),
        _ => ArgumentKind::Anything,
    }
}

fn flags() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter()
}

fn names(flag: &'static Flag) -> impl Iterator<Item = &'static str> {
    flag.names()
}

/// The completion script for `shell`.
pub fn completions(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// The topics of help.
fn topics() -> String {
    Topic::names().collect::<Vec<_>>().join(" ")
}

fn bash() -> String {
    let all: Vec<&str> = flags().flat_map(names).collect();
    let mut cases = String::new();
    for flag in flags() {
        let reply = match follows(flag) {
            ArgumentKind::Nothing => continue,
            ArgumentKind::Anything => "COMPREPLY=()".to_owned(),
            ArgumentKind::File => "COMPREPLY=($(compgen -f -- \"$current\"))".to_owned(),
            ArgumentKind::Words(words) => {
                format!("COMPREPLY=($(compgen -W '{}' -- \"$current\"))", words.join(" "))
            }
        };
        let pattern: Vec<&str> = names(flag).collect();
        cases += &format!("        {}) {reply}; return ;;\n", pattern.join("|"));
    }
    format!(
        "# bash completion for loadtester
_loadtester() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
    compopt -o filenames 2>/dev/null
    case $before in
{cases}        help|-h|--help) COMPREPLY=($(compgen -W '{}' -- \"$current\")); return ;;
    esac
    # A plan is a file; URLs cannot be completed.
    if [[ $current != -* ]]; then
        COMPREPLY=($(compgen -W help -- \"$current\") $(compgen -f -- \"$current\"))
        return
    fi
    compopt +o filenames 2>/dev/null
    COMPREPLY=($(compgen -W '{}' -- \"$current\"))
}}
complete -F _loadtester loadtester
",
        topics(),
        all.join(" ")
    )
}

fn zsh() -> String {
    let mut lines = String::new();
    for flag in flags() {
        let action = match follows(flag) {
            ArgumentKind::Nothing => String::new(),
            ArgumentKind::Anything => format!(":{}: ", unquoted(flag.value)),
            ArgumentKind::File => format!(":{}:_files", flag.value),
            ArgumentKind::Words(words) => format!(":{}:({})", flag.value, words.join(" ")),
        };
        let again = if flag.kind == Kind::Repeatable { "*" } else { "" };
        for name in names(flag) {
            lines += &format!("    '{again}{name}[{}]{action}' \\\n", in_brackets(flag.help));
        }
    }
    let first = "'1: :{_alternative \"plans:plan:_files\" \"commands:command:(help)\"}'";
    format!(
        "#compdef loadtester\n_arguments \\\n{lines}    {first} \\\n    '2:topic of help:({})'\n",
        topics()
    )
}

/// Escapes text for zsh's single quotes and brackets.
fn in_brackets(text: &str) -> String {
    unquoted(text).replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

fn unquoted(text: &str) -> String {
    text.replace(['\'', '`', ':'], "")
}

fn fish() -> String {
    let mut text = format!(
        "# fish completion for loadtester\n\
         complete -c loadtester -n __fish_is_first_token -a help -d 'print help'\n\
         complete -c loadtester -n '__fish_seen_subcommand_from help' -f -a '{}'\n",
        topics()
    );
    for flag in flags() {
        text += "complete -c loadtester";
        for name in names(flag) {
            text += &match name.strip_prefix("--") {
                Some(long) => format!(" -l {long}"),
                None => format!(" -s {}", name.trim_start_matches('-')),
            };
        }
        text += &match follows(flag) {
            ArgumentKind::Nothing => " -f".to_owned(),
            ArgumentKind::Anything => " -x".to_owned(),
            ArgumentKind::File => " -r -F".to_owned(),
            ArgumentKind::Words(words) => format!(" -x -a '{}'", words.join(" ")),
        };
        text += &format!(" -d '{}'\n", flag.help.replace('\'', "\\'"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::EXTENSIONS;

    #[test]
    fn every_flag_that_exists_is_completed_in_every_shell_and_no_other() {
        for (name, shell) in Shell::ALL {
            let script = completions(shell);
            for flag in &FLAGS {
                let typed = match shell {
                    Shell::Fish => flag.name.trim_start_matches('-'),
                    _ => flag.name,
                };
                let words = script.split(|c: char| !(c.is_alphanumeric() || c == '-'));
                let there = words.into_iter().any(|word| word == typed);
                assert!(there, "{} for {name}", flag.name);
            }
        }
    }

    #[test]
    fn every_format_of_a_report_is_named_in_the_help_of_its_flag() {
        let flag = FLAGS.iter().find(|flag| flag.name == "--report").unwrap();
        assert!(EXTENSIONS.iter().all(|(extension, _)| flag.help.contains(&format!(".{extension}"))));
    }
}
