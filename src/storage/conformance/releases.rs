//! Releases against a model that keeps every one of them whole.

use std::collections::BTreeMap;

use super::{Dice, Fixture, commit, release_id, with_store, write};
use crate::storage::records::{NewRelease, PolicyRecord, SchemaRecord};
use crate::storage::{StorageError, WriteError};

pub(crate) fn policy(id: &str, text: &str) -> PolicyRecord {
    PolicyRecord {
        id: id.to_owned(),
        named: id.len().is_multiple_of(2),
        file: Some("a.cedar".to_owned()),
        line: 7,
        column: 3,
        text: text.to_owned(),
    }
}

pub(crate) fn new_release(n: u128, upserts: Vec<PolicyRecord>, removed: Vec<String>) -> NewRelease {
    NewRelease { id: release_id(n), schema: None, schema_file: None, model: None, model_file: None, upserts, removed }
}

type Release = BTreeMap<String, PolicyRecord>;

/// What turns `from` into `to`.
fn difference(from: &Release, to: &Release) -> (Vec<PolicyRecord>, Vec<String>) {
    let upserts = to.values().filter(|p| from.get(&p.id) != Some(p)).cloned().collect();
    let removed = from.keys().filter(|id| !to.contains_key(*id)).cloned().collect();
    (upserts, removed)
}

pub(crate) async fn intervals_equal_a_plain_model(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut dice = Dice::new(11);
    let mut model: Vec<Release> = Vec::new();
    for number in 1..=40_u128 {
        let newest = model.last().cloned().unwrap_or_default();
        let next = if number % 9 == 0 {
            // A rollback: an older release is active, and the next one is made from it.
            let older = dice.below(model.len());
            let mut activate = write(0);
            activate.activate = Some(release_id(older as u128 + 1));
            commit(&storage, &scope, activate).await;
            model[older].clone()
        } else {
            let mut next = newest.clone();
            for _ in 0..dice.below(8) {
                let id = format!("p{}", dice.below(12));
                if dice.below(3) == 0 {
                    next.remove(&id);
                } else {
                    next.insert(id.clone(), policy(&id, &format!("text {}", dice.below(50))));
                }
            }
            next
        };
        let (upserts, mut removed) = difference(&newest, &next);
        removed.push("never there".to_owned());
        let mut change = write(0);
        change.new_release = Some(new_release(number, upserts, removed));
        change.activate = (dice.below(3) > 0).then(|| release_id(number));
        commit(&storage, &scope, change).await;
        model.push(next);
    }

    for (index, expected) in model.iter().enumerate() {
        let number = index as u64 + 1;
        let expected: Vec<_> = expected.values().cloned().collect();
        assert_eq!(storage.releases.all_policies(&scope, number).await.unwrap(), expected);
        let record = storage.releases.get(&scope, &release_id(u128::from(number))).await.unwrap();
        let record = record.unwrap();
        assert_eq!((record.number, record.policy_count), (number, expected.len() as u64));
        let mut paged = Vec::new();
        loop {
            let after = paged.last().map(|p: &PolicyRecord| p.id.clone());
            let page = storage.releases.policies(&scope, number, after.as_deref(), 3).await.unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, expected);
    }
    for absent in [0, 41, u64::MAX] {
        assert_eq!(storage.releases.all_policies(&scope, absent).await.unwrap(), []);
    }
    let page = storage.releases.list(&scope, Some(40), 2).await.unwrap();
    assert_eq!(page.iter().map(|r| r.number).collect::<Vec<_>>(), [39, 38]);
    let newest = storage.releases.list(&scope, None, 1).await.unwrap();
    assert_eq!(newest[0].number, 40);
}

pub(crate) async fn schemas_are_kept_by_content(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let schema = |syntax: &str, text: &str| Some(SchemaRecord { syntax: syntax.to_owned(), text: text.to_owned() });
    let schemas = [
        schema("cedar", "entity User;"),
        None,
        schema("cedar", "entity User;"),
        schema("json", "{}"),
        schema("cedar", ""),
        schema("cedar", "{}"),
    ];
    for (n, schema) in (1..).zip(&schemas) {
        let mut change = write(0);
        change.new_release = Some(NewRelease { schema: schema.clone(), ..new_release(n, vec![], vec![]) });
        commit(&storage, &scope, change).await;
    }
    for (n, schema) in (1..).zip(&schemas) {
        let record = storage.releases.get(&scope, &release_id(n)).await.unwrap().unwrap();
        assert_eq!(record.schema, *schema, "release {n}");
    }
}

