//! Documents that are made from the code are what the code makes. `UPDATE_GOLDEN=1` writes them.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::root;

/// Compares a file of the repository with what it must be.
#[track_caller]
fn check(path: &str, wanted: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(&file, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let line = found.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or_else(|| found.lines().count().min(wanted.lines().count()));
    assert!(found == wanted, "{path} differs from the code at line {}: run the tests with UPDATE_GOLDEN=1", line + 1);
}

fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_authx")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_description_of_the_api_is_current() {
    check("openapi.yaml", &printed(&["openapi"]));
}

#[test]
fn what_ends_is_described_as_ending() {
    let document: Value = serde_yaml_ng::from_str(&printed(&["openapi"])).unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let ending = methods.as_object().unwrap().iter().filter(|(_, operation)| operation["deprecated"] == true);
        described.extend(ending.map(|(method, _)| (method.to_uppercase(), path.clone())));
    }
    let table = authx::api::evolution::ENDING.iter().map(|ending| (ending.method.to_owned(), ending.path.to_owned()));
    assert_eq!(described, table.collect());
}

#[test]
fn the_list_of_errors_is_current() {
    check("docs/errors.md", &printed(&["reference", "errors"]));
}

#[test]
fn the_configuration_page_is_current() {
    check("docs/configuration.md", &printed(&["reference", "config"]));
}

#[test]
fn the_command_lines_help_is_current() {
    check("docs/cli.txt", &authx::cli::help());
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for file in super::examples::documents() {
        let text = std::fs::read_to_string(&file).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let there = file.parent().unwrap().join(path);
            assert!(there.exists(), "{} links to `{target}`, which is not there", file.display());
        }
    }
}
