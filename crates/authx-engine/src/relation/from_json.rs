//! Reads a model from OpenFGA's JSON. Fields that it does not know mean nothing to it, fields of the wrong type are
//! refused with their JSON pointer; whether the model makes sense is for [`super::validate`] to say.

mod fields;

use serde_json::Value;
use smol_str::SmolStr;

use super::codes;
use super::model::{
    ConditionDefinition, Model, ParameterType, RelationDefinition, RestrictionKind, Rewrite, Source, TypeDefinition,
    TypeRestriction,
};
use super::parse::MAX_NESTING;
use super::place::shown;
use crate::problem::Problem;
use fields::{Fault, Node};

/// Reads what `POST /stores/{id}/authorization-models` takes; both spellings of a field are known.
///
/// # Errors
/// Every field that has the wrong type or says what a model cannot say.
pub fn model_from_json(value: &Value) -> Result<Model, Vec<Problem>> {
    let mut problems = Vec::new();
    let model = read_model(&Node::root(value), &mut problems);
    match model {
        Ok(model) if problems.is_empty() => Ok(model),
        Ok(_) => Err(problems),
        Err(fault) => {
            problems.push(problem(fault));
            Err(problems)
        }
    }
}

/// Keeps what could be read and puts the rest among the problems.
fn keep<T>(read: Result<T, Fault>, problems: &mut Vec<Problem>) -> Option<T> {
    read.map_err(|fault| problems.push(problem(fault))).ok()
}

fn read_model(root: &Node<'_>, problems: &mut Vec<Problem>) -> Result<Model, Fault> {
    root.expect_object()?;
    let schema_version = root.text("schema_version", "schemaVersion")?;
    let mut types = Vec::new();
    for node in root.list("type_definitions", "typeDefinitions")? {
        types.extend(keep(read_type(&node, problems), problems));
    }
    let mut conditions = Vec::new();
    for (name, node) in root.map("conditions", "conditions")? {
        conditions.extend(keep(read_condition(name, &node), problems));
    }
    Ok(Model { schema_version, types, conditions, comments: Vec::new() })
}

fn read_type(node: &Node<'_>, problems: &mut Vec<Problem>) -> Result<TypeDefinition, Fault> {
    node.expect_object()?;
    let metadata = node.field("metadata", "metadata");
    let about = metadata.as_ref().map(|metadata| metadata.object("relations")).transpose()?.flatten();
    let mut relations = Vec::new();
    for (name, rewrite) in node.map("relations", "relations")? {
        let about = about.as_ref().and_then(|about| about.field(name, name));
        relations.extend(keep(read_relation(name, &rewrite, about.as_ref()), problems));
    }
    let source = metadata.as_ref().map(read_source).transpose()?.unwrap_or_default();
    Ok(TypeDefinition { name: node.text("type", "type")?, relations, source, comments: Vec::new() })
}

fn read_relation(name: &str, rewrite: &Node<'_>, about: Option<&Node<'_>>) -> Result<RelationDefinition, Fault> {
    let rewrite = read_rewrite(rewrite, 0)?;
    let mut restrictions = Vec::new();
    let mut source = Source::default();
    if let Some(about) = about {
        source = read_source(about)?;
        for node in about.list("directly_related_user_types", "directlyRelatedUserTypes")? {
            restrictions.push(read_restriction(&node)?);
        }
    }
    Ok(RelationDefinition { name: SmolStr::new(name), rewrite, restrictions, source, comments: Vec::new() })
}

fn read_source(metadata: &Node<'_>) -> Result<Source, Fault> {
    let module = metadata.text("module", "module")?;
    let file = match metadata.field("source_info", "sourceInfo") {
        Some(info) => info.text("file", "file")?,
        None => SmolStr::default(),
    };
    Ok(Source {
        module: Some(module).filter(|module| !module.is_empty()),
        file: Some(file.to_string()).filter(|file| !file.is_empty()),
        ..Source::default()
    })
}

fn read_restriction(node: &Node<'_>) -> Result<TypeRestriction, Fault> {
    node.expect_object()?;
    let relation = node.field("relation", "relation");
    let kind = match (relation, node.field("wildcard", "wildcard")) {
        (Some(_), Some(_)) => return Err(node.problem("has both `relation` and `wildcard`")),
        (Some(relation), None) => match relation.as_text()? {
            // What an older writer sends for a plain type.
            "" => RestrictionKind::Object,
            name => RestrictionKind::Userset(SmolStr::new(name)),
        },
        (None, Some(wildcard)) => {
            wildcard.expect_object()?;
            RestrictionKind::Wildcard
        }
        (None, None) => RestrictionKind::Object,
    };
    let condition = Some(node.text("condition", "condition")?).filter(|name| !name.is_empty());
    Ok(TypeRestriction { type_name: node.text("type", "type")?, kind, condition })
}

