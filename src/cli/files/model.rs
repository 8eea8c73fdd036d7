//! Finds and reads a relation model on disk: one file in OpenFGA's language or JSON, or the files that an `fga.mod`
//! lists. Knows no store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use authx_engine::Problem;
use authx_engine::relation::{ModelSource, ModelSyntax, RelationModel, combine, parse_module, validate};

use super::{FilesError, Names, last_part, listing, mod_file, read_text};

/// How a model is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Dsl,
    Json,
    /// Files that an `fga.mod` lists.
    Modules,
}

/// A model, or what is wrong with it. Files are named as the user would write their paths.
#[derive(Debug)]
pub(crate) struct ModelFiles {
    pub(crate) name: String,
    pub(crate) form: Form,
    /// The files that hold the model itself: their names as shown, and their paths.
    pub(crate) files: Vec<(String, PathBuf)>,
    /// File name as shown → whole text.
    pub(crate) texts: BTreeMap<String, String>,
    /// With it come warnings.
    pub(crate) model: Result<(RelationModel, Vec<Problem>), Vec<Problem>>,
}

/// Why a model could not be found or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelFilesError {
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("`{path}` is no model: expected a file that ends in `.fga` or `.json`, or `fga.mod`")]
    Unsupported { path: String },
    #[error("no model found in `{path}`: expected `fga.mod`, or one file that ends in `.fga` or `.json`")]
    NoModel { path: String },
    #[error("`{path}` holds several models, `{first}` and `{second}`: name one of them, or list them in an `fga.mod`")]
    Several { path: String, first: String, second: String },
}

/// Reads the model of a path: a file, an `fga.mod`, or a folder with one of them.
///
/// # Errors
/// When a file cannot be read, or a folder holds no model or several. What is wrong with the model is in the answer.
pub(crate) fn read_model(path: &Path) -> Result<ModelFiles, ModelFilesError> {
    let here = std::env::current_dir().map_err(|source| FilesError::Read { path: ".".to_owned(), source })?;
    read_from(path, &here)
}

fn read_from(path: &Path, here: &Path) -> Result<ModelFiles, ModelFilesError> {
    let names = Names::new(path, here)?;
    let file = if names.target.is_dir() { model_of_folder(&names)? } else { names.target.clone() };
    let name = names.show(&file);
    let Some(form) = Form::of(&file) else { return Err(ModelFilesError::Unsupported { path: name }) };
    let text = read_text(&file, &name)?;
    match form {
        Form::Modules => Ok(read_modules(&names, &file, &name, text)),
        Form::Dsl | Form::Json => {
            let syntax = if form == Form::Dsl { ModelSyntax::Dsl } else { ModelSyntax::Json };
            let source = ModelSource { syntax, file: Some(name.clone()), text: text.clone() };
            let model = RelationModel::read(&name, source);
            let files = vec![(name.clone(), file)];
            Ok(ModelFiles { texts: BTreeMap::from([(name.clone(), text)]), name, form, files, model })
        }
    }
}

