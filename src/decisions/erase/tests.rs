//! What is taken out is nowhere, what stays is found, and the chain is whole.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::super::index::key;
use super::super::tests::{fill, only, options, start, tenant, tokens, written};
use super::*;
use crate::decisions::{Change, DecisionLog, Filter, Kind, Mode, Report, find, get, verify};

fn note(records: u64) -> String {
    let change = Change {
        store: None,
        principal: "shell",
        name: None,
        action: "log.erase",
        resource: format!("tenant:{}", tenant()),
        revision: None,
        details: json!({"records": records}),
        request_id: None,
    };
    change.content(Clock.ulid())
}

/// The bytes of every file of a folder.
fn bytes(dir: &Path) -> Vec<u8> {
    let files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
}

fn has(dir: &Path, part: &[u8]) -> bool {
    bytes(dir).windows(part.len()).any(|window| window == part)
}

fn report(dir: &Path) -> (bool, u64, u64, u64) {
    let report: Report = verify(dir, &tokens()).unwrap();
    let whole = report.is_whole();
    let tenant = only(report);
    (whole, tenant.decisions, tenant.erased, tenant.lost)
}

#[test]
fn what_is_erased_is_in_no_file_and_the_chain_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 200, 8_000);
    let erased = |which: &Erasure| erase(&folder, tenant(), which, &tokens(), note).unwrap();
    let every = find(&folder, &Filter::default(), None, usize::MAX).unwrap().records;
    let of = |content: &Value, name: &str| content[name].as_str().unwrap().to_owned();

    // Of u3 every tenth: in each segment, in the last one, too.
    assert!(has(&folder, b"u3\\\"") && has(&folder, &key("User::\"u3\"").to_be_bytes()));
    assert_eq!(erased(&Erasure::of_principal("User:u3")), 20);
    assert!(!has(&folder, b"u3\\\"") && !has(&folder, &key("User::\"u3\"").to_be_bytes()));
    assert_eq!(report(dir.path()), (true, 180, 20, 0));
    assert_eq!(erased(&Erasure::of_principal("User:u3")), 0, "there is nothing more of it");
    assert_eq!(erased(&Erasure::of_principal("")), 0, "what is erased has no name");

    let one = every.iter().find(|found| of(&found.content, "resource") == "Document::\"d77\"").unwrap();
    let id = ulid::Ulid::from_string(&of(&one.content, "id")).unwrap();
    assert_eq!(erased(&Erasure::Ids([id, Clock.ulid()].into())), 1);
    assert!(!has(&folder, b"d77\\\"") && !has(&folder, &id.0.to_be_bytes()));
    assert!(!has(&folder, of(&one.content, "id").as_bytes()));
    assert!(get(&folder, id).unwrap().is_none());
    assert_eq!(report(dir.path()), (true, 179, 21, 0));

    // The others are found as before, by their indexes and without them.
    let left: Vec<Value> = every.into_iter().map(|found| found.content).collect();
    let left = left.iter().filter(|content| content["principal"] != "User::\"u3\"" && content["id"] != id.to_string());
    let left: Vec<&Value> = left.collect();
    for with_index in [true, false] {
        if !with_index {
            for number in segment::list(&folder).unwrap() {
                std::fs::remove_file(segment::index_path(&folder, number)).unwrap();
            }
        }
        let found = find(&folder, &Filter { allowed: None, ..Filter::default() }, None, usize::MAX).unwrap().records;
        let found: Vec<&Value> = found.iter().map(|found| &found.content).filter(|c| c["kind"] != "change").collect();
        assert_eq!(found, left, "{with_index}");
    }

    // The next start goes on, and tells nothing as lost.
    let log = start(dir.path(), options(Mode::Async));
    fill(&log, 200, 4);
    log.close();
    assert_eq!(report(dir.path()), (true, 183, 21, 0));
}

#[test]
fn nothing_is_taken_out_of_a_log_that_was_altered() {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 40, 1 << 40);
    let path = segment::path(&folder, 1);
    let altered = std::fs::read_to_string(&path).unwrap().replacen("\"revision\":3", "\"revision\":4", 1);
    std::fs::write(&path, &altered).unwrap();
    let refused = erase(&folder, tenant(), &Erasure::of_principal("User:u3"), &tokens(), note);
    assert!(matches!(refused, Err(EraseError::Altered)), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), altered);
}

