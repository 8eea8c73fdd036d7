//! `POST /v1/stores/{store}/explain`, and what an explanation looks like.

use actix_web::{HttpResponse, web};
use authx_engine::relation::{Tuple, TupleKey};
use authx_engine::{
    ConjunctExplanation, ConjunctOutcome, EntityUid, Explanation, NearMiss, PolicyExplanation, PolicyOutcome,
    RelationExplanation, RelationTold, SourcePlace, Supply,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody};
use crate::api::extract::{Body, ExplainStore, StoreAccess};
use crate::api::v1::check::{CheckBody, CheckReply, told};
use crate::keys::Permission;

/// A decision, its reasons, and how each policy came to what it said.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainReply<'a> {
    #[serde(flatten)]
    decision: CheckReply<'a>,
    explanation: ExplanationBody,
}

/// Why it was decided so.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationBody {
    /// Policies whose scope matched, then permits whose scope fails in one part only.
    policies: Vec<PolicyBody>,
    /// Such policies that are not told of, because there are too many.
    omitted: usize,
    /// Of a deny: what would have made it an allow. Told to keys that may write.
    near_misses: Vec<NearMissBody>,
}

/// What one policy came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyBody {
    policy: String,
    effect: EffectWord,
    #[serde(flatten)]
    place: PlaceBody,
    outcome: PolicyOutcomeWord,
    /// The parts of its scope that say anything.
    scope: Vec<ScopeBody>,
    /// The parts of its condition between `&&`, in their order; what stands in `unless` is told negated.
    conjuncts: Vec<ConjunctBody>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EffectWord {
    Permit,
    Forbid,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyOutcomeWord {
    Matched,
    NotMatched,
    Failed,
}

/// A place in the author's file, from 1; without a file, in the policy's own text.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PlaceBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// Characters on that line.
    length: u32,
}

/// A part of a policy's scope.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScopeBody {
    #[schema(example = "principal in Role::\"editor\"")]
    text: String,
    holds: bool,
}

/// One conjunct of a policy's condition.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConjunctBody {
    text: String,
    #[serde(flatten)]
    place: PlaceBody,
    outcome: ConjunctOutcomeWord,
    /// Of one that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Of the first that does not hold: its paths and what they lead to. Told to keys that may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<ValueBody>,
    /// What it asks of relations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relations: Vec<RelationBody>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConjunctOutcomeWord {
    True,
    False,
    Failed,
    /// One before it does not hold.
    NotReached,
}

/// A path of a condition, with its value as Cedar text, or why it has none.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValueBody {
    #[schema(example = "principal.level")]
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A relation that a condition asks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelationBody {
    #[schema(example = "principal in resource.rel.viewer")]
    text: String,
    /// What that is in this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    tuple: Option<String>,
    /// Absent when it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<bool>,
    /// Of one that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The tuples that it follows from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<String>,
    /// The branches that would have given it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tried: Vec<TriedBody>,
    /// Whether `tried` was cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

/// A branch of the relation model that was tried.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriedBody {
    /// How far below the question.
    depth: usize,
    #[schema(example = "document:roadmap#editor")]
    what: String,
    holds: bool,
}

/// A permit that lacks one part, and a write that supplies it.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearMissBody {
    policy: String,
    /// The part that it lacks.
    lacks: String,
    /// A body for `write`.
    #[schema(value_type = Object)]
    write: Value,
    /// Forbids that decide once that is written; without one it is an allow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forbids: Vec<String>,
}

impl ExplanationBody {
    /// What an asker may see who may read, or write.
    #[must_use]
    pub fn new(explanation: &Explanation, read: bool, write: bool) -> Self {
        // The write may repeat what is stored.
        let misses = explanation.near_misses.iter().filter(|_| read && write);
        Self {
            policies: explanation.policies.iter().map(|policy| shown(policy, read)).collect(),
            omitted: explanation.omitted,
            near_misses: misses.map(near_miss).collect(),
        }
    }
}

fn shown(policy: &PolicyExplanation, read: bool) -> PolicyBody {
    let scope = policy.scope.iter().map(|part| ScopeBody { text: part.text.clone(), holds: part.holds });
    PolicyBody {
        policy: policy.policy.to_string(),
        effect: if policy.forbids { EffectWord::Forbid } else { EffectWord::Permit },
        place: PlaceBody::from(policy.place.clone()),
        outcome: match policy.outcome {
            PolicyOutcome::Matched => PolicyOutcomeWord::Matched,
            PolicyOutcome::NotMatched => PolicyOutcomeWord::NotMatched,
            PolicyOutcome::Failed => PolicyOutcomeWord::Failed,
        },
        scope: scope.collect(),
        conjuncts: policy.conjuncts.iter().map(|conjunct| conjunct_body(conjunct, read)).collect(),
    }
}

