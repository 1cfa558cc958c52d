//! The HTML report, parsed as the XML it also happens to be: nothing from outside becomes markup, nothing is
//! fetched, and it can be read aloud.

use loadtester::report::figures::Threshold;
use loadtester::report::{InstrumentFigures, html};
use loadtester::run::{Ending, Snapshot, Tail, TailPoint, Tails, TimelinePoint};
use loadtester::tally::Outcome;
use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::report::{
    any_snapshot, any_threshold, clean_closed_run, exchanges, golden, nothing_measured, troubled_open_run,
    trusted,
};

/// Elements that HTML does not close.
const VOID: [&str; 4] = ["meta", "br", "link", "input"];

/// `page` as XML: void elements closed, flags given a value, the document type dropped.
pub fn as_xml(page: &str) -> String {
    let mut xml = page
        .strip_prefix("<!DOCTYPE html>")
        .expect("a document type")
        .replace("<details open>", "<details open=\"\">")
        .replace(" download>", " download=\"\">")
        .replace(" required>", " required=\"\">")
        .replace(" hidden>", " hidden=\"\">")
        .replace(" defer>", " defer=\"\">");
    for name in VOID {
        let start = format!("<{name}");
        let mut closed = String::new();
        let mut rest = xml.as_str();
        while let Some(at) = rest.find(&start) {
            let end = at + rest[at..].find('>').unwrap();
            closed += &rest[..end];
            closed += "/>";
            rest = &rest[end + 1..];
        }
        xml = closed + rest;
    }
    xml
}

fn check(page: &str, look: impl FnOnce(&Document)) {
    let xml = as_xml(page);
    let document = Document::parse(&xml).unwrap_or_else(|e| panic!("{e}\n{page}"));
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(!["script", "link", "img", "iframe", "object", "base", "form"].contains(&name), "<{name}>");
        for attribute in node.attributes() {
            let fetches = ["src", "href", "style", "srcset"].contains(&attribute.name());
            assert!(!fetches && !attribute.name().starts_with("on"), "{} on <{name}>", attribute.name());
        }
        if name == "th" {
            assert!(matches!(node.attribute("scope"), Some("col" | "row")), "a header cell without a scope");
        }
        if name == "svg" {
            let inner: Vec<&str> =
                node.children().filter(Node::is_element).map(|n| n.tag_name().name()).collect();
            assert_eq!((&inner[..2], node.attribute("role")), (&["title", "desc"][..], Some("img")));
        }
        for id in node.attribute("aria-labelledby").into_iter().flat_map(str::split_whitespace) {
            let named = document.descendants().filter(|n| n.attribute("id") == Some(id)).count();
            assert_eq!(named, 1, "#{id}");
        }
    }
    look(&document);
}

pub fn text_of(node: Node) -> String {
    let text: String = node.descendants().filter_map(|n| n.is_text().then(|| n.text()).flatten()).collect();
    text.replace('\u{a0}', " ")
}

/// The words of a page, for its golden file: a line for each piece of text.
pub fn words_of(page: &Document) -> String {
    let pieces =
        page.descendants().filter(|n| n.is_text() && !n.parent().is_some_and(|p| p.has_tag_name("style")));
    let lines = pieces.filter_map(|n| n.text()).map(|text| text.replace('\u{a0}', " ").trim().to_owned());
    let lines = lines.filter(|line| !line.is_empty()).map(|line| line + "\n");
    lines.collect::<String>().replace(env!("CARGO_PKG_VERSION"), "…")
}

fn page(snapshot: &Snapshot, instrument: &InstrumentFigures) -> String {
    html::page(snapshot, instrument, &[])
}

pub fn with_timeline(mut snapshot: Snapshot, windows: u64) -> Snapshot {
    snapshot.measured_ns = windows * 1_000_000_000;
    let point = |i| TimelinePoint {
        t: i as f64,
        due: 501 + i % 7,
        sent: 501 + i % 7,
        completed: 500 + i % 7,
        failed: i % 2,
        dropped: 0,
        p50_ns: Some(1_000_000 + i % 5),
        p99_ns: Some(if i == 4_321 { 987_000_000 } else { 9_000_000 }),
        service_p50_ns: Some(900_000),
        service_p99_ns: Some(8_000_000),
        slip_p99_ns: (i % 3 > 0).then_some(20_000),
        ..TimelinePoint::default()
    };
    snapshot.timeline = (1..=windows).map(point).collect();
    let tail = |ns: fn(&TimelinePoint) -> Option<u64>| {
        let points = snapshot.timeline.iter().filter_map(|p| {
            let (from_s, to_s) = (p.t as f32 - 1.0, p.t as f32);
            ns(p).map(|ns| TailPoint { from_s, to_s, ns })
        });
        let mut tail = Tail::default();
        tail.p99 = points.collect();
        tail
    };
    snapshot.tails = Tails {
        response: tail(|p| p.p99_ns),
        service: tail(|p| p.service_p99_ns),
        slip: tail(|p| p.slip_p99_ns),
    };
    snapshot
}

