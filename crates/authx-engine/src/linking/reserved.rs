//! What nobody may send where types are linked: names of the engine's own namespace, `rel`, and parents that tuples
//! alone may tell.

use serde_json::Value as Json;

use super::Linking;
use super::facts::{NAMESPACE, REL, Refused, span_at};
use crate::cedar::{ActionConstraint, EntityReference, EntityType, EntityUID, PrincipalOrResourceConstraint, Template};
use crate::data::EntityInput;
use crate::uid::EntityUid;
use crate::value::{InputProblem, Place};

/// The code of every such finding.
pub(crate) const CODE: &str = "reserved_name";

/// Whether a type lies in the engine's own namespace, or has its name.
pub(crate) fn is_reserved_type(ty: &EntityType) -> bool {
    let name = ty.name().as_ref();
    let first = name.namespace_components().next().unwrap_or(name.basename());
    AsRef::<str>::as_ref(first) == NAMESPACE
}

/// Whether a type's or a namespace's name is the engine's own namespace, or begins in it.
pub(super) fn is_reserved_name(text: &str) -> bool {
    text.strip_prefix(NAMESPACE).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether a policy's head names only what policies may name.
///
/// # Errors
/// The first name that they may not, with its place.
pub(crate) fn check_head(policy: &Template) -> Result<(), Refused> {
    let sides = [policy.principal_constraint().as_inner(), policy.resource_constraint().as_inner()];
    for side in sides {
        let (ty, reference) = match side {
            PrincipalOrResourceConstraint::Any => (None, None),
            PrincipalOrResourceConstraint::Is(ty) => (Some(ty), None),
            PrincipalOrResourceConstraint::IsIn(ty, reference) => (Some(ty), Some(reference)),
            PrincipalOrResourceConstraint::Eq(reference) | PrincipalOrResourceConstraint::In(reference) => {
                (None, Some(reference))
            }
        };
        if let Some(ty) = ty.filter(|ty| is_reserved_type(ty)) {
            return Err(Refused::reserved(&ty.to_string(), span_at(ty.loc())));
        }
        match reference {
            Some(EntityReference::EUID(uid)) => check_literal(uid)?,
            Some(EntityReference::Slot(_)) | None => {}
        }
    }
    match policy.action_constraint() {
        ActionConstraint::Any => Ok(()),
        ActionConstraint::Eq(uid) => check_literal(uid),
        ActionConstraint::In(uids) => uids.iter().try_for_each(|uid| check_literal(uid)),
    }
}

fn check_literal(uid: &EntityUID) -> Result<(), Refused> {
    if is_reserved_type(uid.entity_type()) {
        Err(Refused::reserved(&uid.to_string(), span_at(uid.loc())))
    } else {
        Ok(())
    }
}

/// What a context says that it may not.
pub(crate) fn context_problems(context: &serde_json::Map<String, Json>) -> Vec<InputProblem> {
    let mut problems = Vec::new();
    record_problems(context, &Place::Root("/context"), &mut problems);
    problems
}

/// Looks through attributes, or the keys of a context.
fn record_problems(record: &serde_json::Map<String, Json>, place: &Place<'_>, problems: &mut Vec<InputProblem>) {
    for (name, value) in record {
        let place = Place::Key(place, name);
        if name == REL {
            problems.push(refused(&place, REL));
        }
        json_problems(value, &place, problems);
    }
}

impl Linking {
    /// What an entity says that it may not, whether it is to be stored or holds for one request.
    pub(crate) fn entity_problems(&self, input: &EntityInput, root: &Place<'_>) -> Vec<InputProblem> {
        let mut problems = Vec::new();
        let of_linked = self.has(input.uid.0.entity_type());
        problems.extend(uid_problem(&input.uid.0, &Place::Key(root, "uid")));
        for (index, parent) in input.parents.iter().enumerate() {
            let parents = Place::Key(root, "parents");
            let place = Place::Item(&parents, index);
            problems.extend(uid_problem(&parent.0, &place));
            if of_linked && self.has(parent.0.entity_type()) {
                let message = format!(
                    "`{}` cannot be a parent of `{}`: both types are linked, so a tuple tells it",
                    parent, input.uid
                );
                problems.push(place.problem("linked_parent", message));
            }
        }
        record_problems(&input.attrs.0, &Place::Key(root, "attrs"), &mut problems);
        let tags = Place::Key(root, "tags");
        for (name, value) in &input.tags.0 {
            json_problems(value, &Place::Key(&tags, name), &mut problems);
        }
        problems
    }
}

pub(crate) fn uid_problem(uid: &EntityUID, place: &Place<'_>) -> Option<InputProblem> {
    uid_reserved(uid).map(|message| place.problem(CODE, message))
}

/// What is wrong with an entity's name, if it is the engine's own.
pub(crate) fn uid_reserved(uid: &EntityUID) -> Option<String> {
    is_reserved_type(uid.entity_type()).then(|| message(&uid.to_string()))
}

fn refused(place: &Place<'_>, what: &str) -> InputProblem {
    place.problem(CODE, message(what))
}

pub(super) fn message(what: &str) -> String {
    format!("`{what}` is reserved where types are linked to a relation model")
}

/// Looks through a value as it was sent, also at what the schema would drop.
fn json_problems(json: &Json, place: &Place<'_>, problems: &mut Vec<InputProblem>) {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                json_problems(item, &Place::Item(place, index), problems);
            }
        }
        Json::Object(fields) => {
            for (name, value) in fields {
                let place = Place::Key(place, name);
                let names_reserved = |text: &&str| match name.as_str() {
                    // Without an id it is no entity.
                    "type" => fields.contains_key("id") && is_reserved_name(text),
                    // Cedar's parser takes more spellings than one, so the text is judged by what it is read as.
                    "__entity" => EntityUid::parse(text).is_ok_and(|uid| is_reserved_type(uid.0.entity_type())),
                    _ => false,
                };
                match value.as_str().filter(names_reserved) {
                    Some(text) => problems.push(refused(&place, text)),
                    None if name == REL => problems.push(refused(&place, REL)),
                    None => json_problems(value, &place, problems),
                }
            }
        }
    }
}
