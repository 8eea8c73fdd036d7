//! What nobody may send where types are linked: names of the engine's own namespace, `rel`, and parents that tuples
//! alone may tell.

use serde_json::Value as Json;

use super::Linking;
use super::facts::{NAMESPACE, REL};
use crate::cedar::{EntityType, EntityUID};
use crate::data::EntityInput;
use crate::value::{InputProblem, Place};

/// Whether a type lies in the engine's own namespace.
pub(crate) fn is_reserved_type(ty: &EntityType) -> bool {
    let first = ty.name().as_ref().namespace_components().next();
    first.is_some_and(|first| AsRef::<str>::as_ref(first) == NAMESPACE)
}

/// Whether a name, or the text of an entity, begins in the engine's own namespace.
pub(super) fn is_reserved_name(text: &str) -> bool {
    text.strip_prefix(NAMESPACE).is_some_and(|rest| rest.starts_with("::"))
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
    is_reserved_type(uid.entity_type()).then(|| refused(place, &uid.to_string()))
}

fn refused(place: &Place<'_>, what: &str) -> InputProblem {
    let message = format!("`{what}` is reserved where types are linked to a relation model");
    place.problem("reserved_name", message)
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
                let names_entity = matches!(name.as_str(), "type" | "__entity");
                match value.as_str().filter(|text| names_entity && is_reserved_name(text)) {
                    Some(text) => problems.push(refused(&place, text)),
                    None if name == REL => problems.push(refused(&place, REL)),
                    None => json_problems(value, &place, problems),
                }
            }
        }
    }
}
