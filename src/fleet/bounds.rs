//! Bounds of every message field, checked once, where a peer's bytes come in.

use std::fmt;

use serde::de::DeserializeOwned;

use super::messages::*;
use super::{Refusal, Refused};
use crate::plan::Shard;
use crate::text::one_line;

/// A message whose fields have bounds.
pub trait Checked: DeserializeOwned {
    /// Upper bound on the size of a message, in bytes.
    const MAX_BYTES: usize = MAX_CONTROL_BYTES;

    /// Make its text safe to print: a peer must not control anyone's terminal.
    fn clean(&mut self) {}

    /// Check every field against its bounds.
    ///
    /// # Errors
    /// The field and its bounds.
    fn check(&self) -> Result<(), String>;

    /// Parse, check and clean a message.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] before anything is read, [`Refusal::Malformed`] with what is wrong.
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(Refusal::TooLarge);
        }
        let wrong = |e: serde_json::Error| Refusal::Malformed(one_line(&e.to_string()));
        let mut message: Self = serde_json::from_slice(bytes).map_err(wrong)?;
        message.check().map_err(|why| Refusal::Malformed(one_line(&why)))?;
        message.clean();
        Ok(message)
    }
}

impl Checked for Join {
    const MAX_BYTES: usize = MAX_PLAN_MESSAGE_BYTES + MAX_CONTROL_BYTES;

    fn clean(&mut self) {
        (self.host, self.version) = (one_line(&self.host), one_line(&self.version));
        self.plan.iter_mut().for_each(PlanBundle::clean);
    }

    fn check(&self) -> Result<(), String> {
        within("slot", self.slot.unwrap_or(0), 0, MAX_SLOT - 1)?;
        within("threads", self.threads, 1, MAX_THREADS)?;
        text("version", &self.version)?;
        text("host", &self.host)?;
        self.plan.as_ref().map_or(Ok(()), PlanBundle::check)
    }
}

impl Checked for PlanBundle {
    const MAX_BYTES: usize = MAX_PLAN_MESSAGE_BYTES;

    fn clean(&mut self) {
        self.source = one_line(&self.source);
    }

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
    fn clean(&mut self) {
        self.why = self.why.as_deref().map(one_line);
    }

    fn check(&self) -> Result<(), String> {
        self.health.check()?;
        slice(self.prepared)?;
        within("t0_ns", self.t0_ns, 0, MAX_TIME_NS)?;
        within("at_ns", self.at_ns.unwrap_or(0), -(MAX_TIME_NS as i64), MAX_TIME_NS as i64)?;
        within("start_error_ns", self.start_error_ns.unwrap_or(0), 0, MAX_TIME_NS)?;
        self.why.as_ref().map_or(Ok(()), |why| text("why", why))
    }
}

impl Checked for Final {
    fn clean(&mut self) {
        self.why = self.why.as_deref().map(one_line);
    }

    fn check(&self) -> Result<(), String> {
        self.health.check()?;
        self.totals.check()?;
        self.why.as_ref().map_or(Ok(()), |why| text("why", why))
    }
}

impl Checked for Orders {
    fn clean(&mut self) {
        self.why = self.why.as_deref().map(one_line);
    }

