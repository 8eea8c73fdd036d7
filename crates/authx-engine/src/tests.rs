//! Tests that look inside the engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "test data"
)]

mod bytes;
mod compiling;
pub(crate) mod differential;
mod explain;
mod index;
mod linking;
mod plain;
mod semantics;
pub(crate) mod world;
