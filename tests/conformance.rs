//! Suites of others, played over HTTP against the real binary by their own players: Cedar's and OpenFGA's.
//!
//! The files are not part of this repository: `AUTHX_CONFORMANCE_DIR` names their folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test ends where something is not as expected"
)]

mod support;

use std::process::Command;

use support::{Launch, conformance_dir};

/// Plays one file of the suite; every validation and every request counts.
fn play(folder: &str, file: &str, passed: u32) {
    let Some(dir) = conformance_dir().map(|dir| dir.join(folder)) else { return };
    let server = Launch::normal().start();
    let key = server.keys()["admin_key"].as_str().unwrap().to_owned();
    let output = Command::new("python3")
        .arg(dir.join("run.py"))
        .arg(server.url())
        .arg(dir.join(file))
        .args(["--token", &key])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    println!("{file}: {last}");
    assert_eq!(last, format!("{passed} passed, 0 failed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_handwritten_test_passes() {
    play("cedar", "handwritten.jsonl", 22 + 74);
}

#[test]
fn every_test_of_the_corpus_passes() {
    play("cedar", "corpus.jsonl.gz", 1_973 + 15_784);
}

#[test]
fn every_relation_test_passes() {
    play("openfga", "consolidated.json", 3_506);
}

#[test]
fn every_test_of_conditions_passes() {
    play("openfga", "abac.json", 1_176);
}
