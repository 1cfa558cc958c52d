//! The architecture, read from the sources: modules import in the order of `src/lib.rs`, no files
//! import each other in a cycle, modules above the I/O boundary are pure, and files stay short.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The longest file, in lines without its tests.
const MAX_FILE_LINES: usize = 500;
/// What a pure module does not name.
const IO_PATHS: [&str; 5] = ["std::net", "std::thread", "std::fs", "std::env", "std::process"];
const IO_WORDS: [&str; 4] = ["libc", "rustix", "Instant", "SystemTime"];
/// The most re-exports followed from a name to its definition: ends a `use` that names itself.
const MAX_REEXPORTS: usize = 8;
/// Modules that must not import each other in either direction: `load` translates.
const INDEPENDENT: [&str; 2] = ["client", "sys"];

/// Modules in the order in which they stand in `lib.rs`, and how many are pure.
struct Order {
    modules: Vec<String>,
    pure: usize,
}

impl Order {
    fn read(lib: &str) -> Self {
        let (mut modules, mut pure) = (Vec::new(), None);
        for line in lib.lines() {
            if let Some(at) = line.find("mod ").filter(|at| *at == 0 || line.starts_with("pub")) {
                modules.push(line[at + 4..].trim_end_matches(';').to_owned());
            } else if line.starts_with("// ══ I/O boundary") {
                pure = Some(modules.len());
            }
        }
        Self { modules, pure: pure.expect("lib.rs draws `// ══ I/O boundary`") }
    }

    fn position(&self, module: &str) -> Option<usize> {
        self.modules.iter().position(|m| m == module)
    }

    /// Why a file of `module` may not import from `other`.
    fn import_fault(&self, module: &str, other: &str) -> Option<String> {
        if module != other && INDEPENDENT.contains(&module) && INDEPENDENT.contains(&other) {
            return Some(format!("`{module}` and `{other}` do not import each other: `load` translates"));
        }
        (self.position(module)? < self.position(other)?)
            .then(|| format!("`{module}` imports `{other}`, which stands below it in lib.rs"))
    }
}

/// A path as written, groups in braces spelled out, with the line of its last part.
struct Mention {
    line: usize,
    path: Vec<String>,
}

/// One file of `src/`.
struct Source {
    /// From `src/`, as `plan/check.rs`.
    file: String,
    /// Its module's path from the crate's root.
    module: Vec<String>,
    mentions: Vec<Mention>,
    /// What `use` brings into the module, by name.
    imports: BTreeMap<String, Vec<String>>,
    /// How many modules in braces the reader is in.
    depth: usize,
    /// Lines without tests.
    lines: usize,
    has_doc: bool,
}

impl Source {
    fn read(file: &str, text: &str) -> Self {
        let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        module.pop_if(|last| last == "mod" || (last == "lib" && !file.contains('/')));
        let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{file}: {e}"));
        let mut source = Self {
            file: file.to_owned(),
            module,
            mentions: Vec::new(),
            imports: BTreeMap::new(),
            depth: 0,
            lines: text.lines().count(),
            has_doc: text.starts_with("//!"),
        };
        source.read_tokens(tokens);
        source
    }

    fn is_test(&self) -> bool {
        self.module.iter().any(|part| part == "tests")
    }

