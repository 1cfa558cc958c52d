//! Reads header fields.

use super::fault::quoted;
use super::limits::MAX_HEADERS;
use super::path::Path;
use super::reader::PlanReader;
use super::token::is_token;
use super::yaml::{Node, Value};

/// The most header bytes of one request: servers refuse more than 8 to 32 KiB.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// The fields of the mapping at `at`, in its order.
pub(super) fn read(reader: &mut PlanReader<'_>, at: &Path) -> Vec<(String, String)> {
    let Some(Node { value: Value::Map(entries), .. }) = reader.root.find(at) else { return Vec::new() };
    if entries.len() > MAX_HEADERS {
        // The shape check reports this; the pairwise comparison below is only for few.
        return Vec::new();
    }
    let mut fields: Vec<(String, String)> = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        let Some(name) = &key.text else { continue };
        let (at, values) = (at.key(name), values(node));
        let again = fields.iter().any(|(n, _)| n != name && n.eq_ignore_ascii_case(name));
        if again {
            let what =
                "is already given in another spelling: keep one of the two, or give one a list of values";
            reader.faults.add(key.at, &at, what);
        } else if values.len() > 1 && name.eq_ignore_ascii_case("host") {
            reader.faults.add(key.at, &at, "a request has one `Host`: keep one of the values");
        } else {
            for value in values {
                match check_header(name, value) {
                    Ok(()) => fields.push((name.clone(), value.to_owned())),
                    Err(message) => reader.faults.add(key.at, &at, message),
                }
            }
        }
    }
    if fields.len() > MAX_HEADERS {
        let message = format!("has {} fields: at most {MAX_HEADERS} are possible", fields.len());
        reader.fault(at, message);
    }
    fields
}

/// A field's value, or the list of its values.
fn values(node: &Node) -> Vec<&str> {
    let items = match &node.value {
        Value::Seq(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let texts = items.iter().filter_map(|item| match &item.value {
        Value::Scalar(value) => Some(value.text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Check whether the field may be sent.
///
/// # Errors
/// Why not, and what to do instead. The value is not repeated.
pub(crate) fn check_header(name: &str, value: &str) -> Result<(), String> {
    if !is_token(name) {
        return Err(format!("{} is not a header name: use letters, digits and `-`", quoted(name)));
    }
    match name.to_ascii_lowercase().as_str() {
        "content-length" => return Err("is set from the body's length: remove it".to_owned()),
        "transfer-encoding" => {
            return Err(
                "is set by loadtester: remove it, and write `chunked: true` beside the body".to_owned()
            );
        }
        // Says what a connection does anyway.
        "connection" if value.trim().eq_ignore_ascii_case("keep-alive") => {}
        "connection" => {
            return Err("is set by loadtester: remove it, and write `keep_alive: false` under `load` for a connection per request".to_owned());
        }
        _ => {}
    }
    match value.chars().find(|c| c.is_ascii_control() && *c != '\t') {
        Some('\n' | '\r') => {
            Err("the value cannot contain line breaks: write it on one line (in YAML, not with `|`)"
                .to_owned())
        }
        Some(_) => Err("the value cannot contain control characters: remove them".to_owned()),
        None => Ok(()),
    }
}

/// The fields of `defaults` that the scenario does not set itself, then the scenario's own.
pub(super) fn merged(defaults: &[(String, String)], own: Vec<(String, String)>) -> Vec<(String, String)> {
    let is_own = |name: &str| own.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let mut fields: Vec<_> = defaults.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
    fields.extend(own);
    fields
}

pub(super) fn check_size(reader: &mut PlanReader<'_>, at: &Path, fields: &[(String, String)]) {
    let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    if bytes > MAX_HEADER_BYTES {
        let message = format!("the headers have {bytes} bytes: at most {MAX_HEADER_BYTES} are possible");
        reader.fault(at, message);
    }
}
