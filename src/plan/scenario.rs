//! Reads what a plan sends: scenarios, methods, paths, headers.

use std::collections::BTreeMap;

use super::content::{self, Content};
use super::data::OpenData;
use super::expect::{self, Expect};
use super::fault::quoted;
use super::holes::{self, Typed};
use super::limits::{DEFAULT_TIMEOUT_NS, MAX_HEADERS, MAX_TIMEOUT_NS};
use super::model::Scenario;
use super::path::Path;
use super::plan_schema::{Document, ScenarioForm};
use super::reader::PlanReader;
use super::secrets;
use super::targets::{self, Site};
use super::token::is_token;
use super::url;
use super::yaml::{Node, Value};
use crate::schedule::{MAX_PERIOD, Picker};

/// The longest name of a scenario, in bytes: it is a column of reports and a label of metrics.
const MAX_NAME_BYTES: usize = 200;
/// The longest method, in bytes: the longest registered one has 17.
const MAX_METHOD_BYTES: usize = 64;
/// The most header bytes of one request: servers refuse more than 8 to 32 KiB.
const MAX_HEADER_BYTES: usize = 64 << 10;
/// Methods that people write in lower case by habit; in HTTP they are case-sensitive (RFC 9110, section 9.1).
const KNOWN_METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// The scenarios; faults are recorded. Their bodies are taken out of `document`.
pub(super) fn all(
    reader: &mut PlanReader<'_>,
    document: &mut Document,
    sites: &[Site],
    data: &mut OpenData,
) -> Option<Vec<Scenario>> {
    let defaults = Path::of("defaults");
    let method_of_defaults = document.defaults.as_ref().and_then(|d| d.method.as_deref());
    let default_method = match method_of_defaults {
        Some(method) => checked_method(reader, &defaults.key("method"), method),
        None => Some("GET".to_owned()),
    };
    let default_timeout = match document.defaults.as_ref().and_then(|d| d.timeout.as_ref()) {
        Some(text) => reader.duration(&defaults.key("timeout"), &text.0, 1, MAX_TIMEOUT_NS),
        None => Some(DEFAULT_TIMEOUT_NS),
    };
    let default_first_byte = match document.defaults.as_ref().and_then(|d| d.first_byte_timeout.as_ref()) {
        Some(text) => reader.duration(&defaults.key("first_byte_timeout"), &text.0, 1, MAX_TIMEOUT_NS),
        None => None,
    };
    let default_redirects = document.defaults.as_ref().and_then(|d| d.follow_redirects);
    let default_expect = expect::read(reader, &defaults.key("expect"));
    let forms = document.scenarios.as_mut()?;
    let (mut scenarios, mut names) = (Vec::with_capacity(forms.len()), Vec::with_capacity(forms.len()));
    for (i, form) in forms.iter_mut().enumerate() {
        let at = Path::of("scenarios").index(i);
        let method = match &form.method {
            Some(method) => checked_method(reader, &at.key("method"), method),
            None => default_method.clone(),
        };
        let timeout = match &form.timeout {
            Some(text) => reader.duration(&at.key("timeout"), &text.0, 1, MAX_TIMEOUT_NS),
            None => default_timeout,
        };
        let first_byte_timeout_ns = match &form.first_byte_timeout {
            Some(text) => reader.duration(&at.key("first_byte_timeout"), &text.0, 1, MAX_TIMEOUT_NS),
            None => default_first_byte,
        };
        let expect = expect::read(reader, &at.key("expect"));
        let target = match &form.target {
            Some(name) => targets::find(reader, &at.key("target"), sites, name).unwrap_or(0),
            None => 0,
        };
        let site = &sites[target];
        let own = headers(reader, &at.key("headers"));
        let mut fields = merged(&site.headers, own);
        check_size(reader, &at, &fields);
        let path = form.path.as_ref().and_then(|path| {
            reader.read(&at.key("path"), "a path like `/v1/users`", url::join(site.prefix(), path))
        });
        let name = name(reader, &at, form, method.as_deref());
        names.push(name.clone());
        // A missing part has its fault recorded; the others are still worth checking.
        let content = content::read(reader, &at, form.body.take());
        set_content_type(reader, &at, content.as_ref(), &mut fields);
        if let (Some(method), Some(timeout_ns), Some(mut path), Some(name)) = (method, timeout, path, name) {
            let typed = Typed { path: &mut path, headers: &mut fields, content };
            let (body, template) = holes::compile(reader, &at, typed, data);
            let weight = form.weight.unwrap_or(1);
            let expect = expect.or_else(|| default_expect.clone());
            check_bodies(reader, &at, &method, expect.as_deref());
            scenarios.push(Scenario {
                name,
                target,
                weight,
                method,
                path,
                headers: fields,
                body,
                template,
                chunked: form.chunked.unwrap_or(false),
                timeout_ns,
                first_byte_timeout_ns,
                follow_redirects: form.follow_redirects.or(default_redirects).unwrap_or(0),
                expect,
            });
        }
    }
    check_names(reader, forms, &names);
    check_weights(reader, forms);
    Some(scenarios)
}

