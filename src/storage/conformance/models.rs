//! Relation models and their assertions.

use super::releases::new_release;
use super::{
    Fixture, at, commit, release_id, store_record, store_scope, tenant_record, tenant_scope, with_store, write,
};
use crate::ids::ModelId;
use crate::storage::records::{Beside, ModelRecord, NewRelease, WriteRecord};
use crate::storage::{StorageError, WriteError};

fn model_id(n: u128) -> ModelId {
    ModelId::from_parts(4_000, n)
}

fn model(n: u128, text: &str) -> ModelRecord {
    ModelRecord { id: model_id(n), syntax: "dsl".to_owned(), text: text.to_owned(), created_at: at(5) }
}

fn with_model(expected: u64, release: u128, model: Option<ModelRecord>) -> WriteRecord {
    let mut change = write(expected);
    change.new_release = Some(NewRelease { model, ..new_release(release, vec![], vec![]) });
    change
}

pub(crate) async fn models_never_change(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    assert_eq!(storage.models.latest(&scope).await.unwrap(), None);
    let (one, two) = (model(1, "type user"), model(2, ""));
    commit(&storage, &scope, with_model(0, 1, Some(two.clone()))).await;
    commit(&storage, &scope, with_model(1, 2, None)).await;
    commit(&storage, &scope, with_model(2, 3, Some(one.clone()))).await;
    // Two releases may share a model; it keeps the time that it has.
    let again = ModelRecord { created_at: at(9), ..two.clone() };
    commit(&storage, &scope, with_model(3, 4, Some(again))).await;

    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    let other_syntax = ModelRecord { syntax: "json".to_owned(), ..one.clone() };
    let unknown_syntax = ModelRecord { syntax: "prose".to_owned(), ..model(3, "") };
    for refused in [model(1, "type group"), other_syntax, unknown_syntax] {
        let refused = open.write(&with_model(4, 5, Some(refused))).await;
        assert!(matches!(refused, Err(WriteError::Storage(StorageError::Refused { .. }))), "{refused:?}");
    }
    open.write(&with_model(4, 5, Some(one.clone()))).await.unwrap();
    open.commit().await.unwrap();
    storage.close().await;

    let storage = fixture.open().await;
    for (release, expected) in [(1, Some(2)), (2, None), (3, Some(1)), (4, Some(2)), (5, Some(1))] {
        let record = storage.releases.get(&scope, &release_id(release)).await.unwrap().unwrap();
        assert_eq!(record.model, expected.map(model_id), "release {release}");
    }
    assert_eq!(storage.releases.list(&scope, None, 9).await.unwrap().len(), 5);
    assert_eq!(storage.models.get(&scope, &one.id).await.unwrap(), Some(one.clone()));
    assert_eq!(storage.models.get(&scope, &model_id(3)).await.unwrap(), None);
    assert_eq!(storage.models.latest(&scope).await.unwrap(), Some(two.clone()));
    assert_eq!(storage.models.list(&scope, None, 9).await.unwrap(), [two.clone(), one.clone()]);
    assert_eq!(storage.models.list(&scope, None, 1).await.unwrap(), [two]);
    assert_eq!(storage.models.list(&scope, Some(&model_id(2)), 9).await.unwrap(), [one]);
    assert_eq!(storage.models.list(&scope, Some(&model_id(1)), 9).await.unwrap(), []);
}

pub(crate) async fn models_belong(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    storage.stores.insert(&tenant_scope(2), &store_record(2, 2), Beside::default()).await.unwrap();
    let (ours, theirs) = (model(1, "ours"), model(1, "theirs"));
    commit(&storage, &scope, with_model(0, 1, Some(ours.clone()))).await;
    assert!(storage.models.put_assertions(&scope, &ours.id, "[]", at(6)).await.unwrap());
    for stranger in [store_scope(2, 1), store_scope(2, 2), store_scope(1, 2)] {
        assert_eq!(storage.models.get(&stranger, &ours.id).await.unwrap(), None);
        assert_eq!(storage.models.latest(&stranger).await.unwrap(), None);
        assert_eq!(storage.models.list(&stranger, None, 9).await.unwrap(), []);
        assert_eq!(storage.models.assertions(&stranger, &ours.id).await.unwrap(), None);
        assert!(!storage.models.put_assertions(&stranger, &ours.id, "[1]", at(6)).await.unwrap());
    }
    // One id in two stores is two models.
    commit(&storage, &store_scope(2, 2), with_model(0, 2, Some(theirs.clone()))).await;
    assert_eq!(storage.models.latest(&store_scope(2, 2)).await.unwrap(), Some(theirs));
    assert_eq!(storage.models.latest(&scope).await.unwrap(), Some(ours.clone()));
    assert_eq!(storage.models.assertions(&scope, &ours.id).await.unwrap().as_deref(), Some("[]"));
}

pub(crate) async fn assertions_are_replaced(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    for n in 1..=2 {
        commit(&storage, &scope, with_model(0, n, Some(model(n, "type user")))).await;
    }
    assert_eq!(storage.models.assertions(&scope, &model_id(1)).await.unwrap(), None);
    for text in ["[]", r#"[{"expectation":true}]"#] {
        assert!(storage.models.put_assertions(&scope, &model_id(1), text, at(7)).await.unwrap());
        assert_eq!(storage.models.assertions(&scope, &model_id(1)).await.unwrap().as_deref(), Some(text));
    }
    assert_eq!(storage.models.assertions(&scope, &model_id(2)).await.unwrap(), None);
    assert!(!storage.models.put_assertions(&scope, &model_id(3), "[]", at(7)).await.unwrap());
    assert_eq!(storage.data.revisions(&scope, None, 9).await.unwrap().len(), 2);
}
