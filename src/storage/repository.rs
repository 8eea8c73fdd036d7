//! What storage can do, in traits that every database implements and one suite tests.
//!
//! Every method takes the scope first, and what belongs to another tenant looks absent: `None`, `false`
//! or an empty list, never an error. Whether a store is open is asked of [`StoreRepository`]; only
//! `load` and `begin` ask for themselves. Lists are pages: at most `limit` rows behind `after`, in byte
//! order of their ids unless they say otherwise.
//!
//! What changes tenants, keys or stores takes what is stored beside it, in one transaction: what the decision log is told of
//! it, and what it was answered. With no change nothing is stored.

use async_trait::async_trait;

use super::error::{KeyError, StorageError, StoreError, WriteError};
use super::records::{
    AnswerOwner, AnswerRecord, Beside, EntityRecord, EventRecord, KeyChange, KeyRecord, KeySecret, LinkRecord,
    LoadChunk, ModelRecord, OutboxRecord, PolicyRecord, Purged, ReleaseRecord, RevisionRecord, StateRecord,
    StoreRecord, StoreUpdate, TenantChange, TenantRecord, TrimmedRecord, TupleChange, TupleFilter, TupleKey,
    TupleRecord, WriteRecord,
};
use crate::ids::{KeyId, ModelId, ReleaseId, Revision, StoreAlias, StoreId, TenantId, Timestamp};
use crate::scope::{StoreScope, TenantScope};

