//! The links that a schema declares, as they are written.

use serde_json::Value as Json;
use smol_str::SmolStr;

use super::facts::{REL, USERSET};
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

/// What is wrong with a link.
#[derive(Debug)]
pub(super) struct BadLink {
    /// The entity type that declares it.
    pub(super) type_name: String,
    /// The annotation that is to blame.
    pub(super) annotation: Option<&'static str>,
    pub(super) message: String,
    /// The relation of the model that it speaks of.
    pub(super) relation: Option<(SmolStr, String)>,
}

impl DeclaredLink {
    /// A fault of one of its annotations.
    pub(super) fn bad(&self, annotation: &'static str, message: String) -> BadLink {
        BadLink { type_name: self.name.clone(), annotation: Some(annotation), message, relation: None }
    }

    /// The relations that it names.
    pub(crate) fn relations(&self) -> impl Iterator<Item = &str> {
        self.members.as_deref().into_iter().chain(self.parents.as_deref())
    }

    /// The entity type, and the type of the model that it is.
    pub(super) fn resolved(&self, model: &RelationModel) -> Result<(EntityType, SmolStr), BadLink> {
        let name = &self.name;
        let Some(written) = &self.rebac else {
            let annotation = if self.members.is_some() { "members" } else { "parents" };
            return Err(
                self.bad(annotation, format!("`{name}` has @members or @parents but is not linked: add @rebac"))
            );
        };
        let bad = |message: String| self.bad("rebac", message);
        if self.enumerated {
            return Err(bad(format!("`{name}` is an enumerated type, which cannot be linked")));
        }
        let model_type = if written.is_empty() { name.as_str() } else { written };
        if written.is_empty() && name.contains("::") {
            return Err(bad(format!(
                "`{name}` is in a namespace: say which type of the model it is, as @rebac(\"type\")"
            )));
        }
        if !model.has_type(model_type) {
            let known: Vec<&str> = model.model().types.iter().map(|ty| ty.name.as_str()).collect();
            let known = known.join(", ");
            return Err(bad(format!("`{name}`: the model has no type `{model_type}`; it has {known}")));
        }
        let ty = Name::from_normalized_str(name).map_err(|_| bad(format!("`{name}` is no type name")))?;
        Ok((EntityType::from(ty), SmolStr::new(model_type)))
    }
}

/// A name in a schema that belongs to the engine where types are linked, and the entity type that says it.
pub(super) fn reserved_name(schema: &Json) -> Option<(String, String)> {
    for (namespace, definition) in schema.as_object().into_iter().flatten() {
        if is_reserved_name(namespace) {
            return Some((String::new(), namespace.clone()));
        }
        let types = definition.get("entityTypes").and_then(Json::as_object);
        for (name, ty) in types.into_iter().flatten() {
            let declared = declared_name(namespace, name);
            // Cedar lets no name of a namespace be one of no namespace as well.
            if is_reserved_name(&declared) || declared == USERSET {
                return Some((declared.clone(), declared));
            }
            if ["shape", "tags"].into_iter().filter_map(|part| ty.get(part)).any(declares_rel) {
                return Some((declared, REL.to_owned()));
            }
        }
        let common = definition.get("commonTypes").and_then(Json::as_object);
        if let Some((name, _)) = common.into_iter().flatten().find(|(name, ty)| {
            let declared = declared_name(namespace, name);
            declared == USERSET || declares_rel(ty)
        }) {
            let what = if name == USERSET { USERSET } else { REL };
            return Some((declared_name(namespace, name), what.to_owned()));
        }
        let actions = definition.get("actions").and_then(Json::as_object).into_iter().flatten();
        if actions.filter_map(|(_, action)| action.get("appliesTo")?.get("context")).any(declares_rel) {
            return Some((String::new(), REL.to_owned()));
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
