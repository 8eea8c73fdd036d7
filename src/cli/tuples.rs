//! Tuples from the shell.

pub(crate) mod read;
