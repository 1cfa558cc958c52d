//! Numbers for human readers: three significant digits and a unit. Never rounded across a boundary that
//! changes the meaning, such as 99.99 % into 100 %.

pub(crate) use crate::units::print_count as count;
pub(crate) use crate::units::print_percent as percent;
pub(crate) use crate::units::print_time as time;
pub(crate) use crate::units::print_time_in_interval as time_in_interval;
pub(crate) use crate::units::print_whole_seconds as whole_seconds;

/// The lowest rate that is shown in a unit of time, and not in the next longer one.
const LEAST_RATE: f64 = 0.25;

/// A rate: `0.50/s`, `12.3/s`, `499.8/s`, `9,876/s`; a low one per minute or hour: `10.0/min`; `–` for values that are
/// not finite.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() => "–".to_owned(),
        r if r > 0.0 && r * 60.0 < LEAST_RATE => format!("{}/h", digits(r * 3600.0, 2)),
        r if r > 0.0 && r < LEAST_RATE => format!("{}/min", digits(r * 60.0, 2)),
        r if r < 9.995 => format!("{:.2}/s", r.max(0.0)),
        // The tenth separates a planned rate from one that was just missed.
        r if r < 999.95 => format!("{r:.1}/s"),
        r => format!("{}/s", count(r.round() as u64)),
    }
}

/// A size in decimal units: `12 B`, `1.20 kB`, `3.40 GB`.
pub(crate) fn bytes(n: u64) -> String {
    scaled(n as f64, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A count that fits a narrow column: exact below ten million, else `12.3 M`.
pub(crate) fn short_count(n: u64) -> String {
    if n < 10_000_000 { count(n) } else { scaled(n as f64, &["", "k", "M", "G", "T", "P", "E"]) }
}

/// Three significant digits, at most `most_decimals` of them after the point; whole digits are all kept.
fn digits(value: f64, most_decimals: usize) -> String {
    format!("{value:.*}", decimals(value, most_decimals))
}

fn decimals(value: f64, most: usize) -> usize {
    // The bounds are where rounding to fewer decimals would add a digit.
    match value {
        v if v < 9.995 => most,
        v if v < 99.95 => most.min(1),
        _ => 0,
    }
}

fn scaled(n: f64, units: &[&str]) -> String {
    let (mut value, mut step) = (n, 0);
    while value >= 999.5 && step + 1 < units.len() {
        value /= 1e3;
        step += 1;
    }
    let number = digits(value, if step == 0 { 0 } else { 2 });
    format!("{number} {}", units[step]).trim_end().to_owned()
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// The most addresses that are shown.
const MOST_ADDRESSES: usize = 3;

/// The addresses of a target, where its URL does not say them: ` (127.0.0.1:80, [::1]:80)`.
pub(crate) fn in_brackets(url: &str, addresses: &[String]) -> String {
    let is_said = |address: &String| address.rsplit_once(':').is_some_and(|(ip, _)| url.contains(ip));
    if addresses.iter().all(is_said) {
        return String::new();
    }
    let more = addresses.len().saturating_sub(MOST_ADDRESSES);
    let shown = addresses[..addresses.len() - more].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(" ({shown}{more})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_where_the_url_does_not_say_them() {
        let list = |addresses: &[&str]| addresses.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        for (url, addresses, shown) in [
            ("http://127.0.0.1:80", &["127.0.0.1:80"][..], ""),
            ("http://127.0.0.1", &["127.0.0.1:80"], ""),
            ("http://[::1]:8080", &["[::1]:8080"], ""),
            ("unix:/run/app.sock", &["unix:/run/app.sock"], ""),
            ("http://localhost:1", &[], ""),
            ("http://localhost:1", &["127.0.0.1:1", "[::1]:1"], " (127.0.0.1:1, [::1]:1)"),
            (
                "http://a",
                &["1.1.1.1:80", "2.2.2.2:80", "3.3.3.3:80", "4.4.4.4:80"],
                " (1.1.1.1:80, 2.2.2.2:80, 3.3.3.3:80 and 1 more)",
            ),
        ] {
            assert_eq!(in_brackets(url, &list(addresses)), shown, "{url} {addresses:?}");
        }
    }

    #[test]
    fn rates_sizes_and_counts_read_well() {
        assert_eq!(
            [0.0, 0.5, 12.34, 499.83, 999.96, 9876.4].map(rate),
            ["0.00/s", "0.50/s", "12.3/s", "499.8/s", "1,000/s", "9,876/s"]
        );
        assert_eq!([10.0 / 60.0, 0.02, 0.001].map(rate), ["10.0/min", "1.20/min", "3.60/h"]);
        assert_eq!(
            [0, 999, 1_000, 999_600, 3_400_000_000, u64::MAX].map(bytes),
            ["0 B", "999 B", "1.00 kB", "1.00 MB", "3.40 GB", "18.4 EB"]
        );
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([9_999_999, 12_345_678].map(short_count), ["9,999,999", "12.3 M"]);
    }

    #[test]
    fn what_is_not_a_number_is_a_dash() {
        assert_eq!([rate(f64::NAN), percent(f64::NAN), rate(f64::INFINITY)], ["–", "–", "–"]);
    }
}
