//! A field of a change: absent, `null` or a value, which mean three different things.

use serde::{Deserialize, Deserializer};

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

impl<T> Patch<T> {
    /// `None` keeps, `Some(None)` clears; the value is read on the way.
    pub fn read<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Option<Option<U>>, E> {
        match self {
            Self::Keep => Ok(None),
            Self::Clear => Ok(Some(None)),
            Self::Set(value) => read(value).map(|value| Some(Some(value))),
        }
    }
}
