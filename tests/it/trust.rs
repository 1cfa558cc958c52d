//! The instrument's verdict: each rule on both sides of its bound, and who is blamed for what.

use loadtester::tally::{Histogram, ThreadHealth};
use loadtester::verdict::instrument::{
    Cause, Evidence, Reason, judge, may_explain_mean, may_explain_quantile,
};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;

fn histogram(samples: &[(u64, u64)]) -> Histogram {
    let mut h = Histogram::new();
    for (n, ns) in samples {
        (0..*n).for_each(|_| h.record(*ns));
    }
    h
}

fn thread(busy_ratio: f64) -> ThreadHealth {
    let busy_ns = (busy_ratio * 1e9).round() as u64;
    ThreadHealth { busy_ns, observed_ns: 1_000_000_000, ..ThreadHealth::default() }
}

/// What a run owns and [`Evidence`] borrows: 10,000 requests, all in order, 5 ms a response.
struct Run {
    open_model: bool,
    asked: u64,
    sent: u64,
    turned_away: u64,
    dropped: u64,
    waiting: u64,
    send_delay: Histogram,
    receive_delay: Histogram,
    service_time: Histogram,
    response_time: Histogram,
    received_bytes: u64,
    kernel_timestamps: bool,
    absurd_stamps: u64,
    threads: Vec<ThreadHealth>,
    throttled: (u64, u64),
    local_errors: u64,
    unaccounted: u64,
}

impl Run {
    fn good() -> Self {
        Self {
            open_model: true,
            asked: 10_000,
            sent: 10_000,
            turned_away: 0,
            dropped: 0,
            waiting: 0,
            send_delay: histogram(&[(10_000, 20 * US)]),
            receive_delay: histogram(&[(10_000, 30 * US)]),
            service_time: histogram(&[(10_000, 5 * MS)]),
            response_time: histogram(&[(10_000, 5 * MS)]),
            received_bytes: 3_000_000,
            kernel_timestamps: true,
            absurd_stamps: 0,
            threads: vec![thread(0.4), thread(0.3)],
            throttled: (0, 0),
            local_errors: 0,
            unaccounted: 0,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut run = Self::good();
        change(&mut run);
        run
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            open_model: self.open_model,
            asked: self.asked,
            sent: self.sent,
            turned_away: self.turned_away,
            dropped: self.dropped,
            waiting: self.waiting,
            send_delay: &self.send_delay,
            receive_delay: &self.receive_delay,
            service_time: &self.service_time,
            response_time: &self.response_time,
            received_bytes: self.received_bytes,
            kernel_timestamps: self.kernel_timestamps,
            absurd_stamps: self.absurd_stamps,
            threads: &self.threads,
            throttled_ns: self.throttled.0,
            throttled_periods: self.throttled.1,
            local_errors: self.local_errors,
            out_of_data: 0,
            data_unreadable: 0,
            rows_awaited: 0,
            rows_awaited_ns: 0,
            unaccounted: self.unaccounted,
        }
    }
}

/// The names of the reasons a changed good run is doubted for.
fn doubts(change: impl FnOnce(&mut Run)) -> Vec<&'static str> {
    let instrument = judge(&Run::with(change).evidence());
    assert_eq!(instrument.trustworthy, instrument.reasons.is_empty());
    instrument.reasons.iter().map(Reason::name).collect()
}

