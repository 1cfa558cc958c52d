//! The values for `${NAME}` in a plan: from `--env`, from the file of `--env-file`, from the environment, in this
//! order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::{Failure, tokens};
use crate::cli::Options;
use crate::plan::quoted;
use crate::units::print_bytes;

/// The largest file of variables, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Values that go before those of the environment.
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

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
        Ok(Self(given))
    }

    /// The value of the variable `name`; a token is none, wherever it is given.
    pub(crate) fn look_up(&self, name: &str) -> Option<String> {
        if tokens::VARIABLES.contains(&name) {
            return None;
        }
        self.0.get(name).cloned().or_else(|| std::env::var(name).ok())
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| format!("{error}: check the name"))?;
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

/// `value` without the quotes around it.
fn unquoted(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read_as_shells_and_containers_write_it() {
        let text = "\u{feff}# comment\r\nA=1\r\n\r\nexport B = \"two words\" \nC='x=y'\nD=\nE=a\"b\nF=\"\n";
        let expected = [("A", "1"), ("B", "two words"), ("C", "x=y"), ("D", ""), ("E", "a\"b"), ("F", "\"")];
        assert_eq!(parse(text).unwrap(), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(parse("A=1\nsecret").unwrap_err(), "2: has no `=`: write KEY=VALUE");
        assert!(parse("\n\nA-B=secret").unwrap_err().starts_with("3: `A-B` is not"));
    }

    #[test]
    fn a_given_value_goes_before_the_environment_and_no_token_is_a_variable() {
        let given = |name: &str| Variables([(name.to_owned(), "given".to_owned())].into());
        assert_eq!(given("PATH").look_up("PATH").as_deref(), Some("given"));
        assert_ne!(given("A").look_up("PATH").as_deref(), Some("given"));
        assert_eq!(given("LOADTESTER_TOKEN").look_up("LOADTESTER_TOKEN"), None);
    }
}
