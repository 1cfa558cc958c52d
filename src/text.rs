//! Words from outside (a plan's names, a target's and a peer's words), made safe to show.
//!
//! What stays out: escaping, which is each format's own.

/// `text` as one harmless line: control characters, those that change the writing direction or have no width,
/// and those that XML does not know become `?`.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { '?' } else { c }).collect()
}

fn is_harmful(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_invisible = matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    c.is_control() || turns || is_invisible || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_drive_the_terminal() {
        assert_eq!(one_line("a\x1b[31m\r\nb\u{202e}c\u{ffff}"), "a?[31m??b?c?");
        assert_eq!(
            one_line("\x1b]0;t\x07 \u{9b}1m x\u{200b}y\u{feff}z\u{61c}\n::error::e"),
            "?]0;t? ?1m x?y?z??::error::e"
        );
    }
}
