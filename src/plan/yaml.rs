//! Parses YAML text into a tree of values with positions. The only file that uses the YAML library.
//!
//! Anchors, aliases and merge keys are resolved here, within budgets; duplicate keys are kept for the shape
//! check to report. The meaning of values is checked elsewhere.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_yaml::{Error, Location, Spanned};

use super::fault::{Position, did_you_mean, quoted};
use super::limits::MAX_PLAN_BYTES;
use super::path::{Path, Step};
use crate::units::print_bytes;

/// The deepest nesting in a plan: its own form needs 5 levels.
const MAX_DEPTH: usize = 24;
/// The most values in a plan, aliases expanded: 5,000 scenarios with 60 values each, or 1,000 with 100
/// headers.
const MAX_NODES: usize = 300_000;
/// The most text in a plan, aliases expanded: two plans of the largest size.
const MAX_EXPANDED_BYTES: usize = 2 * MAX_PLAN_BYTES;
/// The most aliases in a plan. Each repeats at most the text of one plan.
const MAX_ALIASES: usize = 1_000;

/// The most anchors that a message names.
const MAX_NAMED: usize = 10;

/// A value and its position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Where it is written; for an alias, where its anchor is.
    pub(crate) at: Option<Position>,
    pub(crate) value: Value,
}

/// The kinds of value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A value that could not be determined; its fault is recorded.
    Unknown,
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping in the order typed; keys may repeat.
    Map(Vec<(Key, Node)>),
}

/// A key and its position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    /// Where it is written.
    pub(crate) at: Option<Position>,
    /// Its text; `None` for a list or a mapping.
    pub(crate) text: Option<String>,
}

/// A single value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    /// The text between quotes, or a plain value as spelled.
    pub(crate) text: String,
    /// The typed text if variables were substituted; `None`: `text` is as typed.
    pub(crate) with_variables: Option<String>,
    pub(crate) kind: Kind,
}

/// The types a scalar may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A plain `true` or `false`.
    Bool(bool),
    /// A plain whole number.
    Integer(i128),
    /// Another plain number.
    Float(f64),
    /// From the environment: any type that its text can be parsed as.
    Variable,
}

impl Node {
    /// A text without a position.
    pub(crate) fn text(text: &str) -> Self {
        let scalar = Scalar { text: text.to_owned(), with_variables: None, kind: Kind::Text };
        Self { at: None, value: Value::Scalar(scalar) }
    }

    /// `true` without a position.
    pub(crate) fn yes() -> Self {
        let scalar = Scalar { text: "true".to_owned(), with_variables: None, kind: Kind::Bool(true) };
        Self { at: None, value: Value::Scalar(scalar) }
    }

    /// A whole number without a position.
    pub(crate) fn number(number: u64) -> Self {
        let kind = Kind::Integer(number.into());
        let scalar = Scalar { text: number.to_string(), with_variables: None, kind };
        Self { at: None, value: Value::Scalar(scalar) }
    }

    /// A mapping without a position.
    pub(crate) fn map(entries: Vec<(&str, Node)>) -> Self {
        let key = |text: &str| Key { at: None, text: Some(text.to_owned()) };
        let entries = entries.into_iter().map(|(text, node)| (key(text), node)).collect();
        Self { at: None, value: Value::Map(entries) }
    }

    /// Removes the top-level keys that begin with `x-`: a place for anchors.
    pub(crate) fn forget_extensions(&mut self) {
        if let Value::Map(entries) = &mut self.value {
            entries.retain(|(key, _)| !key.text.as_deref().is_some_and(|text| text.starts_with("x-")));
        }
    }

    /// The value at the end of `path`; of duplicate keys, the first.
    pub(crate) fn find(&self, path: &Path) -> Option<&Node> {
        path.steps().iter().try_fold(self, |node, step| match (&node.value, step) {
            (Value::Map(entries), Step::Key(key)) => {
                entries.iter().find(|(k, _)| k.text.as_ref() == Some(key)).map(|(_, node)| node)
            }
            (Value::Seq(items), Step::Index(index)) => items.get(*index),
            _ => None,
        })
    }
}

/// Parses `text` into a tree.
///
/// # Errors
/// The first YAML error or exceeded limit, and where.
pub(super) fn read(text: &str) -> Result<Node, (Option<Position>, String)> {
    let options = serde_yaml::options! {
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_total_scalar_bytes: MAX_EXPANDED_BYTES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: MAX_NODES },
    };
    serde_yaml::from_str_with_options::<Raw>(text, options)
        .map(|raw| raw.into_node(text))
        .map_err(|error| (error.location().and_then(position), explain(&error, text)))
}

fn position(location: Location) -> Option<Position> {
    let line = u32::try_from(location.line()).ok().filter(|line| *line > 0)?;
    Some(Position { line, column: u32::try_from(location.column()).ok()? })
}

/// Whether a value of this document is a variable without quotes within `{ }` or `[ ]`, where YAML reads its
/// braces as its own.
fn has_bare_variable(source: &str) -> bool {
    source.lines().any(|line| {
        let bare = line.match_indices("${").any(|(at, _)| {
            let before = line[..at].trim_end();
            before.ends_with([':', ',', '[', '{']) && before.contains(['{', '['])
        });
        bare && !line.trim_start().starts_with('#')
    })
}

