//! The entry: parse, pick a role, print errors, choose the exit code.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use loadtester::cli::{self, Options, Role};
use loadtester::plan::{self, ProxyVariables};
use loadtester::report::json;
use loadtester::roles::{Exit, Failure, coordinator, demo, fail_unread, log, standalone, target, worker};

fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().skip(1).collect();
    log::write_as(cli::log_format_of(&typed));
    let result = match cli::parse(typed.clone(), &|name| Path::new(name).is_file()) {
        Ok(mut options) => {
            options.proxy_variables = ProxyVariables::read(|name| std::env::var(name).ok());
            run(&options)
        }
        Err(error) => Err(fail_unread(&cli::reports_of(typed), Failure::usage(error.to_string()))),
    };
    let exit = result.unwrap_or_else(|failure| {
        log::error(&failure.message);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

fn run(options: &Options) -> Result<Exit, Failure> {
    if options.help.is_some() || options.version || prints(options) {
        // A reader that has enough, such as `head`, is no failure.
        let _ = std::io::stdout().write_all(about(options).as_bytes());
        return Ok(Exit::Passed);
    }
    match options.role {
        Role::Target => {
            target::run(options.listen.unwrap_or(target::DEFAULT_ADDRESS))?;
            Ok(Exit::Passed)
        }
        Role::Worker => worker::run(options),
        Role::Coordinator => coordinator::run(options),
        Role::Standalone if options.demo => demo::run(options),
        Role::Standalone => standalone::run(options),
    }
}

fn prints(options: &Options) -> bool {
    options.schema || options.report_schema || options.completions.is_some() || options.man
}

fn about(options: &Options) -> String {
    if let Some(topic) = options.help {
        cli::help(topic)
    } else if options.version {
        format!("loadtester {}\n", env!("CARGO_PKG_VERSION"))
    } else if let Some(shell) = options.completions {
        cli::completions(shell)
    } else if options.man {
        cli::man_page()
    } else if options.report_schema {
        json::schema()
    } else {
        plan::schema() + "\n"
    }
}
