//! Why a connection was closed: a closed list, each with a stable name.

named_enum! {
    /// What ended an established connection.
    pub enum Close {
        /// The plan asks for a connection per request.
        KeepAliveOff = "keep_alive_off",
        /// It had carried as many requests as the plan allows.
        RequestsReached = "requests_reached",
        /// It had become as old as the plan allows.
        AgeReached = "age_reached",
        /// The response said that it is the last one, or could only end with the connection.
        TargetAsked = "target_asked",
        /// The target closed it while nothing was outstanding, or before it had the request.
        TargetIdle = "target_idle",
        /// The target sent more than was asked for, or answered before it had the whole request.
        OutOfStep = "out_of_step",
        /// The exchange on it failed: a timeout, a reset, an early end or a protocol error.
        Failure = "failure",
    }
}
