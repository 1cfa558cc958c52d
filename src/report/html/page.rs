//! The page, and the parts that it shares with the live page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::source::Source;
use super::{baseline, charts, fleet, instrument, sections, workers};
use crate::report::figures::{InstrumentFigures, Threshold};
use crate::report::headline::{Headline, INSECURE, Tone};
use crate::report::sanitize::{one_line, unbroken};
use crate::run::Snapshot;

/// The style sheet of every page; sets colors by class.
const STYLE: &str = include_str!("report.css");

/// The page of a finished run as HTML.
pub fn page(snapshot: &Snapshot, instrument: &InstrumentFigures, thresholds: &[Threshold]) -> String {
    let source = Source::new(snapshot, instrument, thresholds);
    let headline = Headline::of(snapshot, instrument);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        BASE64.encode(Sha256::digest(STYLE))
    );
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")));
                title { (headline.word) " – " (source.run.plan_name.as_ref().unwrap_or(&source.run.target)) " – loadtester" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(&source, &headline))
                main {
                    (sections::key_figures(&source))
                    (sections::thresholds(&source))
                    (workers::section(&source))
                    (baseline::section(&source))
                    (charts::all(&source))
                    (sections::latency(&source))
                    (sections::scenarios(&source, sections::OmittedRows::Folded))
                    (sections::outcomes(&source))
                    (fleet::section(&source))
                    (instrument::section(&source))
                    (sections::environment(&source))
                }
                footer {
                    p { "Written by loadtester " (env!("CARGO_PKG_VERSION")) ". Response time counts from the instant "
                        "a request was due; service time from the instant it was sent." }
                }
            }
        }
    };
    markup.into_string()
}

fn header(source: &Source, headline: &Headline) -> Markup {
    let (tone, mark) = match headline.tone {
        Tone::Good => ("good", "✓"),
        Tone::Warn => ("warn", "!"),
        Tone::Bad => ("bad", "✕"),
    };
    html! {
        header class=(tone) {
            (heading(source, headline, mark))
            p class="trust" { (sections::sentence(headline.trust)) "." }
            (doubts(source))
            p class="what" { (sections::what_was_run(source)) }
        }
    }
}

/// The target and the verdict.
pub(in crate::report) fn heading(source: &Source, headline: &Headline, mark: &str) -> Markup {
    html! {
        p class="eyebrow" {
            @if let Some(name) = &source.run.plan_name { b { (name) } ": load " } @else { "Load " }
            "test of " span class="mono" { (source.run.target) }
        }
        h1 {
            span class="mark" aria-hidden="true" { (mark) }
            (sections::sentence(&headline.word.to_lowercase()))
            @if !headline.but.is_empty() { span class="but" { (headline.joint()) (headline.but) } }
        }
    }
}

/// A warning if the target's certificate was not checked.
pub(in crate::report) fn insecure(source: &Source) -> Markup {
    html! {
        @if source.run.insecure == Some(true) { p class="trust" { strong { (sections::sentence(INSECURE)) "." } } }
    }
}

/// The reasons to doubt the target or the measurement, if any.
pub(in crate::report) fn doubts(source: &Source) -> Markup {
    html! {
        (insecure(source))
        @if !source.instrument.trustworthy {
            ul class="reasons" {
                @for reason in &source.instrument.reasons { li { (unbroken(&one_line(reason))) } }
            }
        }
    }
}
