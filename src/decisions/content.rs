//! What is recorded of a decision: who asked what, how it came out and why. As JSON, with masks where content is not
//! to be kept.

use std::sync::Arc;
use std::time::Duration;

use authx_engine::relation::{Tuple, TupleKey};
use authx_engine::{AccessRequest, Decision, EntityInput, Evaluation};
use serde::Serialize;
use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::index::{Keys, Outcome, key};
use super::mask::Mask;
use crate::ids::{StoreId, Timestamp};
use crate::keys::Grant;
use crate::scope::StoreScope;

/// One decision, as it is handed over to be recorded.
#[derive(Debug)]
pub struct Record {
    pub id: Ulid,
    pub scope: StoreScope,
    pub asked: Asked,
    pub told: Told,
    /// Of the decision itself, without HTTP.
    pub latency: Duration,
    pub caller: Arc<Grant>,
}

/// What was asked.
#[derive(Debug)]
pub enum Asked {
    /// May this principal do this action on this resource?
    Access(Box<AccessRequest>),
    /// Has this subject this relation to this object?
    Relation(Box<AskedRelation>),
}

/// A question about a relation.
#[derive(Debug)]
pub struct AskedRelation {
    pub key: TupleKey,
    pub context: Map<String, Value>,
    pub tuples: Vec<Tuple>,
}

/// What was answered.
#[derive(Debug)]
pub enum Told {
    Evaluated(Arc<Evaluation>),
    Relation { allowed: bool, revision: u64, release: Option<String> },
}

#[derive(Serialize)]
struct Content<'a> {
    kind: &'static str,
    id: &'a str,
    at: String,
    store: &'a StoreId,
    release: Option<&'a str>,
    revision: u64,
    principal: String,
    action: String,
    resource: String,
    decision: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    determining_policies: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policy_errors: Vec<Value>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    missing_context: &'a [String],
    #[serde(skip_serializing_if = "Map::is_empty")]
    request: Map<String, Value>,
    latency_us: u64,
    caller: &'a str,
}

impl Record {
    pub(super) fn allowed(&self) -> bool {
        match &self.told {
            Told::Evaluated(evaluation) => evaluation.decision == Decision::Allow,
            Told::Relation { allowed, .. } => *allowed,
        }
    }

    /// About how many bytes it holds in memory.
    pub(super) fn weight(&self) -> usize {
        const OWN: usize = 1_024;
        let of_map =
            |map: &Map<String, Value>| map.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>();
        let of_tuple = |tuple: &Tuple| 200 + tuple.condition.as_ref().map_or(0, |condition| of_map(&condition.context));
        OWN + match &self.asked {
            Asked::Access(request) => {
                let of_entity = |entity: &EntityInput| {
                    200 + of_map(&entity.attrs.0) + of_map(&entity.tags.0) + entity.parents.len() * 100
                };
                of_map(&request.context.0)
                    + request.entities.iter().map(of_entity).sum::<usize>()
                    + request.tuples.iter().map(of_tuple).sum::<usize>()
            }
            Asked::Relation(asked) => of_map(&asked.context) + asked.tuples.iter().map(of_tuple).sum::<usize>(),
        }
    }

    /// The content as JSON, and what it is found by.
    pub(super) fn content(&self, masks: &[Mask]) -> (Vec<u8>, Keys, Outcome) {
        let mut buffer = [0; ulid::ULID_LEN];
        let (principal, action, resource, mut request) = self.asked.parts();
        for mask in masks {
            mask.apply(&mut request);
        }
        let keys = Keys {
            principal: key(&principal),
            action: key(&action),
            resource: key(&resource),
            store: key(self.scope.store().as_str()),
        };
        let outcome = if self.allowed() { Outcome::Allow } else { Outcome::Deny };
        let mut content = Content {
            kind: self.asked.kind(),
            id: self.id.array_to_str(&mut buffer),
            at: Timestamp::from_millis(i64::try_from(self.id.timestamp_ms()).unwrap_or(i64::MAX)).to_string(),
            store: self.scope.store(),
            release: None,
            revision: 0,
            principal,
            action,
            resource,
            decision: if self.allowed() { "allow" } else { "deny" },
            determining_policies: Vec::new(),
            policy_errors: Vec::new(),
            warnings: &[],
            missing_context: &[],
            request,
            latency_us: u64::try_from(self.latency.as_micros()).unwrap_or(u64::MAX),
            caller: &self.caller.actor,
        };
        match &self.told {
            Told::Evaluated(evaluation) => {
                content.release = evaluation.release.as_deref();
                content.revision = evaluation.revision;
                content.determining_policies = evaluation.determining_policies.iter().map(AsRef::as_ref).collect();
                let error = |error: &authx_engine::PolicyError| json!({"policy": error.policy.as_str(), "message": error.message});
                content.policy_errors = evaluation.policy_errors.iter().map(error).collect();
                content.warnings = &evaluation.warnings;
                content.missing_context = &evaluation.missing_context;
            }
            Told::Relation { revision, release, .. } => {
                (content.release, content.revision) = (release.as_deref(), *revision);
            }
        }
        (serde_json::to_vec(&content).unwrap_or_default(), keys, outcome)
    }
}

impl Asked {
    fn kind(&self) -> &'static str {
        match self {
            Self::Access(_) => "decision",
            Self::Relation(_) => "relation",
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
            Self::Relation(asked) => {
                let AskedRelation { key, context, tuples } = asked.as_ref();
                let named = (key.subject.to_string(), key.relation.to_string(), key.object.to_string());
                (named.0, named.1, named.2, context, &[][..], tuples.as_slice())
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

fn weight(value: &Value) -> usize {
    // A value is a few words, however small.
    32 + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + weight(value)).sum(),
    }
}
