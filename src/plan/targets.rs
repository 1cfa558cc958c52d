//! Reads where requests go, `base_url` and `targets`, and how connections reach each target.

use super::connections;
use super::fault::quoted;
use super::headers;
use super::limits::MAX_TARGETS;
use super::overrides::Overrides;
use super::path::Path;
use super::plan_schema::{Document, TargetForm, TlsForm};
use super::proxy::{self, Choice, Proxy};
use super::reader::PlanReader;
use super::tls::{self, Tls};
use super::url::{self, Url};
use super::value_forms::ConnectToForm;
use crate::template;
use crate::text::did_you_mean;

/// The longest name of a target, in bytes: it is a label of metrics.
const MAX_NAME_BYTES: usize = 60;

/// A server that requests go to, and how connections reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name under `targets`; empty: the one of `base_url`.
    pub name: String,
    /// Host name, IPv4 address or IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The value of the `Host` header: brackets around IPv6, the port unless it is the scheme's default.
    pub authority: String,
    /// The path of its URL, with which the path of every request begins; often empty.
    pub path_prefix: String,
    /// TLS settings; `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// Host and port that connections go to instead.
    pub connect_to: Option<(String, u16)>,
    /// The Unix socket that connections go to instead: a path, or `@` and a name.
    pub unix: Option<String>,
    /// The proxy that connections go through.
    pub proxy: Option<Proxy>,
    /// Whether a proxy was asked for and is not used, because the target is on this machine.
    pub bypasses_proxy: bool,
}

impl Target {
    /// The plain HTTP target of `base_url` at a host name and a port, not 80.
    pub fn plain(host: &str, port: u16) -> Self {
        Self {
            name: String::new(),
            host: host.to_owned(),
            port,
            authority: format!("{host}:{port}"),
            path_prefix: String::new(),
            tls: None,
            connect_to: None,
            unix: None,
            proxy: None,
            bypasses_proxy: false,
        }
    }

    /// Its URL as people write it, without a path.
    pub fn origin(&self) -> String {
        if let Some(socket) = &self.unix {
            return format!("unix:{socket}");
        }
        format!("{}://{}", self.scheme(), self.authority)
    }

    /// `http` or `https`.
    pub const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The host and port that connections are opened to.
    pub fn peer(&self) -> (&str, u16) {
        match (&self.proxy, &self.connect_to) {
            (Some(proxy), _) => (&proxy.host, proxy.port),
            (None, Some((host, port))) => (host, *port),
            (None, None) => (&self.host, self.port),
        }
    }

    /// The proxy that a connection is tunneled through, with CONNECT.
    pub fn tunnel(&self) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| self.tls.is_some())
    }

    /// The proxy that requests are sent to, with their whole URL.
    pub fn forwarder(&self) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| self.tls.is_none())
    }
}

/// A target of which the URL and the header fields are read.
pub(super) struct Site {
    name: String,
    /// Where its settings are; the plan itself for that of `base_url`.
    at: Path,
    /// Where its URL is.
    url_at: Path,
    url: Option<Url>,
    /// The fields of its requests, if they do not set their own, and where they are.
    pub(crate) headers_at: Path,
    pub(crate) headers: Vec<(String, String)>,
}

impl Site {
    /// The beginning of its requests' paths.
    pub(crate) fn prefix(&self) -> &str {
        self.url.as_ref().map_or("", |url| url.rest.trim_end_matches('/'))
    }
}

/// The targets of a plan, that of `base_url` first; faults are recorded.
pub(super) fn sites(reader: &mut PlanReader<'_>, document: &Document) -> Vec<Site> {
    let url_at = Path::of("base_url");
    let headers_at = Path::of("defaults").key("headers");
    let main = Site {
        name: String::new(),
        at: Path::default(),
        url: base(reader, &url_at, document.base_url.as_deref()),
        url_at,
        headers: headers::read(reader, &headers_at),
        headers_at,
    };
    let mut sites = vec![main];
    let targets = Path::of("targets");
    for (name, form) in document.targets.iter().flatten() {
        let at = targets.key(name);
        check_name(reader, &at, name);
        let url_at = at.key("url");
        let url = base(reader, &url_at, form.url.as_deref());
        let headers_at = at.key("headers");
        let headers = headers::read(reader, &headers_at);
        sites.push(Site { name: name.clone(), at, url_at, url, headers_at, headers });
    }
    if sites.len() > MAX_TARGETS + 1 {
        reader.fault(&targets, format!("at most {MAX_TARGETS} targets are possible beside `base_url`"));
    }
    sites
}

fn check_name(reader: &mut PlanReader<'_>, at: &Path, name: &str) {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(is_valid) {
        let what = format!(
            "a target's name has letters, digits, `-`, `_` and `.`, at most {MAX_NAME_BYTES}: rename it"
        );
        reader.fault(at, what);
    }
}

/// A target's URL, with the paths' prefix as `rest`.
fn base(reader: &mut PlanReader<'_>, at: &Path, text: Option<&str>) -> Option<Url> {
    let url = reader.read(at, "a URL like `http://127.0.0.1:8081`", url::parse(text?))?;
    if url.rest.contains(template::OPEN) {
        reader.fault(at, "cannot have `{{…}}`: write it into the scenarios' paths");
        return None;
    }
    if url.rest.contains('?') {
        reader.fault(at, "a query (`?…`) belongs to the scenarios' paths: remove it here");
        return None;
    }
    Some(url)
}

