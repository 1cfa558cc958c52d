//! Completions, asked of the shell itself where there is one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use loadtester::cli::{Shell, completions};

use crate::harness::{needed, program};

/// What `shell` prints for `script` on its standard input; `None`: there is no such shell here.
fn run(shell: &str, arguments: &[&str], script: &str) -> Option<String> {
    let mut child = Command::new(needed(program(shell, shell))?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "{shell}: {errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What bash offers after `words`.
fn offered(words: &[&str]) -> Option<Vec<String>> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "{}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_loadtester\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        completions(Shell::Bash),
        quoted.join(" "),
        words.len() - 1
    );
    let text = run("bash", &["--noprofile", "--norc"], &script)?;
    Some(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

#[test]
fn bash_can_read_its_script() {
    run("bash", &["-n"], &completions(Shell::Bash));
}

#[test]
fn zsh_can_read_its_script() {
    run("zsh", &["-n"], &completions(Shell::Zsh));
}

#[test]
fn fish_can_read_its_script() {
    run("fish", &["-n"], &completions(Shell::Fish));
}

#[test]
fn bash_offers_flags_words_and_files() {
    let Some(flags) = offered(&["loadtester", "--repo"]) else { return };
    assert_eq!(flags, ["--report", "--report-schema"]);
    let one = |words: &[&str]| offered(words).unwrap();
    assert_eq!(one(&["loadtester", "--role", ""]), ["standalone", "worker", "coordinator", "target"]);
    assert_eq!(one(&["loadtester", "--demo", "--timestamps", "k"]), ["kernel"]);
    assert_eq!(one(&["loadtester", "--plan", "Cargo.t"]), ["Cargo.toml"]);
    assert!(one(&["loadtester", "-d", ""]).is_empty());
    assert!(one(&["loadtester", "--duration", ""]).is_empty());
    assert_eq!(one(&["loadtester", "Cargo.t"]), ["Cargo.toml"]);
    assert_eq!(one(&["loadtester", "hel"]), ["help"]);
    assert_eq!(one(&["loadtester", "help", "exit"]), ["exit-codes"]);
    assert!(one(&["loadtester", "http://x/", "-"]).contains(&"-c".to_owned()));
}
