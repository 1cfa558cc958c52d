//! The rules of the house, read from the sources: who may know whom, what stays above the waterline,
//! and sizes that keep rooms liveable. The order of the rooms is `src/lib.rs`'s own.

use std::path::Path;

/// The longest file, in lines without its tests.
const MAX_FILE_LINES: usize = 500;
/// The longest function, in lines.
const MAX_FUNCTION_LINES: usize = 70;
/// What a room that only computes does not say.
const WET_PATHS: [&str; 5] = ["std::net", "std::thread", "std::fs", "std::env", "std::process"];
const WET_WORDS: [&str; 4] = ["libc", "rustix", "Instant", "SystemTime"];
/// Rooms that must not know each other in either order: `load` translates.
const STRANGERS: [&str; 2] = ["client", "sys"];

/// The map in `lib.rs`.
struct House {
    rooms: Vec<String>,
    above_waterline: usize,
    below_front: usize,
}

impl House {
    fn read(lib: &str) -> Self {
        let mut rooms = Vec::new();
        let (mut above_waterline, mut below_front) = (None, None);
        for line in lib.lines() {
            if let Some(room) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
                rooms.push(room.to_owned());
            } else if line.starts_with("// ══ waterline") {
                above_waterline = Some(rooms.len());
            } else if line.starts_with("// ── front") {
                below_front = Some(rooms.len());
            }
        }
        Self {
            rooms,
            above_waterline: above_waterline.expect("lib.rs draws `// ══ waterline`"),
            below_front: below_front.expect("lib.rs draws `// ── front`"),
        }
    }

    fn place(&self, room: &str) -> Option<usize> {
        self.rooms.iter().position(|r| r == room)
    }

    /// Every rule that the file at `path` (from `src/`, as `plan/check.rs`) breaks, with its line.
    fn faults(&self, path: &str, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |line: usize, rule: String| faults.push(format!("src/{path}:{line}: {rule}"));
        if !text.starts_with("//!") {
            fault(1, "does not open with `//!`, saying what the room is for and what stays out".into());
        }
        let modules: Vec<&str> = path.strip_suffix(".rs").expect("a Rust file").split('/').collect();
        if modules.contains(&"tests") {
            return faults;
        }
        let (code, lines) = without_tests(&code_only(text));
        if lines > MAX_FILE_LINES {
            fault(1, format!("{lines} lines without its tests, more than {MAX_FILE_LINES}: split it"));
        }
        for (line, name, length) in functions(&code) {
            if length > MAX_FUNCTION_LINES {
                fault(
                    line,
                    format!("fn {name} has {length} lines, more than {MAX_FUNCTION_LINES}: split it"),
                );
            }
        }
        let Some(own) = self.place(modules[0]).filter(|own| *own < self.below_front) else {
            return faults;
        };
        // How many `super`s lead from this file to the crate's root.
        let depth = modules.len() - usize::from(modules.last() == Some(&"mod"));
        for (line, path) in paths(&code) {
            if let Some(room) = room_in(&path, depth).and_then(|name| self.place(name))
                && let Some(rule) = self.import_fault(own, room)
            {
                fault(line, rule);
            }
            if own < self.above_waterline
                && let Some(wet) = wet(&path)
            {
                fault(
                    line,
                    format!(
                        "{wet} in `{}`, which only computes: pass it in from below (addresses: `core::net`)",
                        modules[0]
                    ),
                );
            }
        }
        faults
    }

    fn import_fault(&self, own: usize, other: usize) -> Option<String> {
        let (mine, theirs) = (self.rooms[own].as_str(), self.rooms[other].as_str());
        if own != other && STRANGERS.contains(&mine) && STRANGERS.contains(&theirs) {
            return Some(format!("`{mine}` and `{theirs}` do not know each other: `load` translates"));
        }
        (own < other && other < self.below_front)
            .then(|| format!("`{mine}` imports `{theirs}`, which stands below it in lib.rs"))
    }
}

/// The room that a path names: what follows `crate`, or enough `super`s to reach it.
fn room_in(path: &[String], depth: usize) -> Option<&str> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let at_root = if path[0] == "crate" { 1 } else { supers };
    (path[0] == "crate" || supers == depth).then(|| path.get(at_root).map(String::as_str))?
}

