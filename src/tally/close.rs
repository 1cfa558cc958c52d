//! Why a connection was closed: a closed list, each with a stable name.

/// What ended an established connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Close {
    /// The plan asks for a connection per request.
    KeepAliveOff,
    /// It had carried as many requests as the plan allows.
    RequestsReached,
    /// It had become as old as the plan allows.
    AgeReached,
    /// The response said that it is the last one, or could only end with the connection.
    TargetAsked,
    /// The target closed it while nothing was outstanding, or before it had the request.
    TargetIdle,
    /// The target sent more than was asked for, or answered before it had the whole request.
    OutOfStep,
    /// The exchange on it failed: a timeout, a reset, an early end or a protocol error.
    Failure,
}

impl Close {
    /// Number of variants: the length of an array indexed by `close as usize`.
    pub const COUNT: usize = Self::ALL.len();

    /// Every reason, in the order in which reports list them.
    pub const ALL: [Close; 7] = [
        Self::KeepAliveOff,
        Self::RequestsReached,
        Self::AgeReached,
        Self::TargetAsked,
        Self::TargetIdle,
        Self::OutOfStep,
        Self::Failure,
    ];

    /// The stable name in JSON and metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeepAliveOff => "keep_alive_off",
            Self::RequestsReached => "requests_reached",
            Self::AgeReached => "age_reached",
            Self::TargetAsked => "target_asked",
            Self::TargetIdle => "target_idle",
            Self::OutOfStep => "out_of_step",
            Self::Failure => "failure",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Close;

    #[test]
    fn names_of_reasons_are_distinct_and_in_index_order() {
        for (i, a) in Close::ALL.iter().enumerate() {
            assert_eq!(*a as usize, i);
            assert!(Close::ALL[i + 1..].iter().all(|b| a.name() != b.name()));
        }
    }
}
