//! The pages of the status server.

use std::sync::Arc;

use loadtester::run::SharedSnapshot;
use loadtester::run::State;
use loadtester::web::{DEFAULT_ADDR, Listen, Site, serve};

use crate::live::{PROMPTLY, agent, get, server, server_of, snapshot};

#[test]
fn status_is_the_picture_on_the_board() {
    let shared = Arc::new(SharedSnapshot::new(snapshot()));
    let server = server_of(Arc::clone(&shared));
    let status = || {
        let (code, body) = get(server.addr(), "/status?pretty=no");
        assert_eq!(code, 200);
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON")
    };
    let before = status();
    assert_eq!(before["state"], "running");
    assert_eq!(before["elapsed"], 2.5);
    assert_eq!(before["progress"], 0.25);
    assert_eq!(before["totals"]["due"], 1_005);
    shared.update(|snapshot| snapshot.state = State::Finished);
    let after = status();
    assert_eq!((&after["state"], &after["progress"]), (&"finished".into(), &1.0.into()));
}

#[test]
fn it_is_ready_once_the_run_has_begun_and_healthy_before() {
    let mut starting = snapshot();
    starting.state = State::Starting;
    let shared = Arc::new(SharedSnapshot::new(starting));
    let server = server_of(Arc::clone(&shared));
    assert_eq!(get(server.addr(), "/healthz").0, 200);
    assert_eq!(get(server.addr(), "/readyz"), (503, "starting\n".into()));
    shared.update(|snapshot| snapshot.state = State::WarmingUp);
    assert_eq!(get(server.addr(), "/readyz"), (200, "warming_up\n".into()));
}

#[test]
fn every_link_of_the_first_page_is_a_page() {
    let server = server();
    let (code, page) = get(server.addr(), "/");
    assert_eq!(code, 200);
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let (places, links): (Vec<&str>, Vec<&str>) = links.partition(|link| link.starts_with('#'));
    assert!(places.iter().all(|place| page.contains(&format!("id=\"{}\"", &place[1..]))), "{places:?}");
    assert_eq!(links, ["/icon.svg", "/style.css", "/status", "/metrics"]);
    links.iter().for_each(|link| assert_eq!(get(server.addr(), link).0, 200, "{link}"));
}

#[test]
fn head_answers_as_get_without_a_body() {
    let server = server();
    for path in ["/", "/status", "/metrics", "/healthz", "/nowhere"] {
        let url = format!("http://{}{path}", server.addr());
        let mut head = agent(PROMPTLY).head(&url).call().expect("an answer");
        let mut get = agent(PROMPTLY).get(&url).call().expect("an answer");
        assert_eq!(head.status(), get.status());
        let body = get.body_mut().read_to_string().expect("text");
        assert_eq!(head.headers()["content-length"], body.len().to_string().as_str());
        assert_eq!(head.body_mut().read_to_string().expect("text"), "");
    }
}

#[test]
fn other_paths_and_methods_are_refused_with_what_is_allowed() {
    let server = server();
    assert_eq!(get(server.addr(), "/statusx").0, 404);
    assert_eq!(get(server.addr(), "//status").0, 404);
    let url = format!("http://{}/status", server.addr());
    let posted = agent(PROMPTLY).post(&url).send("x").expect("an answer");
    assert_eq!(posted.status(), 405);
    assert_eq!(posted.headers()["allow"], "GET, HEAD");
    let deleted = agent(PROMPTLY).delete(&url).call().expect("an answer");
    assert_eq!(deleted.status(), 405);
}

#[test]
fn every_answer_tells_browsers_to_be_careful() {
    let server = server();
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/status", "application/json"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/nowhere", "text/plain; charset=utf-8"),
    ] {
        let answer =
            agent(PROMPTLY).get(format!("http://{}{path}", server.addr())).call().expect("an answer");
        let headers = answer.headers();
        assert_eq!(headers["content-type"], content_type);
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store");
        let policy = headers["content-security-policy"].to_str().expect("ASCII");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    }
}

#[test]
fn a_taken_address_is_an_error_when_asked_for_and_evaded_when_not() {
    let server = server();
    let taken = serve(Listen::At(server.addr()), Site::of(Arc::new(SharedSnapshot::new(snapshot()))))
        .expect_err("it is taken");
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    let message = taken.to_string();
    assert!(message.contains(&server.addr().to_string()) && message.contains("--listen"), "{message}");

    // Two at once: one of them finds it taken, whoever else may hold it.
    let ask =
        || serve(Listen::Default, Site::of(Arc::new(SharedSnapshot::new(snapshot())))).expect("a free port");
    let (one, other) = (ask(), ask());
    assert_ne!(one.addr(), other.addr());
    for server in [one, other] {
        assert_eq!(server.addr().ip(), DEFAULT_ADDR.ip());
        assert_eq!(get(server.addr(), "/healthz").0, 200);
    }
}
