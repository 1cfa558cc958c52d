//! Hands the dashboard's scripts to the compiler, where a package manager has fetched them:
//! `npm ci --ignore-scripts --prefix src/web/scripts`. Without them the program is built all the same; its dashboard then
//! loads itself anew instead of exchanging its parts.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// In the order in which a browser has to run them.
const SCRIPTS: [&str; 2] = ["htmx.org/dist/htmx.min.js", "idiomorph/dist/idiomorph-ext.min.js"];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let folder = root.join("src/web/scripts");
    // The folder and not the files: of a file that is not there cargo would think anew each time.
    println!("cargo::rerun-if-changed={}", folder.display());
    let texts: Option<Vec<String>> = SCRIPTS
        .iter()
        .map(|script| fs::read_to_string(folder.join("node_modules").join(script)).ok())
        .collect();
    let expression = match texts {
        Some(texts) => format!("Some({:?})", texts.join("\n") + "\n"),
        None => "None".to_owned(),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    write(&out.join("scripts.rs"), &expression);
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
