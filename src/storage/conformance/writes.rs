//! The transaction: alone, in a group, dropped, cancelled, and after a restart.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::{Fixture, at, commit, entity, link, release_id, store_id, store_scope, tenant_scope, with_store, write};
use crate::ids::Revision;
use crate::storage::WriteError;
use crate::storage::records::{Beside, WriteRecord};

fn put(expected: u64, id: &str) -> WriteRecord {
    let mut change = write(expected);
    change.entities_put = vec![entity("User", id, "{}")];
    change
}

async fn users(storage: &crate::storage::Storage) -> Vec<String> {
    let page = storage.data.entities(&store_scope(1, 1), None, None, 20_000).await.unwrap();
    page.into_iter().map(|e| e.id).collect()
}

pub(crate) async fn a_failed_write_fails_alone(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    assert_eq!(open.write(&put(0, "a")).await.unwrap(), Revision(1));
    let mut bad = put(1, "b");
    bad.entities_delete = vec![("User".to_owned(), "a".to_owned())];
    bad.settings = Some("never".to_owned());
    bad.activate = Some(release_id(9)); // found out after the rows were written
    assert!(matches!(open.write(&bad).await, Err(WriteError::UnknownRelease { .. })));
    assert_eq!(open.head().revision, Revision(1));
    assert_eq!(open.head().settings, "{}");
    assert_eq!(open.write(&put(1, "c")).await.unwrap(), Revision(2));
    open.commit().await.unwrap();
    assert_eq!(users(&storage).await, ["a", "c"]);
    let past = storage.data.entities_at(&scope, Revision(1), None, None, 9).await.unwrap();
    assert_eq!(past.len(), 1);
}

pub(crate) async fn a_stale_write_changes_nothing(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    commit(&storage, &scope, put(0, "a")).await;
    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    for expected in [0, 2] {
        let stale = open.write(&put(expected, "b")).await;
        assert!(matches!(
            stale,
            Err(WriteError::Stale { expected: e, actual: Revision(1) }) if e == Revision(expected)
        ));
    }
    open.commit().await.unwrap();
    assert_eq!(users(&storage).await, ["a"]);
    assert_eq!(storage.data.revisions(&scope, None, 9).await.unwrap().len(), 1);
}

pub(crate) async fn a_group_is_one_transaction(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    for n in 0..5 {
        open.write(&put(n, &n.to_string())).await.unwrap();
    }
    assert_eq!(open.head().revision, Revision(5));
    // A reader sees none of it, and does not wait for it.
    assert!(users(&storage).await.is_empty());
    let store = storage.stores.get(&tenant_scope(1), &store_id(1)).await.unwrap().unwrap();
    assert_eq!(store.revision, Revision(0));
    let head = open.head().clone();
    open.commit().await.unwrap();
    assert_eq!(users(&storage).await, ["0", "1", "2", "3", "4"]);
    let store = storage.stores.get(&tenant_scope(1), &store_id(1)).await.unwrap();
    assert_eq!(store, Some(head));

    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    open.write(&put(5, "5")).await.unwrap();
    open.rollback().await;
    assert_eq!(users(&storage).await.len(), 5);
    commit(&storage, &scope, put(5, "5")).await;
}

pub(crate) async fn dropping_undoes(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    for _ in 0..20 {
        let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
        open.write(&put(0, "gone")).await.unwrap();
        drop(open);
    }
    assert!(users(&storage).await.is_empty());
    assert_eq!(commit(&storage, &scope, put(0, "a")).await, Revision(1));
    assert_eq!(users(&storage).await, ["a"]);
}

