//! The man page, in roff, from the tables of the help.

use super::help::{EXAMPLES, EXIT_CODES, SUMMARY, explained};
use super::table::{FLAGS, Flag, Group};
use super::topics::VARIABLES;

/// loadtester(1).
pub fn man_page() -> String {
    // The version dates the page; a date kept by hand would be wrong soon.
    let mut page =
        format!(".TH LOADTESTER 1 \"\" \"loadtester {}\" \"User Commands\"\n", env!("CARGO_PKG_VERSION"));
    page += &format!(".SH NAME\nloadtester \\- {}\n", escaped(SUMMARY));
    page += ".SH SYNOPSIS\n";
    for (i, form) in
        ["PLAN", "URL", "\\-\\-role worker \\-\\-coordinator URL", "help [TOPIC]"].iter().enumerate()
    {
        page += if i > 0 { ".br\n" } else { "" };
        page += &format!(".B loadtester\n{form}\n.RI [ FLAGS ]\n");
    }
    page = page.replace("help [TOPIC]\n.RI [ FLAGS ]\n", "help\n.RI [ TOPIC ]\n");
    page += ".SH DESCRIPTION\n";
    page += &text(DESCRIPTION);
    page += ".SH EXAMPLES\n";
    for (line, what) in EXAMPLES {
        page += &format!(".TP\n.B {}\n{}", escaped(line), text(what));
    }
    page += ".SH OPTIONS\n";
    for group in Group::ALL {
        page += &format!(".SS {}\n", escaped(group.title()));
        for flag in FLAGS.iter().filter(|flag| flag.group == group) {
            page += &format!(".TP\n{}\n{}", names(flag), text(&explained(flag)));
        }
    }
    page += ".SH EXIT STATUS\n";
    for (code, what) in EXIT_CODES {
        page += &format!(".TP\n.B {code}\n{}", text(what));
    }
    page += ".SH ENVIRONMENT\n";
    for (name, what) in VARIABLES {
        page += &format!(".TP\n.B {name}\n{}", text(what));
    }
    page
}

const DESCRIPTION: &str = "The first argument is a plan (a YAML file) or a URL; http is the default scheme. \
    `loadtester help plan` prints the keys of a plan, `loadtester help thresholds` the limits you can set for a run, \
    `loadtester help reports` the formats of results.";

fn names(flag: &Flag) -> String {
    let names: Vec<String> = flag.names().map(|name| format!("\\fB{}\\fR", escaped(name))).collect();
    let value =
        if flag.value.is_empty() { String::new() } else { format!(" \\fI{}\\fR", escaped(flag.value)) };
    names.join(", ") + &value
}

/// Running text: what stands in backticks is bold; a line of its own.
fn text(text: &str) -> String {
    let mut line = String::new();
    for (i, part) in text.split('`').enumerate() {
        line += &if i % 2 == 1 { format!("\\fB{}\\fR", escaped(part)) } else { escaped(part) };
    }
    // A dot or a quote at the beginning of a line would be a request.
    let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
    format!("{guard}{line}\n")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('~', "\\(ti")
        .replace('^', "\\(ha")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_man_page_has_every_flag_and_no_stray_request() {
        let page = man_page();
        for flag in &FLAGS {
            for name in flag.names() {
                assert!(page.contains(&format!("\\fB{}\\fR", escaped(name))), "{name}");
            }
        }
        assert!(page.is_ascii(), "groff reads ASCII everywhere");
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            let request = line.split(' ').next().unwrap();
            assert!([".TH", ".SH", ".SS", ".TP", ".B", ".RI", ".br"].contains(&request), "{line}");
        }
    }
}