#[test]
fn an_interrupted_run_does_not_hide_that_a_threshold_had_failed() {
    let mut snapshot = clean_closed_run();
    (snapshot.ending, snapshot.run.thresholds) = (Ending::Interrupted, any_threshold());
    let header = |snapshot: &Snapshot| {
        let mut header = (String::new(), String::new());
        check(&page(snapshot, &trusted()), |document| {
            let node = document.descendants().find(|n| n.has_tag_name("header")).unwrap();
            header = (node.attribute("class").unwrap().to_owned(), text_of(node));
        });
        header
    };
    let (tone, text) = header(&snapshot);
    assert!(
        tone == "warn" && text.contains("Interrupted") && !text.contains("does not hold"),
        "{tone} {text}"
    );
    exchanges(&mut snapshot, 0, Outcome::Reset, 900_000, 1_000_000, 0);
    let (tone, text) = header(&snapshot);
    assert!(tone == "bad", "{tone} {text}");
    assert!(
        text.contains("Interrupted: the run was stopped after 30.0 s")
            && text.contains("; 1 of 2 thresholds does not hold"),
        "{text}"
    );
}

#[test]
fn each_chart_names_its_axes_and_says_which_are_logarithmic() {
    check(&page(&with_timeline(clean_closed_run(), 5_000), &trusted()), |document| {
        let text = |id: &str| {
            let title = format!("{id}-title {id}-description");
            let svg = document.descendants().find(|n| n.attribute("aria-labelledby") == Some(title.as_str()));
            let labels =
                svg.unwrap().descendants().filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "text")));
            labels.map(text_of).collect::<Vec<_>>()
        };
        let has =
            |id: &str, label: &str| assert!(text(id).iter().any(|l| l == label), "{label} in {:?}", text(id));
        has("throughput", "requests per second");
        has("throughput", "time since measuring began");
        // Of 0.9 ms and 987 ms.
        has("over-time", "time, logarithmic");
        has("by-percentile", "share of requests, logarithmic towards 100 %");
    });
}

#[test]
fn a_chart_shows_no_percentile_of_too_few_requests() {
    // No row of seconds had enough.
    let snapshot = Snapshot { tails: Tails::default(), ..with_timeline(clean_closed_run(), 5) };
    check(&page(&snapshot, &trusted()), |document| {
        let legend: Vec<String> =
            document.descendants().filter(|n| n.attribute("class") == Some("legend")).map(text_of).collect();
        assert!(legend.contains(&"response 50 %".to_owned()), "{legend:?}");
        assert!(!legend.iter().any(|name| name.contains("99 %") || name.contains("90 %")), "{legend:?}");
    });
}

#[test]
fn the_page_shows_the_verdict_and_whether_it_is_trustworthy() {
    check(&page(&clean_closed_run(), &trusted()), |document| {
        let h1: Vec<String> = document.descendants().filter(|n| n.has_tag_name("h1")).map(text_of).collect();
        assert_eq!(h1, ["✓Done: 15,000 requests in 30.0 s"]);
        let header = document.descendants().find(|n| n.has_tag_name("header")).unwrap();
        assert_eq!(header.attribute("class"), Some("good"));
    });
    let (snapshot, instrument) = troubled_open_run();
    check(&page(&snapshot, &instrument), |document| {
        let text = text_of(document.root_element());
        for expected in [
            "Interrupted",
            instrument.reasons[1].as_str(),
            "nothing received? in 5.00 s", // of the snapshot, with its control character replaced
        ] {
            assert!(text.contains(expected), "{expected}");
        }
        assert!(!text.contains("hunter2") && !text.contains('\x1b'));
        golden("report_html.txt", &words_of(document));
    });
    check(&page(&nothing_measured(), &trusted()), |document| {
        assert!(!document.descendants().any(|n| n.has_tag_name("table") && text_of(n).contains("p99")));
    });
}

