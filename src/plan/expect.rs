//! Expectations of responses: reads them from a plan and checks responses.
//!
//! Judging is a function of the response alone. [`Expect::wants_head`] and [`Expect::most_body_bytes`] decide
//! what to capture of a response for it: a scenario that expects only a status captures nothing.

use std::ops::RangeInclusive;

use serde_json::Value as Json;

use super::fault::quoted;
use super::limits::MAX_EXPECTATIONS;
use super::path::Path;
use super::reader::PlanReader;
use super::secrets;
use super::token::is_token;
use super::yaml::{Kind, Node, Scalar, Value};
use crate::http::{DecodeError, ResponseView, each_field};
use crate::tally::BrokenRule;
use crate::units::{parse_bytes, print_bytes};

/// Default of `max_body`, in bytes.
pub(crate) const DEFAULT_MAX_BODY_BYTES: u64 = 1 << 20;
/// The largest `max_body`, in bytes: each connection has its own buffer.
const MAX_MAX_BODY_BYTES: u64 = 64 << 20;
/// How much of a response is shown to people, in bytes.
pub(crate) const EXCERPT_BYTES: usize = 200;
/// The expected statuses by default.
const DEFAULT_STATUSES: RangeInclusive<u16> = 100..=399;

/// What a scenario expects of every response; all of it must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// One of these contains the status.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// Some field with this name satisfies the rule.
    pub headers: Vec<(String, HeaderRule)>,
    /// The body contains each of these.
    pub body_contains: Vec<TextPattern>,
    /// The body is JSON, and the value at each pointer (RFC 6901) is as expected.
    pub json: Vec<JsonRule>,
    /// Allowed body lengths in bytes.
    pub body_bytes: Option<RangeInclusive<u64>>,
    /// Body bytes kept for `body_contains` and `json`; a larger body fails unchecked.
    pub max_body_bytes: u64,
}

/// A text from the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPattern {
    /// The text to compare with.
    pub text: String,
    /// As typed, so without values from the environment.
    pub shown: String,
}

/// How a header field's value must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderRule {
    /// Exactly this text.
    Equals(TextPattern),
    /// This text somewhere in the value.
    Contains(TextPattern),
}

/// The expected value at a pointer into a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonRule {
    /// A JSON pointer (RFC 6901).
    pub(crate) pointer: String,
    /// The expected value: text, number, true, false or null.
    pub(crate) value: Json,
    /// The value as typed.
    pub(crate) shown: String,
}

/// A status below 400 and nothing else.
impl Default for Expect {
    fn default() -> Self {
        Self {
            statuses: vec![DEFAULT_STATUSES],
            headers: Vec::new(),
            body_contains: Vec::new(),
            json: Vec::new(),
            body_bytes: None,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
        }
    }
}

impl Expect {
    /// Whether response heads must be captured.
    pub(crate) fn wants_head(&self) -> bool {
        // A body may be encoded, as its head says.
        !self.headers.is_empty() || self.wants_content()
    }

    /// How many bytes of each body must be captured.
    pub(crate) fn most_body_bytes(&self) -> usize {
        match self.body_bytes {
            _ if self.wants_content() => self.max_body_bytes as usize,
            Some(_) => EXCERPT_BYTES,
            None => 0,
        }
    }

    fn wants_content(&self) -> bool {
        !self.body_contains.is_empty() || !self.json.is_empty()
    }

    /// Whether a complete response is as expected.
    ///
    /// # Errors
    /// The first expectation it broke.
    pub(crate) fn judge(&self, response: &ResponseView<'_>) -> Result<(), BrokenRule> {
        let status = response.status.0;
        if !self.statuses.iter().any(|range| range.contains(&status)) {
            return Err(BrokenRule::Status(status));
        }
        self.judge_headers(response.head)?;
        if self.body_bytes.as_ref().is_some_and(|range| !range.contains(&response.body_bytes)) {
            return Err(BrokenRule::BodyBytes);
        }
        if self.wants_content() && response.body_bytes > response.body.len() as u64 {
            return Err(BrokenRule::BodyTooLarge);
        }
        if !self.wants_content() {
            return Ok(());
        }
        match response.decoded(self.max_body_bytes) {
            Ok(None) => self.judge_body(response.body),
            Ok(Some(content)) => self.judge_body(&content),
            Err(DecodeError::TooLarge) => Err(BrokenRule::BodyTooLarge),
            Err(_) => Err(BrokenRule::ContentEncoding),
        }
    }

