//! What is told, once, whatever is cut off or cannot be written.

use super::*;
use crate::clock::Clock;
use crate::decisions::tests::{options, start, tokens};
use crate::decisions::{Change, Filter, Kind, Mode, find, verify};
use crate::ids::Timestamp;
use crate::storage::records::{Beside, EventRecord, TenantRecord};
use crate::storage::sqlite;

fn tenant(n: u128) -> TenantId {
    TenantId::from_parts(1, n)
}

fn event(log: TenantId, action: &str) -> EventRecord {
    let change = Change {
        store: None,
        principal: "key:K",
        name: None,
        action,
        resource: "tenant:T".to_owned(),
        revision: None,
        details: serde_json::Value::Null,
        request_id: None,
    };
    EventRecord { log, content: change.content(Clock.ulid()), ends: None }
}

async fn store(storage: &Storage, events: &[EventRecord]) {
    let (id, created_at) = (Clock.tenant_id(), Timestamp::from_millis(1));
    let (name, limits, decisions) = ("t".to_owned(), "{}".to_owned(), "{}".to_owned());
    let record = TenantRecord { id, name, limits, decisions, created_at, deleted_at: None };
    storage.tenants.insert(&record, None, Beside::events(events)).await.unwrap();
}

/// What a log says was done, oldest first.
fn actions(log: &DecisionLog, tenant: &TenantId) -> Vec<String> {
    let filter = Filter { kind: Some(Kind::Change), ..Filter::default() };
    let found = find(&log.dir(tenant), &filter, None, usize::MAX).unwrap().records;
    found.iter().rev().map(|found| found.content["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn events_are_told_once_and_in_order_whatever_was_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let storage = sqlite::open(&dir.path().join("data")).await.unwrap();
    let (one, two, logs) = (tenant(1), tenant(2), dir.path().join("decisions"));
    std::fs::create_dir(&logs).unwrap();
    // A new segment for every write, in the mode that records no decision.
    let mut options = options(Mode::Off);
    options.retention.segment_bytes = 1;
    let first = [event(one, "a1"), event(two, "b1"), event(one, "a2")];
    store(&storage, &first).await;
    for round in 0..3 {
        let log = Arc::new(start(&logs, options.clone()));
        let outbox = Outbox::new(storage.clone(), Arc::clone(&log));
        outbox.drain().await;
        assert_eq!(actions(&log, &one), ["a1", "a2"], "round {round}");
        assert_eq!(actions(&log, &two), ["b1"]);
        assert!(storage.outbox.next(None, 9).await.unwrap().is_empty());
        log.close();
        // As a kill leaves it: recorded, and still in storage. Its index may be gone as well.
        store(&storage, &first).await;
        for number in segment::list(&log.dir(&one)).unwrap() {
            std::fs::remove_file(segment::index_path(&log.dir(&one), number)).unwrap();
        }
    }
    let log = Arc::new(start(&logs, options));
    let outbox = Outbox::new(storage.clone(), Arc::clone(&log));
    store(&storage, &[event(one, "a3")]).await;
    outbox.drain().await;
    store(&storage, &[event(one, "a4")]).await;
    outbox.drain().await;
    assert_eq!(actions(&log, &one), ["a1", "a2", "a3", "a4"]);
    log.close();
    let report = verify(&logs, &tokens()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.tenants.iter().map(|tenant| tenant.changes).sum::<u64>(), 5);
    assert_eq!(report.tenants.iter().map(|tenant| tenant.lost).sum::<u64>(), 0);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_keeps_its_events_and_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let storage = sqlite::open(&dir.path().join("data")).await.unwrap();
    let (one, two, logs) = (tenant(1), tenant(2), dir.path().join("decisions"));
    // A file where the folder should be, and a flush that fails after the record was appended.
    std::fs::create_dir_all(logs.join(two.as_str()).join("head.new")).unwrap();
    std::fs::write(logs.join(one.as_str()), "").unwrap();
    let three = tenant(3);
    store(&storage, &[event(one, "a1"), event(two, "b1"), event(three, "c1")]).await;
    let log = Arc::new(start(&logs, options(Mode::Async)));
    let outbox = Outbox::new(storage.clone(), Arc::clone(&log));
    for _ in 0..2 {
        outbox.drain().await;
        assert_eq!(actions(&log, &three), ["c1"]);
        let kept = storage.outbox.next(None, 9).await.unwrap();
        assert_eq!(kept.len(), 1);
    }
    std::fs::remove_file(logs.join(one.as_str())).unwrap();
    std::fs::remove_dir(logs.join(two.as_str()).join("head.new")).unwrap();
    outbox.drain().await;
    assert!(storage.outbox.next(None, 9).await.unwrap().is_empty());
    assert_eq!((actions(&log, &one), actions(&log, &two)), (vec!["a1".to_owned()], vec!["b1".to_owned()]));
    log.close();
}

#[tokio::test]
async fn the_log_of_a_tenant_that_is_gone_goes_and_the_platforms_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let storage = sqlite::open(&dir.path().join("data")).await.unwrap();
    let logs = dir.path().join("decisions");
    std::fs::create_dir(&logs).unwrap();
    let log = Arc::new(start(&logs, options(Mode::Async)));
    let outbox = Outbox::new(storage.clone(), Arc::clone(&log));
    store(&storage, &[event(tenant(1), "a1"), event(tenant(2), "b1")]).await;
    outbox.drain().await;
    let end = EventRecord { ends: Some(tenant(1)), ..event(TenantId::platform(), "tenant.purge") };
    for _ in 0..2 {
        store(&storage, std::slice::from_ref(&end)).await;
        outbox.drain().await;
        assert!(!log.dir(&tenant(1)).exists());
        assert_eq!(actions(&log, &TenantId::platform()), ["tenant.purge"]);
        *outbox.sure.lock().await = false;
    }
    assert_eq!(actions(&log, &tenant(2)), ["b1"]);
    log.close();
    assert!(verify(&logs, &tokens()).unwrap().is_whole());
}