/// The number of the target called `name`; a fault at `at` if there is none.
pub(super) fn find(reader: &mut PlanReader<'_>, at: &Path, sites: &[Site], name: &str) -> Option<usize> {
    let named = sites.iter().skip(1).position(|site| site.name == name);
    if named.is_none() {
        let names = sites.iter().skip(1).map(|site| site.name.as_str());
        let remedy = match sites.len() {
            1 => "add it under `targets`, or remove this to send to `base_url`".to_owned(),
            _ => format!("add it there{}", did_you_mean(name, names)),
        };
        reader.fault(at, format!("names no target of `targets`: {remedy}"));
    }
    named.map(|number| number + 1)
}

/// How the targets are reached; `None`, or a fault, where one is not valid.
pub(super) fn reach(
    reader: &mut PlanReader<'_>,
    document: &Document,
    sites: &[Site],
    overrides: &Overrides,
) -> Option<Vec<Target>> {
    check_resolved(reader, sites, overrides);
    let main = Settings {
        tls: document.tls.as_ref(),
        connect_to: document.connect_to.as_deref(),
        proxy: document.proxy.as_deref().map(|text| (text, Path::of("proxy"))),
    };
    let forms = document.targets.iter().flatten();
    let named = forms.map(|(name, form)| Settings::of(form, &Path::of("targets").key(name), &main));
    let all: Vec<Settings<'_>> = std::iter::once(main.clone()).chain(named.collect::<Vec<_>>()).collect();
    let targets: Vec<Option<Target>> =
        sites.iter().zip(all).map(|(site, settings)| target(reader, site, settings, overrides)).collect();
    targets.into_iter().collect()
}

/// What a plan says of the connections to one target.
#[derive(Clone)]
struct Settings<'a> {
    tls: Option<&'a TlsForm>,
    connect_to: Option<&'a [ConnectToForm]>,
    proxy: Option<(&'a str, Path)>,
}

impl<'a> Settings<'a> {
    /// Those of a named target; the plan's own proxy is for all targets.
    fn of(form: &'a TargetForm, at: &Path, main: &Self) -> Self {
        let own = form.proxy.as_deref().map(|text| (text, at.key("proxy")));
        Self {
            tls: form.tls.as_ref(),
            connect_to: form.connect_to.as_deref(),
            proxy: own.or_else(|| main.proxy.clone()),
        }
    }
}

fn target(
    reader: &mut PlanReader<'_>,
    site: &Site,
    settings: Settings<'_>,
    overrides: &Overrides,
) -> Option<Target> {
    let url = site.url.as_ref();
    let tls = tls::check(reader, (&site.at.key("tls"), settings.tls), (&site.url_at, url));
    let connect_to = connections::connect_to(reader, (&site.at.key("connect_to"), settings.connect_to), url);
    let url = url?;
    let resolved = resolved(overrides, url);
    let goes_elsewhere = resolved.is_some() || connect_to.is_some();
    let Choice { proxy, is_bypassed } = proxy::choose(reader, settings.proxy, overrides, url, goes_elsewhere);
    Some(Target {
        name: site.name.clone(),
        host: url.target.host.clone(),
        port: url.target.port,
        authority: url.target.authority.clone(),
        path_prefix: site.prefix().to_owned(),
        tls,
        connect_to: resolved.or(connect_to),
        unix: url.unix.clone(),
        proxy,
        bypasses_proxy: is_bypassed,
    })
}

/// The address that `--resolve` gives for the target at `url`.
fn resolved(overrides: &Overrides, url: &Url) -> Option<(String, u16)> {
    let target = &url.target;
    let is_for = |host: &str, port: u16| host.eq_ignore_ascii_case(&target.host) && port == target.port;
    let entry = overrides.resolve.iter().find(|entry| is_for(&entry.host, entry.port))?;
    Some((entry.address.to_string(), target.port))
}

/// An entry of `--resolve` for a host that is no target is a mistake.
fn check_resolved(reader: &mut PlanReader<'_>, sites: &[Site], overrides: &Overrides) {
    let at = Path::of("--resolve");
    let Some(main) = sites.first().and_then(|site| site.url.as_ref()) else { return };
    for entry in &overrides.resolve {
        let is_for =
            |url: &Url| entry.host.eq_ignore_ascii_case(&url.target.host) && entry.port == url.target.port;
        let found = sites.iter().filter_map(|site| site.url.as_ref()).find(|url| is_for(url));
        match found {
            Some(url) if url.unix.is_none() => {}
            None if sites.len() > 1 || main.unix.is_none() => {
                let (target, typed) = (&main.target, format!("{}:{}", entry.host, entry.port));
                let what = format!(
                    "{} is not the target, which is {}: write {}",
                    quoted(&typed),
                    quoted(&main.origin()),
                    quoted(&format!("{}:{}:{}", target.host, target.port, entry.address))
                );
                reader.fault(&at, what);
            }
            _ => reader.fault(&at, "a Unix socket is not reached over the network: remove it"),
        }
    }
}
