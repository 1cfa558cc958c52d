//! The bare loops as a program: `cargo bench --bench bare -- --to 127.0.0.1:8081 -c 64 --core 0`.

#[path = "../instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each program uses its part; tests run in tests/it")]
mod instrument;

fn main() -> std::process::ExitCode {
    instrument::finish(instrument::bare::main(&instrument::own_args()))
}