    fn read_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = &tokens[..];
        while let Some(token) = rest.first() {
            rest = match token {
                TokenTree::Punct(_) if is_test_attribute(rest) => self.skip_item(rest),
                TokenTree::Ident(word) if word == "use" => self.read_path(&rest[1..], &[], true),
                TokenTree::Ident(word) if word == "mod" => self.read_module(&rest[1..]),
                TokenTree::Ident(_) => self.read_path(rest, &[], false),
                TokenTree::Group(group) => {
                    self.read_tokens(group.stream());
                    &rest[1..]
                }
                _ => &rest[1..],
            };
        }
    }

    /// Reads what follows `mod`: a name, and what stands in braces, if there are any.
    fn read_module<'t>(&mut self, rest: &'t [TokenTree]) -> &'t [TokenTree] {
        let [TokenTree::Ident(_), TokenTree::Group(group), rest @ ..] = rest else { return rest };
        self.depth += 1;
        self.read_tokens(group.stream());
        self.depth -= 1;
        rest
    }

    /// Skips the item that `rest` begins with, and its lines.
    fn skip_item<'t>(&mut self, rest: &'t [TokenTree]) -> &'t [TokenTree] {
        let ends = |token: &TokenTree| match token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        let end = rest.iter().position(ends).map_or(rest.len(), |at| at + 1);
        self.lines -= rest[end - 1].span().end().line + 1 - rest[0].span().start().line;
        &rest[end..]
    }

    /// Reads the path that `rest` begins with, below `prefix`; returns what follows it.
    fn read_path<'t>(&mut self, rest: &'t [TokenTree], prefix: &[String], is_use: bool) -> &'t [TokenTree] {
        let (mut path, mut rest) = (prefix.to_vec(), rest);
        let mut line = 0;
        loop {
            match rest {
                [TokenTree::Ident(word), ..] => {
                    line = word.span().start().line;
                    path.push(word.to_string());
                    rest = &rest[1..];
                }
                [TokenTree::Group(group), ..] if is_use && group.delimiter() == Delimiter::Brace => {
                    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                    let mut inside = &inside[..];
                    while !inside.is_empty() {
                        inside = match inside[0] {
                            TokenTree::Ident(_) | TokenTree::Group(_) => self.read_path(inside, &path, true),
                            _ => &inside[1..],
                        };
                    }
                    return &rest[1..];
                }
                [TokenTree::Punct(star), ..] if is_use && star.as_char() == '*' => {
                    path.push("*".to_owned());
                    rest = &rest[1..];
                    break;
                }
                _ => break,
            }
            match rest {
                [TokenTree::Punct(a), TokenTree::Punct(b), _, ..]
                    if a.as_char() == ':' && b.as_char() == ':' =>
                {
                    rest = &rest[2..];
                }
                _ => break,
            }
        }
        // In a module in braces the file's own module is so many `super`s up.
        let inner = path.iter().take_while(|part| *part == "super").count().min(self.depth);
        if inner > 0 {
            path.splice(
                ..inner,
                (path.get(inner).is_none_or(|next| next != "super")).then(|| "self".to_owned()),
            );
        }
        if is_use {
            let mut name = path.last().cloned().unwrap_or_default();
            if let [TokenTree::Ident(keyword), TokenTree::Ident(alias), ..] = rest
                && keyword == "as"
            {
                name = alias.to_string();
                rest = &rest[2..];
            }
            if name == "self" {
                path.pop();
                name = path.last().cloned().unwrap_or_default();
            }
            self.imports.entry(name).or_insert_with(|| path.clone());
        }
        self.mentions.push(Mention { line, path });
        rest
    }
}

/// Whether `#[cfg(test)]` comes next.
fn is_test_attribute(rest: &[TokenTree]) -> bool {
    matches!(rest, [TokenTree::Punct(hash), TokenTree::Group(group), ..]
        if hash.as_char() == '#' && group.stream().to_string().replace(' ', "") == "cfg(test)")
}

/// All files, and which of them import which.
struct Crate {
    order: Order,
    sources: Vec<Source>,
}

impl Crate {
    fn read(files: &[(String, String)]) -> Self {
        let lib = files.iter().find(|(file, _)| file == "lib.rs").expect("lib.rs");
        Self {
            order: Order::read(&lib.1),
            sources: files.iter().map(|(file, text)| Source::read(file, text)).collect(),
        }
    }

    fn module(&self, path: &[String]) -> Option<usize> {
        self.sources.iter().position(|source| source.module == path && source.file != "main.rs")
    }

    /// The file that defines the item which `path` means in `source`, re-exports followed. `None`: a
    /// module as such, an item of another crate, or a name of the file itself.
    fn definition(&self, source: usize, path: &[String], depth: usize) -> Option<usize> {
        let own = &self.sources[source];
        let supers = path.iter().take_while(|part| *part == "super").count();
        let (mut module, mut rest) = match path.first()?.as_str() {
            "crate" => (self.module(&[])?, &path[1..]),
            "self" => (source, &path[1..]),
            "super" => {
                (self.module(own.module.get(..own.module.len().checked_sub(supers)?)?)?, &path[supers..])
            }
            _ if self.child(source, &path[0]).is_some() => (source, path),
            name => return self.imported(source, name, &path[1..], depth),
        };
        while let [name, after @ ..] = rest {
            let Some(child) = self.child(module, name) else {
                return self.imported(module, name, after, depth).or(Some(module));
            };
            (module, rest) = (child, after);
        }
        None
    }

