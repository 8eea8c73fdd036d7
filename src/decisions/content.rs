//! What is recorded of a decision: who asked what, how it came out and why. As JSON, with masks where content is not
//! to be kept.

use std::time::Duration;

use authx_engine::relation::{Tuple, TupleKey};
use authx_engine::{AccessRequest, Decision, EntityInput, Evaluation, PolicyError};
use serde::Serialize;
use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::index::{Keys, Outcome, key};
use super::journal::Prepared;
use super::mask::Mask;
use crate::ids::{StoreId, Timestamp};

/// What a record takes at most when the request brought nothing of its own.
const USUAL_BYTES: usize = 512;

/// One decision, to be recorded.
#[derive(Debug)]
pub struct Record<'a> {
    pub id: Ulid,
    pub store: &'a StoreId,
    pub asked: Asked<'a>,
    pub told: Told<'a>,
    /// Of the decision itself, without HTTP.
    pub latency: Duration,
    /// As the grant names who asked.
    pub caller: &'a str,
}

/// What was asked.
#[derive(Debug)]
pub enum Asked<'a> {
    /// May this principal do this action on this resource?
    Access(&'a AccessRequest),
    /// Has this subject this relation to this object?
    Relation { key: &'a TupleKey, context: &'a Map<String, Value>, tuples: &'a [Tuple] },
}

/// What was answered.
#[derive(Debug)]
pub enum Told<'a> {
    Evaluated(&'a Evaluation),
    Relation { allowed: bool, revision: u64, release: Option<&'a str> },
}

/// A record's JSON, field by field: the names are written as they stand here, which is half the work of finding out that
/// they need no escapes.
struct Fields(Vec<u8>);

impl Fields {
    /// Appends a field; `name` is what stands before its value.
    fn put(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) {
        self.0.extend_from_slice(name.as_bytes());
        // Nothing in it can fail to be written as JSON.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    /// Appends a list, unless it is empty.
    fn put_some<T: Serialize>(&mut self, name: &'static str, values: &[T]) {
        if !values.is_empty() {
            self.put(name, values);
        }
    }
}

impl Record<'_> {
    pub(super) fn allowed(&self) -> bool {
        match &self.told {
            Told::Evaluated(evaluation) => evaluation.decision == Decision::Allow,
            Told::Relation { allowed, .. } => *allowed,
        }
    }

    /// The content as JSON, and what it is found by.
    pub(super) fn prepare(&self, masks: &[Mask]) -> Prepared {
        let mut buffer = [0; ulid::ULID_LEN];
        let (principal, action, resource, mut request) = self.asked.parts();
        for mask in masks {
            mask.apply(&mut request);
        }
        let keys = Keys {
            principal: key(&principal),
            action: key(&action),
            resource: key(&resource),
            store: key(self.store.as_str()),
        };
        let (outcome, decision) = if self.allowed() { (Outcome::Allow, "allow") } else { (Outcome::Deny, "deny") };
        let at = Timestamp::from_millis(i64::try_from(self.id.timestamp_ms()).unwrap_or(i64::MAX));
        let (release, revision) = match &self.told {
            Told::Evaluated(evaluation) => (evaluation.release.as_deref(), evaluation.revision),
            Told::Relation { revision, release, .. } => (*release, *revision),
        };
        let mut fields = Fields(Vec::with_capacity(USUAL_BYTES));
        fields.put(r#"{"kind":"#, self.asked.kind());
        fields.put(r#","id":"#, &*self.id.array_to_str(&mut buffer));
        fields.put(r#","at":"#, &at);
        fields.put(r#","store":"#, self.store);
        fields.put(r#","release":"#, &release);
        fields.put(r#","revision":"#, &revision);
        fields.put(r#","principal":"#, &principal);
        fields.put(r#","action":"#, &action);
        fields.put(r#","resource":"#, &resource);
        fields.put(r#","decision":"#, decision);
        if let Told::Evaluated(evaluation) = &self.told {
            let error = |error: &PolicyError| json!({"policy": error.policy.as_str(), "message": error.message});
            fields.put_some(r#","determining_policies":"#, &evaluation.determining_policies);
            fields.put_some(r#","policy_errors":"#, &evaluation.policy_errors.iter().map(error).collect::<Vec<_>>());
            fields.put_some(r#","warnings":"#, &evaluation.warnings);
            fields.put_some(r#","missing_context":"#, &evaluation.missing_context);
        }
        if !request.is_empty() {
            fields.put(r#","request":"#, &request);
        }
        fields.put(r#","latency_us":"#, &u64::try_from(self.latency.as_micros()).unwrap_or(u64::MAX));
        fields.put(r#","caller":"#, self.caller);
        let Fields(mut text) = fields;
        text.push(b'}');
        Prepared { content: text, id: self.id.0, keys, outcome, decisions: 1 }
    }
}

impl Asked<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Access(_) => "decision",
            Self::Relation { .. } => "relation",
        }
    }

    /// Who, what, on what; and what else the request brought, without what is empty.
    fn parts(&self) -> (String, String, String, Map<String, Value>) {
        let (principal, action, resource, context, entities, tuples) = match self {
            Self::Access(request) => {
                let (principal, action, resource) = (&request.principal, &request.action, &request.resource);
                let named = (principal.to_string(), action.to_string(), resource.to_string());
                (named.0, named.1, named.2, &request.context.0, request.entities.as_slice(), request.tuples.as_slice())
            }
            Self::Relation { key, context, tuples } => {
                let named = (key.subject.to_string(), key.relation.to_string(), key.object.to_string());
                (named.0, named.1, named.2, *context, &[][..], *tuples)
            }
        };
        let mut rest = Map::new();
        if !context.is_empty() {
            rest.insert("context".to_owned(), Value::Object(context.clone()));
        }
        if !entities.is_empty() {
            rest.insert("entities".to_owned(), entities.iter().map(entity).collect());
        }
        if !tuples.is_empty() {
            rest.insert("tuples".to_owned(), tuples.iter().map(tuple).collect());
        }
        (principal, action, resource, rest)
    }
}

fn entity(entity: &EntityInput) -> Value {
    let parents: Vec<String> = entity.parents.iter().map(ToString::to_string).collect();
    json!({"uid": entity.uid.to_string(), "attrs": entity.attrs.0, "parents": parents, "tags": entity.tags.0})
}

fn tuple(tuple: &Tuple) -> Value {
    let condition =
        tuple.condition.as_ref().map(|condition| json!({"name": condition.name, "context": condition.context}));
    match condition {
        None if tuple.expires_at.is_none() => Value::String(tuple.key.to_string()),
        condition => json!({"tuple": tuple.key.to_string(), "condition": condition, "expires_at": tuple.expires_at}),
    }
}
