//! Overrides from the command line.

use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Command-line values that replace those of a plan; `load` and `connections` have the rules. They travel with
/// a plan from a coordinator to its workers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overrides {
    /// `-c`: connections.
    pub concurrency: Option<u32>,
    /// `-r`: requests per second.
    pub rate: Option<f64>,
    /// `-n`: measured requests of the whole run.
    pub requests: Option<u64>,
    /// `-d`: nanoseconds measured.
    pub duration_ns: Option<u64>,
    /// `--stages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<StageOverride>>,
    /// `--no-keepalive`: each request opens a connection of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_keep_alive: bool,
    /// `-4` or `-6`: the addresses of the target that are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// `--resolve`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolve: Vec<ResolveOverride>,
    /// `--proxy`: a URL, or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// The environment's proxies.
    #[serde(default, skip_serializing_if = "ProxyVariables::is_empty")]
    pub proxy_variables: ProxyVariables,
    /// `--label`, in order: names that a metric can have, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(String, String)>,
}

/// The environment variables that name proxies, as curl reads them; an empty one counts as not set. Not shown: they
/// may have passwords.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyVariables {
    /// `http_proxy` or `HTTP_PROXY`: for http targets.
    pub http: Option<String>,
    /// `https_proxy` or `HTTPS_PROXY`: for https targets.
    pub https: Option<String>,
    /// `all_proxy` or `ALL_PROXY`: where the one above is not set.
    pub all: Option<String>,
    /// `no_proxy` or `NO_PROXY`: hosts that are reached without one.
    pub no: Option<String>,
}

impl ProxyVariables {
    /// Those that `look_up` has a value for; the spelling in lower case goes first.
    pub fn read(look_up: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| {
            let spellings = [name.to_owned(), name.to_ascii_uppercase()];
            spellings.iter().find_map(|name| look_up(name)).filter(|value| !value.trim().is_empty())
        };
        Self {
            http: variable("http_proxy"),
            https: variable("https_proxy"),
            all: variable("all_proxy"),
            no: variable("no_proxy"),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Debug for ProxyVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyVariables { .. }")
    }
}

/// One stage of `--stages`: a straight line to a rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageOverride {
    /// How long it takes, in nanoseconds; 0 jumps.
    pub length_ns: u64,
    /// The rate at its end, per second.
    pub rate: f64,
}

/// One `--resolve HOST:PORT:ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveOverride {
    /// A host name or an IP address without brackets, in lower case.
    pub host: String,
    /// The port of the target.
    pub port: u16,
    /// Where connections go, to the same port.
    pub address: IpAddr,
}

/// A family of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4, `-4`.
    V4,
    /// IPv6, `-6`.
    V6,
}

impl Family {
    /// Whether `ip` belongs to it.
    pub const fn has(self, ip: IpAddr) -> bool {
        match self {
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }

    /// Its flag and its name.
    pub(crate) const fn flag_and_name(self) -> (&'static str, &'static str) {
        match self {
            Self::V4 => ("-4", "IPv4"),
            Self::V6 => ("-6", "IPv6"),
        }
    }
}
