//! The integration tests: one binary, a module per topic.

mod plan_schema;
mod plans;
