//! Questions about relations: check and expand.

use actix_web::{HttpResponse, web};
use authx_engine::relation::{Expansion, Leaf, Tuple, TupleKey};
use authx_engine::{InputProblem, JsonObject, MAX_REQUEST_TUPLES};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody, invalid_input};
use crate::api::extract::{Body, CheckStore, ReadStore};
use crate::api::v1::check::ConsistencyBody;
use crate::api::v1::tuples::{TupleBody, object, parse_all, relation, subject};
use crate::keys::Permission;
use crate::pdp::{Answer, Consistency, RelationQuestion};

/// Has this subject this relation to this object?
#[derive(Debug, Deserialize, ToSchema)]
pub struct RelationCheckBody {
    /// `user:alice`, `user:*` or `group:eng#member`.
    #[schema(example = "user:alice")]
    subject: String,
    #[schema(example = "viewer")]
    relation: String,
    #[schema(example = "document:roadmap")]
    object: String,
    /// Parameters of conditions.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    context: JsonObject,
    /// Tuples that hold for this request only, at most 100.
    #[serde(default)]
    tuples: Vec<TupleBody>,
    #[serde(default)]
    consistency: Option<ConsistencyBody>,
    /// Tell the tuples that an allow follows from; takes the scope `explain` too.
    #[serde(default)]
    explain: bool,
}

/// The answer; a no is 200.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelationCheckReply {
    allowed: bool,
    /// With `explain`: the tuples that the answer follows from; empty when it is no.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["document:roadmap#viewer@group:eng#member", "group:eng#member@user:alice"]))]
    path: Option<Vec<String>>,
    warnings: Vec<String>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
}

/// Who has this relation to this object, one level of it?
#[derive(Debug, Deserialize, ToSchema)]
pub struct ExpandBody {
    #[schema(example = "document:roadmap")]
    object: String,
    #[schema(example = "viewer")]
    relation: String,
    #[serde(default)]
    consistency: Option<ConsistencyBody>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ExpandReply {
    tree: ExpansionNode,
    warnings: Vec<String>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
}

/// A part of the rewrite with what the tuples put into it. Conditions are not asked. Beside `name` it has one of the
/// other fields, or `tupleset` with `computed`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ExpansionNode {
    #[schema(example = "document:roadmap#viewer")]
    name: String,
    /// The subjects of tuples.
    #[serde(skip_serializing_if = "Option::is_none")]
    subjects: Option<Vec<String>>,
    /// The relation to whose objects `computed` is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    tupleset: Option<String>,
    /// Whoever has one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    computed: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    union: Option<Vec<ExpansionNode>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    intersection: Option<Vec<ExpansionNode>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    difference: Option<Box<ExpansionDifference>>,
}

/// The first but not the second.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpansionDifference {
    #[schema(no_recursion)]
    base: ExpansionNode,
    #[schema(no_recursion)]
    subtract: ExpansionNode,
}

impl RelationCheckBody {
    fn parse(self) -> Result<(RelationQuestion, Consistency), ApiError> {
        let consistency = consistency(self.consistency)?;
        let (object, relation, subject) = (
            object(&self.object, "/object"),
            relation(&self.relation, "/relation").map(Into::into),
            subject(&self.subject, "/subject"),
        );
        let key = match (object, relation, subject) {
            (Ok(object), Ok(relation), Ok(subject)) => TupleKey { object, relation, subject },
            (a, b, c) => {
                let problems: Vec<InputProblem> = [a.err(), b.err(), c.err()].into_iter().flatten().collect();
                return Err(invalid_input(&problems));
            }
        };
        let tuples = contextual(self.tuples)?;
        Ok((RelationQuestion { key, context: self.context.0, tuples, explain: self.explain }, consistency))
    }
}

