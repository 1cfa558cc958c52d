//! Limits of this process: descriptors, ports, memory.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::cgroup::Groups;

/// Soft and hard limit on open file descriptors; `u64::MAX`: no limit.
pub(crate) fn file_descriptors() -> (u64, u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX))
}

/// Raise the soft limit on open file descriptors to `soft`, at most the hard limit.
///
/// # Errors
/// The kernel's error when `soft` exceeds the hard limit.
pub(crate) fn raise_file_descriptors(soft: u64) -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(soft), maximum })?)
}

/// Number of open descriptors of this process; 0 when `/proc` cannot be read.
pub(crate) fn file_descriptors_in_use() -> u64 {
    // The listing itself holds one open.
    fs::read_dir("/proc/self/fd").map_or(0, |listing| (listing.count() as u64).saturating_sub(1))
}

/// Available memory in bytes: of the machine or of our control groups, whichever is less.
pub(crate) fn memory_available(root: &Path) -> Option<u64> {
    let machine = read("/proc/meminfo").and_then(|text| parse_available(&text));
    let groups = Groups::find(root, "memory").and_then(|groups| groups.memory_left_bytes());
    machine.into_iter().chain(groups).min()
}

/// First and last ephemeral port.
pub(crate) fn local_ports() -> Option<(u16, u16)> {
    read("/proc/sys/net/ipv4/ip_local_port_range").and_then(|text| parse_port_range(&text))
}

/// Two numbers separated by white space, in ascending order.
fn parse_port_range(text: &str) -> Option<(u16, u16)> {
    let mut ports = text.split_whitespace().map(str::parse);
    let (first, last) = (ports.next()?.ok()?, ports.next()?.ok()?);
    (first <= last).then_some((first, last))
}

/// `MemAvailable:    8123456 kB`, converted to bytes.
fn parse_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_kernel_are_read_in_its_spelling() {
        assert_eq!(parse_port_range("32768\t60999\n"), Some((32_768, 60_999)));
        for broken in ["", "1", "60999 32768", "1 65536", "a b"] {
            assert_eq!(parse_port_range(broken), None, "{broken:?}");
        }
        let meminfo = "MemTotal:       16384 kB\nMemFree:         1 kB\nMemAvailable:       8 kB\n";
        assert_eq!(parse_available(meminfo), Some(8_192));
        assert_eq!(parse_available("MemTotal: 5 kB"), None);
    }

    #[test]
    fn an_open_file_is_one_descriptor_more() {
        // Other tests of this process open and close files meanwhile: open enough to stand out.
        let before = file_descriptors_in_use();
        let files: Vec<_> = (0..64).map(|_| fs::File::open("/dev/null").expect("it exists")).collect();
        let during = file_descriptors_in_use();
        drop(files);
        assert!((before + 32..before + 96).contains(&during), "{before}, then {during}");
    }

    #[test]
    fn the_soft_limit_moves_below_the_hard_one_and_not_over_it() {
        let (soft, hard) = file_descriptors();
        // Never lower than it was: other tests of this process rely on it.
        let wanted = soft.saturating_add(1).min(hard);
        raise_file_descriptors(wanted).expect("up to the hard limit");
        assert_eq!(file_descriptors(), (wanted, hard));
        if hard < u64::MAX - 1 {
            assert!(raise_file_descriptors(hard + 1).is_err());
        }
    }
}
