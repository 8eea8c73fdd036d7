//! Events: stored with the change that they tell of, and with no other.

use super::{
    Fixture, alias, at, commit, store_id, store_record, store_scope, tenant_id, tenant_record, tenant_scope, write,
};
use crate::ids::{KeyId, TenantId};
use crate::storage::Storage;
use crate::storage::records::{
    Beside, Change, EventRecord, KeyChange, KeyRecord, KeySecret, Purged, StoreRecord, StoreUpdate, TenantChange,
};

fn event(tenant: u128, content: &str) -> EventRecord {
    EventRecord { log: tenant_id(tenant), content: content.to_owned(), ends: None }
}

/// What is told of a purge.
pub(crate) fn told(purged: Purged) -> EventRecord {
    match purged {
        Purged::Store(tenant, store) => EventRecord { log: tenant, content: format!("{store} purged"), ends: None },
        Purged::Tenant(tenant) => {
            EventRecord { log: TenantId::platform(), content: format!("{tenant} purged"), ends: Some(tenant) }
        }
    }
}

/// The contents that wait, log by log, and in the order of each.
async fn waiting(storage: &Storage) -> Vec<String> {
    let (mut all, mut behind): (Vec<String>, Option<TenantId>) = (Vec::new(), None);
    loop {
        let page = storage.outbox.next(behind.as_ref(), 100).await.unwrap();
        let Some(first) = page.first() else { return all };
        behind = Some(first.event.log);
        assert!(page.iter().all(|row| row.event.log == first.event.log));
        assert!(page.is_sorted_by(|one, next| one.number < next.number));
        all.extend(page.into_iter().map(|row| row.event.content));
    }
}

/// Takes what waits.
async fn taken(storage: &Storage) -> Vec<String> {
    let all = waiting(storage).await;
    while let Some(row) = storage.outbox.next(None, 1).await.unwrap().pop() {
        storage.outbox.forget(&row.event.log, row.number).await.unwrap();
    }
    all
}

