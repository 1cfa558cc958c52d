//! Parses the values of flags that have a form of their own.

use core::net::IpAddr;

use crate::plan::{self, MAX_STAGES, ResolveOverride, StageOverride, check_header, check_label, quoted};
use crate::units;

pub(super) fn count_up_to(text: &str, most: u64) -> Result<u64, String> {
    match units::parse_count(text)? {
        n if n > most => Err(format!("too large: write at most {most}")),
        n => Ok(n),
    }
}

/// `Name: value`. `Connection: close` is one, too: it means a connection for each request.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("not a header: write it as 'Name: value'")?;
    let (name, value) = (name.trim_end(), value.trim());
    let closes = name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close");
    if !closes {
        check_header(name, value)?;
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `USER:PASSWORD`. The text is in no message.
pub(super) fn user(text: &str) -> Result<(String, String), String> {
    let (name, password) =
        text.split_once(':').ok_or("has no password: write USER:PASSWORD, or `USER:` for none")?;
    Ok((name.to_owned(), password.to_owned()))
}

/// `KEY=VALUE`. The text is in no message.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("has no `=`: write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A variable's name and value.
pub(super) fn variable((key, value): (String, String)) -> Result<(String, String), String> {
    let begins = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Ok((key, value))
    } else {
        Err(format!("{} is not a variable's name: use letters, digits and `_`, no digit first", quoted(&key)))
    }
}

/// A label's name and value.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = key_value(text)?;
    check_label(&name, &value)?;
    Ok((name, value))
}

/// `30s:500/s,1m:500/s`.
pub(super) fn stages(text: &str) -> Result<Vec<StageOverride>, String> {
    let stages: Vec<StageOverride> =
        text.split(',').map(|text| stage(text.trim())).collect::<Result<_, _>>()?;
    if stages.len() > MAX_STAGES {
        return Err(format!("{} stages: at most {MAX_STAGES} are possible", stages.len()));
    }
    Ok(stages)
}

fn stage(text: &str) -> Result<StageOverride, String> {
    let (length, rate) = text.split_once(':').ok_or_else(|| {
        format!(
            "{} is not a stage: write DURATION:RATE, like 30s:500/s, and a comma between two",
            quoted(text)
        )
    })?;
    let length_ns = units::parse_duration(length).map_err(|why| format!("{}: {why}", quoted(length)))?;
    let rate = units::parse_rate_flag(rate).map_err(|why| format!("{}: {why}", quoted(rate)))?;
    Ok(StageOverride { length_ns, rate })
}

/// `HOST:PORT:ADDRESS`, IPv6 addresses with or, as the last part, without brackets.
pub(super) fn resolve(text: &str) -> Result<ResolveOverride, String> {
    let form = "not three parts: write HOST:PORT:ADDRESS, like api.example.com:443:127.0.0.1";
    let (host, rest) = match text.strip_prefix('[') {
        Some(inside) => {
            let (host, rest) = inside.split_once("]:").ok_or(form)?;
            let ip: core::net::Ipv6Addr = host.parse().map_err(|_| form)?;
            (ip.to_string(), rest)
        }
        None => {
            let (host, rest) = text.split_once(':').ok_or(form)?;
            (plan::host(host)?, rest)
        }
    };
    let (port, address) = rest.split_once(':').ok_or(form)?;
    let port = port.parse().ok().filter(|port| *port > 0);
    let port = port.ok_or("the port is a number from 1 to 65535, like api.example.com:443:127.0.0.1")?;
    let bare = address.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(address);
    let address: IpAddr = bare.parse().map_err(|_| {
        format!("{} is not an IP address: write one like 127.0.0.1 or [::1]", quoted(address))
    })?;
    Ok(ResolveOverride { host, port, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_with_units_or_as_a_rate_flag() {
        let read =
            |text| stages(text).map(|all| all.iter().map(|s| (s.length_ns, s.rate)).collect::<Vec<_>>());
        let s = 1_000_000_000;
        assert_eq!(read("30s:500/s,1m:500/s"), Ok(vec![(30 * s, 500.0), (60 * s, 500.0)]));
        assert_eq!(read("0s:60/min, 1m:1k"), Ok(vec![(0, 1.0), (60 * s, 1000.0)]));
        for (text, why) in [
            ("", "is not a stage"),
            ("30s", "`30s` is not a stage: write DURATION:RATE"),
            ("30s:5/s,", "is not a stage"),
            ("30:5/s", "`30`: a duration needs a unit"),
            ("30s:fast", "`fast`: not a rate"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn a_resolved_name_has_three_parts() {
        let read = |text| resolve(text).map(|r| (r.host, r.port, r.address.to_string()));
        let some = |host: &str, port, address: &str| Ok((host.to_owned(), port, address.to_owned()));
        assert_eq!(read("API.example.com:443:127.0.0.1"), some("api.example.com", 443, "127.0.0.1"));
        assert_eq!(read("x:80:[::1]"), some("x", 80, "::1"));
        assert_eq!(read("x:80:::1"), some("x", 80, "::1"));
        assert_eq!(read("[::1]:80:127.0.0.1"), some("::1", 80, "127.0.0.1"));
        assert_eq!(read("bücher.example:80:1.2.3.4"), some("xn--bcher-kva.example", 80, "1.2.3.4"));
        for (text, why) in [
            ("x", "three parts"),
            ("x:80", "three parts"),
            ("[::1:80:1.2.3.4", "three parts"),
            ("x:0:1.2.3.4", "1 to 65535"),
            ("x:80:localhost", "not an IP address"),
            (":80:1.2.3.4", "no host"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn a_variable_and_a_user_need_both_parts() {
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        let env = |text| key_value(text).and_then(variable);
        assert_eq!(env("A_1=b=c"), pair("A_1", "b=c"));
        assert_eq!(env("A="), pair("A", ""));
        assert!(
            env("A").unwrap_err().contains("KEY=VALUE") && env("1=x").unwrap_err().contains("no digit first")
        );
        assert_eq!(user("me:a:b"), pair("me", "a:b"));
        let refused = user("s3cret").unwrap_err();
        assert!(refused.contains("USER:PASSWORD") && !refused.contains("s3cret"));
    }
}
