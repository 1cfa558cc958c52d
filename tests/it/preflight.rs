//! What a run needs against what a machine has: refusals, warnings, threads, and the page of `--check`.

use loadtester::plan::{
    Connections, Expect, Load, Model, OnWorkerLoss, Overrides, Plan, Scenario, Secrets, Shard, Target,
    TextPattern, Tls, Versions, parse,
};
use loadtester::report::describe;
use loadtester::schedule::{Arrivals, Piece};
use loadtester::verdict::preflight::{
    Machine, Preflight, Resource, check, expected_requests, fit_default_connections,
};
use loadtester::verdict::{Threads, threads_for};

use super::report::golden;

const S: u64 = 1_000_000_000;
const WHOLE: Shard = Shard { slot: 0, of: 1 };

fn tls() -> Tls {
    Tls {
        ca: None,
        client: None,
        insecure: false,
        server_name: "target".into(),
        resumption: true,
        versions: Versions::Both,
    }
}

fn scenario(name: &str, weight: u32) -> Scenario {
    Scenario {
        name: name.into(),
        target: 0,
        weight,
        method: "GET".into(),
        path: "/v1/users?key=hunter2".into(),
        headers: vec![("Authorization".into(), "Bearer hunter2".into())],
        body: Vec::new(),
        template: None,
        chunked: false,
        timeout_ns: 5 * S,
        first_byte_timeout_ns: None,
        follow_redirects: 0,
        expect: None,
    }
}

fn closed(connections: u32, requests: Option<u64>) -> Plan {
    Plan {
        name: None,
        source: "loadplan.yaml".into(),
        digest: "sha256:0".into(),
        targets: vec![Target::plain("10.0.0.7", 81)],
        text: None,
        load: Load {
            model: Model::Closed { connections },
            warmup_ns: 0,
            drain_ns: 5 * S,
            requests,
            duration_ns: requests.is_none().then_some(30 * S),
        },
        connections: Connections::default(),
        scenarios: vec![scenario("Get users", 2), scenario("Create user", 1)],
        auth: None,
        data: [].into(),
        thresholds: Vec::new(),
        labels: Vec::new(),
        on_worker_loss: OnWorkerLoss::Fail,
        secrets: Secrets::default(),
        refuses_link_local: false,
    }
}

fn open(rate: f64, seconds: u64, arrivals: Arrivals) -> Plan {
    let mut plan = closed(1, None);
    plan.load.duration_ns = Some(seconds * S);
    plan.load.model = Model::Open {
        pieces: vec![Piece { from: rate, to: rate, length_ns: seconds * S }],
        arrivals,
        connections: Some(50),
        backlog: 1_000,
    };
    plan
}

/// Eight cores, a soft limit of 1,024 descriptors that may be raised to 4,096, 4 open, 16 GiB.
fn machine() -> Machine {
    Machine {
        cores_allowed: vec![0, 1, 2, 3, 8, 9, 10, 11],
        quota_cpus: None,
        fd_soft: 1_024,
        fd_hard: 4_096,
        fd_in_use: 4,
        local_ports: Some((32_768, 60_999)),
        memory_available_bytes: Some(16 << 30),
    }
}

fn fly(plan: &Plan, change: impl FnOnce(&mut Machine)) -> Preflight {
    let mut machine = machine();
    change(&mut machine);
    check(plan, WHOLE, 2, false, &machine)
}

fn only(sentences: &[String]) -> &str {
    assert_eq!(sentences.len(), 1, "{sentences:#?}");
    &sentences[0]
}

fn needed(flight: &Preflight, resource: Resource) -> u64 {
    flight.needs.iter().find(|n| n.resource == resource).expect("each need is listed").needed
}

#[test]
fn a_small_run_is_let_through() {
    let flight = fly(&closed(50, Some(100)), |_| ());
    assert_eq!((flight.refusals.len(), flight.warnings.len(), flight.raise_fd_to), (0, 0, None));
    assert_eq!(needed(&flight, Resource::FileDescriptors), 50 + 256 + 2 + 4);
    assert_eq!(needed(&flight, Resource::LocalPorts), 50);
}

