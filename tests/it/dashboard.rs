//! The dashboard as a browser gets it: well-formed, useful without scripts, asking for its parts until the run
//! is over, and then offering the report or saying that it is the last picture. What a browser makes of it is tested in tests/browser.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use loadtester::fleet::coordinator::{AwaitedStep, Departure, MemberState, Row, Waiting};
use loadtester::fleet::messages::{Health, Totals, WorkerId, WorkerState};
use loadtester::plan::{self, Overrides};
use loadtester::report::dashboard::{self, Fragment, PageFeatures};
use loadtester::run::Intervals;
use loadtester::run::SharedSnapshot;
use loadtester::run::{Ending, Fleet, Snapshot, State};
use loadtester::web::{Action, Listen, Operator, Server, Site, Token, serve};
use proptest::prelude::*;
use roxmltree::{Document, Node};

use crate::live::{PROMPTLY, agent, get, say, server_of, snapshot};
use crate::report::{any_snapshot, clean_closed_run, golden, troubled_open_run};
use crate::report_html::{as_xml, text_of, with_timeline, words_of};
use loadtester::tally::{RowTimer, StepId};

/// What a page offers that can only be read, and whose server ends with the run.
const BARE: PageFeatures = PageFeatures { linger: None, stop: false, start: false };
/// What one offers whose server stays up and which has an operator.
const OPERATED: PageFeatures =
    PageFeatures { linger: Some(Duration::from_secs(90)), stop: true, start: true };

/// `page` is well-formed, fetches only from its own server, and holds nothing a strict policy would refuse.
fn check(page: &str, look: impl FnOnce(&Document)) {
    let xml = as_xml(page);
    let document = Document::parse(&xml).unwrap_or_else(|e| panic!("{e}\n{page}"));
    let mut ids = HashSet::new();
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(!["style", "img", "iframe", "object", "base"].contains(&name), "<{name}>");
        assert!(name != "script" || text_of(node).is_empty(), "a script in the page");
        for attribute in node.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            assert!(key != "style" && !key.starts_with("on"), "{key} on <{name}>");
            let fetches = ["src", "href", "action", "hx-get", "hx-post"].contains(&key);
            let here = value.starts_with('#') || (value.starts_with('/') && !value.starts_with("//"));
            assert!(!fetches || here, "{key}={value:?}");
        }
        if let Some(id) = node.attribute("id") {
            assert!(ids.insert(id.to_owned()), "#{id} twice");
        }
    }
    for node in document.descendants().filter(Node::is_element) {
        for id in node.attribute("aria-labelledby").into_iter().flat_map(str::split_whitespace) {
            assert!(ids.contains(id), "#{id} labels and is not there");
        }
    }
    look(&document);
}

fn finished(mut snapshot: Snapshot) -> Snapshot {
    snapshot.state = State::Finished;
    snapshot
}

fn show(snapshot: Snapshot) -> (Arc<SharedSnapshot>, Server) {
    let shared = Arc::new(SharedSnapshot::new(snapshot));
    (shared.clone(), server_of(shared))
}

/// A server that stays up after the run.
fn show_lingering(snapshot: Snapshot) -> (Arc<SharedSnapshot>, Server) {
    let shared = Arc::new(SharedSnapshot::new(snapshot));
    let site = Site { linger: OPERATED.linger, ..Site::of(shared.clone()) };
    (shared, serve(Listen::At(([127, 0, 0, 1], 0).into()), site).expect("a free port"))
}

#[test]
fn a_page_asks_for_its_parts_by_its_script_and_loads_itself_anew_without_one() {
    check(&dashboard::page(&snapshot(), &BARE), |page| {
        let asked: Vec<_> = page.descendants().filter_map(|n| n.attribute("hx-get")).collect();
        assert_eq!(asked, ["/live/now", "/live/charts", "/live/details"]);
        let reload = page.descendants().find(|n| n.attribute("http-equiv") == Some("refresh")).unwrap();
        assert!(reload.ancestors().any(|n| n.has_tag_name("noscript")), "only where no script runs");
        let script = page.descendants().find(|n| n.has_tag_name("script")).unwrap();
        assert_eq!(script.attribute("src"), Some("/scripts.js"));
        let config = page.descendants().find(|n| n.attribute("name") == Some("htmx-config")).unwrap();
        let config: serde_json::Value = serde_json::from_str(config.attribute("content").unwrap()).unwrap();
        assert_eq!((&config["allowEval"], &config["includeIndicatorStyles"]), (&false.into(), &false.into()));
    });
    for offer in [BARE, OPERATED] {
        let over = dashboard::page(&finished(snapshot()), &offer);
        assert!(!over.contains("hx-get") && !over.contains("refresh"), "a finished run changes no more");
    }
}