/// The part of a path that a room which only computes must not say.
fn wet(path: &[String]) -> Option<String> {
    let word = path.iter().find(|part| WET_WORDS.contains(&part.as_str()));
    let start = path[..path.len().min(2)].join("::");
    word.cloned()
        .or_else(|| WET_PATHS.contains(&start.as_str()).then_some(start))
        .map(|what| format!("`{what}`"))
}

/// `text` with comments, strings and characters blanked, line for line.
fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut code = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => (i..chars.len()).find(|j| at(*j) == '\n').unwrap_or(chars.len()),
            ('/', '*') => block_comment_end(&chars, i),
            ('r', '"' | '#') if i == 0 || !is_word(at(i - 1)) || at(i - 1) == 'b' => {
                raw_string_end(&chars, i)
            }
            ('"', _) => quoted_end(&chars, i),
            ('\'', '\\') => quoted_end(&chars, i),
            ('\'', _) if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end == i {
            code.push(at(i));
            i += 1;
        } else {
            code.extend(chars[i..end.min(chars.len())].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    code
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

/// The end of the raw string at `start`; `start` itself when there is none (a raw identifier).
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes = |i: &usize| {
        chars[*i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (open + 1..chars.len()).find(closes).map_or(chars.len(), |i| i + 1 + hashes)
}

fn quoted_end(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != chars[start] {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `code` with each item under `#[cfg(test)]` emptied, and how many lines are left. Relies on
/// rustfmt: an item ends at its own indentation.
fn without_tests(code: &str) -> (String, usize) {
    let (mut left, mut kept) = (String::new(), 0);
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim() == "#[cfg(test)]" {
            left.push('\n');
            for line in lines.by_ref() {
                left.push('\n');
                let same_indent = line.len() - line.trim_start().len() == indent && !line.trim().is_empty();
                if same_indent && (line.trim_end().ends_with(';') || line.trim_end().ends_with('}')) {
                    break;
                }
            }
        } else {
            left.push_str(line);
            left.push('\n');
            kept += 1;
        }
    }
    (left, kept)
}

/// Each function's line, name and length in lines.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        if name.is_empty() || code[..at].ends_with(is_word) {
            continue;
        }
        let (mut brackets, mut braces) = (0, 0);
        for (offset, c) in code[at..].char_indices() {
            match c {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                '{' => braces += 1,
                '}' => braces -= 1,
                _ => {}
            }
            if c == ';' && brackets == 0 && braces == 0 {
                break;
            }
            if c == '}' && braces == 0 {
                let length = code[at..at + offset].matches('\n').count() + 1;
                found.push((line_of(code, at), name, length));
                break;
            }
        }
    }
    found
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Every path in `code`, groups in braces spelled out, with the line of its last part.
fn paths(code: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = code[at..].find(is_word) {
        at = read_path(code, at + offset, &[], &mut found);
    }
    found.into_iter().map(|(at, path)| (line_of(code, at), path)).collect()
}

/// Read the path at `at`, below `prefix`; returns where it ends.
fn read_path(code: &str, mut at: usize, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        let word: String = code[at..].chars().take_while(|c| is_word(*c)).collect();
        let start = at;
        at += word.len();
        if !word.is_empty() {
            path.push(word);
        }
        if code[at..].starts_with("::") && code[at + 2..].starts_with(is_word) {
            at += 2;
        } else if code[at..].starts_with("::{") {
            at += 3;
            while let Some(offset) = code[at..].find(|c| is_word(c) || c == '*' || c == '}') {
                at += offset;
                match code.as_bytes()[at] {
                    b'}' => return at + 1,
                    b'*' => at += 1,
                    _ => at = read_path(code, at, &path, found),
                }
            }
            return code.len();
        } else {
            found.push((start, path));
            return at;
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_sources_keep_the_rules_of_the_house() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let house = House::read(&std::fs::read_to_string(src.join("lib.rs")).unwrap());
    let mut files = Vec::new();
    sources(&src, &mut files);
    files.sort();
    assert!(files.len() > house.rooms.len(), "{} files", files.len());
    let faults: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&src).unwrap().to_str().unwrap();
            house.faults(path, &std::fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

const MAP: &str = "\
pub mod tally;
pub mod plan;
pub mod client;
// ══ waterline: dry above
pub mod sys;
pub mod load;
// ── front ──
pub mod cli;
";

/// The faults of one made-up file, without the path before the line.
fn check(path: &str, code: &str, expected: &[&str]) {
    let faults = House::read(MAP).faults(path, &format!("//! A room.\n{code}"));
    let told: Vec<&str> = faults.iter().map(|f| f.strip_prefix(&format!("src/{path}:")).unwrap()).collect();
    assert_eq!(told, expected, "{code}");
}

#[test]
fn an_import_from_below_is_a_fault_however_it_is_written() {
    let fault = "2: `tally` imports `plan`, which stands below it in lib.rs";
    check("tally/mod.rs", "use crate::plan::Plan;", &[fault]);
    check("tally/mod.rs", "fn f() -> crate::plan::Plan {}", &[fault]);
    check("tally/mod.rs", "use super::plan;", &[fault]);
    check("tally/window.rs", "use super::super::plan;", &[fault]);
    check("tally.rs", "use crate::{plan::{Plan, Load}, tally::Tally};", &[fault, fault]);
    check("tally.rs", "use crate::{\n    tally::Tally,\n    plan,\n};", &[&fault.replace("2:", "4:")]);
}

#[test]
fn an_import_from_above_from_the_same_room_or_of_what_was_typed_is_none() {
    check("load.rs", "use crate::{client, sys, tally::Tally};", &[]);
    check("plan/check.rs", "use super::plan;\nuse crate::plan::Plan;\nuse crate::cli::Options;", &[]);
    check("cli.rs", "use crate::load;\nuse std::net::SocketAddr;", &[]);
    check("main.rs", "use crate::load;\nuse std::env;", &[]);
}

#[test]
fn the_wire_and_the_client_are_strangers() {
    check(
        "sys/mod.rs",
        "use crate::client;",
        &["2: `sys` and `client` do not know each other: `load` translates"],
    );
    check(
        "client/mod.rs",
        "use crate::sys;",
        &["2: `client` and `sys` do not know each other: `load` translates"],
    );
}

#[test]
fn a_room_above_the_waterline_does_not_touch_the_world() {
    let fault = |what: &str| {
        format!("2: `{what}` in `plan`, which only computes: pass it in from below (addresses: `core::net`)")
    };
    for (code, what) in [
        ("use std::net::IpAddr;", "std::net"),
        ("use std::{collections::BTreeMap, fs};", "std::fs"),
        ("use std::time::{Duration, Instant};", "Instant"),
        ("fn f() { std::thread::yield_now() }", "std::thread"),
        ("fn f() { unsafe { libc::getpid() } }", "libc"),
    ] {
        check("plan/mod.rs", code, &[&fault(what)]);
    }
    check("plan/mod.rs", "use core::net::IpAddr;\nuse std::time::Duration;", &[]);
    check("sys/mod.rs", "use std::net::IpAddr;", &[]);
}

#[test]
fn comments_strings_and_tests_may_say_anything() {
    check("plan/mod.rs", "// std::fs\n/* libc /* */ libc */\nconst A: &str = \"crate::sys \\\" libc\";", &[]);
    check(
        "plan/mod.rs",
        "const A: &str = r#\"libc \" libc\"#; const B: char = '\"'; type C = &'static u8;",
        &[],
    );
    check("plan/mod.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn f() {\n    }\n}", &[]);
    check("plan/tests.rs", "use std::fs;", &[]);
    check(
        "plan/mod.rs",
        "#[cfg(test)]\nmod tests;\nuse libc;",
        &["4: `libc` in `plan`, which only computes: pass it in from below (addresses: `core::net`)"],
    );
}

#[test]
fn a_file_or_a_function_too_long_is_a_fault() {
    let function = |lines: usize| format!("fn f(a: [u8; 2]) {{\n{}}}\n", "    g('{');\n".repeat(lines - 2));
    check("plan/mod.rs", &function(70), &[]);
    check("plan/mod.rs", &function(71), &["2: fn f has 71 lines, more than 70: split it"]);
    check("plan/mod.rs", &"const A: u8 = 0;\n".repeat(499), &[]);
    check(
        "plan/mod.rs",
        &"const A: u8 = 0;\n".repeat(500),
        &["1: 501 lines without its tests, more than 500: split it"],
    );
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    const A: u8 = 0;\n".repeat(500));
    check("plan/mod.rs", &tests, &[]);
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_a_fault() {
    let faults = House::read(MAP).faults("load.rs", "use crate::sys;\n");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("src/load.rs:1: does not open with `//!`"), "{faults:?}");
}
