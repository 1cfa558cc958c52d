//! Request methods and what they imply for the request, its response and a redirect.

/// A request method. Methods are case-sensitive (RFC 9110, section 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method<'a>(pub(crate) &'a str);

impl<'a> Method<'a> {
    /// Whether the response has no content regardless of its head (RFC 9110, section 9.3.2).
    pub(crate) fn is_head(self) -> bool {
        self.0 == "HEAD"
    }

    /// Whether sending the request twice has the effect of sending it once (RFC 9110, section 9.2.2).
    pub(crate) fn is_idempotent(self) -> bool {
        matches!(self.0, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE")
    }

    /// Whether servers expect a `Content-Length` even without content (RFC 9110, section 8.6).
    pub(crate) fn anticipates_content(self) -> bool {
        matches!(self.0, "POST" | "PUT" | "PATCH")
    }

    /// The method after a redirect with `status`, and whether the content is sent again. 303 turns every
    /// method but HEAD into GET; 301 and 302 turn POST into GET, as browsers do (RFC 9110, section 15.4).
    pub(crate) fn after_redirect(self, status: u16) -> (Method<'a>, bool) {
        let becomes_get = match status {
            303 => !matches!(self.0, "HEAD" | "GET"),
            301 | 302 => self.0 == "POST",
            _ => false,
        };
        if becomes_get { (Method("GET"), false) } else { (self, true) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_turn_into_get_as_browsers_do_it() {
        for (status, method, becomes_get) in [
            (301, "POST", true),
            (302, "POST", true),
            (303, "POST", true),
            (303, "PUT", true),
            (303, "HEAD", false),
            (301, "PUT", false),
            (307, "POST", false),
            (308, "POST", false),
            (302, "GET", false),
        ] {
            let (after, keeps_content) = Method(method).after_redirect(status);
            assert_eq!(after.0, if becomes_get { "GET" } else { method }, "{status} {method}");
            assert_eq!(keeps_content, !becomes_get, "{status} {method}");
        }
    }
}