    fn judge_headers(&self, head: &[u8]) -> Result<(), BrokenRule> {
        for (i, (name, rule)) in self.headers.iter().enumerate() {
            let mut holds = false;
            each_field(head, |n, value| holds |= n.eq_ignore_ascii_case(name) && rule.holds(value));
            if !holds {
                return Err(BrokenRule::Header(i as u16));
            }
        }
        Ok(())
    }

    fn judge_body(&self, body: &[u8]) -> Result<(), BrokenRule> {
        let missing = |t: &TextPattern| memchr::memmem::find(body, t.text.as_bytes()).is_none();
        if let Some(i) = self.body_contains.iter().position(missing) {
            return Err(BrokenRule::BodyContains(i as u16));
        }
        if self.json.is_empty() {
            return Ok(());
        }
        let json: Json = serde_json::from_slice(body).map_err(|_| BrokenRule::NotJson)?;
        let differs = |rule: &JsonRule| !json.pointer(&rule.pointer).is_some_and(|v| same(v, &rule.value));
        match self.json.iter().position(differs) {
            Some(i) => Err(BrokenRule::Json(i as u16)),
            None => Ok(()),
        }
    }

    /// What was expected and what arrived, in a sentence. Slow: only for display.
    pub(crate) fn explain(&self, broken: BrokenRule, response: &ResponseView<'_>) -> String {
        match broken {
            BrokenRule::Status(status) => format!("status {status}"),
            BrokenRule::Header(i) => {
                self.headers.get(usize::from(i)).map_or(String::new(), |(name, rule)| {
                    let mut found = None;
                    each_field(response.head, |n, value| {
                        if n.eq_ignore_ascii_case(name) {
                            found.get_or_insert_with(|| secrets::named(name, excerpt(value)));
                        }
                    });
                    let found = found.map_or("is missing".to_owned(), |value| format!("is `{value}`"));
                    format!("header {name} {found}, expected {rule}")
                })
            }
            BrokenRule::BodyBytes => {
                let bytes = response.body_bytes;
                let range = self.body_bytes.clone().unwrap_or(0..=u64::MAX);
                let most = if *range.end() == u64::MAX { "any".into() } else { range.end().to_string() };
                format!("body of {bytes} bytes, expected {} to {most}", range.start())
            }
            BrokenRule::BodyContains(i) => {
                let text = self.body_contains.get(usize::from(i)).map_or("", |t| &t.shown);
                format!("body does not contain {text}")
            }
            BrokenRule::NotJson => "body is not JSON".to_owned(),
            BrokenRule::Json(i) => self.json.get(usize::from(i)).map_or(String::new(), |rule| {
                let content = response.decoded(self.max_body_bytes).ok().flatten();
                let json: Option<Json> =
                    serde_json::from_slice(content.as_deref().unwrap_or(response.body)).ok();
                let found = json.as_ref().and_then(|json| json.pointer(&rule.pointer));
                let found = found.map_or("is missing".to_owned(), |v| {
                    format!("is {}", excerpt(masked(&rule.pointer, v).as_bytes()))
                });
                format!("json {} {found}, expected {}", quoted(&rule.pointer), rule.shown)
            }),
            BrokenRule::ContentEncoding => match response.decoded(self.max_body_bytes) {
                Err(error) => format!("body {error}"),
                Ok(_) => "body cannot be decoded".to_owned(),
            },
            BrokenRule::BodyTooLarge if response.body_bytes <= self.max_body_bytes => {
                let most = print_bytes(self.max_body_bytes);
                format!("body is larger when decoded than max_body, {most}")
            }
            BrokenRule::BodyTooLarge => format!(
                "body of {} is larger than max_body, {}",
                print_bytes(response.body_bytes),
                print_bytes(self.max_body_bytes)
            ),
        }
    }
}

impl HeaderRule {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Equals(t) => value == t.text.as_bytes(),
            Self::Contains(t) => memchr::memmem::find(value, t.text.as_bytes()).is_some(),
        }
    }
}

impl std::fmt::Display for HeaderRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equals(t) => f.write_str(&t.shown),
            Self::Contains(t) => write!(f, "something with {}", t.shown),
        }
    }
}

/// The value at `pointer`, without what is secret by its name or by those within it.
fn masked(pointer: &str, value: &Json) -> String {
    let names_a_credential = pointer.split('/').any(secrets::names_a_credential);
    if names_a_credential { secrets::MASK.to_owned() } else { secrets::text(&value.to_string()) }
}

