//! Relations against a reference evaluator that has no index and no cleverness, and what broke others.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod asked;
mod bounds;
mod conform;
mod differential;
mod lists;
mod lookalikes;
mod model;
pub(crate) mod naive;
mod scenarios;
mod storage;
mod tuple_text;
mod undetermined;
mod work;
pub(crate) mod world;
