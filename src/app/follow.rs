//! Stores that follow files: what is sent here is applied, and what is invalid leaves the last good release where it is.

use std::sync::Arc;

use actix_web::web;
use authx_engine::relation::ModelSource;
use authx_engine::{PolicySource, Problem, SchemaSource, Settings};
use tokio::sync::{mpsc, oneshot};

use crate::api::Services;
use crate::ids::{StoreAlias, TenantId};
use crate::pap::{Applied, ApplyRequest, Author, NewStore, Once, PapError, Proposal};
use crate::replica::OpenStore;
use crate::scope::TenantScope;

/// What the files of one store say; a part that no file has stays as it is.
#[derive(Debug)]
pub struct StoreSources {
    /// The store's alias.
    pub name: String,
    pub schema: Option<SchemaSource>,
    pub model: Option<ModelSource>,
    pub policies: Vec<PolicySource>,
}

/// What came of the files of one store.
#[derive(Debug)]
pub struct Followed {
    pub name: String,
    pub outcome: Result<Active, Refused>,
}

/// The release that is active now.
#[derive(Debug)]
pub struct Active {
    pub release: String,
    /// False when it was active before.
    pub changed: bool,
    pub policies: usize,
    pub warnings: Vec<Problem>,
}

/// Why the release of before stays active.
#[derive(Debug)]
pub enum Refused {
    Invalid(Vec<Problem>),
    Other(String),
}

/// Files as they were read, and who is told what came of them.
pub struct Sent {
    pub stores: Vec<StoreSources>,
    pub told: oneshot::Sender<Vec<Followed>>,
}

/// Files as they change.
pub type Feed = mpsc::Receiver<Sent>;

/// Applies what is sent, for ever. Stores are those of one tenant; one that is not there is made.
pub(super) async fn follow(services: web::Data<Services>, tenant: TenantId, mut feed: Feed) {
    while let Some(sent) = feed.recv().await {
        apply_all(&services, tenant, sent).await;
    }
}

/// Applies what is sent once.
pub(super) async fn apply_all(services: &web::Data<Services>, tenant: TenantId, sent: Sent) {
    let mut outcomes = Vec::new();
    for sources in sent.stores {
        let name = sources.name.clone();
        let outcome = apply(services, tenant, sources).await.map_err(refused);
        outcomes.push(Followed { name, outcome });
    }
    // Who does not wait for it knows by the log.
    let _ = sent.told.send(outcomes);
}

async fn apply(services: &web::Data<Services>, tenant: TenantId, sources: StoreSources) -> Result<Active, PapError> {
    let author = Author::process("files");
    let StoreSources { name, schema, model, policies } = sources;
    let store = match services.replica.find(&tenant, &name) {
        Some(store) => store,
        None => made(services, &author, tenant, &name).await?,
    };
    let apply = ApplyRequest {
        proposal: Proposal::Parts { schema, model, policies: Some(policies) },
        if_release: None,
        allow_nonconforming: false,
        dry_run: false,
        activate: true,
    };
    let Applied { release, changed, warnings, .. } =
        services.releases.apply(&store, &author, apply, &Once::never()).await?;
    Ok(Active { release: release.id().to_owned(), changed, policies: release.policy_count(), warnings })
}

async fn made(
    services: &web::Data<Services>,
    author: &Author,
    tenant: TenantId,
    name: &str,
) -> Result<Arc<OpenStore>, PapError> {
    let alias = StoreAlias::parse(name).map_err(|error| PapError::LimitExceeded {
        message: format!("the folder `{name}` cannot be the alias of a store: {error}"),
    })?;
    let new = NewStore { name: name.to_owned(), alias: Some(alias), settings: Settings::default() };
    services.stores.create(author, &TenantScope::new(tenant), new, &Once::never()).await
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other one is told in its own words")]
fn refused(error: PapError) -> Refused {
    match error {
        PapError::InvalidRelease { problems } | PapError::BrokenLinks { problems } => Refused::Invalid(problems),
        PapError::Nonconforming { ref found } => {
            let mut problems = found.first.clone();
            problems.insert(0, Problem::error("nonconforming_data", error.to_string()));
            Refused::Invalid(problems)
        }
        other => Refused::Other(other.to_string()),
    }
}
