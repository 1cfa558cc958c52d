//! Rows of data files: which request gets which row, and what happens when there are no more.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use crate::keeper::Keeper;
use crate::run::{PROGRAM, RunDir};

/// A plan's folder with `users.csv`, whose `id` is the number of the row from 0.
fn folder(rows: u64) -> RunDir {
    let dir = RunDir::new();
    let rows: String =
        (0..rows).map(|i| format!("{i},user{i}@example.com,\"a \"\"quoted\"\", note\"\n")).collect();
    dir.write("users.csv", format!("id,email,note\n{rows}"));
    dir
}

fn run(dir: &RunDir, keeper: &Keeper, (data, load): (&str, &str), flags: &[&str]) -> Output {
    let plan = dir.write(
        "plan.yaml",
        format!(
            "base_url: http://{}\nload: {load}\ndata: {{users: {{file: users.csv{data}}}}}\nscenarios:\n\
             - {{name: A, weight: 2, path: '/a?id={{{{users.id}}}}&mail={{{{users.email}}}}'}}\n\
             - {{name: B, path: '/b/{{{{random.hex(8)}}}}'}}\n",
            keeper.address
        ),
    );
    let mut command = Command::new(PROGRAM);
    command.args(["--plan", &plan, "--quiet", "--no-listen", "--seed", "7"]).args(flags).output().unwrap()
}

/// How often each row arrived.
fn rows(keeper: &Keeper) -> BTreeMap<u64, u64> {
    let mut rows = BTreeMap::new();
    for arrived in keeper.take() {
        let Some(query) = arrived.target.strip_prefix("/a?id=") else { continue };
        let (id, mail) = query.split_once("&mail=").unwrap();
        assert_eq!(mail, format!("user{id}%40example.com"), "one row for all holes of a request");
        *rows.entry(id.parse().unwrap()).or_insert(0) += 1;
    }
    rows
}

#[test]
fn each_row_is_taken_once_whatever_the_number_of_threads() {
    let keeper = Keeper::start();
    let dir = folder(300);
    for (order, load, counts) in [
        (", order: once", "{rate: 600/s, duration: 500ms, concurrency: 8}", 200),
        (", order: once", "{requests: 450, concurrency: 8}", 300),
        (", order: once", "{rate: 600/s, duration: 500ms, warmup: 250ms, concurrency: 8}", 300),
        (", order: shuffle", "{requests: 450, concurrency: 8}", 300),
    ] {
        for threads in ["1", "2"] {
            let output = run(&dir, &keeper, (order, load), &["--threads", threads]);
            assert!(output.status.success(), "{load}: {}", String::from_utf8_lossy(&output.stderr));
            let rows = rows(&keeper);
            assert!(rows.keys().copied().eq(0..counts), "{order} {load} {threads}: {rows:?}");
            assert!(rows.values().all(|times| *times == 1), "{order} {load} {threads}: {rows:?}");
        }
    }
}

#[test]
fn circular_rows_begin_again_and_shuffled_laps_have_orders_of_their_own() {
    let keeper = Keeper::start();
    let dir = folder(50);
    for order in ["", ", order: shuffle"] {
        // Two thirds of the requests take a row: two laps.
        let output = run(&dir, &keeper, (order, "{requests: 150, concurrency: 1}"), &["--threads", "1"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let sequence: Vec<u64> = keeper
            .take_in_order()
            .iter()
            .filter_map(|a| a.target.strip_prefix("/a?id=")?.split('&').next()?.parse().ok())
            .collect();
        let (first, second) = sequence.split_at(50);
        assert_eq!(sequence.len(), 100, "{order}");
        match order {
            "" => assert!(first.iter().copied().eq(0..50) && first == second, "{sequence:?}"),
            _ => {
                let sorted = |lap: &[u64]| {
                    let mut lap = lap.to_vec();
                    lap.sort_unstable();
                    lap
                };
                assert!(first != second && sorted(first) == sorted(second), "{sequence:?}");
                assert!(sorted(first).into_iter().eq(0..50), "{sequence:?}");
            }
        }
    }
}

/// By time in the closed model nobody knows how many rows are needed.
#[test]
fn a_run_whose_rows_are_used_up_ends_and_says_so() {
    let keeper = Keeper::start();
    let dir = folder(301);
    let (report, page) = (dir.file("report.json"), dir.file("report.html"));
    let flags = ["--threads", "2", "--report", &report, "--report", &page];
    let output = run(&dir, &keeper, (", order: once", "{duration: 60s, concurrency: 4}"), &flags);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("its data has no rows left"), "{text}");
    let rows = rows(&keeper);
    assert!(rows.values().all(|times| *times == 1), "none twice: {rows:?}");
    // A thread may still have some of its own when the other has none.
    assert!(rows.len() > 150, "{}", rows.len());
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(report["instrument"]["reason_names"][0], "data_exhausted", "{}", report["instrument"]);
    let data = &report["data"][0];
    assert_eq!(
        (&data["name"], &data["rows"], &data["order"]),
        (&"users".into(), &301.into(), &"once".into())
    );
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("users: 301 rows once, "), "the page has it, too");
    assert!(data["taken"].as_u64().unwrap() <= 301 && data["laps"].as_f64().unwrap() <= 1.0, "{data}");
}

