//! Applying, reading and activating releases.

pub mod files;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::IF_MATCH;
use actix_web::{HttpRequest, HttpResponse, web};
use authx_engine::relation::{ModelSource, ModelSyntax};
use authx_engine::{Json, PolicySource, ReleaseDiff, SchemaSource, SchemaSyntax, split_policies};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ErrorItem, ProblemBody};
use crate::api::extract::{AdminStore, Query, RawBody, ReadStore, StoreAccess, parse};
use crate::api::listing::{LastLine, Listing};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, respond, response};
use crate::api::paging::PageQuery;
use crate::api::v1::write::CommitReply;
use crate::pap::{Activation, Answer, Applied, ApplyRequest, Asked, Committed, Once, PapError, Proposal};
use crate::replica::OpenStore;
use crate::storage::records::ReleaseRecord;

/// Ids that a diff names of each kind; the counts are always whole.
const MAX_NAMED: usize = 1_000;

/// A release, whole or in part: a part left out stays as it is, a part given replaces the whole part.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ApplyBody {
    #[serde(default)]
    schema: Option<SchemaBody>,
    #[serde(default)]
    policies: Option<Vec<PolicyBody>>,
    /// The release that must be active; `none` for a store without one.
    #[serde(default)]
    if_release: Option<String>,
    /// Apply although stored data does not conform; recorded.
    #[serde(default)]
    allow_nonconforming: bool,
    /// The relation model, in OpenFGA's language.
    #[serde(default)]
    model: Option<String>,
    /// The file that the model is in.
    #[serde(default)]
    model_file: Option<String>,
}

/// A schema in Cedar's or in its JSON syntax.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SchemaBody {
    #[serde(default)]
    cedar: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    json: Option<Json>,
    #[serde(default)]
    file: Option<String>,
}

/// One policy with its `id`, or a file of policies.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PolicyBody {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    cedar: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    json: Option<Json>,
}

/// `?dry_run=true` tells what would happen and changes nothing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApplyQuery {
    #[serde(default)]
    dry_run: bool,
}

/// What differs between two releases; at most 1,000 ids of each kind. A policy in another line of its file is not changed.
#[expect(clippy::struct_excessive_bools, reason = "two things, each with how it changed")]
#[derive(Debug, Serialize, ToSchema)]
pub struct DiffBody {
    schema_changed: bool,
    /// The schema changed, and says the same: comments and layout.
    schema_changed_only_in_text: bool,
    model_changed: bool,
    /// The relation model changed, and says the same: comments and layout.
    model_changed_only_in_text: bool,
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
    /// Of those that changed, the ones that decide as before: comments, layout, annotations or the file are others.
    changed_only_in_text: Vec<String>,
    /// Of those, the ones with other annotations, such as `@advice`.
    changed_annotations: Vec<String>,
    /// Of those, the ones whose text is the same in another file.
    moved: Vec<String>,
    added_count: usize,
    removed_count: usize,
    changed_count: usize,
    changed_only_in_text_count: usize,
    changed_annotations_count: usize,
    moved_count: usize,
}

/// What came of an apply.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplyReply {
    /// The active release after the apply; for a dry run the one that is active now.
    release: Option<String>,
    /// False when the proposal is what is active already.
    changed: bool,
    dry_run: bool,
    diff: DiffBody,
    policies: usize,
    /// The id of the release's relation model.
    model: Option<String>,
    /// Warnings of the compiler.
    problems: Vec<ErrorItem>,
    revision: u64,
    consistency_token: String,
}

impl From<ReleaseDiff> for DiffBody {
    fn from(diff: ReleaseDiff) -> Self {
        let named = |ids: &[authx_engine::PolicyId]| ids.iter().take(MAX_NAMED).map(ToString::to_string).collect();
        Self {
            schema_changed: diff.schema_changed,
            schema_changed_only_in_text: diff.schema_changed_only_in_text,
            model_changed: diff.model_changed,
            model_changed_only_in_text: diff.model_changed_only_in_text,
            added: named(&diff.added),
            removed: named(&diff.removed),
            changed: named(&diff.changed),
            changed_only_in_text: named(&diff.changed_only_in_text),
            changed_annotations: named(&diff.changed_annotations),
            moved: named(&diff.moved),
            added_count: diff.added.len(),
            removed_count: diff.removed.len(),
            changed_count: diff.changed.len(),
            changed_only_in_text_count: diff.changed_only_in_text.len(),
            changed_annotations_count: diff.changed_annotations.len(),
            moved_count: diff.moved.len(),
        }
    }
}

