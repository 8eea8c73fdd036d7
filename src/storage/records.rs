//! The rows as plain values, the same for every database.
//!
//! No behaviour and no database types; texts that are JSON stay opaque here.

use crate::ids::{KeyId, ModelId, ReleaseId, Revision, StoreAlias, StoreId, TenantId, Timestamp};
use crate::scope::{StoreScope, TenantScope};

/// (type, id) of an entity. Any text is legal in both.
pub type EntityKey = (String, String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRecord {
    pub id: TenantId,
    pub name: String,
    /// JSON, opaque here.
    pub limits: String,
    /// How its decisions are recorded. JSON, opaque here.
    pub decisions: String,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// What changes in a tenant; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantChange {
    pub name: Option<String>,
    pub limits: Option<String>,
    pub decisions: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    pub id: KeyId,
    /// `None` is a platform key: it belongs to the operator.
    pub tenant: Option<TenantId>,
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// The first 12 characters of the key, shown in lists.
    pub prefix: String,
    pub scopes: Vec<String>,
    /// `None` is every store of the tenant.
    pub stores: Option<Vec<StoreId>>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// Written now and then; what is in memory is younger.
    pub last_used_at: Option<Timestamp>,
}

/// What a key that takes the place of another one has of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret {
    pub id: KeyId,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    pub prefix: String,
    pub created_at: Timestamp,
}

/// What changes in a key; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyChange {
    pub name: Option<String>,
    pub scopes: Option<Vec<String>>,
    /// Cleared: every store.
    pub stores: Change<Vec<StoreId>>,
    /// Cleared: never.
    pub expires_at: Change<Timestamp>,
}

impl KeyRecord {
    /// The key after a change.
    #[must_use]
    pub fn with(self, change: &KeyChange) -> Self {
        let change = change.clone();
        Self {
            name: change.name.unwrap_or(self.name),
            scopes: change.scopes.unwrap_or(self.scopes),
            stores: change.stores.over(self.stores),
            expires_at: change.expires_at.over(self.expires_at),
            ..self
        }
    }
}

impl std::fmt::Debug for KeyRecord {
    /// Leaves the hash out, so that no log has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRecord {
    pub id: StoreId,
    pub tenant: TenantId,
    pub name: String,
    pub alias: Option<StoreAlias>,
    /// JSON, opaque here.
    pub settings: String,
    /// Changes when the store is restored or may have lost its tail.
    pub epoch: String,
    pub revision: Revision,
    pub active_release: Option<ReleaseId>,
    /// The release created last, active or not.
    pub latest_release: Option<ReleaseId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `None` in every record but those of lists of deleted stores: elsewhere a deleted store looks absent.
    pub deleted_at: Option<Timestamp>,
}

/// What changes in a store's own row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUpdate {
    pub name: Option<String>,
    pub alias: AliasChange,
    pub updated_at: Timestamp,
}

/// What becomes of a value that may be absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Change<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Change<T> {
    /// The value after the change.
    pub fn over(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

pub type AliasChange = Change<StoreAlias>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRecord {
    pub id: ReleaseId,
    /// 1, 2, 3… per store in the order of creation.
    pub number: u64,
    pub schema: Option<SchemaRecord>,
    /// The file that the schema came from.
    pub schema_file: Option<String>,
    pub model: Option<ModelId>,
    pub model_file: Option<String>,
    /// The release that a rollback from this one goes back to.
    pub previous: Option<ReleaseId>,
    pub policy_count: u64,
    pub created_at: Timestamp,
    pub actor: String,
    pub summary: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaRecord {
    /// `cedar` or `json`.
    pub syntax: String,
    pub text: String,
}

/// A relation model. What is stored under an id never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRecord {
    pub id: ModelId,
    /// `dsl` or `json`.
    pub syntax: String,
    pub text: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    pub id: String,
    /// The id was given beside the text; else it is the text's own.
    pub named: bool,
    pub file: Option<String>,
    /// Where the text begins in its file, from 1.
    pub line: u32,
    pub column: u32,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRecord {
    pub type_name: String,
    pub id: String,
    /// JSON object.
    pub attrs: String,
    /// JSON object.
    pub tags: String,
    /// JSON: `[["Type","id"],…]`.
    pub parents: String,
    /// The revision that wrote the entity as it is here.
    pub created_revision: Revision,
}

/// A template link; `None` in a slot that the template does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRecord {
    pub id: String,
    pub template: String,
    pub principal: Option<EntityKey>,
    pub resource: Option<EntityKey>,
    /// The revision that wrote the link as it is here.
    pub created_revision: Revision,
}

/// What one tuple is found by; a store has at most one of each.
///
/// Keys compare in the order of the fields, byte for byte. Any text is legal in every field, only a
/// `subject_relation` is not empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TupleKey {
    pub object_type: String,
    pub object_id: String,
    pub relation: String,
    pub subject_type: String,
    pub subject_id: String,
    /// `None`: the subject is an object itself, not everybody who has a relation to it.
    pub subject_relation: Option<String>,
}