fn explain(error: &Error, source: &str) -> String {
    match error.without_snippet() {
        Error::MultipleDocuments { .. } => {
            "a second document begins here: a plan is one document, remove what follows `---`".to_owned()
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            let alias = named_at(source, error, '*').unwrap_or("this alias");
            format!("{} stands inside its own anchor: write the value out", quoted(alias))
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => too_large(),
        other => {
            let text = other.to_string();
            // The position is printed before the message, as for every other fault.
            let text = text.split_once(" at line ").map_or(text.as_str(), |(message, _)| message);
            // Errors in an alias come as text only.
            if text.contains("limit exceeded") || text.starts_with("budget breached") {
                return too_large();
            }
            if text.contains("unknown anchor") {
                return unknown_anchor(source, error);
            }
            let remedy = if text.contains("tab") {
                ": indent with spaces"
            } else if has_bare_variable(source) {
                ": within `{ }` and `[ ]` a variable needs quotes, like `{ rate: \"${RATE}\" }`"
            } else {
                ""
            };
            let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
            let form = if source.trim_start().starts_with('{') { "JSON" } else { "YAML" };
            format!("not {form}: {text}{remedy}")
        }
    }
}

/// The message for an alias without an anchor.
fn unknown_anchor(source: &str, error: &Error) -> String {
    let Some(alias) = named_at(source, error, '*') else {
        return "an alias has no anchor: put text that begins with `*` in quotes".to_owned();
    };
    let begins =
        |at: usize| source[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || "[{,".contains(c));
    let anchors = source.match_indices('&').filter(|(at, _)| begins(*at));
    let anchors: Vec<&str> = anchors.filter_map(|(at, _)| name_behind(source, at)).take(MAX_NAMED).collect();
    let remedy = match did_you_mean(&alias[1..], anchors.iter().map(|name| &name[1..])).as_str() {
        "" if !anchors.is_empty() => {
            let known: Vec<String> = anchors.iter().map(|name| quoted(name)).collect();
            format!("; anchors: {}", known.join(", "))
        }
        "" => format!(
            ": write {} before the value it stands for, or put the text in quotes",
            quoted(&format!("&{}", &alias[1..]))
        ),
        guess => guess.to_owned(),
    };
    format!("the alias {} has no anchor{remedy}", quoted(alias))
}

/// The alias or anchor, with its `sign`, where `error` was found.
fn named_at<'a>(source: &'a str, error: &Error, sign: char) -> Option<&'a str> {
    let Position { line, column } = error.location().and_then(position)?;
    let line = source.lines().nth(line as usize - 1)?;
    let (at, _) = line.char_indices().nth((column as usize).saturating_sub(1))?;
    // Some places are those of the key before.
    name_behind(line, at + line[at..].find(sign)?)
}

/// The alias or anchor whose sign stands at `at`.
fn name_behind(text: &str, at: usize) -> Option<&str> {
    let ends = |c: char| c.is_whitespace() || ",[]{}".contains(c);
    let name = text[at..].split(ends).next()?;
    (name.len() > 1).then_some(name)
}

/// Whether the value of the key at `at` has an anchor.
pub(super) fn holds_anchor(source: &str, at: Position) -> bool {
    let line = source.lines().nth(at.line as usize - 1).unwrap_or_default();
    let begin = line.char_indices().nth((at.column as usize).saturating_sub(1)).map_or(0, |(at, _)| at);
    let value = line[begin..].split_once(": ").map_or("", |(_, value)| value.trim_start());
    name_behind(value, 0).is_some_and(|name| name.starts_with('&'))
}

fn too_large() -> String {
    format!(
        "the plan is too large or too deeply nested once its aliases are expanded (at most {}, {MAX_DEPTH} levels, \
         {MAX_NODES} values, {MAX_ALIASES} aliases): write less, or split it into several plans",
        print_bytes(MAX_EXPANDED_BYTES as u64)
    )
}

/// A value as the library returns it: numbers have lost their spelling.
struct Raw(Spanned<RawValue>);

enum RawValue {
    Null,
    Text(String),
    Typed(Kind),
    Seq(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl Raw {
    fn into_node(self, source: &str) -> Node {
        let at = position(self.0.defined).or_else(|| position(self.0.referenced));
        let spelling = || {
            let span = self.0.defined.span();
            let begin = usize::try_from(span.byte_offset()?).ok()?;
            let end = begin.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
            source.get(begin..end)
        };
        let value = match self.0.value {
            RawValue::Null => Value::Null,
            RawValue::Text(text) => Value::Scalar(Scalar { text, with_variables: None, kind: Kind::Text }),
            RawValue::Typed(kind) => {
                let text = spelling().map_or_else(|| kind.canonical(), str::to_owned);
                Value::Scalar(Scalar { text, with_variables: None, kind })
            }
            RawValue::Seq(items) => Value::Seq(items.into_iter().map(|raw| raw.into_node(source)).collect()),
            RawValue::Map(entries) => Value::Map(
                entries.into_iter().map(|(k, v)| (k.into_key(source), v.into_node(source))).collect(),
            ),
        };
        Node { at, value }
    }

    fn into_key(self, source: &str) -> Key {
        let Node { at, value } = self.into_node(source);
        let text = match value {
            Value::Scalar(scalar) => Some(scalar.text),
            Value::Null => Some("null".to_owned()),
            Value::Unknown | Value::Seq(_) | Value::Map(_) => None,
        };
        Key { at, text }
    }
}

impl Kind {
    fn canonical(self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text | Self::Variable => String::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = RawValue;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Typed(Kind::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawValue, E> {
        Ok(RawValue::Typed(Kind::Integer(value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawValue, E> {
        Ok(RawValue::Typed(Kind::Integer(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawValue, E> {
        Ok(RawValue::Typed(Kind::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<RawValue, E> {
        Ok(RawValue::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(RawValue::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(RawValue::Map(entries))
    }
}

impl Scalar {
    /// As typed in the plan, for messages: without values from the environment.
    pub(crate) fn typed(&self) -> &str {
        self.with_variables.as_ref().unwrap_or(&self.text)
    }
}

/// The scalar as a message shows it.
impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&quoted(self.typed()))
    }
}
