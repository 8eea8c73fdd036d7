//! The data directory: made private, and held by one process.
//!
//! The lock is the operating system's, so that it ends with the process however that ends. The lock
//! file stays and means nothing by itself.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::StorageError;

/// Holds a data directory until it is dropped.
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Makes the directory if it is missing and takes it.
    pub(super) fn take(directory: &Path) -> Result<Self, StorageError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory).map_err(|source| unusable(directory, source))?;

        let file = open_private(&directory.join("lock")).map_err(|source| unusable(directory, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StorageError::Locked { directory: directory.to_owned() }),
            Err(TryLockError::Error(source)) => Err(unusable(directory, source)),
        }
    }
}

/// The path of a file that only its owner reads; SQLite gives its side files the same mode.
pub(super) fn private_file(directory: &Path, name: &str) -> Result<PathBuf, StorageError> {
    let path = directory.join(name);
    open_private(&path).map_err(|source| unusable(directory, source))?;
    Ok(path)
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unusable(directory: &Path, source: io::Error) -> StorageError {
    StorageError::Directory { directory: directory.to_owned(), source }
}