/// A form and parts have a media type of their own. A form's gives way to one that the scenario sets itself.
fn set_content_type(
    reader: &mut PlanReader<'_>,
    at: &Path,
    content: Option<&Content>,
    fields: &mut Vec<(String, String)>,
) {
    let Some(own) = content.and_then(Content::default_type) else { return };
    let is_content_type = |name: &str| name.eq_ignore_ascii_case("content-type");
    let headers = at.key("headers");
    let typed = match reader.root.find(&headers).map(|node| &node.value) {
        Some(Value::Map(entries)) => {
            entries.iter().find_map(|(key, _)| key.text.clone().filter(|name| is_content_type(name)))
        }
        _ => None,
    };
    match typed {
        Some(name) if matches!(content, Some(Content::Multipart(_))) => {
            reader.fault(&headers.key(&name), "is set from `multipart`, with its boundary: remove it");
        }
        Some(_) => {}
        None => {
            fields.retain(|(name, _)| !is_content_type(name));
            fields.push(("Content-Type".to_owned(), own));
        }
    }
}

/// Rejects expectations of a body for HEAD, whose responses have none (RFC 9110, section 9.3.2).
fn check_bodies(reader: &mut PlanReader<'_>, at: &Path, method: &str, expect: Option<&Expect>) {
    if method == "HEAD" && expect.is_some_and(|expect| expect.most_body_bytes() > 0) {
        let what = "a response to HEAD has no body: expect only a status and headers, or use GET";
        reader.fault(&at.key("expect"), what);
    }
}

/// The name given, or method and path as typed, so that no variable's value gets into reports.
fn name(reader: &mut PlanReader<'_>, at: &Path, form: &ScenarioForm, method: Option<&str>) -> Option<String> {
    let Some(name) = &form.name else {
        if reader.is_given(&at.key("name")) {
            return None;
        }
        let node = reader.root.find(&at.key("path"))?;
        let Value::Scalar(scalar) = &node.value else { return None };
        let path: String =
            scalar.typed().chars().filter(|c| !c.is_control()).take(MAX_NAME_BYTES / 4).collect();
        return Some(format!("{} {}", method?, secrets::path(&path)));
    };
    match check_name(name) {
        Ok(()) => Some(name.clone()),
        Err(wrong) => {
            reader.fault(&at.key("name"), wrong);
            None
        }
    }
}

/// Check the name of a plan or scenario: it is a column of reports.
///
/// # Errors
/// Why it is invalid, and what to do instead.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        Err("is empty: write a name, or remove the key".to_owned())
    } else if name.chars().any(char::is_control) {
        Err("cannot contain control characters or line breaks: write it on one line".to_owned())
    } else if name.len() > MAX_NAME_BYTES {
        Err(format!("is longer than {MAX_NAME_BYTES} bytes: shorten it"))
    } else {
        Ok(())
    }
}

fn check_names(reader: &mut PlanReader<'_>, forms: &[ScenarioForm], names: &[Option<String>]) {
    let mut first_of = BTreeMap::new();
    for (i, name) in names.iter().enumerate() {
        let Some(name) = name else { continue };
        let first = *first_of.entry(name).or_insert(i);
        let at = Path::of("scenarios").index(i);
        if first == i {
            continue;
        }
        if forms[i].name.is_some() {
            reader
                .fault(&at.key("name"), format!("is the name of scenarios[{first}] too: give each its own"));
        } else {
            let what = "has no name, and method and path are those of";
            reader.fault(&at, format!("{what} scenarios[{first}]: give each a `name`"));
        }
    }
}

fn check_weights(reader: &mut PlanReader<'_>, forms: &[ScenarioForm]) {
    let weights: Vec<u32> = forms.iter().map(|form| form.weight.unwrap_or(1)).collect();
    if let Err(period) = Picker::new(&weights, 0) {
        let message = format!(
            "the weights add up to {period} once divided by what they have in common, at most {MAX_PERIOD} \
             are possible: write rounder weights"
        );
        reader.fault(&Path::of("scenarios"), message);
    }
}

fn checked_method(reader: &mut PlanReader<'_>, at: &Path, method: &str) -> Option<String> {
    let upper = method.to_ascii_uppercase();
    let wrong = if !is_token(method) || method.len() > MAX_METHOD_BYTES {
        Err("is not an HTTP method: write one like GET or POST".to_owned())
    } else if upper != method && KNOWN_METHODS.contains(&upper.as_str()) {
        Err(format!("methods are case-sensitive: write {upper}"))
    } else if method == "CONNECT" {
        Err("CONNECT opens a tunnel and has no response to measure: use another method".to_owned())
    } else {
        Ok(method.to_owned())
    };
    reader.read(at, "an HTTP method like GET or POST", wrong)
}

/// The fields of the mapping at `at`, in its order.
pub(super) fn headers(reader: &mut PlanReader<'_>, at: &Path) -> Vec<(String, String)> {
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
fn merged(defaults: &[(String, String)], own: Vec<(String, String)>) -> Vec<(String, String)> {
    let is_own = |name: &str| own.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let mut fields: Vec<_> = defaults.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
    fields.extend(own);
    fields
}

fn check_size(reader: &mut PlanReader<'_>, at: &Path, fields: &[(String, String)]) {
    let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    if bytes > MAX_HEADER_BYTES {
        let message = format!("the headers have {bytes} bytes: at most {MAX_HEADER_BYTES} are possible");
        reader.fault(at, message);
    }
}