/// The condition under which a tuple holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TupleCondition {
    pub name: String,
    /// JSON object.
    pub context: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TupleRecord {
    pub key: TupleKey,
    pub condition: Option<TupleCondition>,
    pub expires_at: Option<Timestamp>,
    /// The revision that wrote the tuple as it is here.
    pub created_revision: Revision,
    /// When that revision was written.
    pub created_at: Timestamp,
}

/// Which tuples to read: those that have everything that is given. The default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TupleFilter {
    pub object_type: Option<String>,
    /// Found fast beside an `object_type` only.
    pub object_id: Option<String>,
    pub relation: Option<String>,
    pub subject: Option<SubjectFilter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectFilter {
    pub subject_type: String,
    pub subject_id: Option<String>,
    pub subject_relation: SubjectRelation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectRelation {
    /// With any relation or none.
    Any,
    /// The subject is an object itself.
    Without,
    Named(String),
}

/// A tuple that was written or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TupleChange {
    pub revision: Revision,
    /// Rises within a revision, with gaps.
    pub ordinal: u32,
    /// Else it was deleted.
    pub written: bool,
    /// As it was written, or as it was before it was deleted.
    pub tuple: TupleRecord,
    pub at: Timestamp,
}

/// How far changes of tuples were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrimmedRecord {
    /// Revision and ordinal of the last one.
    pub last: (Revision, u32),
    /// The latest time of any of them.
    pub at: Timestamp,
}

impl TrimmedRecord {
    /// Whether one of them is missing to who has read as far as `after`, or nothing yet, and wants all since a time.
    #[must_use]
    pub fn is_missed(&self, after: Option<(Revision, u32)>, since: Option<Timestamp>) -> bool {
        after.is_none_or(|after| self.last > after) && since.is_none_or(|since| self.at >= since)
    }
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRecord {
    pub revision: Revision,
    pub epoch: String,
    /// The release that was active once this revision was written.
    pub release: Option<ReleaseId>,
    pub actor: String,
    pub at: Timestamp,
    pub summary: String,
}

/// A store as it was at a revision, without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRecord {
    pub release: Option<ReleaseId>,
    /// JSON object.
    pub settings: String,
    /// When the revision was written.
    pub at: Timestamp,
    /// When the next one was; `None` for the head.
    pub ended_at: Option<Timestamp>,
    /// Rows that it needs may have been deleted.
    pub forgotten: bool,
}

/// One change of a store. Deletes happen before puts, both before the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRecord {
    /// The revision that the caller validated against.
    pub expected_revision: Revision,
    pub actor: String,
    pub at: Timestamp,
    pub summary: String,
    pub new_release: Option<NewRelease>,
    /// A release of this store, `new_release` included. Without it a new release is a draft.
    pub activate: Option<ReleaseId>,
    /// The last of two puts of one entity wins.
    pub entities_put: Vec<NewEntity>,
    /// Deleting what does not exist changes nothing.
    pub entities_delete: Vec<EntityKey>,
    /// The last of two puts of one link wins.
    pub links_put: Vec<NewLink>,
    /// Deleting what does not exist changes nothing.
    pub links_delete: Vec<String>,
    /// The last of two puts of one tuple wins.
    pub tuples_put: Vec<NewTuple>,
    /// Deleting what does not exist changes nothing.
    pub tuples_delete: Vec<TupleKey>,
    pub settings: Option<String>,
    /// Takes the place of an answer under the same key.
    pub answer: Option<AnswerRecord>,
    /// What the decision log is told of it.
    pub event: Option<EventRecord>,
}