#[test]
fn during_a_run_the_page_shows_its_progress() {
    check(&dashboard::page(&snapshot(), &BARE), |page| {
        let text = text_of(page.root_element());
        for expected in ["Running", "25 %", "2 s ", "8 s ", "500.0/s", "25 ", "1 "] {
            assert!(text.contains(expected), "no {expected:?} in {text}");
        }
        golden("dashboard.txt", &words_of(page));
        let bar = page.descendants().find(|n| n.has_tag_name("progress")).unwrap();
        assert_eq!(bar.attribute("value"), Some("0.250"));
        assert!(!page.descendants().any(|n| n.attribute("href").is_some_and(|h| h.starts_with("/report."))));
    });
}

/// [`snapshot`] with two thresholds of which the second does not hold.
fn gated() -> Snapshot {
    let text = "base_url: http://h\nload: {duration: 10s, rate: 500/s}\nscenarios: [{path: /}]\n\
        thresholds: [p50 < 10s, error_rate < 0.01%]\n";
    let plan = plan::parse(text, "plan.yaml", &Overrides::default(), &|_| None).expect("a plan");
    let mut snapshot = snapshot();
    snapshot.run.thresholds = plan.thresholds;
    snapshot
}

#[test]
fn a_failing_threshold_is_at_the_top_and_in_its_row_during_the_run() {
    check(&dashboard::page(&gated(), &BARE), |page| {
        let h1 = text_of(page.descendants().find(|n| n.has_tag_name("h1")).unwrap());
        assert!(h1.contains("1 of 3") && h1.contains("error_rate < 0.01%"), "{h1}");
        let results: Vec<_> = page
            .descendants()
            .filter(|n| n.attribute("class").is_some_and(|c| c.starts_with("result ")))
            .map(|n| n.attribute("class").unwrap())
            .collect();
        assert_eq!(results, ["result passed", "result failed", "result passed"]);
        let header = page.descendants().find(|n| n.has_tag_name("header")).unwrap();
        assert_eq!(header.attribute("class"), Some("bad"));
    });
}

/// Charts with something in them.
fn drawn(page: &Document) -> usize {
    page.descendants().filter(|n| n.has_tag_name("figure") && n.attribute("class") != Some("waiting")).count()
}

/// Charts that wait for something to draw.
fn waiting(page: &Document) -> usize {
    page.descendants().filter(|n| n.has_tag_name("figure") && n.attribute("class") == Some("waiting")).count()
}

#[test]
fn before_anything_is_measured_nothing_fails_and_each_chart_has_its_place() {
    let mut snapshot = gated();
    let text = "base_url: http://h\nload: {duration: 10s, rate: 500/s}\nscenarios: [{path: /}]\nthresholds: [count > 9]\n";
    snapshot.run.thresholds =
        plan::parse(text, "plan.yaml", &Overrides::default(), &|_| None).expect("a plan").thresholds;
    let fresh = Snapshot { state: State::WarmingUp, ..Snapshot::new(snapshot.run, 1, 0.0) };
    check(&dashboard::page(&fresh, &BARE), |page| {
        let text = text_of(page.root_element());
        assert!(!text.contains("0 ns"), "{text}");
        let class = |name: &str| page.descendants().any(|n| n.attribute("class") == Some(name));
        assert!(text.contains("count > 9") && !class("result failed"), "{text}");
        assert_eq!((drawn(page), waiting(page)), (0, 4));
    });
}