    fn check(&self) -> Result<(), String> {
        within("assignments", self.assignments.len(), 0, MAX_ASSIGNMENTS)?;
        slice(self.prepare)?;
        for (i, assignment) in self.assignments.iter().enumerate() {
            slice(assignment.shard)?;
            if i > 0 && self.assignments[i - 1].from_ns >= assignment.from_ns {
                return Err("`assignments` are not in order".to_owned());
            }
            within("from_ns", assignment.from_ns, 0, MAX_TIME_NS)?;
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
    fn clean(&mut self) {
        (self.error, self.message) = (one_line(&self.error), one_line(&self.message));
    }

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
        let times = [self.send_delay_p99_ns.unwrap_or(0), self.throttled_ns, self.unleased_ns];
        times.into_iter().try_for_each(|ns| within("a time", ns, 0, MAX_TIME_NS))
    }
}

impl Totals {
    /// Check every count against its bound, so that sums cannot overflow.
    ///
    /// # Errors
    /// The bound that was exceeded.
    pub(crate) fn check(&self) -> Result<(), String> {
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

fn slice(shard: Option<Shard>) -> Result<(), String> {
    let Some(Shard { slot, of }) = shard else { return Ok(()) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn join() -> Value {
        json!({"key": "0123456789abcdef0123456789abcdef", "version": "1", "host": "h", "threads": 2})
    }

    fn heartbeat() -> Value {
        let health = serde_json::to_value(Health::default()).unwrap();
        json!({"key": "0123456789abcdef0123456789abcdef", "run": "0123456789abcdef0123456789abcdef", "epoch": 1,
               "state": "running", "t0_ns": 1, "start_error_ns": 5, "health": health})
    }

    fn orders() -> Value {
        json!({"run": "0123456789abcdef0123456789abcdef", "phase": "run", "lease_ns": 5, "acked_seq": 0,
               "t1_ns": 1, "t2_ns": 2, "next_ns": 1_000_000_000,
               "assignments": [{"epoch": 1, "from_ns": 0, "shard": [0, 2]}, {"epoch": 2, "from_ns": 9, "shard": null}]})
    }

    fn read<T: Checked>(message: &Value) -> Result<T, Refusal> {
        T::read(message.to_string().as_bytes())
    }

    #[track_caller]
    fn refused<T: Checked + std::fmt::Debug>(mut message: Value, at: &str, value: Value, says: &str) {
        assert!(read::<T>(&message).is_ok(), "the message as it was: {:?}", read::<T>(&message));
        *message.pointer_mut(at).expect("there is such a field") = value;
        match read::<T>(&message) {
            Err(Refusal::Malformed(what)) => assert!(what.contains(says), "{at}: {what}"),
            other => panic!("{at}: {other:?}"),
        }
    }

    #[test]
    fn fields_out_of_their_bounds_are_named() {
        refused::<Join>(join(), "/threads", json!(0), "`threads` is 0, not within 1..=1024");
        refused::<Join>(join(), "/threads", json!(1e9), "expected u32");
        refused::<Join>(join(), "/host", json!("x".repeat(513)), "`host` is too long");
        refused::<Join>(join(), "/host", json!("a\nb"), "`host` holds control characters");
        refused::<Join>(join(), "/key", json!("0123"), "32 hex digits");
        refused::<Join>(join(), "/key", json!("+123456789abcdef0123456789abcdef"), "32 hex digits");
        refused::<Heartbeat>(heartbeat(), "/health/busy", json!(1.5), "`busy` is 1.5");
        refused::<Heartbeat>(heartbeat(), "/health/in_flight", json!(u64::MAX), "a count");
        refused::<Heartbeat>(heartbeat(), "/t0_ns", json!(u64::MAX), "`t0_ns`");
        refused::<Heartbeat>(heartbeat(), "/start_error_ns", json!(u64::MAX), "`start_error_ns`");
        refused::<Heartbeat>(heartbeat(), "/state", json!("dancing"), "unknown variant");
        refused::<Orders>(orders(), "/lease_ns", json!(u64::MAX), "`lease_ns`");
        refused::<Orders>(orders(), "/next_ns", json!(0), "`next_ns`");
        refused::<Orders>(orders(), "/assignments/0/shard", json!([2, 2]), "`slot`");
        refused::<Orders>(orders(), "/assignments/0/shard", json!([0, 0]), "`of`");
        refused::<Orders>(orders(), "/assignments/0/from_ns", json!(9), "not in order");
        let assignment = json!({"epoch": 1, "from_ns": 0, "shard": null});
        refused::<Orders>(orders(), "/assignments", json!(vec![assignment; 9]), "`assignments` is 9");
    }

    #[test]
    fn too_much_is_not_even_parsed() {
        let bytes = vec![b'['; MAX_CONTROL_BYTES + 1];
        assert_eq!(Heartbeat::read(&bytes).unwrap_err(), Refusal::TooLarge);
        assert!(matches!(Heartbeat::read(&bytes[1..]), Err(Refusal::Malformed(_))), "nested too deep");
    }

    #[test]
    fn a_plan_travels_with_its_digest_and_no_other() {
        let plan = json!({"source": "p", "digest": format!("sha256:{}", "0f".repeat(32)), "content": {}});
        refused::<PlanBundle>(plan.clone(), "/digest", json!("sha256:0f"), "64 hex digits");
        let mut join = join();
        join["plan"] = plan;
        refused::<Join>(join, "/plan/digest", json!("md5:00"), "64 hex digits");
    }

    #[test]
    fn no_word_of_a_peer_drives_a_terminal() {
        let evil = "\u{1b}]0;x\u{7}\n::error::\u{202e}";
        let is_harmless = |text: &str| !text.contains(['\u{1b}', '\u{7}', '\n', '\u{202e}']);
        let read = |message: &Value| serde_json::to_vec(message).unwrap();
        let mut message = orders();
        message["why"] = json!(evil);
        assert!(is_harmless(&Orders::read(&read(&message)).unwrap().why.unwrap()));
        let mut message = join();
        (message["host"], message["version"]) = (json!("\u{202e}h\u{200b}"), json!("1\u{202e}"));
        let message = Join::read(&read(&message)).unwrap();
        assert_eq!((message.host.as_str(), message.version.as_str()), ("?h?", "1?"));
        let mut message = heartbeat();
        message["why"] = json!("\u{202e}");
        assert!(is_harmless(&Heartbeat::read(&read(&message)).unwrap().why.unwrap()));
        let message = Refused::read(&read(&json!({"error": evil, "message": evil}))).unwrap();
        assert!(is_harmless(&message.error) && is_harmless(&message.message));
        let mut message = heartbeat();
        message["state"] = json!(evil);
        assert!(is_harmless(&Heartbeat::read(&read(&message)).unwrap_err().message()));
    }
}
