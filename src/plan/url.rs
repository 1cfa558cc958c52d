//! Parses URLs: splits `http://host:port/prefix`, and joins prefix and path to a request target.

use super::fault::quoted;
use super::request_target;

/// The longest host name of the DNS (RFC 1035, section 2.3.4, less the root's dot).
const MAX_HOST_BYTES: usize = 253;
/// The longest request target sent: servers refuse more than 8 KiB; RFC 9112 asks for at least 8,000 bytes.
const MAX_TARGET_BYTES: usize = 64 << 10;

/// The longest path of a Unix socket (unix(7): 108 bytes with the closing zero).
const MAX_SOCKET_BYTES: usize = 107;

/// A host and port of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPort {
    /// Host name, IPv4 address or IPv6 address without brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// The value of the `Host` header: brackets around IPv6, the port unless it is the scheme's default.
    pub(crate) authority: String,
}

/// A URL's parts; `rest` begins with `/`, or is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(crate) target: HostPort,
    pub(crate) is_secure: bool,
    /// The Unix socket that is the target: a path, or `@` and a name.
    pub(crate) unix: Option<String>,
    /// Path and query as typed.
    pub(crate) rest: String,
}

impl Url {
    /// The URL without its path.
    pub(crate) fn origin(&self) -> String {
        if let Some(socket) = &self.unix {
            return format!("unix:{socket}");
        }
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}", self.target.authority)
    }
}

/// Parses a URL, and percent-encodes in its path and query what no URL may have.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let url = parse_as_typed(text)?;
    request_target::check(&url.rest)?;
    Ok(Url { rest: request_target::encoded(&url.rest).into_owned(), ..url })
}

/// Parses a URL; path and query are neither checked nor encoded.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn parse_as_typed(text: &str) -> Result<Url, String> {
    if let Some(socket) = text.strip_prefix("unix:") {
        return unix(socket);
    }
    let (scheme, after) = text
        .split_once("://")
        .ok_or_else(|| format!("has no scheme: write {}", quoted(&format!("http://{text}"))))?;
    let is_secure = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        "http+unix" => return Err("a Unix socket is written `unix:/run/app.sock`".to_owned()),
        _ => return Err(format!("the scheme {} is not supported: use http or https", quoted(scheme))),
    };
    let (authority, rest) = match after.find(['/', '?', '#']) {
        Some(at) => after.split_at(at),
        None => (after, ""),
    };
    if authority.contains('@') {
        return Err("user and password do not belong in a plan's URL: write `Authorization: \"Basic \
                    {{base64('USER:PASSWORD')}}\"` under `defaults.headers`"
            .to_owned());
    }
    if is_cut_password(authority, rest) {
        return Err(
            "has a user and password in which `/`, `?` or `#` ends the host: write `%2F`, `%3F` or `%23` in \
                    the password"
                .to_owned(),
        );
    }
    let rest = if rest.starts_with('?') { format!("/{rest}") } else { rest.to_owned() };
    Ok(Url { target: target(authority, if is_secure { 443 } else { 80 })?, is_secure, unix: None, rest })
}

/// `text` without the user and password of its authority, and these. A URL is shown without them.
pub(super) fn split_userinfo(text: &str) -> (String, Option<&str>) {
    let Some((scheme, after)) = text.split_once("://") else { return (text.to_owned(), None) };
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    match after[..end].rsplit_once('@') {
        Some((userinfo, host)) => (format!("{scheme}://{host}{}", &after[end..]), Some(userinfo)),
        None => (text.to_owned(), None),
    }
}

/// `text` without the user and password that its authority may have, whether or not it has a scheme: what a
/// message may repeat of a word that may be a URL.
pub(crate) fn without_userinfo(text: &str) -> String {
    // `unix:@name` is a socket.
    if text.contains("://") || text.starts_with("unix:") {
        return split_userinfo(text).0;
    }
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    text[..end].rfind('@').map_or(text, |at| &text[at + 1..]).to_owned()
}

