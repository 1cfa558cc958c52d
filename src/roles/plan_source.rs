//! Reads a plan's text from a file or standard input, up to the size limit. Does not parse it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::data_file::DataFile;
use crate::data::Content;
use crate::plan::{MAX_BODY_FILE_BYTES, MAX_PLAN_BYTES, UrlList, without_userinfo};
use crate::text::one_line;
use crate::units::print_bytes;

/// The text at `path`, `-` for standard input.
///
/// # Errors
/// The error and its remedy, in a sentence.
pub(crate) fn read(path: &str) -> Result<String, String> {
    if path == "-" {
        return read_all(io::stdin().lock(), "standard input");
    }
    // Whole, however long: it is what there is to correct.
    let shown = format!("`{}`", one_line(path));
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            // A colon: what was meant may be a URL, which may have a password.
            let name = if path.contains(':') { without_userinfo(path) } else { path.to_owned() };
            format!("there is no plan `{}`: check its name; a URL begins with http://", one_line(&name))
        }
        io::ErrorKind::PermissionDenied => {
            format!("the plan {shown} may not be read: change its permissions")
        }
        _ => format!("the plan {shown} cannot be opened: {error}"),
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(format!("{shown} is a directory: give a plan in it, like {path}/loadplan.yaml"));
    }
    read_all(file, &shown)
}

/// The file that a plan names for a body or for data, in `folder`. One that is too large for memory stays open.
///
/// # Errors
/// Why the file cannot be read.
pub(crate) fn named_file(folder: &Path, name: &str) -> Result<Content, String> {
    let path = folder.join(name);
    let open = || {
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.len() > MAX_BODY_FILE_BYTES {
            return Ok(Content::Large(Arc::new(DataFile::new(file, path.clone(), &metadata))));
        }
        let mut bytes = Vec::new();
        file.take(MAX_BODY_FILE_BYTES + 1).read_to_end(&mut bytes).map(|_| Content::Bytes(bytes))
    };
    open().map_err(|e: io::Error| format!("{e}: check the name, which is looked for from the plan's folder"))
}

/// The URLs in the file `path`, `-` for standard input.
///
/// # Errors
/// Why it cannot be read, or the first line that is wrong.
pub(crate) fn urls(path: &str) -> Result<UrlList, String> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => io::stdin().lock().take(MAX_BODY_FILE_BYTES + 1).read_to_end(&mut bytes),
        _ => File::open(path).and_then(|file| file.take(MAX_BODY_FILE_BYTES + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|e| format!("--urls {}: {e}: check the name", one_line(path)))?;
    if bytes.len() as u64 > MAX_BODY_FILE_BYTES {
        return Err(format!("--urls {}: larger than {}", one_line(path), print_bytes(MAX_BODY_FILE_BYTES)));
    }
    UrlList::parse(path, bytes)
}

/// The body that `-b` names: the text itself, or the content of the file after `@`.
///
/// # Errors
/// Why the file cannot be read.
pub(crate) fn body(typed: &str) -> Result<Vec<u8>, String> {
    let Some(path) = typed.strip_prefix('@') else { return Ok(typed.as_bytes().to_vec()) };
    let read = File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(MAX_PLAN_BYTES as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let bytes =
        read.map_err(|e| format!("-b @{path}: {e}: check the name, or leave the @ out to send it as text"))?;
    if bytes.len() > MAX_PLAN_BYTES {
        return Err(format!("-b @{path}: larger than {}", print_bytes(MAX_PLAN_BYTES as u64)));
    }
    Ok(bytes)
}

fn read_all(source: impl Read, shown: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    // One byte over the limit distinguishes a full plan from one that is too large.
    let read = source.take(MAX_PLAN_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("reading {shown} failed: {error}"))?;
    if bytes.len() > MAX_PLAN_BYTES {
        let limit = print_bytes(MAX_PLAN_BYTES as u64);
        return Err(format!("{shown} is larger than {limit}: is it a plan? Shorten its bodies"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("{shown} is not UTF-8 from byte {at} on: save it as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the bytes read from an endless source.
    struct Endless(usize);

    impl Read for &mut Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'#');
            self.0 += buffer.len();
            Ok(buffer.len())
        }
    }

    #[test]
    fn never_more_is_read_than_a_plan_may_hold() {
        let mut endless = Endless(0);
        assert!(read_all(&mut endless, "x").unwrap_err().contains("8.00 MiB"));
        assert!(endless.0 <= MAX_PLAN_BYTES + 1, "{} bytes read", endless.0);
        assert_eq!(read_all(vec![b'#'; MAX_PLAN_BYTES].as_slice(), "x").map(|t| t.len()), Ok(MAX_PLAN_BYTES));
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        assert!(read("/nowhere/plan.yaml").unwrap_err().contains("`/nowhere/plan.yaml`"));
        assert!(read("/").unwrap_err().contains("`/`"));
        assert!(read_all(b"a: \xff".as_slice(), "x").unwrap_err().contains(" 3 "));
        assert!(read("/proc/self/mem").unwrap_err().contains("`/proc/self/mem`"));
    }
}
