//! Why the files of a store could not be read, and what to do.

use std::io;

use crate::cli::tuples::read::ReadError;
use crate::cli::{Exit, fail, note};

/// Why the files of a path could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    #[error("there is no file or folder `{path}`")]
    NotFound { path: String },
    #[error("`{path}` is no policy file: expected a folder, or a file that ends in `.cedar`")]
    Unsupported { path: String },
    #[error("no policies found in `{path}`: expected `*.cedar` files, or folders of stores below `policies`")]
    NoPolicies { path: String },
    #[error("`{path}` holds both files and folders of stores: move the files into the folder of their store")]
    Mixed { path: String },
    #[error("store `{store}` has more than one {what}: `{first}` and `{second}`")]
    Several { store: String, what: &'static str, first: String, second: String },
    #[error(
        "`{path}` names no policy: the file of a policy in `{}` is called as its id, of 1 to 128 characters of A-Z \
         a-z 0-9 . _ -, and `.cedar`",
        super::BY_ID
    )]
    NoId { path: String },
    #[error("`{path}` is not UTF-8 text: the first wrong byte is in line {line}")]
    NotUtf8 { path: String, line: usize },
    #[error("`{path}` is larger than {} MiB", super::MAX_FILE_BYTES >> 20)]
    TooLarge { path: String },
    #[error("folders are nested more than {} deep at `{path}`", super::MAX_NESTING)]
    TooDeep { path: String },
    #[error("{file}:{line}:{column}: malformed entities: {message}")]
    MalformedEntities { file: String, line: usize, column: usize, message: String },
    #[error(transparent)]
    MalformedTuples(#[from] ReadError),
    #[error("cannot read `{path}`")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
}

impl FilesError {
    /// What to do.
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotFound { .. } => "the path is taken from the current folder",
            Self::Unsupported { .. } => "the schema and the model of a store are found beside its policies",
            Self::NoPolicies { .. } => {
                "a store `notes` is `policies/notes/*.cedar` and `schemas/notes.cedarschema`, or one folder with all its files"
            }
            Self::Mixed { .. } => "a store `notes` has its policies in `policies/notes`",
            Self::Several { what, .. } => {
                return Some(format!("a store has one {what}: delete one of them, or join both into one file"));
            }
            Self::NoId { .. } => "rename it, or move it out of that folder and give the policy an `@id`",
            Self::NotUtf8 { .. } => "save it as UTF-8",
            Self::TooLarge { .. } => "divide it into several files",
            Self::TooDeep { .. } => "look for a link that leads back to a folder above it",
            Self::MalformedEntities { .. } => {
                "write a list of entities: `[{\"uid\": {\"type\": \"User\", \"id\": \"ann\"}, \"attrs\": {}, \"parents\": []}]`"
            }
            Self::MalformedTuples(ReadError::Row { .. }) => {
                "one tuple a line, such as `document:roadmap#viewer@user:ann`; a line that begins with `#` is a comment"
            }
            Self::MalformedTuples(ReadError::File { .. }) | Self::Read { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// Tells a person, and how the program ends.
    pub(crate) fn tell(&self) -> Exit {
        let exit = fail(Exit::Error, &self.to_string());
        if let Some(hint) = self.hint() {
            note(&format!("  help: {hint}"));
        }
        exit
    }
}
