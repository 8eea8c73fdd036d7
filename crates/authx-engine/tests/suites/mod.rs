//! The suites that others wrote, which are not part of this repository: `AUTHX_CONFORMANCE_DIR` names their folder.

use std::path::PathBuf;

/// The folder of one suite; `None` lets a developer go on without them, never CI.
pub(crate) fn folder(suite: &str) -> Option<PathBuf> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let dir = std::env::var_os("AUTHX_CONFORMANCE_DIR").map_or(default, PathBuf::from).join(suite);
    if dir.is_dir() {
        return Some(dir);
    }
    let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!in_ci, "AUTHX_CONFORMANCE_DIR must name the suites in CI: {}", dir.display());
    println!("skipped: no conformance suites at {}", dir.display());
    None
}
