//! How connections are made and how long they are used, read from `load` and `connect_to`. Names are resolved and
//! sockets opened elsewhere.

use core::net::IpAddr;

use super::fault::quoted;
use super::limits::{MAX_DURATION_NS, MAX_TIMEOUT_NS};
use super::overrides::{Family, Overrides};
use super::path::Path;
use super::plan_schema::{Document, LoadForm};
use super::reader::PlanReader;
use super::url::{self, Url};
use super::value_forms::ConnectToForm;
use crate::units;

/// The shortest interval between name resolutions, in nanoseconds: the resolver is somebody else's machine.
const LEAST_RESOLVE_NS: u64 = 1_000_000_000;

/// How connections to the target are made and how long they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// How long an attempt may take; `None`: see [`super::Plan::connect_timeout_ns`].
    pub connect_timeout_ns: Option<u64>,
    /// Whether a connection carries more than one request.
    pub keep_alive: bool,
    /// The most requests a connection carries, at least 1.
    pub most_requests: Option<u64>,
    /// Closed after the response during or before which it becomes this old.
    pub most_age_ns: Option<u64>,
    /// How often the host's name is resolved again; `None`: only at the start.
    pub resolve_every_ns: Option<u64>,
    /// The local addresses that connections come from, in turn; empty: the kernel's choice.
    pub source_addresses: Vec<IpAddr>,
    /// The addresses of the target that are used; `None`: all.
    pub family: Option<Family>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            connect_timeout_ns: None,
            keep_alive: true,
            most_requests: None,
            most_age_ns: None,
            resolve_every_ns: None,
            source_addresses: Vec::new(),
            family: None,
        }
    }
}

/// Reads the connection settings; faults are recorded. `is_unix`: all targets are Unix sockets.
pub(super) fn check(
    reader: &mut PlanReader<'_>,
    document: &Document,
    is_unix: bool,
    overrides: &Overrides,
) -> Connections {
    let empty = LoadForm::default();
    let form = document.load.as_ref().unwrap_or(&empty);
    let load = Path::of("load");
    let mut duration = |key: &str, text: &Option<super::value_forms::Duration>, least: u64, most: u64| {
        text.as_ref().and_then(|text| reader.duration(&load.key(key), &text.0, least, most))
    };
    let connect_timeout_ns = duration("connect_timeout", &form.connect_timeout, 1, MAX_TIMEOUT_NS);
    let most_age_ns = duration("connection_age", &form.connection_age, 1, MAX_DURATION_NS);
    let resolve_every_ns = duration("resolve_every", &form.resolve_every, 1, MAX_DURATION_NS);
    if resolve_every_ns.is_some_and(|ns| ns < LEAST_RESOLVE_NS) {
        reader.fault(&load.key("resolve_every"), "is too short: write at least 1s");
    }
    let keep_alive = form.keep_alive.unwrap_or(true) && !overrides.no_keep_alive;
    let most_requests = form.requests_per_connection.as_ref().and_then(|text| {
        let at = load.key("requests_per_connection");
        let n = reader.read(&at, "a whole number like 100", units::parse_count(&text.0))?;
        if n == 0 {
            reader.fault(&at, "must be at least 1: leave it out for no limit");
        }
        Some(n)
    });
    if !keep_alive {
        for key in ["requests_per_connection", "connection_age"] {
            if reader.is_given(&load.key(key)) {
                let message =
                    "with `keep_alive: false` each connection carries one request: remove one of the two";
                reader.fault(&load.key(key), message);
            }
        }
    }
    let source_addresses = sources(reader, form);
    if is_unix {
        let off_the_network = "a Unix socket is not reached over the network: remove it";
        for at in [load.key("source_addresses"), load.key("resolve_every"), Path::of("connect_to")] {
            if reader.is_given(&at) {
                reader.fault(&at, off_the_network);
            }
        }
        if let Some(family) = overrides.family {
            reader.fault(&Path::of(family.flag_and_name().0), off_the_network);
        }
    }
    Connections {
        connect_timeout_ns,
        keep_alive,
        most_requests,
        most_age_ns,
        resolve_every_ns,
        source_addresses,
        family: overrides.family,
    }
}

