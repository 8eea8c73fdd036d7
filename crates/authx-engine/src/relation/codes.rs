//! The stable codes of everything that can be wrong with a relation model, in one place.

pub(super) const SYNTAX: &str = "model_syntax";
pub(super) const TOO_LARGE: &str = "model_too_large";
pub(super) const JSON: &str = "model_json";
pub(super) const SCHEMA_VERSION: &str = "schema_version";
pub(super) const TOO_MANY_TYPES: &str = "too_many_types";
pub(super) const RESERVED_NAME: &str = "reserved_name";
pub(super) const INVALID_NAME: &str = "invalid_name";
pub(super) const DUPLICATE_TYPE: &str = "duplicate_type";
pub(super) const DUPLICATE_RELATION: &str = "duplicate_relation";
pub(super) const DUPLICATE_RESTRICTION: &str = "duplicate_restriction";
pub(super) const DUPLICATE_CONDITION: &str = "duplicate_condition";
pub(super) const DUPLICATE_PARAMETER: &str = "duplicate_parameter";
pub(super) const DUPLICATE_OPERAND: &str = "duplicate_operand";
pub(super) const DUPLICATE_EXTENSION: &str = "duplicate_extension";
pub(super) const UNDEFINED_TYPE: &str = "undefined_type";
pub(super) const UNDEFINED_RELATION: &str = "undefined_relation";
pub(super) const UNDEFINED_CONDITION: &str = "undefined_condition";
pub(super) const UNUSED_CONDITION: &str = "unused_condition";
pub(super) const MISSING_RESTRICTIONS: &str = "missing_restrictions";
pub(super) const UNUSED_RESTRICTIONS: &str = "unused_restrictions";
pub(super) const INVALID_TUPLESET: &str = "invalid_tupleset";
pub(super) const EMPTY_REWRITE: &str = "empty_rewrite";
pub(super) const CYCLE: &str = "cyclic_relation";
pub(super) const NO_ENTRYPOINT: &str = "no_entrypoint";
pub(super) const SEVERAL_MODULES: &str = "several_modules";
pub(super) const NOT_EXPRESSIBLE: &str = "not_expressible";

/// Every code of this module, for the reference of errors.
pub const CODES: &[&str] = &[
    SYNTAX,
    TOO_LARGE,
    JSON,
    SCHEMA_VERSION,
    TOO_MANY_TYPES,
    RESERVED_NAME,
    INVALID_NAME,
    DUPLICATE_TYPE,
    DUPLICATE_RELATION,
    DUPLICATE_RESTRICTION,
    DUPLICATE_CONDITION,
    DUPLICATE_PARAMETER,
    DUPLICATE_OPERAND,
    DUPLICATE_EXTENSION,
    UNDEFINED_TYPE,
    UNDEFINED_RELATION,
    UNDEFINED_CONDITION,
    UNUSED_CONDITION,
    MISSING_RESTRICTIONS,
    UNUSED_RESTRICTIONS,
    INVALID_TUPLESET,
    EMPTY_REWRITE,
    CYCLE,
    NO_ENTRYPOINT,
    SEVERAL_MODULES,
    NOT_EXPRESSIBLE,
];
