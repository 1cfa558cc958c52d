//! Lays out the help: names on the left, what they mean beside them, wrapped.

/// The longest line, so that it fits a terminal.
pub(super) const WIDTH: usize = 80;

/// `left` after `indent` spaces, and `text` from `column` on, wrapped to the width.
pub(super) fn entry(indent: usize, left: &str, column: usize, text: &str) -> String {
    let mut line = format!("{}{left}", " ".repeat(indent));
    // A long name has a line of its own.
    let mut lines =
        if line.chars().count() >= column { std::mem::take(&mut line) + "\n" } else { String::new() };
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.chars().count() > column {
            lines += line.trim_end();
            lines.push('\n');
            line.clear();
        }
        let padding = column.saturating_sub(line.chars().count());
        line += &" ".repeat(padding.max(1));
        line += word;
    }
    lines + line.trim_end() + "\n"
}
