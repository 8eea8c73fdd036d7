//! The shapes that OpenFGA's messages share. Unknown fields are ignored and `null` is absent, as protobuf's JSON has it.

use authx_engine::relation::{ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey};
use authx_engine::{Json, JsonObject};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{FgaCode, FgaError};
use crate::ids::Timestamp;
use crate::storage::records::TupleRecord;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TupleKeyBody {
    pub(super) user: Option<String>,
    pub(super) relation: Option<String>,
    pub(super) object: Option<String>,
    pub(super) condition: Option<ConditionBody>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConditionBody {
    pub(super) name: Option<String>,
    pub(super) context: Option<JsonObject>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TupleKeys {
    #[serde(alias = "tupleKeys")]
    pub(super) tuple_keys: Option<Vec<TupleKeyBody>>,
}

impl TupleKeys {
    pub(super) fn list(of: Option<Self>) -> Vec<TupleKeyBody> {
        of.and_then(|keys| keys.tuple_keys).unwrap_or_default()
    }
}

impl TupleKeyBody {
    pub(super) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }

    pub(super) fn relation(&self) -> &str {
        self.relation.as_deref().unwrap_or_default()
    }

    pub(super) fn object(&self) -> &str {
        self.object.as_deref().unwrap_or_default()
    }

    /// `object#relation@user`
    pub(super) fn text(&self) -> String {
        format!("{}#{}@{}", self.object(), self.relation(), self.user())
    }

    /// The key, when each part is well-formed.
    pub(super) fn key(&self) -> Result<TupleKey, FgaError> {
        let relation = self.relation();
        if !authx_engine::relation::is_relation_name(relation) {
            return Err(FgaError::invalid(format!("invalid 'relation' field format: '{relation}'")));
        }
        Ok(TupleKey { object: object(self.object())?, relation: relation.into(), subject: user(self.user())? })
    }

    pub(super) fn tuple(&self) -> Result<Tuple, FgaError> {
        let condition = self.condition.as_ref().filter(|c| c.name.as_deref().is_some_and(|name| !name.is_empty()));
        let condition = condition.map(|condition| TupleCondition {
            name: condition.name.as_deref().unwrap_or_default().into(),
            context: condition.context.clone().unwrap_or_default().0,
        });
        Ok(Tuple { key: self.key()?, condition, expires_at: None })
    }
}

pub(super) fn object(text: &str) -> Result<ObjectRef, FgaError> {
    let parsed = ObjectRef::parse(text).ok().filter(|object| !object.is_wildcard());
    parsed.ok_or_else(|| FgaError::invalid(format!("invalid 'object' field format: '{text}'")))
}

pub(super) fn user(text: &str) -> Result<SubjectRef, FgaError> {
    SubjectRef::parse(text).map_err(|_| FgaError::invalid(format!("the 'user' field is malformed: '{text}'")))
}

/// A stored tuple as `{key, timestamp}`'s key.
pub(super) fn shown_key(tuple: &TupleRecord) -> Value {
    let key = &tuple.key;
    let relation = key.subject_relation.as_ref().map_or_else(String::new, |relation| format!("#{relation}"));
    let condition = tuple.condition.as_ref().map(|condition| {
        let context: Value = serde_json::from_str(&condition.context).unwrap_or_default();
        json!({"name": condition.name, "context": context})
    });
    json!({
        "user": format!("{}:{}{relation}", key.subject_type, key.subject_id),
        "relation": key.relation,
        "object": format!("{}:{}", key.object_type, key.object_id),
        "condition": condition,
    })
}

pub(super) fn shown_time(at: Timestamp) -> String {
    at.to_string()
}

/// A page's size: 1 to 100, 50 when absent.
pub(super) fn page_size(asked: Option<i64>) -> Result<u32, FgaError> {
    match asked {
        None => Ok(50),
        Some(size) => match u32::try_from(size) {
            Ok(size @ 1..=100) => Ok(size),
            Ok(_) | Err(_) => Err(FgaError::invalid("invalid PageSize: value must be inside range [1, 100]")),
        },
    }
}

pub(super) fn bad_token() -> FgaError {
    FgaError::new(FgaCode::InvalidContinuationToken, "Invalid continuation token")
}

/// What a body holds that is not read here.
pub(super) type Ignored = Option<Json>;
