//! Relations: the model, the tuples, and the questions asked of both.
//!
//! A model is read from OpenFGA's language or JSON, validated, and compiled to rules. Tuples are interned and packed.
//! The graph answers from both; it knows no store, no release and no clock. In reading order.

// The model: text, JSON, validation.
mod model;

mod codes;
mod place;

mod parse;

mod modules;

mod print;

mod from_json;
mod json;

mod validate;

// What a tuple may carry.
mod condition;

// Tuples, as text and packed.
mod tuple;

mod edge;
mod names;
mod side;

mod tuples;

// Questions.
mod rules;

mod conform;

mod graph;

#[cfg(test)]
pub(crate) mod tests;

pub use codes::CODES;
pub use condition::{CompiledCondition, Evaluated, MAX_COST, Outcome};
pub(crate) use conform::no_longer_allowed;
pub(crate) use edge::Node;
pub use from_json::model_from_json;
pub use graph::{
    Asking, Bound, Checked, Ended, Expansion, FoundUser, GraphError, GraphLimits, Leaf, Listed, Relations, UserFilter,
};
pub(crate) use graph::{Direct, Targets};
pub use json::{model_to_http_json, model_to_json};
pub use model::{
    ConditionDefinition, Model, ParameterType, RelationDefinition, RestrictionKind, Rewrite, Source, TypeDefinition,
    TypeRestriction,
};
pub use modules::{Module, combine};
pub use parse::{MAX_TEXT, parse, parse_module};
pub(crate) use place::place_in;
pub use print::{print, print_module};
pub(crate) use rules::{Kind, RelationId, Restriction, Rule, TypeId};
pub use rules::{ModelSource, ModelSyntax, RelationModel, TupleProblem};
pub use tuple::{
    MAX_OBJECT_BYTES, MAX_SUBJECT_BYTES, ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey, TupleTextError,
    WILDCARD, is_relation_name, is_type_name, tuple_of_line,
};
pub use tuples::{KeyParts, TooManyNames, Tuples, TuplesBuilder};
pub use validate::{MAX_TYPES, Rules, validate, validate_with};
