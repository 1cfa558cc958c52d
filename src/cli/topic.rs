//! What the help can be about.

/// What the help is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What fits a screen.
    Short,
    /// Everything that is not a topic of its own, and exit codes.
    All,
    /// Every flag.
    Flags,
    /// The keys of a plan.
    Plan,
    /// What a run can be held to.
    Thresholds,
    /// Files, status server, metrics.
    Reports,
    /// Coordinator and workers.
    Fleet,
    /// What the exit code says.
    ExitCodes,
    /// Variables that are read.
    Environment,
}

impl Topic {
    /// Each with the name that is typed for it.
    pub(super) const ALL: [(&str, Self); 8] = [
        ("all", Self::All),
        ("flags", Self::Flags),
        ("plan", Self::Plan),
        ("thresholds", Self::Thresholds),
        ("reports", Self::Reports),
        ("fleet", Self::Fleet),
        ("exit-codes", Self::ExitCodes),
        ("environment", Self::Environment),
    ];

    /// The topic called `name`.
    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, topic)| *topic)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }

    /// Their names, with commas.
    pub(super) fn list() -> String {
        Self::names().collect::<Vec<_>>().join(", ")
    }
}
