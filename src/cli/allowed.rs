//! Parses the targets that a worker may load.

use std::fmt;

use crate::plan;

/// A target that a worker may load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Over the network.
    Host {
        /// A host name or an IP address without brackets, in lower case.
        host: String,
        /// Only this port; `None`: any.
        port: Option<u16>,
    },
    /// A Unix socket: a whole path, or `@` and a name.
    Unix(String),
}

impl Allowed {
    /// `HOST`, `HOST:PORT`, `[IPV6]`, `[IPV6]:PORT` or `unix:SOCKET`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let form = "not a target: write HOST or HOST:PORT, like api.example.com:443 or [::1]:8081, or unix:/run/app.sock";
        if let Some(socket) = text.strip_prefix("unix:").filter(|socket| socket.starts_with(['/', '@'])) {
            return Ok(Self::Unix(socket.to_owned()));
        }
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or(form.to_owned());
        let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, ""))) => (host, None),
            Some(Some((host, rest))) => (host, Some(port(rest.strip_prefix(':').ok_or(form)?)?)),
            Some(None) => return Err(form.to_owned()),
            None => match text.split_once(':') {
                Some((host, rest)) => (host, Some(port(rest)?)),
                None => (text, None),
            },
        };
        let ascii = if host.is_ascii() { host.to_owned() } else { plan::host(host)? };
        let host = ascii.as_str();
        let well_formed = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(well_formed) {
            return Err(form.to_owned());
        }
        Ok(Self::Host { host: host.to_ascii_lowercase(), port })
    }

    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Host { host: named, port: only } => {
                named.eq_ignore_ascii_case(host) && only.is_none_or(|allowed| allowed == port)
            }
            Self::Unix(_) => false,
        }
    }

    /// Whether it allows this Unix socket.
    pub(crate) fn allows_socket(&self, socket: &str) -> bool {
        matches!(self, Self::Unix(named) if named == socket)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(socket) => write!(f, "unix:{socket}"),
            Self::Host { host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                match port {
                    Some(port) => write!(f, "{host}:{port}"),
                    None => f.write_str(&host),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowed_target_is_a_host_with_or_without_a_port() {
        let allowed = |text| Allowed::parse(text).unwrap();
        assert!(allowed("API.example.com").allows("api.example.com", 443));
        assert!(allowed("api.example.com:443").allows("api.EXAMPLE.com", 443));
        assert!(!allowed("api.example.com:443").allows("api.example.com", 80));
        assert!(!allowed("example.com").allows("api.example.com", 80), "no suffixes");
        assert!(allowed("[::1]:8081").allows("::1", 8081) && allowed("[::1]").allows("::1", 1));
        assert_eq!(allowed("[::1]:8081").to_string(), "[::1]:8081");
        assert!(allowed("bücher.example:80").allows("xn--bcher-kva.example", 80));
        assert!(allowed("unix:/run/a.sock").allows_socket("/run/a.sock"));
        assert!(
            !allowed("unix:/run/a.sock").allows_socket("/run/b.sock") && !allowed("a").allows_socket("a")
        );
        for text in ["", ":80", "a:", "a:0", "a:99999", "a:b", "[::1", "[::1]x", "http://a", "a/b", "::1"] {
            assert!(Allowed::parse(text).unwrap_err().contains("HOST:PORT"), "{text}");
        }
    }
}
