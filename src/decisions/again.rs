//! A recorded decision as the question that it answered.

use authx_engine::relation::{Tuple, TupleCondition, TupleKey};
use authx_engine::{AccessRequest, EntityUid, JsonObject};
use serde_json::Value;

use super::mask::MASKED;
use crate::ids::{Revision, StoreId, Timestamp};

/// A decision that is to be made again.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    pub store: StoreId,
    pub revision: Revision,
    pub release: Option<String>,
    /// `now` is when it was decided.
    pub request: AccessRequest,
    pub allowed: bool,
    /// Its determining policies.
    pub policies: Vec<String>,
    /// Parts of the request were not recorded, so that it cannot be asked as it was.
    pub masked: bool,
}

impl Recorded {
    /// Reads the content of a record; `None` when it is of something else than a decision.
    #[must_use]
    pub fn read(content: &Value) -> Option<Self> {
        let text = |name: &str| content.get(name).and_then(Value::as_str);
        if text("kind") != Some("decision") {
            return None;
        }
        let uid = |name: &str| EntityUid::parse(text(name)?).ok();
        let rest = content.get("request").cloned().unwrap_or_default();
        let part = |name: &str| rest.get(name).cloned();
        let policies = content.get("determining_policies").and_then(Value::as_array);
        let policies = policies.into_iter().flatten().filter_map(Value::as_str);
        let tuples = rest.get("tuples").and_then(Value::as_array).into_iter().flatten().map(tuple);
        let request = AccessRequest {
            context: part("context")
                .map_or(Some(JsonObject::default()), |context| serde_json::from_value(context).ok())?,
            entities: part("entities").map_or(Some(Vec::new()), |all| serde_json::from_value(all).ok())?,
            tuples: tuples.collect::<Option<Vec<Tuple>>>()?,
            now: Timestamp::parse(text("at")?)?.as_millis(),
            ..AccessRequest::new(uid("principal")?, uid("action")?, uid("resource")?)
        };
        Some(Self {
            store: StoreId::parse(text("store")?).ok()?,
            revision: Revision(content.get("revision")?.as_u64()?),
            release: text("release").map(str::to_owned),
            request,
            allowed: text("decision")? == "allow",
            policies: policies.map(str::to_owned).collect(),
            masked: is_masked(&rest),
        })
    }
}

fn tuple(recorded: &Value) -> Option<Tuple> {
    if let Some(text) = recorded.as_str() {
        return Some(Tuple { key: TupleKey::parse(text).ok()?, condition: None, expires_at: None });
    }
    let condition = recorded.get("condition").filter(|condition| !condition.is_null());
    let condition = condition.map(|condition| {
        let name = condition.get("name")?.as_str()?.into();
        Some(TupleCondition { name, context: condition.get("context")?.as_object()?.clone() })
    });
    Some(Tuple {
        key: TupleKey::parse(recorded.get("tuple")?.as_str()?).ok()?,
        condition: match condition {
            None => None,
            Some(condition) => Some(condition?),
        },
        expires_at: recorded.get("expires_at").and_then(Value::as_i64),
    })
}

/// Whether anything in it was masked.
fn is_masked(value: &Value) -> bool {
    match value {
        Value::String(text) => text == MASKED,
        Value::Array(items) => items.iter().any(is_masked),
        Value::Object(fields) => fields.values().any(is_masked),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
