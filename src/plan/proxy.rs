//! Decides through which proxy a target is reached, from `--proxy`, the plan and the environment.

use core::fmt;
use core::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::quoted;
use super::overrides::Overrides;
use super::path::Path;
use super::reader::PlanReader;
use super::url::{self, Url};

/// The value that turns a proxy off.
const NONE: &str = "none";
const FORM: &str = "a URL like `http://proxy:3128`, or `none`";

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Host and port as in a URL.
    pub authority: String,
    /// The value of `Proxy-Authorization`, if the proxy's URL has a user.
    pub(crate) authorization: Option<String>,
    /// User and password as typed.
    pub(super) userinfo: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// How a target is reached.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(crate) proxy: Option<Proxy>,
    /// Whether a proxy was asked for and is not used, because the target is on this machine.
    pub(crate) is_bypassed: bool,
}

/// The proxy for the target at `url`. `plan`: the setting in the plan that applies to it, and where that is.
/// `goes_elsewhere`: `connect_to` or `--resolve` names the address that connections go to.
pub(super) fn choose(
    reader: &mut PlanReader<'_>,
    plan: Option<(&str, Path)>,
    overrides: &Overrides,
    url: &Url,
    goes_elsewhere: bool,
) -> Choice {
    let flag = overrides.proxy.as_deref().map(|text| (text, Path::of("--proxy")));
    if let Some((text, at)) = flag.or(plan) {
        if text == NONE {
            return Choice::default();
        }
        let Some(proxy) = reader.read(&at, FORM, parse(text)) else { return Choice::default() };
        if is_local(url) {
            return Choice { proxy: None, is_bypassed: true };
        }
        if goes_elsewhere {
            reader.fault(
                &at,
                "a proxy makes the connections to the target, so `connect_to` and --resolve have no effect: remove one of the two",
            );
        }
        return Choice { proxy: Some(proxy), is_bypassed: false };
    }
    let variables = &overrides.proxy_variables;
    let own = if url.is_secure { (&variables.https, "https_proxy") } else { (&variables.http, "http_proxy") };
    let found = [own, (&variables.all, "all_proxy")]
        .into_iter()
        .find_map(|(value, name)| Some((value.as_ref()?, name)));
    let Some((text, name)) = found else { return Choice::default() };
    let is_excepted =
        || variables.no.as_ref().is_some_and(|list| is_listed(list, &url.target.host, url.target.port));
    if is_local(url) || goes_elsewhere || is_excepted() {
        return Choice::default();
    }
    let proxy = parse(text).map_err(|message| format!("{message}; `--proxy none` sends without a proxy"));
    Choice { proxy: reader.read(&Path::of(name), FORM, proxy), is_bypassed: false }
}

/// Whether the target is on this machine.
fn is_local(url: &Url) -> bool {
    let host = url.target.host.trim_end_matches('.');
    let is_loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    url.unix.is_some()
        || host == "localhost"
        || host.ends_with(".localhost")
        || host.parse().is_ok_and(is_loopback)
}

/// Parses a proxy's URL, whose scheme may be left out.
///
/// # Errors
/// What is wrong and what to write instead, without user and password.
fn parse(text: &str) -> Result<Proxy, String> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let (url, userinfo) = url::split_userinfo(&whole);
    if let Some((scheme, _)) =
        url.split_once("://").filter(|(scheme, _)| !scheme.eq_ignore_ascii_case("http"))
    {
        return Err(format!(
            "the scheme {} is not supported for a proxy: use an HTTP proxy, `http://proxy:3128`, which tunnels https, too",
            quoted(scheme)
        ));
    }
    let parsed = url::parse(&url)?;
    if !matches!(parsed.rest.as_str(), "" | "/") {
        return Err("a proxy's URL has no path: write `http://proxy:3128`".to_owned());
    }
    let typed = userinfo.map(str::to_owned);
    let authorization = userinfo.map(|userinfo| {
        let (user, password) = url::user_of(userinfo)?;
        Ok::<_, String>(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    });
    let target = parsed.target;
    Ok(Proxy {
        host: target.host,
        port: target.port,
        authority: target.authority,
        authorization: authorization.transpose()?,
        userinfo: typed,
    })
}

/// Whether a list of exceptions has this host: names with all their subdomains, addresses, networks like
/// `10.0.0.0/8`, each with or without a port, or `*` for all. A name may begin with a dot.
fn is_listed(list: &str, host: &str, port: u16) -> bool {
    let ip = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    entries.map(str::to_ascii_lowercase).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let (Some(ip), Some((network, bits))) = (ip, entry.split_once('/')) {
            let parsed = network.trim_matches(['[', ']']).parse().ok().zip(bits.parse().ok());
            return parsed.is_some_and(|(network, bits)| is_in(ip, network, bits));
        }
        let (name, only_port) = without_port(&entry);
        if only_port.is_some_and(|only| only != port) {
            return false;
        }
        match (ip, name.parse::<IpAddr>()) {
            (Some(ip), Ok(listed)) => ip == listed.to_canonical(),
            (Some(_), Err(_)) | (None, Ok(_)) => false,
            (None, Err(_)) => {
                let name = name.trim_start_matches("*.").trim_matches('.');
                host.strip_suffix(name)
                    .is_some_and(|rest| !name.is_empty() && (rest.is_empty() || rest.ends_with('.')))
            }
        }
    })
}

/// An entry's name or address, and its port.
fn without_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        // More than one colon: an IPv6 address.
        Some((name, port)) if !port.contains(':') => (name, port.parse().ok()),
        _ => (entry, None),
    }
}

