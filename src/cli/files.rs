//! Finds and reads the files of stores: policies, schemas, models, entities and tuples on disk.
//!
//! It knows no server and compiles nothing. Nothing that belongs to a store is passed over in silence: a layout that
//! can be read in two ways is refused.

mod error;
mod mod_file;
pub(crate) mod model;
pub(crate) mod snapshot;
pub(crate) mod test_file;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read as _};
use std::path::{Path, PathBuf};

use authx_engine::relation::{ModelSource, ModelSyntax};
use authx_engine::{
    EntityInput, PolicySource, SchemaSource, SchemaSyntax, is_policy_id, percent_decoded, split_policies,
};

use serde_json::Value;

use crate::cli::tuples::read::{Format, Row, rows_of};

pub(crate) use error::FilesError;

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// How deep folders may be nested below a store's; a link that leads back to its own folder ends here.
pub(crate) const MAX_NESTING: usize = 16;

/// The name of the folder that holds one folder for each store.
pub(crate) const POLICIES: &str = "policies";

/// The name of the folder beside it that holds the schemas and relation models.
pub(crate) const SCHEMAS: &str = "schemas";

/// The name of folders whose files hold one policy each, with the file's name as its id: of those that were put under an
/// id which is not in their text.
pub(crate) const BY_ID: &str = "by-id";

/// Which files are a store's, by the end of their names.
const KINDS: [(&str, Kind); 6] = [
    (".cedar", Kind::Policies),
    (".cedarschema", Kind::Schema(SchemaSyntax::Cedar)),
    (".cedarschema.json", Kind::Schema(SchemaSyntax::Json)),
    (".cedarentities.json", Kind::Entities),
    (".fga", Kind::Model),
    (".tuples", Kind::Tuples),
];

/// One store as its files say it is. Files are named as the user would write their paths.
#[derive(Debug, Clone)]
pub(crate) struct StoreFiles {
    pub(crate) name: String,
    pub(crate) schema: Option<SchemaSource>,
    pub(crate) model: Option<ModelSource>,
    pub(crate) policies: Vec<PolicySource>,
    /// By the name of their file.
    pub(crate) entities: Vec<(String, EntityInput)>,
    /// By the name of their file, each with its line.
    pub(crate) tuples: Vec<(String, Row)>,
    /// File name as shown → whole text, to show the lines that diagnostics speak of.
    pub(crate) texts: BTreeMap<String, String>,
    /// File name as shown → its name from the root on, which a server is told: the same from whatever folder it is sent.
    sent: BTreeMap<String, String>,
}

impl StoreFiles {
    /// The name of a file that a server is told.
    pub(crate) fn sent<'a>(&'a self, file: &'a str) -> &'a str {
        self.sent.get(file).map_or(file, String::as_str)
    }

    /// Schema, model and policies as a server is sent them: their files by their names from the root on, and JSON as a
    /// value, which a server keeps.
    pub(crate) fn sources(&self) -> (Option<SchemaSource>, Option<ModelSource>, Vec<PolicySource>) {
        let sent = |file: &Option<String>| file.as_deref().map(|file| self.sent(file).to_owned());
        let schema = self.schema.as_ref().map(|schema| {
            let json = || serde_json::from_str::<Value>(&schema.text).ok().map(|json| json.to_string());
            let text = match schema.syntax {
                SchemaSyntax::Cedar => schema.text.clone(),
                SchemaSyntax::Json => json().unwrap_or_else(|| schema.text.clone()),
            };
            SchemaSource { syntax: schema.syntax, file: sent(&schema.file), text }
        });
        let model = self.model.as_ref().map(|model| ModelSource { file: sent(&model.file), ..model.clone() });
        let policy = |policy: &PolicySource| PolicySource { file: sent(&policy.file), ..policy.clone() };
        (schema, model, self.policies.iter().map(policy).collect())
    }

    /// A file that a server speaks of, as it is shown here.
    pub(crate) fn shown<'a>(&'a self, sent: &'a str) -> &'a str {
        self.sent.iter().find(|(_, name)| *name == sent).map_or(sent, |(shown, _)| shown)
    }
}

/// Reads the stores of a path: a root with `policies/` and `schemas/`, a `policies` folder, one store's folder, or
/// one policy file. They come sorted by name, each with at least one policy.
///
/// # Errors
/// When a file cannot be read, the layout can be read in two ways, or there is no policy.
pub(crate) fn find(path: &Path) -> Result<Vec<StoreFiles>, FilesError> {
    let here = std::env::current_dir().map_err(|source| FilesError::Read { path: ".".to_owned(), source })?;
    find_from(path, &here)
}