#[test]
fn a_run_without_a_single_response_still_shows_its_rate() {
    let mut silent = with_timeline(snapshot(), 5);
    silent.state = State::Running;
    silent.tally = Snapshot::new(silent.run.clone(), 1, 0.0).tally;
    (silent.tails.response, silent.tails.service) = Default::default();
    for point in &mut silent.timeline {
        (point.p50_ns, point.p99_ns, point.service_p50_ns, point.service_p99_ns) = (None, None, None, None);
    }
    check(&dashboard::page(&silent, &BARE), |page| {
        assert_eq!((drawn(page), waiting(page)), (2, 2));
    });
}

#[test]
fn the_status_role_holds_no_figure_that_changes_all_the_time() {
    let spoken = |snapshot: &Snapshot| {
        let mut status = String::new();
        check(&dashboard::page(snapshot, &BARE), |page| {
            status = text_of(page.descendants().find(|n| n.attribute("role") == Some("status")).unwrap());
        });
        status
    };
    let mut later = snapshot();
    (later.elapsed_ns, later.measured_ns) = (5_000_000_000, 5_000_000_000);
    later.tally.record_row(StepId(0), RowTimer::ResponseOk, 1_000_000);
    assert_eq!(spoken(&snapshot()), spoken(&later));
    assert_ne!(spoken(&snapshot()), spoken(&finished(snapshot())));
    assert_ne!(spoken(&snapshot()), spoken(&gated()));
}

#[test]
fn the_parts_are_those_of_the_page_and_the_last_ones_end_the_asking() {
    let (shared, server) = show(snapshot());
    let part = |part: Fragment| get(server.addr(), &format!("/live/{}", part.name()));
    for p in Fragment::ALL {
        assert_eq!(part(p), (200, shared.read(|s| dashboard::part(p, s, &BARE))));
    }
    assert_eq!(get(server.addr(), "/live/other").0, 404);
    shared.update(|snapshot| snapshot.state = State::Finished);
    for p in Fragment::ALL {
        assert_eq!(part(p), (286, shared.read(|s| dashboard::part(p, s, &BARE))));
    }
}

#[test]
fn a_page_whose_program_ends_with_the_run_says_so_and_offers_nothing_that_would_be_gone() {
    let ends_with_it = PageFeatures { linger: Some(Duration::ZERO), ..BARE };
    assert!(!dashboard::page(&finished(snapshot()), &BARE).contains("--linger"), "a worker has no such flag");
    check(&dashboard::page(&finished(snapshot()), &ends_with_it), |page| {
        let ended = page.descendants().find(|n| n.attribute("class") == Some("ended")).unwrap();
        let text = text_of(ended);
        assert!(text.contains("The run is over") && text.contains("--linger"), "{text}");
        assert_eq!(ended.attribute("hidden"), None);
        assert!(!page.descendants().any(|n| n.attribute("href").is_some_and(|h| h.starts_with("/report."))));
    });
    check(&dashboard::page(&finished(snapshot()), &OPERATED), |page| {
        let links = page.descendants().find(|n| n.attribute("class") == Some("downloads")).unwrap();
        assert_eq!(links.attribute("data-seconds"), Some("90"), "after them the script takes the links away");
        let ended = page.descendants().find(|n| n.attribute("id") == Some("ended")).unwrap();
        assert!(ended.attribute("hidden").is_some());
    });
}

/// How long a server waits for its pages at its end.
fn seen_off(server: &Server) -> Duration {
    let began = Instant::now();
    server.see_pages_off();
    began.elapsed()
}

