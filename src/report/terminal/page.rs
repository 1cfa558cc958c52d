//! Plain text laid out to a width: paragraphs, labeled lists, tables, and style.
//!
//! Layout works on plain text and style is applied afterwards, so that color never moves a column.

use unicode_width::UnicodeWidthStr as _;

/// Columns of the label in a labeled list.
const LABEL_COLUMNS: usize = 16;
/// Spaces between columns of a table.
const GAP: usize = 2;
/// The narrowest first column of a table; below it lines exceed the width.
const NAME_LEAST_COLUMNS: usize = 5;

/// The style of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    /// A heading or a label.
    Strong,
    /// A good result.
    Good,
    /// A warning.
    Warn,
    /// A bad result.
    Bad,
}

impl Style {
    /// The escape sequence that starts it; empty: none.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[1;32m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
        }
    }
}

/// Text being laid out.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: usize,
    color: bool,
}

impl Page {
    pub(crate) fn new(width: usize, color: bool) -> Self {
        Self { text: String::new(), width, color }
    }

    /// The text; every line ends with a line feed.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Wrapped words at an indent, with a hanging indent from the second line on.
    pub(crate) fn paragraph(&mut self, style: Style, indent: usize, text: &str) {
        self.items(style, &" ".repeat(indent), indent + 2, &[text.to_owned()]);
    }

    /// A label and its comma-separated items; an item that fits a line is never broken.
    pub(crate) fn field(&mut self, label: &str, items: &[String]) {
        let label = format!("{label:LABEL_COLUMNS$}");
        self.items(Style::Plain, &label, LABEL_COLUMNS, items);
    }

    /// A table: the first column is text and shrinks if needed (shortened in its middle), the others align
    /// right.
    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let columns = |i: usize| {
            let cells = rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.width());
            cells.chain([header[i].width()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..header.len()).map(columns).collect();
        let others: usize = widths[1..].iter().map(|w| w + GAP).sum();
        widths[0] = widths[0].min(self.width.saturating_sub(others).max(NAME_LEAST_COLUMNS));
        let header: Vec<String> = header.iter().map(|h| (*h).to_owned()).collect();
        self.row(Style::Strong, &widths, &header);
        rows.iter().for_each(|row| self.row(Style::Plain, &widths, row));
    }

    fn row(&mut self, style: Style, widths: &[usize], cells: &[String]) {
        let mut line = String::new();
        for (i, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let cell = shorten(cell, *width);
            let padding = " ".repeat(width - cell.width());
            match i {
                0 => line.extend([cell.as_str(), &padding]),
                _ => line.extend([&" ".repeat(GAP), padding.as_str(), &cell]),
            }
        }
        self.line(style, line.trim_end());
    }

    /// Left-aligned columns, padded to the widest cell; the last column wraps.
    pub(crate) fn columns(&mut self, indent: usize, rows: &[(Style, Vec<String>)]) {
        let most = rows.iter().map(|(_, row)| row.len()).max().unwrap_or(0);
        let widest = |i: usize| rows.iter().filter_map(|(_, r)| r.get(i)).map(|c| c.width()).max();
        let widths: Vec<usize> = (0..most).map(|i| widest(i).unwrap_or(0)).collect();
        for (style, row) in rows {
            let (last, front) = row.split_last().expect("a row has cells");
            let mut start = " ".repeat(indent);
            for (cell, width) in front.iter().zip(&widths) {
                start += cell;
                start += &" ".repeat(width - cell.width() + GAP);
            }
            let hanging = start.width();
            self.items(*style, &start, hanging, std::slice::from_ref(last));
        }
    }

    fn items(&mut self, style: Style, first: &str, hanging: usize, items: &[String]) {
        let mut line = first.to_owned();
        // Only a label or an indent so far: a break would gain nothing.
        let mut bare = true;
        for (i, item) in items.iter().enumerate() {
            let end = if i + 1 < items.len() { "," } else { "" };
            let item = format!("{item}{end}");
            let fits_a_line = hanging + item.width() <= self.width;
            let pieces = if fits_a_line { vec![item.as_str()] } else { item.split(' ').collect() };
            for piece in pieces {
                let piece = shorten(piece, self.width.saturating_sub(hanging));
                let space = usize::from(!bare);
                if !bare && line.width() + space + piece.width() > self.width {
                    self.line(style, line.trim_end());
                    (line, bare) = (" ".repeat(hanging), true);
                }
                if !bare {
                    line.push(' ');
                }
                line += &piece;
                bare = false;
            }
        }
        self.line(style, line.trim_end());
    }

    fn line(&mut self, style: Style, line: &str) {
        let code = if self.color { style.code() } else { "" };
        let end = if code.is_empty() { "" } else { "\x1b[0m" };
        self.text.extend([code, line, end, "\n"]);
    }
}

/// Shorten to `columns` by dropping the middle, since names differ at their ends.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    const ELLIPSIS: &str = "...";
    if text.width() <= columns {
        return text.to_owned();
    }
    let keep = columns.saturating_sub(ELLIPSIS.len());
    let tail_start = {
        let mut start = text.len();
        for (i, _) in text.char_indices().rev() {
            if text[i..].width() > keep / 2 {
                break;
            }
            start = i;
        }
        start
    };
    let tail = &text[tail_start..];
    let mut head_end = 0;
    for (i, c) in text.char_indices() {
        let end = i + c.len_utf8();
        if text[..end].width() + tail.width() > keep {
            break;
        }
        head_end = end;
    }
    let short = format!("{}{ELLIPSIS}{tail}", &text[..head_end]);
    // Cuts only where the dots themselves do not fit.
    short.chars().take(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_loses_its_middle() {
        assert_eq!(shorten("Get users of region north", 13), "Get u...north");
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("abcdef", 2), "..");
        assert_eq!(shorten("数数数数数数", 9), "数数...数");
    }

    #[test]
    fn items_are_not_broken_unless_one_is_longer_than_a_line() {
        let mut page = Page::new(30, false);
        page.field("sizes", &["1 kB sent".to_owned(), "2 kB received".to_owned()]);
        page.field("", &["one two three four five six".to_owned()]);
        let pad = " ".repeat(LABEL_COLUMNS);
        let lines: Vec<String> = page.finish().lines().map(str::to_owned).collect();
        assert_eq!(lines[..2], ["sizes           1 kB sent,".to_owned(), format!("{pad}2 kB received")]);
        assert_eq!(lines[2..], [format!("{pad}one two three"), format!("{pad}four five six")]);
    }
}
