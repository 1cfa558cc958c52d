//! Reads the PEM files a plan names and makes of them what its TLS connections share. What the files
//! mean stays out.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::load::{Pem, tls_config};
use crate::plan::{Plan, quoted};
use crate::sys::TlsConfig;
use crate::units::print_bytes;

/// The most bytes of a PEM file: a system's whole list of CAs has 250 KiB.
const MAX_PEM_BYTES: usize = 4 << 20;

/// What `plan`'s TLS connections share; `None` for plain HTTP. Files are named from `folder`.
///
/// # Errors
/// The key, the file, why, and what to do about it.
pub(crate) fn read(plan: &Plan, folder: &Path) -> Result<Option<TlsConfig>, String> {
    config(plan, &contents(plan, folder)?)
}

/// What `plan`'s TLS connections share, made of what its files hold.
///
/// # Errors
/// What is wrong with a file, and what to do about it.
pub(crate) fn config(plan: &Plan, pem: &Pem) -> Result<Option<TlsConfig>, String> {
    plan.tls.as_ref().map(|tls| tls_config(tls, pem)).transpose()
}

/// What the files hold that `plan` names, from `folder`.
///
/// # Errors
/// The key, the file, why, and what to do about it.
pub(crate) fn contents(plan: &Plan, folder: &Path) -> Result<Pem, String> {
    let Some(tls) = &plan.tls else { return Ok(Pem::default()) };
    let file = |key, name: Option<&String>| name.map(|name| pem(key, &folder.join(name))).transpose();
    Ok(Pem {
        ca: file("tls.ca", tls.ca.as_ref())?,
        certificate: file("tls.cert", tls.client.as_ref().map(|own| &own.certificate))?,
        key: file("tls.key", tls.client.as_ref().map(|own| &own.key))?,
    })
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

/// The folder that the files of a plan read from `source` are named from: its own, or, of a plan that is
/// not a file, the present one.
pub(crate) fn folder(source: Option<&str>) -> &Path {
    let own = source.filter(|source| *source != "-").and_then(|source| Path::new(source).parent());
    own.unwrap_or(Path::new(""))
}

/// Says on standard error that any certificate is accepted, if the plan wants that.
pub(super) fn warn_of_insecure(plan: &Plan) {
    if plan.tls.as_ref().is_some_and(|tls| tls.insecure) {
        eprintln!("warning: insecure: any certificate is accepted, whoever answers may be somebody else");
    }
}
