//! What the house holds of itself: who may use whom, documents made from the code, examples that run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test ends where something is not as expected"
)]

mod support;

#[path = "house/cases.rs"]
mod cases;
#[path = "house/documents.rs"]
mod documents;
#[path = "house/examples.rs"]
mod examples;
#[path = "house/tidy.rs"]
mod tidy;