impl Form {
    fn of(file: &Path) -> Option<Self> {
        if last_part(file) == mod_file::NAME {
            return Some(Self::Modules);
        }
        match file.extension()?.to_str()? {
            "fga" => Some(Self::Dsl),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// `fga.mod`, else the only file in the language, else the only JSON.
fn model_of_folder(names: &Names<'_>) -> Result<PathBuf, ModelFilesError> {
    let files: Vec<PathBuf> = listing(names, &names.target)?.into_iter().filter(|path| path.is_file()).collect();
    for form in [Form::Modules, Form::Dsl, Form::Json] {
        let mut of_form = files.iter().filter(|file| Form::of(file) == Some(form));
        match (of_form.next(), of_form.next()) {
            (Some(only), None) => return Ok(only.clone()),
            (Some(first), Some(second)) => {
                let (first, second) = (names.show(first), names.show(second));
                return Err(ModelFilesError::Several { path: names.show(&names.target), first, second });
            }
            (None, _) => {}
        }
    }
    Err(ModelFilesError::NoModel { path: names.show(&names.target) })
}

/// Reads the files that an `fga.mod` lists and joins them.
fn read_modules(names: &Names<'_>, file: &Path, name: &str, text: String) -> ModelFiles {
    let mut read = ModelFiles {
        name: name.to_owned(),
        form: Form::Modules,
        files: Vec::new(),
        texts: BTreeMap::new(),
        model: Err(Vec::new()),
    };
    let listed = mod_file::read(&text, name);
    read.texts.insert(name.to_owned(), text);
    let listed = match listed {
        Ok(listed) => listed,
        Err(problems) => return ModelFiles { model: Err(problems), ..read },
    };
    let (mut modules, mut problems) = (Vec::new(), Vec::new());
    for mod_file::Listed { path, place } in listed {
        let path = file.parent().unwrap_or(file).join(path);
        let shown = names.show(&path);
        match read_text(&path, &shown) {
            Ok(text) => {
                match parse_module(&text, &shown) {
                    Ok(module) => modules.push(module),
                    Err(found) => problems.extend(found),
                }
                read.texts.insert(shown.clone(), text);
                read.files.push((shown, path));
            }
            Err(error) => {
                let problem = place.problem("mod_file", error.to_string());
                problems.push(Problem { file: Some(name.to_owned()), ..problem });
            }
        }
    }
    let model = if problems.is_empty() { compile(modules) } else { Err(problems) };
    let in_file = |problem: Problem| Problem { file: problem.file.or_else(|| Some(name.to_owned())), ..problem };
    let all = |problems: Vec<Problem>| problems.into_iter().map(in_file).collect();
    ModelFiles { model: model.map(|(model, warnings)| (model, all(warnings))).map_err(all), ..read }
}

fn compile(modules: Vec<authx_engine::relation::Module>) -> Result<(RelationModel, Vec<Problem>), Vec<Problem>> {
    let model = combine(mod_file::SCHEMA, modules)?;
    let problems = validate(&model);
    if problems.iter().any(Problem::is_error) {
        return Err(problems);
    }
    RelationModel::compile(model).map(|model| (model, problems))
}

#[cfg(test)]
mod tests {
    use super::super::tests::folder;
    use super::*;

    const CORE: &str = "module core\n\ntype user\n";
    const WIKI: &str = "module wiki\n\ntype page\n  relations\n    define reader: [user]\n";
    const ONE: &str = "model\n  schema 1.1\ntype user\n";
    const JSON: &str = r#"{"schema_version": "1.1", "type_definitions": [{"type": "user"}]}"#;
    const MOD: &str = "schema: '1.2'\ncontents:\n  - core.fga\n  - deep/wiki.fga\n";

    /// The types of the model, or what is wrong with their places.
    fn found(files: &[(&str, &str)], path: &str) -> String {
        let folder = folder(files);
        match read_from(Path::new(path), folder.path()) {
            Err(error) => error.to_string(),
            Ok(read) => match read.model {
                Ok((model, _)) => {
                    let types: Vec<_> = model.model().types.iter().map(|t| t.name.as_str()).collect();
                    format!("{}: {}", read.name, types.join(" "))
                }
                Err(problems) => problems.iter().map(told).collect::<Vec<_>>().join("\n"),
            },
        }
    }

    fn told(problem: &Problem) -> String {
        let place = problem.line.map(|line| format!("{line}:{}", problem.column.unwrap_or_default()));
        format!("{}:{} {}", problem.file.as_deref().unwrap_or("-"), place.unwrap_or_default(), problem.message)
    }

    #[test]
    fn every_form_is_read() {
        let modules = [("m/fga.mod", MOD), ("m/core.fga", CORE), ("m/deep/wiki.fga", WIKI)];
        for path in ["m", "m/fga.mod", "./m/"] {
            assert_eq!(found(&modules, path), "m/fga.mod: user page", "{path}");
        }
        for (files, path, expected) in [
            (&[("a/x.fga", ONE), ("a/x.json", "{")][..], "a", "a/x.fga: user"),
            (&[("a/x.fga", ONE)], "a/x.fga", "a/x.fga: user"),
            (&[("a/x.json", JSON), ("a/notes.txt", "")], "a", "a/x.json: user"),
        ] {
            assert_eq!(found(files, path), expected);
        }
    }

    #[test]
    fn what_is_no_model_is_told() {
        for (files, path, expected) in [
            (
                &[("a/x.txt", "")][..],
                "a",
                "no model found in `a`: expected `fga.mod`, or one file that ends in `.fga` or `.json`",
            ),
            (
                &[("a/x.txt", "")],
                "a/x.txt",
                "`a/x.txt` is no model: expected a file that ends in `.fga` or `.json`, or `fga.mod`",
            ),
            (
                &[("a/x.fga", ONE), ("a/y.fga", ONE)],
                "a",
                "`a` holds several models, `a/x.fga` and `a/y.fga`: name one of them, or list them in an `fga.mod`",
            ),
            (&[], "a", "there is no file or folder `a`"),
        ] {
            assert_eq!(found(files, path), expected);
        }
    }

    #[test]
    fn problems_name_the_file_and_the_place() {
        let condition = "model\n  schema 1.1\ntype user\ntype a\n  relations\n    define b: [user with c]\n\ncondition c(x: int) {\n  x < \"1\"\n}\n";
        for (files, path, expected) in [
            (&[("x.fga", "model\n  schema 1.1\ntype a\n  relations\n    define b: [c]\n")][..], "x.fga", "x.fga:5:12 "),
            (&[("x.fga", condition)], "x.fga", "x.fga:8:11 condition `c`: "),
            (&[("x.json", "{\n  \"schema_version\": 1.1,\n}")], "x.json", "x.json:3:1 "),
            (&[("fga.mod", MOD), ("core.fga", CORE)], "fga.mod", "fga.mod:4:5 cannot read `deep/wiki.fga`"),
            (&[("fga.mod", MOD), ("core.fga", CORE), ("deep/wiki.fga", ONE)], ".", "deep/wiki.fga:1:1 "),
            (
                &[("fga.mod", MOD), ("core.fga", CORE), ("deep/wiki.fga", "module w\n\ntype user\n")],
                ".",
                "deep/wiki.fga:3:6 ",
            ),
            (
                &[("fga.mod", MOD), ("core.fga", CORE), ("deep/wiki.fga", &WIKI.replace("[user]", "[usr]"))],
                ".",
                "deep/wiki.fga:5:12 ",
            ),
            (&[("fga.mod", "schema: '1.1'\ncontents: []\n")], ".", "fga.mod:1:9 `schema` is `1.1`"),
        ] {
            let told = found(files, path);
            assert!(told.starts_with(expected) && !told.contains('\n'), "expected {expected}, got {told}");
        }
    }
}
