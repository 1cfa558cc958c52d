//! Parses and prints durations, rates, counts, sizes and percentages in the spelling people write.
//!
//! The plan, the command line and reports use one spelling. A number without a unit is rejected where the
//! unit could be mistaken. The plan decides which values make sense (how long, how fast).

const NS_PER_US: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;
const NS_PER_M: u64 = 60 * NS_PER_S;
const NS_PER_H: u64 = 60 * NS_PER_M;

/// What [`parse_duration`] accepts, as a regular expression for schemas.
pub(crate) const DURATION_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+$";
/// What [`parse_rate`] accepts, as a regular expression for schemas.
pub(crate) const RATE_PATTERN: &str = r"^[0-9]+(\.[0-9]+)?[kMG]?/(s|m|min|h)$";
/// What [`parse_count`] accepts, as a regular expression for schemas.
pub(crate) const COUNT_PATTERN: &str = r"^[0-9]+(\.[0-9]+)?[kMG]?$";
/// What [`parse_bytes`] accepts, and plain digits, as a regular expression for schemas.
pub(crate) const BYTES_PATTERN: &str = r"^[0-9]+((\.[0-9]+)?(B|KiB|MiB|GiB|kB|MB|GB))?$";

/// Fraction digits kept; further digits are dropped.
const FRACTION_DIGITS: usize = 18;

/// A decimal number without sign or exponent: `whole + fraction / 10^digits`.
struct Decimal {
    whole: u64,
    fraction: u64,
    digits: u32,
}

impl Decimal {
    /// The number at the start of `text`, and the rest of `text`.
    fn split(text: &str) -> Option<(Self, &str)> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (whole, rest) = text.split_at(end);
        let whole = whole.parse().ok()?;
        let Some(after) = rest.strip_prefix('.') else {
            return Some((Self { whole, fraction: 0, digits: 0 }, rest));
        };
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (fraction, rest) = after.split_at(end);
        if fraction.is_empty() {
            return None;
        }
        let kept = &fraction[..fraction.len().min(FRACTION_DIGITS)];
        Some((Self { whole, fraction: kept.parse().ok()?, digits: kept.len() as u32 }, rest))
    }

    /// The product with `unit`, rounded down; `None` on overflow.
    fn times(&self, unit: u64) -> Option<u64> {
        let part = u128::from(self.fraction) * u128::from(unit) / 10u128.pow(self.digits);
        self.whole.checked_mul(unit)?.checked_add(part as u64)
    }

    fn is_multiple_of_one_over(&self, unit: u64) -> bool {
        u128::from(self.fraction) * u128::from(unit) % 10u128.pow(self.digits) == 0
    }

    fn as_f64(&self) -> f64 {
        self.whole as f64 + self.fraction as f64 / 10f64.powi(self.digits as i32)
    }
}

/// Nanoseconds of `250ms`, `2m30s`, `1.5s`, `5us`, `1h`.
///
/// # Errors
/// A sentence fragment with the problem and what to write instead.
pub(crate) fn parse_duration(text: &str) -> Result<u64, String> {
    let (mut rest, mut total) = (text, 0u64);
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(format!("a duration needs a unit: write {text}s or {text}ms"));
    }
    if let Some(meant) = as_meant(text) {
        return Err(format!("not a duration: write {meant}"));
    }
    loop {
        let (number, after) = Decimal::split(rest).ok_or_else(not_a_duration)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let unit = match &after[..end] {
            "h" => NS_PER_H,
            "m" => NS_PER_M,
            "s" => NS_PER_S,
            "ms" => NS_PER_MS,
            "us" | "µs" => NS_PER_US,
            "ns" => 1,
            _ => return Err(not_a_duration()),
        };
        let part = number.times(unit).and_then(|part| total.checked_add(part));
        total = part.ok_or("a duration is at most 584 years")?;
        rest = &after[end..];
        if rest.is_empty() {
            return Ok(total);
        }
    }
}

/// The duration that `10 s`, `5sec` or `2 minutes` is meant to be.
fn as_meant(text: &str) -> Option<String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.')?);
    let short = match unit.trim().to_lowercase().as_str() {
        "d" | "day" | "days" => return Some(format!("{}h", number.parse::<u64>().ok()?.checked_mul(24)?)),
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => "ms",
        "us" | "µs" | "μs" | "usec" | "microsecond" | "microseconds" => "us",
        "ns" | "nanosecond" | "nanoseconds" => "ns",
        _ => return None,
    };
    let is_number = number.parse::<f64>().is_ok() && !number.starts_with('.') && !number.ends_with('.');
    // What is written right is not meant.
    (is_number && unit != short && unit != "µs").then(|| format!("{number}{short}"))
}

