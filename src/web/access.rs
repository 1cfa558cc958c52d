//! Who may read, and who may make a worker's calls.
//!
//! | | without tokens | no token | worker's token | operator's token |
//! |---|---|---|---|---|
//! | `/healthz`, `/readyz` | yes | yes | yes | yes |
//! | pages for reading | yes | on loopback, or if public | yes | yes |
//! | a worker's calls | yes | no | yes | no |
//! | start and stop (operator) | no | no | no | yes |
//!
//! A program shows its token as `Authorization: Bearer`. A browser asks its user for one (`Basic`, any
//! name, the token as password); as browsers send that along unasked, it is good for reading only. What
//! stays out: where tokens come from, what a call does, what an operator does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::token::Token;
use crate::fleet::Refusal;

/// The tokens of a server and what is open without one.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// For workers' calls.
    pub(crate) worker: Option<Token>,
    /// The operator's, which may read.
    pub(crate) operator: Option<Token>,
    /// Pages for reading need no token.
    pub(crate) public_status: bool,
}

/// Fields of a request that say who calls, and from where.
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

/// Whose token was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PresentedToken {
    Nothing,
    Unknown,
    Worker,
    Operator,
}

impl Access {
    /// Whether pages may be read.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`].
    pub(crate) fn read(&self, caller: &Caller<'_>, on_loopback: bool) -> Result<(), Refusal> {
        let is_open = on_loopback || self.public_status || (self.worker.is_none() && self.operator.is_none());
        match self.shown(caller) {
            PresentedToken::Worker | PresentedToken::Operator => Ok(()),
            _ if is_open => Ok(()),
            _ => Err(Refusal::Unauthorized),
        }
    }

    /// Whether a worker's call may be made.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn worker(&self, caller: &Caller<'_>) -> Result<(), Refusal> {
        same_site(caller)?;
        match (self.shown(caller), &self.worker, &self.operator) {
            (_, None, None) | (PresentedToken::Worker, ..) => Ok(()),
            (PresentedToken::Operator, ..) => Err(Refusal::Forbidden),
            _ => Err(Refusal::Unauthorized),
        }
    }

    fn shown(&self, caller: &Caller<'_>) -> PresentedToken {
        let by_browser = caller.authorization.and_then(|value| scheme(value, "basic")).and_then(password);
        let by_program = caller.authorization.and_then(|value| scheme(value, "bearer"));
        let Some(offered) = by_program.or(by_browser.as_deref()) else {
            return PresentedToken::Nothing;
        };
        // Both are compared, whichever is right.
        let is = |token: &Option<Token>| token.as_ref().is_some_and(|token| token.is(offered));
        match (is(&self.operator), is(&self.worker)) {
            (true, _) => PresentedToken::Operator,
            (false, true) => PresentedToken::Worker,
            (false, false) => PresentedToken::Unknown,
        }
    }
}

fn scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (name, rest) = value.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn password(encoded: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// A browser says which page a call comes from: it must be one of ours.
fn same_site(caller: &Caller<'_>) -> Result<(), Refusal> {
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
        Access { worker: token("work"), operator: token("operate"), public_status: false }
    }

    fn bearer(value: &'static str) -> Caller<'static> {
        Caller { authorization: Some(value), host: Some("x:1"), ..Caller::default() }
    }

    #[test]
    fn each_token_opens_what_the_table_says() {
        let nobody = Caller { host: Some("x:1"), ..Caller::default() };
        let rows = [
            (nobody, Err(401), Err(401)),
            (bearer("Bearer wrong"), Err(401), Err(401)),
            (bearer("Bearer work"), Ok(()), Ok(())),
            (bearer("bearer operate"), Ok(()), Err(403)),
            (bearer("Basic work"), Err(401), Err(401)),
            (bearer("Basic bWU6b3BlcmF0ZQ=="), Ok(()), Err(403)),
            (bearer("work"), Err(401), Err(401)),
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
                let caller = Caller { origin, fetch_site, ..bearer("Bearer work") };
                assert_eq!(access.worker(&caller), Err(Refusal::CrossSite), "{origin:?} {fetch_site:?}");
            }
        }
        let own =
            Caller { origin: Some("http://x:1"), fetch_site: Some("same-origin"), ..bearer("Bearer work") };
        assert_eq!(access().worker(&own), Ok(()));
    }
}
