//! The published schema of report.json holds for reports, and only for them.

use std::collections::BTreeSet;

use loadtester::report::{InstrumentFigures, json};
use loadtester::run::Snapshot;
use proptest::prelude::*;
use serde_json::{Value, json as value};

use super::json_schema::{WORDS, violation};
use super::report::{any_snapshot, clean_closed_run, nothing_measured, troubled_open_run, trusted};

fn schema() -> Value {
    serde_json::from_str(&json::schema()).unwrap()
}

fn report() -> Value {
    let (snapshot, instrument) = troubled_open_run();
    serde_json::from_str(&json::report(&snapshot, &instrument)).unwrap()
}

#[test]
fn reports_keep_to_the_schema() {
    let schema = schema();
    assert_eq!(violation(&schema, &report()), None);
    for snapshot in [clean_closed_run(), nothing_measured()] {
        let report = serde_json::from_str(&json::report(&snapshot, &trusted())).unwrap();
        assert_eq!(violation(&schema, &report), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_report_of_any_snapshot_keeps_to_the_schema(snapshot in any_snapshot()) {
        let report = serde_json::from_str(&json::report(&snapshot, &snapshot.instrument())).unwrap();
        prop_assert_eq!(violation(&schema(), &report), None);
    }
}

#[test]
fn a_run_that_measured_nothing_is_neither_trustworthy_nor_not() {
    let trustworthy = |snapshot: &Snapshot, instrument: &InstrumentFigures| {
        let report: Value = serde_json::from_str(&json::report(snapshot, instrument)).unwrap();
        report["instrument"]["trustworthy"].clone()
    };
    assert_eq!(trustworthy(&nothing_measured(), &trusted()), Value::Null);
    assert_eq!(trustworthy(&clean_closed_run(), &trusted()), true);
    let doubted = InstrumentFigures { trustworthy: false, ..trusted() };
    assert_eq!(trustworthy(&nothing_measured(), &doubted), false, "there is a reason, whatever was measured");
}

#[test]
fn what_is_no_report_breaks_it() {
    let schema = schema();
    let faults = [
        ("/schema", value!(2)),
        ("/verdict", value!("fine")),
        ("/plan/model", value!("ajar")),
        ("/totals/due", value!(-1)),
        ("/totals/due", value!("12")),
        ("/response_time/p99", value!("3 ms")),
        ("/response_time/intervals/p50", value!([1])),
        ("/scenarios/0", value!({})),
        ("/instrument/threads/0/busy", Value::Null),
        ("/timeline/0/t", Value::Null),
        ("/thresholds", value!([{"expression": "p99 < 1s", "result": "maybe"}])),
    ];
    for (place, wrong) in faults {
        let mut report = report();
        *report.pointer_mut(place).expect(place) = wrong;
        assert!(violation(&schema, &report).is_some(), "{place}");
    }
    for (key, _) in report().as_object().unwrap() {
        let mut report = report();
        report.as_object_mut().unwrap().remove(key);
        assert!(violation(&schema, &report).is_some(), "{key} may be missing");
    }
    let mut more = report();
    more.as_object_mut().unwrap().insert("of_the_future".to_owned(), value!(1));
    assert_eq!(violation(&schema, &more), None, "keys may be added");
}

/// Calls `look` with every object of the schema that is one itself, not a map of them.
fn each_schema(schema: &Value, look: &mut impl FnMut(&Value)) {
    look(schema);
    for map in ["properties", "patternProperties", "$defs"] {
        schema[map].as_object().into_iter().flat_map(|m| m.values()).for_each(|s| each_schema(s, look));
    }
    for list in ["anyOf", "oneOf"] {
        schema[list].as_array().into_iter().flatten().for_each(|s| each_schema(s, look));
    }
    for one in ["items", "additionalProperties"] {
        if schema[one].is_object() {
            each_schema(&schema[one], look);
        }
    }
}

#[test]
fn every_key_is_described_and_every_word_of_the_schema_is_judged() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let mut words = BTreeSet::new();
    each_schema(&schema, &mut |part| {
        words.extend(part.as_object().unwrap().keys().cloned());
        for (key, property) in part["properties"].as_object().into_iter().flatten() {
            let is_described = property["description"].is_string() || property["$ref"].is_string();
            assert!(is_described, "{key} is not described");
        }
    });
    let known: BTreeSet<String> = WORDS.split_whitespace().map(str::to_owned).collect();
    assert!(words.is_subset(&known), "{:?} are not judged", words.difference(&known));
}
