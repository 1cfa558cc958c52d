//! A threshold's figures as people read them. What stays out: judging.

use super::figures::Threshold;
use super::format;

/// What was measured: `13.1 ms`, `0.42 %`, `499.8/s`; a dash when nothing was.
pub fn measured(threshold: &Threshold) -> String {
    threshold.observed.map_or("–".to_owned(), |value| in_unit(&threshold.expression, value))
}

/// How far the measured figure was from the limit: `12.0 ms over`, `3.10 ms to spare`. Nothing when that
/// is not known.
pub fn distance(threshold: &Threshold) -> Option<String> {
    let margin = threshold.margin.filter(|m| m.is_finite())?;
    let by = in_unit(&threshold.expression, margin.abs());
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
        metric if metric.ends_with("_rate") || metric.ends_with("_ratio") => format::percent(value),
        _ => format::time((value.max(0.0) * 1e9).round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(expression: &str, observed: f64, margin: f64) -> Threshold {
        let (observed, margin) = (Some(observed), Some(margin));
        Threshold { expression: expression.to_owned(), observed, result: "failed", margin, reason: None }
    }

    #[test]
    fn a_figure_is_told_in_the_unit_of_its_expression() {
        let late = threshold("Get users: p99 < 250ms", 0.262, -0.012);
        assert_eq!(
            (measured(&late), distance(&late).unwrap()),
            ("262 ms".into(), "missed by 12.0 ms".into())
        );
        let errors = threshold("error_rate < 1%", 0.0042, 0.0058);
        assert_eq!(
            (measured(&errors), distance(&errors).unwrap()),
            ("0.42 %".into(), "0.58 % to spare".into())
        );
        let slow = threshold("rate >= 495/s", 480.0, -15.0);
        assert_eq!(
            (measured(&slow), distance(&slow).unwrap()),
            ("480.0/s".into(), "missed by 15.0/s".into())
        );
        let unknown = Threshold { observed: None, margin: None, ..late };
        assert_eq!((measured(&unknown).as_str(), distance(&unknown)), ("–", None));
    }
}
