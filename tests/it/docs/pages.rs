//! Pages of the documents, their code blocks and their generated parts.

use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub struct Page {
    /// From the top of the repository.
    pub name: String,
    pub path: PathBuf,
    pub text: String,
}

/// A fenced code block.
#[derive(Debug)]
pub struct Block {
    pub language: String,
    pub text: String,
    /// The line of the page that its first line is, from 1.
    pub line: usize,
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    pub fn read(name: &str) -> Self {
        let path = top().join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        Self { name: name.to_owned(), path, text }
    }

    /// README.md and the pages of docs/.
    pub fn all() -> Vec<Self> {
        let mut names: Vec<String> = std::fs::read_dir(top().join("docs"))
            .expect("docs is there")
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".md"))
            .map(|name| format!("docs/{name}"))
            .collect();
        names.sort();
        names.insert(0, "README.md".to_owned());
        names.iter().map(|name| Self::read(name)).collect()
    }

    /// Every document whose links people follow.
    pub fn with_links() -> Vec<Self> {
        let mut files = Vec::new();
        for folder in ["docs", "deploy"] {
            markdown_below(&top().join(folder), &mut files);
        }
        let mut names: Vec<String> = files
            .iter()
            .map(|path| path.strip_prefix(top()).unwrap().to_str().unwrap().to_owned())
            .chain(["README.md", "CONTRIBUTING.md", "SECURITY.md", "DECISION.md"].map(str::to_owned))
            .filter(|name| top().join(name).exists())
            .collect();
        names.sort();
        names.iter().map(|name| Self::read(name)).collect()
    }

    /// How many lines somebody wrote: those outside of generated parts.
    pub fn lines_by_hand(&self) -> usize {
        let (mut lines, mut generated) = (0, false);
        for line in self.text.lines() {
            generated = (generated || line.starts_with(BEGIN)) && !line.starts_with(END);
            lines += usize::from(!generated);
        }
        lines
    }
}

fn markdown_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown_below(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

/// The code blocks of `text` in `language`, or in any if that is empty.
pub fn blocks(text: &str, language: &str) -> Vec<Block> {
    let (mut found, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for (i, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block { language: language.trim().to_owned(), text: String::new(), line: i + 2 });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a code block does not end");
    found.retain(|block| language.is_empty() || block.language == language);
    found
}

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- /generated";

/// The names of the generated parts of `text`, in order.
pub fn generated_parts(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(BEGIN));
    lines.map(|rest| rest.trim_end_matches("-->").trim_end()).collect()
}

/// `text` with each generated part replaced by its new content.
pub fn with_generated(text: &str, parts: &[(&str, String)]) -> String {
    let mut text = text.to_owned();
    for (name, content) in parts {
        let begin = format!("{BEGIN}{name} -->\n");
        let begin = text.find(&begin).unwrap_or_else(|| panic!("no line {begin:?}")) + begin.len();
        let end = begin + text[begin..].find(END).unwrap_or_else(|| panic!("{name} does not end"));
        text.replace_range(begin..end, &format!("\n{}\n\n", content.trim()));
    }
    text
}

#[test]
fn blocks_and_generated_parts_are_found() {
    let text = "a\n```sh\nx\ny\n```\n- b\n  ```yaml\n  z: 1\n  ```\n<!-- generated: one -->\nold\n<!-- /generated -->\nend\n";
    let all = blocks(text, "");
    assert_eq!((all.len(), all[0].text.as_str(), all[0].line), (2, "x\ny\n", 3));
    assert_eq!(blocks(text, "yaml")[0].text, "  z: 1\n");
    assert_eq!(generated_parts(text), ["one"]);
    let page = Page { name: String::new(), path: PathBuf::new(), text: text.to_owned() };
    assert_eq!(page.lines_by_hand(), 11);
    assert!(
        with_generated(text, &[("one", "new\n".to_owned())])
            .contains("-->\n\nnew\n\n<!-- /generated -->\nend")
    );
}