#[test]
fn words_from_a_plan_are_words_and_not_markup() {
    let mut snapshot = clean_closed_run();
    let evil = "</td></style><script>alert(1)</script><img src=x onerror=y> \" ' &amp;";
    snapshot.run.scenarios[0].0 = evil.to_owned();
    snapshot.run.plan_source = evil.to_owned();
    snapshot.run.target = format!("http://{evil}");
    let threshold = Threshold {
        expression: evil.to_owned(),
        scenario: None,
        limit: 0.25,
        observed: Some(1.0),
        result: "failed",
        margin: Some(-0.5),
        over: None,
        requests: None,
        reason: Some(evil.to_owned()),
    };
    let instrument = InstrumentFigures {
        trustworthy: false,
        reasons: vec![evil.to_owned()],
        reason_names: Vec::new(),
        notes: vec![evil.to_owned()],
        offered_ratio: None,
    };
    check(&html::page(&snapshot, &instrument, &[threshold]), |document| {
        let shown = document.descendants().filter(|n| n.is_text() && n.text() == Some(evil)).count();
        assert!(shown >= 5, "shown {shown} times");
        let missed = document.descendants().find(|n| n.attribute("class") == Some("result failed"));
        assert_eq!(missed.map(text_of).as_deref(), Some("failed"));
    });
}

#[test]
fn a_long_run_is_drawn_with_its_peak_in_a_page_of_bounded_size() {
    let page = page(&with_timeline(clean_closed_run(), 90_000), &trusted());
    assert!(page.len() < 200_000, "{} bytes", page.len());
    check(&page, |document| {
        let svgs: Vec<Node> = document
            .descendants()
            .filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "svg")))
            .collect();
        assert_eq!(svgs.len(), 4);
        let over_time =
            svgs.iter().find(|s| s.attribute("aria-labelledby").unwrap().starts_with("over-time")).unwrap();
        assert!(text_of(*over_time).contains("987 ms"));
        let line = over_time.descendants().filter_map(|n| n.attribute("points")).next_back().unwrap();
        let places: Vec<(f64, f64)> = line
            .split(' ')
            .map(|p| p.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap())
            .collect();
        assert!(places.len() <= 600, "{}", places.len());
        // One point stands far above all others, at the place of the peak.
        let top = places.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!(places.iter().filter(|p| p.1 < top.1 + 20.0).count() == 1, "{top:?}");
        assert!(top.0 > 70.0 && top.0 < 95.0, "{top:?}");
    });
}

#[test]
fn the_page_allows_its_own_style_sheet_and_nothing_else() {
    let page = page(&clean_closed_run(), &trusted());
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    assert!(!page.contains("url(") && !page.contains("@import"));
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_run_makes_a_page(snapshot in any_snapshot(), windows in 0u64..5) {
        let page = page(&with_timeline(snapshot.clone(), windows), &snapshot.instrument());
        prop_assert!(!page.contains("NaN"), "a figure is not a number");
        check(&page, |_| {});
    }
}

#[test]
fn a_fleet_has_a_row_for_each_worker_and_says_what_is_missing() {
    use loadtester::fleet::coordinator::{Departure, MemberState, Row};
    use loadtester::fleet::messages::{Health, Totals, WorkerId};

    let row = |worker, gone| Row {
        worker: WorkerId(worker),
        slot: worker,
        host: format!("node-{worker}<b>"),
        threads: 1,
        mark: MemberState::Lost,
        shard: None,
        health: Health { send_delay_p99_ns: (worker > 0).then_some(9_000_000_000), ..Health::default() },
        heard_ns: 3_000_000_000,
        acked_seq: 1,
        totals: Totals { sent: 77, ..Totals::default() },
        gone,
        start_error_ns: None,
        had_shard: true,
    };
    let gone = Departure { at_ns: 9_000_000_000, heard_ns: 3_000_000_000, replaced: false };
    let (mut snapshot, _) = troubled_open_run();
    snapshot.fleet = Some(loadtester::run::Fleet {
        rates: Vec::new(),
        rows: vec![row(0, None), row(1, Some(gone))],
        now_ns: 9_000_000_000,
        start_at_ns: Some(1_000_000_000),
        start_skew_bound_ns: Some(80_000),
        plan_from: None,
        waiting: None,
        stopped: None,
        missing: vec![1],
        unequal: Vec::new(),
        asked: None,
    });
    let instrument = snapshot.instrument();
    for name in ["workers_incomplete", "worker_late"] {
        assert!(instrument.reason_names.contains(&name), "{:?}", instrument.reason_names);
    }
    check(&html::page(&snapshot, &instrument, &[]), |document| {
        let fleet = document.descendants().find(|n| n.attribute("aria-labelledby") == Some("fleet")).unwrap();
        let text: String = fleet.descendants().filter_map(|n| n.text()).collect();
        assert!(text.contains("node-1<b>") && text.contains(" 2.0 s "), "{text}");
        assert!(text.contains(" 80"), "{text}");
        assert!(
            text.contains("9.00 s") && text.contains('–'),
            "a percentile that is not known is none: {text}"
        );
    });
}
