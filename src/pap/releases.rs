//! Making and activating releases: apply, draft, one policy, schema, rollback, validate.
//!
//! Compiling ([`super::compile`]) happens first, off the request threads and outside the writer; the writer then checks that the release
//! it was compiled from is still the active one, and what is stored against the new one.

use std::sync::Arc;

use authx_engine::relation::{ModelSource, ModelSyntax, RelationModel};
use authx_engine::{
    Compiled, LintLevels, PolicyId, PolicySource, Problem, Release, ReleaseDiff, SchemaSource, SchemaSyntax, Snapshot,
    Validation, check_link, nonconforming,
};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::ids::{ModelId, ReleaseId, Timestamp};
use crate::pap::PapError;
use crate::pap::author::Author;
use crate::pap::compile::{ValidationReport, compile};
use crate::pap::data::blank;
use crate::pap::limits;
use crate::pap::once::Once;
use crate::pap::writer::{Committed, Planned, Tentative, Write, Writers};
use crate::replica::{OpenStore, load_release};
use crate::scope::StoreScope;
use crate::storage::records::{ModelRecord, NewRelease, PolicyRecord, SchemaRecord};

/// How often a change is prepared again when the release moved on meanwhile.
const ATTEMPTS: usize = 8;

/// What a release is to be, seen from the active one.
#[derive(Debug, Clone)]
pub enum Proposal {
    /// A part left out stays as it is; a part given replaces the whole part.
    Parts { schema: Option<SchemaSource>, model: Option<ModelSource>, policies: Option<Vec<PolicySource>> },
    /// A relation model, always as a new one.
    Model(ModelSource),
    /// Some policies put or deleted.
    Edit(PolicyEdit),
}

/// A change of single policies.
#[derive(Debug, Clone, Default)]
pub struct PolicyEdit {
    pub put: Vec<PolicySource>,
    pub delete: Vec<PolicyId>,
}

/// A request to make a release.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    pub proposal: Proposal,
    /// The release that must be the active one; `none` for a store without one.
    pub if_release: Option<String>,
    pub allow_nonconforming: bool,
    pub dry_run: bool,
    /// Else the release is a draft.
    pub activate: bool,
}

/// A release that is to be the active one.
#[derive(Debug)]
pub struct Activation<'a> {
    pub id: &'a str,
    /// The release that must be the active one until then; `none` for a store without one.
    pub if_release: Option<String>,
    pub allow_nonconforming: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Applied {
    /// Absent for a dry run.
    pub committed: Option<Committed>,
    pub release: Arc<Release>,
    /// False when the proposal was what is active already: no release was made.
    pub changed: bool,
    pub diff: ReleaseDiff,
    pub warnings: Vec<Problem>,
}

/// The use cases about releases.
#[derive(Clone)]
pub struct Releases {
    writers: Writers,
    /// Bounds how many compilations run at once.
    compilers: Arc<Semaphore>,
}

impl Releases {
    #[must_use]
    pub fn new(writers: Writers, compilers: usize) -> Self {
        Self { writers, compilers: Arc::new(Semaphore::new(compilers)) }
    }

    /// Compiles, validates and activates a release, or says why not.
    ///
    /// # Errors
    /// Invalid text is reported before conflicts.
    pub async fn apply(
        &self,
        store: &Arc<OpenStore>,
        author: &Author,
        request: ApplyRequest,
        once: &Once<Applied>,
    ) -> Result<Applied, PapError> {
        let (releases, store, author, once) = (self.clone(), Arc::clone(store), author.clone(), once.clone());
        self.writers.background(async move { releases.make(&store, &author, request, &once).await }).await
    }

    async fn make(
        &self,
        store: &Arc<OpenStore>,
        author: &Author,
        request: ApplyRequest,
        once: &Once<Applied>,
    ) -> Result<Applied, PapError> {
        for _ in 0..ATTEMPTS {
            let current = store.current();
            // Looked for behind `current`: whoever made it meanwhile has published it.
            self.writers.not_made(once.asked()).await?;
            let base = current.snapshot.release().cloned();
            let strict = current.snapshot.settings().validation == Validation::Strict;
            let id = self.writers.clock.release_id();
            let ids = (id, self.writers.clock.model_id());
            let compiled = self.compile(ids, base.clone(), request.proposal.clone(), strict, None).await?;
            check_expected(request.if_release.as_deref(), base.as_deref())?;
            let release = Arc::new(compiled.release);
            let diff = difference(base.clone(), Arc::clone(&release)).await?;
            let unchanged = base.is_some() && diff.is_empty() && request.activate;
            let write = ReleaseWrite {
                id,
                release: Arc::clone(&release),
                base: base.as_ref().map(|base| base.id().to_owned()),
                activate: request.activate,
                allow_nonconforming: request.allow_nonconforming,
                stored: false,
                author: author.clone(),
                scope: store.scope().clone(),
            };
            if request.dry_run || unchanged {
                let before = Tentative { snapshot: current.snapshot.clone(), newest: store.newest_release() };
                let release = if unchanged { base.unwrap_or(release) } else { release };
                if !unchanged {
                    let now = self.writers.clock.now();
                    let limits = self.writers.limits.of(store.scope().tenant());
                    blocking(move || limits::plan(&write, &before, now, &limits).map(|_| ())).await?;
                }
                let warnings = compiled.warnings;
                let applied = Applied { committed: None, release, changed: !unchanged, diff, warnings };
                return if request.dry_run { Ok(applied) } else { self.writers.nothing_made(once, applied).await };
            }
            let warnings = compiled.warnings;
            let applied = move |committed: &Committed| Applied {
                committed: Some(committed.clone()),
                release: Arc::clone(&release),
                changed: true,
                diff: diff.clone(),
                warnings: warnings.clone(),
            };
            let part = once.of(applied.clone());
            match self.writers.write_once(store, author.principal(), write, part).await {
                Ok(committed) => return Ok(applied(&committed)),
                Err(PapError::Contended) => {}
                Err(error) => return Err(error),
            }
        }
        Err(PapError::Contended)
    }

