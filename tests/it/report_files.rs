//! Timeline and interval log, read back by somebody else's reader.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use loadtester::report::hlog;
use loadtester::report::{csv, json};
use loadtester::run::Intervals;
use loadtester::tally::{Merged, RowTime, RowTimer, StepId, Timer};
use serde_json::Value;

use super::report::{clean_closed_run, troubled_open_run, trusted};

#[test]
fn the_timeline_read_back_is_that_of_the_report() {
    let (snapshot, instrument) = troubled_open_run();
    let text = csv::text(&snapshot);
    let report: Value = serde_json::from_str(&json::report(&snapshot, &instrument)).unwrap();
    let mut records = text.strip_suffix("\r\n").unwrap().split("\r\n");
    let header: Vec<&str> = records.next().unwrap().split(',').collect();
    let points = report["timeline"].as_array().unwrap();
    assert_eq!(records.clone().count(), points.len());
    for (record, point) in records.zip(points) {
        let fields: Vec<&str> = record.split(',').collect();
        assert_eq!(fields.len(), point.as_object().unwrap().len(), "every figure has its column");
        for (name, field) in header.iter().zip(fields) {
            let number = (!field.is_empty()).then(|| field.parse::<f64>().unwrap());
            assert_eq!(number, point[*name].as_f64(), "{name}");
        }
    }
    assert_eq!(csv::text(&clean_closed_run()), csv::HEADER.join(",") + "\r\n");
}

fn decode(encoded: &str) -> Histogram<u64> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    Deserializer::new().deserialize(&mut &bytes[..]).unwrap()
}

#[test]
fn the_intervals_of_each_tag_add_up_to_the_whole_run() {
    let mut snapshot = clean_closed_run();
    let mut intervals = Intervals::new(["Get users", "Create user"]);
    let mut whole = Merged::new(2);
    for second in 0..5u64 {
        let mut window = Merged::new(2);
        (0..100 * second)
            .for_each(|i| window.record_row(StepId(0), RowTimer::ResponseOk, 1_000_000 + i * 10_000));
        (0..10).for_each(|i| {
            window.record_row(StepId(1), RowTimer::ResponseOk, 80_000_000 + i * second * 1_000)
        });
        intervals.add(second as f64, second as f64 + 1.0, window.rows());
        whole.merge(&window);
    }
    snapshot.intervals = Some(intervals);
    let text = hlog::text(&snapshot);
    assert!(text.contains("#[Histogram log format version 1.3]\n"));
    let empty = || Histogram::<u64>::new_from(&whole.timer(Timer::Slip).to_hdr());
    let (mut all, mut users, mut creations) = (empty(), empty(), empty());
    let (mut untagged, mut start_time) = (0, None);
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        match entry.unwrap_or_else(|e| panic!("{e:?}\n{text}")) {
            LogEntry::StartTime(time) => start_time = Some(time.as_secs_f64()),
            LogEntry::BaseTime(_) => {}
            LogEntry::Interval(interval) => {
                assert_eq!(interval.duration().as_secs_f64(), 1.0);
                let histogram = decode(interval.encoded_histogram());
                assert!((interval.max() - histogram.max() as f64 / 1e6).abs() < 0.001);
                let sum = match interval.tag().map(|t| t.as_str().to_owned()).as_deref() {
                    None => {
                        assert_eq!(interval.start_timestamp().as_secs(), untagged);
                        untagged += 1;
                        &mut all
                    }
                    Some("Get_users") => &mut users,
                    Some("Create_user") => &mut creations,
                    other => panic!("{other:?}"),
                };
                sum.add(histogram).unwrap();
            }
        }
    }
    assert_eq!((untagged, start_time), (5, Some(1_795_363_205.0)), "the warm-up is not measured");
    assert_eq!(users, whole.row(StepId(0)).times(RowTime::Response).to_hdr());
    assert_eq!(creations, whole.row(StepId(1)).times(RowTime::Response).to_hdr());
    assert_eq!(all, whole.times(RowTime::Response).to_hdr());
}

#[test]
fn a_log_of_a_run_whose_windows_were_not_kept_has_no_interval() {
    assert!(json::report(&clean_closed_run(), &trusted()).contains("timeline"));
    let text = hlog::text(&clean_closed_run());
    let mut entries = IntervalLogIterator::new(text.as_bytes());
    assert!(!entries.any(|e| matches!(e.unwrap(), LogEntry::Interval(_))));
}
