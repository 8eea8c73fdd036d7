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
use authx_engine::{EntityInput, PolicySource, SchemaSource, SchemaSyntax, split_policies};

use crate::cli::tuples::read::{Format, Row, rows_of};

pub(crate) use error::FilesError;

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// How deep folders may be nested below a store's; a link that leads back to its own folder ends here.
const MAX_NESTING: usize = 16;

/// The name of the folder that holds one folder for each store.
const POLICIES: &str = "policies";

/// The name of the folder beside it that holds the schemas and relation models.
const SCHEMAS: &str = "schemas";

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
    let target = names.target.as_path();
    if target.is_file() {
        return Ok(vec![single_file(&names, target)?]);
    }
    let below = target.join(POLICIES);
    let mut stores = if below.is_dir() {
        policies_folder(&names, &below)?
    } else if is_policies(target) {
        policies_folder(&names, target)?
    } else {
        vec![store_folder(&names, target)?]
    };
    stores.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(stores)
}

/// One policy file, held to the schema and the model of its store.
fn single_file(names: &Names<'_>, file: &Path) -> Result<StoreFiles, FilesError> {
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
    read_store(names, name, file, &files)
}

/// Every store below a `policies` folder; or, when the files stand in it directly, the one store that it is.
fn policies_folder(names: &Names<'_>, folder: &Path) -> Result<Vec<StoreFiles>, FilesError> {
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
            Ok(vec![read_store(names, name, folder, &direct)?])
        }
        (true, false) => stores
            .into_iter()
            .map(|(path, mut files)| {
                files.extend(types_beside(names, &path)?);
                read_store(names, last_part(&path), &path, &files)
            })
            .collect(),
    }
}

