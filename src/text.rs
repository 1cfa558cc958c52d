//! Words from outside (a plan's names, a target's and a peer's words), made safe to show, and guesses at what was
//! meant. Escaping is each format's own.

/// The most edits that are a slip of the fingers.
const MAX_EDITS: usize = 2;
/// The most characters of a plan's text that a message quotes.
const MAX_QUOTED_CHARS: usize = 60;

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

/// `text` in backticks for a message: shortened, control characters escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    for (i, c) in text.chars().enumerate() {
        if i == MAX_QUOTED_CHARS {
            shown.push('…');
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown + "`"
}

/// `, did you mean …?` for the candidate nearest to `typed`, or nothing when none is near: at most two edits, and
/// one in three letters.
pub(crate) fn did_you_mean<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    // Longer words than this are not typos.
    if typed.len() > 40 {
        return String::new();
    }
    let lower = typed.to_lowercase();
    let near = candidates
        .into_iter()
        .map(|candidate| (edits(&lower, candidate), candidate))
        .filter(|(edits, candidate)| {
            let letters = |word: &str| word.trim_start_matches('-').chars().count();
            *edits <= MAX_EDITS.min(letters(candidate).max(letters(typed)) / 3)
        })
        .min();
    near.map_or_else(String::new, |(_, candidate)| format!(", did you mean `{candidate}`?"))
}

/// Insertions, deletions, replacements and swaps of adjacent characters that turn `a` into `b`: the optimal
/// string alignment distance (F. J. Damerau, Communications of the ACM 7(3), 1964).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        let keys = ["weight", "path", "method", "body"];
        assert_eq!(did_you_mean("weigth", keys), ", did you mean `weight`?");
        assert_eq!(did_you_mean("Path", keys), ", did you mean `path`?");
        assert_eq!(did_you_mean("metod", keys), ", did you mean `method`?");
        assert_eq!(did_you_mean("elephant", keys), "");
        assert_eq!(did_you_mean("auth", keys), "");
        assert_eq!(did_you_mean("--http2", ["--help"]), "");
        assert_eq!(did_you_mean("--timeout", ["--join-timeout"]), "");
        assert_eq!(did_you_mean("--hepl", ["--help"]), ", did you mean `--help`?");
        assert_eq!(did_you_mean("rate", ["name"]), "");
        assert_eq!(did_you_mean("", keys), "");
    }

    #[test]
    fn what_is_quoted_is_short_and_harmless() {
        assert_eq!(quoted("a\u{1b}[2Jb\n"), "`a\\u{1b}[2Jb\\n`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), MAX_QUOTED_CHARS + 3);
    }

    #[test]
    fn text_from_outside_cannot_drive_the_terminal() {
        assert_eq!(one_line("a\x1b[31m\r\nb\u{202e}c\u{ffff}"), "a?[31m??b?c?");
        assert_eq!(
            one_line("\x1b]0;t\x07 \u{9b}1m x\u{200b}y\u{feff}z\u{61c}\n::error::e"),
            "?]0;t? ?1m x?y?z??::error::e"
        );
    }
}
