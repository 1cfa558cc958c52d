//! Plain text laid out to a width: paragraphs, labeled lists and tables.

use unicode_width::UnicodeWidthStr as _;

use super::line::{Line, Style, shorten};
use crate::report::sanitize::words;

/// Columns of the label in a labeled list.
const LABEL_COLUMNS: usize = 16;
/// Spaces between columns of a table.
const GAP: usize = 2;
/// The narrowest first column of a table; below it lines exceed the width.
const NAME_LEAST_COLUMNS: usize = 5;
/// Other columns of a table give way until its first one has so many, or all that it needs.
const NAME_COLUMNS: usize = 20;
/// The least room for a last column that wraps; with less, it goes below the others.
const LAST_LEAST_COLUMNS: usize = 26;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// When the width is too small, columns with the highest number are left out first; 0 is never left out.
    pub(crate) expendable: u8,
    /// Whether its cells begin below each other; otherwise they end there.
    pub(crate) is_text: bool,
}

impl Column {
    /// A column of figures.
    pub(crate) const fn figures(name: &'static str, expendable: u8) -> Self {
        Self { name, expendable, is_text: false }
    }

    /// A column of text.
    pub(crate) const fn text(name: &'static str, expendable: u8) -> Self {
        Self { name, expendable, is_text: true }
    }
}

/// Text being laid out.
#[derive(Debug)]
pub(crate) struct Page {
    lines: Vec<Line>,
    width: usize,
    /// Columns of the label in a labeled list.
    label_columns: usize,
}

/// The styles of a paragraph: those of a part of its first line, in bytes, and of the rest.
#[derive(Clone, Copy)]
struct Ink {
    from: usize,
    to: usize,
    part: Style,
    rest: Style,
}

impl Ink {
    const fn all(style: Style) -> Self {
        Self { from: 0, to: 0, part: style, rest: style }
    }
}

impl Page {
    pub(crate) fn new(width: usize) -> Self {
        Self::with_labels(width, LABEL_COLUMNS)
    }

    /// A page on which the labels of lists take so many columns.
    pub(crate) fn with_labels(width: usize, label_columns: usize) -> Self {
        Self { lines: Vec::new(), width, label_columns }
    }

