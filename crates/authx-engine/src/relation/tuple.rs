//! Tuples as text: `document:roadmap#viewer@group:eng#member`.
//!
//! A tuple says that the subject has the relation to the object. A reference splits at its first `:`, tuple text at
//! its first `#`, then at the first `@` after it. The id `*` stands for every object of its type.

use std::fmt;

use serde_json::{Map, Value};
use smol_str::SmolStr;

/// The id that stands for every object of a type.
pub const WILDCARD: &str = "*";
/// Bytes of a subject's text at most, as OpenFGA has it.
pub const MAX_SUBJECT_BYTES: usize = 512;
/// Bytes of an object's text at most, as OpenFGA has it.
pub const MAX_OBJECT_BYTES: usize = 256;

/// An object: `document:roadmap`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    pub type_name: SmolStr,
    pub id: SmolStr,
}

/// A subject: `user:ann`, `user:*` or `group:eng#member`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectRef {
    pub object: ObjectRef,
    pub relation: Option<SmolStr>,
}

/// What a tuple is found by: no two tuples of a store share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TupleKey {
    pub object: ObjectRef,
    pub relation: SmolStr,
    pub subject: SubjectRef,
}

/// A tuple with what limits it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuple {
    pub key: TupleKey,
    pub condition: Option<TupleCondition>,
    /// Milliseconds since 1970; from then on the tuple does not count.
    pub expires_at: Option<i64>,
}

impl Tuple {
    /// Whether its time was over at `now`.
    #[must_use]
    pub fn expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// The condition that must hold for a tuple to count, with the parameters that were stored beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct TupleCondition {
    pub name: SmolStr,
    pub context: Map<String, Value>,
}

/// Why a text is no reference or tuple.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TupleTextError {
    #[error("`{0}` is no object: write `type:id`")]
    Object(String),
    #[error("`{0}` is no subject: write `type:id`, `type:*` or `type:id#relation`")]
    Subject(String),
    #[error("`{0}` is no tuple: write `type:id#relation@subject`")]
    Tuple(String),
}

impl ObjectRef {
    #[must_use]
    pub fn new(type_name: &str, id: &str) -> Self {
        Self { type_name: SmolStr::new(type_name), id: SmolStr::new(id) }
    }

    /// Reads `type:id`; the id may hold further colons.
    ///
    /// # Errors
    /// When a part is missing, or holds what would not read back: white space, a control character or `#`.
    pub fn parse(text: &str) -> Result<Self, TupleTextError> {
        let refused = || TupleTextError::Object(text.to_owned());
        let (type_name, id) = text.split_once(':').ok_or_else(refused)?;
        if text.len() > MAX_OBJECT_BYTES || !is_type_name(type_name) || !is_id(id) {
            return Err(refused());
        }
        Ok(Self::new(type_name, id))
    }

    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.id == WILDCARD
    }
}

impl SubjectRef {
    /// Reads `type:id`, `type:*` or `type:id#relation`.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, TupleTextError> {
        let refused = || TupleTextError::Subject(text.to_owned());
        if text.len() > MAX_SUBJECT_BYTES {
            return Err(refused());
        }
        let (object, relation) = match text.split_once('#') {
            Some((object, relation)) => (object, Some(relation)),
            None => (text, None),
        };
        let (type_name, id) = object.split_once(':').ok_or_else(refused)?;
        let wild_userset = id == WILDCARD && relation.is_some();
        if !is_type_name(type_name) || !is_id(id) || relation.is_some_and(|r| !is_relation_name(r)) || wild_userset {
            return Err(refused());
        }
        Ok(Self { object: ObjectRef::new(type_name, id), relation: relation.map(SmolStr::new) })
    }

    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.relation.is_none() && self.object.is_wildcard()
    }
}

impl TupleKey {
    /// Reads `object#relation@subject`.
    ///
    /// # Errors
    /// When a part is missing or no reference.
    pub fn parse(text: &str) -> Result<Self, TupleTextError> {
        let refused = || TupleTextError::Tuple(text.to_owned());
        let (object, rest) = text.split_once('#').ok_or_else(refused)?;
        let (relation, subject) = rest.split_once('@').ok_or_else(refused)?;
        if !is_relation_name(relation) {
            return Err(refused());
        }
        let object = ObjectRef::parse(object)?;
        Ok(Self { object, relation: SmolStr::new(relation), subject: SubjectRef::parse(subject)? })
    }
}

/// Reads a line of a text of tuples: nothing when it is empty or a comment. A line is a comment when a space or nothing
/// follows its `#`, as no object begins so.
///
/// # Errors
/// When the line is no tuple.
#[must_use]
pub fn tuple_of_line(line: &str) -> Option<Result<Tuple, TupleTextError>> {
    let line = line.trim();
    if line.is_empty() || line == "#" || line.starts_with("# ") {
        return None;
    }
    Some(TupleKey::parse(line).map(|key| Tuple { key, condition: None, expires_at: None }))
}

/// Whether a type of a model may have this name (OpenFGA: `^[^:#@\*\s]{1,254}$`).
#[must_use]
pub fn is_type_name(text: &str) -> bool {
    (1..=254).contains(&text.len()) && !text.chars().any(breaks_names)
}

/// Whether a relation of a model may have this name (OpenFGA: `^[^:#@\*\s]{1,50}$`).
#[must_use]
pub fn is_relation_name(text: &str) -> bool {
    (1..=50).contains(&text.len()) && !text.chars().any(breaks_names)
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c == '#' || c.is_whitespace() || c.is_control())
}

fn breaks_names(c: char) -> bool {
    matches!(c, ':' | '#' | '@' | '*') || c.is_whitespace() || c.is_control()
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.type_name, self.id)
    }
}

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.relation {
            Some(relation) => write!(f, "{}#{relation}", self.object),
            None => write!(f, "{}", self.object),
        }
    }
}

impl fmt::Display for TupleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}@{}", self.object, self.relation, self.subject)
    }
}