pub(crate) async fn files_of_schema_and_model_are_kept(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let name = |text: &str| Some(text.to_owned());
    let files = [(None, None), (name("schemas/a.cedarschema"), None), (name(""), name("h\u{f6}/m.fga")), (None, None)];
    for (n, (schema_file, model_file)) in (1..).zip(files.clone()) {
        let mut change = write(0);
        change.new_release = Some(NewRelease { schema_file, model_file, ..new_release(n, vec![], vec![]) });
        commit(&storage, &scope, change).await;
    }
    for (n, files) in (1..).zip(files) {
        let record = storage.releases.get(&scope, &release_id(n)).await.unwrap().unwrap();
        assert_eq!((record.schema_file, record.model_file), files, "release {n}");
    }
}

/// Against a pile of releases: a new one is put on top, an earlier one that is in the pile is dug out.
pub(crate) async fn a_rollback_goes_one_further_back(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut dice = Dice::new(29);
    let (mut pile, mut made): (Vec<u128>, u128) = (Vec::new(), 0);
    for _ in 0..120 {
        let mut change = write(0);
        let active = match dice.below(4) {
            // A rollback.
            0 if pile.len() > 1 => pile[pile.len() - 2],
            // Any release, drafts among them.
            1 if made > 0 => dice.below(usize::try_from(made).unwrap()) as u128 + 1,
            draft_or_new => {
                made += 1;
                change.new_release = Some(new_release(made, vec![], vec![]));
                if draft_or_new == 3 { 0 } else { made }
            }
        };
        if active > 0 {
            change.activate = Some(release_id(active));
            match pile.iter().position(|earlier| *earlier == active) {
                Some(place) => pile.truncate(place + 1),
                None => pile.push(active),
            }
        }
        commit(&storage, &scope, change).await;
        if let Some(top) = pile.last() {
            let record = storage.releases.get(&scope, &release_id(*top)).await.unwrap().unwrap();
            let below = pile.len().checked_sub(2).map(|place| release_id(pile[place]));
            assert_eq!(record.previous, below, "{pile:?}");
        }
    }
}

pub(crate) async fn other_releases_are_refused(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut draft = write(0);
    draft.new_release = Some(new_release(1, vec![policy("p", "one")], vec![]));
    commit(&storage, &scope, draft).await;

    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    assert_eq!(open.head().active_release, None);
    assert_eq!(open.head().latest_release, Some(release_id(1)));
    let mut unknown = write(1);
    unknown.activate = Some(release_id(9));
    let refused = open.write(&unknown).await;
    assert!(matches!(refused, Err(WriteError::UnknownRelease { id }) if id == release_id(9)));
    let mut twice = write(1);
    twice.new_release = Some(new_release(1, vec![], vec![]));
    let refused = open.write(&twice).await;
    assert!(matches!(refused, Err(WriteError::Storage(StorageError::Refused { .. }))));
    let mut double = write(1);
    double.new_release = Some(new_release(2, vec![policy("p", "a"), policy("p", "b")], vec![]));
    let refused = open.write(&double).await;
    assert!(matches!(refused, Err(WriteError::Storage(StorageError::Refused { .. }))));
    let mut good = write(1);
    good.activate = Some(release_id(1));
    open.write(&good).await.unwrap();
    open.commit().await.unwrap();

    let policies = storage.releases.all_policies(&scope, 1).await.unwrap();
    assert_eq!(policies, [policy("p", "one")]);
    assert_eq!(storage.releases.list(&scope, None, 9).await.unwrap().len(), 1);
    let revisions = storage.data.revisions(&scope, None, 9).await.unwrap();
    let active: Vec<_> = revisions.iter().map(|r| r.release).collect();
    assert_eq!(active, [None, Some(release_id(1))]);
}
