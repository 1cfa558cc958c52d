//! The messages to a worker's main thread.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::collector::MergedWindow;
use crate::coordinator_client;
use crate::load::{Pem, Route};
use crate::plan::{Plan, Shard};
use crate::roles::Failure;

/// Capacity of the inbox. A full inbox blocks its senders: a client makes one call at a time, and windows
/// close once a second.
const ROOM: usize = 64;

pub(super) enum Message {
    /// A call has ended.
    Outcome(coordinator_client::Outcome),
    /// All threads have closed a window.
    Window(Box<MergedWindow>),
    /// The collector has ended.
    Ended,
    /// The coordinator's plan and its PEM files, or why it cannot be carried out.
    Plan(Box<Result<(Plan, Vec<Pem>), String>>),
    /// The routes to the targets, resolved for this shard.
    Routes(Shard, Result<Vec<Arc<Route>>, Failure>),
}

/// A bounded channel to the main thread.
pub(super) fn inbox() -> (Sender<Message>, Receiver<Message>) {
    bounded(ROOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_the_main_thread_is_bounded() {
        let (sender, _receiver) = inbox();
        (0..ROOM).for_each(|_| sender.try_send(Message::Ended).ok().unwrap());
        assert!(sender.try_send(Message::Ended).is_err());
    }
}
