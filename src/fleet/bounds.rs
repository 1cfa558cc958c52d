//! What each field of a message may hold: checked where bytes of a peer come in, and nowhere else.

use std::fmt;

use serde::de::DeserializeOwned;

use super::messages::*;
use super::{Refusal, Refused};
use crate::plan::Slice;

/// A message whose fields can be out of bounds.
pub trait Checked: DeserializeOwned {
    /// The most bytes it takes.
    const MAX_BYTES: usize = MAX_CONTROL_BYTES;

    /// Hold every field against its bounds.
    ///
    /// # Errors
    /// Which field, and what it may be.
    fn check(&self) -> Result<(), String>;

    /// Read one.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] before anything is read, [`Refusal::Malformed`] with what is wrong.
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(Refusal::TooLarge);
        }
        let message: Self = serde_json::from_slice(bytes).map_err(|e| Refusal::Malformed(e.to_string()))?;
        message.check().map_err(Refusal::Malformed)?;
        Ok(message)
    }
}

impl Checked for Join {
    const MAX_BYTES: usize = MAX_PLAN_MESSAGE_BYTES + MAX_CONTROL_BYTES;

    fn check(&self) -> Result<(), String> {
        within("slot", self.slot.unwrap_or(0), 0, MAX_SLOT - 1)?;
        within("threads", self.threads, 1, MAX_THREADS)?;
        text("version", &self.version)?;
        text("host", &self.host)?;
        self.plan.as_ref().map_or(Ok(()), PlanText::check)
    }
}

impl Checked for PlanText {
    const MAX_BYTES: usize = MAX_PLAN_MESSAGE_BYTES;

    fn check(&self) -> Result<(), String> {
        text("source", &self.source)?;
        digest("digest", &self.digest)
    }
}

impl Checked for Joined {
    fn check(&self) -> Result<(), String> {
        within("worker", self.worker.0, 0, MAX_INCARNATIONS as u32 - 1)?;
        within("slot", self.slot, 0, MAX_SLOT - 1)?;
        self.plan_digest.as_ref().map_or(Ok(()), |d| digest("plan_digest", d))
    }
}

impl Checked for Heartbeat {
    fn check(&self) -> Result<(), String> {
        self.health.check()?;
        slice(self.prepared)?;
        within("t0_ns", self.t0_ns, 0, MAX_TIME_NS)?;
        within("at_ns", self.at_ns.unwrap_or(0), -(MAX_TIME_NS as i64), MAX_TIME_NS as i64)?;
        self.why.as_ref().map_or(Ok(()), |why| text("why", why))
    }
}

impl Checked for Final {
    fn check(&self) -> Result<(), String> {
        self.health.check()?;
        self.totals.check()?;
        self.why.as_ref().map_or(Ok(()), |why| text("why", why))
    }
}

impl Checked for Orders {
    fn check(&self) -> Result<(), String> {
        within("turns", self.turns.len(), 0, MAX_TURNS)?;
        slice(self.prepare)?;
        for (i, turn) in self.turns.iter().enumerate() {
            slice(turn.share)?;
            if i > 0 && self.turns[i - 1].from_ns >= turn.from_ns {
                return Err("`turns` are not in order".to_owned());
            }
            within("from_ns", turn.from_ns, 0, MAX_TIME_NS)?;
        }
        for (name, ns) in [("t1_ns", self.t1_ns), ("t2_ns", self.t2_ns)] {
            within(name, ns, 0, MAX_TIME_NS)?;
        }
        within("start_at_ns", self.start_at_ns.unwrap_or(0), 0, MAX_TIME_NS)?;
        within("stop_at_ns", self.stop_at_ns.unwrap_or(0), 0, MAX_TIME_NS)?;
        within("lease_ns", self.lease_ns, 0, MAX_LEASE_NS)?;
        within("next_ns", self.next_ns, MIN_NEXT_NS, MAX_LEASE_NS)
    }
}

impl Checked for Acked {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Checked for Refused {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Health {
    fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.busy) {
            return Err(format!("`busy` is {}, not within 0..=1", self.busy));
        }
        let counts = [self.in_flight, self.backlog, self.connections, self.throttled_periods];
        counts.into_iter().try_for_each(|n| within("a count", n, 0, MAX_COUNT))?;
        let times = [self.send_delay_p99_ns, self.throttled_ns, self.unleased_ns];
        times.into_iter().try_for_each(|ns| within("a time", ns, 0, MAX_TIME_NS))
    }
}

impl Totals {
    /// Hold every count against its bound, so that sums can not overflow.
    ///
    /// # Errors
    /// Which bound.
    pub fn check(&self) -> Result<(), String> {
        self.each().into_iter().try_for_each(|n| within("a count", n, 0, MAX_COUNT))
    }
}

fn within<T: PartialOrd + fmt::Display + Copy>(
    name: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("`{name}` is {value}, not within {least}..={most}"))
}

fn slice(share: Option<Slice>) -> Result<(), String> {
    let Some(Slice { slot, of }) = share else { return Ok(()) };
    within("of", of, 1, MAX_WORKERS as u32)?;
    within("slot", slot, 0, of - 1)
}

fn text(name: &str, value: &str) -> Result<(), String> {
    within(name, value.len(), 0, MAX_TEXT_BYTES).map_err(|_| format!("`{name}` is too long"))?;
    if value.chars().any(char::is_control) {
        Err(format!("`{name}` holds control characters"))
    } else {
        Ok(())
    }
}

fn digest(name: &str, value: &str) -> Result<(), String> {
    let hex = value.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
    match hex {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(()),
        _ => Err(format!("`{name}` is not sha256: and 64 hex digits")),
    }
}
