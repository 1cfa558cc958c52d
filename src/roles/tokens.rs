//! Secrets: from files that flags name, or from the environment; never from the command line, which is
//! shown to everybody. They are neither printed nor put into plans.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Failure;
use crate::web::Token;

/// Where a worker's token is read from when no file is named.
const WORKER_TOKEN: &str = "LOADTESTER_TOKEN";
/// Where the operator's token is read from. Never from the command line: that is shown to everybody.
pub(crate) const OPERATOR_TOKEN: &str = "LOADTESTER_OPERATOR_TOKEN";
/// Where the token is read from that is good for reading alone.
const READ_TOKEN: &str = "LOADTESTER_READ_TOKEN";
/// Every variable that holds a token.
pub(crate) const VARIABLES: [&str; 3] = [WORKER_TOKEN, OPERATOR_TOKEN, READ_TOKEN];
/// The longest token file read.
const MAX_TOKEN_BYTES: u64 = 4096;

/// The text of the workers' token, if there is one.
///
/// # Errors
/// When it can not be read or is none, naming flag or variable.
pub(crate) fn worker(file: Option<&Path>) -> Result<Option<String>, Failure> {
    read("--token-file", file, WORKER_TOKEN)
}

/// The text of the operator's token, if there is one.
///
/// # Errors
/// As [`worker`].
pub(crate) fn operator(file: Option<&Path>) -> Result<Option<String>, Failure> {
    read("--operator-token-file", file, OPERATOR_TOKEN)
}

/// The token that is good for reading status, metrics and dashboard, and for nothing else, if there is one.
///
/// # Errors
/// When it is none, naming the variable, or one of the `others`.
pub(crate) fn reader(others: &[Option<&str>]) -> Result<Option<Token>, Failure> {
    let text = read("", None, READ_TOKEN)?;
    if text.is_some() && others.contains(&text.as_deref()) {
        return Err(Failure::usage(format!(
            "{READ_TOKEN} is the token of a worker or an operator, too, who may do more: give readers another"
        )));
    }
    text.as_deref().map(Token::new).transpose().map_err(Failure::usage)
}

/// The value of an environment variable for a plan; a plan may not send our own secrets somewhere.
pub(crate) fn variable(name: &str) -> Option<String> {
    if VARIABLES.contains(&name) { None } else { std::env::var(name).ok() }
}

fn read(flag: &str, file: Option<&Path>, name: &str) -> Result<Option<String>, Failure> {
    let (from, text) = match file {
        Some(path) => {
            let from = format!("{flag} {}", path.display());
            let mut text = String::new();
            let read = std::fs::File::open(path).and_then(|file| {
                warn_if_readable(&from, &file.metadata()?);
                file.take(MAX_TOKEN_BYTES + 1).read_to_string(&mut text)
            });
            read.map_err(|e| Failure::usage(format!("{from}: {e}")))?;
            (from, text)
        }
        None => match std::env::var_os(name) {
            None => return Ok(None),
            Some(text) => {
                let text =
                    text.into_string().map_err(|_| Failure::usage(format!("{name}: a token is text")))?;
                (name.to_owned(), text)
            }
        },
    };
    let text = text.trim().to_owned();
    Token::new(&text).map_err(|why| Failure::usage(format!("{from}: {why}")))?;
    Ok(Some(text))
}

/// Say that others can read a token: it is one no longer.
fn warn_if_readable(from: &str, metadata: &std::fs::Metadata) {
    if metadata.is_file() && metadata.permissions().mode() & 0o044 != 0 {
        // Standard error may be gone.
        let _ = writeln!(std::io::stderr(), "note: {from}: others can read this token: chmod 600 that file");
    }
}