#[test]
fn too_few_rows_are_refused_before_anything_is_sent() {
    let keeper = Keeper::start();
    for (rows, code) in [(100, 0), (99, 2)] {
        for flags in [&["--check"][..], &[]] {
            let load = "{rate: 300/s, duration: 500ms}";
            let output = run(&folder(rows), &keeper, (", order: once", load), flags);
            assert_eq!(output.status.code(), Some(code), "{rows} {flags:?}");
            let (page, error) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            if code == 2 {
                let words =
                    "data.users: it has 99 rows and `order: once`, and 100 requests take one: add rows";
                assert!(error.contains(words), "{error}");
                assert_eq!(keeper.count(), 0);
            } else if !flags.is_empty() {
                assert!(page.contains("data") && page.contains("users: 100 rows once, 100 taken"), "{page}");
            } else {
                assert!(page.contains("users: 100 rows once") && page.contains("100 taken (1.00"), "{page}");
                assert_eq!(keeper.take().len(), 150);
            }
        }
    }
}

#[test]
fn once_shows_the_first_rows_values() {
    let keeper = Keeper::start();
    let output = run(&folder(3), &keeper, ("", "{requests: 9}"), &["--once"]);
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(page.contains("> GET /a?id=0&mail=user0%40example.com HTTP/1.1"), "{page}");
}

