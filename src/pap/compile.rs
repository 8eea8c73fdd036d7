//! From a proposal to a compiled release and what is to be said of it. No store, no clock.

use std::sync::Arc;

use authx_engine::relation::{ModelSource, ModelSyntax, RelationModel, print};
use authx_engine::{
    Check, CompileOptions, Compiled, LintLevels, Linted, PolicyId, PolicySource, Problem, Release, SchemaSource,
    Sources, lint,
};

use crate::pap::releases::Proposal;

/// Policies of a release that is looked at as a whole whenever one is made. A larger one is looked at as a whole when it
/// is validated; when it is made, so are the policies that changed, each for itself.
const LINTED_WHOLE: usize = 10_000;

/// What validating without storing found.
#[derive(Debug, Clone)]
pub struct ValidationReport {
    /// There are no errors.
    pub valid: bool,
    pub problems: Vec<Problem>,
}

impl ValidationReport {
    pub(super) fn of(problems: Vec<Problem>) -> Self {
        Self { valid: !problems.iter().any(Problem::is_error), problems }
    }
}

/// Checks files strictly without a server.
#[must_use]
pub fn validate(
    schema: Option<SchemaSource>,
    model: Option<ModelSource>,
    policies: Vec<PolicySource>,
    lints: &LintLevels,
) -> ValidationReport {
    let proposal = Proposal::Parts { schema, model, policies: Some(policies) };
    let compiled = compile(("offline", "offline"), None, proposal, true, Some(lints));
    ValidationReport::of(compiled.map_or_else(|problems| problems, |compiled| compiled.warnings))
}

/// Compiles what a proposal makes of the active release; its lints are among the warnings, or the errors.
/// `lints` are the levels of those who validate; without them the release is to be made.
///
/// # Errors
/// Every problem, warnings included.
pub(super) fn compile(
    (id, model_id): (&str, &str),
    base: Option<&Release>,
    proposal: Proposal,
    strict: bool,
    lints: Option<&LintLevels>,
) -> Result<Compiled, Vec<Problem>> {
    let validation = if strict { Check::Strict } else { Check::Off };
    let options = CompileOptions { validation, ..CompileOptions::default() };
    let active = base.and_then(Release::model);
    let changed = |new: &ModelSource| active.is_none_or(|old| !is_written_as(old, new));
    let (schema, model, policies) = match (proposal, base) {
        (Proposal::Parts { schema, model, policies }, _) => (schema, model.filter(changed), policies),
        (Proposal::Model(model), _) => (None, Some(model), None),
        (Proposal::Edit(edit), Some(base)) => {
            let compiled = base.with_changes(id, &edit.put, &edit.delete, &options)?;
            let put: Vec<PolicyId> =
                edit.put.iter().filter_map(|source| source.id.as_ref()).map(PolicyId::new).collect();
            return linted(compiled, Linted::Policies(&put), lints);
        }
        (Proposal::Edit(edit), None) => (None, None, Some(edit.put)),
    };
    let schema = schema.or_else(|| base.and_then(Release::schema).map(|schema| schema.source().clone()));
    let policies =
        policies.unwrap_or_else(|| base.into_iter().flat_map(Release::policies).map(|p| p.source().clone()).collect());
    let (model, found) = match model.map(|model| RelationModel::read(model_id, model)) {
        None => (active.cloned(), Vec::new()),
        Some(Ok((model, warnings))) => (Some(Arc::new(model)), warnings),
        Some(Err(found)) => {
            // The author sees the problems of the other parts too; those that need the model cannot be told.
            let rest = Sources { schema, model: active.cloned(), policies: &policies };
            let mut others = Release::compile(id, rest, &options, base).err().unwrap_or_default();
            others.retain(|problem| problem.code != "invalid_link");
            return Err([found, others].concat());
        }
    };
    match Release::compile(id, Sources { schema, model, policies: &policies }, &options, base) {
        Ok(Compiled { release, warnings }) => {
            let compiled = Compiled { release, warnings: [warnings, found].concat() };
            if lints.is_some() || compiled.release.policy_count() <= LINTED_WHOLE {
                return linted(compiled, Linted::Whole, lints);
            }
            let changed: Vec<PolicyId> = match base.map(|base| base.diff(&compiled.release)) {
                Some(diff) => [diff.added, diff.changed].concat(),
                None => compiled.release.policies().map(|policy| PolicyId::new(policy.id())).collect(),
            };
            linted(compiled, Linted::Policies(&changed), lints)
        }
        Err(problems) => Err([problems, found].concat()),
    }
}

fn linted(compiled: Compiled, what: Linted<'_>, lints: Option<&LintLevels>) -> Result<Compiled, Vec<Problem>> {
    let levels = lints.cloned().unwrap_or_default();
    let Compiled { release, mut warnings } = compiled;
    warnings.extend(lint(&release, what, &levels));
    if warnings.iter().any(Problem::is_error) { Err(warnings) } else { Ok(Compiled { release, warnings }) }
}

/// Whether a model's text is that of a source. A model that came as JSON has the text that its printed form is.
fn is_written_as(model: &RelationModel, source: &ModelSource) -> bool {
    let own = model.source();
    match (own.syntax, source.syntax) {
        (ModelSyntax::Json, ModelSyntax::Dsl) => print(model.model()) == source.text,
        (ModelSyntax::Dsl | ModelSyntax::Json, _) => own.syntax == source.syntax && own.text == source.text,
    }
}