fn not_a_duration() -> String {
    "not a duration: write a number and h, m, s, ms, us or ns, like 250ms or 2m30s".to_owned()
}

/// The exact duration in the spelling [`parse_duration`] reads: `2m30s`, `1.5s`, `250ms`.
pub(crate) fn print_duration(ns: u64) -> String {
    let mut text = String::new();
    let mut rest = ns;
    for (unit, name) in [(NS_PER_H, "h"), (NS_PER_M, "m")] {
        if rest >= unit {
            text += &format!("{}{name}", rest / unit);
            rest %= unit;
        }
    }
    let (unit, name) = match rest {
        0 if !text.is_empty() => return text,
        0 => (NS_PER_S, "s"),
        _ if rest >= NS_PER_S || !text.is_empty() => (NS_PER_S, "s"),
        _ if rest >= NS_PER_MS => (NS_PER_MS, "ms"),
        _ if rest >= NS_PER_US => (NS_PER_US, "us"),
        _ => (1, "ns"),
    };
    let digits = unit.ilog10() as usize;
    let fraction = format!("{:0digits$}", rest % unit);
    let fraction = if digits == 0 { "" } else { fraction.trim_end_matches('0') };
    let dot = if fraction.is_empty() { "" } else { "." };
    text + &format!("{}{dot}{fraction}{name}", rest / unit)
}

/// Units of measured time: nanoseconds per unit, name.
const TIME_UNITS: [(f64, &str); 4] = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")];
/// From here on, minutes are easier to read than seconds.
const MINUTES_FROM_NS: u64 = 2 * NS_PER_M;

/// A measured time with three significant digits: `0 s`, `640 ns`, `12.3 µs`, `1.20 ms`, `90.0 s`,
/// `2 min 5 s`, `1 h 0 min`. The space distinguishes it from a duration that somebody typed.
pub(crate) fn print_time(ns: u64) -> String {
    if ns == 0 {
        return "0 s".to_owned();
    }
    if ns >= MINUTES_FROM_NS {
        let seconds = ns.saturating_add(NS_PER_S / 2) / NS_PER_S;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        return match hours {
            0 => format!("{minutes} min {} s", seconds % 60),
            _ => format!("{} h {minutes} min", print_count(hours)),
        };
    }
    let (scale, unit) = time_unit(ns);
    format!("{:.*} {unit}", time_decimals(ns, scale), ns as f64 / scale)
}

/// A time and its confidence interval in one unit: `12.1 ms [11.8, 12.6]`.
pub(crate) fn print_time_in_interval(ns: u64, low_ns: u64, high_ns: u64) -> String {
    if ns >= MINUTES_FROM_NS {
        return format!("{} [{}, {}]", print_time(ns), print_time(low_ns), print_time(high_ns));
    }
    let (scale, unit) = time_unit(ns);
    let decimals = time_decimals(ns, scale);
    let number = |ns: u64| format!("{:.decimals$}", ns as f64 / scale);
    format!("{} {unit} [{}, {}]", number(ns), number(low_ns), number(high_ns))
}

/// A time for displays where tenths would flicker: `12 s`, `2 min 5 s`. Rounded up below two minutes.
pub(crate) fn print_whole_seconds(ns: u64) -> String {
    if ns < MINUTES_FROM_NS { format!("{} s", ns.div_ceil(NS_PER_S)) } else { print_time(ns) }
}

/// The unit in which a time has one to three digits before the point.
fn time_unit(ns: u64) -> (f64, &'static str) {
    let fits = |(scale, _): &&(f64, &str)| ns as f64 >= scale * 0.9995;
    *TIME_UNITS.iter().rev().find(fits).unwrap_or(&TIME_UNITS[0])
}

fn time_decimals(ns: u64, scale: f64) -> usize {
    if scale == 1.0 { 0 } else { decimals(ns as f64 / scale) }
}

/// Decimals that give three significant digits.
fn decimals(value: f64) -> usize {
    // The bounds are where rounding to fewer decimals would add a digit.
    match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    }
}

fn three_digits(value: f64) -> String {
    format!("{value:.*}", decimals(value))
}

