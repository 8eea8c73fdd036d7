//! Answers: stored with what they answer to, found by their owner alone, and forgotten after a while.

use super::{
    Fixture, at, commit, entity, store_id, store_record, store_scope, tenant_id, tenant_record, tenant_scope,
    with_store, write,
};
use crate::ids::{KeyId, TenantId};
use crate::storage::Storage;
use crate::storage::records::{AnswerOwner, AnswerRecord, Beside, KeyRecord, TenantChange, WriteRecord};

const KEY: [u8; 32] = [1; 32];

fn of(tenant: TenantId, store: Option<u128>) -> AnswerOwner {
    AnswerOwner { tenant, store: store.map(store_id) }
}

fn answer(owner: AnswerOwner, body: &str) -> AnswerRecord {
    let etag = Some("e".to_owned());
    AnswerRecord { owner, key: KEY, request: [7; 32], status: 201, etag, body: body.into(), at: at(50) }
}

async fn found(storage: &Storage, owner: AnswerOwner) -> Option<String> {
    let found = storage.answers.find(&owner, &KEY).await.unwrap();
    found.map(|found| String::from_utf8(found.body).unwrap())
}

pub(crate) async fn an_answer_is_of_its_write(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let (scope, owner) = (with_store(&storage).await, of(tenant_id(1), Some(1)));
    let answered = |expected: u64, id: &str| WriteRecord {
        answer: Some(answer(owner, id)),
        entities_put: vec![entity("User", id, "{}")],
        ..write(expected)
    };
    commit(&storage, &scope, answered(0, "a")).await;
    assert_eq!(storage.answers.find(&owner, &KEY).await.unwrap(), Some(answer(owner, "a")));
    assert_eq!(storage.answers.find(&owner, &[2; 32]).await.unwrap(), None);
    for other in
        [of(tenant_id(1), None), of(tenant_id(1), Some(2)), of(tenant_id(2), Some(1)), of(TenantId::platform(), None)]
    {
        assert_eq!(found(&storage, other).await, None, "{other:?}");
    }
    // What is undone was not answered.
    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    open.write(&answered(1, "b")).await.unwrap();
    open.rollback().await;
    assert_eq!(found(&storage, owner).await.unwrap(), "a");
    // The next one takes its place.
    commit(&storage, &scope, answered(1, "c")).await;
    assert_eq!(found(&storage, owner).await.unwrap(), "c");
    assert_eq!(storage.answers.forget(at(49), 9).await.unwrap(), 0);
    assert_eq!(storage.answers.forget(at(50), 9).await.unwrap(), 1);
    assert_eq!(found(&storage, owner).await, None);
}

pub(crate) async fn an_answer_is_stored_with_its_change_alone(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let (tenants, keys, stores) = (&storage.tenants, &storage.keys, &storage.stores);
    let (one, scope, platform) = (tenant_id(1), tenant_scope(1), of(TenantId::platform(), None));
    let key = KeyRecord {
        id: KeyId::from_parts(5, 1),
        tenant: Some(one),
        name: "k".to_owned(),
        hash: [1; 32],
        prefix: "axk_".to_owned(),
        scopes: Vec::new(),
        stores: None,
        created_at: at(1),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    let (good, bad) = (answer(platform, "good"), answer(platform, "bad"));
    let (good, bad) = (Beside { events: &[], answer: Some(&good) }, Beside { events: &[], answer: Some(&bad) });
    tenants.insert(&tenant_record(1), Some(&key), good).await.unwrap();
    assert_eq!(keys.get(Some(&one), &key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(found(&storage, platform).await.unwrap(), "good");
    // Another key of the same hash: neither it nor its tenant is there, and nothing was answered.
    assert!(tenants.insert(&tenant_record(2), Some(&key), bad).await.is_err());
    assert_eq!(tenants.get(&tenant_id(2)).await.unwrap(), None);
    assert_eq!(tenants.update(&tenant_id(9), &TenantChange::default(), bad).await.unwrap(), None);
    assert!(!keys.revoke(None, &key.id, at(9), bad).await.unwrap());
    assert!(!stores.soft_delete(&scope, &store_id(9), at(9), bad).await.unwrap());
    assert_eq!(found(&storage, platform).await.unwrap(), "good");
    // A store's answers go with it, a tenant's with the tenant.
    stores.insert(&scope, &store_record(1, 1), good).await.unwrap();
    let owners = [of(one, Some(1)), of(one, None)];
    for owner in owners {
        storage.answers.put(&answer(owner, "alone")).await.unwrap();
        assert_eq!(found(&storage, owner).await.unwrap(), "alone");
    }
    commit(&storage, &store_scope(1, 1), write(0)).await;
    assert!(tenants.soft_delete(&one, at(60), Beside::default()).await.unwrap());
    while storage.purge.purge(at(60), 1_000, &super::outbox::told).await.unwrap() > 0 {}
    for owner in owners {
        assert_eq!(found(&storage, owner).await, None);
    }
}
