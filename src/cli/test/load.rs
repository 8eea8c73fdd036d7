//! Reads what a store file names: its model, and files of tuples. Paths are relative to the store file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use authx_engine::Problem;
use authx_engine::relation::{ModelSource, ModelSyntax, RelationModel, Tuple};

use super::store_file::{self, CODE, ModelText, Test, TupleSources};
use crate::cli::files::model::{ModelFiles, read_model};
use crate::cli::files::{read_entities, read_text};
use crate::cli::tuples::read::{Row, read_tuples};
use crate::policy_tests::{DataFile, DataRows, FileRef, Sourced};
use crate::yaml::Place;

/// A store file with all that it names.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) model: RelationModel,
    /// Each test with its tuples, those of all tests first.
    pub(super) tests: Vec<(Test, Vec<Sourced<Tuple>>)>,
    pub(super) warnings: Vec<Problem>,
}

/// Why no test of a file was run.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The file, or one that it names, cannot be read.
    Unreadable(Vec<Problem>),
    /// The model, or the policies, are invalid.
    Invalid(Vec<Problem>),
}

impl Refusal {
    pub(super) fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable(problems) | Self::Invalid(problems) => problems,
        }
    }
}

/// Where a store file is, and what it may name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// As shown.
    pub(super) name: &'a str,
    pub(super) folder: &'a Path,
    /// Whether it may name files outside its folder.
    pub(super) external: bool,
}

/// Reads a store file's `text`, and all that it names. `texts` takes the texts that problems speak of.
///
/// # Errors
/// What is wrong with a file, or with the model.
pub(super) fn load(text: &str, origin: Origin<'_>, texts: &mut BTreeMap<String, String>) -> Result<Loaded, Refusal> {
    let store = store_file::read(text, origin.name).map_err(Refusal::Unreadable)?;
    let (model, warnings) = match store.model {
        ModelText::Inline { place, text: model, block } => {
            inline_model(origin.name, text, place, &model, block, texts)?
        }
        ModelText::File(file) => {
            let path = origin.resolve(&file).map_err(unreadable)?;
            let found = read_model(&path).map_err(|error| unreadable(origin.problem(file.place, error.to_string())))?;
            let ModelFiles { model, texts: more, .. } = found;
            texts.extend(more);
            model.map_err(Refusal::Invalid)?
        }
    };
    let mut problems = Vec::new();
    let global = origin.tuples(store.tuples, &mut problems);
    let mut all = Vec::new();
    for mut test in store.tests {
        let own = origin.tuples(std::mem::take(&mut test.tuples), &mut problems);
        all.push((test, global.iter().cloned().chain(own).collect()));
    }
    if problems.is_empty() { Ok(Loaded { model, tests: all, warnings }) } else { Err(Refusal::Unreadable(problems)) }
}

fn unreadable(problem: Problem) -> Refusal {
    Refusal::Unreadable(vec![problem])
}

impl<'a> Origin<'a> {
    pub(super) fn new(name: &'a str, path: &'a Path, external: bool) -> Self {
        Self { name, folder: path.parent().unwrap_or_else(|| Path::new(".")), external }
    }

    pub(super) fn problem(self, place: Place, message: String) -> Problem {
        Problem { file: Some(self.name.to_owned()), ..place.problem(CODE, message) }
    }

    /// The path of a file or folder that the file names.
    pub(super) fn place(self, file: &FileRef) -> Result<PathBuf, Problem> {
        let path = Path::new(&file.path);
        if !self.external && leaves(path) {
            let message = format!("`{}` leads out of the folder of the file", file.path);
            let problem = self.problem(file.place, message);
            return Err(problem.with_hint("--allow-external-files allows it"));
        }
        Ok(self.folder.join(path))
    }

    /// The path of a file that the file names.
    pub(super) fn resolve(self, file: &FileRef) -> Result<PathBuf, Problem> {
        let path = self.place(file)?;
        // A pipe or a device might never end.
        if path.exists() && !path.is_file() {
            return Err(self.problem(file.place, format!("`{}` is no file", file.path)));
        }
        Ok(path)
    }

