//! The measuring target as a program: `cargo bench --bench target -- --listen 127.0.0.1:0 --core 1`.

#[path = "../instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each program uses its part; tests run in tests/it")]
mod instrument;

fn main() -> std::process::ExitCode {
    instrument::finish(instrument::target::main(&instrument::own_args()))
}
