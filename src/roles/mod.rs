//! Room under construction.
pub mod plan_source;

pub mod live;