    /// The same, of what `use` brings into `module` as `name`, and `after` below that.
    fn imported(&self, module: usize, name: &str, after: &[String], depth: usize) -> Option<usize> {
        let import = self.sources[module].imports.get(name)?;
        let is_endless = depth == MAX_REEXPORTS;
        if is_endless { None } else { self.definition(module, &[import, after].concat(), depth + 1) }
    }

    fn child(&self, module: usize, name: &str) -> Option<usize> {
        let own = &self.sources[module].module;
        self.module(&[own.as_slice(), &[name.to_owned()]].concat())
    }

    /// For each file the files that it imports from, each with one of the names.
    fn imports(&self) -> Vec<BTreeMap<usize, String>> {
        let of = |at: usize| {
            let mentions = self.sources[at].mentions.iter();
            let defined =
                mentions.filter_map(|m| Some((self.definition(at, &m.path, 0)?, m.path.join("::"))));
            defined.filter(|(other, _)| *other != at).collect()
        };
        (0..self.sources.len()).map(of).collect()
    }

    /// Each group of files that import each other in a cycle, with what ties them.
    fn cycles(&self) -> Vec<String> {
        let imports = self.imports();
        let reached: Vec<BTreeSet<usize>> = (0..imports.len()).map(|at| reachable(&imports, at)).collect();
        let group = |at: usize| -> Vec<usize> {
            reached[at].iter().copied().filter(|other| reached[*other].contains(&at)).collect()
        };
        let groups: BTreeSet<Vec<usize>> = (0..imports.len()).map(group).filter(|g| !g.is_empty()).collect();
        let ties = |group: &[usize]| {
            let mut ties = format!("{} files import each other in a cycle:", group.len());
            for from in group {
                for (to, name) in imports[*from].iter().filter(|(to, _)| group.contains(to)) {
                    let (from, to) = (&self.sources[*from].file, &self.sources[*to].file);
                    ties.push_str(&format!("\n  src/{from} takes `{name}` from src/{to}"));
                }
            }
            ties
        };
        groups.iter().map(|group| ties(group)).collect()
    }

    /// Every rule that a file breaks by itself, with its line.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (at, source) in self.sources.iter().enumerate() {
            let mut fault =
                |line: usize, why: String| faults.push(format!("src/{}:{line}: {why}", source.file));
            if !source.has_doc {
                fault(1, "does not open with `//!`, saying what the file is for".into());
            }
            if source.is_test() {
                continue;
            }
            if source.lines > MAX_FILE_LINES {
                let lines = source.lines;
                fault(1, format!("{lines} lines without its tests, more than {MAX_FILE_LINES}: split it"));
            }
            let Some(module) = source.module.first() else { continue };
            let is_pure = self.order.position(module).is_some_and(|position| position < self.order.pure);
            for Mention { line, path } in &source.mentions {
                let other = self.definition(at, path, 0).and_then(|file| self.sources[file].module.first());
                if let Some(why) = other.and_then(|other| self.order.import_fault(module, other)) {
                    fault(*line, why);
                }
                if let Some(io) = io(path).filter(|_| is_pure) {
                    fault(
                        *line,
                        format!("`{io}` in `{module}`, which is pure: pass it in (addresses: `core::net`)"),
                    );
                }
            }
        }
        faults
    }
}

fn reachable(imports: &[BTreeMap<usize, String>], start: usize) -> BTreeSet<usize> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![start]);
    while let Some(at) = next.pop() {
        next.extend(imports[at].keys().filter(|other| reached.insert(**other)));
    }
    reached
}