fn find_from(path: &Path, here: &Path) -> Result<Vec<StoreFiles>, FilesError> {
    let names = Names::new(path, here)?;
    stores_of(&names)?.into_iter().map(|found| read_store(&names, found)).collect()
}

/// The files of a path that people write: their names as shown, and their paths. Of one file it is that one.
///
/// # Errors
/// As [`find`], but what is in the files is not looked at.
pub(crate) fn written(path: &Path) -> Result<Vec<(String, PathBuf, Kind)>, FilesError> {
    let here = std::env::current_dir().map_err(|source| FilesError::Read { path: ".".to_owned(), source })?;
    let names = Names::new(path, &here)?;
    let files = match StoreFile::of(names.target.clone()).filter(|_| names.target.is_file()) {
        Some(only) => vec![only],
        None => stores_of(&names)?.into_iter().flat_map(|found| found.files).collect(),
    };
    Ok(files.into_iter().map(|StoreFile { kind, path }| (names.show(&path), path, kind)).collect())
}

/// The policies, schemas and models that a root has for a store's folder.
///
/// # Errors
/// When a folder cannot be listed.
pub(crate) fn of_store(root: &Path, store: &str) -> Result<Vec<PathBuf>, FilesError> {
    let names = Names { given: root, target: root.to_path_buf(), here: root.to_path_buf(), root: root.to_path_buf() };
    let folder = root.join(POLICIES).join(store);
    let mut files = Vec::new();
    if folder.is_dir() {
        walk(&names, &folder, 0, &mut files)?;
    }
    files.extend(types_beside(&names, &folder)?);
    let told = files.into_iter().filter(|file| file.kind == Kind::Policies || file.tells_types());
    Ok(told.map(|file| file.path).collect())
}

/// A store whose files are not read yet.
struct Found {
    name: String,
    /// What the user is told when there is no policy in them.
    place: PathBuf,
    files: Vec<StoreFile>,
}

/// The stores of a path, sorted by name.
fn stores_of(names: &Names<'_>) -> Result<Vec<Found>, FilesError> {
    let target = names.target.as_path();
    if target.is_file() {
        return Ok(vec![single_file(names, target)?]);
    }
    let below = target.join(POLICIES);
    let mut stores = if below.is_dir() {
        policies_folder(names, &below)?
    } else if is_policies(target) {
        policies_folder(names, target)?
    } else {
        vec![store_folder(names, target)?]
    };
    stores.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(stores)
}

/// One policy file, held to the schema and the model of its store.
fn single_file(names: &Names<'_>, file: &Path) -> Result<Found, FilesError> {
    if Kind::of(file) != Some(Kind::Policies) {
        return Err(FilesError::Unsupported { path: names.show(file) });
    }
    let folder = file.parent().unwrap_or(file);
    let store = file.ancestors().skip(1).find(|above| above.parent().is_some_and(is_policies));
    let mut types = types_beside(names, store.unwrap_or(folder))?;
    for place in store.into_iter().filter(|store| *store != folder).chain([folder]) {
        types.extend(listing(names, place)?.into_iter().filter_map(StoreFile::of).filter(StoreFile::tells_types));
    }
    // Files that stand side by side, and not as one store, may each have a schema and a model of their own name.
    if store.is_none() && types.iter().any(|other| stem(&other.path) == stem(file)) {
        types.retain(|other| stem(&other.path) == stem(file));
    }
    let name = store.map_or_else(|| stem(file), last_part);
    let mut files = types;
    files.push(StoreFile { kind: Kind::Policies, path: file.to_path_buf() });
    Ok(Found { name, place: file.to_path_buf(), files })
}

/// Every store below a `policies` folder; or, when the files stand in it directly, the one store that it is.
fn policies_folder(names: &Names<'_>, folder: &Path) -> Result<Vec<Found>, FilesError> {
    let mut direct: Vec<StoreFile> = Vec::new();
    let mut stores: Vec<(PathBuf, Vec<StoreFile>)> = Vec::new();
    for path in listing(names, folder)? {
        if path.is_dir() {
            let mut files = Vec::new();
            walk(names, &path, 0, &mut files)?;
            if !files.is_empty() {
                stores.push((path, files));
            }
        } else {
            direct.extend(StoreFile::of(path));
        }
    }
    match (direct.is_empty(), stores.is_empty()) {
        (true, true) => Err(FilesError::NoPolicies { path: names.show(folder) }),
        (false, false) => Err(FilesError::Mixed { path: names.show(folder) }),
        (false, true) => {
            direct.extend(types_beside(names, folder)?);
            let mut schemas = direct.iter().filter(|file| file.tells_types());
            let given = schemas.next().map(|schema| stem(&schema.path));
            let name = given.unwrap_or_else(|| last_part(folder.parent().unwrap_or(folder)));
            Ok(vec![Found { name, place: folder.to_path_buf(), files: direct }])
        }
        (true, false) => stores
            .into_iter()
            .map(|(path, mut files)| {
                files.extend(types_beside(names, &path)?);
                Ok(Found { name: last_part(&path), place: path, files })
            })
            .collect(),
    }
}

