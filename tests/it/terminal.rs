//! Summary and live view at every width, from hand-made snapshots: golden pages, and rules for any snapshot.

use std::collections::BTreeSet;

use loadtester::plan::Threshold;
use loadtester::report::figures::InstrumentFigures;
use loadtester::report::terminal::{
    Glyphs, History, LEAST_WIDTH, Layout, Line, LiveView, MOST_WIDTH, live_line_within, summary_in,
};
use loadtester::run::{RunInfo, Snapshot, State, TimelinePoint};
use loadtester::tally::Outcome;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use crate::report::{any_snapshot, clean_closed_run, exchanges, golden, run_info, troubled_open_run};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const WIDTHS: [usize; 4] = [60, 80, 120, 200];

/// Thresholds as the plan of [`run_info`] would have them.
fn thresholds(expressions: &[&str]) -> Vec<Threshold> {
    let plan = format!(
        "base_url: http://h\nload: {{requests: 1}}\nscenarios: [{{path: /, name: Get users}}, {{path: /, name: Create user}}]\n\
         thresholds: [{}]",
        expressions.iter().map(|e| format!("'{e}'")).collect::<Vec<_>>().join(", ")
    );
    loadtester::plan::parse(&plan, "plan.yaml", &Default::default(), &|_| None).unwrap().thresholds
}

/// A ramp of `seconds` up to 600/s, with a slow stretch in its middle.
fn ramp(seconds: u64) -> Vec<TimelinePoint> {
    let point = |second: u64| {
        let due = 600 * (second + 1) / seconds;
        let slow = (seconds / 2..seconds / 2 + 4).contains(&second);
        TimelinePoint {
            t: (second + 1) as f64,
            due,
            sent: due - due / 50,
            completed: if slow { due / 2 } else { due - due / 20 },
            failed: due / 20,
            p50_ns: Some(if slow { 40 * MS } else { 4 * MS }),
            ..TimelinePoint::default()
        }
    };
    (0..seconds).map(point).collect()
}

/// An open run after 20 of 30 seconds, with thresholds of which one fails.
fn under_way() -> Snapshot {
    let run = RunInfo {
        model: "open",
        target_rate: Some(400.0),
        warmup_ns: 0,
        scenarios: [
            "Get users",
            "Create user",
            "Get the orders of a user of the northern region with all of their positions",
        ]
        .map(|name| (name.to_owned(), 1))
        .into(),
        thresholds: thresholds(&[
            "p95 < 250ms",
            "error_rate < 1%",
            "Create user: p99 < 5ms",
            "rate >= 200/s",
        ]),
        ..run_info()
    };
    let mut s = Snapshot::new(run, 2, 1_795_363_200.0);
    (s.state, s.elapsed_ns, s.measured_ns) = (State::Running, 20 * SECOND + 40 * MS, 20 * SECOND);
    exchanges(&mut s, 0, Outcome::Ok, 4_000, 2 * MS, 3_000);
    exchanges(&mut s, 1, Outcome::Ok, 2_000, 3 * MS, 9_000);
    exchanges(&mut s, 1, Outcome::UnexpectedStatus, 300, 900_000, 100);
    exchanges(&mut s, 2, Outcome::Ok, 50, 30 * MS, 9_000);
    exchanges(&mut s, 2, Outcome::Timeout, 12, 5 * SECOND, 1_000);
    s.timeline = ramp(20);
    for thread in &mut s.threads {
        (thread.in_flight, thread.busy_ns, thread.observed_ns) = (4, SECOND, 20 * SECOND);
    }
    s
}

/// What earlier frames saw of [`under_way`].
fn history() -> History {
    let mut history = History::default();
    let mut earlier = under_way();
    earlier.tally = Snapshot::new(earlier.run.clone(), 1, 0.0).tally;
    for second in [5, 10, 15] {
        exchanges(&mut earlier, 0, Outcome::Ok, 1_000, second * MS, 3_000);
        earlier.measured_ns = second * SECOND;
        history.look(&earlier);
    }
    history
}

fn drawn(s: &Snapshot, width: usize, height: usize, glyphs: Glyphs) -> Vec<Line> {
    let (history, messages) = (history(), ["status at http://127.0.0.1:8089/".to_owned()]);
    let view = LiveView { snapshot: s, history: &history, messages: &messages, has_keys: true, glyphs };
    view.draw(width, height)
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{}\n", line.text())).collect()
}

fn layout(width: usize, verdict_last: bool) -> Layout {
    Layout { width, color: false, glyphs: Glyphs::Blocks, verdict_last }
}

#[test]
fn the_live_view_at_every_width_and_height() {
    let s = under_way();
    for (width, height) in [(60, 24), (80, 24), (120, 30), (200, 50)] {
        golden(&format!("live_{width}.txt"), &text(&drawn(&s, width, height, Glyphs::Blocks)));
    }
    let low: Vec<String> = [1, 2, 3, 4, 6, 9, 13, 17]
        .iter()
        .map(|height| format!("── {height} lines\n{}", text(&drawn(&s, 80, *height, Glyphs::Ascii))))
        .collect();
    golden("live_low.txt", &low.concat());
}

