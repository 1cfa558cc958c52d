//! Numbers as people read them: three significant digits and a unit. Never rounded across a
//! boundary that changes the meaning, such as 99.99 % into 100 %.

/// Units of time: nanoseconds in one, name.
const TIME_UNITS: [(f64, &str); 4] = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")];
/// From here on minutes are easier to read than seconds.
const MINUTES_FROM_NS: u64 = 120_000_000_000;

/// A time: `640 ns`, `12.3 µs`, `1.20 ms`, `90.0 s`, `2 min 5 s`, `1 h 0 min`.
pub fn time(ns: u64) -> String {
    if ns >= MINUTES_FROM_NS {
        let seconds = ns.saturating_add(500_000_000) / 1_000_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        return match hours {
            0 => format!("{minutes} min {} s", seconds % 60),
            _ => format!("{} h {minutes} min", count(hours)),
        };
    }
    let (scale, unit) = time_unit(ns);
    format!("{} {unit}", digits(ns as f64 / scale, if scale == 1.0 { 0 } else { 2 }))
}

/// A time of which tenths would only flicker: `12 s`, `2 min 5 s`.
pub fn whole_seconds(ns: u64) -> String {
    if ns < MINUTES_FROM_NS { format!("{} s", ns.div_ceil(1_000_000_000)) } else { time(ns) }
}

/// A time and the interval it lies in, in one unit: `12.1 ms [11.8, 12.6]`.
pub fn time_in_interval(ns: u64, low_ns: u64, high_ns: u64) -> String {
    if ns >= MINUTES_FROM_NS {
        return format!("{} [{}, {}]", time(ns), time(low_ns), time(high_ns));
    }
    let (scale, unit) = time_unit(ns);
    let decimals = decimals(ns as f64 / scale, if scale == 1.0 { 0 } else { 2 });
    let number = |ns: u64| format!("{:.decimals$}", ns as f64 / scale);
    format!("{} {unit} [{}, {}]", number(ns), number(low_ns), number(high_ns))
}

/// The unit in which a time has one to three digits before the point.
fn time_unit(ns: u64) -> (f64, &'static str) {
    let fits = |(scale, _): &&(f64, &str)| ns as f64 >= scale * 0.9995;
    *TIME_UNITS.iter().rev().find(fits).unwrap_or(&TIME_UNITS[0])
}

/// A rate per second: `0.50/s`, `12.3/s`, `499.8/s`, `9,876/s`; `–` for what is not a number.
pub fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() => "–".to_owned(),
        r if r < 9.995 => format!("{:.2}/s", r.max(0.0)),
        // The tenth tells an asked rate from one that was just missed.
        r if r < 999.95 => format!("{r:.1}/s"),
        r => format!("{}/s", count(r.round() as u64)),
    }
}

/// A size in decimal units: `12 B`, `1.20 kB`, `3.40 GB`.
pub fn bytes(n: u64) -> String {
    scaled(n as f64, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A count with its thousands apart: `12,345`.
pub fn count(n: u64) -> String {
    let plain = n.to_string();
    let mut text = String::with_capacity(plain.len() * 4 / 3 + 1);
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count that fits a narrow column: exact below ten million, else `12.3 M`.
pub fn short_count(n: u64) -> String {
    if n < 10_000_000 { count(n) } else { scaled(n as f64, &["", "k", "M", "G", "T", "P", "E"]) }
}

/// A share of 0..=1: `41.0 %`, `0.10 %`; what is neither none nor all never looks like it:
/// `<0.01 %`, `>99.99 %`. `–` for what is not a number.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        p if !p.is_finite() => "–".to_owned(),
        p if p > 0.0 && p < 0.01 => "<0.01 %".to_owned(),
        p if p < 100.0 && p > 99.99 => ">99.99 %".to_owned(),
        p if p > 99.0 && p < 100.0 => format!("{p:.2} %"),
        p => format!("{} %", digits(p, 2)),
    }
}

/// Three significant digits, at most `most_decimals` of them after the point; all whole ones.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_three_digits_and_their_unit() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (12_345, "12.3 µs"),
            (9_996, "10.0 µs"),
            (999_600, "1.00 ms"),
            (123_456_789, "123 ms"),
            (1_500_000_000, "1.50 s"),
            (90_000_000_000, "90.0 s"),
            (125_000_000_000, "2 min 5 s"),
            (3_600_000_000_000, "1 h 0 min"),
            (u64::MAX, "5,124,095 h 34 min"),
        ];
        for (ns, text) in cases {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn an_interval_is_in_the_unit_and_precision_of_its_value() {
        assert_eq!(time_in_interval(12_130_000, 11_800_000, 12_650_000), "12.1 ms [11.8, 12.7]");
        assert_eq!(time_in_interval(1_000_000, 980_000, 1_020_000), "1.00 ms [0.98, 1.02]");
        assert_eq!(time_in_interval(640, 600, 1_200), "640 ns [600, 1200]");
    }

    #[test]
    fn rates_sizes_and_counts_read_well() {
        assert_eq!(
            [0.0, 0.5, 12.34, 499.83, 999.96, 9876.4].map(rate),
            ["0.00/s", "0.50/s", "12.3/s", "499.8/s", "1,000/s", "9,876/s"]
        );
        assert_eq!(
            [0, 999, 1_000, 999_600, 3_400_000_000, u64::MAX].map(bytes),
            ["0 B", "999 B", "1.00 kB", "1.00 MB", "3.40 GB", "18.4 EB"]
        );
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([9_999_999, 12_345_678].map(short_count), ["9,999,999", "12.3 M"]);
    }

    #[test]
    fn a_share_never_rounds_to_none_or_all() {
        assert_eq!(
            [0.0, 1e-9, 0.001, 0.41, 0.9996, 0.999_99, 1.0, 1.7].map(percent),
            ["0.00 %", "<0.01 %", "0.10 %", "41.0 %", "99.96 %", ">99.99 %", "100 %", "170 %"]
        );
    }

    #[test]
    fn what_is_not_a_number_is_a_dash() {
        assert_eq!([rate(f64::NAN), percent(f64::NAN), rate(f64::INFINITY)], ["–", "–", "–"]);
    }
}
