//! `POST /v1/stores/{store}/replay`: recorded decisions on a release that is not active.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpResponse, rt, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc::channel;
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{AdminStore, Body};
use crate::api::lines::{self, line};
use crate::api::listing::{LINES, Listing};
use crate::api::v1::decisions::time;
use crate::api::v1::releases::ApplyBody;
use crate::decisions::{Filter, Kind};
use crate::pap::{ApplyRequest, Once};
use crate::pdp::{Changes, Flip, OnData, Replay, ReplayAsked, Report};

/// Records, unless a limit says otherwise.
const RECORDS: u32 = 100_000;
const MAX_RECORDS: u32 = 1_000_000;
/// Names of each kind that are told.
const MAX_NAMED: usize = 100;

/// What is replayed, and on what: a release of the store, or files that are not stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayBody {
    /// A release of the store.
    #[serde(default)]
    release: Option<String>,
    /// What `apply` would take. It is compiled, and not kept.
    #[serde(default)]
    sources: Option<ApplyBody>,
    /// Decisions from this time on, RFC 3339.
    #[serde(default)]
    #[schema(example = "2026-11-21T08:30:00Z")]
    from: Option<String>,
    /// Decisions before this time.
    #[serde(default)]
    to: Option<String>,
    /// Records at most, the newest first; 100,000 by default, 1,000,000 at most.
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    data: DataWord,
}

/// On which data: that of each decision's revision, or today's.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataWord {
    #[default]
    Then,
    Now,
}

