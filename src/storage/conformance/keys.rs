//! Keys that are changed, rotated and used.

use super::{Fixture, at, store_id, tenant_id, tenant_record};
use crate::ids::{KeyId, TenantId, Timestamp};
use crate::storage::records::{Beside, Change, KeyChange, KeyRecord, KeySecret};
use crate::storage::{KeyError, Storage};

fn id(n: u8) -> KeyId {
    KeyId::from_parts(5, u128::from(n))
}

fn key(n: u8, tenant: Option<u128>, expires_at: Option<Timestamp>) -> KeyRecord {
    KeyRecord {
        id: id(n),
        tenant: tenant.map(tenant_id),
        name: format!("key {n}"),
        hash: [n; 32],
        prefix: format!("axk_{n}"),
        scopes: vec!["check".to_owned()],
        stores: Some(vec![store_id(1)]),
        created_at: at(1),
        expires_at,
        revoked_at: None,
        last_used_at: None,
    }
}

fn secret(n: u8, created: i64) -> KeySecret {
    KeySecret { id: id(n), hash: [n; 32], prefix: format!("axk_{n}"), created_at: at(created) }
}

async fn with(fixture: &impl Fixture, keys: &[KeyRecord]) -> Storage {
    let storage = fixture.open().await;
    storage.tenants.insert(&tenant_record(1), None, Beside::default()).await.unwrap();
    storage.tenants.insert(&tenant_record(2), None, Beside::default()).await.unwrap();
    for key in keys {
        storage.keys.insert(key, Beside::default()).await.unwrap();
    }
    storage
}

async fn stored(storage: &Storage, tenant: Option<&TenantId>, n: u8) -> KeyRecord {
    storage.keys.get(tenant, &id(n)).await.unwrap().unwrap()
}

pub(crate) async fn keys_change_until_they_end(fixture: &impl Fixture) {
    let keys = [key(1, Some(1), None), key(2, Some(1), Some(at(50))), key(3, Some(2), None)];
    let storage = with(fixture, &keys).await;
    let (one, two) = (tenant_id(1), tenant_id(2));
    let change = KeyChange {
        name: Some("named".to_owned()),
        scopes: Some(vec!["read".to_owned(), "write".to_owned()]),
        stores: Change::Clear,
        expires_at: Change::Set(at(90)),
    };
    let wanted = KeyRecord {
        name: "named".to_owned(),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        stores: None,
        expires_at: Some(at(90)),
        ..keys[0].clone()
    };
    for foreign in [None, Some(&two)] {
        assert_eq!(storage.keys.update(foreign, &id(1), &change, at(10), Beside::default()).await.unwrap(), None);
        assert_eq!(
            storage.keys.rotate(foreign, &id(1), &secret(9, 10), at(20), Beside::default()).await.unwrap(),
            None
        );
    }
    assert_eq!(stored(&storage, Some(&one), 1).await, keys[0]);
    assert_eq!(
        storage.keys.update(Some(&one), &id(1), &change, at(10), Beside::default()).await.unwrap(),
        Some(wanted.clone())
    );
    assert_eq!(stored(&storage, Some(&one), 1).await, wanted);
    let nothing = KeyChange::default();
    assert_eq!(
        storage.keys.update(Some(&one), &id(1), &nothing, at(10), Beside::default()).await.unwrap(),
        Some(wanted.clone())
    );
    let never = KeyChange { expires_at: Change::Clear, ..KeyChange::default() };
    let endless = KeyRecord { expires_at: None, ..wanted };
    assert_eq!(
        storage.keys.update(Some(&one), &id(1), &never, at(89), Beside::default()).await.unwrap(),
        Some(endless)
    );

    // What has expired or was revoked is not brought back.
    assert!(storage.keys.revoke(Some(&one), &id(1), at(60), Beside::default()).await.unwrap());
    for n in [1, 2] {
        let changed = storage.keys.update(Some(&one), &id(n), &never, at(60), Beside::default()).await;
        assert!(matches!(changed, Err(KeyError::Ended)), "{changed:?}");
        let rotated = storage.keys.rotate(Some(&one), &id(n), &secret(9, 60), at(99), Beside::default()).await;
        assert!(matches!(rotated, Err(KeyError::Ended)), "{rotated:?}");
    }
    assert_eq!(stored(&storage, Some(&one), 2).await, keys[1]);
    assert_eq!(stored(&storage, Some(&two), 3).await, keys[2]);
}

