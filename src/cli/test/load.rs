//! Reads what a store file names: its model, and files of tuples. Paths are relative to the store file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use authx_engine::Problem;
use authx_engine::relation::{ModelSource, ModelSyntax, RelationModel, Tuple};

use super::store_file::{self, CODE, FileRef, ModelText, Test, TupleSources};
use crate::cli::files::model::{ModelFiles, read_model};
use crate::cli::tuples::read::read_tuples;
use crate::cli::yaml::Place;

/// A tuple and where it is from, as `file:line`.
#[derive(Debug, Clone)]
pub(super) struct Sourced {
    pub(super) tuple: Tuple,
    pub(super) source: String,
}

/// A store file with all that it names.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) model: RelationModel,
    /// Each test with its tuples, those of all tests first.
    pub(super) tests: Vec<(Test, Vec<Sourced>)>,
    pub(super) warnings: Vec<Problem>,
}

/// Why no test of a file was run.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The file, or one that it names, cannot be read.
    Unreadable(Vec<Problem>),
    InvalidModel(Vec<Problem>),
}

impl Refusal {
    pub(super) fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable(problems) | Self::InvalidModel(problems) => problems,
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
            model.map_err(Refusal::InvalidModel)?
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

impl Origin<'_> {
    fn problem(self, place: Place, message: String) -> Problem {
        Problem { file: Some(self.name.to_owned()), ..place.problem(CODE, message) }
    }

    /// The path of a file that the store file names.
    fn resolve(self, file: &FileRef) -> Result<PathBuf, Problem> {
        let path = Path::new(&file.path);
        if !self.external && leaves(path) {
            let message = format!("`{}` leads out of the folder of the store file", file.path);
            let problem = self.problem(file.place, message);
            return Err(problem.with_hint("--allow-external-files allows it"));
        }
        let path = self.folder.join(path);
        // A pipe or a device might never end.
        if path.exists() && !path.is_file() {
            return Err(self.problem(file.place, format!("`{}` is no file", file.path)));
        }
        Ok(path)
    }

    fn tuples(self, sources: TupleSources, problems: &mut Vec<Problem>) -> Vec<Sourced> {
        let inline =
            |(place, tuple): (Place, Tuple)| Sourced { tuple, source: format!("{}:{}", self.name, place.line) };
        let mut found: Vec<Sourced> = sources.inline.into_iter().map(inline).collect();
        for file in sources.files {
            let rows = self
                .resolve(&file)
                .and_then(|path| read_tuples(&path, None).map_err(|error| self.problem(file.place, error.to_string())));
            match rows {
                Err(problem) => problems.push(problem),
                Ok(rows) => {
                    for row in rows {
                        match row {
                            Ok(row) => {
                                let source = format!("{}:{}", file.path, row.row);
                                found.push(Sourced { tuple: row.tuple, source });
                            }
                            Err(error) => problems.push(self.problem(file.place, error.to_string())),
                        }
                    }
                }
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
        Err(problems) => Err(Refusal::InvalidModel(problems.into_iter().map(&mut placed).collect())),
    };
    if apart {
        texts.insert(inside, text.to_owned());
    }
    model
}
