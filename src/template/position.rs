//! Where a hole stands, which decides how its value is written.

use super::encoding::Encoding;
use super::fit::Fit;

/// Where a template stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Path and query.
    Target,
    /// A header's value.
    Header,
    /// A body of `application/x-www-form-urlencoded`.
    Form,
    /// A body of JSON.
    Json,
    /// Any other body.
    Text,
}

impl Place {
    /// That of a body with this `Content-Type`, or of one without, by its first character.
    pub(crate) fn of_body(content_type: Option<&str>, body: &str) -> Self {
        let Some(content_type) = content_type else {
            let first = body.trim_start();
            let is_json = first.starts_with(['{', '[', '"']) && !first.starts_with("{{");
            return if is_json { Self::Json } else { Self::Text };
        };
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            json if json.ends_with("/json") || json.ends_with("+json") => Self::Json,
            _ => Self::Text,
        }
    }
}

/// Follows the text of a template from hole to hole.
#[derive(Debug)]
pub(super) struct Position {
    place: Place,
    in_string: bool,
    escaped: bool,
}

impl Position {
    pub(super) fn at_start_of(place: Place) -> Self {
        Self { place, in_string: false, escaped: false }
    }

    /// Go over `text`.
    pub(super) fn pass(&mut self, text: &str) {
        for b in text.bytes() {
            match b {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ => {}
            }
        }
    }

    /// What a value must be that is written in this encoding here.
    pub(super) fn fit(&self, encoding: Encoding) -> Fit {
        match (self.place, encoding) {
            (Place::Target, Encoding::Raw) => Fit::Target,
            (Place::Header, Encoding::Raw) => Fit::Header,
            (Place::Json, Encoding::Raw) if !self.in_string => Fit::Json,
            _ => Fit::Any,
        }
    }

    /// How a value is written here.
    pub(super) fn encoding(&self) -> Encoding {
        match self.place {
            Place::Target | Place::Form => Encoding::Url,
            Place::Json if self.in_string => Encoding::JsonString,
            Place::Json | Place::Header | Place::Text => Encoding::Raw,
        }
    }
}
