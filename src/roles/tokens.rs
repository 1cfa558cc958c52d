//! Tokens, from files named by flags or from the environment, never from the command line, which every user
//! can see. They are neither printed nor put into plans.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Failure, log};
use crate::web::Token;

/// Variable with the workers' token, used without a token file.
const WORKER_TOKEN: &str = "LOADTESTER_TOKEN";
/// Variable with the operator's token, used without a token file.
pub(crate) const OPERATOR_TOKEN: &str = "LOADTESTER_OPERATOR_TOKEN";
/// Variable with the read-only token.
const READ_TOKEN: &str = "LOADTESTER_READ_TOKEN";
/// Every variable that holds a token, which a plan must not send anywhere.
pub(crate) const VARIABLES: [&str; 3] = [WORKER_TOKEN, OPERATOR_TOKEN, READ_TOKEN];
/// The longest token file, in bytes.
const MAX_TOKEN_BYTES: u64 = 4096;

/// The workers' token, if there is one.
///
/// # Errors
/// It cannot be read or is invalid; names the flag or the variable.
pub(crate) fn worker(file: Option<&Path>) -> Result<Option<String>, Failure> {
    read("--token-file", file, WORKER_TOKEN)
}

/// The operator's token, if there is one.
///
/// # Errors
/// As [`worker`].
pub(crate) fn operator(file: Option<&Path>) -> Result<Option<String>, Failure> {
    read("--operator-token-file", file, OPERATOR_TOKEN)
}

/// The token for reading status, metrics and dashboard only, if there is one.
///
/// # Errors
/// It is invalid (names the variable), or equals one of the `others`.
pub(crate) fn reader(others: &[Option<&str>]) -> Result<Option<Token>, Failure> {
    let text = read("", None, READ_TOKEN)?;
    if text.is_some() && others.contains(&text.as_deref()) {
        return Err(Failure::usage(format!(
            "{READ_TOKEN} is the token of a worker or an operator, too, who may do more: give readers another"
        )));
    }
    text.as_deref().map(Token::new).transpose().map_err(Failure::usage)
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

/// Warn that other users can read a token file.
fn warn_if_readable(from: &str, metadata: &std::fs::Metadata) {
    if metadata.is_file() && metadata.permissions().mode() & 0o044 != 0 {
        log::note(&format!("{from}: others can read this token: chmod 600 that file"));
    }
}
