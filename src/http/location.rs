//! Resolves redirect locations (RFC 9110, sections 10.2.2 and 15.4; RFC 3986, section 5.2). The client
//! decides which redirects to follow.

use super::each_field;

/// The longest request target that is followed, the same limit as in a plan.
const MAX_TARGET_BYTES: usize = 64 << 10;

/// Why a redirect cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum RedirectError {
    /// The request already followed as many redirects as the plan allows.
    TooMany,
    /// It leads to another scheme, host or port.
    OtherOrigin,
    /// There is no `Location`, several differ, or it cannot be parsed.
    BadLocation,
}

impl RedirectError {
    pub(crate) const fn explain(self) -> &'static str {
        match self {
            Self::TooMany => "one redirect more than `follow_redirects` allows",
            Self::OtherOrigin => "a redirect to another scheme, host or port, which is not followed",
            Self::BadLocation => "a redirect without a readable `Location`",
        }
    }
}

/// Scheme and authority of a target; redirects are followed only within one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    /// Host name or address, IPv6 in brackets.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

/// The request target that the `Location` in `head`, a complete response head, resolves to from `path` on
/// `origin`.
///
/// # Errors
/// Why it cannot be followed: no or several locations, another origin, unreadable or too long.
pub(crate) fn follow(head: &[u8], origin: Origin<'_>, path: &str) -> Result<String, RedirectError> {
    let (mut location, mut several) = (None, false);
    each_field(head, |name, value| {
        if name.eq_ignore_ascii_case("location") {
            several |= location.as_deref().is_some_and(|other: &[u8]| other != value);
            location = Some(value.to_vec());
        }
    });
    let location = location.filter(|_| !several).ok_or(RedirectError::BadLocation)?;
    let location = std::str::from_utf8(&location).map_err(|_| RedirectError::BadLocation)?;
    resolve(location, origin, path)
}

/// Resolves `reference` by RFC 3986, section 5.2, with the base `path` on `origin`. The fragment is dropped.
fn resolve(reference: &str, origin: Origin<'_>, path: &str) -> Result<String, RedirectError> {
    let reference = reference.split('#').next().unwrap_or_default();
    if !reference.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(RedirectError::BadLocation);
    }
    let local = match (scheme_of(reference), reference.strip_prefix("//")) {
        (Some((scheme, rest)), _) => {
            let rest = rest.strip_prefix("//").ok_or(RedirectError::OtherOrigin)?;
            within(scheme, rest, origin)?
        }
        (None, Some(rest)) => within(origin.scheme, rest, origin)?,
        (None, None) => reference,
    };
    let (base, query) = path.split_once('?').map_or((path, None), |(base, query)| (base, Some(query)));
    let target = match local.as_bytes().first() {
        Some(b'/') => without_dots(local),
        Some(b'?') if local.len() < reference.len() => format!("/{local}"),
        Some(b'?') => format!("{base}{local}"),
        Some(_) => {
            let folder = base.rfind('/').map_or("", |at| &base[..at]);
            without_dots(&format!("{folder}/{local}"))
        }
        None if reference.is_empty() => query.map_or(base.to_owned(), |query| format!("{base}?{query}")),
        None => "/".to_owned(),
    };
    if target.len() > MAX_TARGET_BYTES { Err(RedirectError::BadLocation) } else { Ok(target) }
}

/// The scheme before the first colon, if it is a valid scheme, and the rest.
fn scheme_of(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    valid.then_some((scheme, rest))
}

/// What follows the authority at the start of `rest`, if scheme and authority match `origin`.
fn within<'a>(scheme: &str, rest: &'a str, origin: Origin<'_>) -> Result<&'a str, RedirectError> {
    let (authority, local) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let own = if origin.scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let port = if port.is_empty() { Some(own) } else { port.parse().ok() };
            (host, port.ok_or(RedirectError::BadLocation)?)
        }
        _ => (authority, own),
    };
    let same = scheme.eq_ignore_ascii_case(origin.scheme)
        && host.eq_ignore_ascii_case(origin.host)
        && port == origin.port;
    if same { Ok(local) } else { Err(RedirectError::OtherOrigin) }
}

/// Removes dot segments from the path (RFC 3986, section 5.2.4) and keeps the query.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let dots = matches!(segment, "." | "..");
        if segment == ".." {
            kept.pop();
        }
        if !dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push(""); // a dot segment at the end names a directory
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use RedirectError::{BadLocation, OtherOrigin};

    const ORIGIN: Origin<'_> = Origin { scheme: "http", host: "example.com", port: 8080 };

    fn check(location: &str, expected: Result<&str, RedirectError>) {
        let got = resolve(location, ORIGIN, "/b/c/d?q");
        assert_eq!(got.as_deref(), expected.as_ref().map(|text| *text), "{location}");
    }

    #[test]
    fn locations_are_resolved_as_rfc_3986_says() {
        for (location, target) in [
            ("/x", "/x"),
            ("/x?y=1#frag", "/x?y=1"),
            ("http://example.com:8080/x", "/x"),
            ("HTTP://EXAMPLE.com:8080", "/"),
            ("http://example.com:8080?a", "/?a"),
            ("//example.com:8080/x", "/x"),
            ("g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("./g", "/b/c/g"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../../g", "/g"),
            (".", "/b/c/"),
            ("..", "/b/"),
            ("g;x=1/../y", "/b/c/y"),
            ("/./g/.", "/g/"),
            ("?y", "/b/c/d?y"),
            ("g?y/../z", "/b/c/g?y/../z"),
            ("", "/b/c/d?q"),
            ("#s", "/b/c/d?q"),
        ] {
            check(location, Ok(target));
        }
    }

    #[test]
    fn another_origin_is_not_followed() {
        for location in [
            "http://example.com/x",
            "http://example.com:8081/x",
            "https://example.com:8080/x",
            "http://other:8080/x",
            "//other/x",
            "ftp://example.com:8080/",
            "mailto:x@example.com",
            "http://user@example.com:8080/",
        ] {
            check(location, Err(OtherOrigin));
        }
    }

    #[test]
    fn what_can_not_be_read_is_refused() {
        for location in ["/a b", "/\u{e4}", "http://example.com:port/"] {
            check(location, Err(BadLocation));
        }
        let long = format!("/{}", "x".repeat(MAX_TARGET_BYTES));
        check(&long, Err(BadLocation));
    }

    #[test]
    fn ports_and_addresses_of_the_origin_are_compared_by_meaning() {
        let origin = Origin { scheme: "https", host: "[::1]", port: 443 };
        for location in ["https://[::1]/x", "https://[::1]:443/x", "https://[::1]:/x", "//[::1]/x"] {
            assert_eq!(resolve(location, origin, "/"), Ok("/x".to_owned()), "{location}");
        }
        assert_eq!(resolve("https://[::2]/x", origin, "/"), Err(OtherOrigin));
    }

    #[test]
    fn a_head_names_one_location() {
        let head = |fields: &str| format!("HTTP/1.1 302 Found\r\n{fields}\r\n");
        let follow = |fields: &str| follow(head(fields).as_bytes(), ORIGIN, "/");
        assert_eq!(follow("A: b\r\nlocation: /x\r\n"), Ok("/x".to_owned()));
        assert_eq!(follow("Location: /x\r\nLocation: /x\r\n"), Ok("/x".to_owned()));
        assert_eq!(follow("Location: /x\r\nLocation: /y\r\n"), Err(BadLocation));
        assert_eq!(follow("A: b\r\n"), Err(BadLocation));
        assert_eq!(follow("Location: \u{e4}\r\n"), Err(BadLocation));
    }
}
