//! Values of a fleet's flags.
//!
//! Tokens are never typed: they come from files that flags name, or from the environment, which is read
//! elsewhere.

/// The most workers of one coordinator: it merges a report of each in each second.
pub(crate) const MAX_WORKERS: u64 = crate::fleet::messages::MAX_WORKERS as u64;

/// Parses `http://HOST:PORT`, without a path.
pub(super) fn coordinator(text: &str) -> Result<String, String> {
    let form = "not a coordinator's address: write http://HOST:PORT, like http://coordinator-svc:8080";
    if text.starts_with("https://") {
        return Err("https is not possible here: write http://, and keep the network between them your own"
            .to_owned());
    }
    let authority = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).ok_or(form)?;
    let well_formed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(well_formed) {
        return Err(form.to_owned());
    }
    Ok(format!("http://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_is_a_plain_http_address() {
        assert_eq!(coordinator("http://coordinator-svc:8080/"), Ok("http://coordinator-svc:8080".into()));
        assert_eq!(coordinator("http://[::1]:8080"), Ok("http://[::1]:8080".into()));
        assert!(coordinator("https://x").unwrap_err().contains("https"));
        for text in ["x:8080", "http://", "http://a/b", "http://u:p@a"] {
            assert!(coordinator(text).unwrap_err().contains("http://HOST:PORT"), "{text}");
        }
    }
}