    /// Activates a release that was made before.
    ///
    /// # Errors
    /// When there is none, another one is active than was expected, or what is stored does not conform to it.
    pub async fn activate(
        &self,
        store: &Arc<OpenStore>,
        author: &Author,
        Activation { id, if_release, allow_nonconforming }: Activation<'_>,
        once: &Once<Committed>,
    ) -> Result<Committed, PapError> {
        let unknown = || PapError::NotFound { what: "release", name: id.to_owned() };
        let id = ReleaseId::parse(id).map_err(|_| unknown())?;
        let release = match store.kept_release(id.as_str()) {
            Some(kept) => kept,
            None => load_release(&self.writers.storage, store.scope(), &id).await?.ok_or_else(unknown)?,
        };
        for _ in 0..ATTEMPTS {
            let current = store.current();
            // Looked for behind `current`: whoever made it meanwhile has published it.
            self.writers.not_made(once.asked()).await?;
            let base = current.snapshot.release();
            check_expected(if_release.as_deref(), base.map(AsRef::as_ref))?;
            let base = base.map(|base| base.id().to_owned());
            let write = ReleaseWrite {
                id,
                release: Arc::clone(&release),
                base,
                activate: true,
                allow_nonconforming,
                stored: true,
                author: author.clone(),
                scope: store.scope().clone(),
            };
            match self.writers.write_once(store, author.principal(), write, once.clone()).await {
                Err(PapError::Contended) => {}
                outcome => return outcome,
            }
        }
        Err(PapError::Contended)
    }

    /// Checks a proposal strictly, whatever the store's setting, and stores nothing.
    ///
    /// # Errors
    /// Only when the compiler did not run.
    pub async fn validate(
        &self,
        store: &OpenStore,
        proposal: Proposal,
        lints: LintLevels,
    ) -> Result<ValidationReport, PapError> {
        let base = store.current().snapshot.release().cloned();
        let ids = (self.writers.clock.release_id(), self.writers.clock.model_id());
        match self.compile(ids, base, proposal, true, Some(lints)).await {
            Ok(compiled) => Ok(ValidationReport::of(compiled.warnings)),
            Err(PapError::InvalidRelease { problems }) => Ok(ValidationReport::of(problems)),
            Err(error) => Err(error),
        }
    }

