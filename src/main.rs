//! Front door: parse, pick a role, print errors, choose the exit code.

fn main() {}
