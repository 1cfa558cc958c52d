//! The values for `${NAME}` in a plan: from `--env`, from the file of `--env-file`, from the environment, in this
//! order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::{Failure, tokens};
use crate::cli::Options;
use crate::plan::{did_you_mean, quoted};
use crate::units::print_bytes;

/// The largest file of variables, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Values that take precedence over those of the environment.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    given: BTreeMap<String, String>,
    /// The names that were looked up.
    named: RefCell<BTreeSet<String>>,
}

impl Variables {
    /// Those that the command line gives.
    ///
    /// # Errors
    /// The file cannot be read, or a line of it is none.
    pub(crate) fn of(options: &Options) -> Result<Self, Failure> {
        let mut given = BTreeMap::new();
        if let Some(path) = &options.env_file {
            let flag = format!("--env-file {}", path.display());
            let text = read(path).map_err(|why| Failure::usage(format!("{flag}: {why}")))?;
            given.extend(parse(&text).map_err(|why| Failure::usage(format!("{flag}:{why}")))?);
        }
        given.extend(options.env.iter().cloned());
        Ok(Self { given, ..Self::default() })
    }

    /// The value of the variable `name`; a token is none, wherever it is given.
    pub(crate) fn look_up(&self, name: &str) -> Option<String> {
        self.named.borrow_mut().insert(name.to_owned());
        if tokens::VARIABLES.contains(&name) {
            return None;
        }
        self.given.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    /// Checks that the plan, now read, names each variable of `--env`: one that it does not is a slip, and the plan
    /// may have gone on with a default. A file may serve several plans.
    ///
    /// # Errors
    /// The first that it does not name.
    pub(crate) fn check_named(&self, options: &Options) -> Result<(), Failure> {
        let named = self.named.borrow();
        let Some((key, _)) = options.env.iter().find(|(key, _)| !named.contains(key)) else { return Ok(()) };
        // Variables are in capitals, and guesses in lower case.
        let lower: Vec<String> = named.iter().map(|name| name.to_lowercase()).collect();
        let near = did_you_mean(key, lower.iter().map(String::as_str));
        let remedy = match named.iter().zip(&lower).find(|(_, lower)| near.contains(&quoted(lower))) {
            Some((name, _)) => format!(", did you mean {}?", quoted(name)),
            None => ": remove it, or correct its name".to_owned(),
        };
        let shown = quoted(&format!("${{{key}}}"));
        Err(Failure::usage(format!("--env {key}: the plan has no {shown}{remedy}")))
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| match error.kind() {
        ErrorKind::InvalidData => "is not UTF-8 text: save it as UTF-8".to_owned(),
        _ => format!("{error}: check the name"),
    })?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("is larger than {}", print_bytes(MAX_FILE_BYTES)));
    }
    Ok(text)
}

/// The variables in lines of `KEY=VALUE`; a value is in no message.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let number = i + 1;
        let (key, value) =
            line.split_once('=').ok_or_else(|| format!("{number}: has no `=`: write KEY=VALUE"))?;
        let key = key.trim_end();
        let begins = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let shown = quoted(key);
            return Err(format!("{number}: {shown} is not a variable's name: use letters, digits and `_`"));
        }
        variables.push((key.to_owned(), unquoted(value.trim()).to_owned()));
    }
    Ok(variables)
}

/// `value` without the quotes around it and without the comment behind it, which begins with `#` after a space.
fn unquoted(value: &str) -> &str {
    let is_comment =
        |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#');
    for quote in ['"', '\''] {
        let inside = value.strip_prefix(quote).and_then(|rest| rest.rsplit_once(quote));
        if let Some((inside, _)) = inside.filter(|(_, rest)| is_comment(rest)) {
            return inside;
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read_as_shells_and_containers_write_it() {
        let text = "\u{feff}# comment\r\nA=1\r\n\r\nexport B = \"two words\" \nC='x=y'\nD=\nE=a\"b\nF=\"\n\
                    G=1 # one\nH=\"a # b\" # c\nI=#x\nJ=a#b\n";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "x=y"),
            ("D", ""),
            ("E", "a\"b"),
            ("F", "\""),
            ("G", "1"),
            ("H", "a # b"),
            ("I", "#x"),
            ("J", "a#b"),
        ];
        assert_eq!(parse(text).unwrap(), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(parse("A=1\nsecret").unwrap_err(), "2: has no `=`: write KEY=VALUE");
        assert!(parse("\n\nA-B=secret").unwrap_err().starts_with("3: `A-B` is not"));
    }

    #[test]
    fn a_given_value_goes_before_the_environment_and_no_token_is_a_variable() {
        let given = |name: &str| {
            let given = [(name.to_owned(), "given".to_owned())].into();
            Variables { given, ..Variables::default() }
        };
        assert_eq!(given("PATH").look_up("PATH").as_deref(), Some("given"));
        assert_ne!(given("A").look_up("PATH").as_deref(), Some("given"));
        assert_eq!(given("LOADTESTER_TOKEN").look_up("LOADTESTER_TOKEN"), None);
    }

    #[test]
    fn a_variable_of_the_command_line_that_the_plan_does_not_name_is_a_slip() {
        let options = Options { env: vec![("HOTS".to_owned(), "x".to_owned())], ..Options::default() };
        let variables = Variables::of(&options).unwrap();
        assert!(
            variables
                .check_named(&options)
                .unwrap_err()
                .message
                .contains("the plan has no `${HOTS}`: remove")
        );
        variables.look_up("HOST");
        assert!(variables.check_named(&options).unwrap_err().message.contains("did you mean `HOST`?"));
        variables.look_up("HOTS");
        assert!(variables.check_named(&options).is_ok());
    }
}
