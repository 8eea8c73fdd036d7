//! Tenants, keys and stores.

use super::{Fixture, alias, at, store_id, store_record, tenant_id, tenant_record, tenant_scope};
use crate::ids::KeyId;
use crate::storage::records::{AliasChange, Beside, KeyRecord, StoreUpdate};
use crate::storage::{StorageError, StoreError};

pub(crate) async fn tenants_page(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    for n in [3, 1, 2] {
        storage.tenants.insert(&tenant_record(n), None, Beside::default()).await.unwrap();
    }
    let first = storage.tenants.list(None, 2).await.unwrap();
    assert_eq!(first, [tenant_record(1), tenant_record(2)]);
    let rest = storage.tenants.list(Some(&first[1].id), 2).await.unwrap();
    assert_eq!(rest, [tenant_record(3)]);
    assert_eq!(storage.tenants.get(&tenant_id(3)).await.unwrap(), Some(tenant_record(3)));
    assert_eq!(storage.tenants.get(&tenant_id(4)).await.unwrap(), None);
    let again = storage.tenants.insert(&tenant_record(1), None, Beside::default()).await;
    assert!(matches!(again, Err(StorageError::Refused { .. })), "{again:?}");
    storage.ping().await.unwrap();
}

pub(crate) async fn keys_belong(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    storage.tenants.insert(&tenant_record(1), None, Beside::default()).await.unwrap();
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    let key = |n: u8, tenant: Option<u128>| KeyRecord {
        id: KeyId::from_parts(5, u128::from(n)),
        tenant: tenant.map(tenant_id),
        name: format!("key {n}"),
        hash: [n; 32],
        prefix: "authx_abcdef".to_owned(),
        scopes: vec!["check".to_owned(), "data:write".to_owned()],
        stores: n.is_multiple_of(2).then(|| vec![store_id(1), store_id(2)]),
        created_at: at(1),
        expires_at: (n % 2 == 1).then(|| at(9)),
        revoked_at: None,
        last_used_at: n.is_multiple_of(2).then(|| at(4)),
    };
    let all = [key(1, None), key(2, Some(1)), key(3, Some(1)), key(4, Some(2))];
    for key in &all {
        storage.keys.insert(key, Beside::default()).await.unwrap();
    }
    let (one, two) = (tenant_id(1), tenant_id(2));
    assert_eq!(storage.keys.list(None, None, 9).await.unwrap(), all[..1]);
    assert_eq!(storage.keys.list(Some(&one), None, 9).await.unwrap(), all[1..3]);
    assert_eq!(storage.keys.list(Some(&one), Some(&all[1].id), 9).await.unwrap(), all[2..3]);
    assert_eq!(storage.keys.list(Some(&one), None, 1).await.unwrap(), all[1..2]);
    assert_eq!(storage.keys.get(Some(&one), &all[1].id).await.unwrap(), Some(all[1].clone()));
    assert_eq!(storage.keys.get(Some(&two), &all[1].id).await.unwrap(), None);
    assert_eq!(storage.keys.get(None, &all[1].id).await.unwrap(), None);
    assert_eq!(storage.keys.all_known().await.unwrap(), all);

    assert!(!storage.keys.revoke(Some(&two), &all[1].id, at(7), Beside::default()).await.unwrap());
    assert!(!storage.keys.revoke(None, &all[1].id, at(7), Beside::default()).await.unwrap());
    assert!(storage.keys.revoke(Some(&one), &all[1].id, at(7), Beside::default()).await.unwrap());
    assert!(!storage.keys.revoke(Some(&one), &all[1].id, at(8), Beside::default()).await.unwrap());
    let revoked = storage.keys.get(Some(&one), &all[1].id).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(at(7)));
    let known = storage.keys.all_known().await.unwrap();
    assert_eq!(known, [all[0].clone(), revoked, all[2].clone(), all[3].clone()]);

    let twin = KeyRecord { hash: [1; 32], ..key(9, Some(1)) };
    assert!(matches!(storage.keys.insert(&twin, Beside::default()).await, Err(StorageError::Refused { .. })));
    let orphan = key(8, Some(99));
    assert!(matches!(storage.keys.insert(&orphan, Beside::default()).await, Err(StorageError::Refused { .. })));
}

pub(crate) async fn stores_page(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = tenant_scope(1);
    storage.tenants.insert(&tenant_record(1), None, Beside::default()).await.unwrap();
    for n in [2, 3, 1] {
        storage.stores.insert(&scope, &store_record(1, n), Beside::default()).await.unwrap();
    }
    let page = storage.stores.list(&scope, Some(&store_id(1)), 1).await.unwrap();
    assert_eq!(page, [store_record(1, 2)]);
    assert_eq!(storage.stores.count(&scope).await.unwrap(), 3);

    assert!(storage.stores.soft_delete(&scope, &store_id(2), at(50), Beside::default()).await.unwrap());
    assert!(!storage.stores.soft_delete(&scope, &store_id(2), at(51), Beside::default()).await.unwrap());
    assert_eq!(storage.stores.get(&scope, &store_id(2)).await.unwrap(), None);
    let open = [store_record(1, 1), store_record(1, 3)];
    assert_eq!(storage.stores.list(&scope, None, 9).await.unwrap(), open);
    assert_eq!(storage.stores.all_open().await.unwrap(), open);
    assert_eq!(storage.stores.count(&scope).await.unwrap(), 2);
}

