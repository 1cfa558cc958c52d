//! What a scenario sends as its body: a text, a file, a form, or parts.

use sha2::{Digest as _, Sha256};

use super::fault::quoted;
use super::limits::MAX_BODY_FILE_BYTES;
use super::path::Path;
use super::reader::PlanReader;
use super::yaml::{Node, Value};
use crate::data;
use crate::units::print_bytes;

/// The media type of a form.
const FORM_TYPE: &str = "application/x-www-form-urlencoded";
/// The keys that give a body.
const KEYS: [&str; 4] = ["body", "body_file", "form", "multipart"];

/// A body before its holes are compiled.
#[derive(Debug)]
pub(super) enum Content {
    /// A text, which may have holes.
    Text(String),
    /// A file.
    File(Vec<u8>),
    /// Names and values of a form, which may have holes.
    Form(Vec<(String, String)>),
    Multipart(Multipart),
}

/// The parts of `multipart/form-data` (RFC 7578).
#[derive(Debug)]
pub(super) struct Multipart {
    pub(super) parts: Vec<BodyPart>,
}

/// One part.
#[derive(Debug)]
pub(super) struct BodyPart {
    /// Its head, with the line feed after it.
    pub(super) head: String,
    pub(super) value: PartValue,
}

#[derive(Debug)]
pub(super) enum PartValue {
    /// A text, which may have holes.
    Text(String),
    File(Vec<u8>),
}

impl Content {
    /// The `Content-Type` that it has unless the plan gives another; `None`: none.
    pub(super) fn default_type(&self) -> Option<String> {
        match self {
            Self::Text(_) | Self::File(_) => None,
            Self::Form(_) => Some(FORM_TYPE.to_owned()),
            Self::Multipart(multipart) => {
                Some(format!("multipart/form-data; boundary={}", multipart.boundary()))
            }
        }
    }
}

impl Multipart {
    /// A line that is in none of the parts, as far as hashes of different texts differ.
    pub(super) fn boundary(&self) -> String {
        let mut hash = Sha256::new();
        for BodyPart { head, value } in &self.parts {
            let bytes = match value {
                PartValue::Text(text) => text.as_bytes(),
                PartValue::File(bytes) => bytes,
            };
            for text in [head.as_bytes(), bytes] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        let digits: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("loadtester-{digits}")
    }
}

/// The content of the scenario at `at`, whose `body` is `text`; `None`: there is none. Faults are recorded.
pub(super) fn read(reader: &mut PlanReader<'_>, at: &Path, text: Option<String>) -> Option<Content> {
    let given: Vec<&str> = KEYS.into_iter().filter(|key| reader.is_given(&at.key(key))).collect();
    if let [first, second, ..] = given[..] {
        let what = format!("a request has one body, and {} gives one: keep one of the two", quoted(first));
        reader.fault(&at.key(second), what);
    }
    match given.first().copied()? {
        "body_file" => {
            let place = at.key("body_file");
            file(reader, &place).map(Content::File)
        }
        "form" => Some(Content::Form(form(reader, &at.key("form")))),
        "multipart" => Some(Content::Multipart(multipart(reader, &at.key("multipart")))),
        _ => text.map(Content::Text),
    }
}

/// The content of the file that is named at `at`.
fn file(reader: &mut PlanReader<'_>, at: &Path) -> Option<Vec<u8>> {
    let Some(Node { value: Value::Scalar(scalar), .. }) = reader.root.find(at) else { return None };
    let read = (reader.files)(&scalar.text).and_then(|content| match content {
        data::Content::Bytes(bytes) if bytes.len() as u64 <= MAX_BODY_FILE_BYTES => Ok(bytes),
        _ => Err(format!("is larger than {}", print_bytes(MAX_BODY_FILE_BYTES))),
    });
    reader.read(at, "the name of a file", read.map_err(|why| format!("{}: {why}", quoted(&scalar.text))))
}

/// Names and values, in the plan's order; a list of values gives the name once for each.
fn form(reader: &mut PlanReader<'_>, at: &Path) -> Vec<(String, String)> {
    let Some(Node { value: Value::Map(entries), .. }) = reader.root.find(at) else { return Vec::new() };
    let named = entries.iter().filter_map(|(key, node)| Some((key.text.as_ref()?, node)));
    named.flat_map(|(name, node)| texts(node).into_iter().map(|text| (name.clone(), text))).collect()
}

/// A scalar's text, or those of a list.
fn texts(node: &Node) -> Vec<String> {
    let items = match &node.value {
        Value::Seq(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    items
        .iter()
        .filter_map(|item| match &item.value {
            Value::Scalar(scalar) => Some(scalar.text.clone()),
            Value::Null => Some(String::new()),
            _ => None,
        })
        .collect()
}

fn multipart(reader: &mut PlanReader<'_>, at: &Path) -> Multipart {
    let Some(Node { value: Value::Seq(items), .. }) = reader.root.find(at) else {
        return Multipart { parts: Vec::new() };
    };
    let count = items.len();
    Multipart { parts: (0..count).filter_map(|i| part(reader, &at.index(i))).collect() }
}

fn part(reader: &mut PlanReader<'_>, at: &Path) -> Option<BodyPart> {
    let text = |reader: &PlanReader<'_>, key: &str| match &reader.root.find(&at.key(key))?.value {
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    };
    let (name, value) = (text(reader, "name"), text(reader, "value"));
    let (file_name, media) = (text(reader, "filename"), text(reader, "type"));
    let path = text(reader, "file");
    let name = match name {
        Some(name) => name,
        None => {
            reader.fault(at, "has no `name`: add the name of the field");
            return None;
        }
    };
    let value = match (value, &path) {
        (Some(value), None) => PartValue::Text(value),
        (None, Some(_)) => PartValue::File(file(reader, &at.key("file"))?),
        _ => {
            reader.fault(at, "has one content: write `value: text` or `file: NAME`");
            return None;
        }
    };
    if let Some(media) = media.as_ref().filter(|media| media.is_empty() || media.contains(char::is_control)) {
        reader.fault(
            &at.key("type"),
            format!("{} is not a media type: write one like `image/png`", quoted(media)),
        );
    }
    let file_name = file_name.or_else(|| Some(path?.rsplit('/').next()?.to_owned()));
    let mut head = format!("Content-Disposition: form-data; name=\"{}\"", escaped(&name));
    if let Some(file_name) = &file_name {
        head += &format!("; filename=\"{}\"", escaped(file_name));
    }
    head += "\r\n";
    let media =
        media.or_else(|| matches!(value, PartValue::File(_)).then(|| "application/octet-stream".to_owned()));
    if let Some(media) = media {
        head += &format!("Content-Type: {media}\r\n");
    }
    Some(BodyPart { head: head + "\r\n", value })
}

/// A name between quotes, as browsers write it (HTML Standard, section 4.10.21.8).
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
