//! Tuples as they are read: every filter in pages of every size, and keys of any bytes.

use std::collections::BTreeMap;

use super::tuples::{key, plain, stored};
use super::{Dice, Fixture, commit, with_store, write};
use crate::ids::Revision;
use crate::scope::StoreScope;
use crate::storage::Storage;
use crate::storage::records::{
    LoadChunk, NewTuple, SubjectFilter, SubjectRelation, TupleFilter, TupleKey, TupleRecord,
};

fn matches(filter: &TupleFilter, key: &TupleKey) -> bool {
    let is = |wanted: &Option<String>, found: &String| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let subject = filter.subject.as_ref().is_none_or(|subject| {
        let relation = match &subject.subject_relation {
            SubjectRelation::Any => true,
            SubjectRelation::Without => key.subject_relation.is_none(),
            SubjectRelation::Named(name) => key.subject_relation.as_ref() == Some(name),
        };
        subject.subject_type == key.subject_type && is(&subject.subject_id, &key.subject_id) && relation
    });
    is(&filter.object_type, &key.object_type)
        && is(&filter.object_id, &key.object_id)
        && is(&filter.relation, &key.relation)
        && subject
}

/// What the order of a filter compares.
fn place(filter: &TupleFilter, key: &TupleKey) -> [Option<String>; 6] {
    let TupleKey { object_type, object_id, relation, subject_type, subject_id, subject_relation } = key.clone();
    let [ot, oi, r] = [object_type, object_id, relation].map(Some);
    let [st, si] = [subject_type, subject_id].map(Some);
    if filter.subject.is_some() && filter.object_id.is_none() {
        [st, si, subject_relation, r, ot, oi]
    } else {
        [ot, oi, r, st, si, subject_relation]
    }
}

/// Every combination of what a filter may leave open.
fn filters() -> Vec<TupleFilter> {
    let some = |text: &str| Some(text.to_owned());
    let mut subjects = vec![None];
    for subject_type in ["user", "absent"] {
        for subject_id in [None, some("1"), some("")] {
            let named = |name: &str| SubjectRelation::Named(name.to_owned());
            for subject_relation in [SubjectRelation::Any, SubjectRelation::Without, named("member"), named("")] {
                let (subject_type, subject_id) = (subject_type.to_owned(), subject_id.clone());
                subjects.push(Some(SubjectFilter { subject_type, subject_id, subject_relation }));
            }
        }
    }
    let mut filters = Vec::new();
    for object_type in [None, some("document"), some("folder")] {
        for object_id in [None, some("1")] {
            for relation in [None, some("viewer")] {
                for subject in subjects.clone() {
                    let (object_type, object_id, relation) = (object_type.clone(), object_id.clone(), relation.clone());
                    filters.push(TupleFilter { object_type, object_id, relation, subject });
                }
            }
        }
    }
    filters
}

