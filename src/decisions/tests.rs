//! The log as a whole: what goes in comes out, what is altered is found, what is lost is counted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use authx_engine::{AccessRequest, Decision, EntityUid, Evaluation, parse_action};
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::ids::{StoreId, TenantId};
use crate::tokens::Tokens;

pub(super) fn tokens() -> Tokens {
    Tokens::new([7; 32]).unwrap()
}

pub(super) fn options(mode: Mode) -> LogOptions {
    LogOptions {
        rules: Rules { mode, allows_per_million: 1_000_000, masks: vec![Mask::parse("/context/password").unwrap()] },
        when_full: WhenFull::Wait,
        queue_records: 10_000,
        queue_bytes: 64 << 20,
        wait: Duration::from_secs(5),
        retention: Retention { segment_bytes: 1 << 40, kept: Duration::from_hours(1), kept_bytes: 1 << 40 },
    }
}

pub(super) fn tenant() -> TenantId {
    TenantId::from_parts(1, 1)
}

/// Records one decision and tells its id.
async fn record(log: &DecisionLog, n: usize) -> Result<ulid::Ulid, LogError> {
    let request = AccessRequest {
        context: serde_json::from_value(json!({"n": n, "password": "canary"})).unwrap(),
        ..AccessRequest::new(
            EntityUid::parse(&format!("User:u{}", n % 10)).unwrap(),
            parse_action(if n.is_multiple_of(3) { "write" } else { "read" }).unwrap(),
            EntityUid::parse(&format!("Document:d{n}")).unwrap(),
        )
    };
    let evaluation = Evaluation {
        decision: if n.is_multiple_of(2) { Decision::Allow } else { Decision::Deny },
        determining_policies: vec!["p1".into()],
        policy_errors: Vec::new(),
        advice: Vec::new(),
        missing_context: Vec::new(),
        warnings: Vec::new(),
        revision: 3,
        release: None,
    };
    let prepared = log.prepare(
        &tenant(),
        &Record {
            id: Clock.ulid(),
            store: &StoreId::from_parts(1, (n % 4) as u128),
            asked: Asked::Access(&request),
            told: Told::Evaluated(&evaluation),
            latency: Duration::from_micros(12),
            caller: "key:K",
        },
    );
    let id = prepared.as_ref().map_or(0, |prepared| prepared.id);
    log.record(&tenant(), prepared).await.map(|()| id.into())
}

pub(super) fn start(dir: &Path, options: LogOptions) -> DecisionLog {
    DecisionLog::start(dir.to_owned(), options, tokens(), Clock).unwrap()
}

/// Records `count` decisions and tells their ids.
pub(super) fn fill(log: &DecisionLog, from: usize, count: usize) -> Vec<ulid::Ulid> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut ids = Vec::new();
        for n in from..from + count {
            ids.push(record(log, n).await.unwrap());
        }
        ids
    })
}

/// Writes a log of `count` decisions in segments of a size, and tells its tenant's folder.
pub(super) fn written(dir: &Path, count: usize, segment_bytes: u64) -> PathBuf {
    let mut options = options(Mode::Async);
    options.retention.segment_bytes = segment_bytes;
    for part in 0..4 {
        // Segments are cut between writes.
        let log = start(dir, options.clone());
        fill(&log, part * count / 4, count / 4);
        log.close();
    }
    dir.join(tenant().as_str())
}

pub(super) fn only(report: Report) -> TenantReport {
    let mut tenants = report.tenants;
    assert_eq!(tenants.len(), 1);
    tenants.remove(0)
}

#[test]
fn what_goes_in_comes_out_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [Mode::Async, Mode::Sync] {
        let dir = dir.path().join(format!("{mode:?}"));
        let log = start(&dir, options(mode));
        let ids = fill(&log, 0, 40);
        log.close();
        let report = only(verify(&dir, &tokens()).unwrap());
        assert_eq!((report.decisions, report.lost, report.records), (40, 0, 41), "{report:?}");
        assert!(report.problems.is_empty() && report.torn.is_none(), "{report:?}");
        for (n, id) in ids.iter().enumerate() {
            let found = get(&log.dir(&tenant()), *id).unwrap().unwrap();
            let content = found.content;
            assert_eq!(content["id"], id.to_string());
            assert_eq!(content["resource"], format!("Document::\"d{n}\""));
            assert_eq!(content["request"], json!({"context": {"n": n, "password": "***"}}));
            assert_eq!(content["decision"], if n % 2 == 0 { "allow" } else { "deny" });
        }
        let text = std::fs::read_to_string(log.dir(&tenant()).join("00000001.ndjson")).unwrap();
        assert!(!text.contains("canary"));
        assert!(get(&log.dir(&tenant()), Clock.ulid()).unwrap().is_none());
    }
}

/// Whether a record is one of those that are wanted.
type Wanted<'a> = &'a dyn Fn(&Value) -> bool;

