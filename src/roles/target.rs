//! `--role target`: serve the demo target until stopped.
//!
//! A demo starts this role as a child process with [`PARENT_GUARD`] set, so that nothing stays running
//! whatever happens to the parent. The responses are in `target`.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::process::{Signal, set_parent_process_death_signal};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Set in the environment of a target that has to end with the process that started it: at the end of its
/// standard input, or killed by the kernel when the parent's thread ends.
pub const PARENT_GUARD: &str = "LOADTESTER_TARGET_LEASH";

/// Default listen address: any free port, loopback only.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The text before the address in the one line that the target prints.
pub(crate) const ANNOUNCEMENT: &str = "listening on http://";

/// Serve on `listen`, print `listening on http://ADDRESS` once connections are accepted, and return on
/// SIGTERM, SIGINT or, with [`PARENT_GUARD`] set, at the end of standard input.
///
/// # Errors
/// When the address cannot be listened on or the line cannot be printed.
pub fn run(listen: SocketAddr) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    if std::env::var_os(PARENT_GUARD).is_some() {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        std::thread::spawn(stop_at_end_of_input);
    }
    let address = crate::target::start(listen)?;
    let mut out = io::stdout();
    writeln!(out, "{ANNOUNCEMENT}{address}")?;
    out.flush()?;
    signals.forever().next();
    Ok(())
}

/// Raise SIGTERM at the end of standard input, whose other end the parent holds and never writes to.
fn stop_at_end_of_input() {
    // A failed read is an end as well.
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    // Fails only for signals that this role did not register.
    let _ = signal_hook::low_level::raise(SIGTERM);
}
