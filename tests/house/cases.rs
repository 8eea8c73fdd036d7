//! Pages of cases: files with a mistake, what the command prints of it, and the files as they were meant.
//!
//! A line such as `` `notes.cedar`: `` above a block says that the block is that file; `` Mended `notes.cedar`: ``, that it
//! is the file without the mistake, or `(none)` when it should not be there. A block of the language `console` is a command,
//! `$ authx …`, and all that it prints; `UPDATE_GOLDEN=1` writes that. Files of a section without a command stand in every
//! case after it that has none of the same name.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::support::root;

/// One case of a page.
#[derive(Debug, Default, Clone)]
struct Case {
    title: String,
    files: BTreeMap<String, String>,
    mended: BTreeMap<String, String>,
    command: String,
    /// What is printed, and the lines of the page where it stands.
    printed: String,
    place: (usize, usize),
}

/// The cases of a page.
fn cases(page: &str) -> Vec<Case> {
    let lines: Vec<&str> = page.lines().collect();
    let mut shared = BTreeMap::new();
    let mut cases = vec![Case::default()];
    let mut file: Option<(bool, String)> = None;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some(title) = line.strip_prefix("## ") {
            if let Some(words) = cases.pop_if(|case| case.command.is_empty()) {
                shared = words.files;
            }
            cases.push(Case { title: title.to_owned(), files: shared.clone(), ..Case::default() });
        } else if let Some(language) = line.strip_prefix("```") {
            let length = lines[at + 1..].iter().take_while(|line| !line.starts_with("```")).count();
            let body = lines[at + 1..at + 1 + length].iter().flat_map(|line| [*line, "\n"]).collect::<String>();
            let case = cases.last_mut().unwrap();
            match file.take() {
                Some((true, name)) => drop(case.mended.insert(name, body)),
                Some((false, name)) => drop(case.files.insert(name, body)),
                None if language == "console" => {
                    let (command, printed) = body.split_once('\n').unwrap();
                    command.strip_prefix("$ ").unwrap().clone_into(&mut case.command);
                    printed.clone_into(&mut case.printed);
                    case.place = (at + 2, at + 1 + length);
                }
                None => {}
            }
            at += length + 1;
        } else if let Some(name) = line.strip_suffix("`:") {
            let (mended, name) = (name.starts_with("Mended `"), name.trim_start_matches("Mended ").strip_prefix('`'));
            file = name.map(|name| (mended, name.to_owned()));
            assert!(file.is_some() || !line.starts_with("Mended"), "`{line}` names no file");
        }
        at += 1;
    }
    cases.retain(|case| !case.command.is_empty());
    cases
}

/// Runs a case's command on files; what it printed, and how it ended.
fn run(case: &Case, files: &BTreeMap<String, String>) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("notes");
    for (name, text) in files {
        let path = store.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let own = Path::new(env!("CARGO_BIN_EXE_authx")).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(own.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>()),
    );
    let output = Command::new("timeout")
        .args(["60", "bash", "-c"])
        .arg(format!("exec 2>&1\n{}", case.command))
        .current_dir(&store)
        .env("PATH", path.unwrap())
        .env_remove("AUTHX_LINT")
        .env_remove("AUTHX_DENY_WARNINGS")
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// Plays a page. `lint`: each case is about the lint of its name, and nothing else may be found in it.
#[track_caller]
fn check(page: &str, lint: bool) -> Vec<Case> {
    let file = root().join(page);
    let text = std::fs::read_to_string(&file).unwrap();
    let cases = cases(&text);
    let (mut wrong, mut lines) = (Vec::new(), text.lines().map(str::to_owned).collect::<Vec<String>>());
    for case in cases.iter().rev() {
        let (printed, code) = run(case, &case.files);
        let mut complain = |message: String| wrong.push(format!("{page}, `{}`: {message}", case.title));
        let ends = [if lint { "0" } else { "1" }, if lint { "0" } else { "3" }];
        if !code.is_some_and(|code| ends.contains(&code.to_string().as_str()) || (!lint && code == 4)) {
            complain(format!("ended with {code:?}:\n{printed}"));
        }
        if lint {
            let others = printed.lines().filter(|line| line.contains("warning[") || line.contains("error["));
            let own = format!("warning[{}]", case.title);
            if !printed.contains(&own) || others.into_iter().any(|line| !line.contains(&own)) {
                complain(format!("finds something else:\n{printed}"));
            }
        } else if !printed.contains("help: ") {
            complain(format!("gives no help:\n{printed}"));
        }
        if printed != case.printed {
            if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
                lines.splice(case.place.0..case.place.1, printed.lines().map(str::to_owned));
            } else {
                complain(format!("prints this, as UPDATE_GOLDEN=1 writes:\n{printed}"));
            }
        }
        let mut mended: BTreeMap<String, String> = case.files.clone().into_iter().chain(case.mended.clone()).collect();
        mended.retain(|_, text| text.trim() != "(none)");
        let (printed, code) = run(case, &mended);
        if case.mended.is_empty() || code != Some(0) || printed.contains("warning[") {
            complain(format!("mended it ends with {code:?}:\n{printed}"));
        }
    }
    let new = lines.join("\n") + "\n";
    if new != text {
        std::fs::write(&file, new).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    cases
}

#[test]
fn every_lint_has_an_example_and_a_mended_one() {
    let shown: Vec<String> = check("docs/lints.md", true).into_iter().map(|case| case.title).collect();
    assert_eq!(shown, authx_engine::Lint::ALL.map(|lint| lint.name().to_owned()));
}

#[test]
fn every_mistake_has_a_message_that_helps() {
    assert!(check("docs/diagnostics.md", false).len() >= 15);
}