impl From<SourcePlace> for PlaceBody {
    fn from(place: SourcePlace) -> Self {
        let SourcePlace { file, line, column, length } = place;
        Self { file, line, column, length }
    }
}

fn conjunct_body(conjunct: &ConjunctExplanation, read: bool) -> ConjunctBody {
    let (outcome, message) = match &conjunct.outcome {
        ConjunctOutcome::True => (ConjunctOutcomeWord::True, None),
        ConjunctOutcome::False => (ConjunctOutcomeWord::False, None),
        ConjunctOutcome::Failed { message } => (ConjunctOutcomeWord::Failed, Some(message.clone())),
        ConjunctOutcome::NotReached => (ConjunctOutcomeWord::NotReached, None),
    };
    let values = conjunct.values.iter().filter(|_| read).map(|value| ValueBody {
        path: value.path.clone(),
        value: value.value.as_ref().ok().cloned(),
        error: value.value.as_ref().err().cloned(),
    });
    ConjunctBody {
        text: conjunct.text.clone(),
        place: PlaceBody::from(conjunct.place.clone()),
        outcome,
        message,
        values: values.collect(),
        relations: conjunct.relations.iter().map(|relation| relation_body(relation, read)).collect(),
    }
}

/// Tuples beyond the question itself are data: they are told to who may read it.
fn relation_body(relation: &RelationExplanation, read: bool) -> RelationBody {
    let mut body = RelationBody {
        text: relation.text.to_string(),
        tuple: relation.tuple.as_ref().map(TupleKey::to_string),
        holds: None,
        message: None,
        path: Vec::new(),
        tried: Vec::new(),
        more: false,
    };
    match &relation.told {
        RelationTold::Holds { path } => {
            body.holds = Some(true);
            body.path.extend(path.iter().filter(|_| read).map(|tuple| tuple.key.to_string()));
        }
        RelationTold::HoldsNot { tried, more } => {
            body.holds = Some(false);
            body.more = *more && read;
            body.tried.extend(tried.iter().filter(|_| read).map(|tried| TriedBody {
                depth: tried.depth,
                what: tried.what.clone(),
                holds: tried.holds,
            }));
        }
        RelationTold::Failed { message } => body.message = Some(message.clone()),
    }
    body
}

fn near_miss(miss: &NearMiss) -> NearMissBody {
    NearMissBody {
        policy: miss.policy.to_string(),
        lacks: miss.lacks.clone(),
        write: write(&miss.write),
        forbids: miss.forbids.iter().map(ToString::to_string).collect(),
    }
}

fn write(supply: &Supply) -> Value {
    match supply {
        Supply::Tuple(Tuple { key, .. }) => json!({"tuples": {"write": [key.to_string()]}}),
        Supply::Entity(patch) => {
            let uid = |uid: &EntityUid| json!({"type": uid.type_name(), "id": uid.id()});
            let parents: Vec<Value> = patch.add_parents.iter().map(uid).collect();
            let parts = [
                ("set", json!(patch.set.0), patch.set.0.is_empty()),
                ("set_tags", json!(patch.set_tags.0), patch.set_tags.0.is_empty()),
                ("add_parents", json!(parents), parents.is_empty()),
            ];
            let said = parts.into_iter().filter(|(.., empty)| !empty).map(|(name, value, _)| (name.to_owned(), value));
            let body: Map<String, Value> = std::iter::once(("uid".to_owned(), uid(&patch.uid))).chain(said).collect();
            json!({"entities": {"patch": [body]}})
        }
    }
}

/// Decides one request and tells why. It is recorded as a decision.
#[utoipa::path(
    post, path = "/v1/stores/{store}/explain", operation_id = "explain", tag = "decisions",
    params(("store" = String, Path, description = "id or alias")), request_body = CheckBody,
    responses((status = 200, body = ExplainReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody))
)]
pub async fn explain(
    services: web::Data<Services>,
    access: ExplainStore,
    body: Body<CheckBody>,
) -> Result<HttpResponse, ApiError> {
    explained(&services, &access.0, body.0).await
}

/// Answers a check with its explanation.
pub(super) async fn explained(
    services: &Services,
    access: &StoreAccess,
    body: CheckBody,
) -> Result<HttpResponse, ApiError> {
    let (request, consistency, release) = body.parse()?;
    let (store, grant) = (&access.store, access.caller.grant());
    let asked = services.pdp.explain(store, grant, request, &consistency, release.as_deref());
    let (decided, explanation) = asked.await?;
    let may = |permission| access.caller.tenant(permission).is_ok();
    let explanation = ExplanationBody::new(&explanation, may(Permission::Read), may(Permission::Write));
    let mut buffer = [0; ulid::ULID_LEN];
    let decision = told(&decided, decided.decision_id.array_to_str(&mut buffer));
    Ok(HttpResponse::Ok().json(ExplainReply { decision, explanation }))
}
