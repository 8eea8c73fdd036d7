//! What must hold of stored data for a write to be made.

use authx_engine::relation::{ObjectRef, SubjectRef, Tuple};
use authx_engine::{EntityRow, EntityUid, InputProblem, Snapshot, entity_json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::ids::Timestamp;
use crate::pap::PapError;

/// Preconditions of one write.
pub(crate) const MAX_PRECONDITIONS: usize = 100;

/// Something that must be stored, or must not be.
#[derive(Debug, Clone)]
pub enum Precondition {
    Exists(Wanted),
    Absent(Wanted),
}

/// What a precondition looks for.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// With an entity tag: the entity as it was when it had that.
    Entity {
        uid: EntityUid,
        tag: Option<String>,
    },
    Tuples(TuplePattern),
}

/// Any tuple that has everything that is given, and has not expired.
#[derive(Debug, Clone)]
pub struct TuplePattern {
    pub end: PatternEnd,
    pub relation: Option<String>,
}

/// The ends of the tuples that are looked for. One of them is known, so that looking costs that object's own tuples.
#[derive(Debug, Clone)]
pub enum PatternEnd {
    Object(ObjectRef),
    Subject(SubjectRef),
    Both(ObjectRef, SubjectRef),
}

/// The tag of an entity: it changes when what is stored of the entity does.
#[must_use]
pub fn entity_tag(row: &EntityRow) -> String {
    let hash = Sha256::digest(entity_json(row).to_string());
    URL_SAFE_NO_PAD.encode(hash.as_slice().get(..16).unwrap_or_default())
}

/// Checks preconditions on a snapshot.
pub(super) fn check(preconditions: &[Precondition], snapshot: &Snapshot, now: Timestamp) -> Result<(), PapError> {
    if preconditions.len() > MAX_PRECONDITIONS {
        let message = format!("a write has {} preconditions, more than {MAX_PRECONDITIONS}", preconditions.len());
        return Err(PapError::LimitExceeded { message });
    }
    let failed = preconditions.iter().enumerate().filter_map(|(index, precondition)| {
        let message = precondition.fails(snapshot, now)?;
        Some(InputProblem { pointer: format!("/preconditions/{index}"), code: "precondition_failed", message })
    });
    let problems: Vec<InputProblem> = failed.collect();
    if problems.is_empty() { Ok(()) } else { Err(PapError::PreconditionFailed { problems }) }
}

impl Precondition {
    /// Why it does not hold.
    fn fails(&self, snapshot: &Snapshot, now: Timestamp) -> Option<String> {
        match self {
            Self::Exists(wanted) => wanted.found(snapshot, now).is_none().then(|| match wanted {
                Wanted::Entity { uid, tag } => match tag.as_ref().and_then(|_| snapshot.data().entity(uid)) {
                    Some(row) => format!("the entity `{uid}` has changed: its tag is now `{}`", entity_tag(row)),
                    None => format!("the entity `{uid}` is not stored"),
                },
                Wanted::Tuples(_) => "there is no such tuple".to_owned(),
            }),
            Self::Absent(wanted) => wanted.found(snapshot, now).map(|found| format!("{found} is stored")),
        }
    }
}

impl Wanted {
    /// What is stored of it.
    fn found(&self, snapshot: &Snapshot, now: Timestamp) -> Option<String> {
        match self {
            Self::Entity { uid, tag } => {
                let row = snapshot.data().entity(uid)?;
                tag.as_ref().is_none_or(|tag| *tag == entity_tag(row)).then(|| format!("the entity `{uid}`"))
            }
            Self::Tuples(pattern) => {
                let tuples = snapshot.tuples();
                let counts = |tuple: &Tuple| pattern.matches(tuple) && !tuple.expired(now.as_millis());
                let found = match &pattern.end {
                    PatternEnd::Object(object) | PatternEnd::Both(object, _) => tuples.of_object(object).find(counts),
                    PatternEnd::Subject(subject) => tuples.of_subject(&subject.object).find(counts),
                };
                found.map(|tuple| format!("the tuple `{}`", tuple.key))
            }
        }
    }
}

impl TuplePattern {
    fn matches(&self, tuple: &Tuple) -> bool {
        let key = &tuple.key;
        let ends = match &self.end {
            PatternEnd::Object(object) => key.object == *object,
            PatternEnd::Subject(subject) => key.subject == *subject,
            PatternEnd::Both(object, subject) => key.object == *object && key.subject == *subject,
        };
        ends && self.relation.as_ref().is_none_or(|relation| key.relation == relation.as_str())
    }
}