#[test]
fn what_a_killed_erasure_left_goes_and_the_rest_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 120, 8_000);
    // As a kill leaves it: one segment written beside the old one, another without its index.
    let left = staged(&segment::path(&folder, 1));
    std::fs::copy(segment::path(&folder, 1), &left).unwrap();
    std::fs::remove_file(segment::index_path(&folder, 2)).unwrap();
    assert_eq!(erase(&folder, tenant(), &Erasure::of_principal("User:u3"), &tokens(), note).unwrap(), 12);
    assert!(!left.exists() && !has(&folder, b"u3\\\""));
    assert_eq!(report(dir.path()), (true, 108, 12, 0));
    assert_eq!(
        erase(&dir.path().join("none"), tenant(), &Erasure::of_principal("User:u3"), &tokens(), note).unwrap(),
        0
    );
}

#[test]
fn a_chain_is_whole_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(Mode::Async);
    options.retention.segment_bytes = 4_000;
    let log = start(dir.path(), options);
    fill(&log, 0, 1);
    let folder = log.dir(&tenant());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| fill(&log, 1, 6_000));
        while !writer.is_finished() {
            let report = verify_live(&folder, tenant(), &tokens()).unwrap();
            assert!(report.problems.is_empty() && report.torn.is_none(), "{report:?}");
        }
    });
    log.close();
    assert_eq!(report(dir.path()), (true, 6_001, 0, 0));
}

/// Erases from a log that is written to.
fn erase_beside(log: &DecisionLog, principal: &str) -> Result<u64, EraseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let erasing = log.erasing(&tenant()).await.unwrap();
        erasing.erase(Erasure::of_principal(principal), note).await
    })
}

#[test]
fn what_is_erased_beside_the_writer_is_gone_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(Mode::Async);
    options.retention.segment_bytes = 4_000;
    let log = start(dir.path(), options);
    let folder = log.dir(&tenant());
    fill(&log, 0, 500);
    let mut erased = erase_beside(&log, "User:u3").unwrap();
    assert_eq!(erased, 50, "what waited to be written, too");
    assert!(!has(&folder, b"u3\\\""));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| fill(&log, 500, 4_000));
        let reader = scope.spawn(|| {
            let others = Filter { principal: Some(vec!["User::\"u4\"".to_owned()]), ..Filter::default() };
            let mut seen = 50;
            for _ in 0..30 {
                let found = find(&folder, &others, None, usize::MAX).unwrap().records.len();
                assert!(found >= seen, "{found} after {seen}");
                seen = found;
                let report = verify_live(&folder, tenant(), &tokens()).unwrap();
                assert!(report.problems.is_empty(), "{report:?}");
            }
        });
        while !(writer.is_finished() && reader.is_finished()) {
            erased += erase_beside(&log, "User:u3").unwrap();
        }
    });
    erased += erase_beside(&log, "User:u3").unwrap();
    assert!(!has(&folder, b"u3\\\""));
    let segments = segment::list(&folder).unwrap();
    assert_eq!((erase_beside(&log, "User:u3").unwrap(), segment::list(&folder).unwrap()), (0, segments));
    let changes = Filter { kind: Some(Kind::Change), ..Filter::default() };
    let told = find(&folder, &changes, None, usize::MAX).unwrap().records;
    let told: u64 = told.iter().map(|found| found.content["details"]["records"].as_u64().unwrap()).sum();
    assert_eq!((erased, told), (450, 450));
    log.close();
    assert_eq!(report(dir.path()), (true, 4_050, 450, 0));
}

#[test]
fn nothing_is_begun_when_the_server_ends_and_nothing_is_taken_out_of_an_altered_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = start(dir.path(), options(Mode::Async));
    let folder = log.dir(&tenant());
    fill(&log, 0, 40);
    log.shared.ending.store(true, Ordering::Release);
    let refused = erase_beside(&log, "User:u3");
    assert!(matches!(refused, Err(EraseError::Stopped)), "{refused:?}");
    log.shared.ending.store(false, Ordering::Release);
    let path = segment::path(&folder, 1);
    let altered = std::fs::read_to_string(&path).unwrap().replacen("\"revision\":3", "\"revision\":4", 1);
    std::fs::write(&path, &altered).unwrap();
    let refused = erase_beside(&log, "User:u3");
    assert!(matches!(refused, Err(EraseError::Altered)), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), altered);
    log.close();
}
