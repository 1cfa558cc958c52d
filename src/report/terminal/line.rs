//! One line of styled text, and how text is shortened to a width.
//!
//! Layout works on plain text. Styles are ranges of it and become escape sequences only in [`Line::print`], so
//! color never moves a column.

use std::ops::Range;

use unicode_width::UnicodeWidthStr as _;

/// Takes the place of what was cut.
const ELLIPSIS: &str = "…";

/// The style of a piece of text. Colored words have a background of their own, so that they can be read on a
/// light terminal and on a dark one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    /// A heading.
    Strong,
    /// A good result.
    Good,
    /// A warning.
    Warn,
    /// A bad result.
    Bad,
}

impl Style {
    /// The escape sequence that starts it; empty: none. Only the eight standard colors, which every terminal
    /// has and every theme sets.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[30;42m",
            Self::Warn => "\x1b[30;43m",
            Self::Bad => "\x1b[1;37;41m",
        }
    }
}

/// One line of text, without a line feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// Styled parts of the text in bytes, from the left, none of which overlap.
    marks: Vec<(Range<usize>, Style)>,
}

impl Line {
    /// A line in one style.
    pub(crate) fn new(style: Style, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { marks: vec![(0..text.len(), style)], text }
    }

    /// Append `text` in `style`.
    pub(crate) fn push(&mut self, style: Style, text: &str) {
        self.marks.push((self.text.len()..self.text.len() + text.len(), style));
        self.text += text;
    }

    /// The text without styles.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Columns that it takes.
    pub fn width(&self) -> usize {
        self.text.width()
    }

    /// The text as a terminal takes it; with `color`, styles are escape sequences.
    pub fn print(&self, color: bool) -> String {
        if !color {
            return self.text.clone();
        }
        let mut printed = String::with_capacity(self.text.len() + 16);
        let mut at = 0;
        for (range, style) in self.marks.iter().filter(|(range, _)| !range.is_empty()) {
            let code = style.code();
            let end = if code.is_empty() { "" } else { "\x1b[0m" };
            printed.extend([&self.text[at..range.start], code, &self.text[range.clone()], end]);
            at = range.end;
        }
        printed + &self.text[at..]
    }

    /// The same with an ellipsis at its end, since more would follow.
    pub(crate) fn breaking_off(self, columns: usize) -> Self {
        let mut line = self.cut(columns.saturating_sub(1 + ELLIPSIS.width()));
        if !line.text.ends_with(ELLIPSIS) {
            line.push(Style::Plain, &format!(" {ELLIPSIS}"));
        }
        line
    }

    /// The same in at most `columns`: what is too long ends in an ellipsis. No spaces at its end.
    pub(crate) fn cut(mut self, columns: usize) -> Self {
        let end = match self.text.width() > columns {
            true => head(&self.text, columns.saturating_sub(ELLIPSIS.width())).trim_end().len(),
            false => self.text.trim_end().len(),
        };
        let is_cut = self.text.width() > columns && columns > 0;
        self.text.truncate(end);
        if is_cut {
            self.text += ELLIPSIS;
        }
        for (range, _) in &mut self.marks {
            *range = range.start.min(end)..range.end.min(end);
        }
        self
    }
}

/// Shorten to `columns` by dropping the middle, since names differ at their ends.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let Some(keep) = columns.checked_sub(ELLIPSIS.width()) else { return String::new() };
    let tail = tail(text, keep / 2);
    format!("{}{ELLIPSIS}{tail}", head(text, keep - tail.width()))
}

/// Shorten to `columns` by dropping the end, between words if there is room for some, with an ellipsis.
pub(crate) fn begin(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let Some(keep) = columns.checked_sub(ELLIPSIS.width() + 1) else { return shorten(text, columns) };
    let kept = head(text, keep);
    let ends_a_word = text[kept.len()..].starts_with(' ');
    let between_words = if ends_a_word { Some(kept.len()) } else { kept.rfind(' ') };
    match between_words.filter(|at| kept[..*at].width() >= keep / 2) {
        Some(at) => format!("{} {ELLIPSIS}", kept[..at].trim_end()),
        None => format!("{kept}{ELLIPSIS}"),
    }
}

/// The longest beginning of `text` that takes at most `columns`.
fn head(text: &str, columns: usize) -> &str {
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        if text[..next].width() > columns {
            break;
        }
        end = next;
    }
    &text[..end]
}

/// The longest end of `text` that takes at most `columns`.
fn tail(text: &str, columns: usize) -> &str {
    let mut start = text.len();
    for (at, _) in text.char_indices().rev() {
        if text[at..].width() > columns {
            break;
        }
        start = at;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_loses_its_middle() {
        assert_eq!(shorten("Get users of region north", 13), "Get us… north");
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("abcdef", 1), "…");
        assert_eq!(shorten("abcdef", 0), "");
        assert_eq!(shorten("数数数数数数", 9), "数数…数数");
        assert_eq!(shorten("数数数数数数", 8), "数数…数");
    }

    #[test]
    fn a_text_that_goes_on_ends_between_words_with_an_ellipsis() {
        assert_eq!(begin("no such user here", 14), "no such user …");
        assert_eq!(begin("no such user here", 12), "no such …");
        assert_eq!(begin("no such user here", 17), "no such user here");
        assert_eq!(begin("{\"error\":\"unknown\"}", 12), "{\"error\":\"…");
        assert_eq!(begin("abc", 1), "…");
    }

    #[test]
    fn a_line_that_is_cut_ends_in_an_ellipsis_and_keeps_its_styles() {
        let mut line = Line::new(Style::Bad, "FAILED");
        line.push(Style::Plain, ": the reason");
        assert_eq!(line.clone().cut(30), line);
        let cut = line.clone().cut(9);
        assert_eq!((cut.text(), cut.width()), ("FAILED:…", 8));
        assert_eq!(cut.print(true), "\x1b[1;37;41mFAILED\x1b[0m:…");
        assert_eq!(line.clone().cut(4).print(true), "\x1b[1;37;41mFAI\x1b[0m…");
        assert_eq!(line.clone().breaking_off(20).text(), "FAILED: the reason …");
        assert_eq!(line.clone().breaking_off(19).text(), "FAILED: the reas…");
        assert_eq!(line.cut(0).print(true), "");
        assert_eq!(Line::new(Style::Plain, "spaces   ").cut(20).text(), "spaces");
    }
}