fn key(n: u8) -> KeyRecord {
    KeyRecord {
        id: KeyId::from_parts(5, u128::from(n)),
        tenant: Some(tenant_id(1)),
        name: "k".to_owned(),
        hash: [n; 32],
        prefix: "axk_".to_owned(),
        scopes: Vec::new(),
        stores: None,
        created_at: at(1),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

pub(crate) async fn an_event_is_stored_with_its_change_alone(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let (tenants, keys, stores) = (&storage.tenants, &storage.keys, &storage.stores);
    let (one, scope) = (tenant_id(1), tenant_scope(1));
    let (good, bad) = ([event(1, "good")], [event(1, "bad")]);
    let (named, gone) = (TenantChange { name: Some("n".to_owned()), ..TenantChange::default() }, tenant_id(9));

    tenants.insert(&tenant_record(1), None, Beside::events(&good)).await.unwrap();
    assert_eq!(taken(&storage).await, ["good"]);
    assert!(tenants.insert(&tenant_record(1), None, Beside::events(&bad)).await.is_err());
    tenants.update(&one, &named, Beside::events(&good)).await.unwrap().unwrap();
    assert_eq!(tenants.update(&gone, &named, Beside::events(&bad)).await.unwrap(), None);
    assert!(tenants.soft_delete(&one, at(5), Beside::events(&good)).await.unwrap());
    assert!(!tenants.soft_delete(&one, at(5), Beside::events(&bad)).await.unwrap());
    assert_eq!(tenants.restore(&one, at(5), Beside::events(&bad)).await.unwrap(), None);
    tenants.restore(&one, at(4), Beside::events(&good)).await.unwrap().unwrap();
    assert_eq!(taken(&storage).await, ["good"; 3]);

    let (id, change) = (key(1).id, KeyChange { expires_at: Change::Set(at(90)), ..KeyChange::default() });
    let secret = |n: u8| KeySecret { id: key(n).id, hash: [n; 32], prefix: "p".to_owned(), created_at: at(9) };
    keys.insert(&key(1), Beside::events(&good)).await.unwrap();
    assert!(keys.insert(&key(1), Beside::events(&bad)).await.is_err());
    keys.update(Some(&one), &id, &change, at(8), Beside::events(&good)).await.unwrap().unwrap();
    assert!(keys.update(Some(&one), &id, &change, at(90), Beside::events(&bad)).await.is_err());
    assert_eq!(keys.update(None, &id, &change, at(8), Beside::events(&bad)).await.unwrap(), None);
    keys.rotate(Some(&one), &id, &secret(2), at(20), Beside::events(&good)).await.unwrap().unwrap();
    assert_eq!(keys.rotate(None, &id, &secret(3), at(20), Beside::events(&bad)).await.unwrap(), None);
    assert!(keys.revoke(Some(&one), &id, at(10), Beside::events(&good)).await.unwrap());
    assert!(!keys.revoke(Some(&one), &id, at(11), Beside::events(&bad)).await.unwrap());
    assert_eq!(taken(&storage).await, ["good"; 4]);

    let with_alias = |n: u128| StoreRecord { alias: Some(alias("one")), ..store_record(1, n) };
    stores.insert(&scope, &with_alias(1), Beside::events(&good)).await.unwrap();
    assert!(stores.insert(&scope, &with_alias(2), Beside::events(&bad)).await.is_err());
    stores.insert(&scope, &store_record(1, 3), Beside::events(&good)).await.unwrap();
    let update = |alias| StoreUpdate { name: Some("n".to_owned()), alias, updated_at: at(6) };
    assert!(stores.update(&scope, &store_id(1), &update(Change::Keep), Beside::events(&good)).await.unwrap());
    assert!(
        stores.update(&scope, &store_id(3), &update(Change::Set(alias("one"))), Beside::events(&bad)).await.is_err()
    );
    assert!(!stores.update(&scope, &store_id(9), &update(Change::Keep), Beside::events(&bad)).await.unwrap());
    assert!(stores.soft_delete(&scope, &store_id(1), at(6), Beside::events(&good)).await.unwrap());
    assert!(!stores.soft_delete(&scope, &store_id(1), at(6), Beside::events(&bad)).await.unwrap());
    assert_eq!(stores.restore(&scope, &store_id(1), at(6), at(7), Beside::events(&bad)).await.unwrap(), None);
    stores.restore(&scope, &store_id(1), at(5), at(7), Beside::events(&good)).await.unwrap().unwrap();
    assert_eq!(taken(&storage).await, ["good"; 5]);

    let mut change = write(0);
    change.event = Some(event(1, "good"));
    commit(&storage, &store_scope(1, 1), change.clone()).await;
    let mut open = storage.writes.begin(&store_scope(1, 1)).await.unwrap().unwrap();
    change.event = Some(event(1, "bad"));
    assert!(open.write(&change).await.is_err(), "it expects another revision");
    change.expected_revision = open.head().revision;
    open.write(&change).await.unwrap();
    open.rollback().await;
    assert_eq!(taken(&storage).await, ["good"]);
}

pub(crate) async fn events_wait_in_order_until_they_are_forgotten(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let two = [event(2, "b1"), event(1, "a1")];
    storage.tenants.insert(&tenant_record(1), None, Beside::events(&two)).await.unwrap();
    storage
        .tenants
        .insert(&tenant_record(2), None, Beside::events(&[event(1, "a2"), event(2, "b2"), event(1, "a3")]))
        .await
        .unwrap();
    assert_eq!(waiting(&storage).await, ["a1", "a2", "a3", "b1", "b2"]);
    let first = storage.outbox.next(None, 2).await.unwrap();
    assert_eq!(first.len(), 2);
    storage.outbox.forget(&tenant_id(1), first[1].number).await.unwrap();
    storage.outbox.forget(&tenant_id(3), u64::MAX).await.unwrap();
    storage.close().await;
    let storage = fixture.open().await;
    assert_eq!(waiting(&storage).await, ["a3", "b1", "b2"]);
}

pub(crate) async fn a_purge_tells_what_is_gone(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    storage.tenants.insert(&tenant_record(1), None, Beside::default()).await.unwrap();
    for n in 1..=3 {
        storage.stores.insert(&tenant_scope(1), &store_record(1, n), Beside::default()).await.unwrap();
    }
    let purge = async |by| while storage.purge.purge(at(by), 1, &told).await.unwrap() > 0 {};
    storage.stores.soft_delete(&tenant_scope(1), &store_id(2), at(50), Beside::default()).await.unwrap();
    purge(50).await;
    assert_eq!(taken(&storage).await, [format!("{} purged", store_id(2))]);
    // What its log was to be told goes with a tenant, and its stores are not told of one by one.
    storage
        .tenants
        .soft_delete(&tenant_id(1), at(60), Beside::events(&[event(1, "deleted"), event(2, "other")]))
        .await
        .unwrap();
    purge(60).await;
    let last = storage.outbox.next(None, 9).await.unwrap();
    assert_eq!(last[0].event, told(Purged::Tenant(tenant_id(1))));
    assert_eq!(taken(&storage).await, [format!("{} purged", tenant_id(1)), "other".to_owned()]);
}
