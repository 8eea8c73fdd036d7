//! The effective schema: the author's, and what the relation model adds to it. Policies are validated against it.

use serde_json::{Map, Value as Json, json};

use super::facts::{NAMESPACE, REL, USERSET};
use super::{Linking, declared_name};

/// Why a schema cannot be extended; the type that is to blame.
pub(super) struct Inextensible {
    pub(super) type_name: String,
    pub(super) message: String,
}

/// Adds to Cedar's JSON form of a schema: `rel` and its relations to linked types, who may be in a userset, and the
/// parents that follow from membership and containment.
pub(super) fn effective(mut schema: Json, linking: &Linking) -> Result<Json, Inextensible> {
    let Some(namespaces) = schema.as_object_mut() else { return Ok(schema) };
    for (namespace, definition) in namespaces.iter_mut() {
        let common = definition.get("commonTypes").cloned();
        let Some(types) = definition.get_mut("entityTypes").and_then(Json::as_object_mut) else { continue };
        for (name, ty) in types {
            let type_name = declared_name(namespace, name);
            let (Some(added), Some(ty)) = (linking.additions(&type_name), ty.as_object_mut()) else { continue };
            let fail = |message: &str| Inextensible { type_name: type_name.clone(), message: message.to_owned() };
            let parents = ty.entry("memberOfTypes").or_insert_with(|| json!([])).as_array_mut();
            let parents = parents.ok_or_else(|| fail("its parents cannot be read"))?;
            for parent in added.parents {
                if !parents.contains(&json!(parent)) {
                    parents.push(json!(parent));
                }
            }
            let shape = ty.remove("shape").unwrap_or_else(|| json!({"type": "Record", "attributes": {}}));
            let mut shape = record_of(shape, common.as_ref()).ok_or_else(|| {
                fail("the attributes of a linked type must be a record, or a common type of its own namespace")
            })?;
            let userset = || json!({"type": "Entity", "name": format!("{NAMESPACE}::{USERSET}")});
            let relations: Map<String, Json> =
                added.relations.into_iter().map(|relation| (relation.to_owned(), userset())).collect();
            shape.insert(REL.to_owned(), json!({"type": "Record", "attributes": relations}));
            ty.insert("shape".to_owned(), json!({"type": "Record", "attributes": shape}));
        }
    }
    namespaces.insert(NAMESPACE.to_owned(), json!({"entityTypes": {USERSET: {}}, "actions": {}}));
    Ok(schema)
}

/// The attributes of a record, also one that common types of the same namespace stand for.
fn record_of(mut shape: Json, common: Option<&Json>) -> Option<Map<String, Json>> {
    // A common type cannot lead to itself, so there are no more steps than types.
    let steps = common.and_then(Json::as_object).map_or(0, Map::len);
    for _ in 0..=steps {
        if shape.get("type").and_then(Json::as_str) == Some("Record") {
            return match shape.get_mut("attributes").map(Json::take) {
                Some(Json::Object(attributes)) => Some(attributes),
                None => Some(Map::new()),
                Some(_) => None,
            };
        }
        let name = match shape.get("type").and_then(Json::as_str)? {
            "EntityOrCommon" => shape.get("name").and_then(Json::as_str)?,
            name => name,
        };
        shape = common?.get(name)?.clone();
    }
    None
}