fn sources(reader: &mut PlanReader<'_>, form: &LoadForm) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for (i, form) in form.source_addresses.iter().flatten().enumerate() {
        let text = &form.0;
        let at = Path::of("load").key("source_addresses").index(i);
        let parsed = text.parse::<IpAddr>().map_err(|_| {
            format!("{} is not an IP address: write one of this machine's, like `127.0.0.2`", quoted(text))
        });
        match reader.read(&at, "an IP address like `127.0.0.2`", parsed) {
            Some(address) if addresses.contains(&address) => {
                reader.fault(&at, "stands here twice: remove one of the two");
            }
            address => addresses.extend(address),
        }
    }
    addresses
}

/// The first entry that matches the target, as in curl; entries for other hosts are ignored.
pub(super) fn connect_to(
    reader: &mut PlanReader<'_>,
    (at, entries): (&Path, Option<&[ConnectToForm]>),
    url: Option<&Url>,
) -> Option<(String, u16)> {
    let mut found = None;
    for (i, text) in entries.into_iter().flatten().enumerate() {
        let at = at.index(i);
        let form = "`host:port:to_host:to_port`";
        let Some(entry) = reader.read(&at, form, parse_connect_to(&text.0)) else { continue };
        let Some(target) = url.map(|url| &url.target) else { continue };
        let is_for = entry.host.is_none_or(|host| host.eq_ignore_ascii_case(&target.host))
            && entry.port.is_none_or(|port| port == target.port);
        if is_for && found.is_none() {
            let host = entry.to_host.unwrap_or_else(|| target.host.clone());
            found = Some((host, entry.to_port.unwrap_or(target.port)));
        }
    }
    found
}

/// `host:port:to_host:to_port`; an empty host or port matches any, or stays unchanged.
struct ConnectTo {
    host: Option<String>,
    port: Option<u16>,
    to_host: Option<String>,
    to_port: Option<u16>,
}

fn parse_connect_to(text: &str) -> Result<ConnectTo, String> {
    let (host, rest) = host_of(text)?;
    let (port, rest) = rest.split_once(':').ok_or_else(|| misshaped(text))?;
    let (to_host, to_port) = host_of(rest)?;
    Ok(ConnectTo { host, port: port_of(port)?, to_host, to_port: port_of(to_port)? })
}

/// The host at the start of `text`, in brackets if it is an IPv6 address, and the rest after its colon.
fn host_of(text: &str) -> Result<(Option<String>, &str), String> {
    if let Some(inside) = text.strip_prefix('[') {
        let (host, rest) = inside.split_once("]:").ok_or_else(|| misshaped(text))?;
        host.parse::<core::net::Ipv6Addr>()
            .map_err(|_| format!("{} is not an IPv6 address: write it like `[::1]`", quoted(host)))?;
        return Ok((Some(host.to_owned()), rest));
    }
    let (host, rest) = text.split_once(':').ok_or_else(|| misshaped(text))?;
    if host.is_empty() {
        return Ok((None, rest));
    }
    Ok((Some(url::host(host)?), rest))
}

fn port_of(text: &str) -> Result<Option<u16>, String> {
    if text.is_empty() { Ok(None) } else { url::port(text).map(Some) }
}