#[test]
fn the_soft_limit_is_raised_as_far_as_needed_and_the_hard_one_is_kept() {
    let fd = |connections| fly(&closed(connections, None), |_| ());
    assert_eq!(fd(1_024 - 262).raise_fd_to, None);
    assert_eq!(fd(1_024 - 261).raise_fd_to, Some(1_025));
    assert_eq!(fd(4_096 - 262).raise_fd_to, Some(4_096));
    let over = fd(4_096 - 261);
    assert_eq!(over.raise_fd_to, None);
    let sentence = only(&over.refusals);
    assert!(sentence.contains("ulimit -n 4097") && sentence.contains(" 3834"), "{sentence}");
}

#[test]
fn connections_need_a_local_port_each() {
    let ports = |connections| {
        fly(&closed(connections, None), |m| {
            m.fd_hard = 1 << 20;
            m.local_ports = Some((40_000, 40_999));
        })
    };
    assert_eq!(ports(1_000).refusals, [""; 0]);
    assert!(only(&ports(1_001).refusals).contains("ip_local_port_range"));
    let unknown = fly(&closed(1_001, None), |m| m.local_ports = None);
    assert_eq!(unknown.refusals, [""; 0]);
}

#[test]
fn closing_every_connection_is_warned_of_when_ports_run_out() {
    let churn = |rate: f64, connections: Connections| {
        let plan = Plan { connections, ..open(rate, 10, Arrivals::Even) };
        fly(&plan, |m| m.local_ports = Some((1_000, 1_000 + 7_999)))
    };
    let default = Connections::default;
    // Each port stays taken for 60 s: 8,000 ports are 133 connections a second.
    let one_each = || Connections { keep_alive: false, ..default() };
    assert_eq!(churn(133.0, one_each()).warnings, [""; 0]);
    assert!(only(&churn(134.0, one_each()).warnings).contains("load.source_addresses"));
    let ten_each = || Connections { most_requests: Some(10), ..default() };
    assert_eq!(churn(1_333.0, ten_each()).warnings, [""; 0]);
    assert!(only(&churn(1_334.0, ten_each()).warnings).contains("8,000"));
    // Each source address has all of them, and a Unix socket needs none.
    let sources = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
    let from_two = || Connections { source_addresses: sources.clone(), ..one_each() };
    assert_eq!(churn(266.0, from_two()).warnings, [""; 0]);
    assert!(only(&churn(267.0, from_two()).warnings).contains("16,000"));
    let mut local = Plan { connections: one_each(), ..open(1e5, 10, Arrivals::Even) };
    local.targets[0].unix = Some("/run/app.sock".into());
    assert_eq!(fly(&local, |m| m.local_ports = Some((1_000, 8_999))).warnings, [""; 0]);
    assert_eq!(
        fly(&open(1e5, 10, Arrivals::Even), |_| ()).warnings,
        [""; 0],
        "keep-alive takes no new ports"
    );
}

#[test]
fn memory_is_refused_over_what_there_is_and_warned_of_over_half() {
    let plan = closed(1_000, None);
    let bytes = needed(&fly(&plan, |_| ()), Resource::Memory);
    let with = |available: u64| fly(&plan, |m| m.memory_available_bytes = Some(available));
    assert_eq!((with(bytes - 1).refusals.len(), with(bytes - 1).warnings.len()), (1, 0));
    assert_eq!(with(bytes).refusals, [""; 0]);
    assert_eq!((with(2 * bytes - 2).refusals.len(), with(2 * bytes - 2).warnings.len()), (0, 1));
    assert_eq!(with(2 * bytes).warnings, [""; 0]);
    assert_eq!(fly(&plan, |m| m.memory_available_bytes = None).refusals, [""; 0]);
}

#[test]
fn bodies_kept_for_expectations_count_and_are_refused_where_the_plan_asked_for_them() {
    let with = |max_body_bytes: u64, available: u64| {
        let mut plan = closed(1_000, None);
        plan.scenarios[1].expect =
            Some(Box::new(Expect { body_bytes: Some(1..=9), max_body_bytes, ..Expect::default() }));
        let content = TextPattern { text: "x".into(), shown: "x".into() };
        plan.scenarios[0].expect =
            Some(Box::new(Expect { body_contains: vec![content], max_body_bytes, ..Expect::default() }));
        fly(&plan, |m| m.memory_available_bytes = Some(available))
    };
    let needed = |flight: &Preflight| {
        flight.needs.iter().find(|need| need.resource == Resource::Memory).map(|need| need.needed)
    };
    let (one, two) = (with(1 << 20, 16 << 30), with(2 << 20, 16 << 30));
    assert_eq!(needed(&two).unwrap() - needed(&one).unwrap(), 1_000 << 20);
    assert_eq!((&one.refusals[..], &one.warnings[..]), (&[][..], &[][..]));
    let refused = with(2 << 20, 1 << 30);
    assert!(only(&refused.refusals).contains("`expect.max_body`"), "{:?}", refused.refusals);
    let by_default = with(1 << 20, 1 << 29);
    assert_eq!(by_default.refusals, [""; 0], "the plan did not ask for it");
    assert!(only(&by_default.warnings).contains("`expect.max_body`"), "{:?}", by_default.warnings);
}

