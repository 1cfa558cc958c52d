//! Whether a plan's data sets have enough rows.

use super::preflight::expected_requests;
use crate::data::{Order, Picks};
use crate::plan::{Model, Plan};
use crate::schedule::{Arrivals, Picker};
use crate::units::{plural, print_count};

/// A data set, and how many of its rows a run takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsNeeded {
    /// The set's name.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
    order: Order,
    /// How many requests take one, at most; `None`: nobody knows before the run.
    pub needed: Option<u64>,
}

/// For each data set, how many of its rows a run of `plan` with `seed` takes.
pub fn rows_needed(plan: &Plan, seed: u64) -> Vec<RowsNeeded> {
    let picker = Picker::new(&plan.weights(), seed).expect("a checked plan's weights have a short period");
    let picks = Picks::new(&picker, plan.data.len(), |scenario, set| plan.takes_rows(scenario, set));
    let needed = |set| match &plan.load.model {
        Model::Closed { .. } if plan.load.warmup_ns > 0 => None,
        Model::Closed { .. } => plan.load.requests.map(|requests| picks.taken(set, requests)),
        Model::Open { pieces, arrivals, .. } => {
            let measured = match arrivals {
                Arrivals::Even => expected_requests(&plan.load).unwrap_or(0),
                Arrivals::Poisson => {
                    let most: u64 = pieces.iter().map(|piece| piece.most_arrivals(*arrivals)).sum();
                    plan.load.requests.map_or(most, |limit| limit.min(most))
                }
            };
            let warm_up = plan.load.warm_up(pieces).most_arrivals(*arrivals);
            Some(picks.taken(set, warm_up) + picks.taken(set, measured))
        }
    };
    let sets = plan.data.iter().enumerate();
    sets.map(|(i, set)| RowsNeeded {
        name: set.name.clone(),
        rows: set.rows,
        order: set.order,
        needed: needed(i),
    })
    .collect()
}

impl RowsNeeded {
    /// Rows, order and need in words.
    pub(crate) fn words(&self) -> String {
        let rows = format!("{} {}", plural(self.rows, "row"), self.order.name());
        match self.needed {
            Some(0) => format!("{rows}, no request takes one"),
            Some(needed) if self.order == Order::Once => format!("{rows}, {} taken", print_count(needed)),
            Some(needed) => {
                let laps = needed as f64 / self.rows as f64;
                format!("{rows}, {} taken: {laps:.2} times the rows", print_count(needed))
            }
            None if self.order == Order::Once => format!("{rows}: the run ends when all are taken"),
            None => rows,
        }
    }

    /// That there are too few rows, and the remedy.
    pub fn fault(&self) -> Option<String> {
        let needed = self.needed.filter(|needed| self.order == Order::Once && *needed > self.rows)?;
        Some(format!(
            "data.{}: it has {} and `order: once`, and {} one: add rows, send fewer requests, or choose \
             `order: circular`",
            self.name,
            plural(self.rows, "row"),
            if needed == 1 {
                "1 request takes".to_owned()
            } else {
                format!("{} requests take", print_count(needed))
            },
        ))
    }
}

/// Each data set must have enough rows.
///
/// # Errors
/// Each that has not, with a remedy.
pub fn check_rows(plan: &Plan, seed: u64) -> Result<(), String> {
    let faults: Vec<String> = rows_needed(plan, seed).iter().filter_map(RowsNeeded::fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    fn plan(load: &str, rows: u64) -> Plan {
        let rows = (0..rows).map(|i| format!("{{id: {i}}}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "base_url: http://a\nload: {{{load}}}\ndata: {{u: {{order: once, rows: [{rows}]}}}}\n\
             scenarios: [{{path: '/{{{{u.id}}}}', weight: 2}}, {{path: /other}}]\n"
        );
        parse(&text, "p", &Default::default(), &|_| None).unwrap()
    }

    #[test]
    fn rows_are_enough_to_the_last_one() {
        for (load, needed) in [
            ("requests: 30", 20),
            ("requests: 30, duration: 5s", 20),
            ("rate: 10/s, duration: 3s", 20),
            ("rate: 10/s, duration: 10s, requests: 30", 20),
            ("rate: 10/s, duration: 3s, warmup: 3s", 40),
        ] {
            assert_eq!(check_rows(&plan(load, needed), 7), Ok(()), "{load}");
            let fault = check_rows(&plan(load, needed - 1), 7).unwrap_err();
            let words =
                format!("it has {} rows and `order: once`, and {needed} requests take one", needed - 1);
            assert!(fault.contains(&words), "{load}: {fault}");
        }
        assert!(check_rows(&plan("rate: 10/s, duration: 3s, arrivals: poisson", 20), 7).is_err());
        assert_eq!(rows_needed(&plan("duration: 3s", 1), 7)[0].needed, None);
    }
}
