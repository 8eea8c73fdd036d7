//! The files of a store as what a decision is made from: the release that they are, and the data in them.

use std::sync::Arc;

use authx_engine::relation::{RelationModel, Tuple};
use authx_engine::{CompileOptions, Data, EntityInput, Problem, Release, Settings, Snapshot, Sources};

use super::StoreFiles;
use crate::policy_tests::{Laid, Sourced, lay};

/// The release that the files are, and what its author should know.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn compile(files: &StoreFiles) -> Result<(Release, Vec<Problem>), Vec<Problem>> {
    let model = files.model.clone().map(|model| RelationModel::read("files", model)).transpose()?;
    let (model, mut warnings) = model.map_or((None, Vec::new()), |(model, warnings)| (Some(Arc::new(model)), warnings));
    let sources = Sources { schema: files.schema.clone(), model, policies: &files.policies };
    let compiled = Release::compile("files", sources, &CompileOptions::default(), None)?;
    warnings.extend(compiled.warnings);
    Ok((compiled.release, warnings))
}

/// A release without data.
pub(crate) fn empty(release: Release) -> Snapshot {
    Snapshot::new(Some(Arc::new(release)), Arc::new(Data::default()), Settings::default(), 0)
}

/// A release with the data of its files.
///
/// # Errors
/// Everything that a store would refuse.
pub(crate) fn with_data(empty: &Snapshot, files: &StoreFiles) -> Result<Snapshot, Vec<Problem>> {
    let entities: Vec<Sourced<EntityInput>> = files
        .entities
        .iter()
        .map(|(file, entity)| Sourced { what: entity.clone(), file: file.clone(), line: None })
        .collect();
    let tuples: Vec<Sourced<Tuple>> = files
        .tuples
        .iter()
        .map(|(file, row)| Sourced { what: row.tuple.clone(), file: file.clone(), line: u32::try_from(row.row).ok() })
        .collect();
    lay(empty, Laid { entities: &entities, tuples: &tuples, links: &[] })
}