/// JSON knows one kind of number: `1` and `1.0` are the same.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(x), Json::Number(y)) if x != y => {
            (x.is_f64() || y.is_f64()) && x.as_f64() == y.as_f64()
        }
        _ => a == b,
    }
}

/// The start of `bytes` for display: bounded, control characters escaped.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let kept = &bytes[..bytes.len().min(EXCERPT_BYTES)];
    let mut text = String::new();
    for c in String::from_utf8_lossy(kept).chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    if bytes.len() > EXCERPT_BYTES { text + "…" } else { text }
}

/// Reads the expectations in the mapping at `at`; `None`: there is none, or it is empty and a fault was
/// recorded.
pub(super) fn read(reader: &mut PlanReader<'_>, at: &Path) -> Option<Box<Expect>> {
    let root = reader.root;
    let Some(Node { value: Value::Map(entries), .. }) = root.find(at) else { return None };
    if entries.is_empty() {
        reader.fault(at, "expects nothing: write `status: 200` or the like under it, or remove the key");
        return None;
    }
    let statuses = statuses(reader, &at.key("status"));
    let max_body = at.key("max_body");
    let max_body_bytes = match text_at(root, &max_body) {
        Some(text) => size(reader, &max_body, &text).unwrap_or(DEFAULT_MAX_BODY_BYTES),
        None => DEFAULT_MAX_BODY_BYTES,
    };
    if !(1..=MAX_MAX_BODY_BYTES).contains(&max_body_bytes) {
        let most = print_bytes(MAX_MAX_BODY_BYTES);
        reader.fault(&max_body, format!("is not possible: write 1B to {most}"));
    }
    Some(Box::new(Expect {
        statuses,
        headers: headers(reader, &at.key("header")),
        body_contains: body_contains(reader, &at.key("body_contains")),
        json: json(reader, &at.key("json")),
        body_bytes: body_bytes(reader, &at.key("body_bytes")),
        max_body_bytes,
    }))
}

fn text_at(root: &Node, at: &Path) -> Option<String> {
    match &root.find(at)?.value {
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    }
}

/// The scalar at `at` and its path, or the scalars of the list there and theirs.
fn one_or_several<'a>(root: &'a Node, at: &Path) -> Vec<(Path, &'a Scalar)> {
    let scalar = |path: Path, node: &'a Node| match &node.value {
        Value::Scalar(scalar) => Some((path, scalar)),
        _ => None,
    };
    match root.find(at) {
        Some(Node { value: Value::Seq(items), .. }) => {
            items.iter().enumerate().filter_map(|(i, node)| scalar(at.index(i), node)).collect()
        }
        Some(node) => scalar(at.clone(), node).into_iter().collect(),
        None => Vec::new(),
    }
}

fn shown(scalar: &Scalar) -> TextPattern {
    TextPattern { text: scalar.text.clone(), shown: scalar.to_string() }
}

/// The same of what is called `name`: a credential typed into the plan is not shown.
fn shown_as(name: &str, scalar: &Scalar) -> TextPattern {
    let pattern = shown(scalar);
    let is_secret = secrets::names_a_credential(name) && scalar.with_variables.is_none();
    TextPattern { shown: if is_secret { secrets::MASK.to_owned() } else { pattern.shown }, ..pattern }
}

fn statuses(reader: &mut PlanReader<'_>, at: &Path) -> Vec<RangeInclusive<u16>> {
    let root = reader.root;
    let typed = one_or_several(root, at);
    if typed.is_empty() {
        return vec![DEFAULT_STATUSES];
    }
    let each = typed.into_iter().filter_map(|(path, scalar)| {
        let class = scalar.text.strip_suffix("xx").and_then(|digit| digit.parse::<u16>().ok());
        let range = match (class, scalar.text.parse::<u16>()) {
            (Some(class @ 1..=9), _) => Ok(class * 100..=class * 100 + 99),
            (None, Ok(code @ 100..=999)) => Ok(code..=code),
            _ => Err(format!("{scalar} is not a status: write one like 200, or a class like 2xx")),
        };
        reader.read(&path, "a status like 200, or a class like 2xx", range)
    });
    each.collect()
}