/// User and password of a URL, percent-decoded; without a colon the password is empty.
///
/// # Errors
/// What is wrong, without repeating it.
pub(super) fn user_of(userinfo: &str) -> Result<(String, String), String> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    Ok((percent_decoded(user)?, percent_decoded(password)?))
}

fn percent_decoded(text: &str) -> Result<String, String> {
    let wrong =
        || "user and password are percent-encoded in a URL: write `%25` for `%`, or use --user".to_owned();
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok()).ok_or_else(wrong)?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or_else(wrong)?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// Parses `/run/app.sock` or `@name`, and the paths' prefix after another colon; the host is `localhost`.
fn unix(text: &str) -> Result<Url, String> {
    let text = text.strip_prefix("//").filter(|path| path.starts_with(['/', '@'])).unwrap_or(text);
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(format!("a socket's path cannot contain {}: remove it", quoted(&c.to_string())));
    }
    let (socket, rest) = match text.find(":/") {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    if !socket.starts_with(['/', '@']) || socket.len() < 2 {
        return Err("a Unix socket is a whole path, `unix:/run/app.sock`, or a name, `unix:@app`; \
                    paths may follow after a colon, `unix:/run/app.sock:/v1`"
            .to_owned());
    }
    if socket.len() > MAX_SOCKET_BYTES {
        return Err(format!(
            "the socket's path is longer than {MAX_SOCKET_BYTES} bytes, the most the kernel takes"
        ));
    }
    let target = HostPort { host: "localhost".to_owned(), port: 80, authority: "localhost".to_owned() };
    Ok(Url { target, is_secure: false, unix: Some(socket.to_owned()), rest: rest.to_owned() })
}

fn target(authority: &str, own_port: u16) -> Result<HostPort, String> {
    let (host, port, bracketed) = match authority.strip_prefix('[') {
        Some(inside) => {
            let (host, after) =
                inside.split_once(']').ok_or("`[` without `]`: write an IPv6 address as `[::1]`")?;
            if host.contains('%') {
                return Err("IPv6 zones are not supported: use an address without `%`".to_owned());
            }
            host.parse::<core::net::Ipv6Addr>()
                .map_err(|_| format!("{} is not an IPv6 address: write it like `[::1]`", quoted(host)))?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':').ok_or("only `:port` may follow `]`")?),
            };
            (host.to_ascii_lowercase(), port, true)
        }
        None => {
            if authority.matches(':').count() > 1 {
                return Err(several_colons(authority));
            }
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            (self::host(host)?, port, false)
        }
    };
    let number = match port {
        None => own_port,
        Some(text) => self::port(text)?,
    };
    let shown = if bracketed { format!("[{host}]") } else { host.clone() };
    let authority = if number == own_port { shown } else { format!("{shown}:{number}") };
    Ok(HostPort { host, port: number, authority })
}

/// Whether `authority` is the beginning of a user and password that holds a character which ends it.
fn is_cut_password(authority: &str, rest: &str) -> bool {
    let port = authority.split_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.bytes().all(|b| b.is_ascii_digit()))
        && !authority.starts_with('[')
        && rest.contains('@')
}

/// What is wrong with a host that has several colons and no brackets.
fn several_colons(authority: &str) -> String {
    let mut parts = authority.split(':');
    let host = parts.next().unwrap_or_default();
    let are_ports = parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if are_ports && !host.is_empty() && authority.parse::<core::net::Ipv6Addr>().is_err() {
        let one: String = authority.rsplit_once(':').map_or(authority, |(one, _)| one).to_owned();
        return format!("{} has more than one port: write one, like {}", quoted(authority), quoted(&one));
    }
    "an IPv6 address stands in brackets: write `http://[::1]:8080`".to_owned()
}

/// Parses a port, 1 to 65535.
pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse::<u16>()
        .ok()
        .filter(|n| *n > 0 && text.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(|| format!("{} is not a port: write a number from 1 to 65535", quoted(text)))
}

