//! Front door: parse, pick a role, print errors, choose the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let typed: Vec<String> = std::env::args().skip(1).collect();
    let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
    let listen = match typed[..] {
        ["--role", "target"] => "127.0.0.1:0",
        ["--role", "target", "--listen", listen] => listen,
        _ => {
            eprintln!("usage: loadtester --role target [--listen 127.0.0.1:0]");
            return ExitCode::from(2);
        }
    };
    let Ok(listen) = listen.parse() else {
        eprintln!("--listen {listen}: not an address; write one like 127.0.0.1:8081");
        return ExitCode::from(2);
    };
    match loadtester::roles::target::run(listen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}
