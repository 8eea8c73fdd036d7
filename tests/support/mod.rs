//! A real server process for a test, and what a test says to it.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of this")]

mod http;
mod process;

pub(crate) use http::{Client, Reply, encode};
pub(crate) use process::{Launch, Server, in_ci};

use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The suites that others wrote. Without them a developer goes on, CI does not.
pub(crate) fn conformance_dir() -> Option<PathBuf> {
    let default = root().join("../shared/conformance");
    let dir = std::env::var_os("AUTHX_CONFORMANCE_DIR").map_or(default, PathBuf::from);
    if dir.is_dir() {
        return Some(dir);
    }
    assert!(!in_ci(), "AUTHX_CONFORMANCE_DIR must name the suites in CI: {}", dir.display());
    println!("skipped: no conformance suites at {}", dir.display());
    None
}
