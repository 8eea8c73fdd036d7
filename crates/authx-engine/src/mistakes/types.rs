//! Hints about policies that do not fit the schema.

use std::collections::BTreeSet;

use super::{close_to, listed};
use crate::cedar::{EntityType, FromNormalizedStr as _, Name, ValidationError};
use crate::linking::REL;
use crate::schema::Schema;

/// What to write instead; `written` is the text that the validator points at.
pub(crate) fn hint(error: &ValidationError, written: &str, schema: &Schema) -> Option<String> {
    let own = match error {
        ValidationError::UnrecognizedEntityType(found) => Some(entity_type(&found.actual_entity_type, schema)),
        ValidationError::UnrecognizedActionId(found) => Some(action(&found.actual_action_id, schema)),
        ValidationError::UnexpectedType(found) if found.help.is_none() => {
            let expected: Vec<String> = found.expected.iter().map(ToString::to_string).collect();
            unexpected(&expected, &found.actual.to_string(), written)
        }
        ValidationError::IncompatibleTypes(found) => {
            let types: BTreeSet<String> = found.types.iter().map(ToString::to_string).collect();
            Some(incompatible(&types, &format!("{}", found.context)))
        }
        ValidationError::UnsafeAttributeAccess(found) => {
            Some(attribute(&found.attribute_access.to_string(), found.suggestion.as_deref(), schema))
        }
        ValidationError::UnsafeOptionalAttributeAccess(_) => guard(written),
        ValidationError::NoTagsAllowed(found) => {
            let ty = found.entity_ty.as_ref().map_or_else(|| "the type".to_owned(), |ty| format!("`{ty}`"));
            Some(format!("in the schema, declare the type of its tags behind {ty}, such as `tags String`"))
        }
        ValidationError::UnexpectedType(_)
        | ValidationError::UnsafeTagAccess(_)
        | ValidationError::UndefinedFunction(_)
        | ValidationError::WrongNumberArguments(_)
        | ValidationError::FunctionArgumentValidation(_)
        | ValidationError::EmptySetForbidden(_)
        | ValidationError::NonLitExtConstructor(_)
        | ValidationError::InternalInvariantViolation(_)
        | ValidationError::InvalidEnumEntity(_)
        | ValidationError::EntityDerefLevelViolation(_)
        | ValidationError::IncompleteSchema(_) => None,
    };
    own.or_else(|| miette::Diagnostic::help(error).map(|help| help.to_string()))
}

/// A type of the same last name in another namespace, one with a similar name, or what there is.
fn entity_type(name: &str, schema: &Schema) -> String {
    let known: Vec<String> =
        schema.types.keys().map(ToString::to_string).filter(|ty| !ty.starts_with("AuthX::")).collect();
    meant(name, &known, |name| name.rsplit("::").next().unwrap_or(name).to_owned())
        .map_or_else(|| format!("the schema declares {}", listed(&known)), |meant| format!("did you mean `{meant}`?"))
}

/// `name` is the id alone, or the whole reference.
fn action(name: &str, schema: &Schema) -> String {
    let known: Vec<String> = schema.actions.keys().map(ToString::to_string).collect();
    let id = |name: &str| name.rsplit("::\"").next().unwrap_or(name).trim_end_matches('"').to_owned();
    meant(name, &known, id)
        .map_or_else(|| format!("the schema declares {}", listed(&known)), |meant| format!("did you mean `{meant}`?"))
}

/// The known name that was meant, by its last part.
fn meant(name: &str, known: &[String], last: impl Fn(&str) -> String) -> Option<String> {
    let wanted = last(name);
    let parts: Vec<String> = known.iter().map(|known| last(known)).collect();
    let close = close_to(&wanted, &parts)?;
    known.iter().find(|known| last(known) == close).cloned()
}

fn is_text(ty: &str) -> bool {
    ty == "String"
}

/// Whether a type is one of entities.
fn is_entity(ty: &str) -> bool {
    let plain = ["String", "Long", "Bool", "ipaddr", "decimal", "datetime", "duration"];
    !plain.contains(&ty) && !ty.starts_with(['{', 'S']) && !ty.contains("__cedar") || ty.contains("AnyEntity")
}

fn unexpected(expected: &[String], actual: &str, written: &str) -> Option<String> {
    let wants = |ty: &str| expected.iter().any(|expected| expected == ty);
    if wants("Long") && is_text(actual) {
        let number = written.trim_matches('"');
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        return Some(if is_number {
            format!("a number has no quotes: write `{number}`")
        } else {
            "only numbers can be compared by size".to_owned()
        });
    }
    if is_text(actual) && expected.iter().any(|expected| expected.contains("AnyEntity")) {
        let id = written.trim_matches('"');
        return Some(format!("an entity is written with its type, such as `User::\"{id}\"`"));
    }
    if wants("Bool") {
        return Some(format!("a condition is true or false: compare it, such as `{written} == …`"));
    }
    None
}

fn incompatible(types: &BTreeSet<String>, context: &str) -> String {
    let entity = types.iter().find(|ty| is_entity(ty));
    match entity {
        Some(entity) if types.contains("String") => {
            format!("an entity is no text: write `{entity}::\"id\"`, or compare one of its attributes")
        }
        Some(_) if types.iter().all(|ty| is_entity(ty)) => {
            "entities of different types are never equal; compare what both have, or test the type by `is`".to_owned()
        }
        Some(_) | None if types.contains("String") && types.contains("Long") => {
            "a number has no quotes, a text has them".to_owned()
        }
        Some(_) | None => format!("{context} must have the same type"),
    }
}

/// `access` is as Cedar shows it: `a.b` on entity type `T`, or in the context of an action.
fn attribute(access: &str, suggestion: Option<&str>, schema: &Schema) -> String {
    let between = |begin: &str| access.split_once(begin)?.1.split('`').next();
    let path = between("`").unwrap_or_default();
    let name = path.rsplit('.').next().unwrap_or(path);
    let ty = between("on entity type `");
    if path == REL || path.starts_with("rel.") {
        let ty = ty.unwrap_or("the type");
        return format!(
            "only types that are linked to the relation model have `{REL}`: in the schema, annotate `{ty}` with @rebac(\"type of the model\")"
        );
    }
    let known: Vec<String> = match ty.and_then(|ty| Name::from_normalized_str(ty).ok()) {
        Some(ty) => {
            let info = schema.types.get(&EntityType::from(ty));
            info.into_iter().flat_map(|info| info.attributes.keys()).map(ToString::to_string).collect()
        }
        None if access.contains("in context for") => {
            schema.actions.values().flat_map(|info| info.context.keys()).map(ToString::to_string).collect()
        }
        None => Vec::new(),
    };
    let suggested: Vec<String> = suggestion.map(str::to_owned).into_iter().chain(known.iter().cloned()).collect();
    match (close_to(name, &suggested), known.is_empty()) {
        (Some(close), _) => format!("did you mean `{close}`?"),
        (None, false) => format!("the schema declares {}", listed(&known)),
        (None, true) => "declare it in the schema, or read one that is declared there".to_owned(),
    }
}

/// The test that must stand before an optional attribute is read.
fn guard(written: &str) -> Option<String> {
    let (of, name) = written.rsplit_once('.')?;
    let (of, name) = (of.trim(), name.trim());
    let plain =
        !of.is_empty() && !of.contains('\n') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then(|| format!("it may be absent: test it first, as in `{of} has {name} && {of}.{name} …`"))
}