fn is_in(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let prefix = |value: u128, width: u32| value.checked_shr(width.saturating_sub(bits)).unwrap_or(0);
    match (ip, network.to_canonical()) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let [ip, network] = [ip, network].map(|ip| u128::from(ip.to_bits()));
            bits <= 32 && prefix(ip, 32) == prefix(network, 32)
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            bits <= 128 && prefix(ip.to_bits(), 128) == prefix(network.to_bits(), 128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ProxyVariables, Target, parse as parse_plan};

    fn target(base_url: &str, more: &str, overrides: &Overrides) -> Result<Target, String> {
        let text = format!("base_url: {base_url}\n{more}\nload: {{requests: 1}}\nscenarios: [{{path: /}}]\n");
        let plan = parse_plan(&text, "x", overrides, &|_| None).map_err(|faults| faults.to_string())?;
        Ok(plan.targets[0].clone())
    }

    fn variables(pairs: &[(&str, &str)]) -> Overrides {
        let look_up =
            |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Overrides { proxy_variables: ProxyVariables::read(look_up), ..Overrides::default() }
    }

    fn proxy(base_url: &str, more: &str, overrides: &Overrides) -> Option<String> {
        target(base_url, more, overrides).unwrap().proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port))
    }

    #[test]
    fn flag_then_plan_then_environment_decide() {
        let environment = variables(&[("http_proxy", "http://env:1"), ("HTTPS_PROXY", "secure:2")]);
        let with_flag = |flag: &str| Overrides { proxy: Some(flag.into()), ..environment.clone() };
        let plan = "proxy: http://plan:3";
        for (base_url, more, overrides, expected) in [
            ("http://a", "", &environment, Some("env:1")),
            ("https://a", "", &environment, Some("secure:2")),
            ("http://a", plan, &environment, Some("plan:3")),
            ("http://a", "proxy: none", &environment, None),
            ("http://a", plan, &with_flag("http://flag"), Some("flag:80")),
            ("http://a", plan, &with_flag("none"), None),
            ("http://a", plan, &Overrides::default(), Some("plan:3")),
            ("http://a", "", &variables(&[("all_proxy", "[::1]:4")]), Some("::1:4")),
            ("http://a", "", &variables(&[("http_proxy", ""), ("HTTP_PROXY", "upper:5")]), None),
            ("http://a", "connect_to: ['::b:1']", &environment, None),
        ] {
            assert_eq!(
                proxy(base_url, more, overrides).as_deref(),
                expected,
                "{base_url} {more} {overrides:?}"
            );
        }
    }

    #[test]
    fn a_target_on_this_machine_has_no_proxy() {
        let overrides = Overrides { proxy: Some("p:1".into()), ..Overrides::default() };
        for url in [
            "http://localhost:1",
            "http://api.localhost",
            "http://127.9.9.9",
            "http://[::1]:8",
            "unix:/run/x",
        ] {
            for overrides in [&overrides, &variables(&[("http_proxy", "p:1")])] {
                let target = target(url, "", overrides).unwrap();
                assert_eq!((target.proxy, target.bypasses_proxy), (None, overrides.proxy.is_some()), "{url}");
            }
        }
        assert!(proxy("http://localhost.example.com", "", &overrides).is_some());
    }

    #[test]
    fn exceptions_are_names_addresses_networks_and_ports() {
        for (list, host, is_excepted) in [
            ("example.com", "example.com", true),
            ("example.com", "api.example.com", true),
            (".example.com, other", "api.example.com", true),
            ("*.example.com", "api.example.com", true),
            ("example.com", "badexample.com", false),
            ("a b,example.com:80", "example.com", true),
            ("example.com:81", "example.com", false),
            ("*", "10.1.2.3", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("fd00::/8", "fd12::1", true),
            ("[fd12::1]:80", "fd12::1", true),
            ("fd12::1", "fd12::2", false),
            ("1.2.3.4", "1.2.3.4", true),
            (".", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(is_listed(list, host, 80), is_excepted, "{list} {host}");
        }
    }

    #[test]
    fn user_and_password_become_a_header_and_are_never_shown() {
        let overrides = Overrides { proxy: Some("http://us%40er:p%3Ass@p:1".into()), ..Overrides::default() };
        let target = target("http://a", "", &overrides).unwrap();
        let proxy = target.proxy.clone().unwrap();
        assert_eq!(proxy.authorization.as_deref(), Some("Basic dXNAZXI6cDpzcw=="));
        let shown = format!("{target:?}");
        assert!(!shown.contains("p:ss") && !shown.contains("p%3Ass"), "{shown}");
    }

    #[test]
    fn what_no_proxy_can_be_is_a_fault_with_its_place() {
        for (plan, expected) in [
            ("proxy: socks5://p:1", "proxy: the scheme `socks5` is not supported for a proxy"),
            ("proxy: https://p:1", "the scheme `https`"),
            ("proxy: http://p:1/x", "has no path"),
            ("proxy: http://p:x", "not a port"),
            ("proxy: http://p:1\nconnect_to: ['::b:1']", "remove one of the two"),
        ] {
            let fault = target("http://a", plan, &Overrides::default()).unwrap_err();
            assert!(fault.contains(expected), "{plan}: {fault}");
        }
        let fault = target("http://a", "", &variables(&[("http_proxy", "socks5://u:secret@p")])).unwrap_err();
        assert!(
            fault.contains("http_proxy: ") && fault.contains("--proxy none") && !fault.contains("secret"),
            "{fault}"
        );
    }
}
