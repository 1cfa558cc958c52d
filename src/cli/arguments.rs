//! Checks the arguments against the table of flags before values are extracted.
//!
//! pico-args looks for names anywhere in the arguments. After this check no value can be taken for a flag and
//! no flag for a value, and unknown flags, repeated flags and flags without their value have been rejected.

use std::ffi::OsString;

use super::elsewhere::{self, FLAGS_ELSEWHERE, Remedy};
use super::error::UsageError;
use super::table::{FLAGS, Flag, Kind, find};
use crate::plan::{did_you_mean, quoted};

/// The arguments, checked.
pub(super) struct Vetted {
    /// With `--flag=value` split in two and every flag by its own name, fit for pico-args.
    pub(super) arguments: Vec<OsString>,
    /// The flags among them.
    pub(super) flags: Vec<&'static Flag>,
    /// Each flag's own name, and the name that was typed.
    pub(super) typed: Vec<(&'static str, String)>,
}

/// Checks the arguments.
pub(super) fn vet(typed: Vec<OsString>) -> Result<Vetted, UsageError> {
    let mut texts = Vec::with_capacity(typed.len());
    for (i, argument) in typed.into_iter().enumerate() {
        let text = argument.into_string();
        texts.push(text.map_err(|_| UsageError::new(format!("argument {} is not valid UTF-8", i + 1)))?);
    }
    let mut vetted: Vec<OsString> = Vec::with_capacity(texts.len());
    let (mut seen, mut names): (Vec<&'static Flag>, Vec<_>) = (Vec::new(), Vec::new());
    let mut rest = texts.into_iter().peekable();
    while let Some(text) = rest.next() {
        if !text.starts_with('-') || text == "-" {
            vetted.push(text.into());
            continue;
        }
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text.as_str(), None),
        };
        let flag = find(name).ok_or_else(|| unknown(name))?;
        if flag.kind == Kind::Once && seen.iter().any(|other| other.name == flag.name) {
            return Err(UsageError::new(format!("{name} is given twice: keep one of the two")));
        }
        seen.push(flag);
        names.push((flag.name, name.to_owned()));
        vetted.push(flag.name.into());
        match (flag.value.is_empty(), attached) {
            (true, None) => {}
            (true, Some(_)) => {
                return Err(UsageError::new(format!("{name} takes no value: write {name} alone")));
            }
            (false, attached) => {
                let is_attached = attached.is_some();
                let value = attached.or_else(|| rest.next());
                vetted.push(value_of(flag, name, value, is_attached)?.into());
            }
        }
    }
    Ok(Vetted { arguments: vetted, flags: seen, typed: names })
}

fn value_of(flag: &Flag, name: &str, value: Option<String>, is_attached: bool) -> Result<String, UsageError> {
    let called = flag.value;
    let Some(value) = value else {
        return Err(UsageError::new(format!("{name} needs a value: write {name} {called}")));
    };
    let looks_like_a_flag = value.starts_with('-') && value != "-";
    // A body may begin with a dash; any other value that does is a forgotten value.
    let is_body = flag.name == "-b";
    let is_text = is_body && (is_attached || find(value.split('=').next().unwrap_or("")).is_none());
    if looks_like_a_flag && !is_text {
        let other = if is_body {
            format!("; a body that begins like a flag is written {name}={value}")
        } else {
            String::new()
        };
        let follows =
            if holds_a_credential(flag) { "one that begins with `-`".to_owned() } else { quoted(&value) };
        return Err(UsageError::new(format!(
            "{name} needs a value, but {follows} follows: write {name} {called}{other}"
        )));
    }
    Ok(value)
}

/// Whether the flag's value may be a password: no message repeats it.
fn holds_a_credential(flag: &Flag) -> bool {
    matches!(flag.name, "--user" | "-H" | "--env")
}

fn unknown(name: &str) -> UsageError {
    if let Some(remedy) = elsewhere::flag(name) {
        return UsageError::new(format!("unknown flag {}: {}", quoted(name), remedy.text()));
    }
    // -rate, as in Go.
    if !name.starts_with("--")
        && let Some(flag) = find(&format!("-{name}"))
    {
        let write = quoted(format!("-{name} {}", flag.value).trim_end());
        return UsageError::new(format!("unknown flag {}: write {write}", quoted(name)));
    }
    // -c50: the value is attached, as other tools allow.
    if let Some(short) = name.get(..2).and_then(find).filter(|flag| !flag.value.is_empty() && name.len() > 2)
    {
        if holds_a_credential(short) {
            let (typed, value) = (&name[..2], short.value);
            let write = quoted(&format!("{typed} {value}"));
            return UsageError::new(format!(
                "{typed} is followed by its value without a space: write {write}"
            ));
        }
        let (flag, value) = (short.name, &name[2..]);
        return UsageError::new(format!(
            "unknown flag {}: write {}",
            quoted(name),
            quoted(&format!("{flag} {value}"))
        ));
    }
    // -z10s: the same with a flag of another tool; what is attached may be a credential.
    if !name.starts_with("--")
        && let Some((short, remedy)) = name.get(..2).and_then(|short| Some((short, elsewhere::flag(short)?)))
    {
        return UsageError::new(format!("unknown flag {}: {}", quoted(short), remedy.text()));
    }
    let names = FLAGS.iter().flat_map(Flag::names);
    // Two-letter names are too similar for a guess.
    let near = |names: &mut dyn Iterator<Item = &'static str>| {
        if name.len() > 3 { did_you_mean(name, names.filter(|n| n.len() > 2)) } else { String::new() }
    };
    let mut guess = near(&mut names.into_iter());
    if guess.is_empty() {
        let elsewhere =
            FLAGS_ELSEWHERE.iter().find(|(other, _)| !near(&mut std::iter::once(*other)).is_empty());
        match elsewhere {
            Some((_, Remedy::Flag(ours))) => {
                let long = find(ours).and_then(|flag| flag.names().last()).unwrap_or(ours);
                guess = format!(", did you mean {}?", quoted(long));
            }
            Some((other, Remedy::Words(words))) => guess = format!(" ({} elsewhere): {words}", quoted(other)),
            None => {}
        }
    }
    let guess = if guess.is_empty() { ": `--help all` lists them".to_owned() } else { guess };
    UsageError::new(format!("unknown flag {}{guess}", quoted(name)))
}