#[test]
fn memory_grows_with_connections_threads_and_scenarios() {
    let bytes =
        |plan: &Plan, threads| needed(&check(plan, WHOLE, threads, false, &machine()), Resource::Memory);
    let plan = closed(10, None);
    let mut more = closed(10, None);
    more.scenarios.push(scenario("Third", 1));
    assert_eq!(bytes(&closed(1_010, None), 2) - bytes(&plan, 2), 1_000 * 4_096);
    let secure = |connections| {
        let mut plan = closed(connections, None);
        plan.targets[0].tls = Some(tls());
        plan
    };
    assert_eq!(bytes(&secure(1_010), 2) - bytes(&secure(10), 2), 1_000 * (4_096 + 12_288));
    assert!(bytes(&plan, 3) > bytes(&plan, 2));
    // Six tallies of four series of 27,648 buckets, which have four bytes each and the index one eighth of that.
    assert!((2_000_000..4_000_000).contains(&(bytes(&more, 2) - bytes(&plan, 2))));
}

#[test]
fn the_default_of_connections_fits_the_machine_and_what_is_asked_for_stays() {
    let fit = |connections: Option<u32>, shard: Shard, change: fn(&mut Machine)| {
        let (mut plan, mut machine) = (open(100.0, 10, Arrivals::Even), machine());
        let Model::Open { connections: asked, .. } = &mut plan.load.model else { unreachable!() };
        *asked = connections;
        change(&mut machine);
        let note = fit_default_connections(&mut plan, shard, 2, &machine);
        let Model::Open { connections: fitted, .. } = plan.load.model else { unreachable!() };
        (fitted, note, check(&plan, shard, 2, false, &machine).refusals)
    };
    assert_eq!(fit(None, WHOLE, |_| ()), (None, None, vec![]), "there is room for 1,000");

    let few_descriptors: fn(&mut Machine) = |m| m.fd_hard = 1_024;
    let (fitted, note, refusals) = fit(None, WHOLE, few_descriptors);
    // 256 are reserved, 4 open, and two threads have one each.
    assert_eq!((fitted, refusals), (Some(762), vec![]));
    assert!(
        note.is_some_and(
            |note| note.contains("762 connections instead of 1,000: not enough file descriptors")
        )
    );
    let (fitted, note, refusals) = fit(None, WHOLE, |m| m.local_ports = Some((50_000, 50_099)));
    assert_eq!((fitted, refusals), (Some(100), vec![]));
    assert!(note.is_some_and(|note| note.contains("ip_local_port_range")));

    let (fitted, note, refusals) = fit(Some(1_000), WHOLE, few_descriptors);
    assert_eq!((fitted, note), (Some(1_000), None), "the plan asks for them");
    assert!(only(&refusals).contains("hard limit"));

    let third = Shard { slot: 0, of: 3 };
    assert_eq!(fit(None, third, few_descriptors), (None, None, vec![]), "334 of the 1,000 are this worker's");
    assert_eq!(fit(None, third, |m| (m.fd_soft, m.fd_hard) = (362, 362)).0, Some(300), "100 for each worker");
}

#[test]
fn busy_polling_is_refused_under_a_quota_that_binds() {
    let busy = |quota| {
        let machine = Machine { quota_cpus: quota, ..machine() };
        check(&closed(10, None), WHOLE, 2, true, &machine)
    };
    assert!(only(&busy(Some(4.0)).refusals).contains("--busy-poll"));
    assert_eq!(busy(Some(8.0)).refusals, [""; 0], "as much as there are cores");
    assert_eq!(busy(None), fly(&closed(10, None), |_| ()));
    let every_core = check(&closed(10, None), WHOLE, 8, true, &machine());
    assert!(only(&every_core.warnings).contains("--busy-poll"));
}