fn sentences(change: impl FnOnce(&mut Run)) -> Vec<String> {
    judge(&Run::with(change).evidence()).reasons.iter().map(ToString::to_string).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn a_run_in_order_is_trustworthy_and_silent() {
    let instrument = judge(&Run::good().evidence());
    assert!(instrument.trustworthy);
    assert_eq!((instrument.reasons.len(), instrument.notes.len()), (0, 0));
    assert_eq!(instrument.offered_ratio, Some(1.0));
}

#[test]
fn one_request_in_a_thousand_may_be_missing_and_not_more() {
    assert_eq!(doubts(|r| (r.sent, r.dropped) = (9_990, 10)), NONE);
    assert_eq!(doubts(|r| (r.sent, r.dropped) = (9_989, 11)), ["load_not_offered"]);
}

#[test]
fn a_request_that_the_target_turned_away_was_offered() {
    assert_eq!(doubts(|r| (r.sent, r.turned_away) = (4_000, 6_000)), NONE);
    assert_eq!(doubts(|r| (r.sent, r.turned_away) = (4_000, 5_000)), ["load_not_offered"]);
}

#[test]
fn requests_sent_over_the_edge_of_a_window_do_not_make_a_ratio_above_one() {
    assert_eq!(judge(&Run::with(|r| r.sent = 10_003).evidence()).offered_ratio, Some(1.0));
}

fn cause(change: impl FnOnce(&mut Run)) -> Cause {
    let instrument = judge(&Run::with(change).evidence());
    let found = instrument.reasons.iter().find_map(|r| match r {
        Reason::LoadNotOffered { cause, .. } => Some(*cause),
        _ => None,
    });
    found.expect("the load was not offered")
}

#[test]
fn missing_load_is_laid_at_the_right_door() {
    // Every connection waited for the target while we kept up.
    assert_eq!(cause(|r| (r.sent, r.dropped, r.waiting) = (9_000, 900, 100)), Cause::Connections);
    // The thread never got to them.
    assert_eq!(cause(|r| r.sent = 9_000), Cause::Generator);
    assert_eq!(cause(|r| (r.sent, r.dropped) = (9_000, 400)), Cause::Generator);
    // No connection free, but we may be why.
    let held_up = |r: &mut Run| (r.sent, r.dropped) = (9_000, 1_000);
    let blurs: [fn(&mut Run); 5] = [
        |r| r.threads[1] = thread(0.99),
        |r| r.send_delay = histogram(&[(9_000, 3 * MS)]),
        |r| r.receive_delay = histogram(&[(9_000, 8 * MS)]),
        |r| r.throttled = (MS, 1),
        |r| r.local_errors = 1,
    ];
    for blur in blurs {
        assert_eq!(
            cause(|r| {
                held_up(r);
                blur(r);
            }),
            Cause::Either
        );
    }
    assert_eq!(cause(|r| (r.sent, r.dropped) = (9_000, 600)), Cause::Either);
}

#[test]
fn a_backlog_behind_a_slow_target_is_not_our_lateness() {
    // Responses take 2 s because requests queue for a connection; each goes out as soon as one is free.
    let slow = |r: &mut Run| {
        r.response_time = histogram(&[(10_000, 2_000 * MS)]);
        r.service_time = histogram(&[(10_000, 100 * MS)]);
    };
    assert_eq!(doubts(slow), NONE);
}

#[test]
fn a_send_delay_over_a_millisecond_and_a_tenth_of_the_median_is_late() {
    let late = |p99: u64, median: u64| {
        doubts(|r| {
            r.send_delay = histogram(&[(9_800, 20 * US), (200, p99)]);
            r.response_time = histogram(&[(10_000, median)]);
        })
    };
    assert_eq!(late(MS, 100 * US), NONE, "the floor");
    assert_eq!(late(MS + 5 * US, 100 * US), ["sent_late"]);
    assert_eq!(late(5 * MS, 50 * MS), NONE, "the tenth");
    assert_eq!(late(5 * MS + 25 * US, 50 * MS), ["sent_late"]);
    assert_eq!(
        doubts(|r| r.send_delay = histogram(&[(9_905, 20 * US), (95, 900 * MS)])),
        NONE,
        "p99 is judged"
    );
}

#[test]
fn few_late_sends_are_noted_with_their_percentile() {
    let pause = |open_model: bool| {
        judge(
            &Run::with(|r| {
                r.open_model = open_model;
                r.send_delay = histogram(&[(9_950, 20 * US), (50, 200 * MS)]);
            })
            .evidence(),
        )
    };
    let noted = pause(true);
    assert!(noted.trustworthy);
    assert!(noted.notes[0].contains("50 requests"), "{:?}", noted.notes);
    assert!(
        ["1.00 ms", "200 ms", "99.50 %"].iter().all(|figure| noted.notes[0].contains(figure)),
        "{:?}",
        noted.notes
    );
    assert_eq!(pause(false).notes, [""; 0], "nothing is due in the closed model");
}

#[test]
fn a_receive_delay_over_the_median_service_time_is_late() {
    let late = |kernel: bool, p99: u64, service: u64| {
        doubts(|r| {
            r.kernel_timestamps = kernel;
            r.receive_delay = histogram(&[(9_800, 5 * US), (200, p99)]);
            r.service_time = histogram(&[(10_000, service)]);
        })
    };
    for kernel in [true, false] {
        assert_eq!(late(kernel, 4_000 * US, 4_000 * US), NONE);
        assert_eq!(late(kernel, 4_030 * US, 4_000 * US), ["read_late"]);
    }
    assert_eq!(late(true, 990 * US, 15 * US), NONE, "a burst of answers read in turn, and in no latency");
    assert_eq!(late(true, 1_010 * US, 15 * US), ["read_late"]);
    assert_eq!(late(false, 99 * US, 15 * US), ["read_late"], "in every latency: nothing is forgiven");
}

#[test]
fn a_thread_busy_for_more_than_95_per_cent_cannot_keep_a_schedule() {
    assert_eq!(doubts(|r| r.threads = vec![thread(0.95)]), NONE);
    assert_eq!(doubts(|r| r.threads = vec![thread(0.1), thread(0.951)]), ["thread_saturated"]);
    assert_eq!(
        sentences(|r| r.threads = vec![thread(0.99), thread(0.2)]),
        ["thread 0 was busy 99.0 %: add --threads or lower the rate"]
    );
    assert_eq!(
        sentences(|r| r.threads = vec![thread(0.96), thread(0.98), thread(0.5)]),
        ["thread 1 was busy 98.0 % (and 1 more over 95.0 %): add --threads or lower the rate"]
    );
}

#[test]
fn in_the_closed_model_a_busy_generator_is_a_note() {
    let run = Run::with(|r| {
        r.open_model = false;
        r.threads = vec![thread(0.99)];
        r.sent = 7;
        r.send_delay = histogram(&[(10_000, 9 * MS)]);
        r.receive_delay = histogram(&[(10_000, 900 * MS)]);
    });
    let instrument = judge(&run.evidence());
    assert_eq!((instrument.trustworthy, instrument.offered_ratio), (true, None));
    assert_eq!(
        instrument.notes,
        ["the generator was the bottleneck: thread 0 was busy 99.0 %; the target may do more"]
    );
}

#[test]
fn throttling_and_local_errors_count_in_both_models() {
    for open in [true, false] {
        assert_eq!(
            doubts(|r| (r.open_model, r.throttled, r.local_errors) = (open, (0, 1), 1)),
            ["cpu_throttled", "local_errors"]
        );
        assert_eq!(doubts(|r| (r.open_model, r.throttled) = (open, (1, 0))), ["cpu_throttled"]);
    }
}

#[test]
fn each_sentence_carries_its_figure_and_a_remedy() {
    let everything = |r: &mut Run| {
        (r.sent, r.dropped) = (9_500, 500);
        r.threads = vec![thread(0.99)];
        r.send_delay = histogram(&[(9_500, 3_200 * US)]);
        r.receive_delay = histogram(&[(9_500, 7 * MS)]);
        r.throttled = (250 * MS, 12);
        r.local_errors = 1;
    };
    let (all, names) = (sentences(everything), doubts(everything));
    let figures = ["95.0 %", "99.0 %", "3.20 ms", "7.00 ms", "250 ms in 12 periods", "1 exchange failed"];
    assert_eq!(all.len(), figures.len());
    // The last two are of a fleet, and tested where it is weighed.
    assert_eq!(names, Reason::NAMES[..6], "each reason has its name, and each name its reason");
    for (sentence, figure) in all.iter().zip(figures) {
        let (fault, remedy) = sentence.rsplit_once(": ").expect("fault: remedy");
        assert!(fault.contains(figure), "{figure} in {sentence}");
        assert!(["lower", "raise", "add", "leave"].iter().any(|verb| remedy.contains(verb)), "{sentence}");
    }
}

#[test]
fn what_a_reader_should_know_is_noted_without_doubt() {
    let run = Run::with(|r| {
        r.kernel_timestamps = false;
        r.absurd_stamps = 3;
        r.response_time.record(7_200_000 * MS);
    });
    let instrument = judge(&run.evidence());
    assert!(instrument.trustworthy);
    assert_eq!(instrument.notes.len(), 3);
    for (note, word) in instrument.notes.iter().zip(["user space", "3 responses", "1 exchange longer"]) {
        assert!(note.contains(word), "{note}");
    }
}

#[test]
fn counts_that_do_not_add_up_are_a_reason_in_both_models() {
    for open in [true, false] {
        assert_eq!(doubts(|r| (r.open_model, r.unaccounted) = (open, 1)), ["counts_do_not_add_up"]);
    }
}

#[test]
fn small_responses_after_40_ms_hint_at_delayed_acknowledgments() {
    let notes = |service_ms: u64, bytes: u64| {
        let run = Run::with(|r| {
            r.service_time = histogram(&[(10_000, service_ms * MS)]);
            r.received_bytes = 10_000 * bytes;
        });
        judge(&run.evidence()).notes.join(" ")
    };
    assert!(notes(41, 300).contains("TCP_NODELAY"));
    for (service_ms, bytes) in [(41, 100_000), (38, 300), (46, 300)] {
        assert!(!notes(service_ms, bytes).contains("TCP_NODELAY"), "{service_ms} ms, {bytes} bytes");
    }
}

#[test]
fn a_run_of_nothing_is_judged_without_figures() {
    let empty = Histogram::new();
    let nothing = Evidence {
        open_model: true,
        asked: 0,
        sent: 0,
        turned_away: 0,
        dropped: 0,
        waiting: 0,
        send_delay: &empty,
        receive_delay: &empty,
        service_time: &empty,
        response_time: &empty,
        received_bytes: 0,
        kernel_timestamps: true,
        absurd_stamps: 0,
        threads: &[],
        throttled_ns: 0,
        throttled_periods: 0,
        local_errors: 0,
        out_of_data: 0,
        data_unreadable: 0,
        rows_awaited: 0,
        rows_awaited_ns: 0,
        unaccounted: 0,
    };
    let instrument = judge(&nothing);
    assert_eq!((instrument.trustworthy, instrument.offered_ratio), (true, None));
    assert!(!may_explain_quantile(&empty, 0.99, MS, &nothing) && !may_explain_mean(&empty, MS, &nothing));
}

#[test]
fn a_slow_target_cannot_be_explained_by_delays_that_are_too_short_or_too_few() {
    // 5 % of the responses take 20 ms against a limit of 10 ms at p99.
    let response = histogram(&[(9_500, 5 * MS), (500, 20 * MS)]);
    let explains = |send_delay: &[(u64, u64)]| {
        let run = Run::with(|r| r.send_delay = histogram(send_delay));
        may_explain_quantile(&response, 0.99, 10 * MS, &run.evidence())
    };
    assert!(!explains(&[(10_000, 20 * US)]), "too short");
    assert!(!explains(&[(10_000, 9_900 * US)]), "just too short");
    assert!(explains(&[(10_000, 10_100 * US)]), "long enough, everywhere");
    assert!(
        !explains(&[(9_650, 20 * US), (350, 50 * MS)]),
        "long enough, on too few: 150 slow ones are left"
    );
    assert!(explains(&[(9_590, 20 * US), (410, 50 * MS)]), "long enough, on as many as it takes");
}

#[test]
fn the_slowest_response_is_the_targets_unless_one_delay_is_long_enough() {
    let response = histogram(&[(9_999, 5 * MS), (1, 50 * MS)]);
    let explains = |longest: u64| {
        let run = Run::with(|r| r.send_delay = histogram(&[(9_999, 20 * US), (1, longest)]));
        may_explain_quantile(&response, 1.0, 30 * MS, &run.evidence())
    };
    assert!(!explains(15 * MS));
    assert!(explains(25 * MS));
}

#[test]
fn a_quota_explains_an_excess_no_longer_than_itself() {
    let response = histogram(&[(10_000, 20 * MS)]);
    let explains = |throttled_ns: u64| {
        let run = Run::with(|r| r.throttled = (throttled_ns, 1));
        let evidence = run.evidence();
        let by_quantile = may_explain_quantile(&response, 0.99, 10 * MS, &evidence);
        assert_eq!(by_quantile, may_explain_mean(&response, 10 * MS, &evidence));
        by_quantile
    };
    assert!(!explains(0));
    assert!(!explains(9 * MS));
    assert!(explains(11 * MS));
}

#[test]
fn a_mean_is_judged_by_what_is_left_without_our_delays() {
    let response = histogram(&[(10_000, 12 * MS)]);
    let explains = |delay: u64| {
        let run = Run::with(|r| r.send_delay = histogram(&[(10_000, delay)]));
        may_explain_mean(&response, 10 * MS, &run.evidence())
    };
    assert!(!explains(1_900 * US));
    assert!(explains(2_100 * US));
}

#[test]
fn one_request_or_a_handful_says_nothing_of_a_busy_generator() {
    for (n, open_model) in [(1, false), (5, false), (1, true), (5, true)] {
        let run = Run::with(|run| {
            (run.open_model, run.asked, run.sent) = (open_model, n, n);
            run.threads = vec![ThreadHealth { busy_ns: MS, observed_ns: MS, ..ThreadHealth::default() }];
        });
        let judged = judge(&run.evidence());
        assert_eq!((judged.reasons, judged.notes), (vec![], Vec::<String>::new()), "{n} {open_model}");
    }
}

#[test]
fn a_small_sample_is_told_in_counts_and_without_a_remedy() {
    let run = |late| {
        let delays = histogram(&[(40 - late, 20 * US), (late, 30 * MS)]);
        Run::with(|run| {
            (run.asked, run.sent) = (40, 40);
            (run.send_delay, run.receive_delay) = (delays.clone(), delays);
        })
    };
    // One of 40 does not show that more than 1 % are late; three do.
    let one = judge(&run(1).evidence());
    assert!(one.trustworthy, "{:?}", one.reasons);
    assert!(
        one.notes[0].starts_with("1 request was sent more than 1.00 ms after it could be"),
        "{:?}",
        one.notes
    );
    let reasons = judge(&run(3).evidence()).reasons;
    let counts = |reason: &Reason| match *reason {
        Reason::SentLate { late, of, .. } | Reason::ReadLate { late, of, .. } => (late, of),
        _ => panic!("{reason:?}"),
    };
    assert_eq!(reasons.iter().map(counts).collect::<Vec<_>>(), [(3, 40), (3, 40)]);
    for reason in &reasons {
        let text = reason.to_string();
        assert!(text.starts_with("3 of 40 re") && text.contains(" were late"), "{text}");
        assert!(!text.contains('%') && !text.contains("lower the rate"), "{text}");
    }
    let missing = judge(&Run::with(|run| (run.asked, run.sent, run.dropped) = (5, 4, 1)).evidence());
    assert_eq!(missing.reasons[0].name(), "load_not_offered");
    assert!(!missing.reasons[0].to_string().contains("lower the rate"), "{}", missing.reasons[0]);
}

#[test]
fn a_schedule_without_a_request_is_blamed_only_where_something_was_measured() {
    let notes = |observed_ns: u64| {
        let run = Run::with(|run| {
            (run.asked, run.sent) = (0, 0);
            run.threads.iter_mut().for_each(|thread| thread.observed_ns = observed_ns);
        });
        judge(&run.evidence()).notes
    };
    assert!(notes(1_000_000_000).iter().any(|note| note.contains("asked for no request")));
    // The run did not begin: no connection, or an error before it.
    assert_eq!(notes(0), Vec::<String>::new());
}