fn read_rewrite(node: &Node<'_>, depth: usize) -> Result<Rewrite, Fault> {
    if depth > MAX_NESTING {
        return Err(node.problem(&format!("nests more than {MAX_NESTING} deep")));
    }
    node.expect_object()?;
    let mut members = [
        ("this", "this"),
        ("computedUserset", "computed_userset"),
        ("tupleToUserset", "tuple_to_userset"),
        ("union", "union"),
        ("intersection", "intersection"),
        ("difference", "difference"),
    ]
    .into_iter()
    .filter_map(|(name, other)| Some((name, node.field(name, other)?)));
    let Some((name, member)) = members.next() else {
        return Err(node.problem(
            "has none of `this`, `computedUserset`, `tupleToUserset`, `union`, `intersection`, `difference`",
        ));
    };
    if let Some((second, _)) = members.next() {
        return Err(node.problem(&format!("has both `{name}` and `{second}`")));
    }
    member.expect_object()?;
    Ok(match name {
        "this" => Rewrite::This,
        "computedUserset" => Rewrite::Computed(member.text("relation", "relation")?),
        "tupleToUserset" => Rewrite::TupleToUserset {
            tupleset: member.needed("tupleset", "tupleset")?.text("relation", "relation")?,
            computed: member.needed("computedUserset", "computed_userset")?.text("relation", "relation")?,
        },
        "union" => Rewrite::Union(read_children(&member, depth)?),
        "intersection" => Rewrite::Intersection(read_children(&member, depth)?),
        _ => Rewrite::Difference(
            Box::new(read_rewrite(&member.needed("base", "base")?, depth + 1)?),
            Box::new(read_rewrite(&member.needed("subtract", "subtract")?, depth + 1)?),
        ),
    })
}

fn read_children(member: &Node<'_>, depth: usize) -> Result<Vec<Rewrite>, Fault> {
    member.list("child", "child")?.iter().map(|child| read_rewrite(child, depth + 1)).collect()
}

fn read_condition(key: &str, node: &Node<'_>) -> Result<ConditionDefinition, Fault> {
    node.expect_object()?;
    let name = node.text("name", "name")?;
    if name != key {
        return Err(node.problem(&format!("is named `{}`, expected its key `{}`", shown(&name), shown(key))));
    }
    let mut parameters = Vec::new();
    for (parameter, kind) in node.map("parameters", "parameters")? {
        parameters.push((SmolStr::new(parameter), read_parameter(&kind, 0)?));
    }
    let source = match node.field("metadata", "metadata") {
        Some(metadata) => read_source(&metadata)?,
        None => Source::default(),
    };
    let expression = node.text("expression", "expression")?.to_string();
    Ok(ConditionDefinition { name, parameters, expression, source, comments: Vec::new() })
}

/// In the order of the numbers that protojson also takes for them.
const TYPE_NAMES: &[&str] = &[
    "TYPE_NAME_UNSPECIFIED",
    "TYPE_NAME_ANY",
    "TYPE_NAME_BOOL",
    "TYPE_NAME_STRING",
    "TYPE_NAME_INT",
    "TYPE_NAME_UINT",
    "TYPE_NAME_DOUBLE",
    "TYPE_NAME_DURATION",
    "TYPE_NAME_TIMESTAMP",
    "TYPE_NAME_MAP",
    "TYPE_NAME_LIST",
    "TYPE_NAME_IPADDRESS",
];

fn read_parameter(node: &Node<'_>, depth: usize) -> Result<ParameterType, Fault> {
    if depth > MAX_NESTING {
        return Err(node.problem(&format!("nests more than {MAX_NESTING} deep")));
    }
    node.expect_object()?;
    let written = node.needed("type_name", "typeName")?;
    let number = written.number().and_then(|n| TYPE_NAMES.get(usize::try_from(n).ok()?).copied());
    let name = match number {
        Some(name) => name,
        None => written.as_text()?,
    };
    let generics = node.list("generic_types", "genericTypes")?;
    let expected = usize::from(matches!(name, "TYPE_NAME_MAP" | "TYPE_NAME_LIST"));
    if generics.len() != expected {
        return Err(node.problem(&format!("has {} `generic_types`, expected {expected}", generics.len())));
    }
    let inner = generics.first().map(|generic| read_parameter(generic, depth + 1)).transpose()?.map(Box::new);
    Ok(match (name, inner) {
        ("TYPE_NAME_ANY", _) => ParameterType::Any,
        ("TYPE_NAME_BOOL", _) => ParameterType::Bool,
        ("TYPE_NAME_STRING", _) => ParameterType::String,
        ("TYPE_NAME_INT", _) => ParameterType::Int,
        ("TYPE_NAME_UINT", _) => ParameterType::Uint,
        ("TYPE_NAME_DOUBLE", _) => ParameterType::Double,
        ("TYPE_NAME_DURATION", _) => ParameterType::Duration,
        ("TYPE_NAME_TIMESTAMP", _) => ParameterType::Timestamp,
        ("TYPE_NAME_IPADDRESS", _) => ParameterType::IpAddress,
        ("TYPE_NAME_MAP", Some(inner)) => ParameterType::Map(inner),
        ("TYPE_NAME_LIST", Some(inner)) => ParameterType::List(inner),
        (unknown, _) => {
            return Err(written.problem(&format!("is `{}`, which is no type of a parameter", shown(unknown))));
        }
    })
}

fn problem(fault: Fault) -> Problem {
    Problem::error(codes::JSON, fault.0)
}
