//! What a terminal and the locale can show.

use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

use crate::cli::Options;
use crate::report::terminal::Glyphs;

/// Columns and rows of the terminal behind `fd`; `None`: it is no terminal, or does not say.
pub(crate) fn size(fd: impl AsFd) -> Option<(usize, usize)> {
    let size = tcgetwinsize(fd).ok()?;
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && rows > 0).then_some((columns, rows))
}

/// The width that the variable COLUMNS asks for, where there is no terminal.
pub(crate) fn columns_asked() -> Option<usize> {
    columns_in(&std::env::var("COLUMNS").ok()?)
}

/// A number of columns; 0 and what is no number ask for nothing.
fn columns_in(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|columns| *columns > 0)
}

/// Whether terminals understand escape sequences, by the variable TERM.
pub(crate) fn takes_escapes() -> bool {
    std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether a terminal may have color: no flag and no variable is against it. NO_COLOR counts if it is set and not
/// empty (no-color.org).
pub(crate) fn wants_color(options: &Options) -> bool {
    let is_against = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !options.no_color && !is_against() && !is_dumb()
}

/// What bars can be made of in this locale.
pub(crate) fn glyphs() -> Glyphs {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).unwrap_or_default());
    glyphs_of(&named)
}

/// The first variable that is not empty decides, as in setlocale(3).
fn glyphs_of(variables: &[String]) -> Glyphs {
    let locale = variables.iter().find(|value| !value.is_empty()).map_or(String::new(), |l| l.to_lowercase());
    if locale.ends_with("utf-8") || locale.ends_with("utf8") { Glyphs::Blocks } else { Glyphs::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_a_number_above_zero() {
        let asked = ["80", " 132 ", "0", "", "wide", "-3"].map(columns_in);
        assert_eq!(asked, [Some(80), Some(132), None, None, None, None]);
    }

    #[test]
    fn blocks_are_for_utf_8_by_the_variable_that_counts() {
        let of = |variables: [&str; 3]| glyphs_of(&variables.map(str::to_owned));
        assert_eq!(of(["", "", "en_US.UTF-8"]), Glyphs::Blocks);
        assert_eq!(of(["", "C.utf8", "C"]), Glyphs::Blocks);
        assert_eq!(of(["C", "", "en_US.UTF-8"]), Glyphs::Ascii);
        assert_eq!(of(["", "", ""]), Glyphs::Ascii);
    }
}