/// Requests per second of `500/s`, `1.5k/s`, `0.5/s`, `30/m`, `10/min`, `3600/h`.
///
/// # Errors
/// What is wrong and what to write instead.
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    const NOT_A_RATE: &str = "not a rate: write a number and /s, /min or /h, like 500/s, 1.5k/s or 10/min";
    let Some((amount, per)) = text.split_once('/') else {
        return Err(match amount_f64(text) {
            Some(_) => format!("a rate needs a unit: write {text}/s"),
            None => rate_as_meant(text)
                .map_or(NOT_A_RATE.to_owned(), |meant| format!("not a rate: write {meant}")),
        });
    };
    let seconds = match per {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    match amount_f64(amount).filter(|_| seconds > 0.0) {
        Some(amount) => Ok(amount / seconds),
        None => {
            Err(rate_as_meant(text)
                .map_or(NOT_A_RATE.to_owned(), |meant| format!("not a rate: write {meant}")))
        }
    }
}

/// The rate that `500 rps`, `500 / s` or `10/minute` is meant to be.
fn rate_as_meant(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !".kMG".contains(c))?;
    let (amount, unit) = text.split_at(end);
    let unit = unit.replace(' ', "").to_lowercase();
    let per = match unit.strip_prefix('/').or_else(|| unit.strip_prefix("per")).unwrap_or(&unit) {
        "s" | "sec" | "second" | "rps" | "qps" | "req/s" | "requests/s" | "reqs/s" => "s",
        "m" | "min" | "minute" | "rpm" => "min",
        "h" | "hour" => "h",
        _ => return None,
    };
    amount_f64(amount).map(|_| format!("{amount}/{per}"))
}

/// A rate on the command line, where a bare number is per second: `1000`, `1k`, `500/s`.
///
/// # Errors
/// What is wrong and what to write instead.
pub(crate) fn parse_rate_flag(text: &str) -> Result<f64, String> {
    amount_f64(text).map_or_else(|| parse_rate(text), Ok)
}

/// A rate in the spelling [`parse_rate`] reads, with up to three decimals: `500/s`, `0.5/s`, `1234.568/s`. A rate that
/// is a whole number a minute or an hour only is written so: `10/min`, `36/h`.
pub(crate) fn print_rate(per_second: f64) -> String {
    let scaled = |seconds: f64, per: &str| {
        let amount = per_second * seconds;
        let shown = (amount * 1e3).round() / 1e3;
        let is_exact = (shown - amount).abs() <= amount * 1e-9;
        (amount, is_exact, trim_zeros(&format!("{shown:.3}")) + per)
    };
    let [second, minute, hour] = [scaled(1.0, "/s"), scaled(60.0, "/min"), scaled(3600.0, "/h")];
    let is_whole =
        |(amount, is_exact, _): &(f64, bool, String)| *is_exact && (amount - amount.round()).abs() < 1e-6;
    match per_second {
        0.0 => second.2,
        rate if rate >= 0.1 && second.1 => second.2,
        _ if is_whole(&minute) => minute.2,
        _ if is_whole(&hour) => hour.2,
        rate if rate < 0.1 => hour.2,
        _ => second.2,
    }
}

