//! What a request costs in two builds of this tool: instructions, system calls, time.
//!
//! `cargo bench --bench cost -- OLD_BINARY [NEW_BINARY] --measures instructions,syscalls --cases c10,open`
//!
//! Each round runs OLD, NEW and OLD again. NEW ÷ OLD says what a change costs; OLD ÷ OLD says how far
//! apart two runs of the same program are, so a ratio inside that range shows no difference. Instructions
//! and system calls are those of a long run less those of a short one, divided by the difference in
//! requests: what happens once, at the start and at the end, cancels out.

#[path = "../../tests/servers/certificates.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod certificates;
#[path = "../instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each program uses its part; tests run in tests/it")]
mod instrument;

mod cases;
mod counts;
mod hide_auxv;
mod ratios;
mod wall;

use std::path::{Path, PathBuf};

use cases::{CASES, Case};
use instrument::contestant::header;
use instrument::table::Table;
use ratios::Rounds;

/// The core the generator runs on.
const GENERATOR_CORE: usize = 0;
/// The core the target runs on.
const TARGET_CORE: usize = 1;

const USAGE: &str = "\
Compare what a request costs in two builds of loadtester; print Markdown.

  cost OLD_BINARY [NEW_BINARY]   NEW_BINARY: the build this bench comes with, unless given
  --measures A,B  of instructions syscalls wall (default: all)
  --cases A,B     of c1 c10 c64 c256 100kb-c10 https-c10 open (default: all)
  --rounds N      rounds per case (default: 3 for counts, 10 for wall)
  --seconds S     length of one run of wall (default 1)

Environment: VALGRIND is the valgrind to use; it must know epoll_pwait2 (3.24 does, 3.19 does not).";

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Instructions,
    Syscalls,
    Wall,
}

impl Measure {
    const ALL: [Self; 3] = [Self::Instructions, Self::Syscalls, Self::Wall];

    const fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Syscalls => "syscalls",
            Self::Wall => "wall",
        }
    }

    const fn usual_rounds(self) -> usize {
        if matches!(self, Self::Wall) { 10 } else { 3 }
    }
}

/// The command line.
struct Options {
    old: PathBuf,
    new: PathBuf,
    measures: Vec<Measure>,
    cases: Vec<&'static Case>,
    rounds: Option<usize>,
    seconds: f64,
}

fn main() -> std::process::ExitCode {
    let args = instrument::own_args();
    instrument::finish(match args.first().map(String::as_str) {
        Some(hide_auxv::COMMAND) => hide_auxv::main(&args[1..]),
        _ => instrument::run_as_child(&args).unwrap_or_else(|| compare(&args)),
    })
}

fn compare(args: &[String]) -> Result<(), String> {
    let Some(options) = read(args).map_err(|e| format!("{e}\n\n{USAGE}"))? else {
        println!("{USAGE}");
        return Ok(());
    };
    instrument::os::raise_fd_limit().map_err(|e| format!("cannot raise the limit of open files: {e}"))?;
    println!("# Cost of a request\n\n{}", header(&[]));
    println!("- OLD: {}\n- NEW: {}", options.old.display(), options.new.display());
    let mut table = Table::new(["case", "measure", "OLD (range)", "NEW (range)", "NEW ÷ OLD", "OLD ÷ OLD"]);
    let mut remarks = Vec::new();
    for &measure in &options.measures {
        for case in &options.cases {
            match measured(&options, measure, case) {
                Ok(rows) => {
                    for (name, rounds) in rows {
                        table.row([case.name.to_owned(), name].into_iter().chain(rounds.cells()));
                    }
                }
                Err(fault) => remarks.push(format!("- {}, {}: {fault}", case.name, measure.name())),
            }
        }
    }
    println!(
        "- generator on core {GENERATOR_CORE}, target on core {TARGET_CORE}, loopback, one load thread; medians\n"
    );
    println!("{table}");
    for remark in remarks {
        println!("{remark}");
    }
    Ok(())
}

/// The rows of one case and one measure: what each is called, and its samples.
fn measured(options: &Options, measure: Measure, case: &Case) -> Result<Vec<(String, Rounds)>, String> {
    let target = case.start()?;
    let lock = (measure == Measure::Wall).then(wall::lock).transpose()?;
    let mut rows: Vec<(String, Rounds)> = Vec::new();
    for round in 1..=options.rounds.unwrap_or(measure.usual_rounds()) {
        eprintln!("{}, {}, round {round}", measure.name(), case.name);
        let once = |program: &Path| match measure {
            Measure::Instructions => counts::instructions(case, &target, program),
            Measure::Syscalls => counts::syscalls(case, &target, program),
            Measure::Wall => wall::run(case, &target, program, options.seconds),
        };
        let (old, new, again) = (once(&options.old)?, once(&options.new)?, once(&options.old)?);
        for (i, (name, value)) in old.into_iter().enumerate() {
            if rows.len() == i {
                rows.push((name, Rounds::default()));
            }
            rows[i].1.add(value, new[i].1, again[i].1);
        }
    }
    drop(lock);
    Ok(rows)
}

/// Read the command line; `None`: it asks for help.
fn read(args: &[String]) -> Result<Option<Options>, String> {
    let mut args = pico_args::Arguments::from_vec(args.iter().map(Into::into).collect());
    if args.contains("--help") {
        return Ok(None);
    }
    let text = |e: pico_args::Error| e.to_string();
    let measures: Option<String> = args.opt_value_from_str("--measures").map_err(text)?;
    let cases: Option<String> = args.opt_value_from_str("--cases").map_err(text)?;
    let rounds: Option<usize> = args.opt_value_from_str("--rounds").map_err(text)?;
    let seconds: Option<f64> = args.opt_value_from_str("--seconds").map_err(text)?;
    let mut programs = args.finish().into_iter().map(PathBuf::from);
    let old = programs.next().ok_or("OLD_BINARY is missing")?;
    let new = programs.next().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_loadtester")));
    if let Some(left) = programs.next() {
        return Err(format!("unknown argument {}", left.display()));
    }
    for program in [&old, &new] {
        if !program.is_file() {
            return Err(format!("there is no program {}", program.display()));
        }
    }
    let absolute = |path: PathBuf| std::path::absolute(path).map_err(|e| e.to_string());
    Ok(Some(Options {
        old: absolute(old)?,
        new: absolute(new)?,
        measures: chosen(measures.as_deref(), &Measure::ALL, |m| m.name())?.into_iter().copied().collect(),
        cases: chosen(cases.as_deref(), &CASES, |case| case.name)?,
        rounds: rounds.map(|n| n.max(1)),
        seconds: seconds.unwrap_or(1.0).max(0.1),
    }))
}

/// Those of `all` that a comma-separated list names; all of them without one.
fn chosen<'a, T>(
    list: Option<&str>,
    all: &'a [T],
    name: impl Fn(&T) -> &'static str,
) -> Result<Vec<&'a T>, String> {
    let Some(list) = list else { return Ok(all.iter().collect()) };
    list.split(',')
        .map(|word| {
            let known = || all.iter().map(&name).collect::<Vec<_>>().join(", ");
            let found = all.iter().find(|one| name(one) == word.trim());
            found.ok_or_else(|| format!("there is no {word:?}, only {}", known()))
        })
        .collect()
}
