//! Writes a model as OpenFGA's JSON: as its transformer gives it, and as its HTTP replies do.
//!
//! Both are protojson of `openfga.v1.AuthorizationModel`; they differ in what they do with fields that are not set.

use serde_json::{Map, Value, json};

use super::model::{
    ConditionDefinition, Model, ParameterType, RelationDefinition, RestrictionKind, Rewrite, Source, TypeDefinition,
    TypeRestriction,
};

/// What becomes of a field that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unset {
    Left,
    /// Written as `""`, `[]`, `{}` or `null`; but never a member of a `oneof`.
    Written,
}

/// The model as OpenFGA's transformer writes it.
#[must_use]
pub fn model_to_json(model: &Model) -> Value {
    model_value(model, Unset::Left)
}

/// The model as it stands in OpenFGA's HTTP replies, without the `id`, which is the caller's.
#[must_use]
pub fn model_to_http_json(model: &Model) -> Value {
    model_value(model, Unset::Written)
}

fn model_value(model: &Model, unset: Unset) -> Value {
    let types: Vec<Value> = model.types.iter().map(|definition| type_value(definition, unset)).collect();
    let mut object = Map::new();
    object.insert("schema_version".to_owned(), json!(model.schema_version.as_str()));
    object.insert("type_definitions".to_owned(), Value::Array(types));
    if !model.conditions.is_empty() || unset == Unset::Written {
        let conditions = model.conditions.iter().map(|c| (c.name.to_string(), condition_value(c, unset)));
        object.insert("conditions".to_owned(), conditions.collect());
    }
    Value::Object(object)
}

fn type_value(definition: &TypeDefinition, unset: Unset) -> Value {
    let relations: Map<String, Value> =
        definition.relations.iter().map(|r| (r.name.to_string(), rewrite_value(&r.rewrite, unset))).collect();
    object([
        ("type", json!(definition.name.as_str())),
        ("relations", Value::Object(relations)),
        ("metadata", type_metadata(definition, unset)),
    ])
}

fn type_metadata(definition: &TypeDefinition, unset: Unset) -> Value {
    let mut object = Map::new();
    if !definition.relations.is_empty() {
        let relations = definition.relations.iter().map(|r| (r.name.to_string(), relation_metadata(r, unset)));
        object.insert("relations".to_owned(), relations.collect());
    }
    put_source(&mut object, &definition.source, Unset::Left);
    if object.is_empty() {
        return Value::Null;
    }
    if unset == Unset::Written {
        object.entry("relations").or_insert_with(|| json!({}));
    }
    put_source(&mut object, &definition.source, unset);
    Value::Object(object)
}

fn relation_metadata(relation: &RelationDefinition, unset: Unset) -> Value {
    let restrictions: Vec<Value> = relation.restrictions.iter().map(|r| restriction_value(r, unset)).collect();
    let mut object = Map::new();
    object.insert("directly_related_user_types".to_owned(), Value::Array(restrictions));
    put_source(&mut object, &relation.source, unset);
    Value::Object(object)
}

fn put_source(object: &mut Map<String, Value>, source: &Source, unset: Unset) {
    if source.module.is_some() || unset == Unset::Written {
        object.insert("module".to_owned(), json!(source.module.as_deref().unwrap_or("")));
    }
    if source.file.is_some() || unset == Unset::Written {
        let info = source.file.as_ref().map_or(Value::Null, |file| json!({ "file": file }));
        object.insert("source_info".to_owned(), info);
    }
}

fn restriction_value(restriction: &TypeRestriction, unset: Unset) -> Value {
    let mut object = Map::new();
    object.insert("type".to_owned(), json!(restriction.type_name.as_str()));
    match &restriction.kind {
        RestrictionKind::Object => {}
        RestrictionKind::Wildcard => {
            object.insert("wildcard".to_owned(), json!({}));
        }
        RestrictionKind::Userset(relation) => {
            object.insert("relation".to_owned(), json!(relation.as_str()));
        }
    }
    if restriction.condition.is_some() || unset == Unset::Written {
        object.insert("condition".to_owned(), json!(restriction.condition.as_deref().unwrap_or("")));
    }
    Value::Object(object)
}

fn rewrite_value(rewrite: &Rewrite, unset: Unset) -> Value {
    let child = |operands: &[Rewrite]| object([("child", operands.iter().map(|r| rewrite_value(r, unset)).collect())]);
    match rewrite {
        Rewrite::This => object([("this", object([]))]),
        Rewrite::Computed(relation) => object([("computedUserset", object_relation(relation, unset))]),
        Rewrite::TupleToUserset { tupleset, computed } => {
            let tupleset = ("tupleset", object_relation(tupleset, unset));
            let computed = ("computedUserset", object_relation(computed, unset));
            object([("tupleToUserset", object([tupleset, computed]))])
        }
        Rewrite::Union(operands) => object([("union", child(operands))]),
        Rewrite::Intersection(operands) => object([("intersection", child(operands))]),
        Rewrite::Difference(base, subtract) => {
            let base = ("base", rewrite_value(base, unset));
            let subtract = ("subtract", rewrite_value(subtract, unset));
            object([("difference", object([base, subtract]))])
        }
    }
}

/// Moves its values, where `json!` would copy whatever nests in them.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn object_relation(relation: &str, unset: Unset) -> Value {
    match unset {
        Unset::Left => json!({ "relation": relation }),
        Unset::Written => json!({ "object": "", "relation": relation }),
    }
}

fn condition_value(condition: &ConditionDefinition, unset: Unset) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), json!(condition.name.as_str()));
    object.insert("expression".to_owned(), json!(condition.expression));
    let parameters = condition.parameters.iter().map(|(name, kind)| (name.to_string(), parameter_value(kind, unset)));
    object.insert("parameters".to_owned(), parameters.collect());
    let source = &condition.source;
    if source.module.is_some() || source.file.is_some() {
        let mut metadata = Map::new();
        put_source(&mut metadata, source, unset);
        object.insert("metadata".to_owned(), Value::Object(metadata));
    } else if unset == Unset::Written {
        object.insert("metadata".to_owned(), Value::Null);
    }
    Value::Object(object)
}

fn parameter_value(kind: &ParameterType, unset: Unset) -> Value {
    let (name, inner) = match kind {
        ParameterType::Any => ("TYPE_NAME_ANY", None),
        ParameterType::Bool => ("TYPE_NAME_BOOL", None),
        ParameterType::String => ("TYPE_NAME_STRING", None),
        ParameterType::Int => ("TYPE_NAME_INT", None),
        ParameterType::Uint => ("TYPE_NAME_UINT", None),
        ParameterType::Double => ("TYPE_NAME_DOUBLE", None),
        ParameterType::Duration => ("TYPE_NAME_DURATION", None),
        ParameterType::Timestamp => ("TYPE_NAME_TIMESTAMP", None),
        ParameterType::IpAddress => ("TYPE_NAME_IPADDRESS", None),
        ParameterType::List(inner) => ("TYPE_NAME_LIST", Some(inner)),
        ParameterType::Map(inner) => ("TYPE_NAME_MAP", Some(inner)),
    };
    match inner {
        Some(inner) => json!({ "type_name": name, "generic_types": [parameter_value(inner, unset)] }),
        None if unset == Unset::Written => json!({ "type_name": name, "generic_types": [] }),
        None => json!({ "type_name": name }),
    }
}