/// The part of a path that a pure module must not name.
fn io(path: &[String]) -> Option<String> {
    let word = path.iter().find(|part| IO_WORDS.contains(&part.as_str()));
    let start = path[..path.len().min(2)].join("::");
    word.cloned().or_else(|| IO_PATHS.contains(&start.as_str()).then_some(start))
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn this_crate() -> Crate {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files_below(&src, &mut paths);
    paths.sort();
    let file = |path: &PathBuf| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    Crate::read(&paths.iter().map(file).collect::<Vec<_>>())
}

#[test]
fn every_file_keeps_the_order_of_modules_and_its_length() {
    let this = this_crate();
    assert!(this.sources.len() > this.order.modules.len(), "{} files", this.sources.len());
    let faults = this.faults();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_cycle() {
    let cycles = this_crate().cycles();
    assert!(cycles.is_empty(), "\n{}\n", cycles.join("\n"));
}

const LIB: &str = "\
//! A crate.
pub mod tally;
pub mod plan;
pub mod client;
// ══ I/O boundary
pub mod sys;
mod load;
";

/// A crate of `lib.rs` and these files, each with a first line `//! A file.`.
fn made_up(files: &[(&str, &str)]) -> Crate {
    let lib = [("lib.rs".to_owned(), LIB.to_owned())].into_iter();
    let files = files.iter().map(|(file, code)| ((*file).to_owned(), format!("//! A file.\n{code}")));
    Crate::read(&lib.chain(files).collect::<Vec<_>>())
}

/// The faults of the last of these files, without the path before the line.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let path = format!("src/{}:", files.last().unwrap().0);
    let faults = made_up(files).faults();
    let found: Vec<&str> = faults.iter().map(|fault| fault.strip_prefix(&path).unwrap()).collect();
    assert_eq!(found, expected, "{files:?}");
}

#[test]
fn an_import_from_below_is_a_fault_however_it_is_written() {
    let fault = "2: `tally` imports `plan`, which stands below it in lib.rs";
    let plan = ("plan/mod.rs", "mod load;\npub use load::Load;\npub struct Plan;");
    let load = ("plan/load.rs", "pub struct Load;");
    for code in [
        "use crate::plan::Plan;",
        "use crate::plan::Load as Other;",
        "fn f() -> crate::plan::Plan {}",
        "use super::plan::*;",
        "fn f() { matches!(1, crate::plan::Plan) }",
    ] {
        check(&[plan, load, ("tally/mod.rs", code)], &[fault]);
    }
    check(&[plan, load, ("tally/window.rs", "use super::super::plan::Plan;")], &[fault]);
    check(
        &[plan, load, ("tally.rs", "use crate::plan;\nfn f() { plan::Plan }")],
        &[&fault.replace("2:", "3:")],
    );
    check(&[plan, load, ("tally.rs", "use crate::{plan::{Load, Plan}, sys};")], &[fault, fault]);
    check(
        &[plan, load, ("tally.rs", "use crate::{\n    sys,\n    plan::Plan,\n};")],
        &[&fault.replace("2:", "4:")],
    );
    check(
        &[plan, load, ("tally.rs", "mod inner {\n    use super::super::plan::Plan;\n}")],
        &[&fault.replace("2:", "3:")],
    );
}

#[test]
fn an_import_from_above_or_from_the_same_module_is_none() {
    let (tally, plan) = (("tally.rs", "pub struct Tally;"), ("plan/mod.rs", "pub struct Plan;"));
    check(&[tally, plan, ("load.rs", "use crate::{plan::Plan, tally::Tally};")], &[]);
    check(&[plan, ("plan/check.rs", "use super::Plan;\nuse crate::plan::Plan as Other;")], &[]);
    check(&[("load.rs", ""), ("main.rs", "use crate::load::Job;\nuse std::env;")], &[]);
}

#[test]
fn client_and_sys_do_not_import_each_other() {
    let (client, sys) = (("client/mod.rs", "pub struct Client;"), ("sys/mod.rs", "pub struct Clock;"));
    check(
        &[client, ("sys/mod.rs", "use crate::client::Client;")],
        &["2: `sys` and `client` do not import each other: `load` translates"],
    );
    check(
        &[sys, ("client/mod.rs", "use crate::sys::Clock;")],
        &["2: `client` and `sys` do not import each other: `load` translates"],
    );
}

#[test]
fn a_pure_module_names_no_input_or_output() {
    let fault =
        |what: &str| format!("2: `{what}` in `plan`, which is pure: pass it in (addresses: `core::net`)");
    for (code, what) in [
        ("use std::net::IpAddr;", "std::net"),
        ("use std::{collections::BTreeMap, fs};", "std::fs"),
        ("use std::time::{Duration, Instant};", "Instant"),
        ("fn f() { std::thread::yield_now() }", "std::thread"),
        ("fn f() { unsafe { libc::getpid() } }", "libc"),
    ] {
        check(&[("plan/mod.rs", code)], &[&fault(what)]);
    }
    check(&[("plan/mod.rs", "use core::net::IpAddr;\nuse std::time::Duration;")], &[]);
    check(&[("sys/mod.rs", "use std::net::IpAddr;")], &[]);
}

#[test]
fn comments_strings_and_tests_may_say_anything() {
    for code in [
        "// std::fs\n/* libc /* */ libc */\nconst A: &str = \"crate::sys \\\" libc\";",
        "const A: &str = r#\"libc \" libc\"#; const B: char = '\"'; type C = &'static u8;",
        "#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn f() {\n    }\n}",
    ] {
        check(&[("plan/mod.rs", code)], &[]);
    }
    check(&[("plan/tests.rs", "use std::fs;")], &[]);
    check(
        &[("plan/mod.rs", "#[cfg(test)]\nmod tests;\nuse libc;")],
        &["4: `libc` in `plan`, which is pure: pass it in (addresses: `core::net`)"],
    );
}

#[test]
fn a_cycle_of_files_is_found_and_says_what_ties_it() {
    let a = ("plan/a.rs", "use super::b::B;\npub struct A;");
    let cycle = |files: &[(&str, &str)]| made_up(files).cycles().join("\n");
    assert_eq!(cycle(&[("plan/mod.rs", "mod a;\nmod b;"), a, ("plan/b.rs", "pub struct B;")]), "");
    let ties = "2 files import each other in a cycle:\n  \
                src/plan/a.rs takes `super::b::B` from src/plan/b.rs\n  \
                src/plan/b.rs takes `super::A` from src/plan/a.rs";
    let through_a_reexport =
        [("plan/mod.rs", "mod a;\nmod b;\npub use a::A;"), a, ("plan/b.rs", "use super::A;\npub struct B;")];
    assert_eq!(cycle(&through_a_reexport), ties);
    let by_a_module = [
        ("plan/mod.rs", "mod a;\nmod b;"),
        ("plan/a.rs", "use super::b;\nfn f() { b::f() }"),
        ("plan/b.rs", "use super::c;\npub fn f() { c::f() }"),
        ("plan/c.rs", "pub fn f() { crate::plan::a::f() }"),
    ];
    assert!(cycle(&by_a_module).starts_with("3 files import"), "{}", cycle(&by_a_module));
    // A child takes what its parent defines, and the parent takes the child's.
    let with_the_parent = [
        ("plan/mod.rs", "mod a;\npub use a::A;\npub struct Plan;"),
        ("plan/a.rs", "use super::Plan;\npub struct A;"),
    ];
    assert!(cycle(&with_the_parent).starts_with("2 files import"), "{}", cycle(&with_the_parent));
}

#[test]
fn a_file_too_long_or_without_its_purpose_is_a_fault() {
    check(&[("plan/mod.rs", &"const A: u8 = 0;\n".repeat(499))], &[]);
    check(
        &[("plan/mod.rs", &"const A: u8 = 0;\n".repeat(500))],
        &["1: 501 lines without its tests, more than 500: split it"],
    );
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    const A: u8 = 0;\n".repeat(500));
    check(&[("plan/mod.rs", &tests)], &[]);
    let files =
        [("lib.rs", LIB), ("load.rs", "use crate::sys;\n")].map(|(f, code)| (f.to_owned(), code.to_owned()));
    let faults = Crate::read(&files).faults();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("src/load.rs:1: does not open with `//!`"), "{faults:?}");
}
