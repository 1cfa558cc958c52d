//! Describes expectations one by one, and how a response meets each.

use std::ops::RangeInclusive;

use super::expect::{Expect, HeaderRule};
use super::fault::quoted;
use crate::http::ResponseView;
use crate::tally::BrokenRule;
use crate::units::print_bytes;

impl Expect {
    /// A description of each expectation, without values from the environment.
    pub(crate) fn descriptions(&self) -> Vec<String> {
        let mut descriptions = vec![format!("status {}", statuses(&self.statuses))];
        descriptions.extend(self.headers.iter().map(|(name, rule)| match rule {
            HeaderRule::Equals(text) => format!("header {name} is {}", text.shown),
            HeaderRule::Contains(text) => format!("header {name} contains {}", text.shown),
        }));
        descriptions.extend(self.body_bytes.iter().map(|range| format!("body of {}", sizes(range))));
        descriptions.extend(self.body_contains.iter().map(|text| format!("body contains {}", text.shown)));
        descriptions
            .extend(self.json.iter().map(|rule| format!("json {} is {}", quoted(&rule.pointer), rule.shown)));
        descriptions
    }

    /// For each of [`Expect::descriptions`], whether a complete response meets it; `Err` has what arrived
    /// instead.
    pub(crate) fn judge_each(&self, response: &ResponseView<'_>) -> Vec<(String, Result<(), String>)> {
        let alone = |change: fn(&mut Self)| {
            let mut one = Self {
                statuses: vec![0..=u16::MAX],
                headers: Vec::new(),
                body_contains: Vec::new(),
                json: Vec::new(),
                body_bytes: None,
                max_body_bytes: self.max_body_bytes,
            };
            change(&mut one);
            one
        };
        let mut each = vec![Self { statuses: self.statuses.clone(), ..alone(|_| {}) }];
        each.extend(self.headers.iter().map(|h| Self { headers: vec![h.clone()], ..alone(|_| {}) }));
        each.extend(
            self.body_bytes.iter().map(|range| Self { body_bytes: Some(range.clone()), ..alone(|_| {}) }),
        );
        each.extend(
            self.body_contains.iter().map(|t| Self { body_contains: vec![t.clone()], ..alone(|_| {}) }),
        );
        each.extend(self.json.iter().map(|rule| Self { json: vec![rule.clone()], ..alone(|_| {}) }));
        let judged = each
            .into_iter()
            .map(|one| one.judge(response).map_err(|broken: BrokenRule| one.explain(broken, response)));
        self.descriptions().into_iter().zip(judged).collect()
    }
}

/// `200 or 304`, `2xx`, `below 400`.
fn statuses(ranges: &[RangeInclusive<u16>]) -> String {
    let one = |range: &RangeInclusive<u16>| match (*range.start(), *range.end()) {
        (from, to) if from == to => from.to_string(),
        (100, to) if to % 100 == 99 => format!("below {}", to + 1),
        (from, to) if from % 100 == 0 && to == from + 99 => format!("{}xx", from / 100),
        (from, to) => format!("{from} to {to}"),
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(" or ")
}

fn sizes(range: &RangeInclusive<u64>) -> String {
    match (*range.start(), *range.end()) {
        (from, to) if from == to => print_bytes(from),
        (from, u64::MAX) => format!("at least {}", print_bytes(from)),
        (0, to) => format!("at most {}", print_bytes(to)),
        (from, to) => format!("{} to {}", print_bytes(from), print_bytes(to)),
    }
}