    pub(crate) fn lines(self) -> Vec<Line> {
        self.lines
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// An empty line, unless there is one or nothing precedes it.
    pub(crate) fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| line.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    pub(crate) fn push(&mut self, line: Line) {
        self.lines.push(line.cut(self.width));
    }

    /// One line, cut if it is too long.
    pub(crate) fn plain(&mut self, text: &str) {
        self.push(Line::new(Style::Plain, text));
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.items(Ink::all(Style::Strong), "", 2, &[text.to_owned()]);
    }

    /// Wrapped words at an indent, with a hanging indent from the second line on.
    pub(crate) fn paragraph(&mut self, indent: usize, text: &str) {
        self.items(Ink::all(Style::Plain), &" ".repeat(indent), indent + 2, &[text.to_owned()]);
    }

    /// A paragraph that begins with `word` in `style`, and goes on in `style_of_rest`.
    pub(crate) fn marked(&mut self, style: Style, word: &str, style_of_rest: Style, rest: &str) {
        let ink = Ink { from: 0, to: word.len(), part: style, rest: style_of_rest };
        self.items(ink, "", 2, &[format!("{word}{rest}")]);
    }

    /// A label and its comma-separated items; an item that fits a line is never broken.
    pub(crate) fn field(&mut self, label: &str, items: &[String]) {
        let columns = self.label_columns;
        self.items(Ink::all(Style::Plain), &format!("{label:columns$}"), columns, items);
    }

    /// A table of one line a row. Columns that do not fit are left out; the first one shrinks when that is not
    /// enough: its cells lose their middle.
    pub(crate) fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        let natural = |i: usize| {
            let cells = rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.width());
            cells.chain([columns[i].name.width()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns.len()).map(natural).collect();
        let mut shown: Vec<usize> = (0..columns.len()).collect();
        let wanted = widths[0].min(NAME_COLUMNS);
        let others = |shown: &[usize]| shown[1..].iter().map(|i| widths[*i] + GAP).sum::<usize>();
        while others(&shown) + wanted > self.width {
            let expendable = shown.iter().copied().filter(|i| columns[*i].expendable > 0);
            let Some(least) = expendable.max_by_key(|i| columns[*i].expendable) else { break };
            shown.retain(|i| *i != least);
        }
        widths[0] = widths[0].min(self.width.saturating_sub(others(&shown)).max(NAME_LEAST_COLUMNS));
        let header: Vec<String> = columns.iter().map(|column| column.name.to_owned()).collect();
        let line = |style: Style, cells: &[String]| {
            let mut line = String::new();
            for (place, i) in shown.iter().copied().enumerate() {
                let cell = shorten(cells.get(i).map_or("", String::as_str), widths[i]);
                let padding = " ".repeat(widths[i] - cell.width());
                let gap = if place > 0 { " ".repeat(GAP) } else { String::new() };
                match place == 0 || columns[i].is_text {
                    true => line.extend([&gap, cell.as_str(), &padding]),
                    false => line.extend([&gap, padding.as_str(), &cell]),
                }
            }
            Line::new(style, line)
        };
        self.push(line(Style::Strong, &header));
        rows.iter().for_each(|row| self.push(line(Style::Plain, row)));
    }

    /// Left-aligned columns, padded to the widest cell; each row's first cell in its style, all of it in a
    /// heading. The last column wraps, below the others if there is too little room beside them.
    pub(crate) fn columns(&mut self, indent: usize, rows: &[(Style, Vec<String>)]) {
        let most = rows.iter().map(|(_, row)| row.len()).max().unwrap_or(0);
        let widest = |i: usize| rows.iter().filter_map(|(_, r)| r.get(i)).map(|c| c.width()).max();
        let widths: Vec<usize> = (0..most).map(|i| widest(i).unwrap_or(0)).collect();
        let Some((last_width, front_widths)) = widths.split_last() else { return };
        let front = indent + front_widths.iter().map(|width| width + GAP).sum::<usize>();
        let is_beside = front + (*last_width).min(LAST_LEAST_COLUMNS) <= self.width;
        for (style, row) in rows {
            let (last, cells) = row.split_last().expect("a row has cells");
            let rest = if *style == Style::Strong { *style } else { Style::Plain };
            let ink = Ink { from: indent, to: indent + row[0].len(), part: *style, rest };
            let mut start = " ".repeat(indent);
            for (cell, width) in cells.iter().zip(front_widths) {
                start += cell;
                start += &" ".repeat(width - cell.width() + GAP);
            }
            if is_beside {
                self.items(ink, &start, front, std::slice::from_ref(last));
            } else {
                let cells = cells.join(&" ".repeat(GAP));
                self.items(ink, &" ".repeat(indent), indent + 2, &[cells]);
                self.paragraph(indent + 2, last);
            }
        }
    }

    /// Whether [`Self::columns`] keeps each of these rows on one line.
    pub(crate) fn fit(&self, indent: usize, rows: &[(Style, Vec<String>)]) -> bool {
        let most = rows.iter().map(|(_, row)| row.len()).max().unwrap_or(0);
        let widest = |i: usize| rows.iter().filter_map(|(_, r)| r.get(i)).map(|c| c.width()).max();
        let all: usize = (0..most).map(|i| widest(i).unwrap_or(0) + GAP).sum();
        indent + all <= self.width + GAP
    }

    fn items(&mut self, ink: Ink, first: &str, hanging: usize, items: &[String]) {
        let mut line = first.to_owned();
        // Only a label or an indent so far: a break would gain nothing.
        let mut bare = true;
        let mut is_first = true;
        for (i, item) in items.iter().enumerate() {
            let end = if i + 1 < items.len() { "," } else { "" };
            let item = format!("{item}{end}");
            let fits_a_line = hanging + item.width() <= self.width;
            let pieces = if fits_a_line { vec![item.as_str()] } else { words(&item) };
            for piece in pieces {
                let piece = shorten(piece, self.width.saturating_sub(hanging));
                let space = usize::from(!bare);
                if !bare && line.width() + space + piece.width() > self.width {
                    self.inked(ink, is_first, &line);
                    (line, bare, is_first) = (" ".repeat(hanging), true, false);
                }
                if !bare {
                    line.push(' ');
                }
                line += &piece;
                bare = false;
            }
        }
        self.inked(ink, is_first, &line);
    }

    fn inked(&mut self, ink: Ink, is_first: bool, text: &str) {
        let text = text.trim_end();
        let Ink { from, to, part, rest } = ink;
        let is_marked = is_first && text.is_char_boundary(from) && text.is_char_boundary(to.min(text.len()));
        let mut line = Line::default();
        match is_marked && from < to.min(text.len()) {
            true => {
                let to = to.min(text.len());
                line.push(rest, &text[..from]);
                line.push(part, &text[from..to]);
                line.push(rest, &text[to..]);
            }
            false => line.push(rest, text),
        }
        self.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(page: Page) -> Vec<String> {
        page.lines().iter().map(|line| line.text().to_owned()).collect()
    }

    #[test]
    fn items_are_not_broken_unless_one_is_longer_than_a_line() {
        let mut page = Page::new(30);
        page.field("sizes", &["1 kB sent".to_owned(), "2 kB received".to_owned()]);
        page.field("", &["one two three four five six".to_owned()]);
        let pad = " ".repeat(LABEL_COLUMNS);
        let lines = texts(page);
        assert_eq!(lines[..2], ["sizes           1 kB sent,".to_owned(), format!("{pad}2 kB received")]);
        assert_eq!(lines[2..], [format!("{pad}one two three"), format!("{pad}four five six")]);
    }

    #[test]
    fn a_table_leaves_out_what_does_not_fit_before_it_shortens_names() {
        let columns = [Column::text("name", 0), Column::figures("weight", 2), Column::figures("p50", 1)];
        let rows = [vec!["a name of 20 columns".to_owned(), "7".to_owned(), "1.00 ms".to_owned()]];
        let table = |width| {
            let mut page = Page::new(width);
            page.table(&columns, &rows);
            texts(page)
        };
        assert_eq!(
            table(37),
            ["name                  weight      p50", "a name of 20 columns       7  1.00 ms"]
        );
        assert_eq!(table(36), ["name                      p50", "a name of 20 columns  1.00 ms"]);
        assert_eq!(table(28), ["name", "a name of 20 columns"]);
        assert_eq!(table(12), ["name", "a name…lumns"]);
    }

    #[test]
    fn a_last_column_without_room_goes_below_the_others() {
        let rows = [(Style::Bad, vec!["failed".to_owned(), "p99 < 250ms".to_owned(), "w ".repeat(30)])];
        let columns = |width| {
            let mut page = Page::new(width);
            page.columns(2, &rows);
            page.lines()
        };
        assert!(columns(49)[0].text().starts_with("  failed  p99 < 250ms  w w"));
        let below = columns(48);
        assert_eq!(
            (below[0].text(), below[1].text().starts_with("    w w")),
            ("  failed  p99 < 250ms", true)
        );
        assert_eq!(below[0].print(true), "  \x1b[1;37;41mfailed\x1b[0m  p99 < 250ms");
    }
}