#[test]
fn a_server_waits_at_the_end_until_each_open_page_has_every_final_part() {
    let (shared, server) = show(snapshot());
    let ask = |page: u64, part: Fragment| get(server.addr(), &format!("/live/{}?page={page}", part.name())).0;
    // Nobody: neither who asks once without a number, nor a page before the run is over.
    get(server.addr(), "/");
    get(server.addr(), "/live/now");
    get(server.addr(), "/live/now?page=first");
    assert_eq!(ask(7, Fragment::Now), 200);
    assert!(seen_off(&server) < Duration::from_millis(500));
    shared.update(|snapshot| snapshot.state = State::Finished);
    // A page that is open is waited for, but not without end; one that is closed is not.
    let waited = seen_off(&server);
    assert!((1_000..15_000).contains(&waited.as_millis()), "{waited:?}");
    ask(9, Fragment::Now);
    get(server.addr(), "/live/now?page=9&closed");
    assert!(seen_off(&server) < Duration::from_millis(500), "closed");
    thread::scope(|scope| {
        ask(8, Fragment::Now);
        let waiting = scope.spawn(|| seen_off(&server));
        for page in [7, 8] {
            assert!(Fragment::ALL.into_iter().all(|part| ask(page, part) == 286));
        }
        assert!(waiting.join().unwrap() < Duration::from_secs(1));
    });
    assert!(seen_off(&server) < Duration::from_millis(500), "each has it");
}

#[test]
fn the_report_can_be_downloaded_in_each_form_once_the_run_is_over() {
    let (shared, server) = show_lingering(snapshot());
    let forms = ["json", "html", "xml", "csv", "hlog"];
    for form in forms {
        let (code, why) = get(server.addr(), &format!("/report.{form}"));
        assert!(code == 409 && why.contains("/status"), "{form}: {code} {why}");
    }
    shared.update(|snapshot| snapshot.state = State::Finished);
    let (code, why) = get(server.addr(), "/report.hlog");
    assert!(code == 404 && why.contains("--report FILE.hlog"), "{code} {why}");
    let page = get(server.addr(), "/").1;
    assert!(page.contains("/report.csv") && !page.contains("/report.hlog"), "only what can be had");

    shared.update(|snapshot| snapshot.intervals = Some(Intervals::new(["a", "b"])));
    assert!(get(server.addr(), "/").1.contains("/report.hlog"));
    for form in forms {
        let url = format!("http://{}/report.{form}", server.addr());
        let mut answer = agent(PROMPTLY).get(&url).call().expect("an answer");
        assert_eq!(answer.status(), 200, "{form}");
        let name = format!("attachment; filename=\"report.{form}\"");
        assert_eq!(answer.headers()["content-disposition"], name.as_str());
        let text = answer.body_mut().read_to_string().expect("text");
        match form {
            "json" => assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["schema"], 1),
            "html" => assert!(text.starts_with("<!DOCTYPE html>")),
            "xml" => assert!(Document::parse(&text).unwrap().root_element().has_tag_name("testsuites")),
            "csv" => assert!(text.starts_with("t,completed,")),
            _ => assert!(text.starts_with("#[Logged by loadtester")),
        }
    }
    assert_eq!(get(server.addr(), "/report.pdf").0, 404);
}

#[test]
fn the_parts_of_a_day_stay_small() {
    let day = with_timeline(clean_closed_run(), 86_400);
    let running = Snapshot { state: State::Running, ..day };
    let sizes = Fragment::ALL.map(|part| dashboard::part(part, &running, &BARE).len());
    assert!(sizes.iter().all(|bytes| (500..60_000).contains(bytes)), "{sizes:?} bytes");
}

#[test]
fn words_from_a_plan_are_words_and_not_markup() {
    let evil = "</td><script>alert(1)</script><img src=x onerror=y> \" ' &amp;";
    let (mut snapshot, _) = troubled_open_run();
    snapshot.state = State::Running;
    snapshot.run.scenarios[0].0 = evil.to_owned();
    snapshot.run.target = format!("http://{evil}");
    check(&dashboard::page(&snapshot, &BARE), |page| {
        assert!(page.descendants().filter(|n| n.is_text() && n.text() == Some(evil)).count() >= 1);
    });
}

#[test]
fn the_style_sheet_and_icon_fetch_nothing() {
    let (_, server) = show(snapshot());
    let (code, style) = get(server.addr(), "/style.css");
    assert_eq!(code, 200);
    assert!(!style.contains("url(") && !style.contains("@import"));
    assert!(style.contains("prefers-color-scheme: dark"));
    check_svg(&get(server.addr(), "/icon.svg").1);
}