fn headers(reader: &mut PlanReader<'_>, at: &Path) -> Vec<(String, HeaderRule)> {
    let Some(Node { value: Value::Map(entries), .. }) = reader.root.find(at) else { return Vec::new() };
    let mut rules = Vec::new();
    for (key, node) in entries.iter().take(MAX_EXPECTATIONS) {
        let Some(name) = &key.text else { continue };
        let here = at.key(name);
        if !is_token(name) {
            let what = format!("{} is not a header name: use letters, digits and `-`", quoted(name));
            reader.faults.add(key.at, &here, what);
        }
        let contains = here.key("contains");
        match (&node.value, reader.root.find(&contains).map(|node| &node.value)) {
            (Value::Scalar(scalar), _) => {
                rules.push((name.clone(), HeaderRule::Equals(shown_as(name, scalar))))
            }
            (_, Some(Value::Scalar(scalar))) => {
                rules.push((name.clone(), HeaderRule::Contains(shown_as(name, scalar))));
            }
            _ => {}
        }
    }
    rules
}

fn body_contains(reader: &mut PlanReader<'_>, at: &Path) -> Vec<TextPattern> {
    let root = reader.root;
    let mut texts = Vec::new();
    for (path, scalar) in one_or_several(root, at) {
        if scalar.text.is_empty() {
            reader.fault(&path, "is empty, every body contains that: write a text, or remove the key");
        }
        texts.push(shown(scalar));
    }
    texts
}

fn json(reader: &mut PlanReader<'_>, at: &Path) -> Vec<JsonRule> {
    let Some(Node { value: Value::Map(entries), .. }) = reader.root.find(at) else { return Vec::new() };
    let mut rules = Vec::new();
    for (key, node) in entries.iter().take(MAX_EXPECTATIONS) {
        let Some(pointer) = &key.text else { continue };
        if let Err(message) = check_pointer(pointer) {
            reader.faults.add(key.at, &at.key(pointer), message);
            continue;
        }
        let (value, shown) = match &node.value {
            Value::Null => (Some(Json::Null), "null".to_owned()),
            Value::Scalar(scalar) => (scalar_as_json(scalar), shown_as(pointer, scalar).shown),
            _ => continue,
        };
        match value {
            Some(value) => rules.push(JsonRule { pointer: pointer.clone(), value, shown }),
            None => reader.fault(&at.key(pointer), "is no number that JSON has: write another"),
        }
    }
    rules
}

/// Checks the syntax of a JSON pointer (RFC 6901, section 3).
fn check_pointer(pointer: &str) -> Result<(), String> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let written = quoted(&format!("/{}", pointer.replace('.', "/")));
        return Err(format!("is not a JSON pointer, those begin with `/`: write {written}"));
    }
    let mut after_tilde = pointer.split('~').skip(1);
    match after_tilde.all(|rest| rest.starts_with(['0', '1'])) {
        true => Ok(()),
        false => Err("`~` in a JSON pointer is written `~0`, and `/` in a key `~1`".to_owned()),
    }
}

fn scalar_as_json(scalar: &Scalar) -> Option<Json> {
    match scalar.kind {
        Kind::Text => Some(Json::from(scalar.text.as_str())),
        Kind::Bool(value) => Some(Json::from(value)),
        Kind::Integer(value) => match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => Some(Json::from(value)),
            (_, Ok(value)) => Some(Json::from(value)),
            _ => serde_json::Number::from_f64(value as f64).map(Json::Number),
        },
        Kind::Float(value) => serde_json::Number::from_f64(value).map(Json::Number),
        // A JSON scalar if its text is one, otherwise text.
        Kind::Variable => {
            let read = serde_json::from_str(&scalar.text).ok();
            let scalar_only = read.filter(|v: &Json| !v.is_array() && !v.is_object());
            Some(scalar_only.unwrap_or_else(|| Json::from(scalar.text.as_str())))
        }
    }
}

fn body_bytes(reader: &mut PlanReader<'_>, at: &Path) -> Option<RangeInclusive<u64>> {
    let root = reader.root;
    if let Some(text) = text_at(root, at) {
        return size(reader, at, &text).map(|n| n..=n);
    }
    root.find(at)?;
    let (min, max) = (at.key("min"), at.key("max"));
    let least = text_at(root, &min).and_then(|text| size(reader, &min, &text)).unwrap_or(0);
    let most = text_at(root, &max).and_then(|text| size(reader, &max, &text)).unwrap_or(u64::MAX);
    if least > most {
        reader.fault(at, "`min` is larger than `max`: swap them");
    }
    Some(least..=most)
}

/// A size with its unit, or plain bytes.
fn size(reader: &mut PlanReader<'_>, at: &Path, text: &str) -> Option<u64> {
    let plain = text.parse::<u64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let size = plain.map_or_else(|| parse_bytes(text), Ok);
    reader.read(at, "a size like `64KiB`", size)
}
