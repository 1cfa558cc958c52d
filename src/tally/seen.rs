//! What is kept of single responses beside the counts.

use super::{FirstSeen, MAX_SPECIMENS, Outcome, Specimen};
use crate::http::CapturedResponse;

/// Where each outcome was seen first, which expectations were broken, and the last response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// For each outcome, by its index.
    pub first: [Option<FirstSeen>; Outcome::COUNT],
    pub specimens: Vec<Specimen>,
    pub captured: Option<Box<CapturedResponse>>,
}

impl Seen {
    /// Keep a response that broke an expectation: of each step the earliest of each kind, and
    /// [`MAX_SPECIMENS`] kinds.
    pub fn keep_specimen(&mut self, specimen: Specimen) {
        let of_step = |s: &&Specimen| s.step == specimen.step;
        let is_full = self.specimens.iter().filter(of_step).count() >= MAX_SPECIMENS;
        let same = |s: &&mut Specimen| s.step == specimen.step && s.broken == specimen.broken;
        match self.specimens.iter_mut().find(same) {
            Some(mine) if specimen.at_ns < mine.at_ns => *mine = specimen,
            None if !is_full => self.specimens.push(specimen),
            _ => {}
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.first.iter_mut().zip(&other.first) {
            if let Some(seen) = theirs
                && mine.is_none_or(|m| seen.at_ns < m.at_ns)
            {
                *mine = Some(*seen);
            }
        }
        other.specimens.iter().for_each(|specimen| self.keep_specimen(specimen.clone()));
        if other.captured.is_some() {
            self.captured.clone_from(&other.captured);
        }
    }

    pub fn clear(&mut self) {
        let Self { first, specimens, captured } = self;
        first.fill(None);
        specimens.clear();
        *captured = None;
    }

    /// Count instants from `start_ns` on.
    pub fn count_from(&mut self, start_ns: u64) {
        let first = self.first.iter_mut().flatten().map(|seen| &mut seen.at_ns);
        let instants = first.chain(self.specimens.iter_mut().map(|seen| &mut seen.at_ns));
        instants.for_each(|at_ns| *at_ns = at_ns.saturating_sub(start_ns));
    }
}
