//! The one integration binary; a module for each topic.

mod gate;
mod live;
mod metrics;
mod scrape;
mod status;
