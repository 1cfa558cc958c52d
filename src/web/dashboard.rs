//! The dashboard's paths: the page, its fragments, its style sheet and scripts, and the report files.
//!
//! The scripts are ours, and those that a package manager fetched before the build (`build.rs`): without them
//! ours asks for the fragments by itself. The content is drawn in `report`.

use std::time::Instant;

use tiny_http::ResponseBox;

use super::page::{JSON, TEXT, header, page};
use super::site::Site;
use super::watchers::Watchers;
use crate::report::dashboard::{self, Fragment, PageFeatures};
use crate::report::figures::Threshold;
use crate::report::{EXTENSIONS, Format, file};
use crate::run::{SharedSnapshot, Snapshot};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const XML: &str = "application/xml; charset=utf-8";
const CSV: &str = "text/csv; charset=utf-8";

/// Status code of a part that will not change any more; htmx stops polling by it.
const STOP_POLLING: u16 = 286;

/// htmx and idiomorph, as one script; `None`: they were missing at build time.
const FETCHED_SCRIPTS: Option<&str> = include!(concat!(env!("OUT_DIR"), "/scripts.rs"));
/// Our own script for the page.
const OWN_SCRIPT: &str = include_str!("scripts/page.js");

/// How the last request of a page ends, which is being closed.
const CLOSED: &str = "&closed";

/// Whether [`answer`] serves `path`.
pub(crate) fn knows(path: &str) -> bool {
    match path {
        "/" | "/style.css" | "/icon.svg" | "/scripts.js" => true,
        _ => part_at(path).is_some() || format_at(path).is_some(),
    }
}

/// The response for the `path` of a `url` that [`knows`] accepts.
pub(crate) fn answer(path: &str, url: &str, site: &Site, watchers: &Watchers) -> ResponseBox {
    let shared = &*site.shared;
    let operator = site.operator.as_ref();
    let offer = PageFeatures {
        linger: site.linger,
        stop: operator.is_some(),
        start: operator.is_some_and(|operator| operator.start.is_some()),
    };
    if let Some(part) = part_at(path) {
        let (body, last) = shared.read(|s| (dashboard::part(part, s, &offer), s.is_final()));
        if let Some(number) = page_number(url) {
            match url.ends_with(CLOSED) {
                true => watchers.closed(number),
                false => watchers.asked(number, part, last, Instant::now()),
            }
        }
        return page(if last { STOP_POLLING } else { 200 }, HTML, body);
    }
    if let Some((extension, format)) = format_at(path) {
        return report(extension, format, shared);
    }
    match path {
        "/style.css" => page(200, CSS, dashboard::STYLE),
        "/icon.svg" => page(200, SVG, dashboard::ICON),
        "/scripts.js" => page(200, JAVASCRIPT, FETCHED_SCRIPTS.unwrap_or_default().to_owned() + OWN_SCRIPT),
        _ => page(200, HTML, shared.read(|snapshot| dashboard::page(snapshot, &offer))),
    }
}

/// The number that an open page gave itself: `/live/now?page=4711`.
fn page_number(url: &str) -> Option<u64> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("page="))?.parse().ok()
}

fn part_at(path: &str) -> Option<Fragment> {
    path.strip_prefix("/live/").and_then(Fragment::named)
}

fn format_at(path: &str) -> Option<(&'static str, Format)> {
    let wanted = path.strip_prefix("/report.")?;
    EXTENSIONS.into_iter().find(|(extension, _)| *extension == wanted)
}

/// The result as a file to download, drawn on request.
fn report(extension: &str, format: Format, shared: &SharedSnapshot) -> ResponseBox {
    let drawn = shared.read(|snapshot| match snapshot {
        s if !s.is_final() => Err((409, "the run has not ended; /status has the figures so far\n")),
        s if format == Format::Hlog && s.intervals.is_none() => {
            Err((404, "no histogram log was kept: start the run with --report FILE.hlog\n"))
        }
        s => Ok(draw(format, s)),
    });
    let content_type = match format {
        Format::Json => JSON,
        Format::Html => HTML,
        Format::Junit => XML,
        Format::Csv | Format::ScenariosCsv => CSV,
        Format::Hlog => TEXT,
    };
    match drawn {
        Ok(text) => {
            let disposition = format!("attachment; filename=\"report.{extension}\"");
            page(200, content_type, text).with_header(header("Content-Disposition", &disposition))
        }
        Err((status, why)) => page(status, TEXT, why),
    }
}

fn draw(format: Format, snapshot: &Snapshot) -> String {
    file(format, snapshot, &snapshot.instrument(), &Threshold::all(snapshot))
}
