//! Overrides from the command line.

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
    /// `--label`, in order: names that a metric can have, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(String, String)>,
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
