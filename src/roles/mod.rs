//! Room under construction.
pub mod plan_source;
