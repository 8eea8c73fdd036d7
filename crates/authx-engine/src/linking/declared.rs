//! The links that a schema declares, as they are written.

use serde_json::Value as Json;
use smol_str::SmolStr;

use super::facts::{NAMESPACE, REL};
use super::reserved::is_reserved_name;
use crate::cedar::{EntityType, FromNormalizedStr as _, Name};
use crate::relation::RelationModel;

/// The annotations of one entity type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclaredLink {
    /// The entity type, with its namespace.
    pub(crate) name: String,
    /// What stands in `@rebac`; empty for the same name, absent without the annotation.
    rebac: Option<String>,
    pub(super) members: Option<String>,
    pub(super) parents: Option<String>,
    enumerated: bool,
}

/// A type's name with its namespace.
pub(crate) fn declared_name(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}::{name}") }
}

/// Reads the links from Cedar's JSON form of a schema.
pub(crate) fn declared_links(schema: &Json) -> Vec<DeclaredLink> {
    let mut links = Vec::new();
    for (namespace, definition) in schema.as_object().into_iter().flatten() {
        let types = definition.get("entityTypes").and_then(Json::as_object);
        for (name, ty) in types.into_iter().flatten() {
            let annotation = |key: &str| {
                let value = ty.get("annotations")?.get(key)?;
                Some(value.as_str().unwrap_or_default().to_owned())
            };
            let link = DeclaredLink {
                name: declared_name(namespace, name),
                rebac: annotation("rebac"),
                members: annotation("members"),
                parents: annotation("parents"),
                enumerated: ty.get("enum").is_some(),
            };
            if link.rebac.is_some() || link.members.is_some() || link.parents.is_some() {
                links.push(link);
            }
        }
    }
    links
}

impl DeclaredLink {
    /// The entity type, and the type of the model that it is.
    pub(super) fn resolved(&self, model: &RelationModel) -> Result<(EntityType, SmolStr), String> {
        let name = &self.name;
        let Some(written) = &self.rebac else {
            return Err(format!("`{name}` has @members or @parents but is not linked: add @rebac"));
        };
        if self.enumerated {
            return Err(format!("`{name}` is an enumerated type, which cannot be linked"));
        }
        let model_type = if written.is_empty() { name.as_str() } else { written };
        if written.is_empty() && name.contains("::") {
            return Err(format!("`{name}` is in a namespace: say which type of the model it is, as @rebac(\"type\")"));
        }
        if !model.has_type(model_type) {
            let known: Vec<&str> = model.model().types.iter().map(|ty| ty.name.as_str()).collect();
            return Err(format!("`{name}`: the model has no type `{model_type}`; it has {}", known.join(", ")));
        }
        let ty = Name::from_normalized_str(name).map_err(|_| format!("`{name}` is no type name"))?;
        Ok((EntityType::from(ty), SmolStr::new(model_type)))
    }
}

/// A name in a schema that belongs to the engine where types are linked.
pub(super) fn reserved_name(schema: &Json) -> Option<String> {
    for (namespace, definition) in schema.as_object().into_iter().flatten() {
        if namespace == NAMESPACE || is_reserved_name(namespace) {
            return Some(namespace.clone());
        }
        let types = definition.get("entityTypes").and_then(Json::as_object).into_iter().flatten();
        for (name, _) in types.clone() {
            if namespace.is_empty() && name == NAMESPACE {
                return Some(declared_name(namespace, name));
            }
        }
        let shapes = types.filter_map(|(_, ty)| ty.get("shape"));
        let common = definition.get("commonTypes").and_then(Json::as_object).into_iter().flatten().map(|(_, ty)| ty);
        let actions = definition.get("actions").and_then(Json::as_object).into_iter().flatten();
        let contexts = actions.filter_map(|(_, action)| action.get("appliesTo")?.get("context"));
        if shapes.chain(common).chain(contexts).any(declares_rel) {
            return Some(REL.to_owned());
        }
    }
    None
}

/// Whether a type has the attribute `rel` at any depth.
fn declares_rel(ty: &Json) -> bool {
    let mut open = vec![ty];
    while let Some(ty) = open.pop() {
        if let Some(attributes) = ty.get("attributes").and_then(Json::as_object) {
            if attributes.contains_key(REL) {
                return true;
            }
            open.extend(attributes.values());
        }
        open.extend(ty.get("element"));
    }
    false
}
