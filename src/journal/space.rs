//! How much space a volume has left.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd as _;

/// The bytes that this process may still write to the volume of `file`; `None`: the volume does not say.
/// Quotas of a user are not among what it says.
pub(super) fn left(file: &File) -> Option<u64> {
    let mut volume = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the descriptor is open, and the pointer is to a `statvfs` that the call may fill.
    if unsafe { libc::fstatvfs(file.as_raw_fd(), volume.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call has succeeded, so that it has filled all of it.
    let volume = unsafe { volume.assume_init() };
    // Some network volumes report no size at all.
    (volume.f_blocks > 0).then(|| volume.f_bavail.saturating_mul(volume.f_frsize))
}

/// Check that `bytes` more leave `reserved_bytes` on the volume of `file`.
///
/// # Errors
/// They do not.
pub(super) fn check(file: &File, bytes: u64, reserved_bytes: u64) -> io::Result<()> {
    match left(file) {
        Some(left) if left < reserved_bytes.saturating_add(bytes) => {
            let why = format!("its volume has only {} MiB left", left >> 20);
            Err(io::Error::new(io::ErrorKind::StorageFull, why))
        }
        _ => Ok(()),
    }
}