#[test]
fn filters_find_what_a_look_at_every_record_finds() {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 200, 8_000);
    assert!(std::fs::read_dir(&folder).unwrap().count() > 6, "several segments");
    let every = find(&folder, &Filter::default(), None, usize::MAX).unwrap().records;
    assert_eq!(every.len(), 200);
    let every: Vec<Value> = every.iter().map(|found| found.content.clone()).collect();
    let text = |value: &str| Some(vec![value.to_owned()]);
    let store = StoreId::from_parts(1, 2).to_string();
    let rows: [(Filter, Wanted<'_>); 6] = [
        (Filter { principal: text("User::\"u3\""), ..Filter::default() }, &|v| v["principal"] == "User::\"u3\""),
        (Filter { action: text("Action::\"write\""), ..Filter::default() }, &|v| v["action"] == "Action::\"write\""),
        (Filter { resource: text("Document::\"d77\""), ..Filter::default() }, &|v| {
            v["resource"] == "Document::\"d77\""
        }),
        (Filter { allowed: Some(false), ..Filter::default() }, &|v| v["decision"] == "deny"),
        (Filter { stores: Some(vec![store.clone()]), ..Filter::default() }, &|v| v["store"] == store.as_str()),
        (Filter { to: Some(1), ..Filter::default() }, &|_| false),
    ];
    for (filter, wanted) in rows {
        let want: Vec<&Value> = every.iter().filter(|value| wanted(value)).collect();
        let (mut got, mut behind) = (Vec::new(), None);
        loop {
            let page = find(&folder, &filter, behind, 7).unwrap().records;
            behind = page.last().map(|found| Position::parse(&found.position.to_string()).unwrap());
            got.extend(page.iter().map(|found| found.content.clone()));
            if page.len() < 7 {
                break;
            }
        }
        assert_eq!(got.iter().collect::<Vec<_>>(), want, "{filter:?}");
    }
    // An index can be made anew.
    for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "idx") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_eq!(find(&folder, &Filter::default(), None, usize::MAX).unwrap().records.len(), 200);
}

#[test]
fn whatever_is_altered_is_named() {
    type Alter = fn(&mut Vec<String>);
    let rows: [(&str, Alter, &str); 8] = [
        ("edited", |lines| lines[5] = lines[5].replace("\"revision\":3", "\"revision\":4"), "line 6"),
        ("deleted", |lines| drop(lines.remove(5)), "line 6"),
        ("two swapped", |lines| lines.swap(5, 6), "line 6"),
        ("doubled", |lines| lines.insert(5, lines[4].clone()), "line 6"),
        ("cut at the end", |lines| lines.truncate(lines.len() - 2), "missing at the end"),
        ("all but the first deleted", |lines| lines.truncate(1), "missing at the end"),
        ("the first deleted", |lines| drop(lines.remove(0)), "line 1"),
        ("a line of its own", |lines| lines.insert(3, "{}".to_owned()), "line 4"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 40, 1 << 40);
    let path = folder.join("00000001.ndjson");
    let whole = std::fs::read_to_string(&path).unwrap();
    for (name, alter, told) in rows {
        let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        alter(&mut lines);
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let report = only(verify(dir.path(), &tokens()).unwrap());
        let problems = format!("{:?}", report.problems).replace("line: Some(", "line ");
        assert!(problems.contains(told), "{name}: {problems}");
    }
    std::fs::write(&path, &whole).unwrap();
    // The same, one bit at a time, over every byte of a record in the middle.
    let start = whole.lines().take(9).map(|line| line.len() + 1).sum::<usize>();
    let length = whole.lines().nth(9).unwrap().len() + 1;
    for at in start..start + length {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(!verify(dir.path(), &tokens()).unwrap().is_whole(), "byte {at}");
    }
    std::fs::write(&path, &whole).unwrap();
    for (name, head) in
        [("another installation's", Tokens::new([8; 32]).unwrap().cursor(&["x"], "1:2")), ("none", String::new())]
    {
        std::fs::write(folder.join("head"), head).unwrap();
        assert!(!verify(dir.path(), &tokens()).unwrap().is_whole(), "a head that is {name}");
    }
    std::fs::remove_file(folder.join("head")).unwrap();
    assert!(!verify(dir.path(), &tokens()).unwrap().is_whole());
}

#[test]
fn segments_that_are_gone_or_swapped_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 120, 2_000);
    let path = |number: u64| folder.join(format!("{number:08}.ndjson"));
    assert!(verify(dir.path(), &tokens()).unwrap().is_whole());
    let kept: Vec<Vec<u8>> = (1..=3).map(|number| std::fs::read(path(number)).unwrap()).collect();
    for (gone, content) in (1..).zip(&kept) {
        std::fs::remove_file(path(gone)).unwrap();
        assert!(!verify(dir.path(), &tokens()).unwrap().is_whole(), "segment {gone}");
        std::fs::write(path(gone), content).unwrap();
    }
    std::fs::write(path(2), &kept[2]).unwrap();
    std::fs::write(path(3), &kept[1]).unwrap();
    assert!(!verify(dir.path(), &tokens()).unwrap().is_whole());
}