/// What the decision log is told of a change, stored in the transaction of the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The tenant in whose log it belongs, or [`TenantId::platform`].
    pub log: TenantId,
    /// JSON, opaque here.
    pub content: String,
    /// A tenant that was deleted for good: its log goes before this is recorded.
    pub ends: Option<TenantId>,
}

/// An event that the log does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRecord {
    /// Rises with the commits.
    pub number: u64,
    pub event: EventRecord,
}

/// What was deleted for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// On its own, not with its tenant.
    Store(TenantId, StoreId),
    Tenant(TenantId),
}

/// Whose requests an answer is one of: a tenant's or, as in its log, the platform's; and of which store, if it is of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerOwner {
    pub tenant: TenantId,
    pub store: Option<StoreId>,
}

impl From<&StoreScope> for AnswerOwner {
    fn from(scope: &StoreScope) -> Self {
        Self { tenant: *scope.tenant(), store: Some(*scope.store()) }
    }
}

/// Without a tenant the platform.
impl From<Option<&TenantScope>> for AnswerOwner {
    fn from(scope: Option<&TenantScope>) -> Self {
        Self { tenant: scope.map_or_else(TenantId::platform, |scope| *scope.tenant()), store: None }
    }
}

/// What was answered to a request, so that the same request will be answered the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRecord {
    pub owner: AnswerOwner,
    /// A hash of what the request is known by.
    pub key: [u8; 32],
    /// A hash of the request itself.
    pub request: [u8; 32],
    /// As HTTP numbers it, opaque here.
    pub status: u16,
    pub etag: Option<String>,
    pub body: Vec<u8>,
    pub at: Timestamp,
}

/// What is stored with a change, in its transaction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// What the decision log is told.
    pub events: &'a [EventRecord],
    pub answer: Option<&'a AnswerRecord>,
}

impl<'a> Beside<'a> {
    /// Of a change that nobody asks for again.
    #[must_use]
    pub fn events(events: &'a [EventRecord]) -> Self {
        Self { events, answer: None }
    }
}

impl WriteRecord {
    /// A write that raises the revision and changes nothing else yet.
    #[must_use]
    pub fn new(expected: Revision, actor: String, at: Timestamp, summary: String) -> Self {
        Self {
            expected_revision: expected,
            actor,
            at,
            summary,
            new_release: None,
            activate: None,
            entities_put: Vec::new(),
            entities_delete: Vec::new(),
            links_put: Vec::new(),
            links_delete: Vec::new(),
            tuples_put: Vec::new(),
            tuples_delete: Vec::new(),
            settings: None,
            answer: None,
            event: None,
        }
    }
}

/// A release as its difference to the release that was created before it, active or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRelease {
    pub id: ReleaseId,
    /// The whole schema of this release; `None` is no schema, not "as before".
    pub schema: Option<SchemaRecord>,
    /// The file that the schema came from.
    pub schema_file: Option<String>,
    /// The relation model of this release; `None` is no model, not "as before". One that the store has
    /// already must have the same syntax and text, and stays as it is.
    pub model: Option<ModelRecord>,
    pub model_file: Option<String>,
    /// New and changed policies, each id at most once.
    pub upserts: Vec<PolicyRecord>,
    /// Ids of policies to leave out; happens before the upserts.
    pub removed: Vec<String>,
}

/// An entity to store: [`EntityRecord`] before it has a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntity {
    pub type_name: String,
    pub id: String,
    pub attrs: String,
    pub tags: String,
    pub parents: String,
}

/// A link to store: [`LinkRecord`] before it has a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    pub id: String,
    pub template: String,
    pub principal: Option<EntityKey>,
    pub resource: Option<EntityKey>,
}

/// A tuple to store: [`TupleRecord`] before it has a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTuple {
    pub key: TupleKey,
    pub condition: Option<TupleCondition>,
    pub expires_at: Option<Timestamp>,
}

/// At most 10,000 rows of a store, all of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadChunk {
    Entities(Vec<EntityRecord>),
    Links(Vec<LinkRecord>),
    Tuples(Vec<TupleRecord>),
}

impl LoadChunk {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Entities(rows) => rows.len(),
            Self::Links(rows) => rows.len(),
            Self::Tuples(rows) => rows.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