fn worker(number: u32, host: &str, mark: MemberState, gone_ns: Option<u64>) -> Row {
    Row {
        worker: WorkerId(number),
        slot: number,
        host: host.to_owned(),
        threads: 1,
        mark,
        shard: None,
        health: Health::default(),
        heard_ns: 4_000_000_000,
        acked_seq: 3,
        totals: Totals::default(),
        gone: gone_ns.map(|heard_ns| Departure { at_ns: heard_ns, heard_ns, replaced: false }),
        start_error_ns: None,
        had_shard: true,
    }
}

#[test]
fn each_worker_has_a_row_and_one_that_was_lost_is_red() {
    let mut snapshot = snapshot();
    snapshot.fleet = Some(Fleet {
        rates: Vec::new(),
        rows: vec![
            worker(0, "left", MemberState::Present(WorkerState::Running), None),
            worker(1, "<b>right", MemberState::Lost, Some(2_000_000_000)),
            Row {
                heard_ns: 2_000_000_000,
                ..worker(2, "quiet", MemberState::Present(WorkerState::Running), None)
            },
        ],
        now_ns: 4_500_000_000,
        start_at_ns: Some(1_000_000_000),
        start_skew_bound_ns: Some(2_000_000),
        plan_from: None,
        waiting: None,
        stopped: Some("a worker was lost".into()),
        missing: vec![1],
        unequal: Vec::new(),
        asked: None,
    });
    (snapshot.state, snapshot.ending) = (State::Finished, Ending::Failed);
    check(&dashboard::page(&snapshot, &BARE), |page| {
        let h1 = text_of(page.descendants().find(|n| n.has_tag_name("h1")).unwrap());
        assert!(h1.contains("Failed") && h1.contains("a worker was lost"), "the words of the snapshot: {h1}");
        let states: Vec<_> = page
            .descendants()
            .filter(|n| n.attribute("class").is_some_and(|c| c.starts_with("state ")))
            .map(|n| (n.attribute("class").unwrap(), text_of(n)))
            .collect();
        assert_eq!(
            states,
            [("state good", "running".into()), ("state bad", "lost".into()), ("state warn", "silent".into())]
        );
        let text = text_of(page.root_element());
        for expected in ["500 ms", "1.00 s", "<b>right", "2.00 ms", "a worker was lost"] {
            assert!(text.contains(expected), "no {expected:?} in {text}");
        }
    });
}

#[test]
fn a_waiting_coordinator_shows_how_many_workers_joined() {
    let mut snapshot = snapshot();
    let waiting = |rows: Vec<Row>, there: u32| Fleet {
        rates: Vec::new(),
        rows,
        now_ns: 4_500_000_000,
        start_at_ns: None,
        start_skew_bound_ns: None,
        plan_from: None,
        waiting: Some(Waiting {
            what: if there < 2 { AwaitedStep::Workers } else { AwaitedStep::Ready },
            there,
            wanted: 2,
            missing: Vec::new(),
            until_ns: 5_000_000_000,
        }),
        stopped: None,
        missing: Vec::new(),
        unequal: Vec::new(),
        asked: None,
    };
    let joined = |n| worker(n, "h", MemberState::Present(WorkerState::Joined), None);
    let mut shown = |rows: Vec<Row>, there| {
        (snapshot.state, snapshot.fleet) = (State::Starting, Some(waiting(rows, there)));
        let mut h1 = String::new();
        check(&dashboard::page(&snapshot, &OPERATED), |page| {
            h1 = text_of(page.descendants().find(|n| n.has_tag_name("h1")).unwrap());
            let by_hand =
                page.descendants().find(|n| n.attribute("class") == Some("operator-by-hand")).unwrap();
            assert!(text_of(by_hand).contains("POST /api/v1/run/start"), "{}", text_of(by_hand));
        });
        h1.trim_start_matches(['▸', '!']).to_owned()
    };
    assert!(shown(Vec::new(), 0).contains("0 of 2"));
    assert!(shown(vec![joined(0), worker(1, "h", MemberState::Lost, Some(1))], 1).contains("1 of 2"));
    assert!(!shown(vec![joined(0), joined(1)], 2).contains(" of 2"));
}

const TOKEN: &str = "kept-between-us-two";