#[test]
fn urls_of_a_file_are_sent_in_turn_and_labels_have_figures_of_their_own() {
    let keeper = Keeper::start();
    let dir = RunDir::new();
    let base = format!("http://{}", keeper.address);
    let plain =
        dir.write("urls.txt", format!("{base}/a?q=1,2\n# a comment\n{base}/b%20c/{{{{d}}}}\n{base}\n"));
    let run = |file: &str, flags: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["--urls", file, "--quiet", "--no-listen"]).args(flags).output().unwrap()
    };
    let output = run(&plain, &["-n", "6", "-c", "1", "-H", "X-A: 1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let targets: Vec<String> = keeper.take_in_order().into_iter().map(|a| a.target).collect();
    assert_eq!(targets, ["/a?q=1,2", "/b%20c/%7B%7Bd%7D%7D", "/", "/a?q=1,2", "/b%20c/%7B%7Bd%7D%7D", "/"]);

    let labeled = dir.write("urls.csv", format!("url,label\n{base}/1,read\n{base}/2,write\n{base}/3,read\n"));
    let report = dir.file("labels.json");
    let output = run(&labeled, &["-n", "300", "-b", "text {{x}}", "--report", &report]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(keeper.take().iter().all(|a| a.body == "text {{x}}"), "a body beside URLs is text");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let figures =
        |i: usize| (report["scenarios"][i]["name"].clone(), report["scenarios"][i]["totals"]["ok"].clone());
    assert_eq!([figures(0), figures(1)], [("read".into(), 200.into()), ("write".into(), 100.into())]);

    let output = run(&dir.write("wrong.txt", format!("{base}/\nhttp://elsewhere.example/\n")), &[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("line 2: is of `http://elsewhere.example`"), "{error}");
    let output = run(&plain, &[&base]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("a URL and --urls both say what to send"), "{error}");
}

/// The body of a URL with holes.
#[test]
fn a_body_beside_a_url_with_holes_is_sent() {
    let keeper = Keeper::start();
    let url = format!("http://{}/{{{{random.hex(4)}}}}", keeper.address);
    let flags = ["-b", "a {{b}}", "-n", "3", "--quiet", "--no-listen"];
    assert!(Command::new(PROGRAM).arg(url).args(flags).status().unwrap().success());
    let arrived = keeper.take();
    assert!(arrived.len() == 3 && arrived.iter().all(|a| a.body == "a {{b}}"), "{arrived:?}");
}

/// A file of more than 64 MiB, which is not read into memory: how many rows it has.
fn large_file(dir: &RunDir) -> u64 {
    let note = "x".repeat(200);
    let mut text = String::from("id,email,note\n");
    let mut rows = 0;
    while text.len() <= 65 << 20 {
        text += &format!("{rows},user{rows}@example.com,\"a \"\"quoted\"\", {note}\"\n");
        rows += 1;
    }
    dir.write("users.csv", text);
    rows
}

#[test]
fn rows_of_a_large_file_are_those_that_its_numbers_say() {
    let keeper = Keeper::start();
    let dir = RunDir::new();
    let all = large_file(&dir);
    let small = RunDir::new();
    small.write(
        "users.csv",
        std::fs::read_to_string(dir.file("users.csv")).unwrap().replace(&"x".repeat(200), "x"),
    );
    for (order, load) in [
        ("once", "{rate: 1500/s, duration: 400ms, warmup: 200ms, concurrency: 8}"),
        ("once", "{requests: 1200, concurrency: 8}"),
        ("shuffle", "{requests: 900, concurrency: 4}"),
        ("random", "{requests: 900, concurrency: 4}"),
    ] {
        let mut seen = Vec::new();
        for (dir, threads) in [(&dir, "1"), (&dir, "2"), (&small, "2")] {
            let order = format!(", order: {order}");
            let output = run(dir, &keeper, (&order, load), &["--threads", threads]);
            assert!(output.status.success(), "{load}: {}", String::from_utf8_lossy(&output.stderr));
            seen.push(rows(&keeper));
        }
        assert!(
            seen.windows(2).all(|pair| pair[0] == pair[1]),
            "{order} {load}: the same rows from file and memory"
        );
        let rows = &seen[0];
        assert!(rows.keys().all(|row| *row < all));
        match order {
            "once" => {
                assert!(rows.keys().copied().eq(0..rows.len() as u64) && rows.values().all(|n| *n == 1))
            }
            "shuffle" => assert!(rows.len() == 600 && rows.keys().any(|row| *row > all / 2)),
            _ => assert!(rows.keys().any(|row| *row > all / 2)),
        }
    }
    let output = run(&dir, &keeper, (", order: once", "{requests: 3, concurrency: 1}"), &["--check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("users: ") && text.contains("once"), "{text}");
}

#[test]
fn a_large_file_that_is_cut_in_mid_run_ends_it_with_the_reason() {
    let keeper = Keeper::start();
    let dir = RunDir::new();
    large_file(&dir);
    let (report, path) = (dir.file("report.json"), dir.file("users.csv"));
    let cut = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(3));
        std::fs::File::options().write(true).open(path).unwrap().set_len(100).unwrap();
    });
    let flags = ["--threads", "2", "--report", &report];
    let output = run(&dir, &keeper, (", order: random", "{rate: 500/s, duration: 60s}"), &flags);
    cut.join().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("a data file has changed or cannot be read"), "{text}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let reasons = report["instrument"]["reason_names"].as_array().unwrap();
    assert!(reasons.contains(&"data_unreadable".into()), "{reasons:?}");
    let totals = |key: &str| report["totals"][key].as_u64().unwrap();
    assert!(totals("ok") > 100, "{}", report["totals"]);
    assert_eq!(totals("due"), totals("ok") + totals("failed") + totals("dropped") + totals("unfinished"));
}

#[test]
fn faults_of_a_large_file_name_their_row() {
    let keeper = Keeper::start();
    let dir = RunDir::new();
    for (end, words) in [
        ("1,2\n", "has 2 fields, and there are 3 columns"),
        ("1,a\"\n\"b,c\n", "has a quote within a field"),
        ("1,\"never closed,2\n", "quote"),
    ] {
        let rows = large_file(&dir);
        use std::io::Write as _;
        std::fs::File::options()
            .append(true)
            .open(dir.file("users.csv"))
            .unwrap()
            .write_all(end.as_bytes())
            .unwrap();
        let output = run(&dir, &keeper, ("", "{requests: 1}"), &["--check"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(words) && text.contains(&format!("row {}", rows + 1)), "{words}: {text}");
    }
}
