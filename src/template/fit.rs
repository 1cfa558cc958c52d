//! What a value must be to be sent where it stands.

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Anything.
    Any,
    /// Not empty: a whole segment of a path.
    Segment,
    /// What may stand in a path or query as it is.
    Target,
    /// What may stand in a header (RFC 9110, section 5.5).
    Header,
    /// One JSON value.
    Json,
}

impl Fit {
    pub(crate) fn admits(self, value: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Segment => !value.is_empty(),
            Self::Target => value.iter().all(|b| b.is_ascii_graphic() && *b != b'#'),
            Self::Header => value.iter().all(|b| *b == b'\t' || (*b >= b' ' && *b != 0x7f)),
            Self::Json => serde_json::from_slice::<serde::de::IgnoredAny>(value).is_ok(),
        }
    }

    /// What is wrong with a value that it does not admit, and the remedy.
    pub(crate) fn fault(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Segment => "is empty, which would leave a segment of the path empty: give it a value",
            Self::Target => {
                "has a character that a URL must have encoded: leave `| raw` out, or write the value as %XX"
            }
            Self::Header => {
                "has a line feed or another control character, which no header may have: remove it, or encode it \
                 with `| url` or `| base64`"
            }
            Self::Json => {
                "is not a JSON value, and stands outside quotes in a JSON body: quote the hole, or encode it \
                 with `| json`"
            }
        }
    }
}