/// A server with an operator who can start as well if `start` is there, and counts how often the run was stopped.
fn operated(start: Option<Box<Action>>) -> (Server, Arc<AtomicUsize>) {
    let stopped = Arc::new(AtomicUsize::new(0));
    let counted = stopped.clone();
    let stop = move || match counted.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(()),
        _ => Err("it has been stopped".to_owned()),
    };
    let token = Token::new(TOKEN).expect("a token");
    let operator = Some(Operator { token, start, stop: Box::new(stop) });
    let site = Site { operator, ..Site::of(Arc::new(SharedSnapshot::new(snapshot()))) };
    (serve(Listen::At(([127, 0, 0, 1], 0).into()), site).expect("a free port"), stopped)
}

fn post(server: &Server, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let mut request = agent(PROMPTLY).post(format!("http://{}{path}", server.addr()));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let mut answer = request.send_empty().expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

#[test]
fn only_who_has_the_token_stops_the_run_and_no_other_site_does() {
    let (server, stopped) = operated(None);
    let own = format!("http://{}", server.addr());
    let bearer = format!("Bearer {TOKEN}");
    let path = "/api/v1/run/stop";
    assert_eq!(post(&server, path, &[]).0, 401);
    assert_eq!(post(&server, path, &[("Authorization", "Bearer kept-between-u")]).0, 401);
    assert_eq!(post(&server, path, &[("Authorization", TOKEN)]).0, 401);
    for (name, value) in
        [("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]
    {
        assert_eq!(post(&server, path, &[("Authorization", &bearer), (name, value)]).0, 403, "{name}");
    }
    assert_eq!(get(server.addr(), path).0, 405);
    assert_eq!(stopped.load(Ordering::Relaxed), 0);
    assert_eq!(post(&server, "/api/v1/run/start", &[("Authorization", &bearer)]).0, 409);

    let fields = [("Authorization", bearer.as_str()), ("Origin", &own), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(post(&server, path, &fields).0, 202);
    assert_eq!(post(&server, path, &fields).0, 409);
}

#[test]
fn a_post_without_a_length_starts_and_stops() {
    let started = Arc::new(AtomicUsize::new(0));
    let counted = started.clone();
    let start = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let (server, stopped) = operated(Some(Box::new(start)));
    for what in ["start", "stop"] {
        let answer = say(
            server.addr(),
            &format!(
                "POST /api/v1/run/{what} HTTP/1.1\r\nHost: {}\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\
                 Authorization: Bearer {TOKEN}\r\n\r\n",
                server.addr()
            ),
        );
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }
    assert_eq!((started.load(Ordering::Relaxed), stopped.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn without_a_token_nobody_stops_a_run_and_the_page_does_not_offer_it() {
    let (_, server) = show(snapshot());
    let (code, why) = post(&server, "/api/v1/run/stop", &[("Authorization", "Bearer x")]);
    assert!(code == 403 && why.contains("LOADTESTER_OPERATOR_TOKEN"), "{code} {why}");
    assert!(!dashboard::page(&snapshot(), &BARE).contains("<form"));
    let offered = dashboard::page(&snapshot(), &PageFeatures { stop: true, ..BARE });
    check(&offered, |page| {
        let posted: Vec<_> = page.descendants().filter_map(|n| n.attribute("hx-post")).collect();
        assert_eq!(posted, ["/api/v1/run/stop"]);
        let token = page.descendants().find(|n| n.has_tag_name("input")).unwrap();
        assert_eq!((token.attribute("type"), token.attribute("name")), (Some("password"), None));
    });
    let over = dashboard::page(&finished(snapshot()), &PageFeatures { stop: true, ..BARE });
    assert!(!over.contains("<form"), "there is nothing left to stop");
}

fn check_svg(text: &str) {
    let icon = Document::parse(text).expect("XML");
    assert!(icon.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_run_makes_a_page(snapshot in any_snapshot(), windows in 0u64..5, state in 0usize..5) {
        let mut snapshot = with_timeline(snapshot, windows);
        snapshot.state =
            [State::Starting, State::WarmingUp, State::Running, State::Draining, State::Finished][state];
        check(&dashboard::page(&snapshot, &BARE), |_| ());
    }
}
