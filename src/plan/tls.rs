//! Checks `tls:`: trusted CAs, client certificate, versions. The files themselves are read elsewhere.

use rustls::pki_types::ServerName;

use super::fault::quoted;
use super::path::Path;
use super::plan_schema::TlsForm;
use super::reader::PlanReader;
use super::url::Url;
use super::value_forms::TlsVersionForm;

/// TLS settings for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the trusted CAs; `None`: the system's.
    pub ca: Option<String>,
    /// Our client certificate; `None`: we send none.
    pub client: Option<ClientFiles>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// The name or address sent as SNI and checked in the certificate; valid as a server name.
    pub server_name: String,
    /// Whether earlier sessions are resumed.
    pub resumption: bool,
    /// The TLS versions to offer.
    pub versions: Versions,
}

/// Our client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// PEM file of the certificate and its chain.
    pub certificate: String,
    /// PEM file of the private key.
    pub key: String,
}

/// A range of TLS versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// 1.3, or 1.2 where the target does not support it.
    Both,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

impl Versions {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Both => "1.2-1.3",
            Self::Only12 => "1.2",
            Self::Only13 => "1.3",
        }
    }
}

/// The TLS settings in the section at `at` for the target whose URL is at `url_at`; `None` for plain HTTP, or with
/// faults recorded.
pub(super) fn check(
    reader: &mut PlanReader<'_>,
    (at, section): (&Path, Option<&TlsForm>),
    (url_at, url): (&Path, Option<&Url>),
) -> Option<Tls> {
    let empty = TlsForm::default();
    let form = section.unwrap_or(&empty);
    for (key, file) in [("ca", &form.ca), ("cert", &form.cert), ("key", &form.key)] {
        if file.as_ref().is_some_and(String::is_empty) {
            reader.fault(&at.key(key), "is empty: write the name of a PEM file, or remove it");
        }
    }
    for (given, missing, wanting, what) in [
        (&form.cert, &form.key, "cert", "`key`, the file with its private key"),
        (&form.key, &form.cert, "key", "`cert`, the file with the certificate it belongs to"),
    ] {
        if given.is_some() && missing.is_none() {
            reader.fault(&at.key(wanting), format!("is of no use alone: add {what}"));
        }
    }
    let insecure = form.insecure.unwrap_or(false);
    if insecure && form.ca.is_some() {
        reader.fault(&at.key("insecure"), "accepts every certificate, `ca` only some: keep one of the two");
    }
    let versions = versions(reader, at, form);
    if !url?.is_secure {
        if section.is_some() {
            let files = [("ca", &form.ca), ("cert", &form.cert), ("key", &form.key)];
            let file = files.iter().find(|(_, file)| file.is_some()).map(|(key, _)| *key);
            let given = file.or(form.insecure.map(|_| "insecure"));
            let place = given.map_or(at.clone(), |key| at.key(key));
            reader.fault(&place, "belongs to an https target: begin the URL with `https://`, or remove this");
        }
        return None;
    }
    let (name, place) = match &form.server_name {
        Some(name) => (name.as_str(), at.key("server_name")),
        None => (url?.target.host.as_str(), url_at.clone()),
    };
    if ServerName::try_from(name).is_err() {
        let message = format!("{} is not a name a certificate can have: write a host name", quoted(name));
        reader.read::<()>(&place, "a host name", Err(message));
    }
    let client = form.cert.clone().zip(form.key.clone());
    Some(Tls {
        ca: form.ca.clone(),
        client: client.map(|(certificate, key)| ClientFiles { certificate, key }),
        insecure,
        server_name: name.to_owned(),
        resumption: form.resumption.unwrap_or(true),
        versions,
    })
}

fn versions(reader: &mut PlanReader<'_>, at: &Path, form: &TlsForm) -> Versions {
    let mut read = |key: &str, version: &Option<TlsVersionForm>| {
        let text = version.as_ref()?.0.as_str();
        let known = match text {
            "1.2" => Ok(2),
            "1.3" => Ok(3),
            _ => Err(format!("{} is not a version spoken here: write 1.2 or 1.3", quoted(text))),
        };
        reader.read(&at.key(key), "1.2 or 1.3", known)
    };
    match (read("min_version", &form.min_version), read("max_version", &form.max_version)) {
        (Some(3), Some(2)) => {
            reader.fault(&at.key("min_version"), "is above `max_version`: exchange the two");
            Versions::Both
        }
        (Some(3), _) => Versions::Only13,
        (_, Some(2)) => Versions::Only12,
        _ => Versions::Both,
    }
}
