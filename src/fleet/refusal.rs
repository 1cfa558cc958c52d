//! Why a coordinator refuses a call: a closed list, each with its HTTP status and a sentence with the remedy.

use serde::{Deserialize, Serialize};

use super::messages::PROTOCOL;

/// Upper bound on an error name's length.
const MAX_NAME_BYTES: usize = 64;
/// Upper bound on a message's length: the longest has two digests.
const MAX_MESSAGE_BYTES: usize = 1024;

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The token is missing or unknown.
    Unauthorized,
    /// The operator's token on a call that needs the workers' token.
    Forbidden,
    /// The `Host` header names another host.
    ForeignHost,
    /// A browser sent it from another site.
    CrossSite,
    /// The bytes do not parse as the expected message; the reason.
    Malformed(String),
    /// The body exceeds the message's size limit.
    TooLarge,
    /// The peer uses another version of the protocol.
    OtherProtocol {
        /// The peer's version, if it named one.
        theirs: Option<u32>,
    },
    /// The peer is another version of the program, which might partition the schedule differently.
    OtherVersion {
        /// The coordinator's version.
        ours: String,
        /// The peer's version.
        theirs: String,
    },
    /// The worker's plan differs from the run's.
    OtherPlan {
        /// The digest of the coordinator's plan.
        ours: String,
        /// The digest of the worker's plan.
        theirs: String,
    },
    /// No plan has been brought yet.
    NoPlan,
    /// The worker belongs to a run that this coordinator does not have.
    OtherRun,
    /// No worker with this number has joined this run.
    UnknownWorker,
    /// The key does not belong to the worker's number.
    OtherKey,
    /// Another process has taken the worker's slot.
    Replaced,
    /// The worker was silent for so long that it counts as lost.
    Lost,
    /// The coordinator has as many workers as it accepts.
    Full,
    /// A report out of order.
    Gap {
        /// The expected sequence number.
        expected_seq: u64,
    },
    /// This report would push the counts of a worker, or of the fleet, over their bound.
    CountOverflow,
    /// The run is over and its result sealed: nothing changes it any more.
    Sealed,
    /// The coordinator cannot write its journal and must not acknowledge anything.
    JournalFailed,
    /// The run cannot be started now; the reason.
    NotNow(String),
    /// A refusal parsed from an answer, kept as text where its message has more detail than its kind.
    FromPeer {
        /// The stable name in JSON.
        name: String,
        /// The sentence for the user.
        message: String,
        /// Whether a retry is pointless.
        lasting: bool,
    },
}

/// A refusal as sent in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub(crate) error: String,
    pub(crate) message: String,
    /// The expected sequence number; set for `gap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected_seq: Option<u64>,
}

impl Refusal {
    /// The stable name in JSON.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::ForeignHost => "foreign_host",
            Self::CrossSite => "cross_site",
            Self::Malformed(_) => "malformed",
            Self::TooLarge => "too_large",
            Self::OtherProtocol { .. } => "other_protocol",
            Self::OtherVersion { .. } => "other_version",
            Self::OtherPlan { .. } => "other_plan",
            Self::NoPlan => "no_plan",
            Self::OtherRun => "other_run",
            Self::UnknownWorker => "unknown_worker",
            Self::OtherKey => "other_key",
            Self::Replaced => "replaced",
            Self::Lost => "lost",
            Self::Full => "full",
            Self::Gap { .. } => "gap",
            Self::CountOverflow => "count_overflow",
            Self::Sealed => "sealed",
            Self::JournalFailed => "journal_failed",
            Self::NotNow(_) => "not_now",
            Self::FromPeer { name, .. } => name,
        }
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::CountOverflow => 400,
            Self::Unauthorized => 401,
            Self::Forbidden | Self::CrossSite | Self::OtherKey => 403,
            Self::NoPlan | Self::UnknownWorker => 404,
            Self::OtherPlan { .. } | Self::OtherRun | Self::OtherVersion { .. } => 409,
            Self::Gap { .. } | Self::NotNow(_) => 409,
            Self::Replaced | Self::Lost | Self::Sealed => 410,
            Self::TooLarge => 413,
            Self::ForeignHost => 421,
            Self::OtherProtocol { .. } => 426,
            Self::Full | Self::JournalFailed | Self::FromPeer { .. } => 503,
        }
    }

    /// The problem and its remedy, in one sentence.
    pub fn message(&self) -> String {
        match self {
            Self::Unauthorized => "no or unknown token: set LOADTESTER_TOKEN to the coordinator's".into(),
            Self::Forbidden => {
                "this is the operator's token, and to take part needs the workers': set LOADTESTER_TOKEN or \
                 --token-file to that"
                    .into()
            }
            Self::ForeignHost => {
                "the Host header names another host: use the address the coordinator listens on".into()
            }
            Self::CrossSite => "the call came from a page of another site: use the coordinator's own".into(),
            Self::Malformed(what) => format!("not a message of this protocol: {what}"),
            Self::TooLarge => "larger than any such message may be".into(),
            Self::OtherProtocol { theirs } => {
                let theirs = theirs.map_or("none".to_owned(), |v| v.to_string());
                format!(
                    "the worker speaks protocol {theirs}, the coordinator protocol {PROTOCOL}: run the same \
                     version on both"
                )
            }
            Self::OtherVersion { ours, theirs } => {
                format!("version {theirs}, but the coordinator is version {ours}: run the same one")
            }
            Self::OtherPlan { ours, theirs } => format!(
                "the worker's plan is {theirs}, the coordinator's is {ours}: give both the same plan, or \
                 the worker none"
            ),
            Self::NoPlan => "no plan yet: give the coordinator or a worker --plan".into(),
            Self::OtherRun => "this coordinator knows nothing of the worker's run (it lost its state, or \
                               is another one): start the worker again; --state-dir keeps the state"
                .into(),
            Self::UnknownWorker => "no such worker in this run: join first".into(),
            Self::OtherKey => "the key is not this worker's".into(),
            Self::Replaced => "another process has taken this worker's slot: this one is to stop".into(),
            Self::Lost => {
                "nothing was heard of this worker for longer than its lease: its part is given up, \
                           this process is to stop"
                    .into()
            }
            Self::Full => "as many workers as the coordinator takes have joined already".into(),
            Self::Gap { expected_seq } => format!("a report is missing: send number {expected_seq} first"),
            Self::CountOverflow => {
                "with this report the counts would exceed what a run can hold: check that the \
                                    worker is a loadtester of this version, and start it again"
                    .into()
            }
            Self::Sealed => "the run is over and its result is final".into(),
            Self::JournalFailed => {
                "the coordinator cannot write its journal: look at the disk of its --state-dir".into()
            }
            Self::NotNow(why) => why.clone(),
            Self::FromPeer { message, .. } => message.clone(),
        }
    }

    /// Whether an unchanged retry may succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::NoPlan | Self::Full | Self::JournalFailed | Self::UnknownWorker | Self::Gap { .. } => true,
            Self::FromPeer { lasting, .. } => !lasting,
            _ => false,
        }
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let expected_seq = match refusal {
            Refusal::Gap { expected_seq } => Some(*expected_seq),
            _ => None,
        };
        Self { error: refusal.name().to_owned(), message: refusal.message(), expected_seq }
    }
}

