//! A batch as it is sent: what its checks share, and each of them as text until its turn.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use authx_engine::{ActionUid, EntityInput, EntityUid, InputProblem, JsonObject};
use serde::de::{self, IgnoredAny, SeqAccess};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::{ApiError, Code, invalid_input};
use crate::api::extract::parse;
use crate::api::v1::check::{CheckBody, ConsistencyBody, EntityBody};
use crate::api::v1::tuples::{MAX_PROBLEMS, TupleBody};
use crate::pace::Pace;

/// Checks of one batch.
const MAX_CHECKS: usize = 10_000;

/// Many checks that are answered from one snapshot, each for itself.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct BatchBody {
    /// What every check has that does not say otherwise. Keys of `context` are laid over these one by one.
    #[serde(default)]
    defaults: BatchCheck,
    #[schema(value_type = Vec<BatchCheck>, max_items = 10_000)]
    checks: Checks,
    /// Of all checks.
    #[serde(default)]
    consistency: Option<ConsistencyBody>,
}

/// A check of a batch. Principal, action and resource are here or in the batch's `defaults`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "a check")]
pub(super) struct BatchCheck {
    /// Names the result. Without it, the check's place as text: `"0"` for the first.
    #[serde(default)]
    id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, example = "User:alice")]
    principal: Option<EntityUid>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, example = "read")]
    action: Option<ActionUid>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, example = "Document:roadmap")]
    resource: Option<EntityUid>,
    /// Cedar's JSON; null keys count as absent, in the defaults too.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>, required = false)]
    context: Option<JsonObject>,
    /// Entities that hold for this check only.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<EntityBody>, required = false)]
    entities: Option<Vec<EntityInput>>,
    /// Tuples that hold for this check only.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<TupleBody>, required = false, max_items = 100)]
    tuples: Option<Vec<TupleBody>>,
    /// Another release of the store to decide by.
    #[serde(default)]
    release: Option<String>,
    #[serde(default)]
    #[schema(ignore)]
    explain: Option<bool>,
    #[serde(default)]
    #[schema(ignore)]
    consistency: Option<IgnoredAny>,
}

/// Reads a value that may be left out but not be null, as in a single check.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The texts of as many checks as a batch may have, and how many there are.
#[derive(Debug)]
struct Checks {
    texts: Vec<Box<RawValue>>,
    count: usize,
}

impl<'de> Deserialize<'de> for Checks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ChecksVisitor)
    }
}

struct ChecksVisitor;

impl<'de> de::Visitor<'de> for ChecksVisitor {
    type Value = Checks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of checks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Checks, A::Error> {
        let (mut texts, mut pace) = (Vec::new(), Pace::begin());
        while texts.len() < MAX_CHECKS {
            pace.step();
            match list.next_element()? {
                Some(text) => texts.push(text),
                None => return Ok(Checks { count: texts.len(), texts }),
            }
        }
        let mut count = texts.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            pace.step();
            count += 1;
        }
        Ok(Checks { texts, count })
    }
}

/// A batch that is well-formed as a whole.
pub(super) struct Batch {
    pub(super) defaults: BatchCheck,
    /// Each with the id of its result.
    pub(super) checks: Vec<(String, Box<RawValue>)>,
    pub(super) consistency: Option<ConsistencyBody>,
}

impl Batch {
    /// Reads a batch; what is wrong inside of one check is told when that is read.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        let BatchBody { defaults, checks, consistency } = parse(bytes)?;
        if checks.count > MAX_CHECKS {
            let detail = format!("a batch has at most {MAX_CHECKS} checks, not {}", checks.count);
            return Err(ApiError::new(Code::LimitExceeded, detail));
        }
        if defaults.id.is_some() {
            return Err(ApiError::new(Code::MalformedRequest, "an `id` is of one check, not of `defaults`"));
        }
        defaults.supported()?;
        let mut pace = Pace::begin();
        let own = checks.texts.iter().map(|text| {
            pace.step();
            id(text)
        });
        let ids: Vec<Option<String>> = own.collect();
        let named = ids.iter().any(Option::is_some);
        let given = |(index, id): (usize, Option<String>)| id.unwrap_or_else(|| index.to_string());
        let ids: Vec<String> = ids.into_iter().enumerate().map(given).collect();
        if named {
            distinct(&ids)?;
        }
        Ok(Self { defaults, checks: ids.into_iter().zip(checks.texts).collect(), consistency })
    }
}

/// The id that a check gives itself, even where the rest of it cannot be read.
fn id(text: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        id: Option<Cow<'a, str>>,
    }
    // Most have none, and need not be read for it: a key that is written with escapes has a backslash.
    if !text.get().contains("\"id\"") && !text.get().contains('\\') {
        return None;
    }
    serde_json::from_str::<Named<'_>>(text.get()).ok()?.id.map(Cow::into_owned)
}

fn distinct(ids: &[String]) -> Result<(), ApiError> {
    let mut seen = HashMap::with_capacity(ids.len());
    let mut problems = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        if let Some(first) = seen.insert(id.as_str(), index) {
            problems.push(InputProblem {
                pointer: format!("/checks/{index}/id"),
                code: "duplicate_id",
                message: format!("check {first} has the id `{id}` too; without one it is the check's place"),
            });
        }
    }
    problems.truncate(MAX_PROBLEMS);
    if problems.is_empty() { Ok(()) } else { Err(invalid_input(&problems)) }
}

impl BatchCheck {
    /// Reads one check and lays it over what all have.
    pub(super) fn read(text: &RawValue, defaults: &Self) -> Result<CheckBody, ApiError> {
        let check: Self = parse(text.get().as_bytes())?;
        check.supported()?;
        let missing = |field: &str| ApiError::new(Code::MalformedRequest, format!("missing field `{field}`"));
        Ok(CheckBody {
            principal: either(check.principal, defaults.principal.as_ref()).ok_or_else(|| missing("principal"))?,
            action: either(check.action, defaults.action.as_ref()).ok_or_else(|| missing("action"))?,
            resource: either(check.resource, defaults.resource.as_ref()).ok_or_else(|| missing("resource"))?,
            context: laid_over(check.context, defaults.context.as_ref()),
            entities: either(check.entities, defaults.entities.as_ref()).unwrap_or_default(),
            tuples: either(check.tuples, defaults.tuples.as_ref()).unwrap_or_default(),
            release: either(check.release, defaults.release.as_ref()),
            consistency: None,
            explain: either(check.explain, defaults.explain.as_ref()),
        })
    }

    fn supported(&self) -> Result<(), ApiError> {
        match self.consistency {
            None => Ok(()),
            Some(_) => Err(ApiError::new(
                Code::MalformedRequest,
                "`consistency` is of the whole batch: write it beside `checks`",
            )),
        }
    }
}

fn either<T: Clone>(own: Option<T>, default: Option<&T>) -> Option<T> {
    own.or_else(|| default.cloned())
}

fn laid_over(own: Option<JsonObject>, default: Option<&JsonObject>) -> JsonObject {
    match (own, default) {
        (Some(own), Some(default)) => {
            let mut context = default.clone();
            context.0.extend(own.0);
            context
        }
        (Some(own), None) => own,
        (None, default) => default.cloned().unwrap_or_default(),
    }
}
