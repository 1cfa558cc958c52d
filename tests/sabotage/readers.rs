//! Readers of the status server that do their worst while load is applied.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::CaseResult;
use crate::fixture::{Generator, Run, TargetThread, demand, least_disturbed};

/// Connections that ask for nothing.
const IDLE: usize = 64;

/// Begin a run, read its status pages as slowly as can be until it ends.
fn run_with_slow_readers(generator: &Generator) -> Run {
    let mut running = generator.start();
    let line = running.line_with("dashboard at http://");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    let idle: Vec<_> = (0..IDLE).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = ["/status", "/metrics"]
        .map(|path| {
            let mut socket = TcpStream::connect(address).expect("it listens");
            let (over, host) = (over.clone(), address.to_owned());
            std::thread::spawn(move || {
                let _ = write!(socket, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
                let mut taken = 0;
                while !over.load(Ordering::Relaxed) {
                    taken += socket.read(&mut [0; 1]).unwrap_or(0);
                    std::thread::sleep(Duration::from_millis(500));
                }
                taken
            })
        })
        .into();
    let run = running.finish();
    over.store(true, Ordering::Relaxed);
    drop(idle);
    for reader in readers {
        assert!(reader.join().expect("it only reads") > 0, "it was answered");
    }
    run
}

pub fn slow_and_idle_readers_of_the_status_pages_do_not_touch_the_load() -> CaseResult {
    demand()?;
    let target = TargetThread::start();
    let plan = "-r 2000 -c 20 -d 3s --threads 1";
    Generator::against(&target, plan).undisturbed();
    let generator = Generator::against(&target, plan).and("--listen 127.0.0.1:0").ahead();
    let run = least_disturbed(|| run_with_slow_readers(&generator));
    run.assert_in_order();
    assert_eq!(run.figure("/totals/ok"), 6_000.0);
    Ok(())
}
