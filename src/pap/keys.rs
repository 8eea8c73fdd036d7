//! Keys: made, changed, rotated and revoked, durably and then at once in memory.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ids::{KeyId, TenantId, Timestamp};
use crate::keys::{KeySpec, NewKey, make_key, make_secret};
use crate::pap::administration::Administration;
use crate::pap::author::Author;
use crate::pap::error::PapError;
use crate::pap::once::Once;
use crate::storage::StorageError;
use crate::storage::records::{Beside, Change, KeyChange, KeyRecord};

/// The pause between two notes of when keys were used last.
const USES_PAUSE: Duration = Duration::from_mins(1);

impl Administration {
    /// Makes a key; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// When storage or the operating system's randomness fails.
    pub async fn create_key(&self, author: &Author, spec: KeySpec, once: &Once<NewKey>) -> Result<NewKey, PapError> {
        let key = make_key(spec, self.writers.clock)?;
        let event = author.of_new_key(&key.record);
        let (this, asked) = (self.clone(), once.asked().copied());
        let answer = once.record(&key, key.record.created_at);
        let work = async move {
            let beside = Beside { events: &[event], answer: answer.as_ref() };
            this.writers.storage.keys.insert(&key.record, beside).await?;
            this.keys.admit(&key.record);
            Ok(key)
        };
        self.writers.in_turn(asked, work).await
    }

    /// A key of a tenant; a platform key when there is no tenant.
    ///
    /// # Errors
    /// When there is none or storage fails.
    pub async fn key(&self, tenant: Option<&TenantId>, id: &KeyId) -> Result<KeyRecord, PapError> {
        let key = self.writers.storage.keys.get(tenant, id).await?.ok_or_else(|| absent(id))?;
        Ok(used(key, &self.keys.uses()))
    }

    /// A page of a tenant's keys, by id; of the platform keys when there is no tenant.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn keys(
        &self,
        tenant: Option<&TenantId>,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<Vec<KeyRecord>, PapError> {
        let uses = self.keys.uses();
        let keys = self.writers.storage.keys.list(tenant, after, limit).await?;
        Ok(keys.into_iter().map(|key| used(key, &uses)).collect())
    }

    /// Changes what a key may do, its name or its end. Counts from the next request on.
    ///
    /// # Errors
    /// When there is no such key, it has ended, it is the last platform key and would end, or storage fails.
    pub async fn update_key(
        &self,
        author: &Author,
        tenant: Option<TenantId>,
        id: KeyId,
        change: KeyChange,
        once: &Once<KeyRecord>,
    ) -> Result<KeyRecord, PapError> {
        let (this, once) = (self.clone(), once.clone());
        let asked = once.asked().copied();
        let event = author.of_key("key.update", tenant.as_ref(), &id, told(&change));
        let work = async move {
            let now = this.writers.clock.now();
            let after = this.key(tenant.as_ref(), &id).await?.with(&change);
            let answer = once.record(&after, now);
            let beside = Beside { events: &[event], answer: answer.as_ref() };
            let changed = this.writers.storage.keys.update(tenant.as_ref(), &id, &change, now, beside).await;
            let key = changed.map_err(|error| PapError::of_key(id, error))?.ok_or_else(|| absent(&id))?;
            this.keys.admit(&key);
            Ok(used(key, &this.keys.uses()))
        };
        self.writers.in_turn(asked, work).await
    }

    /// Makes a key that may do the same as another one, which ends after the overlap.
    ///
    /// # Errors
    /// When there is no such key, it has ended, or storage or the operating system's randomness fails.
    pub async fn rotate_key(
        &self,
        author: &Author,
        tenant: Option<TenantId>,
        id: KeyId,
        overlap: Duration,
        once: &Once<KeyId>,
    ) -> Result<NewKey, PapError> {
        let (this, author, once) = (self.clone(), author.clone(), once.clone());
        let asked = once.asked().copied();
        let work = async move {
            let (made, secret) = make_secret(this.writers.clock)?;
            let overlap = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
            let ends_at = Timestamp::from_millis(made.created_at.as_millis().saturating_add(overlap));
            let details = json!({"successor": made.id, "ends_at": ends_at});
            let event = author.of_key("key.rotate", tenant.as_ref(), &id, details);
            let answer = once.record(&made.id, made.created_at);
            let beside = Beside { events: &[event], answer: answer.as_ref() };
            let rotated = this.writers.storage.keys.rotate(tenant.as_ref(), &id, &made, ends_at, beside).await;
            let rotated = rotated.map_err(|error| PapError::of_key(id, error))?;
            let (old, record) = rotated.ok_or_else(|| absent(&id))?;
            this.keys.admit(&record);
            this.keys.admit(&old);
            Ok(NewKey { record, secret })
        };
        self.writers.in_turn(asked, work).await
    }

    /// Ends a key: durably, and at once in this process.
    ///
    /// # Errors
    /// When there is no such key, it is the last platform key, or storage fails.
    pub async fn revoke_key(
        &self,
        author: &Author,
        tenant: Option<TenantId>,
        id: KeyId,
        once: &Once<()>,
    ) -> Result<(), PapError> {
        let (this, once) = (self.clone(), once.clone());
        let asked = once.asked().copied();
        let event = author.of_key("key.revoke", tenant.as_ref(), &id, Value::Null);
        let work = async move {
            let now = this.writers.clock.now();
            let answer = once.record(&(), now);
            let beside = Beside { events: &[event], answer: answer.as_ref() };
            let revoked = this.writers.storage.keys.revoke(tenant.as_ref(), &id, now, beside).await;
            if !revoked.map_err(|error| PapError::of_key(id, error))? {
                return Err(absent(&id));
            }
            this.keys.revoke(&id);
            Ok(())
        };
        self.writers.in_turn(asked, work).await
    }

    /// Writes when keys were used last, every minute, until it is dropped.
    pub async fn note_uses_for_ever(self) {
        loop {
            tokio::time::sleep(USES_PAUSE).await;
            // What could not be written is tried again with the next note.
            if let Err(error) = self.note_uses().await {
                tracing::warn!(%error, "the last uses of keys could not be written");
            }
        }
    }

    /// Writes when keys were used last, of those that were used since.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn note_uses(&self) -> Result<(), StorageError> {
        let uses = self.keys.unsaved_uses();
        self.writers.storage.keys.note_uses(&uses).await?;
        self.keys.saved_uses(&uses);
        Ok(())
    }
}

/// The record with the younger use, that of memory.
fn used(key: KeyRecord, uses: &HashMap<KeyId, Timestamp>) -> KeyRecord {
    KeyRecord { last_used_at: uses.get(&key.id).copied().max(key.last_used_at), ..key }
}

/// What is recorded of a change of a key: what it changes.
fn told(change: &KeyChange) -> Value {
    let mut told = serde_json::Map::new();
    let mut tell = |name: &str, value: Option<Value>| told.extend(value.map(|value| (name.to_owned(), value)));
    tell("name", change.name.as_ref().map(|name| json!(name)));
    tell("scopes", change.scopes.as_ref().map(|scopes| json!(scopes)));
    tell("stores", set(&change.stores));
    tell("expires_at", set(&change.expires_at));
    Value::Object(told)
}

fn set<T: serde::Serialize>(change: &Change<T>) -> Option<Value> {
    match change {
        Change::Keep => None,
        Change::Clear => Some(Value::Null),
        Change::Set(value) => Some(json!(value)),
    }
}

fn absent(id: &KeyId) -> PapError {
    PapError::NotFound { what: "key", name: id.to_string() }
}
