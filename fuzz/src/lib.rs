//! What must hold of any input: one module for each kind, with one function `hold` that panics when it
//! does not, and says whether the input was well-formed.
//!
//! libFuzzer calls them (`targets/`), and so do the engine's ordinary tests (`crates/authx-engine/tests/any_input.rs`)
//! on seeds that are changed at random. They use the engine's public API alone.

pub mod condition;
pub mod model_dsl;
pub mod model_json;
pub mod policy_text;
pub mod relations;
pub mod request_json;
pub mod tuple_text;

mod findings;
