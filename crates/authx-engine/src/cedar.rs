//! The only module that names `cedar_policy_core`.
//!
//! Everything the engine takes from below Cedar's public API is listed here, so that an upgrade of the pinned
//! version is reviewed in one place. The rest of the crate imports these names from `crate::cedar`.

pub(crate) use cedar_policy_core::FromNormalizedStr;
pub(crate) use cedar_policy_core::ast::Effect;
pub(crate) use cedar_policy_core::ast::PatternElem;
pub(crate) use cedar_policy_core::ast::{
    ActionConstraint, BinaryOp, Context, Eid, Entity, EntityReference, EntityType, EntityUID, EntityUIDEntry, Expr,
    ExprKind, Literal, Name, PartialValue, PolicyID, PolicySet, PrincipalOrResourceConstraint, Request, Set, SlotEnv,
    SlotId, Template, UnaryOp, Value, ValueKind, Var,
};
pub(crate) use cedar_policy_core::entities::AttributeType;
pub(crate) use cedar_policy_core::entities::conformance::EntitySchemaConformanceChecker;
pub(crate) use cedar_policy_core::entities::{
    CedarValueJson, Dereference, Entities, EntityTypeDescription as DescribesEntityType, NoEntitiesSchema, SchemaType,
    TCComputation,
};
pub(crate) use cedar_policy_core::est::Annotations;
pub(crate) use cedar_policy_core::evaluator::{EvaluationError, Evaluator};
pub(crate) use cedar_policy_core::extensions::Extensions;
pub(crate) use cedar_policy_core::fuzzy_match::fuzzy_search_limited;
pub(crate) use cedar_policy_core::parser::err::{ParseError, ToASTErrorKind as ToAstErrorKind};
pub(crate) use cedar_policy_core::parser::{Loc, parse_policy_or_template, parse_policyset};
pub(crate) use cedar_policy_core::validator::{
    CoreSchema, EntityTypeDescription, ValidationError, ValidationMode, ValidationWarning, Validator, ValidatorSchema,
    cedar_schema::SchemaWarning,
    confusable_string_checks, context_schema_for_action,
    json_schema::{EntityTypeKind, TypeVariant},
};

/// A schema as it is written, with places.
pub(crate) type SchemaFragment =
    cedar_policy_core::validator::json_schema::Fragment<cedar_policy_core::validator::RawName>;

/// What one namespace of a schema declares, as it is written.
pub(crate) type NamespaceDefinition =
    cedar_policy_core::validator::json_schema::NamespaceDefinition<cedar_policy_core::validator::RawName>;

/// A type as a schema writes it.
pub(crate) type TypeExpression = cedar_policy_core::validator::json_schema::Type<cedar_policy_core::validator::RawName>;

/// The extension functions that every policy may call: decimal, ipaddr, datetime and duration.
pub(crate) fn extensions() -> &'static Extensions<'static> {
    Extensions::all_available()
}

/// Calls a constructor such as `ip` or `decimal`; the error is Cedar's own text.
pub(crate) fn construct_extension(function: &str, arguments: &[Value]) -> Result<Value, String> {
    let name = Name::from_normalized_str(function).map_err(|_| format!("`{function}` is no extension function"))?;
    let function_body = extensions().func(&name).map_err(|e| e.to_string())?;
    match function_body.call(arguments).map_err(|e| e.to_string())? {
        PartialValue::Value(value) => Ok(value),
        PartialValue::Residual(_) => Err(format!("`{function}` gave no value")),
    }
}

/// The declared type of an action's context: always a record.
pub(crate) fn entities_context_type(schema: &cedar_policy_core::validator::ContextSchema) -> SchemaType {
    cedar_policy_core::entities::ContextSchema::context_type(schema)
}
