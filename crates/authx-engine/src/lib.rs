//! The pure decision engine of AuthX.
//!
//! No I/O, no async, no clock and no globals: everything comes in as an argument, and a thread remembers nothing but
//! how type names parse. Modules in reading order.

// Words: ids, JSON, values, findings.
mod json;
mod map;
mod problem;
mod uid;
mod value;

// From an author's text to a release.
mod access;
mod bodies;
mod cedar;
mod compare;
mod condition;
mod diff;
mod expansion;
mod format;
mod index;
mod linking;
mod lint;
mod mistakes;
mod model_change;
mod parse;
mod policy;
mod release;
mod scan;
mod schema;
mod scope;
mod stack;
mod texts;

// Data: entities and links.
mod bytes;
mod conform;
mod data;
mod entity;
mod links;
mod named;
mod patch;

// Relations: models, tuples, and questions about them.
pub mod relation;

// One decision.
mod snapshot;

mod request;

mod error;

mod input;

mod hierarchy;

mod slice;

mod facts;

mod plain;

mod evaluate;

mod decide;

// Why it was made, and what requests have tried.
mod coverage;
mod explain;
mod reads;

#[cfg(test)]
mod tests;

pub use conform::{Nonconforming, check_entities, entity_json, nonconforming};
pub use coverage::{Conditions, ConjunctCoverage, Coverage, PolicyCoverage};
pub use data::{Change, Data, DataRules, EntityInput, LinkInput, MAX_PARENTS, read_entity};
pub use decide::{Decision, Evaluation, PolicyError, decide};
pub use diff::ReleaseDiff;
pub use entity::EntityRow;
pub use error::DecideError;
pub use explain::{
    ConjunctExplanation, ConjunctOutcome, Explanation, NearMiss, PathValue, PolicyExplanation, PolicyOutcome,
    RelationExplanation, RelationTold, ScopePart, Supply, Tried, explain,
};
pub use format::{FORMAT_WIDTH, format_policies};
pub use hierarchy::{HierarchyError, check_hierarchy};
pub use input::{action_as_declared, tuple_problems};
pub use json::{Json, JsonObject, MAX_DEPTH};
pub use linking::percent_decoded;
pub use links::check_link;
pub use lint::{Level, Lint, LintLevels, Linted, UnknownLint, lint};
pub use patch::EntityPatch;
pub use policy::{Policy, PolicyId, is_policy_id, policy_json, policy_text};
pub use problem::{Problem, Related, Severity, SourcePlace};
pub use reads::{Reach, Reads, reads};
pub use release::{Check, CompileOptions, Compiled, Release, Sources};
pub use request::{AccessRequest, Limits, MAX_REQUEST_TUPLES};
pub use scan::{PolicySource, TextLimits, split_policies};
pub use schema::{Schema, SchemaSource, SchemaSyntax};
pub use snapshot::{PolicyErrors, RequestAttributes, Settings, Snapshot, Validation};
pub use stack::COMPILE_STACK_BYTES;
pub use texts::{PolicyText, policy_texts};
pub use uid::{ActionUid, EntityUid, EntityUidError, MAX_ID_BYTES, parse_action};
pub use value::{InputProblem, MAX_SET_MEMBERS};
