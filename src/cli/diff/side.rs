//! One side of a comparison: files, a release of the server, or what is active there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use authx_engine::relation::{ModelSource, ModelSyntax, RelationModel};
use authx_engine::{
    Check, CompileOptions, PolicySource, Problem, Release, SchemaSource, SchemaSyntax, Sources, split_policies,
};

use crate::cli::check::choose;
use crate::cli::client::Client;
use crate::cli::files::{StoreFiles, find};
use crate::cli::release::{ReleaseTexts, SchemaText, Store};
use crate::cli::{Exit, show_problems};

/// What a side is called on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    Path(PathBuf),
    Release(String),
    /// The release that is active.
    Server,
}

impl Named {
    pub(super) fn parse(text: &str) -> Self {
        match text.strip_prefix("release:") {
            Some(id) => Self::Release(id.to_owned()),
            None if text == "server" => Self::Server,
            None => Self::Path(PathBuf::from(text)),
        }
    }

    /// The files, when they are files. The store that is named is found among several.
    pub(super) fn files(&self, store: Option<&str>) -> Result<Option<StoreFiles>, Exit> {
        let Self::Path(path) = self else { return Ok(None) };
        let stores = find(path).map_err(|error| error.tell())?;
        let name = if stores.len() > 1 { store } else { None };
        choose(stores, name).map(Some)
    }
}

/// A side that is read.
#[derive(Default)]
pub(super) struct Side {
    /// Such as `release 01JC7…` or a path.
    pub(super) name: String,
    schema: Option<SchemaSource>,
    model: Option<ModelSource>,
    model_id: Option<String>,
    policies: Vec<PolicySource>,
    files: Option<StoreFiles>,
}

impl Side {
    /// Files as a server would take them.
    pub(super) fn of_files(named: &Named, files: StoreFiles) -> Self {
        let (schema, model, policies) = files.sources();
        let name = match named {
            Named::Path(path) => path.display().to_string(),
            Named::Release(_) | Named::Server => files.name.clone(),
        };
        Self { name, schema, model, model_id: None, policies, files: Some(files) }
    }

    /// A release of the server; of a store without an active one, nothing.
    pub(super) async fn of_server(named: &Named, client: &Client, store: &Store) -> Result<Self, Exit> {
        let id = match named {
            Named::Release(id) => Some(id.clone()),
            Named::Server | Named::Path(_) => store.release.clone(),
        };
        let Some(id) = id else { return Ok(Self { name: "nothing".to_owned(), ..Self::default() }) };
        let texts = ReleaseTexts::read(client, &store.path, &id).await?;
        let schema = texts.schema.map(|schema| match schema {
            SchemaText::Cedar { file, text } => SchemaSource { syntax: SchemaSyntax::Cedar, file, text },
            SchemaText::Json { file, json } => {
                SchemaSource { syntax: SchemaSyntax::Json, file, text: json.to_string() }
            }
        });
        let dsl = |text| ModelSource { syntax: ModelSyntax::Dsl, file: texts.model_file.clone(), text };
        let policies = texts.policies.into_iter().flat_map(|policy| match policy.id {
            Some(id) => vec![PolicySource { file: policy.file, ..PolicySource::single(Some(id), policy.text) }],
            None => split_policies(policy.file.as_deref(), &policy.text),
        });
        let name = format!("release {}", texts.release);
        let policies = policies.collect();
        Ok(Self { name, schema, model: texts.model.map(dsl), model_id: texts.model_id, policies, files: None })
    }

    /// Compiles it. What was not applied yet is not validated: this tells what differs, not whether it is right.
    pub(super) fn compile(&self, other: &Self) -> Result<Release, Exit> {
        let model = self.model.clone().map(|model| RelationModel::read(&self.id_of_model(other), model)).transpose();
        let compiled = model.and_then(|model| {
            let model = model.map(|(model, _)| Arc::new(model));
            let sources = Sources { schema: self.schema.clone(), model, policies: &self.policies };
            let options = CompileOptions { validation: Check::Off, ..CompileOptions::default() };
            Release::compile(&self.name, sources, &options, None)
        });
        compiled.map(|compiled| compiled.release).map_err(|problems| self.told(problems))
    }

    /// A model in files has no id; it is that of the other side when their texts are the same.
    fn id_of_model(&self, other: &Self) -> String {
        let text = |side: &Self| side.model.as_ref().map(|model| model.text.clone());
        let others = other.model_id.clone().filter(|_| text(self) == text(other));
        let both = || if text(self) == text(other) { "the same".to_owned() } else { self.name.clone() };
        self.model_id.clone().or(others).unwrap_or_else(both)
    }

    fn told(&self, mut problems: Vec<Problem>) -> Exit {
        let none = BTreeMap::new();
        if let Some(files) = &self.files {
            for problem in &mut problems {
                problem.file = problem.file.as_deref().map(|file| files.shown(file).to_owned());
            }
        }
        let texts = self.files.as_ref().map_or(&none, |files| &files.texts);
        show_problems(&problems, texts);
        Exit::Invalid
    }
}