    async fn compile(
        &self,
        (id, model_id): (ReleaseId, ModelId),
        base: Option<Arc<Release>>,
        proposal: Proposal,
        strict: bool,
        lints: Option<LintLevels>,
    ) -> Result<Compiled, PapError> {
        let _turn = self.compilers.acquire().await.map_err(|_| PapError::Interrupted)?;
        blocking(move || {
            compile((id.as_str(), model_id.as_str()), base.as_deref(), proposal, strict, lints.as_ref())
                .map_err(|problems| PapError::InvalidRelease { problems })
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PapError> + Send + 'static,
) -> Result<T, PapError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(PapError::Interrupted))
}

fn check_expected(expected: Option<&str>, base: Option<&Release>) -> Result<(), PapError> {
    let Some(expected) = expected else { return Ok(()) };
    let actual = base.map(|base| base.id().to_owned());
    if actual.as_deref().unwrap_or("none") == expected {
        return Ok(());
    }
    Err(PapError::NotThatRelease { expected: expected.to_owned(), actual })
}

/// What a proposal changes; told apart in meaning and text, which parses what changed.
async fn difference(base: Option<Arc<Release>>, release: Arc<Release>) -> Result<ReleaseDiff, PapError> {
    let diff = move || match base {
        None => ReleaseDiff::of_first(&release),
        Some(base) => base.diff(&release),
    };
    blocking(move || Ok(diff())).await
}

/// A release to store, to activate, or both.
struct ReleaseWrite {
    id: ReleaseId,
    release: Arc<Release>,
    /// The release that it was compiled from.
    base: Option<String>,
    activate: bool,
    allow_nonconforming: bool,
    /// It was made before: only to activate.
    stored: bool,
    author: Author,
    scope: StoreScope,
}

impl Write for ReleaseWrite {
    fn plan(&self, before: &Tentative, now: Timestamp) -> Result<Planned, PapError> {
        let active = before.snapshot.release();
        if active.map(|active| active.id()) != self.base.as_deref() {
            return Err(PapError::Contended);
        }
        if self.activate {
            check_links(&before.snapshot, &self.release)?;
            if !self.allow_nonconforming {
                let found = nonconforming(&before.snapshot, &self.release, now.as_millis());
                if !found.is_empty() {
                    return Err(PapError::Nonconforming { found });
                }
            }
        }
        let op = if self.stored {
            "activate"
        } else if self.activate {
            "apply"
        } else {
            "draft"
        };
        let mut record = blank(op);
        record.summary =
            json!({"op": op, "release": self.id, "allow_nonconforming": self.allow_nonconforming}).to_string();
        record.event = Some(self.author.of_revision(
            &format!("release.{op}"),
            &self.scope,
            format!("release:{}", self.id),
            before.snapshot.revision() + 1,
            json!({"allow_nonconforming": self.allow_nonconforming}),
        ));
        let mut newest = before.newest.clone();
        if !self.stored {
            record.new_release = Some(self.difference(before.newest.as_deref()));
            newest = Some(Arc::clone(&self.release));
        }
        let mut snapshot = before.snapshot.clone();
        if self.activate {
            record.activate = Some(self.id);
            snapshot = snapshot.with_release(Some(Arc::clone(&self.release)));
        }
        Ok(Planned { record, after: Tentative { snapshot, newest }, warnings: Vec::new() })
    }
}

impl ReleaseWrite {
    /// The rows that differ from the release that was made before this one.
    fn difference(&self, newest: Option<&Release>) -> NewRelease {
        let all = || (self.release.policies().cloned().collect(), Vec::new());
        let (written, removed) = newest.map_or_else(all, |newest| newest.rewritten(&self.release));
        let upserts = written.iter().map(|policy| {
            let source = policy.source();
            PolicyRecord {
                id: policy.id().to_owned(),
                named: source.id.is_some(),
                file: source.file.clone(),
                line: source.line,
                column: source.column,
                text: source.text.clone(),
            }
        });
        let schema = self.release.schema().map(|schema| SchemaRecord {
            syntax: match schema.source().syntax {
                SchemaSyntax::Cedar => "cedar".to_owned(),
                SchemaSyntax::Json => "json".to_owned(),
            },
            text: schema.source().text.clone(),
        });
        let model = self.release.model();
        NewRelease {
            id: self.id,
            schema,
            schema_file: self.release.schema().and_then(|schema| schema.source().file.clone()),
            model: model.and_then(|model| model_record(model)),
            model_file: model.and_then(|model| model.source().file.clone()),
            upserts: upserts.collect(),
            removed: removed.iter().map(ToString::to_string).collect(),
        }
    }
}

fn model_record(model: &RelationModel) -> Option<ModelRecord> {
    let source = model.source();
    let syntax = match source.syntax {
        ModelSyntax::Dsl => "dsl",
        ModelSyntax::Json => "json",
    };
    let id = ModelId::parse(model.id()).ok()?;
    let made = ulid::Ulid::from_string(model.id()).ok()?.timestamp_ms();
    let created_at = Timestamp::from_millis(i64::try_from(made).ok()?);
    Some(ModelRecord { id, syntax: syntax.to_owned(), text: source.text.clone(), created_at })
}

/// Every link must have its template in the release and fit it.
fn check_links(snapshot: &Snapshot, release: &Release) -> Result<(), PapError> {
    let strict = snapshot.settings().validation == Validation::Strict;
    let old = snapshot.release();
    let same_schema = old.is_some_and(|old| match (old.schema(), release.schema()) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    });
    let unchanged = |id: &str| {
        same_schema
            && old.and_then(|old| old.policy(id)).zip(release.policy(id)).is_some_and(|(a, b)| Arc::ptr_eq(a, b))
    };
    let broken = |(id, link): (&PolicyId, &Arc<authx_engine::LinkInput>)| {
        if unchanged(&link.template) && release.policy(id).is_none() {
            return None;
        }
        check_link(release, id, link, strict).err().map(|problem| {
            if problem.code == "unknown_template" {
                let message = format!("the template `{}` has the link `{id}`", link.template);
                return Problem::error("template_has_links", message)
                    .with_policy(id.as_str())
                    .with_hint("delete its links first");
            }
            problem
        })
    };
    let problems: Vec<Problem> = snapshot.data().links().filter_map(broken).take(100).collect();
    if problems.is_empty() { Ok(()) } else { Err(PapError::BrokenLinks { problems }) }
}