impl From<Refused> for Refusal {
    /// The worker's view of a refusal: the kind by its name, without the coordinator's values.
    fn from(refused: Refused) -> Self {
        let Refused { error, mut message, expected_seq } = refused;
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        match (error.as_str(), expected_seq) {
            ("unauthorized", _) => Self::Unauthorized,
            ("forbidden", _) => Self::Forbidden,
            ("foreign_host", _) => Self::ForeignHost,
            ("cross_site", _) => Self::CrossSite,
            ("too_large", _) => Self::TooLarge,
            ("other_run", _) => Self::OtherRun,
            ("no_plan", _) => Self::NoPlan,
            ("unknown_worker", _) => Self::UnknownWorker,
            ("other_key", _) => Self::OtherKey,
            ("replaced", _) => Self::Replaced,
            ("lost", _) => Self::Lost,
            ("full", _) => Self::Full,
            ("gap", Some(expected_seq)) => Self::Gap { expected_seq },
            ("count_overflow", _) => Self::CountOverflow,
            ("sealed", _) => Self::Sealed,
            ("journal_failed", _) => Self::JournalFailed,
            (name, _) => {
                let lasting = ["malformed", "other_protocol", "other_version", "other_plan", "not_now"];
                let name = &name[..name.floor_char_boundary(MAX_NAME_BYTES)];
                Self::FromPeer { lasting: lasting.contains(&name), name: name.to_owned(), message }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<(Refusal, u16)> {
        let (ours, theirs) = ("a".to_owned(), "b".to_owned());
        vec![
            (Refusal::Malformed("x".into()), 400),
            (Refusal::CountOverflow, 400),
            (Refusal::Unauthorized, 401),
            (Refusal::Forbidden, 403),
            (Refusal::CrossSite, 403),
            (Refusal::OtherKey, 403),
            (Refusal::NoPlan, 404),
            (Refusal::UnknownWorker, 404),
            (Refusal::OtherPlan { ours: ours.clone(), theirs: theirs.clone() }, 409),
            (Refusal::OtherVersion { ours, theirs }, 409),
            (Refusal::OtherRun, 409),
            (Refusal::Gap { expected_seq: 3 }, 409),
            (Refusal::NotNow("x".into()), 409),
            (Refusal::Replaced, 410),
            (Refusal::Lost, 410),
            (Refusal::Sealed, 410),
            (Refusal::TooLarge, 413),
            (Refusal::ForeignHost, 421),
            (Refusal::OtherProtocol { theirs: Some(9) }, 426),
            (Refusal::Full, 503),
            (Refusal::JournalFailed, 503),
        ]
    }

    #[test]
    fn each_has_its_status_and_comes_back_over_the_wire_with_its_meaning() {
        for (refusal, status) in every() {
            assert_eq!(refusal.status(), status, "{refusal:?}");
            let json = serde_json::to_vec(&Refused::from(&refusal)).unwrap();
            let back = Refusal::from(serde_json::from_slice::<Refused>(&json).unwrap());
            assert_eq!((back.name(), back.message()), (refusal.name(), refusal.message()));
            assert_eq!(back.may_pass(), refusal.may_pass(), "{refusal:?}");
        }
    }

    #[test]
    fn another_protocol_is_refused_with_both_versions() {
        assert_eq!(
            Refusal::OtherProtocol { theirs: Some(1) }.message(),
            "the worker speaks protocol 1, the coordinator protocol 2: run the same version on both"
        );
    }

    #[test]
    fn what_a_peer_says_is_cut_to_its_bound() {
        let refused = Refused { error: "x".repeat(9_000), message: "ä".repeat(9_000), expected_seq: None };
        let refusal = Refusal::from(refused);
        assert_eq!((refusal.name().len(), refusal.message().len()), (MAX_NAME_BYTES, MAX_MESSAGE_BYTES));
    }
}
