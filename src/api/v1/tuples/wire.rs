//! Tuples as they stand in bodies: as text, or in parts.

use std::fmt;

use authx_engine::relation::{ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey, is_relation_name};
use authx_engine::{InputProblem, JsonObject};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use crate::api::error::{ApiError, invalid_input};
use crate::ids::Timestamp;
use crate::storage::records;

/// Problems that are told at once.
pub(crate) const MAX_PROBLEMS: usize = 100;

/// `document:roadmap#viewer@user:alice`, or its parts with what limits it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum TupleBody {
    #[schema(example = "document:roadmap#viewer@user:alice")]
    Text(String),
    Parts(TupleParts),
}

/// The parts of a tuple. An unknown field is refused: a misspelt condition or expiry would grant too much.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TupleParts {
    #[schema(example = "document:roadmap")]
    object: String,
    #[schema(example = "viewer")]
    relation: String,
    /// `user:alice`, `user:*` or `group:eng#member`.
    #[schema(example = "user:alice")]
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    condition: Option<ConditionBody>,
    /// RFC 3339; from then on the tuple does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2030-01-01T00:00:00.000Z")]
    expires_at: Option<String>,
}

/// A condition of the model, and the parameters that are kept beside the tuple.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionBody {
    name: String,
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    context: JsonObject,
}

impl From<&Tuple> for TupleBody {
    /// As text where that says all.
    fn from(tuple: &Tuple) -> Self {
        let Tuple { key, condition, expires_at } = tuple;
        if condition.is_none() && expires_at.is_none() {
            return Self::Text(key.to_string());
        }
        let condition = condition.as_ref().map(|condition| ConditionBody {
            name: condition.name.to_string(),
            context: JsonObject(condition.context.clone()),
        });
        Self::Parts(TupleParts {
            object: key.object.to_string(),
            relation: key.relation.to_string(),
            subject: key.subject.to_string(),
            condition,
            expires_at: expires_at.map(|at| Timestamp::from_millis(at).to_string()),
        })
    }
}

impl<'de> Deserialize<'de> for TupleBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TupleVisitor)
    }
}

/// Takes either form without a buffer between, so that duplicate keys are seen and errors keep their words.
struct TupleVisitor;

impl<'de> de::Visitor<'de> for TupleVisitor {
    type Value = TupleBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tuple: `type:id#relation@subject` or {\"object\":…,\"relation\":…,\"subject\":…}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TupleBody, E> {
        Ok(TupleBody::Text(text.to_owned()))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<TupleBody, A::Error> {
        TupleParts::deserialize(de::value::MapAccessDeserializer::new(map)).map(TupleBody::Parts)
    }
}

impl TupleBody {
    /// The tuple that stands at `pointer` of the body.
    pub(crate) fn parse(self, pointer: &str) -> Result<Tuple, InputProblem> {
        let parts = match self {
            Self::Text(text) => {
                let key = TupleKey::parse(&text).map_err(|error| malformed(pointer, &error))?;
                return Ok(Tuple { key, condition: None, expires_at: None });
            }
            Self::Parts(parts) => parts,
        };
        let key = key(&parts, pointer)?;
        let condition = parts
            .condition
            .map(|condition| TupleCondition { name: condition.name.into(), context: condition.context.0 });
        let expires_at = match parts.expires_at {
            None => None,
            Some(text) => Some(time(&text, &format!("{pointer}/expires_at"))?),
        };
        Ok(Tuple { key, condition, expires_at: expires_at.map(Timestamp::as_millis) })
    }

    /// The key that stands at `pointer`: what a tuple is deleted by.
    pub(crate) fn parse_key(self, pointer: &str) -> Result<TupleKey, InputProblem> {
        let Tuple { key, condition, expires_at } = self.parse(pointer)?;
        if condition.is_some() || expires_at.is_some() {
            return Err(malformed(pointer, &"a tuple is deleted by its object, relation and subject alone"));
        }
        Ok(key)
    }
}

fn key(parts: &TupleParts, pointer: &str) -> Result<TupleKey, InputProblem> {
    let at = |field: &str| format!("{pointer}/{field}");
    Ok(TupleKey {
        object: object(&parts.object, &at("object"))?,
        relation: relation(&parts.relation, &at("relation"))?.into(),
        subject: subject(&parts.subject, &at("subject"))?,
    })
}

/// Reads each entry of a list; tells every one that cannot be read.
pub(crate) fn parse_all<T>(
    list: Vec<TupleBody>,
    pointer: &str,
    parse: fn(TupleBody, &str) -> Result<T, InputProblem>,
) -> Result<Vec<T>, ApiError> {
    let (mut read, mut problems) = (Vec::with_capacity(list.len()), Vec::new());
    for (index, body) in list.into_iter().enumerate() {
        match parse(body, &format!("{pointer}/{index}")) {
            Ok(tuple) => read.push(tuple),
            Err(problem) => problems.push(problem),
        }
    }
    problems.truncate(MAX_PROBLEMS);
    if problems.is_empty() { Ok(read) } else { Err(invalid_input(&problems)) }
}

pub(crate) fn object(text: &str, pointer: &str) -> Result<ObjectRef, InputProblem> {
    ObjectRef::parse(text).map_err(|error| malformed(pointer, &error))
}

pub(crate) fn subject(text: &str, pointer: &str) -> Result<SubjectRef, InputProblem> {
    SubjectRef::parse(text).map_err(|error| malformed(pointer, &error))
}

pub(crate) fn relation<'a>(text: &'a str, pointer: &str) -> Result<&'a str, InputProblem> {
    if is_relation_name(text) { Ok(text) } else { Err(malformed(pointer, &format!("`{text}` is no relation's name"))) }
}

pub(crate) fn time(text: &str, pointer: &str) -> Result<Timestamp, InputProblem> {
    let message = || format!("`{text}` is no time: write `2030-01-31T12:00:00Z`");
    let problem = || InputProblem { pointer: pointer.to_owned(), code: "malformed_time", message: message() };
    Timestamp::parse(text).ok_or_else(problem)
}

pub(crate) fn malformed(pointer: &str, message: &dyn fmt::Display) -> InputProblem {
    InputProblem { pointer: pointer.to_owned(), code: "malformed_tuple", message: message.to_string() }
}

/// A tuple as it is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct TupleReply {
    #[schema(example = "document:roadmap")]
    object: String,
    #[schema(example = "viewer")]
    relation: String,
    #[schema(example = "user:alice")]
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<ConditionBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// The key of a stored tuple, in the engine's words.
pub(crate) fn key_of(key: &records::TupleKey) -> TupleKey {
    let relation = key.subject_relation.as_deref().map(Into::into);
    TupleKey {
        object: ObjectRef::new(&key.object_type, &key.object_id),
        relation: key.relation.as_str().into(),
        subject: SubjectRef { object: ObjectRef::new(&key.subject_type, &key.subject_id), relation },
    }
}

impl From<&records::TupleRecord> for TupleReply {
    fn from(record: &records::TupleRecord) -> Self {
        let key = key_of(&record.key);
        let condition = |condition: &records::TupleCondition| ConditionBody {
            name: condition.name.clone(),
            context: serde_json::from_str(&condition.context).unwrap_or_default(),
        };
        Self {
            object: key.object.to_string(),
            relation: key.relation.to_string(),
            subject: key.subject.to_string(),
            condition: record.condition.as_ref().map(condition),
            expires_at: record.expires_at.map(|at| at.to_string()),
        }
    }
}