fn trim_zeros(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

fn multiplier(suffix: &str) -> Option<u64> {
    match suffix {
        "" => Some(1),
        "k" => Some(1_000),
        "M" => Some(1_000_000),
        "G" => Some(1_000_000_000),
        _ => None,
    }
}

fn amount_f64(text: &str) -> Option<f64> {
    let (number, suffix) = Decimal::split(text)?;
    Some(number.as_f64() * multiplier(suffix)? as f64)
}

/// A whole number: `250`, `10k`, `1.5M`.
///
/// # Errors
/// What is wrong and what to write instead.
pub(crate) fn parse_count(text: &str) -> Result<u64, String> {
    let count = || {
        let (number, suffix) = Decimal::split(text)?;
        let unit = multiplier(suffix)?;
        number.is_multiple_of_one_over(unit).then_some(())?;
        number.times(unit)
    };
    count().ok_or_else(|| "not a count: write a whole number, like 250, 10k or 1.5M".to_owned())
}

/// A count with thousands separators: `1,234,567`.
pub(crate) fn print_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 request`, `2 requests`, `1,500 requests`.
pub(crate) fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", print_count(n), if n == 1 { "" } else { "s" })
}

/// Bytes of `512B`, `64KiB`, `1.5MiB`, `2GiB`; `kB`, `MB` and `GB` are powers of ten.
///
/// # Errors
/// What is wrong and what to write instead.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let bytes = || {
        let (number, suffix) = Decimal::split(text)?;
        let unit = match suffix {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return None,
        };
        number.times(unit)
    };
    bytes().ok_or_else(|| "not a size: write a number and B, KiB, MiB or GiB, like 64KiB".to_owned())
}

/// Bytes with three significant digits: `512 B`, `64.0 KiB`, `1.50 MiB`.
pub(crate) fn print_bytes(bytes: u64) -> String {
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    for (shift, name) in [(10, " KiB"), (20, " MiB")] {
        let value = bytes as f64 / (1u64 << shift) as f64;
        if value < 1023.5 {
            return three_digits(value) + name;
        }
    }
    three_digits(bytes as f64 / (1u64 << 30) as f64) + " GiB"
}

/// The fraction that `1%` or `0.05%` stands for: 0.01, 0.0005. No upper bound.
///
/// # Errors
/// What is wrong and what to write instead.
pub(crate) fn parse_percent(text: &str) -> Result<f64, String> {
    match Decimal::split(text) {
        Some((number, "%")) => Ok(number.as_f64() / 100.0),
        Some((number, "")) if number.as_f64() < 1.0 => {
            let percent = (number.as_f64() * 1e6).round() / 1e4;
            Err(format!("a share needs its unit: write {percent}% or {text}%"))
        }
        Some((_, "")) => Err(format!("a share needs its unit: write {text}%")),
        _ => Err("not a share: write a number and %, like 1% or 0.05%".to_owned()),
    }
}

/// A fraction as a percentage: `41.0 %`, `0.10 %`. Values near 0 and 1 never round to them: `<0.01 %`,
/// `>99.99 %`. `–` for values that are not finite.
pub(crate) fn print_percent(share: f64) -> String {
    match share * 100.0 {
        p if !p.is_finite() => "–".to_owned(),
        0.0 => "0 %".to_owned(),
        p if p > 0.0 && p < 0.01 => "<0.01 %".to_owned(),
        p if p < 100.0 && p > 99.99 => ">99.99 %".to_owned(),
        p if p > 99.0 && p < 100.0 => format!("{p:.2} %"),
        p => format!("{p:.*} %", decimals(p)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let cases = [
            ("250ms", 250_000_000),
            ("2m30s", 150_000_000_000),
            ("1.5s", 1_500_000_000),
            ("5us", 5_000),
            ("5µs", 5_000),
            ("1h", 3_600_000_000_000),
            ("0s", 0),
            ("0.000000001s", 1),
            ("1h0.5m", 3_630_000_000_000),
        ];
        for (text, ns) in cases {
            assert_eq!(parse_duration(text), Ok(ns), "{text}");
        }
    }

    #[test]
    fn a_refused_value_names_what_to_write() {
        let cases = [
            (parse_duration("30").unwrap_err(), "write 30s or 30ms"),
            (parse_duration("").unwrap_err(), "like 250ms"),
            (parse_duration("-1s").unwrap_err(), "like 250ms"),
            (parse_duration("1.s").unwrap_err(), "like 250ms"),
            (parse_duration("1.d").unwrap_err(), "like 250ms"),
            (parse_duration("2d").unwrap_err(), "write 48h"),
            (parse_duration("1s ").unwrap_err(), "write 1s"),
            (parse_duration("10 s").unwrap_err(), "write 10s"),
            (parse_duration("1.5 hours").unwrap_err(), "write 1.5h"),
            (parse_duration("250msec").unwrap_err(), "write 250ms"),
            (parse_duration("6000000h").unwrap_err(), "584 years"),
            (parse_rate("500").unwrap_err(), "write 500/s"),
            (parse_rate("500/d").unwrap_err(), "like 500/s"),
            (parse_rate("500 / s").unwrap_err(), "write 500/s"),
            (parse_rate("1.5k rps").unwrap_err(), "write 1.5k/s"),
            (parse_rate("10/minute").unwrap_err(), "write 10/min"),
            (parse_rate("5 per second").unwrap_err(), "write 5/s"),
            (parse_rate("-5/s").unwrap_err(), "like 500/s"),
            (parse_rate("1e3/s").unwrap_err(), "like 500/s"),
            (parse_rate_flag("fast").unwrap_err(), "like 500/s"),
            (parse_count("1.2345k").unwrap_err(), "whole number"),
            (parse_count("0.5").unwrap_err(), "whole number"),
            (parse_count("99999999999G").unwrap_err(), "whole number"),
            (parse_bytes("64").unwrap_err(), "64KiB"),
            (parse_percent("1").unwrap_err(), "write 1%"),
            (parse_percent("x%").unwrap_err(), "like 1%"),
        ]
        .map(|(error, remedy)| (error.contains(remedy), error, remedy));
        for (ok, error, remedy) in cases {
            assert!(ok, "`{error}` does not say `{remedy}`");
        }
    }

    #[test]
    fn rates_counts_sizes_and_shares_are_read() {
        for (text, rate) in [
            ("500/s", 500.0),
            ("1.5k/s", 1500.0),
            ("0.5/s", 0.5),
            ("30/m", 0.5),
            ("30/min", 0.5),
            ("3600/h", 1.0),
        ] {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
        }
        assert_eq!(parse_rate_flag("1000"), Ok(1000.0));
        assert_eq!(parse_rate_flag("2k"), Ok(2000.0));
        assert_eq!(parse_rate_flag("60/m"), Ok(1.0));
        assert_eq!(parse_count("10k"), Ok(10_000));
        assert_eq!(parse_count("1.5M"), Ok(1_500_000));
        assert_eq!(parse_bytes("1.5KiB"), Ok(1536));
        assert_eq!(parse_percent("0.05%"), Ok(0.0005));
    }

    #[test]
    fn times_keep_three_digits_and_their_unit() {
        let cases = [
            (0, "0 s"),
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
            assert_eq!(print_time(ns), text);
        }
    }

    #[test]
    fn an_interval_is_in_the_unit_and_precision_of_its_value() {
        assert_eq!(print_time_in_interval(12_130_000, 11_800_000, 12_650_000), "12.1 ms [11.8, 12.7]");
        assert_eq!(print_time_in_interval(1_000_000, 980_000, 1_020_000), "1.00 ms [0.98, 1.02]");
        assert_eq!(print_time_in_interval(640, 600, 1_200), "640 ns [600, 1200]");
    }

    #[test]
    fn durations_print_exactly() {
        for text in ["0s", "30s", "2m30s", "1.5s", "250ms", "1h", "1m0.001s", "1.5us", "7ns", "1h1m1s"] {
            assert_eq!(print_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn counts_bytes_rates_and_shares_print_readably() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(print_count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [1023, 65_536, 1_572_864, 3 << 30].map(print_bytes),
            ["1023 B", "64.0 KiB", "1.50 MiB", "3.00 GiB"]
        );
        for text in ["0/s", "500/s", "0.5/s", "0.125/s", "10/min", "1000/min", "1/min", "36/h", "1/h"] {
            assert_eq!(print_rate(parse_rate(text).unwrap()), text);
        }
        assert_eq!([1234.5678, 0.0123].map(print_rate), ["1234.568/s", "44.28/h"]);
    }

    #[test]
    fn a_share_never_rounds_to_none_or_all() {
        assert_eq!(
            [0.0, 1e-9, 0.001, 0.41, 0.9996, 0.999_99, 1.0, 1.7].map(print_percent),
            ["0 %", "<0.01 %", "0.10 %", "41.0 %", "99.96 %", ">99.99 %", "100 %", "170 %"]
        );
    }

    fn near(a: f64, b: f64, share: f64) -> bool {
        (a - b).abs() <= share * b.abs()
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(ns: u64, small in 0u64..10_000_000_000, rate in 0.001f64..1e7) {
            for ns in [ns, small] {
                prop_assert_eq!(parse_duration(&print_duration(ns)), Ok(ns));
                let written = |printed: String| printed.replace(' ', "").replace("min", "m").replace(',', "");
                let read = parse_duration(&written(print_time(ns))).unwrap();
                // Printed hours omit the seconds.
                prop_assert!(near(read as f64, ns as f64, 0.009), "{} for {ns}", print_time(ns));
                let read = parse_bytes(&written(print_bytes(ns))).unwrap();
                prop_assert!(near(read as f64, ns as f64, 0.006), "{} for {ns}", print_bytes(ns));
                prop_assert_eq!(parse_count(&print_count(ns).replace(',', "")), Ok(ns));
            }
            prop_assert!(near(parse_rate(&print_rate(rate)).unwrap(), rate, 0.006), "{}", print_rate(rate));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9.kMGhmsunµ/%BiK]{0,24}|\\PC{0,24}") {
            let _ = (parse_duration(&text), parse_rate(&text), parse_rate_flag(&text));
            let _ = (parse_count(&text), parse_bytes(&text), parse_percent(&text));
        }
    }
}
