//! Runs a program whose `prctl(PR_GET_AUXV)` fails, as it does before Linux 6.4.
//!
//! Under valgrind that call answers with the addresses of the machine's own vDSO, which valgrind has not
//! mapped: rustix would read them and crash. When the call fails, it reads `/proc/self/auxv`, which
//! valgrind does answer for.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The first argument that asks for it.
pub const COMMAND: &str = "hide-auxv";

/// Not in `libc`.
const PR_GET_AUXV: u32 = 0x4155_5856;
/// Where `struct seccomp_data` has the number of the call, and the lower half of its first argument.
const NUMBER_AT: u32 = 0;
const FIRST_ARGUMENT_AT: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };

/// Become the program that `args` name, with its arguments. Returns only when that fails.
pub fn main(args: &[String]) -> Result<(), String> {
    let (program, args) = args.split_first().ok_or("no program to run")?;
    refuse().map_err(|e| format!("cannot install the filter: {e}"))?;
    Err(format!("cannot run {program}: {}", Command::new(program).args(args).exec()))
}

/// Let the call fail from here on, in this process and whatever it becomes.
fn refuse() -> std::io::Result<()> {
    let load = |at| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, at);
    // Not equal: jump over what is left, to the last line.
    let equal = |value, else_skip| statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, else_skip, value);
    let end = |value| statement(libc::BPF_RET | libc::BPF_K, 0, value);
    let mut filter = [
        load(NUMBER_AT),
        equal(libc::SYS_prctl as u32, 3),
        load(FIRST_ARGUMENT_AT),
        equal(PR_GET_AUXV, 1),
        end(libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        end(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the first call takes numbers alone. The second reads `program` and the filter it points at,
    // both alive until it returns.
    let rc = unsafe {
        match libc::prctl(
            libc::PR_SET_NO_NEW_PRIVS,
            1 as libc::c_ulong,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
        ) {
            0 => libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0),
            failed => failed,
        }
    };
    if rc == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn statement(code: u32, else_skip: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: else_skip, k }
}
