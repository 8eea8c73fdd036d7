//! The OpenFGA HTTP API, as its SDKs call it: its shapes, codes, headers and paging.
//!
//! It asks and writes the same stores as the native API, in its own words: a *user* is a subject.

pub mod assertions;
pub mod check;
pub mod error;
pub mod lists;
pub mod models;
pub mod stores;
pub mod tuples;

mod ask;
mod wire;