async fn paged(storage: &Storage, scope: &StoreScope, filter: &TupleFilter, page: u32) -> Vec<TupleRecord> {
    let mut all: Vec<TupleRecord> = Vec::new();
    loop {
        let after = all.last().map(|tuple| &tuple.key);
        let page = storage.data.tuples(scope, filter, after, page).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub(crate) async fn every_filter_pages(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut dice = Dice::new(31);
    let mut change = write(0);
    for _ in 0..60 {
        let object = (["document", "folder"][dice.below(2)], ["", "1", "2"][dice.below(3)]);
        let subject = (["user", "group"][dice.below(2)], ["", "1", "2"][dice.below(3)], ["", "member"][dice.below(2)]);
        change.tuples_put.push(plain(key(object, ["viewer", "editor"][dice.below(2)], subject)));
    }
    let keys: Vec<TupleKey> = change.tuples_put.iter().map(|tuple| tuple.key.clone()).collect();
    commit(&storage, &scope, change).await;

    let mut outside = vec![key(("", ""), "", ("", "", "")), key(("~", "~"), "~", ("~", "~", "~"))];
    outside.push(TupleKey { subject_relation: Some(String::new()), ..keys[0].clone() });
    for filter in filters() {
        let mut expected: Vec<&TupleKey> = keys.iter().filter(|key| matches(&filter, key)).collect();
        expected.sort_by_cached_key(|key| place(&filter, key));
        expected.dedup();
        for page in [1, 2, 3, 5, 1_000] {
            let found = paged(&storage, &scope, &filter, page).await;
            let found: Vec<&TupleKey> = found.iter().map(|tuple| &tuple.key).collect();
            assert_eq!(found, expected, "pages of {page} by {filter:?}");
        }
        // Behind any key, also one that the filter leaves out.
        for after in keys.iter().step_by(5).chain(&outside) {
            let found = storage.data.tuples(&scope, &filter, Some(after), 1_000).await.unwrap();
            let behind = expected.iter().filter(|key| place(&filter, key) > place(&filter, after));
            assert_eq!(found.iter().map(|tuple| &tuple.key).collect::<Vec<_>>(), behind.copied().collect::<Vec<_>>());
        }
        assert_eq!(storage.data.tuples(&scope, &filter, None, 0).await.unwrap(), []);
    }
}

pub(crate) async fn every_filter_pages_through_the_past(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut dice = Dice::new(37);
    let mut now: BTreeMap<TupleKey, TupleRecord> = BTreeMap::new();
    let mut past = vec![now.clone()];
    for revision in 1..=12 {
        let mut change = write(0);
        for _ in 0..12 {
            let object = (["document", "folder"][dice.below(2)], ["", "1"][dice.below(2)]);
            let subject = (["user", "group"][dice.below(2)], ["", "1"][dice.below(2)], ["", "member"][dice.below(2)]);
            let key = key(object, ["viewer", "editor"][dice.below(2)], subject);
            if dice.below(3) == 0 {
                change.tuples_delete.push(key);
            } else {
                change.tuples_put.push(plain(key));
            }
        }
        for key in &change.tuples_delete {
            now.remove(key);
        }
        for tuple in &change.tuples_put {
            now.insert(tuple.key.clone(), stored(tuple.clone(), revision));
        }
        commit(&storage, &scope, change).await;
        past.push(now.clone());
    }
    for (revision, then) in (0..).zip(&past).step_by(3) {
        for filter in filters() {
            let mut expected: Vec<&TupleRecord> = then.values().filter(|tuple| matches(&filter, &tuple.key)).collect();
            expected.sort_by_cached_key(|tuple| place(&filter, &tuple.key));
            for size in [1, 3, 1_000] {
                let mut found: Vec<TupleRecord> = Vec::new();
                loop {
                    let after = found.last().map(|tuple| &tuple.key);
                    let page = storage.data.tuples_at(&scope, Revision(revision), &filter, after, size).await.unwrap();
                    if page.is_empty() {
                        break;
                    }
                    found.extend(page);
                }
                assert!(
                    found.iter().eq(expected.iter().copied()),
                    "revision {revision}, pages of {size} by {filter:?}"
                );
            }
        }
    }
}

pub(crate) async fn tuple_keys_are_kept_byte_for_byte(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let long = "é".repeat(256);
    let longer = format!("{}b", "a".repeat(511));
    let odd = [
        "", "\0", "\0b", "\n", "\u{1}", "\u{1b}", "\u{7f}", " ", "\"", "#", "%_", "'; --", "*", ",", "/", ":", "::",
        "A", "@", "[]", "\\", "a", "a:b#c@d", "|", "~", "\u{85}", "\u{feff}", "🦀", &long, &longer,
    ];
    let mut puts: Vec<NewTuple> = Vec::new();
    for one in odd {
        puts.push(plain(key((one, "x"), "r", ("user", "ann", ""))));
        puts.push(plain(key(("t", one), "r", ("user", "ann", ""))));
        puts.push(plain(key(("u", "x"), one, ("user", "ann", ""))));
        puts.push(plain(key(("v", "x"), "r", (one, "ann", ""))));
        puts.push(plain(key(("w", "x"), "r", ("user", one, ""))));
        puts.push(plain(key(("w", "y"), "r", ("user", "ann", one))));
    }
    // The same text, cut in other places.
    puts.push(plain(key(("a", "b:c"), "r", ("u", "x#y", ""))));
    puts.push(plain(key(("a:b", "c"), "r", ("u", "x", "y"))));
    let mut change = write(0);
    change.tuples_put.clone_from(&puts);
    commit(&storage, &scope, change).await;

    let mut expected: Vec<TupleRecord> = puts.into_iter().map(|tuple| stored(tuple, 1)).collect();
    expected.sort_by(|a, b| a.key.cmp(&b.key));
    let everything = TupleFilter::default();
    assert_eq!(paged(&storage, &scope, &everything, 7).await, expected);
    let mut loaded = Vec::new();
    let mut sink = |chunk| {
        if let LoadChunk::Tuples(chunk) = chunk {
            loaded.extend(chunk);
        }
        Ok(())
    };
    storage.data.load(&scope, &mut sink).await.unwrap().unwrap();
    assert_eq!(loaded, expected);
    for tuple in &expected {
        let TupleKey { object_type, object_id, relation, subject_type, subject_id, subject_relation } =
            tuple.key.clone();
        let relation_of = subject_relation.map_or(SubjectRelation::Without, SubjectRelation::Named);
        let subject = SubjectFilter { subject_type, subject_id: Some(subject_id), subject_relation: relation_of };
        let mut filter = TupleFilter {
            object_type: Some(object_type),
            object_id: Some(object_id),
            relation: Some(relation),
            subject: Some(subject),
        };
        assert_eq!(paged(&storage, &scope, &filter, 2).await, std::slice::from_ref(tuple));
        filter.object_type = None;
        filter.object_id = None;
        assert!(paged(&storage, &scope, &filter, 2).await.contains(tuple));
    }

    for (n, tuple) in expected.iter().enumerate().step_by(9) {
        let mut change = write(0);
        change.tuples_delete = vec![tuple.key.clone()];
        commit(&storage, &scope, change).await;
        let left = paged(&storage, &scope, &everything, 1_000).await;
        assert_eq!(left.len(), expected.len() - n / 9 - 1);
        assert!(!left.contains(tuple));
    }
}