/// One store's folder. Outside a `policies` folder it must hold a store's file itself, so that no tree of other
/// things is taken for a store.
fn store_folder(names: &Names<'_>, folder: &Path) -> Result<StoreFiles, FilesError> {
    let in_policies = folder.parent().is_some_and(is_policies);
    if !in_policies && !listing(names, folder)?.iter().any(|path| !path.is_dir() && Kind::of(path).is_some()) {
        return Err(FilesError::NoPolicies { path: names.show(folder) });
    }
    let mut files = Vec::new();
    walk(names, folder, 0, &mut files)?;
    files.extend(types_beside(names, folder)?);
    read_store(names, last_part(folder), folder, &files)
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

/// Reads the files of one store; `place` is what the user is told when there is no policy in them.
fn read_store(names: &Names<'_>, name: String, place: &Path, files: &[StoreFile]) -> Result<StoreFiles, FilesError> {
    let mut store = StoreFiles {
        name,
        schema: None,
        model: None,
        policies: Vec::new(),
        entities: Vec::new(),
        tuples: Vec::new(),
        texts: BTreeMap::new(),
    };
    for StoreFile { kind, path } in files {
        let file = names.show(path);
        let text = read_text(path, &file)?;
        match kind {
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
        store.texts.insert(file, text);
    }
    if store.policies.is_empty() {
        return Err(FilesError::NoPolicies { path: names.show(place) });
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

/// What a file of a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
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

/// How paths are shown: relative to the current folder, else as the user began them.
struct Names<'a> {
    given: &'a Path,
    target: PathBuf,
    here: PathBuf,
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
        Ok(Self { given, target: resolve(&here.join(given))?, here: resolve(here)? })
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
mod tests {
    use tempfile::TempDir;

    use super::*;

    const ROOT: [(&str, &str); 6] = [
        ("policies/b/one.cedar", "permit(principal, action, resource);"),
        (
            "policies/a/sub/two.cedar",
            "// head\npermit(principal, action, resource);\nforbid(principal, action, resource);\n",
        ),
        ("policies/a/a.cedarentities.json", r#"[{"uid":{"type":"User","id":"ann"},"attrs":{},"parents":["Role:x"]}]"#),
        ("policies/a/a_test.yaml", "not read"),
        ("schemas/a.cedarschema", "entity User;"),
        ("schemas/b.cedarschema.json", "{}"),
    ];

    pub(super) fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// `name: schema, file:line of each policy` for each store.
    fn found(files: &[(&str, &str)], path: &str) -> String {
        let folder = folder(files);
        let stores = match find_from(Path::new(path), folder.path()) {
            Ok(stores) => stores,
            Err(error) => return error.to_string(),
        };
        let show = |store: &StoreFiles| {
            let schema = store.schema.as_ref().and_then(|schema| schema.file.clone()).unwrap_or_default();
            let place = |policy: &PolicySource| format!(" {}:{}", policy.file.as_deref().unwrap_or(""), policy.line);
            format!("{}: [{schema}]{}", store.name, store.policies.iter().map(place).collect::<String>())
        };
        stores.iter().map(show).collect::<Vec<_>>().join("\n")
    }

    const STORE_A: &str = "a: [schemas/a.cedarschema] policies/a/sub/two.cedar:1 policies/a/sub/two.cedar:3";
    const STORE_B: &str = "b: [schemas/b.cedarschema.json] policies/b/one.cedar:1";

    #[test]
    fn every_way_to_name_a_store_finds_its_schema() {
        let both = format!("{STORE_A}\n{STORE_B}");
        assert_eq!(found(&ROOT, "."), both);
        assert_eq!(found(&ROOT, "policies"), both);
        assert_eq!(found(&ROOT, "policies/a"), STORE_A);
        assert_eq!(found(&ROOT, "policies/b/"), STORE_B);
        assert_eq!(found(&ROOT, "policies/b/one.cedar"), STORE_B);
        assert_eq!(found(&ROOT, "policies/a/sub/two.cedar"), STORE_A);
    }

    #[test]
    fn texts_and_entities_are_read() {
        let folder = folder(&ROOT);
        let stores = find_from(Path::new("policies/a"), folder.path()).unwrap();
        assert_eq!(stores[0].entities.len(), 1);
        let names: Vec<&str> = stores[0].texts.keys().map(String::as_str).collect();
        assert_eq!(names, ["policies/a/a.cedarentities.json", "policies/a/sub/two.cedar", "schemas/a.cedarschema"]);
    }

    #[test]
    fn files_outside_the_current_folder_are_shown_as_given() {
        let (folder, elsewhere) = (folder(&ROOT), tempfile::tempdir().unwrap());
        let stores = find_from(&folder.path().join("policies/b"), elsewhere.path()).unwrap();
        let expected = folder.path().join("policies/b/one.cedar").display().to_string();
        assert_eq!(stores[0].policies[0].file.as_deref(), Some(expected.as_str()));
    }

    #[test]
    fn a_schema_may_stand_in_the_folder() {
        let files = [("x.cedar", "permit(principal, action, resource);"), ("any.cedarschema", "entity User;")];
        assert_eq!(found(&files, "x.cedar"), "x: [any.cedarschema] x.cedar:1");
        assert!(found(&files, ".").ends_with(": [any.cedarschema] x.cedar:1"));
    }

    #[test]
    fn a_policies_folder_may_be_one_store() {
        let files = [("policies/x.cedar", "permit(principal, action, resource);"), ("schemas/docs.cedarschema", "")];
        assert_eq!(found(&files, "."), "docs: [schemas/docs.cedarschema] policies/x.cedar:1");
        assert_eq!(found(&files, "policies/x.cedar"), "x: [schemas/docs.cedarschema] policies/x.cedar:1");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let mut files = ROOT.to_vec();
        files.push(("policies/stray.cedar", "permit(principal, action, resource);"));
        assert!(found(&files, ".").starts_with("`policies` holds both"));
        let mut files = ROOT.to_vec();
        files.push(("policies/a/own.cedarschema", ""));
        let expected = "store `a` has more than one schema: `policies/a/own.cedarschema` and `schemas/a.cedarschema`";
        assert_eq!(found(&files, "."), expected);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(found(&ROOT, "nowhere"), "there is no file or folder `nowhere`");
        assert!(found(&ROOT, "schemas/a.cedarschema").starts_with("`schemas/a.cedarschema` is no policy file"));
        assert!(found(&[("notes/a.txt", "")], "notes").starts_with("no policies found in `notes`"));
        assert!(found(&[("policies/a/x.cedar", "// none")], ".").starts_with("no policies found in `policies/a`"));
        // A tree of other things is not taken for a store.
        assert!(
            found(&[("src/deep/x.cedar", "permit(principal, action, resource);")], "src").starts_with("no policies")
        );
    }

    #[test]
    fn malformed_files_are_refused() {
        let entities =
            [("s/x.cedar", "permit(principal, action, resource);"), ("s/x.cedarentities.json", "[\n {\"uid\": 3}]")];
        let said = found(&entities, "s");
        assert!(said.starts_with("s/x.cedarentities.json:2:"), "{said}");
        assert!(said.contains("malformed entities") && !said.contains(" at line "), "{said}");
        let folder = folder(&[]);
        fs::write(folder.path().join("x.cedar"), b"//\n\xff").unwrap();
        let error = find_from(Path::new("x.cedar"), folder.path()).unwrap_err();
        assert!(matches!(error, FilesError::NotUtf8 { line: 2, .. }), "{error}");
        File::create(folder.path().join("y.cedar")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        let error = find_from(Path::new("y.cedar"), folder.path()).unwrap_err();
        assert_eq!(error.to_string(), "`y.cedar` is larger than 64 MiB");
    }

    #[test]
    fn tuples_are_read_with_their_lines() {
        let mut files = ROOT.to_vec();
        files.push(("policies/a/a.tuples", "# who is in\n\ngroup:eng#member@user:ann\n"));
        let read = |folder: &TempDir| find_from(Path::new("policies/a"), folder.path());
        let stores = read(&folder(&files)).unwrap();
        let [(file, row)] = stores[0].tuples.as_slice() else { panic!("{:?}", stores[0].tuples) };
        assert_eq!((file.as_str(), row.row), ("policies/a/a.tuples", 3));
        assert_eq!(row.tuple.key.to_string(), "group:eng#member@user:ann");
        files.push(("policies/a/b.tuples", "group:eng#member@user:ann\nann\n"));
        let said = read(&folder(&files)).unwrap_err().to_string();
        assert_eq!(said, "policies/a/b.tuples:2: `ann` is no tuple: write `type:id#relation@subject`");
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(found(&[("x.cedar", "\u{feff}permit(principal, action, resource);")], "x.cedar"), "x: [] x.cedar:1");
    }
}
