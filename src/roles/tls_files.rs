//! Reads the PEM files that a plan names and builds its TLS configuration.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::log;
use crate::load::{Pem, tls_config};
use crate::plan::{Plan, Target, quoted};
use crate::sys::TlsConfig;
use crate::units::print_bytes;

/// The largest PEM file, in bytes: a system's whole CA list has 250 KiB.
const MAX_PEM_BYTES: usize = 4 << 20;

/// The TLS configuration of each of `plan`'s targets; `None`: plain HTTP. File names are relative to `folder`.
///
/// # Errors
/// The key, the file, the reason, and the remedy.
pub(crate) fn read(plan: &Plan, folder: &Path) -> Result<Vec<Option<TlsConfig>>, String> {
    configs(plan, &contents(plan, folder)?)
}

/// The TLS configuration of each of `plan`'s targets with the content of its files.
///
/// # Errors
/// The fault in a file, and its remedy.
pub(crate) fn configs(plan: &Plan, files: &[Pem]) -> Result<Vec<Option<TlsConfig>>, String> {
    let config = |(target, pem): (&Target, &Pem)| {
        let config = target.tls.as_ref().map(|tls| tls_config(tls, pem)).transpose();
        config.map_err(|message| of_target(target, &message))
    };
    plan.targets.iter().zip(files).map(config).collect()
}

/// Check the configurations of those targets that have a CA of their own.
///
/// # Errors
/// The fault in a file, and its remedy.
pub(crate) fn check_own_cas(plan: &Plan, files: &[Pem]) -> Result<(), String> {
    let targets = plan.targets.iter().zip(files);
    let mut own = targets.filter_map(|(target, pem)| Some((target, pem, target.tls.as_ref()?)));
    own.try_for_each(|(target, pem, tls)| match tls.ca {
        Some(_) => tls_config(tls, pem).map(drop).map_err(|message| of_target(target, &message)),
        None => Ok(()),
    })
}

/// Content of the files that each of `plan`'s targets names, relative to `folder`.
///
/// # Errors
/// The key, the file, the reason, and the remedy.
pub(crate) fn contents(plan: &Plan, folder: &Path) -> Result<Vec<Pem>, String> {
    let of = |target: &Target| of_tls(target, folder).map_err(|message| of_target(target, &message));
    plan.targets.iter().map(of).collect()
}

fn of_tls(target: &Target, folder: &Path) -> Result<Pem, String> {
    let Some(tls) = &target.tls else { return Ok(Pem::default()) };
    let file = |key, name: Option<&String>| name.map(|name| pem(key, &folder.join(name))).transpose();
    Ok(Pem {
        ca: file("tls.ca", tls.ca.as_ref())?,
        certificate: file("tls.cert", tls.client.as_ref().map(|own| &own.certificate))?,
        key: file("tls.key", tls.client.as_ref().map(|own| &own.key))?,
    })
}

/// A message about `tls`, with the place of the section.
fn of_target(target: &Target, message: &str) -> String {
    if target.name.is_empty() { message.to_owned() } else { format!("targets.{}.{message}", target.name) }
}

fn pem(key: &str, path: &Path) -> Result<Vec<u8>, String> {
    let shown = quoted(&path.display().to_string());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_PEM_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            format!("{key}: {shown} cannot be read: {error}: check its name (it is looked for from the plan's folder)")
        })?;
    if bytes.len() > MAX_PEM_BYTES {
        let limit = print_bytes(MAX_PEM_BYTES as u64);
        return Err(format!("{key}: {shown} is larger than {limit}: is it a PEM file?"));
    }
    Ok(bytes)
}

/// The directory to which a plan's file names are relative: the plan's own, or the current one if `source` is
/// not a file.
pub(crate) fn folder(source: Option<&str>) -> &Path {
    let own = source.filter(|source| *source != "-").and_then(|source| Path::new(source).parent());
    own.unwrap_or(Path::new(""))
}

/// Warn on standard error if the plan accepts any certificate.
pub(super) fn warn_of_insecure(plan: &Plan) {
    if plan.targets.iter().filter_map(|target| target.tls.as_ref()).any(|tls| tls.insecure) {
        log::warning("insecure: any certificate is accepted, whoever answers may be somebody else");
    }
}