pub(crate) async fn a_cancelled_write_undoes(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut change = write(0);
    change.entities_put = (0..3_000).map(|n| entity("User", &n.to_string(), "{}")).collect();
    for polls in 1..40 {
        let work = async {
            let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
            open.write(&change).await.unwrap();
            std::future::pending::<()>().await;
        };
        let mut work = pin!(work);
        let mut left = polls;
        poll_fn(|context| {
            let _ = work.as_mut().poll(context);
            left -= 1;
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await_at_most_one_second()
        .await;
    }
    // A write cancelled halfway spoils its own transaction, should somebody still commit it.
    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    {
        let mut half = pin!(open.write(&change));
        poll_fn(|context| Poll::Ready(half.as_mut().poll(context).is_pending())).await;
    }
    assert!(matches!(open.write(&change).await, Err(WriteError::Storage(_))));
    assert!(open.commit().await.is_err());
    assert!(users(&storage).await.is_empty());
    assert_eq!(commit(&storage, &scope, put(0, "a")).await, Revision(1));
}

/// A cancellation by count of polls may wait for a wake-up that never comes.
trait AtMostOneSecond: Future + Sized {
    async fn await_at_most_one_second(self) {
        let _ = tokio::time::timeout(std::time::Duration::from_millis(100), self).await;
    }
}

impl<F: Future> AtMostOneSecond for F {}

pub(crate) async fn a_closed_store_takes_no_writes(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    assert!(storage.writes.begin(&store_scope(1, 2)).await.unwrap().is_none());
    storage.stores.soft_delete(&tenant_scope(1), &store_id(1), at(9), Beside::default()).await.unwrap();
    assert!(storage.writes.begin(&scope).await.unwrap().is_none());
    assert_eq!(storage.data.load(&scope, &mut |_| Ok(())).await.unwrap(), None);
}

pub(crate) async fn everything_survives_a_reopen(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut change = put(0, "a");
    change.links_put = vec![link("l", "t")];
    change.settings = Some(r#"{"validation":"off"}"#.to_owned());
    let policy = super::releases::policy("p", "permit (principal, action, resource);");
    change.new_release = Some(super::releases::new_release(1, vec![policy.clone()], vec![]));
    change.activate = Some(release_id(1));
    commit(&storage, &scope, change).await;
    let before = storage.stores.all_open().await.unwrap();
    let log = storage.data.revisions(&scope, None, 9).await.unwrap();
    storage.close().await;

    let storage = fixture.open().await;
    assert_eq!(storage.stores.all_open().await.unwrap(), before);
    assert_eq!(before[0].active_release, Some(release_id(1)));
    assert_eq!(before[0].settings, r#"{"validation":"off"}"#);
    assert_eq!(storage.data.revisions(&scope, None, 9).await.unwrap(), log);
    assert_eq!(users(&storage).await, ["a"]);
    assert!(storage.data.link(&scope, "l").await.unwrap().is_some());
    assert_eq!(storage.releases.all_policies(&scope, 1).await.unwrap(), [policy]);
    assert_eq!(commit(&storage, &scope, put(1, "b")).await, Revision(2));
}

pub(crate) async fn ten_thousand_entities_are_one_write(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    for attrs in ["{}", r#"{"n":1}"#] {
        let mut change = write(0);
        change.entities_put = (0..10_000).map(|n| entity("User", &format!("{n:05}"), attrs)).collect();
        commit(&storage, &scope, change).await;
    }
    assert_eq!(users(&storage).await.len(), 10_000);
    let past = storage.data.entities_at(&scope, Revision(1), None, None, 20_000).await.unwrap();
    assert_eq!(past.len(), 10_000);
    assert!(past.iter().all(|e| e.attrs == "{}"));
    let mut change = write(0);
    change.entities_delete = (0..9_999).map(|n| ("User".to_owned(), format!("{n:05}"))).collect();
    commit(&storage, &scope, change).await;
    assert_eq!(users(&storage).await, ["09999"]);
}

pub(crate) async fn the_log_has_one_row_per_commit(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    for n in 0..5 {
        commit(&storage, &scope, put(n, "a")).await;
    }
    let page = storage.data.revisions(&scope, Some(Revision(1)), 3).await.unwrap();
    let numbers: Vec<_> = page.iter().map(|r| r.revision.0).collect();
    assert_eq!(numbers, [2, 3, 4]);
    let first = &page[0];
    assert_eq!((first.epoch.as_str(), first.actor.as_str()), ("e1", "ann"));
    assert_eq!((first.at, first.release), (at(100), None));
    assert!(storage.data.revisions(&scope, Some(Revision(5)), 3).await.unwrap().is_empty());
}