/// Which decisions come out otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayReply {
    /// Decisions that were made again.
    replayed: u64,
    flips: ChangesBody,
    /// The same decision by other policies.
    other_reasons: u64,
    /// Not made again: parts of their requests were masked.
    masked: u64,
    /// Not made again: what was stored then is not kept any more.
    forgotten: u64,
    /// Asked again and not decided: the request is refused, or a limit is met.
    undecided: u64,
    /// Flips by the policies that determined the decision before or after, and not both; the 100 with the most.
    policies: Vec<NamedChanges>,
    principals: Vec<NamedChanges>,
    actions: Vec<NamedChanges>,
    /// The newest 100.
    examples: Vec<FlipBody>,
    /// Whether the log has more than the limit let in.
    more: bool,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ChangesBody {
    /// Were denied and would be allowed.
    to_allow: u64,
    /// Were allowed and would be denied.
    to_deny: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct NamedChanges {
    /// `null` for all that were too many to be counted apart.
    name: Option<String>,
    to_allow: u64,
    to_deny: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FlipBody {
    decision_id: String,
    at: String,
    principal: String,
    action: String,
    resource: String,
    #[schema(example = "allow")]
    was: &'static str,
    #[schema(example = "deny")]
    is: &'static str,
    was_by: Vec<String>,
    is_by: Vec<String>,
}

impl From<&Report> for ReplayReply {
    fn from(report: &Report) -> Self {
        let Changes { to_allow, to_deny } = report.flips;
        Self {
            replayed: report.replayed,
            flips: ChangesBody { to_allow, to_deny },
            other_reasons: report.other_reasons,
            masked: report.masked,
            forgotten: report.forgotten,
            undecided: report.undecided,
            policies: named(&report.policies),
            principals: named(&report.principals),
            actions: named(&report.actions),
            examples: report.examples.iter().map(FlipBody::from).collect(),
            more: report.more,
        }
    }
}

impl From<&Flip> for FlipBody {
    fn from(flip: &Flip) -> Self {
        let Flip { id: decision_id, at, principal, action, resource, was_allowed, was_by, is_by } = flip.clone();
        let (was, is) = if was_allowed { ("allow", "deny") } else { ("deny", "allow") };
        Self { decision_id, at, principal, action, resource, was, is, was_by, is_by }
    }
}

/// Those with the most flips first.
fn named(counts: &BTreeMap<String, Changes>) -> Vec<NamedChanges> {
    let mut counts: Vec<(&String, &Changes)> = counts.iter().collect();
    counts.sort_by_key(|(_, changes)| std::cmp::Reverse(changes.all()));
    let body = |(name, changes): (&String, &Changes)| NamedChanges {
        name: Some(name.clone()).filter(|name| !name.is_empty()),
        to_allow: changes.to_allow,
        to_deny: changes.to_deny,
    };
    counts.into_iter().take(MAX_NAMED).map(body).collect()
}

/// Makes recorded decisions again on a release and tells which come out otherwise. Nothing is recorded or changed. With
/// `Accept: application/x-ndjson` lines of `{"progress":{"records"}}` come before the last line, which is
/// `{"end":{…}}` with the report or `{"error":…}`.
#[utoipa::path(post, path = "/v1/stores/{store}/replay", operation_id = "replay", tag = "releases",
    params(("store" = String, Path, description = "id or alias")), request_body = ReplayBody,
    responses((status = 200, body = ReplayReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn replay(
    services: web::Data<Services>,
    access: AdminStore,
    listing: Listing,
    body: Body<ReplayBody>,
) -> Result<HttpResponse, ApiError> {
    let store = Arc::clone(&access.0.store);
    let asked = asked(&services, &access, body.0).await?;
    services.decisions.flush(store.scope().tenant()).await;
    let place = services.transfer(*store.scope().tenant())?;
    let mut replay = Replay::new(asked);
    if !listing.lines() {
        while replay.step(&services.pdp, &store).await? {}
        return Ok(HttpResponse::Ok().json(ReplayReply::from(replay.report())));
    }
    let (to, lines) = channel(4);
    rt::spawn(async move {
        let _place = place;
        let last = loop {
            match replay.step(&services.pdp, &store).await {
                Ok(true) => {
                    let Report { replayed, masked, forgotten, undecided, .. } = replay.report();
                    let records = replayed + masked + forgotten + undecided;
                    if to.send(line(&json!({"progress": {"records": records}}))).await.is_err() {
                        return;
                    }
                }
                Ok(false) => break json!({"end": ReplayReply::from(replay.report())}),
                Err(error) => break json!({"error": ApiError::from(error).body(None)}),
            }
        };
        // Who does not read any more misses nothing.
        let _ = to.send(line(&last)).await;
    });
    Ok(HttpResponse::Ok().content_type(LINES).body(lines::Lines(lines)))
}

async fn asked(services: &Services, access: &AdminStore, body: ReplayBody) -> Result<ReplayAsked, ApiError> {
    let store = &access.0.store;
    let malformed = |detail: &str| ApiError::new(Code::MalformedRequest, detail);
    let ReplayBody { release, sources, from, to, limit, data } = body;
    let release = match (release, sources) {
        (Some(id), None) => services.pdp.release(store, &id).await?,
        (None, Some(sources)) => {
            let (proposal, ..) = sources.parse()?;
            let apply =
                ApplyRequest { proposal, if_release: None, allow_nonconforming: true, dry_run: true, activate: false };
            services.releases.apply(store, &access.0.caller.author(), apply, &Once::never()).await?.release
        }
        (Some(_), Some(_)) | (None, None) => return Err(malformed("a replay has either `release` or `sources`")),
    };
    let limit = limit.unwrap_or(RECORDS);
    if !(1..=MAX_RECORDS).contains(&limit) {
        return Err(malformed("`limit` is a number from 1 to 1,000,000"));
    }
    let filter = Filter {
        kind: Some(Kind::Decision),
        stores: Some(vec![store.scope().store().to_string()]),
        from: time("from", from.as_deref())?,
        to: time("to", to.as_deref())?,
        ..Filter::default()
    };
    let data = match data {
        DataWord::Then => OnData::Then,
        DataWord::Now => OnData::Now,
    };
    Ok(ReplayAsked { release, filter, data, limit: usize::try_from(limit).unwrap_or(usize::MAX) })
}
