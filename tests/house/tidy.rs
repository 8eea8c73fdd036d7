//! Who may use whom, and other habits of the code.

use std::path::{Path, PathBuf};

use crate::support::root;

/// The modules of the server from the ground up: each may use those of the rows below it, and of its own row those
/// that stand before it.
const LAYERS: [&[&str]; 8] = [
    &["ids", "pace", "scope", "clock", "tokens", "trace", "yaml"],
    &["storage"],
    &["replica", "keys", "limits", "decisions"],
    &["policy_tests", "pdp", "pap"],
    &["identity", "api"],
    &["config", "telemetry"],
    &["app"],
    &["cli"],
];
/// These stand beside each other: neither uses the other.
const APART: [(&str, &str); 2] = [("pdp", "pap"), ("pap", "pdp")];

const LINES_TO_LOOK_AT: usize = 400;
const LINES_TO_SPLIT: usize = 600;

/// A source file without its comments and without its tests.
struct Source {
    /// From the repository's root.
    path: String,
    code: Vec<(usize, String)>,
}

impl Source {
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split(['/', '.']).next().unwrap())
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["src", "crates", "tests", "fuzz/src", "fuzz/targets"] {
        rust_files(&root().join(folder), &mut files);
    }
    files.sort();
    files
}

/// Files of modules that are compiled for tests alone.
fn test_modules(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let Some(name) = pair[1].strip_suffix(';').and_then(|line| line.split("mod ").nth(1)) else { continue };
            let stem = file.file_stem().unwrap();
            let folder = if ["lib", "main", "mod"].iter().any(|root| stem == *root) {
                file.parent().unwrap().to_owned()
            } else {
                file.with_extension("")
            };
            found.push(folder.join(name));
        }
    }
    found
}

/// The code that is shipped.
fn shipped() -> Vec<Source> {
    let files = all_files();
    let tests = test_modules(&files);
    let is_test =
        |path: &Path| tests.iter().any(|module| path.with_extension("") == *module || path.starts_with(module));
    let inside = |path: &&PathBuf| path.components().any(|part| part.as_os_str() == "src") && !is_test(path);
    files.iter().filter(inside).map(|path| source(path)).collect()
}

fn source(path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.to_owned()));
    let before_tests = lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]" || !text.contains("\nmod tests {"));
    let code = before_tests.filter(|(_, line)| !line.trim_start().starts_with("//")).collect();
    Source { path: path.strip_prefix(root()).unwrap().display().to_string(), code }
}

fn row(module: &str) -> Option<(usize, usize)> {
    LAYERS.iter().enumerate().find_map(|(row, names)| Some((row, names.iter().position(|name| *name == module)?)))
}

/// Asserts that no shipped line outside the allowed places has a word.
#[track_caller]
fn only_in(word: &str, allowed: &[&str]) {
    let mut wrong = Vec::new();
    for source in shipped() {
        if allowed.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        let hits = source.code.iter().filter(|(_, line)| line.contains(word));
        wrong.extend(hits.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())));
    }
    assert!(wrong.is_empty(), "`{word}` belongs in {allowed:?}:\n{}", wrong.join("\n"));
}

#[test]
fn modules_use_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for source in shipped() {
        let Some(module) = source.module().filter(|module| !["lib", "main"].contains(module)) else { continue };
        let own = row(module).unwrap_or_else(|| panic!("`{module}` has no place in the layers"));
        for (number, line) in &source.code {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let Some(place) = row(&used) else { continue };
                if used != module && (place >= own || APART.contains(&(module, used.as_str()))) {
                    wrong.push(format!("{}:{number}: `{module}` uses `{used}`", source.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn frameworks_stay_at_the_edge() {
    only_in("actix", &["src/api", "src/app"]);
    only_in("utoipa", &["src/api", "src/app"]);
    only_in("sqlx", &["src/storage"]);
    only_in("clap::", &["src/cli"]);
    only_in("cedar_policy_core", &["crates/authx-engine/src/cedar.rs"]);
}

#[test]
fn a_scope_is_made_where_somebody_checked() {
    let makers = ["src/identity", "src/app"];
    only_in("TenantScope::new", &makers);
    only_in("StoreScope::new", &makers);
}

#[test]
fn the_engine_has_no_clock_no_files_and_no_network() {
    let engine = shipped().into_iter().filter(|source| source.path.starts_with("crates/authx-engine/"));
    for source in engine {
        for word in ["std::fs", "std::net", "std::env", "SystemTime", "Instant::now", "tokio", "async fn"] {
            let hit = source.code.iter().find(|(_, line)| line.contains(word));
            assert!(hit.is_none(), "{}:{}: {word}", source.path, hit.unwrap().0);
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    let words = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("#[ig", "nore]"), concat!("FIX", "ME")];
    for path in all_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in words {
            assert!(!text.contains(word), "{} has `{word}`", path.display());
        }
    }
}

#[test]
fn files_are_small() {
    let mut large = Vec::new();
    for path in all_files() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        if lines > LINES_TO_LOOK_AT {
            println!("look twice: {shown} has {lines} lines");
        }
        if lines > LINES_TO_SPLIT {
            large.push(format!("{shown} has {lines} lines"));
        }
    }
    assert!(large.is_empty(), "more than {LINES_TO_SPLIT} lines: {}", large.join(", "));
}

#[test]
fn every_module_says_what_it_is_for() {
    for source in all_files().iter().filter(|path| !path.ends_with("cedar.rs")) {
        let text = std::fs::read_to_string(source).unwrap();
        assert!(text.starts_with("//! "), "{} does not begin with `//! `", source.display());
    }
}