#[test]
fn a_scenario_that_gets_no_request_is_warned_of() {
    assert_eq!(fly(&closed(1, Some(2)), |_| ()).warnings, [""; 0]);
    let sentence = only(&fly(&closed(1, Some(1)), |_| ()).warnings).to_owned();
    assert!(sentence.contains("`Create user`") && sentence.contains(" 3"), "{sentence}");
}

#[test]
fn expected_requests_are_the_area_under_the_rate() {
    assert_eq!(expected_requests(&open(500.0, 30, Arrivals::Even).load), Some(15_000));
    assert_eq!(expected_requests(&open(0.1, 15, Arrivals::Even).load), Some(2), "due at 0 s and 10 s");
    assert_eq!(
        expected_requests(&open(0.1, 30, Arrivals::Even).load),
        Some(3),
        "0.1 * 30 is over 3 in binary"
    );
    let mut limited = open(500.0, 30, Arrivals::Even);
    limited.load.requests = Some(700);
    assert_eq!(expected_requests(&limited.load), Some(700));
    assert_eq!(expected_requests(&closed(1, Some(9)).load), Some(9));
    assert_eq!(expected_requests(&closed(1, None).load), None);
}

fn threads(quota: Option<f64>, cores: usize, asked: Option<usize>, connections: u32) -> Threads {
    let machine = Machine { quota_cpus: quota, cores_allowed: (4..4 + cores).collect(), ..machine() };
    threads_for(&machine, asked, false, connections).expect("a valid number of threads")
}

#[test]
fn there_is_a_thread_per_whole_cpu_that_is_ours() {
    for (quota, cores, count) in [
        (None, 8, 8),
        (None, 1, 1),
        (None, 0, 1),
        (Some(4.0), 8, 4),
        (Some(2.9), 8, 2),
        (Some(0.25), 8, 1),
        (Some(16.0), 8, 8),
    ] {
        assert_eq!(threads(quota, cores, None, 1_000).count, count, "{quota:?} of {cores}");
    }
}

#[test]
fn a_quota_is_not_spent_on_looking_for_events() {
    assert!(threads(None, 8, None, 99).may_poll);
    assert!(threads(Some(8.0), 8, None, 99).may_poll, "as much as there are cores");
    assert!(!threads(Some(4.0), 8, None, 99).may_poll);
}

#[test]
fn a_thread_has_at_least_one_connection() {
    assert_eq!(threads(None, 8, None, 3).count, 3);
    assert_eq!(threads(None, 8, None, 3).notes, [""; 0]);
    let asked = threads(None, 8, Some(5), 3);
    assert_eq!(asked.count, 3);
    assert!(only(&asked.notes).contains("3 connections"), "{:?}", asked.notes);
}

#[test]
fn pinning_takes_three_cores_of_our_own_in_their_own_numbers() {
    assert_eq!(threads(None, 3, None, 99).cores, [4, 5, 6]);
    assert_eq!(threads(None, 8, Some(2), 99).cores, [4, 5]);
    assert!(!threads(None, 2, None, 99).pinned(), "the others need room to move");
    assert!(!threads(Some(4.0), 8, None, 99).pinned(), "a quota grants time, not cores");
    assert!(!threads(None, 4, Some(5), 99).pinned(), "more threads than cores");
    assert!(!threads_for(&machine(), None, true, 99).unwrap().pinned(), "--no-pin");
}

#[test]
fn unusual_numbers_of_threads_are_noted_with_their_figures() {
    let note = |threads: Threads| only(&threads.notes).to_owned();
    for (note, figures) in [
        (note(threads(Some(2.5), 8, None, 99)), ["2.5 CPUs", " 2 "]),
        (note(threads(Some(0.5), 8, None, 99)), ["0.5 CPUs", ""]),
        (note(threads(None, 2, Some(4), 99)), ["4 threads", "2 CPUs"]),
    ] {
        assert!(figures.iter().all(|figure| note.contains(figure)), "no {figures:?} in {note}");
    }
    assert!(threads_for(&machine(), Some(0), false, 9).unwrap_err().contains("--threads"));
    assert!(threads_for(&machine(), Some(1_025), false, 9).is_err());
}

fn page(plan: &Plan) -> String {
    let threads = threads_for(&machine(), Some(3), false, 50).unwrap();
    describe(plan, &check(plan, WHOLE, threads.count, false, &machine()), &threads, &machine(), 1)
}

