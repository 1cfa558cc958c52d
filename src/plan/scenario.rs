//! Reads what a plan sends: scenarios, methods, paths, headers.

use std::collections::BTreeMap;

use super::content::{self, Content};
use super::data::OpenData;
use super::expect::{self, Expect};
use super::headers;
use super::holes::{self, Typed};
use super::limits::{DEFAULT_TIMEOUT_NS, MAX_TIMEOUT_NS};
use super::model::Scenario;
use super::path::Path;
use super::plan_schema::{Document, ScenarioForm};
use super::reader::PlanReader;
use super::secrets;
use super::targets::{self, Site};
use super::token::is_token;
use super::url;
use super::value_forms::Duration;
use super::yaml::Value;
use crate::schedule::{MAX_PERIOD, Picker};

/// The longest name of a scenario, in bytes: it is a column of reports and a label of metrics.
const MAX_NAME_BYTES: usize = 200;
/// The longest method, in bytes: the longest registered one has 17.
const MAX_METHOD_BYTES: usize = 64;
/// Methods that people write in lower case by habit; in HTTP they are case-sensitive (RFC 9110, section 9.1).
const KNOWN_METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// What scenarios have that do not set their own.
struct Defaults {
    method: Option<String>,
    timeout_ns: Option<u64>,
    first_byte_timeout_ns: Option<u64>,
    follow_redirects: Option<u8>,
    expect: Option<Box<Expect>>,
}

impl Defaults {
    fn read(reader: &mut PlanReader<'_>, document: &Document) -> Self {
        let (at, empty) = (Path::of("defaults"), super::plan_schema::Defaults::default());
        let form = document.defaults.as_ref().unwrap_or(&empty);
        let mut duration = |key: &str, text: &Option<Duration>| {
            text.as_ref().map(|text| reader.duration(&at.key(key), &text.0, 1, MAX_TIMEOUT_NS))
        };
        let timeout_ns = duration("timeout", &form.timeout).unwrap_or(Some(DEFAULT_TIMEOUT_NS));
        let first_byte_timeout_ns = duration("first_byte_timeout", &form.first_byte_timeout).flatten();
        Self {
            method: match form.method.as_deref() {
                Some(method) => checked_method(reader, &at.key("method"), method),
                None => Some("GET".to_owned()),
            },
            timeout_ns,
            first_byte_timeout_ns,
            follow_redirects: form.follow_redirects,
            expect: expect::read(reader, &at.key("expect")),
        }
    }
}

/// The scenarios; faults are recorded. Their bodies are taken out of `document`.
pub(super) fn all(
    reader: &mut PlanReader<'_>,
    document: &mut Document,
    sites: &[Site],
    data: &mut OpenData,
) -> Option<Vec<Scenario>> {
    let defaults = Defaults::read(reader, document);
    let forms = document.scenarios.as_mut()?;
    let (mut scenarios, mut names) = (Vec::with_capacity(forms.len()), Vec::with_capacity(forms.len()));
    for (i, form) in forms.iter_mut().enumerate() {
        let at = Path::of("scenarios").index(i);
        let method = match &form.method {
            Some(method) => checked_method(reader, &at.key("method"), method),
            None => defaults.method.clone(),
        };
        let timeout = match &form.timeout {
            Some(text) => reader.duration(&at.key("timeout"), &text.0, 1, MAX_TIMEOUT_NS),
            None => defaults.timeout_ns,
        };
        let first_byte_timeout_ns = match &form.first_byte_timeout {
            Some(text) => reader.duration(&at.key("first_byte_timeout"), &text.0, 1, MAX_TIMEOUT_NS),
            None => defaults.first_byte_timeout_ns,
        };
        let expect = expect::read(reader, &at.key("expect"));
        let target = match &form.target {
            Some(name) => targets::find(reader, &at.key("target"), sites, name).unwrap_or(0),
            None => 0,
        };
        let site = &sites[target];
        let own = headers::read(reader, &at.key("headers"));
        let mut fields = headers::merged(&site.headers, own);
        headers::check_size(reader, &at, &fields);
        let path = form.path.as_ref().and_then(|path| {
            reader.read(&at.key("path"), "a path like `/v1/users`", url::join(site.prefix(), path))
        });
        let name = name(reader, &at, form, method.as_deref());
        names.push(name.clone());
        // A missing part has its fault recorded; the others are still worth checking.
        let content = content::read(reader, &at, form.body.take());
        set_content_type(reader, &at, content.as_ref(), &mut fields);
        if let (Some(method), Some(timeout_ns), Some(mut path), Some(name)) = (method, timeout, path, name) {
            let inherited = &site.headers_at;
            let typed = Typed { path: &mut path, headers: &mut fields, inherited, content };
            let (body, template) = holes::compile(reader, &at, typed, data);
            let weight = form.weight.unwrap_or(1);
            let expect = expect.or_else(|| defaults.expect.clone());
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
                follow_redirects: form.follow_redirects.or(defaults.follow_redirects).unwrap_or(0),
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