/// One store's folder. Outside a `policies` folder it must hold a store's file itself, so that no tree of other
/// things is taken for a store.
fn store_folder(names: &Names<'_>, folder: &Path) -> Result<Found, FilesError> {
    let in_policies = folder.parent().is_some_and(is_policies);
    if !in_policies && !listing(names, folder)?.iter().any(|path| !path.is_dir() && Kind::of(path).is_some()) {
        return Err(FilesError::NoPolicies { path: names.show(folder) });
    }
    let mut files = Vec::new();
    walk(names, folder, 0, &mut files)?;
    files.extend(types_beside(names, folder)?);
    Ok(Found { name: last_part(folder), place: folder.to_path_buf(), files })
}

/// The schemas and models that the `schemas` folder has for a store's folder; for a `policies` folder, all of them.
fn types_beside(names: &Names<'_>, folder: &Path) -> Result<Vec<StoreFile>, FilesError> {
    let (policies, wanted) =
        if is_policies(folder) { (Some(folder), None) } else { (folder.parent(), Some(last_part(folder))) };
    let Some(schemas) = policies.and_then(Path::parent).map(|root| root.join(SCHEMAS)).filter(|path| path.is_dir())
    else {
        return Ok(Vec::new());
    };
    let files = listing(names, &schemas)?.into_iter().filter_map(StoreFile::of).filter(StoreFile::tells_types);
    Ok(files.filter(|file| wanted.as_ref().is_none_or(|wanted| stem(&file.path) == *wanted)).collect())
}

/// Reads the files of one store.
fn read_store(names: &Names<'_>, found: Found) -> Result<StoreFiles, FilesError> {
    let Found { name, place, files } = found;
    let mut store = StoreFiles {
        name,
        schema: None,
        model: None,
        policies: Vec::new(),
        entities: Vec::new(),
        tuples: Vec::new(),
        texts: BTreeMap::new(),
        sent: BTreeMap::new(),
    };
    for StoreFile { kind, path } in &files {
        let file = names.show(path);
        let text = read_text(path, &file)?;
        match kind {
            Kind::Policies if is_by_id(path) => {
                let id = id_of(path).ok_or_else(|| FilesError::NoId { path: file.clone() })?;
                let single = PolicySource::single(Some(id), text.clone());
                store.policies.push(PolicySource { file: Some(file.clone()), ..single });
            }
            Kind::Policies => store.policies.extend(split_policies(Some(&file), &text)),
            Kind::Entities => {
                let entities = read_entities(&file, &text)?;
                store.entities.extend(entities.into_iter().map(|entity| (file.clone(), entity)));
            }
            Kind::Tuples => {
                for row in rows_of(Cursor::new(text.clone()), &file, Format::Text) {
                    store.tuples.push((file.clone(), row?));
                }
            }
            Kind::Schema(syntax) => {
                if let Some(first) = store.schema.as_ref().and_then(|schema| schema.file.clone()) {
                    return Err(FilesError::Several { store: store.name, what: "schema", first, second: file });
                }
                store.schema = Some(SchemaSource { syntax: *syntax, file: Some(file.clone()), text: text.clone() });
            }
            Kind::Model => {
                if let Some(first) = store.model.as_ref().and_then(|model| model.file.clone()) {
                    return Err(FilesError::Several { store: store.name, what: "relation model", first, second: file });
                }
                let (file, text) = (Some(file.clone()), text.clone());
                store.model = Some(ModelSource { syntax: ModelSyntax::Dsl, file, text });
            }
        }
        store.sent.insert(file.clone(), names.sent(path).unwrap_or_else(|| file.clone()));
        store.texts.insert(file, text);
    }
    if store.policies.is_empty() {
        return Err(FilesError::NoPolicies { path: names.show(&place) });
    }
    Ok(store)
}

pub(crate) fn read_entities(file: &str, text: &str) -> Result<Vec<EntityInput>, FilesError> {
    serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        // The place is told apart from the message.
        let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(message, _)| message);
        FilesError::MalformedEntities {
            file: file.to_owned(),
            line: error.line(),
            column: error.column(),
            message: message.to_owned(),
        }
    })
}

