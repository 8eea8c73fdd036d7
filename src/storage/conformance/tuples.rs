//! Tuples as they change: now, in the log, and at every revision before.

use std::collections::BTreeMap;

use super::{Dice, Fixture, at, commit, release_id, store_id, store_record, store_scope, tenant_record, tenant_scope};
use super::{with_store, write};
use crate::ids::Revision;
use crate::scope::StoreScope;
use crate::storage::records::{
    Beside, LoadChunk, NewTuple, TupleChange, TupleCondition, TupleFilter, TupleKey, TupleRecord, WriteRecord,
};
use crate::storage::{Storage, StorageError, WriteError};

pub(crate) fn key(object: (&str, &str), relation: &str, subject: (&str, &str, &str)) -> TupleKey {
    TupleKey {
        object_type: object.0.to_owned(),
        object_id: object.1.to_owned(),
        relation: relation.to_owned(),
        subject_type: subject.0.to_owned(),
        subject_id: subject.1.to_owned(),
        subject_relation: (!subject.2.is_empty()).then(|| subject.2.to_owned()),
    }
}

/// A viewer of a document.
pub(crate) fn viewer(document: &str, user: &str) -> TupleKey {
    key(("document", document), "viewer", ("user", user, ""))
}

pub(crate) fn plain(key: TupleKey) -> NewTuple {
    NewTuple { key, condition: None, expires_at: None }
}

fn conditional(key: TupleKey, context: &str) -> NewTuple {
    let condition = Some(TupleCondition { name: "in_office".to_owned(), context: context.to_owned() });
    NewTuple { key, condition, expires_at: Some(at(7_000)) }
}

/// As written by a commit of the suite, all of which have one time.
pub(crate) fn stored(new: NewTuple, revision: u64) -> TupleRecord {
    let NewTuple { key, condition, expires_at } = new;
    TupleRecord { key, condition, expires_at, created_revision: Revision(revision), created_at: at(100) }
}

pub(crate) fn change(delete: &[TupleKey], put: &[NewTuple]) -> WriteRecord {
    let mut change = write(0);
    change.tuples_delete = delete.to_vec();
    change.tuples_put = put.to_vec();
    change
}

async fn live(storage: &Storage, scope: &StoreScope) -> Vec<TupleRecord> {
    storage.data.tuples(scope, &TupleFilter::default(), None, 100_000).await.unwrap()
}

pub(crate) async fn past_of(storage: &Storage, scope: &StoreScope, revision: u64) -> Vec<TupleRecord> {
    storage.data.tuples_at(scope, Revision(revision), &TupleFilter::default(), None, 100_000).await.unwrap()
}

pub(crate) async fn log(storage: &Storage, scope: &StoreScope, page: u32) -> Vec<TupleChange> {
    log_of(storage, scope, None, page).await
}

