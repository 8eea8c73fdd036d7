//! Finds the files that `authx test` runs: those that were named, and those below folders.

use std::path::{Path, PathBuf};

use super::{FilesError, MAX_NESTING, Names, last_part, listing, read_text};

/// What a file of tests holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestKind {
    /// An OpenFGA store file: a model, tuples, and what must follow from them.
    Store,
    /// Tests of policies: data, and who may do what.
    Policies,
}

impl TestKind {
    fn of(path: &Path) -> Option<Self> {
        let name = last_part(path);
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends(&[".fga.yaml", ".fga.yml"]) {
            Some(Self::Store)
        } else {
            ends(&["_test.yaml", "_test.yml", "_test.json"]).then_some(Self::Policies)
        }
    }
}

/// A file of tests, and its text if it could be read.
#[derive(Debug)]
pub(crate) struct TestFile {
    pub(crate) kind: TestKind,
    /// As the user would write its path.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) text: Result<String, FilesError>,
}

/// The files of tests of all `paths`, sorted below each folder, each file once. A file that is named is a store file
/// unless its name says otherwise; JSON is Cedar's tests.
///
/// # Errors
/// When a path does not exist or a folder cannot be listed.
pub(crate) fn find_tests(paths: &[PathBuf]) -> Result<Vec<TestFile>, FilesError> {
    let here = std::env::current_dir().map_err(|source| FilesError::Read { path: ".".to_owned(), source })?;
    find_from(paths, &here)
}

fn find_from(paths: &[PathBuf], here: &Path) -> Result<Vec<TestFile>, FilesError> {
    let mut found: Vec<TestFile> = Vec::new();
    for path in paths {
        let names = Names::new(path, here)?;
        let mut files = Vec::new();
        if names.target.is_dir() {
            walk(&names, &names.target, 0, &mut files)?;
        } else {
            let json = names.target.extension().is_some_and(|extension| extension == "json");
            let unnamed = if json { TestKind::Policies } else { TestKind::Store };
            let kind = TestKind::of(&names.target).unwrap_or(unnamed);
            files.push((kind, names.target.clone()));
        }
        for (kind, path) in files {
            if !found.iter().any(|known| known.path == path) {
                let name = names.show(&path);
                let text = read_text(&path, &name);
                found.push(TestFile { kind, name, path, text });
            }
        }
    }
    Ok(found)
}

fn walk(
    names: &Names<'_>,
    folder: &Path,
    depth: usize,
    found: &mut Vec<(TestKind, PathBuf)>,
) -> Result<(), FilesError> {
    if depth > MAX_NESTING {
        return Err(FilesError::TooDeep { path: names.show(folder) });
    }
    for path in listing(names, folder)? {
        if path.is_dir() {
            walk(names, &path, depth + 1, found)?;
        } else if let Some(kind) = TestKind::of(&path) {
            found.push((kind, path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::folder;
    use super::*;

    #[test]
    fn folders_are_searched_and_files_are_taken_as_named() {
        let files = [
            ("a/x.fga.yaml", "x"),
            ("a/deep/y.fga.yml", "y"),
            ("a/tuples.yaml", ""),
            ("a/.hidden/z.fga.yaml", ""),
            ("b/store.yaml", ""),
            ("d/roles_test.yaml", ""),
            ("d/cedar_test.json", ""),
            ("d/data.json", ""),
        ];
        let folder = folder(&files);
        let names = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            let found = find_from(&paths, folder.path()).map_err(|error| error.to_string())?;
            Ok::<_, String>(found.into_iter().map(|file| file.name).collect::<Vec<_>>().join(" "))
        };
        for (paths, expected) in [
            (&["."][..], "a/deep/y.fga.yml a/x.fga.yaml d/cedar_test.json d/roles_test.yaml"),
            (&["b/store.yaml", "a", "a/x.fga.yaml"], "b/store.yaml a/deep/y.fga.yml a/x.fga.yaml"),
            (&["b"], ""),
            (&["d"], "d/cedar_test.json d/roles_test.yaml"),
            (&["d/data.json"], "d/data.json"),
        ] {
            assert_eq!(names(paths).as_deref(), Ok(expected));
        }
        assert_eq!(names(&["c"]), Err("there is no file or folder `c`".to_owned()));
    }
}
