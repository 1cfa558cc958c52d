//! Room under construction.

pub mod live;
