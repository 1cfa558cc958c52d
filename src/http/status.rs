//! Status codes and the classes a client acts on (RFC 9110, section 15).

/// A response's status code, 100 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u16);

impl Status {
    /// Whether the final response is still to come (1xx).
    #[inline]
    pub(crate) const fn is_interim(self) -> bool {
        self.0 < 200
    }

    /// Whether a client may follow it to another location. 300 leaves the choice to the user, 304 is a final
    /// response, and 305 and 306 are no longer used.
    #[inline]
    pub(crate) const fn is_redirect(self) -> bool {
        matches!(self.0, 301 | 302 | 303 | 307 | 308)
    }

    /// Whether it counts as failed unless the plan expects it: 400 and above.
    #[inline]
    pub(crate) const fn is_failure(self) -> bool {
        self.0 >= 400
    }

    /// Whether a response with this status has no content, regardless of its head (RFC 9110, section 6.4.1).
    #[inline]
    pub(crate) const fn is_without_content(self) -> bool {
        self.is_interim() || matches!(self.0, 204 | 304)
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn classes_are_those_of_the_rfc() {
        let those = |is: fn(Status) -> bool| (100..=599).filter(|s| is(Status(*s))).collect::<Vec<_>>();
        assert_eq!(those(Status::is_redirect), [301, 302, 303, 307, 308]);
        assert_eq!(those(Status::is_interim), (100..200).collect::<Vec<_>>());
        assert_eq!(those(Status::is_failure), (400..600).collect::<Vec<_>>());
        let mut expected: Vec<u16> = (100..200).collect();
        expected.extend([204, 304]);
        assert_eq!(those(Status::is_without_content), expected);
    }
}