#[test]
fn the_live_view_before_anything_was_measured() {
    let mut s = Snapshot::new(under_way().run, 2, 0.0);
    let history = History::default();
    let view = |s: &Snapshot| {
        let view = LiveView {
            snapshot: s,
            history: &history,
            messages: &[],
            has_keys: false,
            glyphs: Glyphs::Blocks,
        };
        text(&view.draw(80, 24))
    };
    let starting = view(&s);
    (s.state, s.elapsed_ns) = (State::Running, SECOND / 2);
    golden("live_first.txt", &format!("{starting}── running\n{}", view(&s)));
}

#[test]
fn time_left_thresholds_and_trust_stay_whatever_the_size() {
    let mut s = under_way();
    (s.throttled_ns, s.throttled_periods) = (SECOND, 30);
    for width in [40, 60, 80, 200] {
        for height in 3..40 {
            let text = text(&drawn(&s, width, height, Glyphs::Blocks));
            assert!(text.contains("10 s left"), "{width} × {height}:\n{text}");
            assert!(
                text.contains("failing") && text.contains("NOT trustworthy"),
                "{width} × {height}:\n{text}"
            );
        }
        let line = live_line_within(&s, width.max(60));
        assert!(line.contains("10 s left") && line.contains("failing"), "{line}");
    }
}

#[test]
fn the_line_of_a_run_leaves_out_what_matters_least() {
    let lines: Vec<String> =
        WIDTHS.iter().map(|width| format!("{}\n", live_line_within(&under_way(), *width))).collect();
    golden("live_line_widths.txt", &lines.concat());
    assert!(live_line_within(&under_way(), 30).ends_with('…'), "what does not fit is seen to be missing");
}

#[test]
fn a_summary_on_a_terminal_ends_with_the_verdict() {
    let (mut troubled, instrument) = troubled_open_run();
    troubled.run.thresholds = thresholds(&["p99 < 250ms", "Get users: p99.9 < 5ms", "error_rate < 1%"]);
    for width in WIDTHS {
        golden(&format!("terminal_{width}.txt"), &summary_in(&troubled, &instrument, layout(width, true)));
    }
    let clean = summary_in(&clean_closed_run(), &clean_closed_run().instrument(), layout(80, true));
    assert!(clean.lines().last().unwrap().starts_with("DONE: 15,000 requests"), "{clean}");
}

#[test]
fn bars_are_ascii_where_the_locale_is() {
    let s = clean_closed_run();
    let ascii = Layout { glyphs: Glyphs::Ascii, ..layout(80, true) };
    let bars = |layout| {
        let text = summary_in(&s, &s.instrument(), layout);
        ['█', '#'].map(|glyph| text.contains(glyph))
    };
    assert_eq!((bars(ascii), bars(layout(80, true))), ([false, true], [true, false]));
}

/// The words of a page; those that were shortened, and bars, are none.
fn words(text: &str) -> BTreeSet<String> {
    let is_drawn = |c: char| "█▏▎▍▌▋▊▉░▁▂▃▄▅▆▇#".contains(c);
    let words = text.lines().flat_map(|line| line.split(' '));
    words.filter(|word| !word.contains('…') && !word.chars().all(is_drawn)).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_line_is_too_long_and_no_word_is_broken(
        snapshot in any_snapshot(), width in LEAST_WIDTH..MOST_WIDTH, height in 0usize..60,
        trustworthy: bool, reason in "[^N]{0,300}", verdict_last: bool
    ) {
        let instrument = InstrumentFigures {
            trustworthy,
            reasons: vec![reason.clone()],
            reason_names: vec!["sent_late"],
            notes: vec![reason],
            offered_ratio: Some(0.9),
        };
        let page = |width| summary_in(&snapshot, &instrument, layout(width, verdict_last));
        let narrow = page(width);
        for line in narrow.lines() {
            prop_assert!(line.width() <= width, "{width} < {}: {line}", line.width());
            prop_assert!(!line.ends_with(' '), "{line:?}");
        }
        let (known, shown) = (words(&page(MOST_WIDTH)), words(&narrow));
        let broken: Vec<&String> = shown.difference(&known).collect();
        prop_assert!(broken.is_empty(), "{broken:?} in\n{narrow}\nwhich is in full\n{}", page(MOST_WIDTH));
        let live = drawn(&snapshot, width, height, Glyphs::Blocks);
        prop_assert!(live.len() <= height);
        for line in &live {
            prop_assert!(line.width() <= width && !line.text().ends_with(' '), "{width}: {:?}", line.text());
            prop_assert!(line.print(true).replace('\x1b', "").len() >= line.text().len());
        }
        prop_assert!(live_line_within(&snapshot, width).width() <= width);
    }
}
