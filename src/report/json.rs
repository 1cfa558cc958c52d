//! JSON of the snapshot.

use super::Snapshot;

/// The text of `GET /status`.
pub fn status(snapshot: &Snapshot) -> String {
    let tally = &snapshot.tally;
    let status = serde_json::json!({
        "state": snapshot.state.name(),
        "elapsed": snapshot.elapsed_ns as f64 / 1e9,
        "progress": snapshot.progress(),
        "totals": {
            "due": tally.sum(|s| s.due),
            "sent": tally.sum(|s| s.sent),
            "completed": tally.sum(|s| s.ended()),
            "ok": tally.sum(|s| s.completed()),
            "failed": tally.sum(|s| s.failed()),
            "dropped": tally.sum(|s| s.dropped),
            "unfinished": snapshot.unfinished,
            "bytes_sent": tally.sum(|s| s.bytes_sent),
            "bytes_received": tally.sum(|s| s.bytes_received),
            "connections_opened": tally.connections_opened,
        },
    });
    status.to_string()
}
