//! Writes a file so that it is there whole or as it was before.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::Builder;

/// What a new file may be, of which the system takes away what the user does not give.
const NEW: u32 = 0o666;

/// Replaces a file, or makes it. Its permissions stay, and a link stays a link.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = path.parent().unwrap_or(Path::new("."));
    // Hidden, so that nobody reads it for a policy.
    let mut staged = Builder::new().prefix(".authx-").permissions(Permissions::from_mode(NEW)).tempfile_in(folder)?;
    staged.write_all(text.as_bytes())?;
    if let Ok(before) = fs::metadata(&path) {
        staged.as_file().set_permissions(before.permissions())?;
    }
    staged.as_file().sync_all()?;
    staged.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn permissions_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "old").unwrap();
        fs::set_permissions(at("file"), Permissions::from_mode(0o640)).unwrap();
        symlink("file", at("link")).unwrap();
        replace(&at("link"), "new").unwrap();
        replace(&at("other"), "made").unwrap();
        assert_eq!(
            (fs::read_to_string(at("file")).unwrap(), fs::read_to_string(at("other")).unwrap()),
            ("new".to_owned(), "made".to_owned())
        );
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        fs::write(at("plain"), "").unwrap();
        assert_eq!((mode("file"), mode("other")), (0o640, mode("plain")));
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        assert!(replace(&at("nowhere/file"), "x").is_err());
        // Nothing is left over.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
