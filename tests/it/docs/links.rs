//! Finds the links of a page and what they lead to.

use std::collections::BTreeMap;

use super::pages::Page;

/// The links of `text` to other files and places, with their lines; web addresses are not looked up.
pub fn of(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in prose(text) {
        for piece in without_code(text).split("](").skip(1) {
            let end = piece.find([')', ' ']).unwrap_or(piece.len());
            found.push((line, piece[..end].to_owned()));
        }
        for attribute in ["src=\"", "href=\"", "srcset=\""] {
            for piece in text.split(attribute).skip(1) {
                found.push((line, piece.split('"').next().unwrap_or_default().to_owned()));
            }
        }
        // `[name]: address`, the form with the addresses below the text.
        if let Some((_, address)) = text.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((line, address.trim().to_owned()));
        }
    }
    found.retain(|(_, link)| !link.contains("://") && !link.starts_with("mailto:"));
    found
}

/// What is not in a code block.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    text.lines().enumerate().filter_map(move |(i, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        (!in_block && !is_fence).then_some((i + 1, line))
    })
}

/// A line with the text in backticks removed.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Check that `link` on `page` leads to a file, and to a heading in it if it names one.
pub fn resolve(page: &Page, link: &str) -> Result<(), String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let path = match file {
        "" => page.path.clone(),
        file => page.path.parent().expect("a file is in a folder").join(file),
    };
    if !path.exists() {
        return Err("there is no such file".to_owned());
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
    let anchors = anchors(&text);
    anchors.contains(&anchor.to_owned()).then_some(()).ok_or_else(|| "there is no such heading".to_owned())
}

/// The anchors of a page's headings, made as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let (mut anchors, mut seen) = (Vec::new(), BTreeMap::new());
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
                _ => None,
            })
            .collect();
        let times = seen.entry(slug.clone()).and_modify(|n| *n += 1).or_insert(0);
        anchors.push(if *times == 0 { slug } else { format!("{slug}-{times}") });
    }
    anchors
}

#[test]
fn links_and_anchors_are_found() {
    let text = "[a](b.md#c) and ![p](img/x.svg \"t\") `[no](code)` [w](https://x)\n```sh\n[n](o)\n```\n<img src=\"y.png\">\n\
                [r]: z.md\n";
    let found: Vec<(usize, String)> = of(text);
    let expected = [(1, "b.md#c"), (1, "img/x.svg"), (5, "y.png"), (6, "z.md")];
    assert_eq!(found, expected.map(|(line, link)| (line, link.to_owned())));
    let headings = "# A title\n## `x`, the *key*\n## `x`, the *key*\n#hash\n";
    assert_eq!(anchors(headings), ["a-title", "x-the-key", "x-the-key-1"]);
}
