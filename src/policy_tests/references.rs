//! What names in a suite stand for: entities and contexts that it gives names to, else references as everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use authx_engine::{EntityInput, EntityUid, JsonObject, parse_action};

use super::Sourced;
use crate::yaml::fields::{Fields, nearest};
use crate::yaml::{Node, Value};

/// The names of one suite.
#[derive(Debug, Default)]
pub(super) struct Names {
    entities: BTreeMap<String, EntityUid>,
    contexts: BTreeMap<String, Arc<JsonObject>>,
}

impl Names {
    /// Gives names to the entities of one section. One that is more than a reference is stored.
    pub(super) fn add_entities(
        &mut self,
        fields: &mut Fields<'_>,
        section: Option<&Node>,
        what: &str,
        file: &str,
        stored: &mut Vec<Sourced<EntityInput>>,
    ) {
        let Some(section) = section else { return };
        for (key, value) in fields.entries(section, what) {
            let uid = if let Value::Text { .. } = value.value {
                uid(fields, value)
            } else {
                let input = entity(fields, value);
                let uid = input.as_ref().map(|input| input.uid.clone());
                stored.extend(input.map(|what| Sourced { what, file: file.to_owned(), line: Some(value.place.line) }));
                uid
            };
            if let Some(uid) = uid
                && self.entities.insert(key.name.clone(), uid).is_some()
            {
                fields.wrong(key.place, format!("`{}` is the name of another entity too", key.name));
            }
        }
    }

    pub(super) fn add_contexts(&mut self, fields: &mut Fields<'_>, section: Option<&Node>) {
        let Some(section) = section else { return };
        for (key, value) in fields.entries(section, "`contexts`") {
            let context = fields.object(value, "a context");
            self.contexts.insert(key.name.clone(), Arc::new(context));
        }
    }

    /// A name, or a reference such as `User:alice`.
    pub(super) fn entity(&self, fields: &mut Fields<'_>, node: &Node) -> Option<EntityUid> {
        let text = fields.text(node, "an entity")?;
        if let Some(uid) = self.entities.get(text) {
            return Some(uid.clone());
        }
        match EntityUid::parse(text) {
            Ok(uid) => Some(uid),
            Err(error) => {
                match nearest(text, self.entities.keys().map(String::as_str)) {
                    _ if text.contains(':') => fields.wrong(node.place, error.to_string()),
                    Some(name) => fields.wrong_with_hint(
                        node.place,
                        format!("the file gives no entity the name `{text}`"),
                        &format!("did you mean `{name}`?"),
                    ),
                    None => fields.wrong_with_hint(
                        node.place,
                        format!("the file gives no entity the name `{text}`"),
                        "name it below `principals`, `resources` or `entities`, or write a reference such as `User:alice`",
                    ),
                }
                None
            }
        }
    }

    /// A name, or a context itself.
    pub(super) fn context(&self, fields: &mut Fields<'_>, node: &Node) -> Option<Arc<JsonObject>> {
        let Value::Text { text, .. } = &node.value else { return Some(Arc::new(fields.object(node, "`context`"))) };
        let found = self.contexts.get(text).cloned();
        if found.is_none() {
            let message = format!("the file gives no context the name `{text}`");
            match nearest(text, self.contexts.keys().map(String::as_str)) {
                Some(name) => fields.wrong_with_hint(node.place, message, &format!("did you mean `{name}`?")),
                None => fields.wrong_with_hint(node.place, message, "name it below `contexts`, or write a map"),
            }
        }
        found
    }
}

/// `read`, or an action with its type.
pub(super) fn action(fields: &mut Fields<'_>, node: &Node) -> Option<EntityUid> {
    let text = fields.text(node, "an action")?;
    parse_action(text).map_err(|error| fields.wrong(node.place, error.to_string())).ok()
}

/// A reference such as `User:alice`.
pub(super) fn uid(fields: &mut Fields<'_>, node: &Node) -> Option<EntityUid> {
    let text = fields.text(node, "a reference")?;
    EntityUid::parse(text).map_err(|error| fields.wrong(node.place, error.to_string())).ok()
}

/// An entity in Cedar's JSON, with references as texts where one likes.
pub(super) fn entity(fields: &mut Fields<'_>, node: &Node) -> Option<EntityInput> {
    let [own, attrs, parents, tags] = fields.map(node, "an entity", ["uid", "attrs", "parents", "tags"]);
    let own = fields.needed(node, "uid", own);
    let own = own.and_then(|node| reference(fields, node));
    let attrs = attrs.map(|attrs| fields.object(attrs, "`attrs`")).unwrap_or_default();
    let parents = fields.items(parents, "`parents`").iter().filter_map(|parent| reference(fields, parent)).collect();
    let tags = tags.map(|tags| fields.object(tags, "`tags`")).unwrap_or_default();
    Some(EntityInput { uid: own?, attrs, parents, tags })
}

/// A reference in any of its forms.
fn reference(fields: &mut Fields<'_>, node: &Node) -> Option<EntityUid> {
    if let Value::Text { .. } = node.value {
        return uid(fields, node);
    }
    let read = serde_json::from_value(node.json());
    read.map_err(|error| fields.wrong(node.place, format!("no reference to an entity: {error}"))).ok()
}
