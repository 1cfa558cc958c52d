//! A record of the journal as this service writes it.
//!
//! ```text
//! record = length of the entry (u32, little-endian), entry (JSON), bytes
//! ```
//!
//! The bytes are a worker's report, or a piece of a checkpoint's part.

use serde::{Deserialize, Serialize};

use crate::fleet::coordinator::Record;

const LENGTH_BYTES: usize = 4;

/// The head of one record of the journal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A change of the state machine; a report's bytes follow it.
    Record(Record),
    /// Bytes of a checkpoint's part.
    Piece {
        /// Which one.
        part: Part,
        /// The part goes on in the next record.
        more: bool,
    },
}

/// A part of a checkpoint. They come in this order, before all other records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// The state machine's [`Record::Checkpoint`], JSON.
    State,
    /// What the service knows besides counts, JSON.
    Service,
    /// The snapshot's figures besides counts, JSON.
    Figures,
    /// The counts of the measured time. Here and below, counts are in their wire encoding.
    Total,
    /// The counts of an open window, by its index.
    Window(u64),
    /// Whole lines of the histogram log; as often as the log has chunks.
    LogLines,
    /// The histograms that follow those lines.
    LogRest,
    /// Nothing: the checkpoint is whole.
    End,
}

impl Entry {
    /// The bytes that begin its record.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut bytes = vec![0; LENGTH_BYTES];
        serde_json::to_writer(&mut bytes, self).expect("records are JSON");
        let length = ((bytes.len() - LENGTH_BYTES) as u32).to_le_bytes();
        bytes[..LENGTH_BYTES].copy_from_slice(&length);
        bytes
    }

    /// Take a record apart; `None`: it is one of another version.
    pub(super) fn read(record: &[u8]) -> Option<(Self, &[u8])> {
        let (length, rest) = record.split_first_chunk::<LENGTH_BYTES>()?;
        let (head, bytes) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some((serde_json::from_slice(head).ok()?, bytes))
    }
}
