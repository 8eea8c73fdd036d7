//! What was deleted is kept, restored as it was, and then deleted for good in bounded steps.

use super::outbox::told;
use super::tuples::{key as tuple_key, plain};
use super::{
    Fixture, alias, at, commit, entity, link, store_id, store_record, store_scope, tenant_id, tenant_record,
    tenant_scope, with_store, write,
};
use crate::ids::{KeyId, ModelId, Timestamp};
use crate::scope::StoreScope;
use crate::storage::records::{
    Beside, KeyRecord, ModelRecord, NewRelease, SchemaRecord, StoreRecord, TenantChange, TenantRecord, TupleFilter,
};
use crate::storage::{Storage, StorageError, StoreError};

fn key(n: u8, tenant: u128) -> KeyRecord {
    KeyRecord {
        id: KeyId::from_parts(5, u128::from(n)),
        tenant: Some(tenant_id(tenant)),
        name: "k".to_owned(),
        hash: [n; 32],
        prefix: "axk_".to_owned(),
        scopes: vec!["admin".to_owned()],
        stores: None,
        created_at: at(1),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

/// Rows of every kind in a store; live ones, and the past of as many.
async fn fill(storage: &Storage, scope: &StoreScope) {
    let mut first = write(0);
    first.entities_put = (0..20).map(|n| entity("User", &n.to_string(), "{}")).collect();
    first.links_put = (0..5).map(|n| link(&n.to_string(), "t")).collect();
    first.tuples_put =
        (0..6).map(|n| plain(tuple_key(("doc", &n.to_string()), "viewer", ("user", "ann", "")))).collect();
    let model_id = ModelId::from_parts(4_000, 1);
    let model = ModelRecord { id: model_id, syntax: "dsl".to_owned(), text: "m".to_owned(), created_at: at(5) };
    let schema = SchemaRecord { syntax: "cedar".to_owned(), text: "entity User;".to_owned() };
    let release = super::releases::new_release(1, vec![super::releases::policy("p", "text")], vec![]);
    first.new_release = Some(NewRelease { schema: Some(schema), model: Some(model), ..release });
    first.activate = Some(super::release_id(1));
    commit(storage, scope, first).await;
    assert!(storage.models.put_assertions(scope, &model_id, "[]", at(6)).await.unwrap());
    let mut second = write(1);
    second.entities_delete = (0..10).map(|n| ("User".to_owned(), n.to_string())).collect();
    second.links_delete = vec!["0".to_owned()];
    second.tuples_delete = vec![tuple_key(("doc", "0"), "viewer", ("user", "ann", ""))];
    commit(storage, scope, second).await;
}

async fn purge_all(storage: &Storage, by: Timestamp, limit: u32) -> Vec<u64> {
    let mut steps = Vec::new();
    loop {
        match storage.purge.purge(by, limit, &told).await.unwrap() {
            0 => return steps,
            rows => steps.push(rows),
        }
    }
}

async fn entities(storage: &Storage, scope: &StoreScope) -> usize {
    storage.data.entities(scope, None, None, 99).await.unwrap().len()
}

pub(crate) async fn tenants_change_and_come_back(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    storage.keys.insert(&key(1, 1), Beside::default()).await.unwrap();
    let one = tenant_id(1);
    let (limits, decisions) = (r#"{"stores":3}"#.to_owned(), r#"{"mode":"off"}"#.to_owned());
    let change = TenantChange {
        name: Some("named".to_owned()),
        limits: Some(limits.clone()),
        decisions: Some(decisions.clone()),
    };
    let changed = TenantRecord { name: "named".to_owned(), limits, decisions, ..tenant_record(1) };
    assert_eq!(storage.tenants.update(&one, &change, Beside::default()).await.unwrap(), Some(changed.clone()));
    assert_eq!(
        storage.tenants.update(&one, &TenantChange::default(), Beside::default()).await.unwrap(),
        Some(changed.clone())
    );
    assert_eq!(storage.tenants.update(&tenant_id(9), &change, Beside::default()).await.unwrap(), None);

    assert!(storage.tenants.soft_delete(&one, at(50), Beside::default()).await.unwrap());
    assert!(!storage.tenants.soft_delete(&one, at(51), Beside::default()).await.unwrap());
    assert_eq!(storage.tenants.get(&one).await.unwrap(), None);
    assert_eq!(storage.tenants.update(&one, &change, Beside::default()).await.unwrap(), None);
    assert_eq!(storage.tenants.list(None, 9).await.unwrap(), [tenant_record(2)]);
    let deleted = TenantRecord { deleted_at: Some(at(50)), ..changed.clone() };
    assert_eq!(storage.tenants.list_deleted(None, 9).await.unwrap(), [deleted]);
    assert_eq!(storage.tenants.list_deleted(Some(&one), 9).await.unwrap(), []);
    // Its stores are absent with it, and its keys open nothing.
    assert_eq!(storage.stores.get(&tenant_scope(1), &store_id(1)).await.unwrap(), None);
    assert_eq!(storage.stores.all_open().await.unwrap(), []);
    assert_eq!(storage.keys.all_known().await.unwrap(), []);
    assert!(storage.writes.begin(&scope).await.unwrap().is_none());

    assert_eq!(storage.tenants.restore(&one, at(50), Beside::default()).await.unwrap(), None);
    assert_eq!(storage.tenants.restore(&tenant_id(2), at(0), Beside::default()).await.unwrap(), None);
    assert_eq!(storage.tenants.restore(&one, at(49), Beside::default()).await.unwrap(), Some(changed.clone()));
    assert_eq!(storage.tenants.restore(&one, at(49), Beside::default()).await.unwrap(), None);
    assert_eq!(storage.tenants.get(&one).await.unwrap(), Some(changed));
    assert_eq!(storage.stores.all_open().await.unwrap(), [store_record(1, 1)]);
    assert_eq!(storage.keys.all_known().await.unwrap(), [key(1, 1)]);
}

pub(crate) async fn stores_come_back(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    let (one, two) = (tenant_scope(1), tenant_scope(2));
    let named = StoreRecord { alias: Some(alias("docs")), ..store_record(1, 2) };
    storage.stores.insert(&one, &named, Beside::default()).await.unwrap();
    fill(&storage, &scope).await;
    let before = storage.stores.get(&one, &store_id(1)).await.unwrap().unwrap();
    for n in [1, 2] {
        assert!(storage.stores.soft_delete(&one, &store_id(n), at(50), Beside::default()).await.unwrap());
    }
    let deleted = |record: &StoreRecord| StoreRecord { deleted_at: Some(at(50)), updated_at: at(50), ..record.clone() };
    assert_eq!(storage.stores.list_deleted(&one, None, 9).await.unwrap(), [deleted(&before), deleted(&named)]);
    assert_eq!(storage.stores.list_deleted(&one, Some(&store_id(1)), 9).await.unwrap(), [deleted(&named)]);
    assert_eq!(storage.stores.list_deleted(&two, None, 9).await.unwrap(), []);

    assert_eq!(storage.stores.restore(&two, &store_id(1), at(0), at(60), Beside::default()).await.unwrap(), None);
    assert_eq!(storage.stores.restore(&one, &store_id(1), at(50), at(60), Beside::default()).await.unwrap(), None);
    let back = StoreRecord { updated_at: at(60), ..before };
    assert_eq!(
        storage.stores.restore(&one, &store_id(1), at(49), at(60), Beside::default()).await.unwrap(),
        Some(back.clone())
    );
    assert_eq!(storage.stores.restore(&one, &store_id(1), at(49), at(61), Beside::default()).await.unwrap(), None);
    assert_eq!(storage.stores.get(&one, &store_id(1)).await.unwrap(), Some(back));
    assert_eq!(entities(&storage, &scope).await, 10);

    // The alias went to another store meanwhile.
    let other = StoreRecord { alias: Some(alias("docs")), ..store_record(1, 3) };
    storage.stores.insert(&one, &other, Beside::default()).await.unwrap();
    let taken = storage.stores.restore(&one, &store_id(2), at(49), at(60), Beside::default()).await;
    assert!(matches!(taken, Err(StoreError::AliasTaken { alias: a }) if a == alias("docs")));
    assert_eq!(storage.stores.list_deleted(&one, None, 9).await.unwrap(), [deleted(&named)]);
}

pub(crate) async fn a_purge_is_bounded_and_takes_what_is_old(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let first = with_store(&storage).await;
    storage.stores.insert(&tenant_scope(1), &store_record(1, 2), Beside::default()).await.unwrap();
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    storage.stores.insert(&tenant_scope(2), &store_record(2, 3), Beside::default()).await.unwrap();
    let (second, third) = (store_scope(1, 2), store_scope(2, 3));
    for scope in [&first, &second, &third] {
        fill(&storage, scope).await;
    }
    storage.keys.insert(&key(1, 1), Beside::default()).await.unwrap();
    storage.keys.insert(&key(2, 2), Beside::default()).await.unwrap();
    assert_eq!(storage.purge.purge(at(1_000), 7, &told).await.unwrap(), 0);

    assert!(storage.stores.soft_delete(&tenant_scope(1), &store_id(1), at(50), Beside::default()).await.unwrap());
    assert!(storage.stores.soft_delete(&tenant_scope(1), &store_id(2), at(60), Beside::default()).await.unwrap());
    assert_eq!(storage.purge.purge(at(49), 7, &told).await.unwrap(), 0);
    // From the first row on there is no way back, whatever time is asked for.
    assert_eq!(storage.purge.purge(at(50), 7, &told).await.unwrap(), 7);
    assert_eq!(
        storage.stores.restore(&tenant_scope(1), &store_id(1), at(0), at(70), Beside::default()).await.unwrap(),
        None
    );
    let steps = purge_all(&storage, at(59), 7).await;
    assert!(steps.iter().all(|rows| *rows <= 7) && steps.len() > 3, "{steps:?}");
    assert_eq!(storage.stores.list_deleted(&tenant_scope(1), None, 9).await.unwrap().len(), 1);
    assert_eq!(entities(&storage, &first).await, 0);
    assert_eq!(storage.data.revisions(&first, None, 9).await.unwrap(), []);
    assert_eq!(storage.releases.list(&first, None, 9).await.unwrap(), []);
    assert_eq!(storage.models.list(&first, None, 9).await.unwrap(), []);
    assert_eq!(storage.data.tuples(&first, &TupleFilter::default(), None, 9).await.unwrap(), []);
    // The other store is whole.
    assert!(
        storage
            .stores
            .restore(&tenant_scope(1), &store_id(2), at(59), at(70), Beside::default())
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(entities(&storage, &second).await, 10);

    // A tenant goes with its stores, open ones too, and its keys; another one stays.
    assert!(storage.tenants.soft_delete(&tenant_id(1), at(80), Beside::default()).await.unwrap());
    let steps = purge_all(&storage, at(80), 1).await;
    assert!(steps.iter().all(|rows| *rows == 1) && steps.len() > 30, "{steps:?}");
    assert_eq!(storage.tenants.restore(&tenant_id(1), at(0), Beside::default()).await.unwrap(), None);
    assert_eq!(storage.tenants.list_deleted(None, 9).await.unwrap(), []);
    assert_eq!(storage.keys.list(Some(&tenant_id(1)), None, 9).await.unwrap(), []);
    assert_eq!(entities(&storage, &third).await, 10);
    assert_eq!(storage.keys.all_known().await.unwrap(), [key(2, 2)]);
    // Nothing is left of the names.
    storage.tenants.insert(&tenant_record(1), None, Beside::default()).await.unwrap();
    storage.stores.insert(&tenant_scope(1), &store_record(1, 1), Beside::default()).await.unwrap();
    let again = storage.tenants.insert(&tenant_record(1), None, Beside::default()).await;
    assert!(matches!(again, Err(StorageError::Refused { .. })), "{again:?}");
}