fn malformed(detail: impl Into<String>) -> ApiError {
    ApiError::new(Code::MalformedRequest, detail)
}

/// Policies of one request.
const MAX_POLICIES: usize = 200_000;

/// Bytes of a file's name.
const MAX_FILE_NAME: usize = 1_024;

/// Refuses a name that is too long: every policy and every problem repeats it.
pub(super) fn file_name(name: Option<&str>) -> Result<(), ApiError> {
    if name.is_none_or(|name| name.len() <= MAX_FILE_NAME) {
        return Ok(());
    }
    Err(malformed(format!("the name of a file has more than {MAX_FILE_NAME} bytes")))
}

fn too_many_policies() -> ApiError {
    ApiError::new(Code::LimitExceeded, format!("the request has more than {MAX_POLICIES} policies"))
}

impl SchemaBody {
    pub(super) fn parse(self) -> Result<SchemaSource, ApiError> {
        file_name(self.file.as_deref())?;
        let (syntax, text) = match (self.cedar, self.json) {
            (Some(text), None) => (SchemaSyntax::Cedar, text),
            (None, Some(json)) => (SchemaSyntax::Json, json.0.to_string()),
            (Some(_), Some(_)) | (None, None) => return Err(malformed("a schema has either `cedar` or `json`")),
        };
        Ok(SchemaSource { syntax, file: self.file, text })
    }
}

impl PolicyBody {
    /// The policies of one entry.
    fn parse(self) -> Result<Vec<PolicySource>, ApiError> {
        let text = match (self.cedar, self.json) {
            (Some(text), None) => text,
            (None, Some(json)) => cedar_text(json)?,
            (Some(_), Some(_)) | (None, None) => return Err(malformed("a policy has either `cedar` or `json`")),
        };
        file_name(self.file.as_deref())?;
        // Each policy ends with one.
        if text.bytes().filter(|byte| *byte == b';').count() > MAX_POLICIES {
            return Err(too_many_policies());
        }
        match self.id {
            // One policy: what else the text holds is the parser's to refuse.
            Some(id) => Ok(vec![PolicySource { file: self.file, ..PolicySource::single(Some(id), text) }]),
            None => Ok(split_policies(self.file.as_deref(), &text)),
        }
    }
}

/// A policy's JSON as Cedar text.
pub(super) fn cedar_text(json: Json) -> Result<String, ApiError> {
    let invalid = |message: String| ApiError {
        errors: vec![ErrorItem { code: "policy_syntax".to_owned(), message: message.clone(), ..ErrorItem::default() }],
        ..ApiError::new(Code::InvalidRelease, message)
    };
    authx_engine::policy_text(json.0).map_err(invalid)
}

/// A relation model as text.
pub(super) fn dsl(text: String) -> ModelSource {
    ModelSource { syntax: ModelSyntax::Dsl, file: None, text }
}

impl ApplyBody {
    pub(super) fn parse(self) -> Result<(Proposal, Option<String>, bool), ApiError> {
        let proposal = parts(self.schema, self.model.map(|text| (text, self.model_file)), self.policies)?;
        Ok((proposal, self.if_release, self.allow_nonconforming))
    }
}

/// The parts of a release as they were sent; a model with the name of its file.
pub(super) fn parts(
    schema: Option<SchemaBody>,
    model: Option<(String, Option<String>)>,
    policies: Option<Vec<PolicyBody>>,
) -> Result<Proposal, ApiError> {
    let schema = schema.map(SchemaBody::parse).transpose()?;
    let policies = match policies {
        None => None,
        Some(entries) => {
            let mut sources = Vec::with_capacity(entries.len());
            for entry in entries {
                sources.extend(entry.parse()?);
                if sources.len() > MAX_POLICIES {
                    return Err(too_many_policies());
                }
            }
            Some(sources)
        }
    };
    if let Some((_, file)) = &model {
        file_name(file.as_deref())?;
    }
    let model = model.map(|(text, file)| ModelSource { file, ..dsl(text) });
    Ok(Proposal::Parts { schema, model, policies })
}

/// A name as an `ETag`.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The release that the caller saw: `if_release`, or the header `If-Match`.
pub(super) fn expected(request: &HttpRequest, body: Option<String>) -> Option<String> {
    let header = request.headers().get(IF_MATCH).and_then(|value| value.to_str().ok()).filter(|value| *value != "*");
    body.or_else(|| header.map(|value| value.trim_matches('"').to_owned()))
}