#[test]
fn old_segments_go_and_the_chain_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 120, 2_000);
    let retention = Retention { segment_bytes: 2_000, kept: Duration::from_hours(1), kept_bytes: 20_000 };
    let mut journal = journal::Journal::open(&folder, tenant(), retention, tokens(), Clock).unwrap();
    let before = segment::list(&folder).unwrap();
    let dropped = journal.trim().unwrap();
    assert!(dropped > 0);
    let after = segment::list(&folder).unwrap();
    assert_eq!(after.first().unwrap(), &(before.first().unwrap() + dropped));
    let report = only(verify(dir.path(), &tokens()).unwrap());
    assert!(report.problems.is_empty(), "{report:?}");
    assert_eq!(journal.decisions(), 120, "what is deleted stays counted");
    assert_eq!(journal.trim().unwrap(), 0);
    // One more that nobody recorded.
    std::fs::remove_file(segment::path(&folder, *after.first().unwrap())).unwrap();
    assert!(!verify(dir.path(), &tokens()).unwrap().is_whole());
}

#[test]
fn a_torn_end_is_told_and_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 40, 1 << 40);
    let path = folder.join("00000001.ndjson");
    let whole = std::fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    // The head may be as old as a second: it is from before the torn record.
    let earlier = std::fs::read(folder.join("head")).unwrap();
    let log = start(dir.path(), options(Mode::Async));
    fill(&log, 40, 1);
    log.close();
    let longer = std::fs::read(&path).unwrap();
    for cut in [whole.len() + 1, whole.len() + 60, longer.len() - 1] {
        std::fs::write(&path, &longer[..cut]).unwrap();
        std::fs::write(folder.join("head"), &earlier).unwrap();
        let report = only(verify(dir.path(), &tokens()).unwrap());
        assert!(report.torn.is_some() && report.problems.is_empty(), "{cut} of {last}: {report:?}");
        let log = start(dir.path(), options(Mode::Async));
        log.close();
        let report = only(verify(dir.path(), &tokens()).unwrap());
        assert!(report.torn.is_none() && report.problems.is_empty(), "{report:?}");
        assert_eq!((report.decisions, report.lost), (40, 1), "{report:?}");
    }
}

#[test]
fn what_was_answered_and_not_written_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = written(dir.path(), 40, 1 << 40);
    // As a kill leaves it: counted, and not in the file.
    let (counter, _) = counter::Counter::open(&folder.join("count")).unwrap();
    counter.add(17).unwrap();
    let log = start(dir.path(), options(Mode::Async));
    log.close();
    let report = only(verify(dir.path(), &tokens()).unwrap());
    assert_eq!((report.decisions, report.lost), (40, 17));
    // Told once.
    start(dir.path(), options(Mode::Async)).close();
    assert_eq!(only(verify(dir.path(), &tokens()).unwrap()).lost, 17);
}

#[test]
fn what_the_disk_did_not_confirm_is_not_answered_and_is_recorded_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = start(dir.path(), options(Mode::Sync));
    fill(&log, 0, 3);
    // The head cannot be replaced: a flush fails after the record was appended.
    let staged = log.dir(&tenant()).join("head.new");
    std::fs::create_dir(&staged).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(record(&log, 3)), Err(LogError::NotWritten));
    std::fs::remove_dir(&staged).unwrap();
    fill(&log, 4, 2);
    log.close();
    let report = only(verify(dir.path(), &tokens()).unwrap());
    assert_eq!((report.decisions, report.lost, report.problems), (6, 0, Vec::new()));
    // What is in the chain counts as told, so the next start finds no gap.
    start(dir.path(), options(Mode::Sync)).close();
    let report = only(verify(dir.path(), &tokens()).unwrap());
    assert_eq!((report.decisions, report.lost), (6, 0));
}

#[test]
fn a_full_queue_sheds_and_counts_or_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let shed = LogOptions { when_full: WhenFull::Shed, queue_records: 5, ..options(Mode::Async) };
    let log = start(dir.path(), shed);
    fill(&log, 0, 200);
    log.close();
    let report = only(verify(dir.path(), &tokens()).unwrap());
    assert_eq!(report.decisions + report.lost, 200, "{report:?}");
    assert!(report.lost > 0);

    let dir = tempfile::tempdir().unwrap();
    let wait = LogOptions { queue_records: 5, wait: Duration::from_millis(30), ..options(Mode::Async) };
    let log = start(dir.path(), wait);
    fill(&log, 0, 1);
    log.close();
    // Nobody writes any more.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = runtime.block_on(async {
        for n in 0..5 {
            record(&log, n).await.unwrap();
        }
        record(&log, 5).await
    });
    assert_eq!(refused, Err(LogError::Full));
}

#[test]
fn sampling_leaves_out_allows_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut sampled = options(Mode::Async);
    sampled.rules.allows_per_million = 0;
    let log = start(dir.path(), sampled);
    fill(&log, 0, 100);
    log.close();
    let report = only(verify(dir.path(), &tokens()).unwrap());
    assert_eq!((report.decisions, report.lost), (50, 0));
}