pub(crate) async fn aliases_are_unique_while_open(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let (one, two) = (tenant_scope(1), tenant_scope(2));
    storage.tenants.insert(&tenant_record(1), None, Beside::default()).await.unwrap();
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    let named = |tenant, n, text: &str| {
        let mut record = store_record(tenant, n);
        record.alias = Some(alias(text));
        record
    };
    storage.stores.insert(&one, &named(1, 1, "docs"), Beside::default()).await.unwrap();
    storage.stores.insert(&two, &named(2, 2, "docs"), Beside::default()).await.unwrap();
    storage.stores.insert(&one, &named(1, 3, "wiki"), Beside::default()).await.unwrap();
    let taken = storage.stores.insert(&one, &named(1, 4, "docs"), Beside::default()).await;
    assert!(matches!(taken, Err(StoreError::AliasTaken { alias: a }) if a == alias("docs")));
    let same_id = storage.stores.insert(&one, &named(1, 1, "other"), Beside::default()).await;
    assert!(matches!(same_id, Err(StoreError::Storage(StorageError::Refused { .. }))));
    let found = storage.stores.find_by_alias(&two, &alias("docs")).await.unwrap();
    assert_eq!(found, Some(named(2, 2, "docs")));

    let set = |change| StoreUpdate { name: None, alias: change, updated_at: at(60) };
    let docs = set(AliasChange::Set(alias("docs")));
    let refused = storage.stores.update(&one, &store_id(3), &docs, Beside::default()).await;
    assert!(matches!(refused, Err(StoreError::AliasTaken { .. })), "{refused:?}");
    assert!(storage.stores.soft_delete(&one, &store_id(1), at(50), Beside::default()).await.unwrap());
    assert_eq!(storage.stores.find_by_alias(&one, &alias("docs")).await.unwrap(), None);
    assert!(storage.stores.update(&one, &store_id(3), &docs, Beside::default()).await.unwrap());
    assert!(!storage.stores.update(&one, &store_id(1), &docs, Beside::default()).await.unwrap());

    let rest = StoreUpdate { name: Some("renamed".to_owned()), ..set(AliasChange::Keep) };
    assert!(storage.stores.update(&one, &store_id(3), &rest, Beside::default()).await.unwrap());
    let mut expected = named(1, 3, "docs");
    expected.name = "renamed".to_owned();
    expected.updated_at = at(60);
    assert_eq!(storage.stores.get(&one, &store_id(3)).await.unwrap(), Some(expected));
    assert!(storage.stores.update(&one, &store_id(3), &set(AliasChange::Clear), Beside::default()).await.unwrap());
    assert_eq!(storage.stores.find_by_alias(&one, &alias("docs")).await.unwrap(), None);
}

pub(crate) async fn another_tenant_sees_nothing(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = super::with_store(&storage).await;
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    let mut write = super::write(0);
    write.entities_put = vec![super::entity("User", "ann", "{}")];
    write.links_put = vec![super::link("l", "t")];
    let policy = super::releases::policy("p", "text");
    write.new_release = Some(super::releases::new_release(1, vec![policy], vec![]));
    write.activate = Some(super::release_id(1));
    super::commit(&storage, &scope, write).await;

    let (other, foreign) = (tenant_scope(2), super::store_scope(2, 1));
    let id = store_id(1);
    assert_eq!(storage.stores.get(&other, &id).await.unwrap(), None);
    assert!(!storage.stores.soft_delete(&other, &id, at(1), Beside::default()).await.unwrap());
    let update = StoreUpdate { name: Some("mine".to_owned()), alias: AliasChange::Clear, updated_at: at(1) };
    assert!(!storage.stores.update(&other, &id, &update, Beside::default()).await.unwrap());
    let forged = storage.stores.insert(&other, &store_record(1, 7), Beside::default()).await;
    assert!(matches!(forged, Err(StoreError::Storage(StorageError::Refused { .. }))));
    assert!(storage.writes.begin(&foreign).await.unwrap().is_none());
    assert_eq!(storage.releases.get(&foreign, &super::release_id(1)).await.unwrap(), None);
    assert_eq!(storage.releases.list(&foreign, None, 9).await.unwrap(), []);
    assert_eq!(storage.releases.all_policies(&foreign, 1).await.unwrap(), []);
    assert_eq!(storage.data.entity(&foreign, "User", "ann").await.unwrap(), None);
    assert_eq!(storage.data.entities(&foreign, None, None, 9).await.unwrap(), []);
    let past = crate::ids::Revision(1);
    assert_eq!(storage.data.entities_at(&foreign, past, None, None, 9).await.unwrap(), []);
    assert_eq!(storage.data.entity_at(&foreign, past, "User", "ann").await.unwrap(), None);
    assert_eq!(storage.data.links(&foreign, None, 9).await.unwrap(), []);
    assert_eq!(storage.data.links_at(&foreign, past, None, 9).await.unwrap(), []);
    assert_eq!(storage.data.link(&foreign, "l").await.unwrap(), None);
    assert_eq!(storage.data.revisions(&foreign, None, 9).await.unwrap(), []);
    let mut nothing = |_| Err(StorageError::Refused { what: "a chunk".to_owned() });
    assert_eq!(storage.data.load(&foreign, &mut nothing).await.unwrap(), None);
    assert_eq!(storage.data.entities(&scope, None, None, 9).await.unwrap().len(), 1);
}
