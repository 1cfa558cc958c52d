//! Where an earlier report.json is not as it should be, in the words of JSON.

use serde_json::Value;

/// What a key should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Object,
    List,
    Text,
    Number,
    Count,
    Flag,
}

use Kind::{Count, Flag, List, Number, Object, Text};

/// Every key that is read, and whether it must be there; `[]` stands for each entry of a list. Those of a level come
/// after the level.
const KEYS: &[(&str, Kind, bool)] = &[
    ("plan", Object, true),
    ("plan.digest", Text, true),
    ("plan.form", Count, false),
    ("plan.model", Text, false),
    ("plan.base_url", Text, false),
    ("plan.load", Text, false),
    ("plan.settings", Object, false),
    ("started_at", Text, false),
    ("measured_seconds", Number, true),
    ("verdict", Text, true),
    ("totals", Object, false),
    ("totals.due", Count, true),
    ("rate", Object, true),
    ("rate.target", Number, false),
    ("rate.achieved", Number, false),
    ("scenarios", List, true),
    ("scenarios[]", Object, true),
    ("scenarios[].name", Text, true),
    ("scenarios[].weight", Count, false),
    ("scenarios[].digest", Text, false),
    ("scenarios[].totals", Object, true),
    ("scenarios[].totals.completed", Count, true),
    ("scenarios[].histograms", Object, true),
    ("scenarios[].histograms.response_time", Text, true),
    ("instrument", Object, true),
    ("instrument.trustworthy", Flag, false),
    ("instrument.timestamps", Text, true),
    ("instrument.offered_ratio", Number, false),
    ("timeline", List, true),
    ("timeline[]", Object, true),
    ("timeline[].t", Number, true),
    ("timeline[].completed", Count, true),
    ("timeline[].failed", Count, true),
    ("timeline[].p50", Number, false),
    ("timeline[].p90", Number, false),
    ("timeline[].p95", Number, false),
    ("timeline[].p99", Number, false),
    ("timeline[].mean", Number, false),
    ("histograms", Object, true),
    ("histograms.response_time", Text, true),
];

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Object => "an object",
            List => "a list",
            Text => "a text",
            Number => "a number",
            Count => "a whole number",
            Flag => "true or false",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Object => value.is_object(),
            List => value.is_array(),
            Text => value.is_string(),
            Number => value.is_number(),
            Count => value.is_u64(),
            Flag => value.is_boolean(),
        }
    }
}

/// What is wrong with the first key that is: `` `rate.target` is a text, a report has a number there ``.
pub(super) fn fault(report: &Value) -> Option<String> {
    if !report.is_object() {
        return Some(format!("it is {}, a report is an object", kind_of(report)));
    }
    KEYS.iter().find_map(|(path, kind, needed)| {
        // A level that may be absent has no keys then.
        at(report, String::new(), path, &mut |place, value| match value {
            Some(Value::Null) | None if !needed => None,
            None => Some(format!("it has no `{place}`, a report has {} there", kind.words())),
            Some(value) if !kind.fits(value) => {
                Some(format!("`{place}` is {}, a report has {} there", kind_of(value), kind.words()))
            }
            Some(_) => None,
        })
    })
}

/// Ask `found` about each value at `path` below `value`, which is itself at `place`.
fn at(
    value: &Value,
    place: String,
    path: &str,
    found: &mut impl FnMut(&str, Option<&Value>) -> Option<String>,
) -> Option<String> {
    let (key, rest) = match path.split_once('.') {
        Some((key, rest)) => (key, Some(rest)),
        None => (path, None),
    };
    let (name, is_list) = key.strip_suffix("[]").map_or((key, false), |name| (name, true));
    let place = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    let below = value.get(name);
    if !is_list {
        return match (rest, below) {
            (None, _) => found(&place, below),
            (Some(rest), Some(below)) => at(below, place, rest, found),
            (Some(_), None) => None,
        };
    }
    let entries = below.and_then(Value::as_array)?;
    entries.iter().enumerate().find_map(|(i, entry)| {
        let place = format!("{place}[{i}]");
        match rest {
            None => found(&place, Some(entry)),
            Some(rest) => at(entry, place, rest, found),
        }
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(n) if n.is_u64() => "a whole number",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