fn applied(store: &OpenStore, applied: &Applied, dry_run: bool) -> Answer {
    let nothing = || Committed::nothing(&store.current());
    let Committed { revision, release, token, .. } = applied.committed.clone().unwrap_or_else(nothing);
    let etag = release.as_deref().map(quoted);
    let reply = ApplyReply {
        release,
        changed: applied.changed,
        dry_run,
        policies: applied.release.policy_count(),
        model: applied.release.model().map(|model| model.id().to_owned()),
        diff: DiffBody::from(applied.diff.clone()),
        problems: applied.warnings.iter().map(ErrorItem::from).collect(),
        revision: revision.0,
        consistency_token: token,
    };
    Answer { etag, ..json(StatusCode::OK, &reply) }
}

/// An apply with its answer; a dry run makes nothing, so there is nothing to be made once.
pub(super) fn once(store: &Arc<OpenStore>, asked: Option<Asked>, dry_run: bool) -> Once<Applied> {
    let store = Arc::clone(store);
    Once::new(asked.filter(|_| !dry_run), move |made| applied(&store, made, dry_run))
}

/// Validates and activates a release, atomically.
#[utoipa::path(post, path = "/v1/stores/{store}/apply", operation_id = "apply", tag = "releases", params(("store" = String, Path, description = "id or alias"), ApplyQuery, IdempotencyHeader), request_body = ApplyBody,
    responses((status = 200, body = ApplyReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn apply(
    services: web::Data<Services>,
    access: AdminStore,
    request: HttpRequest,
    query: Query<ApplyQuery>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let (proposal, if_release, allow_nonconforming) = parse::<ApplyBody>(&raw.0)?.parse()?;
    let dry_run = query.0.dry_run;
    let apply = ApplyRequest {
        proposal,
        if_release: expected(&request, if_release),
        allow_nonconforming,
        dry_run,
        activate: true,
    };
    let store = &access.0.store;
    let once = once(store, key.of_store(store.scope(), &raw.0), dry_run);
    respond(&once, services.releases.apply(store, &access.0.caller.author(), apply, &once).await)
}

/// A release without its policies.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseReply {
    id: String,
    /// 1, 2, 3… in the order of making.
    number: u64,
    active: bool,
    policies: u64,
    has_schema: bool,
    /// The id of its relation model.
    model: Option<String>,
    /// The release that a rollback from this one goes back to: the one that was active when this one became so.
    previous: Option<String>,
    created_at: String,
    actor: String,
}

/// A page of releases, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseList {
    releases: Vec<ReleaseReply>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn shown(record: &ReleaseRecord, active: Option<&str>) -> ReleaseReply {
    ReleaseReply {
        id: record.id.to_string(),
        number: record.number,
        active: active == Some(record.id.as_str()),
        policies: record.policy_count,
        has_schema: record.schema.is_some(),
        model: record.model.as_ref().map(ToString::to_string),
        previous: record.previous.as_ref().map(ToString::to_string),
        created_at: record.created_at.to_string(),
        actor: record.actor.clone(),
    }
}

/// Makes a draft: a release that is not active.
#[utoipa::path(post, path = "/v1/stores/{store}/releases", operation_id = "createRelease", tag = "releases", params(("store" = String, Path, description = "id or alias"), IdempotencyHeader), request_body = ApplyBody,
    responses((status = 201, body = ReleaseReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn draft(
    services: web::Data<Services>,
    access: AdminStore,
    request: HttpRequest,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let (proposal, if_release, allow_nonconforming) = parse::<ApplyBody>(&raw.0)?.parse()?;
    let apply = ApplyRequest {
        proposal,
        if_release: expected(&request, if_release),
        allow_nonconforming,
        dry_run: false,
        activate: false,
    };
    let store = &access.0.store;
    // The draft's number is known when it is stored, so its id is what is stored as the answer.
    let once =
        Once::new(key.of_store(store.scope(), &raw.0), |made: &Applied| json(StatusCode::CREATED, &made.release.id()));
    let (id, again) = match services.releases.apply(store, &access.0.caller.author(), apply, &once).await {
        Ok(made) => {
            let id = made.release.id().to_owned();
            store.keep_release(made.release);
            (id, false)
        }
        Err(PapError::Answered(answer)) => (parse(&answer.body)?, true),
        Err(error) => return Err(error.into()),
    };
    let record = record(&services, store, &id).await?;
    Ok(response(json(StatusCode::CREATED, &shown(&record, store.current().release_id())), again))
}

async fn record(services: &Services, store: &OpenStore, id: &str) -> Result<ReleaseRecord, ApiError> {
    let unknown = || ApiError::not_found("release", id);
    let parsed = crate::ids::ReleaseId::parse(id).map_err(|_| unknown())?;
    let found = services.storage.releases.get(store.scope(), &parsed).await.map_err(PapError::from)?;
    found.ok_or_else(unknown)
}

/// The store's releases, newest first.
#[utoipa::path(get, path = "/v1/stores/{store}/releases", operation_id = "listReleases", tag = "releases", params(("store" = String, Path, description = "id or alias"), PageQuery),
    responses((status = 200, content((ReleaseList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<PageQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let tenant = *access.0.tenant.tenant();
    let page = async move |services: &Services, paging| page(services, &access.0, &paging).await;
    listing.list(services, tenant, "releases", query.0, page).await
}

async fn page(services: &Services, access: &StoreAccess, paging: &PageQuery) -> Result<ReleaseList, ApiError> {
    let store = &access.store;
    let page = paging.open(services, Some(&access.tenant), &["releases", store.scope().store().as_str()])?;
    let before = page.after.as_deref().and_then(|number| number.parse().ok());
    let mut rows = services.storage.releases.list(store.scope(), before, page.limit()).await.map_err(PapError::from)?;
    let next_page_token = page.close(services, &mut rows, |row| row.number.to_string());
    let current = store.current();
    Ok(ReleaseList {
        releases: rows.iter().map(|row| shown(row, current.release_id())).collect(),
        revision: current.revision().0,
        release: current.release_id().map(str::to_owned),
        consistency_token: current.token.clone(),
        next_page_token,
    })
}

/// One release.
#[utoipa::path(get, path = "/v1/stores/{store}/releases/{release}", operation_id = "readRelease", tag = "releases", params(("store" = String, Path, description = "id or alias"), ("release" = String, Path)),
    responses((status = 200, body = ReleaseReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(
    services: web::Data<Services>,
    access: ReadStore,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let store = &access.0.store;
    let record = record(&services, store, &path.1).await?;
    Ok(HttpResponse::Ok().json(shown(&record, store.current().release_id())))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// The other release; the active one when absent.
    #[serde(default)]
    against: Option<String>,
}

/// What this release has that `against` has not, and the other way round.
#[utoipa::path(get, path = "/v1/stores/{store}/releases/{release}/diff", operation_id = "diffReleases", tag = "releases", params(("store" = String, Path, description = "id or alias"), ("release" = String, Path), DiffQuery),
    responses((status = 200, body = DiffBody), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn diff(
    services: web::Data<Services>,
    access: ReadStore,
    path: web::Path<(String, String)>,
    query: Query<DiffQuery>,
) -> Result<HttpResponse, ApiError> {
    let store = &access.0.store;
    let of = services.pdp.release(store, &path.1).await?;
    let against = match query.0.against {
        Some(id) => services.pdp.release(store, &id).await?,
        None => store.current().snapshot.release().cloned().ok_or_else(|| ApiError::not_found("release", "active"))?,
    };
    let diff = services.pdp.turns().take(move || against.diff(&of)).await?;
    Ok(HttpResponse::Ok().json(DiffBody::from(diff)))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ActivateQuery {
    /// Activate although stored data does not conform; recorded.
    #[serde(default)]
    allow_nonconforming: bool,
    /// The release that must be the active one until then; `none` for a store without one. The header `If-Match` says the
    /// same.
    if_release: Option<String>,
}

/// Makes a release the active one: a draft, or an older one again.
#[utoipa::path(post, path = "/v1/stores/{store}/releases/{release}/activate", operation_id = "activateRelease", tag = "releases", params(("store" = String, Path, description = "id or alias"), ("release" = String, Path), ActivateQuery, IdempotencyHeader),
    responses((status = 200, body = CommitReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn activate(
    services: web::Data<Services>,
    access: AdminStore,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    query: Query<ActivateQuery>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let store = &access.0.store;
    let once = Once::new(key.of_store(store.scope(), b""), |made| json(StatusCode::OK, &CommitReply::from(made)));
    let ActivateQuery { allow_nonconforming, if_release } = query.0;
    let activation = Activation { id: &path.1, if_release: expected(&request, if_release), allow_nonconforming };
    respond(&once, services.releases.activate(store, &access.0.caller.author(), activation, &once).await)
}
