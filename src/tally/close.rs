//! The reasons for closing a connection.

named_enum! {
    /// Why an established connection was closed.
    pub enum Close {
        /// The plan uses one connection per request.
        KeepAliveOff = "keep_alive_off",
        /// It carried as many requests as the plan allows.
        RequestsReached = "requests_reached",
        /// It reached the age that the plan allows.
        AgeReached = "age_reached",
        /// The head of the response closes the connection, or its body ends with the connection.
        TargetAsked = "target_asked",
        /// The target closed it while nothing was outstanding, or before it answered a request that was sent again.
        TargetIdle = "target_idle",
        /// The target sent more than was asked for, or answered before it had the whole request.
        OutOfStep = "out_of_step",
        /// What came broke an expectation and may have been another request's answer.
        ExpectationFailed = "expectation_failed",
        /// The exchange on it failed: a timeout, a reset, an early end or a protocol error.
        Failure = "failure",
    }
}