async fn log_of(storage: &Storage, scope: &StoreScope, object_type: Option<&str>, page: u32) -> Vec<TupleChange> {
    let mut all: Vec<TupleChange> = Vec::new();
    loop {
        let after = all.last().map(|change| (change.revision, change.ordinal));
        let page = storage.data.tuple_changes(scope, object_type, after, None, page).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// (revision, written, tuple) of each change.
fn told(changes: Vec<TupleChange>) -> Vec<(u64, bool, TupleRecord)> {
    changes.into_iter().map(|change| (change.revision.0, change.written, change.tuple)).collect()
}

pub(crate) async fn tuples_are_put_replaced_and_deleted(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let (a, b, c, d) = (viewer("1", "ann"), viewer("1", "bob"), viewer("1", "cyd"), viewer("1", "dan"));
    // Not in the order of the keys, which is that of the names.
    commit(&storage, &scope, change(&[], &[plain(b.clone()), plain(a.clone()), plain(c.clone())])).await;
    // The last put of one tuple wins, and has its place.
    let replaced = conditional(a.clone(), r#"{"ip":"10.0.0.1"}"#);
    let puts = [plain(a.clone()), plain(d.clone()), replaced.clone()];
    commit(&storage, &scope, change(&[d.clone(), c.clone(), b.clone(), c.clone()], &puts)).await;
    // Deleted and put in one write: it is there, as it was put.
    commit(&storage, &scope, change(std::slice::from_ref(&a), &[plain(a.clone())])).await;
    commit(&storage, &scope, change(&[viewer("9", "nobody")], &[])).await;

    let (first, second) = (|key: &TupleKey| stored(plain(key.clone()), 1), stored(replaced, 2));
    let (third, fourth) = (stored(plain(d), 2), stored(plain(a.clone()), 3));
    assert_eq!(live(&storage, &scope).await, [fourth.clone(), third.clone()]);
    let expected = [
        (1, true, first(&b)),
        (1, true, first(&a)),
        (1, true, first(&c)),
        (2, false, first(&c)),
        (2, false, first(&b)),
        (2, true, third),
        (2, false, first(&a)),
        (2, true, second.clone()),
        (3, false, second),
        (3, true, fourth),
    ];
    for page in [1, 2, 3, 100] {
        let changes = log(&storage, &scope, page).await;
        assert!(changes.iter().all(|change| change.at == at(100)));
        assert!(changes.is_sorted_by_key(|change| (change.revision, change.ordinal)));
        assert_eq!(told(changes), expected, "pages of {page}");
    }
    assert_eq!(storage.data.revisions(&scope, None, 9).await.unwrap().len(), 4);
}

pub(crate) async fn past_tuples_equal_a_replay(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut dice = Dice::new(23);
    let mut now: BTreeMap<TupleKey, TupleRecord> = BTreeMap::new();
    let mut past = vec![now.clone()];
    for revision in 1..=300 {
        let random = |dice: &mut Dice| {
            let object = (["document", "folder"][dice.below(2)], ["1", "2", "3"][dice.below(3)]);
            key(
                object,
                ["viewer", "editor"][dice.below(2)],
                ("user", ["ann", "*"][dice.below(2)], ["", "x"][dice.below(2)]),
            )
        };
        let deletes: Vec<TupleKey> = (0..dice.below(4)).map(|_| random(&mut dice)).collect();
        let puts = (0..dice.below(4)).map(|_| {
            let key = random(&mut dice);
            if dice.below(2) == 0 { plain(key) } else { conditional(key, &format!(r#"{{"n":{}}}"#, dice.below(9))) }
        });
        let puts: Vec<NewTuple> = puts.collect();
        assert_eq!(commit(&storage, &scope, change(&deletes, &puts)).await, Revision(revision));
        for key in &deletes {
            now.remove(key);
        }
        for put in puts {
            now.insert(put.key.clone(), stored(put, revision));
        }
        past.push(now.clone());
    }

    for (number, expected) in (0..).zip(&past) {
        let expected: Vec<_> = expected.values().cloned().collect();
        let mut paged: Vec<TupleRecord> = Vec::new();
        loop {
            let after = paged.last().map(|tuple| &tuple.key);
            let page =
                storage.data.tuples_at(&scope, Revision(number), &TupleFilter::default(), after, 5).await.unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, expected, "revision {number}");
    }
    let now: Vec<_> = now.into_values().collect();
    assert_eq!(live(&storage, &scope).await, now);
    assert_eq!(past_of(&storage, &scope, u64::MAX).await, now);

    // The log alone makes the same states: each change finds what it says.
    let changes = log(&storage, &scope, 64).await;
    let mut replayed: BTreeMap<TupleKey, TupleRecord> = BTreeMap::new();
    let mut left = changes.iter().peekable();
    for (number, expected) in (0..).zip(&past) {
        while let Some(change) = left.next_if(|change| change.revision == Revision(number)) {
            let tuple = change.tuple.clone();
            if change.written {
                assert_eq!(tuple.created_revision, change.revision);
                assert_eq!(replayed.insert(tuple.key.clone(), tuple), None);
            } else {
                assert_eq!(replayed.remove(&tuple.key), Some(tuple));
            }
        }
        assert_eq!(replayed, *expected, "revision {number}");
    }
    for object_type in ["document", "folder", "absent"] {
        let expected = changes.iter().filter(|change| change.tuple.key.object_type == object_type).cloned();
        let expected: Vec<_> = expected.collect();
        assert_eq!(log_of(&storage, &scope, Some(object_type), 7).await, expected);
    }
}

pub(crate) async fn changes_begin_at_a_time(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    // The clock goes back once.
    let times = [10, 20, 20, 15, 30];
    for (n, time) in (1..).zip(times) {
        let mut change = change(&[], &[plain(viewer(&n.to_string(), "ann")), plain(viewer(&n.to_string(), "bob"))]);
        change.at = at(time);
        assert_eq!(commit(&storage, &scope, change).await, Revision(n));
    }
    for (since, expected) in
        [(0, vec![1, 2, 3, 4, 5]), (11, vec![2, 3, 4, 5]), (16, vec![2, 3, 5]), (30, vec![5]), (31, vec![])]
    {
        for object_type in [None, Some("document")] {
            let mut found: Vec<TupleChange> = Vec::new();
            loop {
                let after = found.last().map(|change| (change.revision, change.ordinal));
                let page = storage.data.tuple_changes(&scope, object_type, after, Some(at(since)), 1).await.unwrap();
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            let pairs: Vec<u64> = expected.iter().flat_map(|n| [*n, *n]).collect();
            assert_eq!(found.iter().map(|change| change.revision.0).collect::<Vec<_>>(), pairs, "since {since}");
        }
    }
    let tuples = live(&storage, &scope).await;
    assert_eq!(tuples.iter().map(|tuple| tuple.created_at).step_by(2).collect::<Vec<_>>(), times.map(at));
}

pub(crate) async fn tuples_belong(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    let mut twin = store_record(2, 2);
    twin.name = store_record(1, 1).name;
    storage.stores.insert(&tenant_scope(2), &twin, Beside::default()).await.unwrap();
    storage.stores.insert(&tenant_scope(1), &store_record(1, 3), Beside::default()).await.unwrap();
    let (ann, bob) = (viewer("1", "ann"), viewer("1", "bob"));
    let put = change(&[], &[plain(ann.clone()), plain(bob.clone())]);
    commit(&storage, &scope, put.clone()).await;
    commit(&storage, &store_scope(2, 2), put).await;
    commit(&storage, &store_scope(2, 2), change(std::slice::from_ref(&bob), &[conditional(ann, "{}")])).await;

    assert_eq!(live(&storage, &scope).await.len(), 2);
    assert!(live(&storage, &scope).await.iter().all(|tuple| tuple.condition.is_none()));
    assert_eq!(log(&storage, &scope, 9).await.len(), 2);
    assert_eq!(log(&storage, &store_scope(2, 2), 9).await.len(), 5);
    for stranger in [store_scope(2, 1), store_scope(1, 2), store_scope(1, 3), store_scope(3, 1)] {
        assert_eq!(live(&storage, &stranger).await, []);
        assert_eq!(log(&storage, &stranger, 9).await, []);
        assert_eq!(past_of(&storage, &stranger, 1).await, []);
        assert_eq!(storage.data.trimmed_changes(&stranger, None).await.unwrap(), None);
        let since = storage.data.tuple_changes(&stranger, Some("document"), None, Some(at(0)), 9).await;
        assert_eq!(since.unwrap(), []);
        let mut nothing = |_| Err(StorageError::Refused { what: "a chunk".to_owned() });
        storage.data.load(&stranger, &mut nothing).await.unwrap();
    }
}

pub(crate) async fn a_failed_write_leaves_no_tuple(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let (ann, bob) = (viewer("1", "ann"), viewer("1", "bob"));
    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    // Found out after the tuples were written, once as the first of the store and once as a later one.
    for expected in 0..2 {
        let mut bad = change(&[bob.clone(), viewer("0", "a")], &[conditional(bob.clone(), "{}"), plain(ann.clone())]);
        bad.expected_revision = Revision(expected);
        bad.activate = Some(release_id(9));
        assert!(matches!(open.write(&bad).await, Err(WriteError::UnknownRelease { .. })));
        let mut good = change(&[], &[plain(bob.clone())]);
        good.expected_revision = Revision(expected);
        open.write(&good).await.unwrap();
    }
    let unnamed = TupleKey { subject_relation: Some(String::new()), ..ann.clone() };
    for mut refused in [change(std::slice::from_ref(&unnamed), &[]), change(&[], &[plain(unnamed.clone())])] {
        refused.expected_revision = Revision(2);
        let refused = open.write(&refused).await;
        assert!(matches!(refused, Err(WriteError::Storage(StorageError::Refused { .. }))), "{refused:?}");
    }
    open.commit().await.unwrap();
    assert_eq!(live(&storage, &scope).await, [stored(plain(bob.clone()), 2)]);
    let (old, new) = (stored(plain(bob.clone()), 1), stored(plain(bob), 2));
    let expected = [(1, true, old.clone()), (2, false, old.clone()), (2, true, new)];
    assert_eq!(told(log(&storage, &scope, 9).await), expected);
    assert_eq!(past_of(&storage, &scope, 1).await, [old]);

    let mut dropped = storage.writes.begin(&scope).await.unwrap().unwrap();
    let mut put = change(&[], &[plain(ann)]);
    put.expected_revision = Revision(2);
    dropped.write(&put).await.unwrap();
    drop(dropped);
    assert_eq!(live(&storage, &scope).await.len(), 1);
    assert_eq!(log(&storage, &scope, 9).await.len(), 3);
}

pub(crate) async fn ten_thousand_tuples_are_one_write(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let name = |n: usize| viewer(&format!("{:05}", (n * 7) % 10_001), "ann");
    let all: Vec<NewTuple> = (0..10_001).map(|n| plain(name(n))).collect();
    for _ in 0..2 {
        commit(&storage, &scope, change(&[], &all)).await;
    }
    let some: Vec<TupleKey> = (1..10_001).map(name).collect();
    commit(&storage, &scope, change(&some, &[conditional(name(7), "{}")])).await;
    storage.close().await;

    let storage = fixture.open().await;
    assert_eq!(storage.stores.get(&tenant_scope(1), &store_id(1)).await.unwrap().unwrap().revision, Revision(3));
    let left = [stored(plain(name(0)), 2), stored(conditional(name(7), "{}"), 3)];
    assert_eq!(live(&storage, &scope).await, left);
    for revision in [1, 2] {
        let past = past_of(&storage, &scope, revision).await;
        assert_eq!(past.len(), 10_001);
        assert!(past.iter().all(|tuple| tuple.created_revision == Revision(revision)));
    }
    assert_eq!(log(&storage, &scope, 10_000).await.len(), 10_001 + 20_002 + 10_001);
    let written: Vec<_> = log(&storage, &scope, 20_000).await.into_iter().take(10_001).collect();
    assert!(written.iter().zip(&all).all(|(change, put)| change.tuple.key == put.key));

    let put: Vec<NewTuple> = all.iter().map(|tuple| conditional(tuple.key.clone(), "{}")).collect();
    commit(&storage, &scope, change(&[], &put)).await;
    let mut chunks = Vec::new();
    let mut sink = |chunk| {
        if let LoadChunk::Tuples(chunk) = chunk {
            chunks.push(chunk);
        }
        Ok(())
    };
    let head = storage.data.load(&scope, &mut sink).await.unwrap().unwrap();
    assert_eq!(head.revision, Revision(4));
    assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [10_000, 1]);
    let mut expected: Vec<_> = put.into_iter().map(|tuple| stored(tuple, 4)).collect();
    expected.sort_by(|a, b| a.key.cmp(&b.key));
    assert!(chunks.concat() == expected);
}