    fn tuples(self, sources: TupleSources, problems: &mut Vec<Problem>) -> Vec<Sourced<Tuple>> {
        let inline =
            |(place, what): (Place, Tuple)| Sourced { what, file: self.name.to_owned(), line: Some(place.line) };
        let mut found: Vec<Sourced<Tuple>> = sources.inline.into_iter().map(inline).collect();
        for file in &sources.files {
            found.extend(self.tuple_file(file, problems));
        }
        found
    }

    /// What a file of entities or tuples holds that is named.
    pub(super) fn data_file(self, named: &DataFile) -> Result<DataRows, Vec<Problem>> {
        let mut problems = Vec::new();
        let rows = match named {
            DataFile::Tuples(file) => {
                let tuples = self.tuple_file(file, &mut problems).into_iter();
                DataRows { tuples: tuples.map(|tuple| (tuple.line, tuple.what)).collect(), ..DataRows::default() }
            }
            DataFile::Entities(file) => {
                let read = self.resolve(file).and_then(|path| {
                    let text = read_text(&path, &file.path);
                    let read = text.and_then(|text| read_entities(&file.path, &text));
                    read.map_err(|error| self.problem(file.place, error.to_string()))
                });
                let entities = read.map_err(|problem| problems.push(problem)).unwrap_or_default();
                DataRows { entities, ..DataRows::default() }
            }
        };
        if problems.is_empty() { Ok(rows) } else { Err(problems) }
    }

    /// The tuples of a file that is named.
    pub(super) fn tuple_file(self, file: &FileRef, problems: &mut Vec<Problem>) -> Vec<Sourced<Tuple>> {
        let rows = self
            .resolve(file)
            .and_then(|path| read_tuples(&path, None).map_err(|error| self.problem(file.place, error.to_string())));
        let mut found = Vec::new();
        for row in rows.map_err(|problem| problems.push(problem)).into_iter().flatten() {
            match row {
                Ok(Row { row, tuple }) => {
                    let line = u32::try_from(row).ok();
                    found.push(Sourced { what: tuple, file: file.path.clone(), line });
                }
                Err(error) => problems.push(self.problem(file.place, error.to_string())),
            }
        }
        found
    }
}

/// Whether a path leads out of the folder that it is relative to; links are not followed.
fn leaves(path: &Path) -> bool {
    let mut depth = 0_usize;
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => return true,
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
        }
    }
    false
}

/// Reads the model that stands in a store file, and places its problems in that file where its lines are the file's.
fn inline_model(
    file: &str,
    whole: &str,
    place: Place,
    text: &str,
    block: bool,
    texts: &mut BTreeMap<String, String>,
) -> Result<(RelationModel, Vec<Problem>), Refusal> {
    let source = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: text.to_owned() };
    let inside = format!("{file} (model)");
    let mut apart = false;
    let mut placed = |problem: Problem| {
        let moved = problem.line.filter(|_| block).and_then(|line| {
            let own = text.lines().nth(usize::try_from(line.checked_sub(1)?).ok()?)?;
            let line = place.line.checked_add(line)?.checked_sub(1)?;
            let indented = whole.lines().nth(usize::try_from(line.checked_sub(1)?).ok()?)?;
            let indent = u32::try_from(indented.strip_suffix(own)?.chars().count()).ok()?;
            Some((line, problem.column.map(|column| column.saturating_add(indent))))
        });
        let Some((line, column)) = moved else {
            apart = true;
            return Problem { file: Some(inside.clone()), ..problem };
        };
        Problem { file: Some(file.to_owned()), line: Some(line), column, ..problem }
    };
    let model = match RelationModel::read(file, source) {
        Ok((model, warnings)) => Ok((model, warnings.into_iter().map(&mut placed).collect())),
        Err(problems) => Err(Refusal::Invalid(problems.into_iter().map(&mut placed).collect())),
    };
    if apart {
        texts.insert(inside, text.to_owned());
    }
    model
}
