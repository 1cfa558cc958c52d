//! A threshold's figures as people read them. What stays out: judging.

use super::figures::Threshold;
use super::format;

/// What was measured: `13.1 ms`, `0.42 %`, `499.8/s`; a dash when nothing was.
pub(crate) fn measured(threshold: &Threshold) -> String {
    threshold.observed.map_or("–".to_owned(), |value| in_unit(&threshold.expression, value))
}

/// How far the measured figure was from the limit: `missed by 12.0 ms`, `3.10 ms to spare`. Nothing when
/// that is not known.
pub(crate) fn distance(threshold: &Threshold) -> Option<String> {
    let margin = threshold.margin.filter(|m| m.is_finite())?;
    let by = in_unit(&threshold.expression, (threshold.observed? - threshold.limit).abs());
    Some(match margin {
        m if m >= 0.0 => format!("{by} to spare"),
        _ => format!("missed by {by}"),
    })
}

/// `value` in the unit of what `expression` is about: a rate, a share or a time.
fn in_unit(expression: &str, value: f64) -> String {
    let left = expression.split(['<', '>', '=', '!']).next().unwrap_or_default();
    match left.split([' ', ':']).rfind(|word| !word.is_empty()).unwrap_or_default() {
        "rate" => format::rate(value),
        "count" | "dropped" => format::count(value.round() as u64),
        metric if metric.ends_with("_rate") || metric.ends_with("_ratio") => format::percent(value),
        _ => format::time((value.max(0.0) * 1e9).round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(expression: &str, observed: f64, limit: f64, margin: f64) -> Threshold {
        Threshold {
            expression: expression.to_owned(),
            scenario: None,
            limit,
            observed: Some(observed),
            margin: Some(margin),
            result: "failed",
            reason: None,
        }
    }

    #[test]
    fn a_figure_is_told_in_the_unit_of_its_expression() {
        let shown = |t: &Threshold| (measured(t), distance(t).unwrap_or_default());
        let check = |t: &Threshold, m: &str, d: &str| assert_eq!(shown(t), (m.to_owned(), d.to_owned()));
        let late = threshold("Get users: p99 < 250ms", 0.262, 0.25, -0.048);
        check(&late, "262 ms", "missed by 12.0 ms");
        check(&threshold("error_rate < 1%", 0.0042, 0.01, 0.58), "0.42 %", "0.58 % to spare");
        check(&threshold("rate >= 495/s", 480.0, 495.0, -0.03), "480.0/s", "missed by 15.0/s");
        check(&threshold("dropped == 0", 7.0, 0.0, -1.0), "7", "missed by 7");
        check(&Threshold { observed: None, margin: None, ..late }, "–", "");
    }
}