pub(crate) async fn a_rotated_key_has_a_successor(fixture: &impl Fixture) {
    let keys = [key(1, Some(1), None), key(2, Some(1), Some(at(50)))];
    let storage = with(fixture, &keys).await;
    let one = tenant_id(1);
    // (key, its successor, when it is made, the wanted end, the end that comes, revoked)
    for (n, next, made, wanted, end, revoked) in [
        (1, 3, 10, 30, Some(30), None),
        (2, 4, 10, 99, Some(50), None),
        (4, 5, 20, 20, Some(50), Some(20)),
        (3, 6, 20, 40, Some(40), None),
    ] {
        let before = stored(&storage, Some(&one), n).await;
        let rotated = storage.keys.rotate(Some(&one), &id(n), &secret(next, made), at(wanted), Beside::default()).await;
        let (old, new) = rotated.unwrap().unwrap();
        let ended = KeyRecord { expires_at: end.map(at), revoked_at: revoked.map(at), ..before.clone() };
        assert_eq!(old, ended, "{n}");
        let successor =
            KeyRecord { id: id(next), hash: [next; 32], prefix: format!("axk_{next}"), created_at: at(made), ..before };
        assert_eq!(new, successor, "{n}");
        assert_eq!((stored(&storage, Some(&one), n).await, stored(&storage, Some(&one), next).await), (old, new));
    }
}

pub(crate) async fn the_last_platform_key_stays(fixture: &impl Fixture) {
    let storage = with(fixture, &[key(1, None, None), key(2, None, Some(at(50))), key(3, Some(1), None)]).await;
    let ending = KeyChange { expires_at: Change::Set(at(70)), ..KeyChange::default() };
    // While the second one can be used, the first may end; not from then on.
    assert!(storage.keys.update(None, &id(1), &ending, at(49), Beside::default()).await.unwrap().is_some());
    for _ in 0..2 {
        let refused = storage.keys.revoke(None, &id(1), at(50), Beside::default()).await;
        assert!(matches!(refused, Err(KeyError::LastPlatformKey)), "{refused:?}");
        let refused = storage.keys.update(None, &id(1), &ending, at(50), Beside::default()).await;
        assert!(matches!(refused, Err(KeyError::LastPlatformKey)), "{refused:?}");
    }
    // One that has expired is none, so that it may be revoked.
    assert!(storage.keys.revoke(None, &id(2), at(51), Beside::default()).await.unwrap());
    let never = KeyChange { expires_at: Change::Clear, ..KeyChange::default() };
    assert!(storage.keys.update(None, &id(1), &never, at(52), Beside::default()).await.unwrap().is_some());
    assert!(storage.keys.rotate(None, &id(1), &secret(4, 53), at(53), Beside::default()).await.unwrap().is_some());
    assert!(matches!(
        storage.keys.revoke(None, &id(4), at(54), Beside::default()).await,
        Err(KeyError::LastPlatformKey)
    ));
    // A tenant may end its last one: the operator makes it another.
    assert!(storage.keys.revoke(Some(&tenant_id(1)), &id(3), at(54), Beside::default()).await.unwrap());
}

pub(crate) async fn uses_of_keys_only_go_on(fixture: &impl Fixture) {
    let storage = with(fixture, &[key(1, None, None), key(2, Some(1), None)]).await;
    let one = tenant_id(1);
    storage.keys.note_uses(&[]).await.unwrap();
    storage.keys.note_uses(&[(id(1), at(5)), (id(2), at(7)), (id(9), at(8))]).await.unwrap();
    storage.keys.note_uses(&[(id(1), at(4)), (id(2), at(8))]).await.unwrap();
    assert_eq!(stored(&storage, None, 1).await.last_used_at, Some(at(5)));
    assert_eq!(stored(&storage, Some(&one), 2).await.last_used_at, Some(at(8)));
    let many: Vec<_> = (0..1_200).map(|n| (id(1), at(n))).collect();
    storage.keys.note_uses(&many).await.unwrap();
    storage.close().await;
    let storage = fixture.open().await;
    assert_eq!(stored(&storage, None, 1).await.last_used_at, Some(at(1_199)));
}