fn misshaped(text: &str) -> String {
    format!(
        "{} has not four parts: write `host:port:to_host:to_port`, an IPv6 address in brackets",
        quoted(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Overrides, Plan, parse};

    fn plan(base_url: &str, more: &str) -> Result<Plan, String> {
        let text = format!("base_url: {base_url}\n{more}\nscenarios: [{{path: /}}]\n");
        parse(&text, "x", &Overrides::default(), &|_| None).map_err(|faults| faults.to_string())
    }

    fn connections(base_url: &str, more: &str) -> Connections {
        plan(base_url, more).unwrap().connections
    }

    fn check_fault(base_url: &str, more: &str, expected: &str) {
        let faults = plan(base_url, more).unwrap_err();
        assert!(faults.contains(expected), "{more}: {faults}");
    }

    const ENDS: &str = "requests: 1";

    #[test]
    fn what_a_plan_says_of_connections_is_kept() {
        let load = "load: {requests: 1, connect_timeout: 2s, requests_per_connection: 1k, connection_age: 1m, \
                    resolve_every: 30s, source_addresses: [127.0.0.2, '::1']}";
        let got = connections("http://x", load);
        assert_eq!((got.connect_timeout_ns, got.most_requests), (Some(2_000_000_000), Some(1_000)));
        assert_eq!((got.most_age_ns, got.resolve_every_ns), (Some(60_000_000_000), Some(30_000_000_000)));
        assert_eq!(got.source_addresses, ["127.0.0.2".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()]);
        assert!(got.keep_alive);
        assert!(!connections("http://x", "load: {requests: 1, keep_alive: false}").keep_alive);
        assert_eq!(connections("http://x", &format!("load: {{{ENDS}}}")), Connections::default());
    }

    #[test]
    fn connect_to_is_read_as_curl_reads_it() {
        let to = |base: &str, entries: &str| {
            plan(base, &format!("load: {{{ENDS}}}\nconnect_to: [{entries}]")).unwrap().targets[0]
                .connect_to
                .clone()
        };
        let some = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(
            to("http://api.example.com", "'api.example.com:80:127.0.0.1:8080'"),
            some("127.0.0.1", 8080)
        );
        assert_eq!(to("http://API.example.com", "'api.example.com:80:10.0.0.7:'"), some("10.0.0.7", 80));
        assert_eq!(to("http://x:81", "'::[::1]:8080'"), some("::1", 8080));
        assert_eq!(to("http://x:81", "':81::82'"), some("x", 82));
        assert_eq!(to("http://[::1]:81", "'[::1]:81:localhost:82'"), some("localhost", 82));
        assert_eq!(to("http://x:81", "'y:81:a:1', 'x:80:b:1', 'x:81:c:1', 'x:81:d:1'"), some("c", 1));
        assert_eq!(to("http://x", "'y:80:a:1'"), None);
    }

    #[test]
    fn a_unix_socket_is_a_target_with_a_path_prefix_and_localhost_as_host() {
        for (url, socket, path) in [
            ("unix:/run/app.sock", "/run/app.sock", "/"),
            ("unix:/run/app.sock:/api/", "/run/app.sock", "/api/"),
            ("'unix:@app:/api'", "@app", "/api/"),
            ("unix:///run/app.sock", "/run/app.sock", "/"),
        ] {
            let plan = plan(url, &format!("load: {{{ENDS}}}")).unwrap();
            assert_eq!(plan.targets[0].unix.as_deref(), Some(socket), "{url}");
            assert_eq!(
                (plan.scenarios[0].path.as_str(), plan.targets[0].authority.as_str()),
                (path, "localhost")
            );
            assert_eq!(plan.targets[0].origin(), format!("unix:{socket}"));
        }
    }

    #[test]
    fn faults_say_what_to_write() {
        let load = |keys: &str| format!("load: {{{ENDS}, {keys}}}");
        for (keys, expected) in [
            ("keep_alive: false, requests_per_connection: 5", "with `keep_alive: false`"),
            ("keep_alive: false, connection_age: 5s", "with `keep_alive: false`"),
            ("requests_per_connection: 0", "at least 1"),
            ("connect_timeout: 0s", "longer than nothing"),
            ("connect_timeout: 2h", "too long"),
            ("resolve_every: 10ms", "at least 1s"),
            ("source_addresses: [localhost]", "not an IP address"),
            ("source_addresses: ['::1', '0:0:0:0:0:0:0:1']", "twice"),
            ("keep_alive: maybe", "`true` or `false`"),
        ] {
            check_fault("http://x", &load(keys), expected);
        }
        for (entry, expected) in [
            ("x:80:y", "four parts"),
            ("x:80", "four parts"),
            ("x:http:y:1", "not a port"),
            ("x:80:y:0", "not a port"),
            ("x:80:[y]:1", "not an IPv6 address"),
            ("x:80:1.2.3:1", "not an IPv4 address"),
        ] {
            check_fault("http://x", &format!("{}\nconnect_to: ['{entry}']", load("drain: 1s")), expected);
        }
        check_fault("unix:/x", &load("source_addresses: [127.0.0.1]"), "Unix socket");
        check_fault("unix:/x", &format!("{}\nconnect_to: ['::y:1']", load("drain: 1s")), "Unix socket");
    }
}
