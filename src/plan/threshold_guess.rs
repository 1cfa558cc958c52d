//! What somebody means who writes a threshold in the words of another tool.

/// Names of figures elsewhere, in lower case, and here.
const FIGURES: [(&str, &str); 40] = [
    ("avg", "mean"),
    ("average", "mean"),
    ("med", "median"),
    ("maximum", "max"),
    ("worst", "max"),
    ("p100", "max"),
    ("error", "error_rate"),
    ("errors", "error_rate"),
    ("error rate", "error_rate"),
    ("error-rate", "error_rate"),
    ("errorrate", "error_rate"),
    ("error_ratio", "error_rate"),
    ("errors_rate", "error_rate"),
    ("fail_rate", "error_rate"),
    ("failure_rate", "error_rate"),
    ("failed_rate", "error_rate"),
    ("failed rate", "error_rate"),
    ("failures", "error_rate"),
    ("http_req_failed", "error_rate"),
    ("rps", "rate"),
    ("qps", "rate"),
    ("tps", "rate"),
    ("throughput", "rate"),
    ("req/s", "rate"),
    ("requests/s", "rate"),
    ("http_reqs", "count"),
    ("requests", "count"),
    ("total", "count"),
    ("iterations", "count"),
    ("drops", "dropped"),
    ("dropped_iterations", "dropped"),
    ("availability", "answered_share"),
    ("uptime", "answered_share"),
    ("latency", "p95"),
    ("response_time", "p95"),
    ("response time", "p95"),
    ("duration", "p95"),
    ("http_req_duration", "p95"),
    ("service_time", "service p95"),
    ("downtime", "longest_gap"),
];
/// First words elsewhere of a figure that is a time, and here.
const TIMES: [(&str, &str); 12] = [
    ("service", "service "),
    ("response", "response "),
    ("ok", "ok "),
    ("failed", "failed "),
    ("latency", ""),
    ("response_time", ""),
    ("duration", ""),
    ("http_req_duration", ""),
    ("time", ""),
    ("service_time", "service "),
    ("success", "ok "),
    ("failure", "failed "),
];

/// The figure that `typed` may mean, if `is_figure` knows it.
pub(super) fn figure(typed: &str, is_figure: &dyn Fn(&str) -> bool) -> Option<String> {
    let lower = typed.to_lowercase();
    let known = |text: &str| is_figure(text).then(|| text.to_owned());
    if let Some(guess) = known(&plain(&lower)) {
        return Some(guess);
    }
    if let Some((_, here)) = FIGURES.iter().find(|(elsewhere, _)| *elsewhere == plain(&lower)) {
        return known(here);
    }
    let (first, rest) = lower.split_once([' ', '.', ':', '_'])?;
    // `response_time p95` is cut behind its first word.
    let (first, rest) = match TIMES.iter().find(|(word, _)| lower.starts_with(&format!("{word} "))) {
        Some((word, _)) => (*word, &lower[word.len() + 1..]),
        None => (first, rest),
    };
    let (_, here) = TIMES.iter().find(|(word, _)| *word == first)?;
    let rest = plain(rest.trim());
    let rest =
        FIGURES.iter().find(|(elsewhere, _)| *elsewhere == rest).map_or(rest, |(_, here)| (*here).to_owned());
    known(&format!("{here}{rest}"))
}

/// `p(95)`, `95th`, `95%` and `p95(ms)` as `p95`, `max()` as `max`; other text as it is.
fn plain(lower: &str) -> String {
    let text = lower.strip_suffix("()").unwrap_or(lower);
    let digits = ["p(", "percentile(", "p_", "p-", "p "]
        .iter()
        .find_map(|begin| text.strip_prefix(begin))
        .map(|rest| rest.trim_end_matches(')'))
        .or_else(|| ["th", "%", "th percentile"].iter().find_map(|end| text.strip_suffix(end)))
        .filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
    digits.map_or_else(|| text.to_owned(), |digits| format!("p{}", digits.replace('_', ".")))
}

/// Where the signs of a comparison stand in `text`, and these signs.
pub(super) fn signs(text: &str) -> Option<(usize, &str)> {
    let is_sign = |c: char| "<>=!~≤≥≠".contains(c);
    let at = text.find(is_sign)?;
    let end = text[at..].find(|c| !is_sign(c)).map_or(text.len(), |end| at + end);
    Some((at, &text[at..end]))
}

/// The signs here that `typed` may mean, the likeliest first.
pub(super) fn signs_meant(typed: &str) -> &'static [&'static str] {
    match typed {
        "≤" | "=<" => &["<="],
        "≥" | "=>" => &[">="],
        "<<" => &["<"],
        ">>" => &[">"],
        "=" | "===" => &["==", "<=", ">="],
        _ => &["<", ">"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_other_tools_have_a_name_here() {
        let is_figure = |text: &str| {
            let word = text.strip_prefix("service ").or_else(|| text.strip_prefix("ok ")).unwrap_or(text);
            [
                "mean",
                "max",
                "median",
                "error_rate",
                "rate",
                "count",
                "dropped",
                "answered_share",
                "longest_gap",
            ]
            .contains(&word)
                || word
                    .strip_prefix('p')
                    .is_some_and(|digits| digits.parse::<f64>().is_ok_and(|percent| percent < 100.0))
        };
        for (elsewhere, here) in FIGURES {
            assert_eq!(figure(elsewhere, &is_figure).as_deref(), Some(here), "{elsewhere}");
        }
        for (typed, meant) in [
            ("P95", Some("p95")),
            ("p(95)", Some("p95")),
            ("P(99.9)", Some("p99.9")),
            ("95th", Some("p95")),
            ("99.9%", Some("p99.9")),
            ("p99_9", None),
            ("p_99_9", Some("p99.9")),
            ("MAX", Some("max")),
            ("max()", Some("max")),
            ("latency p95", Some("p95")),
            ("latency.p(95)", Some("p95")),
            ("response_time P99", Some("p99")),
            ("service_time avg", Some("service mean")),
            ("success p50", Some("ok p50")),
            ("speed", None),
            ("speed p95", None),
        ] {
            assert_eq!(figure(typed, &is_figure).as_deref(), meant, "{typed}");
        }
    }

    #[test]
    fn signs_are_taken_together() {
        assert_eq!(signs("p99 <> 1s"), Some((4, "<>")));
        assert_eq!(signs("p99≤1s"), Some((3, "≤")));
        assert_eq!(signs("p99"), None);
    }
}
