//! A field of a change: absent, `null` or a value, which mean three different things.

use serde::{Deserialize, Deserializer};

use crate::storage::records::Change;

/// With `#[serde(default)]`, absent is [`Patch::Keep`].
#[derive(Debug, Default)]
pub enum Patch<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

impl<T> From<Patch<T>> for Change<T> {
    fn from(patch: Patch<T>) -> Self {
        match patch {
            Patch::Keep => Self::Keep,
            Patch::Clear => Self::Clear,
            Patch::Set(value) => Self::Set(value),
        }
    }
}

impl<T> Patch<T> {
    /// What is to change; the value is read on the way.
    pub fn read<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Change<U>, E> {
        match self {
            Self::Keep => Ok(Change::Keep),
            Self::Clear => Ok(Change::Clear),
            Self::Set(value) => read(value).map(Change::Set),
        }
    }
}
