//! A compiled template: text, hole, text, hole.

use super::encoding::Encoding;
use super::fit::Fit;
use super::function::{Context, Expression};
use super::names::Field;

/// Text with holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(Box<[u8]>),
    Hole(Hole),
}

/// A place that is filled with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) value: Expression,
    pub(super) encoding: Encoding,
    pub(super) fit: Fit,
    /// As it was written, with its braces.
    pub(super) typed: Box<str>,
}

impl Template {
    /// Adds a text behind it.
    pub(crate) fn push_text(&mut self, text: &[u8]) {
        if let Some(Part::Text(last)) = self.parts.last_mut() {
            *last = [last, text].concat().into();
        } else if !text.is_empty() {
            self.parts.push(Part::Text(text.into()));
        }
    }

    /// Adds another template behind it.
    pub(crate) fn append(&mut self, other: &Self) {
        for part in &other.parts {
            match part {
                Part::Text(text) => self.push_text(text),
                Part::Hole(hole) => self.parts.push(Part::Hole(hole.clone())),
            }
        }
    }

    pub(crate) fn has_holes(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Hole(_)))
    }

    /// Calls `visit` with each column in its holes.
    pub(crate) fn fields(&self, visit: &mut dyn FnMut(Field)) {
        for part in &self.parts {
            if let Part::Hole(hole) = part {
                hole.value.fields(visit);
            }
        }
    }

    /// The columns that are written as they are, as typed, and what their cells must be there.
    pub(crate) fn bare_fields(&self) -> impl Iterator<Item = (Field, Fit, &str)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(Hole { value: Expression::Field(field), fit, typed, .. }) => {
                Some((*field, *fit, &**typed))
            }
            _ => None,
        })
    }

    /// The text without holes, or with each hole replaced by `stand_in`.
    pub(crate) fn with_stand_ins(&self, stand_in: &str) -> Vec<u8> {
        let bytes = self.parts.iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Hole(_) => stand_in.as_bytes(),
        });
        bytes.collect::<Vec<_>>().concat()
    }

    /// A text without holes.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        let parts = if bytes.is_empty() { Vec::new() } else { vec![Part::Text(bytes.into())] };
        Self { parts }
    }

    /// The same with its text, but not its holes, in this encoding.
    pub(crate) fn with_text_encoded(mut self, encoding: Encoding) -> Self {
        for part in &mut self.parts {
            if let Part::Text(text) = part {
                let mut encoded = Vec::new();
                encoding.encode(&mut encoded, |sink| sink.put(text));
                *text = encoded.into();
            }
        }
        self
    }

    /// The same with `map` applied to its text, but not to its holes.
    pub(super) fn with_text_mapped(mut self, map: &dyn Fn(&str) -> String) -> Self {
        for part in &mut self.parts {
            if let Part::Text(text) = part {
                *text = map(&String::from_utf8_lossy(text)).into_bytes().into();
            }
        }
        self
    }

    /// The text with its holes as they were written.
    pub(crate) fn typed(&self) -> Vec<u8> {
        let mut typed = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => typed.extend_from_slice(text),
                Part::Hole(hole) => typed.extend_from_slice(hole.typed.as_bytes()),
            }
        }
        typed
    }

    /// Appends the text of one request to `out`.
    #[inline]
    pub(crate) fn render(&self, context: &Context<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Hole(hole) => hole.encoding.encode(out, |sink| hole.value.write(context, sink)),
            }
        }
    }

    /// The longest text that [`Self::render`] appends, in bytes.
    pub(crate) fn most_bytes(&self) -> usize {
        let bytes = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.len(),
            Part::Hole(hole) => hole.encoding.most_bytes(hole.value.most_bytes()),
        });
        bytes.sum()
    }
}