/// A host name or IPv4 address in lower case; letters beyond ASCII in the form that DNS has for them (UTS 46).
///
/// # Errors
/// What is wrong and what to write instead.
pub(crate) fn host(text: &str) -> Result<String, String> {
    if text.is_ascii() {
        check_host(text)?;
        return Ok(text.to_ascii_lowercase());
    }
    let ascii = idna::domain_to_ascii(text)
        .map_err(|_| format!("{} is not a host name that DNS can have: check its letters", quoted(text)))?;
    check_host(&ascii)?;
    Ok(ascii)
}

fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("has no host: write `http://host:port`".to_owned());
    }
    if host.len() > MAX_HOST_BYTES {
        return Err(format!("the host is longer than {MAX_HOST_BYTES} bytes, the most a name can have"));
    }
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if let Some(c) = host.chars().find(|c| !valid(*c)) {
        return Err(format!("a host cannot contain {}", quoted(&c.to_string())));
    }
    // Only digits and dots means an IPv4 address; a resolver would read `1.2.3` as 1.2.0.3.
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if numeric && host.parse::<core::net::Ipv4Addr>().is_err() {
        return Err(format!("{} is not an IPv4 address: write four numbers like `127.0.0.1`", quoted(host)));
    }
    Ok(())
}

/// The request target of `path` under `prefix` (from [`Url::rest`]).
///
/// # Errors
/// What is wrong with `path` and what to write instead.
pub(super) fn join(prefix: &str, path: &str) -> Result<String, String> {
    if path.contains("://") && !path.starts_with('/') {
        return Err("is a whole URL: write only the path, the host comes from `base_url`".to_owned());
    }
    if !path.starts_with('/') {
        return Err(format!("does not begin with `/`: write {}", quoted(&format!("/{path}"))));
    }
    request_target::check(path)?;
    let path = request_target::encoded(path);
    let target = format!("{}{path}", prefix.trim_end_matches('/'));
    if target.len() > MAX_TARGET_BYTES {
        return Err(format!("is {} bytes long: at most {MAX_TARGET_BYTES} are possible", target.len()));
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let cases = [
            ("http://127.0.0.1:8081/a?b=1", "127.0.0.1", 8081, "127.0.0.1:8081", "/a?b=1"),
            ("http://Example.COM", "example.com", 80, "example.com", ""),
            ("HTTP://example.com:80/", "example.com", 80, "example.com", "/"),
            ("https://example.com:443/a", "example.com", 443, "example.com", "/a"),
            ("https://example.com:80", "example.com", 80, "example.com:80", ""),
            ("http://example.com:443", "example.com", 443, "example.com:443", ""),
            ("http://[::1]:9000?x", "::1", 9000, "[::1]:9000", "/?x"),
            ("http://[FE80::1]", "fe80::1", 80, "[fe80::1]", ""),
            (
                "http://Bücher.example:8080/a",
                "xn--bcher-kva.example",
                8080,
                "xn--bcher-kva.example:8080",
                "/a",
            ),
            ("http://straße.de", "xn--strae-oqa.de", 80, "xn--strae-oqa.de", ""),
            ("http://日本語。jp/", "xn--wgv71a119e.jp", 80, "xn--wgv71a119e.jp", "/"),
            ("http://my_host", "my_host", 80, "my_host", ""),
            ("http://x/bücher?{a}", "x", 80, "x", "/b%C3%BCcher?%7Ba%7D"),
            ("http://x/{{now}}?a={{random.pick('a b')}}", "x", 80, "x", "/{{now}}?a={{random.pick('a b')}}"),
        ];
        for (text, host, port, authority, rest) in cases {
            let target = HostPort { host: host.into(), port, authority: authority.into() };
            let is_secure = text.starts_with("https");
            assert_eq!(parse(text), Ok(Url { target, is_secure, unix: None, rest: rest.into() }), "{text}");
        }
    }

    #[test]
    fn a_refused_url_says_what_to_write() {
        let cases = [
            ("localhost:80", "write `http://localhost:80`"),
            ("unix:x", "whole path"),
            ("unix:@", "whole path"),
            ("http+unix://x", "unix:/run/app.sock"),
            ("unix:/x:/#a", "fragment"),
            ("ftp://x", "use http"),
            ("http://", "no host"),
            ("http:///x", "no host"),
            ("http://x:0", "1 to 65535"),
            ("http://x:+5", "1 to 65535"),
            ("http://x:", "1 to 65535"),
            ("http://::1:80", "brackets"),
            ("http://[::1", "without `]`"),
            ("http://[x]", "not an IPv6 address"),
            ("http://[fe80::1%eth0]", "zones"),
            ("http://[::1]80", "only `:port`"),
            ("http://u:p@x/", "Authorization"),
            ("http://x/#a", "fragment"),
            ("http://x/a b", "%20"),
            ("http://x/a%", "`%25`"),
            ("http://h:80:90/", "`h:80:90` has more than one port: write one, like `h:80`"),
            ("http://10.0.0.1:80:90:1/", "more than one port"),
            ("http://::1/", "brackets"),
            ("http://u:se/cret@h/", "`%2F`"),
            ("http://u:se?cret@h/", "`%3F`"),
            ("http://b\u{200b}\u{2260}ü\u{0300}\u{e000}/", "DNS"),
            ("http://a b/", "` `"),
            ("http://a*b/", "`*`"),
            ("http://1.2.3/", "IPv4"),
        ];
        for (text, remedy) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(remedy), "{text}: {error}");
            assert!(!error.contains("cret"), "{text}: {error}");
        }
    }

    #[test]
    fn user_and_password_are_taken_out_of_a_url() {
        for (text, shown, user) in [
            ("http://u:p@x/a@b", "http://x/a@b", Some(("u", "p"))),
            ("http://u@x", "http://x", Some(("u", ""))),
            ("http://a%40b:p%3a@q@[::1]:80?x", "http://[::1]:80?x", Some(("a@b", "p:@q"))),
            ("http://x/?a=u:p@y", "http://x/?a=u:p@y", None),
            ("unix:@app", "unix:@app", None),
        ] {
            let (url, userinfo) = split_userinfo(text);
            assert_eq!(url, shown);
            let read = userinfo.map(|userinfo| user_of(userinfo).unwrap());
            assert_eq!(read, user.map(|(user, password)| (user.to_owned(), password.to_owned())), "{text}");
        }
        for wrong in ["u:%", "u:%2", "u:%+1", "u:%ff"] {
            assert!(user_of(wrong).unwrap_err().contains("--user"), "{wrong}");
        }
    }

    #[test]
    fn a_word_is_shown_without_user_and_password_with_a_scheme_or_without() {
        for (text, shown) in [
            ("http://u:p@x/a@b", "http://x/a@b"),
            ("u:p@x/a@b", "x/a@b"),
            ("u:p@q@x?a@b", "x?a@b"),
            ("u@x", "x"),
            ("x/a@b", "x/a@b"),
            ("x", "x"),
            ("unix:@app", "unix:@app"),
            ("unix:/run/a@b.sock", "unix:/run/a@b.sock"),
        ] {
            assert_eq!(without_userinfo(text), shown);
        }
    }

    #[test]
    fn paths_are_put_after_the_prefix() {
        assert_eq!(join("", "/a"), Ok("/a".into()));
        assert_eq!(join("/", "/"), Ok("/".into()));
        assert_eq!(join("/api/", "/a?b"), Ok("/api/a?b".into()));
        assert_eq!(join("", "/ü?a|b"), Ok("/%C3%BC?a%7Cb".into()));
        for (path, remedy) in [
            ("a", "`/a`"),
            ("http://x/a", "only the path"),
            ("/a b", "%20"),
            ("/a#b", "%23"),
            ("/a%", "%25"),
            ("/\r\n", "%0D"),
        ] {
            assert!(join("", path).unwrap_err().contains(remedy), "{path}");
        }
    }
}