/// The page without the memory needed, which changes with the size of our types.
fn lasting(page: &str) -> String {
    page.lines().filter(|line| !line.starts_with("memory")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_page_shows_how_connections_are_made() {
    let mut plan = closed(50, Some(100));
    plan.connections = Connections {
        connect_timeout_ns: Some(2 * S),
        most_requests: Some(100),
        most_age_ns: Some(60 * S),
        resolve_every_ns: Some(30 * S),
        source_addresses: vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()],
        ..Connections::default()
    };
    plan.targets[0].connect_to = Some(("10.0.0.8".into(), 82));
    plan.scenarios[0].first_byte_timeout_ns = Some(S);
    plan.scenarios[0].follow_redirects = 3;
    golden("check_connections.txt", &lasting(&page(&plan)));
}

#[test]
fn the_page_shows_what_would_be_sent_and_needed() {
    let mut plan = closed(50, Some(100));
    plan.scenarios[1].method = "POST".into();
    plan.scenarios[1].body = b"{\"password\": \"hunter2\"}".to_vec();
    golden("check.txt", &lasting(&page(&plan)));
}

#[test]
fn no_secret_is_on_the_page() {
    let mut plan = closed(5_000, Some(1));
    plan.scenarios[0].headers.push(("X-Tenant".into(), "acme".into()));
    plan.scenarios[0].body = b"{\"secret\": \"hunter2\", \"of\": \"acme\"}".to_vec();
    plan.secrets.add("TENANT", "acme");
    let text = page(&plan);
    assert!(!text.contains("acme") && text.contains("X-Tenant: ${TENANT}"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(
        text.contains("5,000") && text.contains("`Create user`"),
        "refusals and warnings are there: {text}"
    );
}

#[test]
fn a_count_that_nobody_knows_is_shown_as_shares() {
    let text = page(&closed(50, None));
    assert!(text.contains("66.7 %  Get users"), "{text}");
    let poisson = page(&open(10.0, 30, Arrivals::Poisson));
    assert!(poisson.contains("33.3 %  Create user") && poisson.contains(" 300 requests"), "{poisson}");
    let even = page(&open(10.0, 30, Arrivals::Even));
    assert!(even.contains("200  Get users"), "{even}");
    for figure in ["10/s", "30s", "even", "50 connections", "1,000"] {
        assert!(even.contains(figure), "no {figure} in {even}");
    }
}

#[test]
fn a_target_on_this_machine_is_noted() {
    let is_noted = |host: &str| {
        let mut plan = closed(1, Some(3));
        plan.targets[0].host = host.into();
        page(&plan).lines().any(|line| line.starts_with("target ") && line.contains('('))
    };
    assert!(!is_noted("10.0.0.7"));
    for host in ["127.0.0.1", "localhost", "::1", "127.9.9.9"] {
        assert!(is_noted(host), "{host}");
    }
}

#[test]
fn limits_that_the_plan_cannot_reach_are_told_before_the_run() {
    let page = |load: &str, threshold: &str| {
        let text = format!(
            "base_url: http://h\nload: {load}\nscenarios: [{{path: /, name: a}}, {{path: /, name: b}}]\n\
             thresholds: ['{threshold}']\n"
        );
        let plan = parse(&text, "p", &Overrides::default(), &|_| None).unwrap();
        describe(
            &plan,
            &fly(&plan, |_| ()),
            &threads_for(&machine(), None, false, 10).unwrap(),
            &machine(),
            1,
        )
    };
    let open = "{rate: 100/s, duration: 10s}";
    for (load, threshold, expected) in [
        (open, "count >= 2000", "cannot hold: 1,000 requests are sent"),
        (open, "a: count > 600", "cannot hold: 500 requests are sent"),
        (open, "rate >= 495/s", "cannot hold: 100/s are asked for on average"),
        ("{requests: 50}", "count >= 100", "cannot hold: 50 requests are sent"),
    ] {
        assert!(page(load, threshold).contains(expected), "{threshold}: {}", page(load, threshold));
    }
    for (load, threshold) in [
        (open, "count >= 1000"),
        (open, "rate >= 99/s"),
        (open, "count <= 2000"),
        ("{duration: 1s}", "count >= 100"),
    ] {
        assert!(!page(load, threshold).contains("cannot hold"), "{threshold}: {}", page(load, threshold));
    }
}
