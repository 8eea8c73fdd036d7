//! Writes a file so that it is there whole or as it was before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Replaces a file, or makes it. Its permissions stay, and a link stays a link.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let (staged, mut file) = stage(&path)?;
    let filled = file.write_all(text.as_bytes()).and_then(|()| match fs::metadata(&path) {
        Ok(before) => file.set_permissions(before.permissions()),
        Err(_) => Ok(()),
    });
    let done = filled.and_then(|()| file.sync_all()).and_then(|()| fs::rename(&staged, &path));
    if done.is_err() {
        let _ = fs::remove_file(&staged);
    }
    done
}

/// A new file beside the one that it is to become; hidden, so that nobody reads it for a policy.
fn stage(path: &Path) -> io::Result<(PathBuf, File)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..100 {
        let staged = folder.join(format!(".authx-{}-{number}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&staged) {
            Ok(file) => return Ok((staged, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn permissions_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "old").unwrap();
        fs::set_permissions(at("file"), PermissionsExt::from_mode(0o640)).unwrap();
        symlink("file", at("link")).unwrap();
        replace(&at("link"), "new").unwrap();
        replace(&at("other"), "made").unwrap();
        assert_eq!(
            (fs::read_to_string(at("file")).unwrap(), fs::read_to_string(at("other")).unwrap()),
            ("new".to_owned(), "made".to_owned())
        );
        assert_eq!(fs::metadata(at("file")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        assert!(replace(&at("nowhere/file"), "x").is_err());
        // Nothing is left over.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
