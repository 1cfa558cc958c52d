//! Access control: who may read, and who may make a worker's calls.
//!
//! | | without tokens | no token | reader's token | worker's token | operator's token |
//! |---|---|---|---|---|---|
//! | `/healthz`, `/readyz` | yes | yes | yes | yes | yes |
//! | pages for reading | yes | on loopback, or if public | yes | yes | yes |
//! | a worker's calls | yes | no | no | yes | no |
//! | start and stop (operator) | no | no | no | no | yes |
//!
//! Programs send their token as `Authorization: Bearer`. Browsers prompt for it as a password (`Basic`, any
//! user name). Since browsers repeat it on their own, `Basic` is accepted for pages only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::token::Token;
use crate::fleet::Refusal;

/// The tokens of a server, and what is open without one.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// For workers' calls; may read, too.
    pub(crate) worker: Option<Token>,
    /// For the operator's calls; may read, too.
    pub(crate) operator: Option<Token>,
    /// For reading only.
    pub(crate) reader: Option<Token>,
    /// Whether reading needs no token.
    pub(crate) public_status: bool,
}

/// The request's header fields that identify the caller and its origin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caller<'a> {
    /// `Authorization`
    pub(crate) authorization: Option<&'a str>,
    /// `Host`
    pub(crate) host: Option<&'a str>,
    /// `Origin`
    pub(crate) origin: Option<&'a str>,
    /// `Sec-Fetch-Site`
    pub(crate) fetch_site: Option<&'a str>,
}

/// The owner of the token in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PresentedToken {
    Nothing,
    Unknown,
    Reader,
    Worker,
    Operator,
}

impl Access {
    /// Check that the caller may read pages.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`].
    pub(crate) fn read(&self, caller: &Caller<'_>, on_loopback: bool) -> Result<(), Refusal> {
        let has_none = self.worker.is_none() && self.operator.is_none() && self.reader.is_none();
        let is_open = on_loopback || self.public_status || has_none;
        let by_browser = caller.authorization.and_then(|value| scheme(value, "basic")).and_then(password);
        match self.of(bearer(caller).or(by_browser.as_deref())) {
            PresentedToken::Reader | PresentedToken::Worker | PresentedToken::Operator => Ok(()),
            _ if is_open => Ok(()),
            _ => Err(Refusal::Unauthorized),
        }
    }

    /// Check that the caller may make a worker's call.
    ///
    /// # Errors
    /// [`Refusal::CrossSite`], [`Refusal::Forbidden`] or [`Refusal::Unauthorized`].
    pub(crate) fn worker(&self, caller: &Caller<'_>) -> Result<(), Refusal> {
        same_site(caller)?;
        match (self.of(bearer(caller)), &self.worker, &self.operator) {
            (_, None, None) | (PresentedToken::Worker, ..) => Ok(()),
            (PresentedToken::Operator | PresentedToken::Reader, ..) => Err(Refusal::Forbidden),
            _ => Err(Refusal::Unauthorized),
        }
    }

    /// The owner of the token `offered`.
    fn of(&self, offered: Option<&str>) -> PresentedToken {
        let Some(offered) = offered else { return PresentedToken::Nothing };
        // All are compared, whichever matches, so that the time taken reveals nothing.
        let is = |token: &Option<Token>| token.as_ref().is_some_and(|token| token.is(offered));
        match (is(&self.operator), is(&self.worker), is(&self.reader)) {
            (true, ..) => PresentedToken::Operator,
            (false, true, _) => PresentedToken::Worker,
            (false, false, true) => PresentedToken::Reader,
            (false, false, false) => PresentedToken::Unknown,
        }
    }
}

/// The token of an `Authorization: Bearer` field.
pub(super) fn bearer<'a>(caller: &Caller<'a>) -> Option<&'a str> {
    caller.authorization.and_then(|value| scheme(value, "bearer"))
}

fn scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (name, rest) = value.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn password(encoded: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// Check that a browser's call comes from one of our own pages.
///
/// # Errors
/// [`Refusal::CrossSite`].
pub(super) fn same_site(caller: &Caller<'_>) -> Result<(), Refusal> {
    let foreign_origin = caller.origin.is_some_and(|origin| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority
            .is_none_or(|authority| !caller.host.is_some_and(|host| host.eq_ignore_ascii_case(authority)))
    });
    let foreign_site = caller.fetch_site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if foreign_origin || foreign_site { Err(Refusal::CrossSite) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Option<Token> {
        Some(Token::new(text).unwrap())
    }

    fn access() -> Access {
        Access {
            worker: token("the-workers-token"),
            operator: token("the-operators-token"),
            reader: token("the-readers-token"),
            public_status: false,
        }
    }

    fn basic(password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("me:{password}")))
    }

    fn shows(value: &str) -> Caller<'_> {
        Caller { authorization: Some(value), host: Some("x:1"), ..Caller::default() }
    }

    #[test]
    fn each_token_opens_what_the_table_says() {
        let by_browser = ["the-operators-token", "the-workers-token"].map(basic);
        let nobody = Caller { host: Some("x:1"), ..Caller::default() };
        let rows = [
            (nobody, Err(401), Err(401)),
            (shows("Bearer wrong"), Err(401), Err(401)),
            (shows("Bearer the-workers-token"), Ok(()), Ok(())),
            (shows("bearer the-operators-token"), Ok(()), Err(403)),
            (shows("Basic the-workers-token"), Err(401), Err(401)),
            (shows("BEARER the-readers-token"), Ok(()), Err(403)),
            (shows(&by_browser[0]), Ok(()), Err(401)),
            (shows(&by_browser[1]), Ok(()), Err(401)),
            (shows("the-workers-token"), Err(401), Err(401)),
        ];
        for (caller, read, worker) in rows {
            let status = |result: Result<(), Refusal>| result.map_err(|refusal| refusal.status());
            let access = access();
            assert_eq!(status(access.read(&caller, false)), read, "{caller:?}");
            assert_eq!(status(access.read(&caller, true)), Ok(()), "{caller:?} on loopback");
            assert_eq!(status(access.worker(&caller)), worker, "{caller:?}");
        }
        assert_eq!(Access { public_status: true, ..access() }.read(&nobody, false), Ok(()));
        assert_eq!(
            (Access::default().read(&nobody, false), Access::default().worker(&nobody)),
            (Ok(()), Ok(()))
        );
    }

    #[test]
    fn a_page_of_another_site_makes_no_call_whatever_it_shows() {
        for (origin, fetch_site) in [
            (Some("http://evil:1"), None),
            (Some("null"), None),
            (Some("http://x:2"), None),
            (Some("http://x:1"), Some("cross-site")),
            (None, Some("same-site")),
        ] {
            for access in [access(), Access::default()] {
                let caller = Caller { origin, fetch_site, ..shows("Bearer the-workers-token") };
                assert_eq!(access.worker(&caller), Err(Refusal::CrossSite), "{origin:?} {fetch_site:?}");
            }
        }
        let own = Caller {
            origin: Some("http://x:1"),
            fetch_site: Some("same-origin"),
            ..shows("Bearer the-workers-token")
        };
        assert_eq!(access().worker(&own), Ok(()));
    }
}