/// A file's text.
pub(crate) fn read_text(path: &Path, shown: &str) -> Result<String, FilesError> {
    let fail = |source| FilesError::Read { path: shown.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(FilesError::TooLarge { path: shown.to_owned() });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        FilesError::NotUtf8 { path: shown.to_owned(), line: valid.split(|byte| *byte == b'\n').count() }
    })?;
    // Some editors begin a file with a byte order mark, which is no part of its text.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// All files of a store in a folder and below it, in the order of their names.
fn walk(names: &Names<'_>, folder: &Path, depth: usize, found: &mut Vec<StoreFile>) -> Result<(), FilesError> {
    if depth > MAX_NESTING {
        return Err(FilesError::TooDeep { path: names.show(folder) });
    }
    for path in listing(names, folder)? {
        if path.is_dir() {
            walk(names, &path, depth + 1, found)?;
        } else {
            found.extend(StoreFile::of(path));
        }
    }
    Ok(())
}

/// What a folder holds, sorted, without hidden files and folders.
fn listing(names: &Names<'_>, folder: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let fail = |source| FilesError::Read { path: names.show(folder), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn is_by_id(file: &Path) -> bool {
    file.parent().is_some_and(|folder| last_part(folder) == BY_ID)
}

/// The id that a file in such a folder gives its policy. `%41` stands for `A`, where file systems do not tell `A` from `a`.
fn id_of(file: &Path) -> Option<String> {
    percent_decoded(&stem(file)).filter(|id| is_policy_id(id))
}

/// What a file of a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Policies,
    Schema(SchemaSyntax),
    Model,
    Entities,
    Tuples,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let name = last_part(path);
        KINDS.into_iter().find(|(ending, _)| name.ends_with(*ending)).map(|(_, kind)| kind)
    }
}

/// A file of a store, not read yet.
#[derive(Debug)]
struct StoreFile {
    kind: Kind,
    path: PathBuf,
}

impl StoreFile {
    fn of(path: PathBuf) -> Option<Self> {
        Kind::of(&path).map(|kind| Self { kind, path })
    }

    /// Whether it is a schema or a relation model, which a store has one of.
    fn tells_types(&self) -> bool {
        matches!(self.kind, Kind::Schema(_) | Kind::Model)
    }
}

fn is_policies(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == POLICIES)
}

/// The last part of a path; the file system's root has none.
fn last_part(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The name of a file without the ending that says what it holds.
fn stem(path: &Path) -> String {
    let name = last_part(path);
    let stem = KINDS.into_iter().find_map(|(ending, _)| name.strip_suffix(ending));
    stem.map_or_else(|| name.clone(), str::to_owned)
}

/// The folder that the names of files begin at for a server.
fn root_of(target: &Path) -> &Path {
    let folder = if target.is_file() { target.parent().unwrap_or(target) } else { target };
    if folder.join(POLICIES).is_dir() {
        return folder;
    }
    let above = if target.is_file() { usize::MAX } else { 2 };
    let policies = folder.ancestors().take(above).find(|above| is_policies(above));
    policies.and_then(Path::parent).unwrap_or(folder)
}

/// How paths are shown: relative to the current folder, else as the user began them.
struct Names<'a> {
    given: &'a Path,
    target: PathBuf,
    here: PathBuf,
    /// The folder that has `policies` and `schemas`, or that of the only store.
    root: PathBuf,
}

impl<'a> Names<'a> {
    /// Resolves what the user gave; `here` is the current folder.
    fn new(given: &'a Path, here: &Path) -> Result<Self, FilesError> {
        let resolve = |path: &Path| {
            fs::canonicalize(path).map_err(|source| {
                let path = given.display().to_string();
                if source.kind() == io::ErrorKind::NotFound {
                    FilesError::NotFound { path }
                } else {
                    FilesError::Read { path, source }
                }
            })
        };
        let target = resolve(&here.join(given))?;
        let root = root_of(&target).to_path_buf();
        Ok(Self { given, target, here: resolve(here)?, root })
    }

    /// The path from the root on.
    fn sent(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.root).ok()?;
        let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        Some(parts.join("/"))
    }

    fn show(&self, path: &Path) -> String {
        let shown = match (path.strip_prefix(&self.here), path.strip_prefix(&self.target)) {
            (Ok(below), _) => below.to_path_buf(),
            (Err(_), Ok(below)) if below.as_os_str().is_empty() => self.given.to_path_buf(),
            (Err(_), Ok(below)) => self.given.join(below),
            (Err(_), Err(_)) => path.to_path_buf(),
        };
        if shown.as_os_str().is_empty() { ".".to_owned() } else { shown.display().to_string() }
    }
}

#[cfg(test)]
mod tests;
