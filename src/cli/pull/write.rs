//! Brings a folder to what a release has. It writes below the folder only, through no link, and overwrites nothing unasked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::files::{FilesError, of_store};
use crate::cli::pull::place::Placed;
use crate::cli::written::replace;

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Same,
    Write,
    /// It has another text.
    Overwrite,
    /// The release does not have it, and it would be read with the others.
    Delete,
}

/// A file and what happens to it.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    pub(super) deed: Deed,
    /// Below the folder, by `/`.
    pub(super) path: String,
    text: String,
}

/// Why a folder cannot be brought to a release.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("`{path}` is a link or no folder: nothing is written through it")]
    NotOurs { path: String },
    #[error("cannot {what} `{path}`")]
    Io {
        what: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
}

/// What has to be done, and whether something would be lost by it.
pub(super) fn plan(folder: &Path, placed: &Placed) -> Result<Vec<Step>, WriteError> {
    let mut steps = Vec::with_capacity(placed.files.len());
    for (path, text) in &placed.files {
        let deed = match read(folder, path)? {
            None => Deed::Write,
            Some(before) if before == text.as_bytes() => Deed::Same,
            Some(_) => Deed::Overwrite,
        };
        steps.push(Step { deed, path: path.clone(), text: text.clone() });
    }
    if folder.is_dir() {
        for path in of_store(folder, &placed.store)? {
            let below = path.strip_prefix(folder).unwrap_or(&path);
            let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            let path = parts.join("/");
            if !placed.files.iter().any(|(known, _)| *known == path) {
                steps.push(Step { deed: Deed::Delete, path, text: String::new() });
            }
        }
    }
    steps.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(steps)
}

/// The text of a file that is there.
fn read(folder: &Path, path: &str) -> Result<Option<Vec<u8>>, WriteError> {
    if path.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err(WriteError::NotOurs { path: path.to_owned() });
    }
    let mut place = folder.to_path_buf();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        place.push(part);
        let io = |source| WriteError::Io { what: "read", path: path.to_owned(), source };
        let found = match fs::symlink_metadata(&place) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let ours = if parts.peek().is_some() { found.is_dir() } else { found.is_file() };
        if !ours {
            return Err(WriteError::NotOurs { path: place.display().to_string() });
        }
        if parts.peek().is_none() {
            return fs::read(&place).map(Some).map_err(io);
        }
    }
    Ok(None)
}

/// Does what was planned: writes first, so that what is cut off has lost nothing.
pub(super) fn carry_out(folder: &Path, steps: &[Step]) -> Result<(), WriteError> {
    let at = |path: &str| path.split('/').fold(folder.to_path_buf(), |folder, part| folder.join(part));
    let io = |what: &'static str, path: &str| {
        let path = path.to_owned();
        move |source| WriteError::Io { what, path, source }
    };
    for step in steps.iter().filter(|step| matches!(step.deed, Deed::Write | Deed::Overwrite)) {
        let place = at(&step.path);
        // Looked at once more: a link may have come since.
        read(folder, &step.path)?;
        fs::create_dir_all(place.parent().unwrap_or(folder)).map_err(io("make the folder of", &step.path))?;
        replace(&place, &step.text).map_err(io("write", &step.path))?;
    }
    for step in steps.iter().filter(|step| step.deed == Deed::Delete) {
        fs::remove_file(at(&step.path)).map_err(io("delete", &step.path))?;
    }
    Ok(())
}

/// The folder itself may be a link.
pub(super) fn resolved(folder: &Path) -> PathBuf {
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn placed(files: &[(&str, &str)]) -> Placed {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Placed { store: "s".to_owned(), files, notes: Vec::new() }
    }

    /// Such as `+policies/s/a.cedar`.
    fn said(steps: &[Step]) -> Vec<String> {
        let sign = |deed| match deed {
            Deed::Same => '=',
            Deed::Write => '+',
            Deed::Overwrite => '~',
            Deed::Delete => '-',
        };
        steps.iter().map(|step| format!("{}{}", sign(step.deed), step.path)).collect()
    }

    #[test]
    fn a_folder_is_brought_to_a_release() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("policies/s/a.cedar", "a"),
            ("policies/s/b.cedar", "old"),
            ("policies/s/deep/c.cedar", "gone"),
            ("policies/s/s.tuples", "kept"),
            ("policies/other/d.cedar", "kept"),
            ("schemas/s.cedarschema.json", "{}"),
            ("schemas/other.fga", "kept"),
        ] {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        let release = placed(&[
            ("policies/s/a.cedar", "a"),
            ("policies/s/b.cedar", "new"),
            ("policies/s/x/e.cedar", "e\r\n"),
            ("schemas/s.cedarschema", ""),
        ]);
        let steps = plan(folder.path(), &release).unwrap();
        let expected = [
            "=policies/s/a.cedar",
            "~policies/s/b.cedar",
            "-policies/s/deep/c.cedar",
            "+policies/s/x/e.cedar",
            "+schemas/s.cedarschema",
            "-schemas/s.cedarschema.json",
        ];
        assert_eq!(said(&steps), expected);
        carry_out(folder.path(), &steps).unwrap();
        let again = plan(folder.path(), &release).unwrap();
        assert!(again.iter().all(|step| step.deed == Deed::Same), "{again:?}");
        assert_eq!(fs::read_to_string(folder.path().join("policies/s/x/e.cedar")).unwrap(), "e\r\n");
        assert!(
            folder.path().join("policies/other/d.cedar").is_file()
                && folder.path().join("policies/s/s.tuples").is_file()
        );
    }

    #[test]
    fn nothing_is_written_outside() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let away = format!("policies/s/a/../../../..{}/evil.cedar", outside.path().display());
        for path in [away.as_str(), "policies/s/../other/a.cedar", "/etc/a.cedar", "policies/./a.cedar"] {
            let release = placed(&[(path, "a")]);
            assert!(matches!(plan(folder.path(), &release), Err(WriteError::NotOurs { .. })), "{path}");
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_written_through_links() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.path().join("policies")).unwrap();
        symlink(outside.path(), folder.path().join("policies/s")).unwrap();
        let release = placed(&[("policies/s/a.cedar", "a")]);
        assert!(matches!(plan(folder.path(), &release), Err(WriteError::NotOurs { .. })));
        fs::remove_file(folder.path().join("policies/s")).unwrap();
        fs::create_dir(folder.path().join("policies/s")).unwrap();
        symlink(outside.path().join("a"), folder.path().join("policies/s/a.cedar")).unwrap();
        assert!(matches!(plan(folder.path(), &release), Err(WriteError::NotOurs { .. })));
        let steps = [Step { deed: Deed::Write, path: "policies/s/a.cedar".to_owned(), text: "a".to_owned() }];
        assert!(matches!(carry_out(folder.path(), &steps), Err(WriteError::NotOurs { .. })));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