/// The tenants of the installation. For the operator alone, so there is no scope.
///
/// A deleted tenant looks absent but in the list of the deleted ones, and so do its stores, whoever asks.
#[async_trait]
pub trait TenantRepository: Send + Sync {
    /// With its first key, if it has one from the start.
    async fn insert(
        &self,
        tenant: &TenantRecord,
        key: Option<&KeyRecord>,
        beside: Beside<'_>,
    ) -> Result<(), StorageError>;
    async fn get(&self, id: &TenantId) -> Result<Option<TenantRecord>, StorageError>;
    async fn list(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, StorageError>;
    async fn list_deleted(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, StorageError>;
    /// `None` when there is no such tenant.
    async fn update(
        &self,
        id: &TenantId,
        change: &TenantChange,
        beside: Beside<'_>,
    ) -> Result<Option<TenantRecord>, StorageError>;
    /// Closes the tenant; its rows stay. `false` when there is no such tenant.
    async fn soft_delete(&self, id: &TenantId, at: Timestamp, beside: Beside<'_>) -> Result<bool, StorageError>;
    /// Brings back a tenant that was deleted after `since`. `None` when there is none.
    async fn restore(
        &self,
        id: &TenantId,
        since: Timestamp,
        beside: Beside<'_>,
    ) -> Result<Option<TenantRecord>, StorageError>;
}

/// Deleting for good.
#[async_trait]
pub trait PurgeRepository: Send + Sync {
    /// Deletes at most `limit` rows of one store or tenant that was deleted at `by` or before, in one transaction, and
    /// returns their number: 0 when nothing is left. From its first row on it cannot be restored. With the last row goes
    /// the event that `tell` makes of it, and with a tenant all that its log was still to be told.
    async fn purge(
        &self,
        by: Timestamp,
        limit: u32,
        tell: &(dyn Fn(Purged) -> EventRecord + Send + Sync),
    ) -> Result<u64, StorageError>;
    /// Deletes at most `limit` rows of the past of one store that no revision needs which was in force after `by`, and
    /// returns their number: of entities, links and changes of tuples, of these the oldest.
    async fn forget_history(&self, scope: &StoreScope, by: Timestamp, limit: u32) -> Result<u64, StorageError>;
}

/// API keys. The tenant `None` means the platform keys, never "of any tenant".
#[async_trait]
pub trait KeyRepository: Send + Sync {
    async fn insert(&self, key: &KeyRecord, beside: Beside<'_>) -> Result<(), StorageError>;
    async fn get(&self, tenant: Option<&TenantId>, id: &KeyId) -> Result<Option<KeyRecord>, StorageError>;
    async fn list(
        &self,
        tenant: Option<&TenantId>,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<Vec<KeyRecord>, StorageError>;
    /// Changes a key that has not ended and returns it; `None` when there is no such key. The last platform key that
    /// can be used gets no end.
    async fn update(
        &self,
        tenant: Option<&TenantId>,
        id: &KeyId,
        change: &KeyChange,
        at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<Option<KeyRecord>, KeyError>;
    /// Puts a key with another secret beside one that has not ended, which then ends at `ends_at`, or at once when
    /// that is not after the new one's making. Returns the old one and the new one; `None` when there is no such key.
    async fn rotate(
        &self,
        tenant: Option<&TenantId>,
        id: &KeyId,
        secret: &KeySecret,
        ends_at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<Option<(KeyRecord, KeyRecord)>, KeyError>;
    /// `false` when there is no such key or it was revoked before. The last platform key that can be used stays.
    async fn revoke(
        &self,
        tenant: Option<&TenantId>,
        id: &KeyId,
        at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<bool, KeyError>;
    /// Notes when keys were used last, of whatever tenant: who used them was asked before. A time before the one that
    /// is there already changes nothing.
    async fn note_uses(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StorageError>;
    /// Every key of the platform and of every tenant that is not deleted, revoked ones too, to fill the table in memory at
    /// the start.
    async fn all_known(&self) -> Result<Vec<KeyRecord>, StorageError>;
}

/// The stores of a tenant. Only open ones: a deleted store looks absent.
#[async_trait]
pub trait StoreRepository: Send + Sync {
    /// The record must name the tenant of the scope.
    async fn insert(&self, scope: &TenantScope, store: &StoreRecord, beside: Beside<'_>) -> Result<(), StoreError>;
    async fn get(&self, scope: &TenantScope, id: &StoreId) -> Result<Option<StoreRecord>, StorageError>;
    async fn find_by_alias(&self, scope: &TenantScope, alias: &StoreAlias)
    -> Result<Option<StoreRecord>, StorageError>;
    async fn list(
        &self,
        scope: &TenantScope,
        after: Option<&StoreId>,
        limit: u32,
    ) -> Result<Vec<StoreRecord>, StorageError>;
    /// `false` when there is no such store.
    async fn update(
        &self,
        scope: &TenantScope,
        id: &StoreId,
        update: &StoreUpdate,
        beside: Beside<'_>,
    ) -> Result<bool, StoreError>;
    /// Closes the store and frees its alias; its rows stay. `false` when there is no such store.
    async fn soft_delete(
        &self,
        scope: &TenantScope,
        id: &StoreId,
        at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<bool, StorageError>;
    async fn list_deleted(
        &self,
        scope: &TenantScope,
        after: Option<&StoreId>,
        limit: u32,
    ) -> Result<Vec<StoreRecord>, StorageError>;
    /// Opens a store that was deleted after `since`. `None` when there is none.
    async fn restore(
        &self,
        scope: &TenantScope,
        id: &StoreId,
        since: Timestamp,
        at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<Option<StoreRecord>, StoreError>;
    async fn count(&self, scope: &TenantScope) -> Result<u64, StorageError>;
    /// Every open store of every tenant, for the start.
    async fn all_open(&self) -> Result<Vec<StoreRecord>, StorageError>;
}

#[async_trait]
pub trait ReleaseRepository: Send + Sync {
    async fn get(&self, scope: &StoreScope, id: &ReleaseId) -> Result<Option<ReleaseRecord>, StorageError>;
    /// Newest first; `before` is a release number, exclusive.
    async fn list(
        &self,
        scope: &StoreScope,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<ReleaseRecord>, StorageError>;
    async fn policies(
        &self,
        scope: &StoreScope,
        number: u64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PolicyRecord>, StorageError>;
    async fn all_policies(&self, scope: &StoreScope, number: u64) -> Result<Vec<PolicyRecord>, StorageError>;
}

/// Relation models. They come into a store with a release.
#[async_trait]
pub trait ModelRepository: Send + Sync {
    async fn get(&self, scope: &StoreScope, id: &ModelId) -> Result<Option<ModelRecord>, StorageError>;
    /// Newest first, by id; `before` is exclusive.
    async fn list(
        &self,
        scope: &StoreScope,
        before: Option<&ModelId>,
        limit: u32,
    ) -> Result<Vec<ModelRecord>, StorageError>;
    /// The model with the highest id.
    async fn latest(&self, scope: &StoreScope) -> Result<Option<ModelRecord>, StorageError>;
    /// The JSON text that was put last.
    async fn assertions(&self, scope: &StoreScope, model: &ModelId) -> Result<Option<String>, StorageError>;
    /// Replaces the assertions of a model. They are no part of a revision. `false` when there is no such model.
    async fn put_assertions(
        &self,
        scope: &StoreScope,
        model: &ModelId,
        text: &str,
        at: Timestamp,
    ) -> Result<bool, StorageError>;
}

/// Entities, links, tuples and the log of revisions.
#[async_trait]
pub trait DataRepository: Send + Sync {
    async fn entity(&self, scope: &StoreScope, type_name: &str, id: &str)
    -> Result<Option<EntityRecord>, StorageError>;
    /// In the order of (type, id), of one type or of all.
    async fn entities(
        &self,
        scope: &StoreScope,
        type_name: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<EntityRecord>, StorageError>;
    /// The entity as it was at a revision.
    async fn entity_at(
        &self,
        scope: &StoreScope,
        revision: Revision,
        type_name: &str,
        id: &str,
    ) -> Result<Option<EntityRecord>, StorageError>;
    /// The entities as they were at a revision, in the order of (type, id), of one type or of all. Pages of one
    /// revision fit together, whatever is written meanwhile.
    async fn entities_at(
        &self,
        scope: &StoreScope,
        revision: Revision,
        type_name: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<EntityRecord>, StorageError>;
    async fn link(&self, scope: &StoreScope, id: &str) -> Result<Option<LinkRecord>, StorageError>;
    async fn links(&self, scope: &StoreScope, after: Option<&str>, limit: u32)
    -> Result<Vec<LinkRecord>, StorageError>;
    /// The links as they were at a revision.
    async fn links_at(
        &self,
        scope: &StoreScope,
        revision: Revision,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<LinkRecord>, StorageError>;
    /// In the order of their keys; in that of (subject, relation, object) when the filter has a subject and
    /// no object id. `after` is the last key of the page before, in either order.
    async fn tuples(
        &self,
        scope: &StoreScope,
        filter: &TupleFilter,
        after: Option<&TupleKey>,
        limit: u32,
    ) -> Result<Vec<TupleRecord>, StorageError>;
    /// The tuples as they were at a revision, in the order that those of now have. Pages of one revision fit
    /// together, whatever is written meanwhile.
    async fn tuples_at(
        &self,
        scope: &StoreScope,
        revision: Revision,
        filter: &TupleFilter,
        after: Option<&TupleKey>,
        limit: u32,
    ) -> Result<Vec<TupleRecord>, StorageError>;
    /// The changes of tuples of one object type or of all, oldest first; of one write the deletes first.
    /// `after` is revision and ordinal of the last change of the page before, `since` the earliest time.
    async fn tuple_changes(
        &self,
        scope: &StoreScope,
        object_type: Option<&str>,
        after: Option<(Revision, u32)>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<TupleChange>, StorageError>;
    /// How far the changes of one object type, or of any, were deleted; `None` when all are there.
    async fn trimmed_changes(
        &self,
        scope: &StoreScope,
        object_type: Option<&str>,
    ) -> Result<Option<TrimmedRecord>, StorageError>;
    /// Hands every live entity, then every live link, then every live tuple to `sink`, all at the revision
    /// of the returned record. `None` when there is no such store. An error of the sink ends the load and is returned.
    async fn load(
        &self,
        scope: &StoreScope,
        sink: &mut (dyn FnMut(LoadChunk) -> Result<(), StorageError> + Send),
    ) -> Result<Option<StoreRecord>, StorageError>;
    /// The release and settings of a revision; `None` when there is no such revision.
    async fn state_at(&self, scope: &StoreScope, revision: Revision) -> Result<Option<StateRecord>, StorageError>;
    /// The commits after a revision, oldest first.
    async fn revisions(
        &self,
        scope: &StoreScope,
        after: Option<Revision>,
        limit: u32,
    ) -> Result<Vec<RevisionRecord>, StorageError>;
}

#[async_trait]
pub trait WriteRepository: Send + Sync {
    /// Takes the write lock and the store's row. `None` when there is no such open store.
    async fn begin(&self, scope: &StoreScope) -> Result<Option<Box<dyn StoreWrite>>, StorageError>;
}

/// A transaction on one store. Dropping it undoes every write, also from a cancelled future.
#[async_trait]
pub trait StoreWrite: Send {
    /// The store with the writes so far.
    fn head(&self) -> &StoreRecord;
    /// Does one write and returns its revision. A write that fails leaves nothing and the writes
    /// before it stay, unless [`WriteError::Storage`] says that the transaction is lost.
    async fn write(&mut self, write: &WriteRecord) -> Result<Revision, WriteError>;
    /// Makes the writes durable. After an error the outcome is unknown: read the store again.
    async fn commit(self: Box<Self>) -> Result<(), StorageError>;
    async fn rollback(self: Box<Self>);
}

/// Events that wait for the decision log.
#[async_trait]
pub trait OutboxRepository: Send + Sync {
    /// The oldest events of the first log behind `after`, in the order of their commits.
    async fn next(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<OutboxRecord>, StorageError>;
    /// Forgets the events of a log up to a number: the log has them.
    async fn forget(&self, log: &TenantId, through: u64) -> Result<(), StorageError>;
}

/// What requests were answered that may be sent again.
#[async_trait]
pub trait AnswerRepository: Send + Sync {
    async fn find(&self, owner: &AnswerOwner, key: &[u8; 32]) -> Result<Option<AnswerRecord>, StorageError>;
    /// Puts an answer to what changed nothing; one to a change is stored beside it. Takes the place of an answer under the
    /// same key.
    async fn put(&self, answer: &AnswerRecord) -> Result<(), StorageError>;
    /// Deletes at most `limit` answers that were given at `by` or before, of whatever tenant, and returns their number.
    async fn forget(&self, by: Timestamp, limit: u32) -> Result<u64, StorageError>;
}

/// The database as a whole.
#[async_trait]
pub trait Backend: Send + Sync {
    async fn ping(&self) -> Result<(), StorageError>;
    /// Writes something that means nothing, to see whether it can.
    async fn try_write(&self) -> Result<(), StorageError>;
    async fn close(&self);
}