/// Reads the tuples that a request brings for itself, unless they are too many to be worth the work.
pub(super) fn contextual(tuples: Vec<TupleBody>) -> Result<Vec<Tuple>, ApiError> {
    let count = tuples.len();
    if count > MAX_REQUEST_TUPLES {
        let message = format!("the request brings {count} tuples, more than {MAX_REQUEST_TUPLES}");
        return Err(ApiError::new(Code::LimitExceeded, message));
    }
    parse_all(tuples, "/tuples", TupleBody::parse)
}

fn consistency(body: Option<ConsistencyBody>) -> Result<Consistency, ApiError> {
    body.map_or(Ok(Consistency::MinimizeLatency), ConsistencyBody::parse)
}

/// Whether a subject has a relation to an object, by the relation model and the tuples.
#[utoipa::path(post, path = "/v1/stores/{store}/relations/check", operation_id = "checkRelation", tag = "decisions", params(("store" = String, Path, description = "id or alias")), request_body = RelationCheckBody,
    responses((status = 200, body = RelationCheckReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn check(
    services: web::Data<Services>,
    access: CheckStore,
    body: Body<RelationCheckBody>,
) -> Result<HttpResponse, ApiError> {
    let (question, consistency) = body.0.parse()?;
    if question.explain {
        access.0.caller.tenant(Permission::Explain)?;
    }
    let explain = question.explain;
    let caller = access.0.caller.grant();
    let answer = services.pdp.relations_check(&access.0.store, caller, question, &consistency).await?;
    let Answer { value, revision, release, token, warnings } = answer;
    let path = explain.then(|| value.path.iter().map(|tuple| tuple.key.to_string()).collect());
    Ok(HttpResponse::Ok().json(RelationCheckReply {
        allowed: value.allowed,
        path,
        warnings,
        revision,
        release,
        consistency_token: token,
    }))
}

/// One level of who has a relation to an object, as a tree.
#[utoipa::path(post, path = "/v1/stores/{store}/relations/expand", operation_id = "expandRelation", tag = "decisions", params(("store" = String, Path, description = "id or alias")), request_body = ExpandBody,
    responses((status = 200, body = ExpandReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn expand(
    services: web::Data<Services>,
    access: ReadStore,
    body: Body<ExpandBody>,
) -> Result<HttpResponse, ApiError> {
    let consistency = consistency(body.0.consistency)?;
    let (object, relation) = match (object(&body.0.object, "/object"), relation(&body.0.relation, "/relation")) {
        (Ok(object), Ok(relation)) => (object, relation),
        (a, b) => {
            let problems: Vec<InputProblem> = [a.err(), b.err()].into_iter().flatten().collect();
            return Err(invalid_input(&problems));
        }
    };
    let answer = services.pdp.relations_expand(&access.0.store, &object, relation, &consistency).await?;
    let Answer { value, revision, release, token, warnings } = answer;
    let tree = node(value);
    Ok(HttpResponse::Ok().json(ExpandReply { tree, warnings, revision, release, consistency_token: token }))
}

fn node(Expansion { name, leaf }: Expansion) -> ExpansionNode {
    let named = ExpansionNode { name, ..ExpansionNode::default() };
    let nodes = |children: Vec<Expansion>| Some(children.into_iter().map(node).collect());
    match leaf {
        Leaf::Users(subjects) => ExpansionNode { subjects: Some(subjects), ..named },
        Leaf::Computed(computed) => ExpansionNode { computed: Some(vec![computed]), ..named },
        Leaf::TupleToUserset { tupleset, computed } => {
            ExpansionNode { tupleset: Some(tupleset), computed: Some(computed), ..named }
        }
        Leaf::Union(children) => ExpansionNode { union: nodes(children), ..named },
        Leaf::Intersection(children) => ExpansionNode { intersection: nodes(children), ..named },
        Leaf::Difference(base, subtract) => {
            let difference = ExpansionDifference { base: node(*base), subtract: node(*subtract) };
            ExpansionNode { difference: Some(Box::new(difference)), ..named }
        }
    }
}
