//! Chooses the lines that fit a height: blocks give way by their rank, so that nothing scrolls or wraps.

use crate::report::terminal::line::Line;

/// Lines that belong together.
pub(crate) struct Block<'a> {
    /// How soon it is left out: 0 stays to the last.
    pub(crate) rank: u8,
    /// The fewest lines that it can do with (0: it only takes what others leave), those it should have before there
    /// are empty lines between blocks, and the most that it has a use for.
    pub(crate) lines: [usize; 3],
    /// Whether an empty line goes before it, if there is room.
    pub(crate) apart: bool,
    /// Draws it in at most so many lines.
    pub(crate) draw: Box<dyn Fn(usize) -> Vec<Line> + 'a>,
}

/// The blocks from the top in at most `height` lines.
pub(crate) fn fit(blocks: &[Block], height: usize) -> Vec<Line> {
    let mut by_rank: Vec<usize> = (0..blocks.len()).collect();
    by_rank.sort_by_key(|i| blocks[*i].rank);
    let (mut granted, mut left) = (vec![0; blocks.len()], height);
    for i in &by_rank {
        let least = blocks[*i].lines[0];
        if least <= left {
            (granted[*i], left) = (least, left - least);
        }
    }
    let grow = |granted: &mut [usize], left: &mut usize, to: usize| {
        for i in by_rank.iter().copied() {
            // Without its least lines it makes no sense.
            if granted[i] < blocks[i].lines[0] {
                continue;
            }
            let more = blocks[i].lines[to].saturating_sub(granted[i]).min(*left);
            (granted[i], *left) = (granted[i] + more, *left - more);
        }
    };
    grow(&mut granted, &mut left, 1);
    let shown = (0..blocks.len()).filter(|i| granted[*i] > 0);
    let gaps: Vec<usize> = shown.skip(1).filter(|i| blocks[*i].apart).take(left).collect();
    left -= gaps.len();
    grow(&mut granted, &mut left, 2);
    let mut lines = Vec::with_capacity(height);
    for (i, block) in blocks.iter().enumerate().filter(|(i, _)| granted[*i] > 0) {
        lines.extend(gaps.contains(&i).then(Line::default));
        lines.extend((block.draw)(granted[i]).into_iter().take(granted[i]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::terminal::line::Style;

    /// A block of numbered lines.
    fn block(name: &'static str, rank: u8, lines: [usize; 3]) -> Block<'static> {
        let draw = move |n| (0..n).map(|i| Line::new(Style::Plain, format!("{name}{i}"))).collect();
        Block { rank, lines, apart: true, draw: Box::new(draw) }
    }

    fn shown(blocks: &[Block], height: usize) -> String {
        let lines = fit(blocks, height);
        assert!(lines.len() <= height);
        lines.iter().map(Line::text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn blocks_give_way_by_rank_then_the_lines_between_them() {
        let blocks = [
            block("a", 2, [1, 2, 2]),
            block("b", 0, [1, 1, 1]),
            block("c", 8, [2, 3, 5]),
            block("d", 9, [0, 1, 1]),
        ];
        assert_eq!(shown(&blocks, 0), "");
        assert_eq!(shown(&blocks, 1), "b0");
        assert_eq!(shown(&blocks, 2), "a0 b0");
        assert_eq!(shown(&blocks, 3), "a0 a1 b0", "c needs two lines");
        assert_eq!(shown(&blocks, 4), "a0 b0 c0 c1");
        assert_eq!(shown(&blocks, 5), "a0 a1 b0 c0 c1");
        assert_eq!(shown(&blocks, 6), "a0 a1 b0 c0 c1 c2");
        assert_eq!(shown(&blocks, 7), "a0 a1 b0 c0 c1 c2 d0");
        assert_eq!(shown(&blocks, 8), "a0 a1  b0 c0 c1 c2 d0");
        assert_eq!(shown(&blocks, 10), "a0 a1  b0  c0 c1 c2  d0");
        assert_eq!(shown(&blocks, 99), "a0 a1  b0  c0 c1 c2 c3 c4  d0");
    }
}
