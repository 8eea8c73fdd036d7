//! A schema, compiled: what an action applies to, what its context holds, what an entity type looks like.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use smol_str::SmolStr;

use crate::cedar::{
    CoreSchema, Dereference, DescribesEntityType as _, Entity, EntitySchemaConformanceChecker, EntityType,
    EntityTypeDescription, EntityUID, SchemaFragment, SchemaType, ValidationError, ValidationMode, ValidationWarning,
    Validator, ValidatorSchema, context_schema_for_action, extensions,
};
use crate::cedar::{Eid, PolicySet, entities_context_type};
use crate::expansion::check_expansion;
use crate::linking::{DeclaredLink, declared_links, declared_name};
use crate::map::Table;
use crate::mistakes::{close_to, type_hint};
use crate::problem::{Origin, Problem, Span, first_label, labelled, message_of};
use crate::scan::{TextLimits, check_text};

/// How an author wrote a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemaSyntax {
    Cedar,
    Json,
}

/// An author's schema text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaSource {
    pub syntax: SchemaSyntax,
    pub file: Option<String>,
    pub text: String,
}

/// A compiled schema.
pub struct Schema {
    source: SchemaSource,
    validator: Validator,
    pub(crate) actions: Table<EntityUID, ActionInfo>,
    pub(crate) types: Table<EntityType, TypeInfo>,
    /// The types that it links to a relation model.
    pub(crate) declared: Vec<DeclaredLink>,
}

/// What the schema says of one action.
pub(crate) struct ActionInfo {
    pub(crate) principals: Vec<EntityType>,
    pub(crate) resources: Vec<EntityType>,
    pub(crate) context: BTreeMap<SmolStr, DeclaredAttribute>,
    pub(crate) ancestors: Vec<EntityUID>,
    /// The action as the evaluator sees it, with its groups.
    pub(crate) entity: Entity,
}

/// What the schema says of one entity type.
#[derive(Debug, PartialEq)]
pub(crate) struct TypeInfo {
    pub(crate) attributes: BTreeMap<SmolStr, DeclaredAttribute>,
    pub(crate) tags: Option<SchemaType>,
    pub(crate) parents: BTreeSet<EntityType>,
    /// The ids of an enumerated type.
    pub(crate) ids: Option<BTreeSet<SmolStr>>,
}

/// A declared attribute or context key.
#[derive(Debug, PartialEq)]
pub(crate) struct DeclaredAttribute {
    pub(crate) ty: SchemaType,
    pub(crate) required: bool,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Schema {
    /// Parses and compiles. Runs on a large stack: Cedar's parser recurses.
    pub(crate) fn compile(source: SchemaSource, limits: &TextLimits) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let file = source.file.clone();
        let origin = Origin { file: file.as_deref(), line: 1, column: 1, text: &source.text };
        let whole = Span { offset: 0, length: 0 };
        check_text(&origin, "schema", limits.schema_bytes, limits.nesting).map_err(|p| vec![p])?;
        let json = json_form(&source);
        if let Some(message) = json.as_ref().and_then(|json| check_expansion(json).err()) {
            return Err(vec![Problem::error("schema_too_large", message).at(&origin, whole)]);
        }
        let declared = json.as_ref().map(declared_links).unwrap_or_default();
        let fail = |error: &dyn miette::Diagnostic| {
            let place = |d: &dyn miette::Diagnostic| first_label(d).unwrap_or(whole);
            let mut problems: Vec<Problem> = Vec::new();
            // A syntax error of Cedar's carries the single errors as related diagnostics.
            let related: Vec<&dyn miette::Diagnostic> = error.related().into_iter().flatten().take(20).collect();
            for one in if related.is_empty() { vec![error] } else { related } {
                let problem = Problem::error("schema_invalid", message_of(one)).at(&origin, place(one));
                problems.push(match one.help() {
                    Some(help) => problem.with_hint(help.to_string()),
                    None => problem,
                });
            }
            problems
        };
        let (schema, warnings) = match source.syntax {
            SchemaSyntax::Cedar => match ValidatorSchema::from_cedarschema_str(&source.text, extensions()) {
                Ok((schema, warnings)) => {
                    let warn = |w: crate::cedar::SchemaWarning| {
                        Problem::warning("schema_warning", message_of(&w)).at(&origin, first_label(&w).unwrap_or(whole))
                    };
                    (schema, warnings.map(warn).collect())
                }
                Err(error) => return Err(fail(&error)),
            },
            SchemaSyntax::Json => match ValidatorSchema::from_json_str(&source.text, extensions()) {
                Ok(schema) => (schema, Vec::new()),
                Err(error) => return Err(fail(&error)),
            },
        };
        let actions = compile_actions(&schema)
            .map_err(|message| vec![Problem::error("schema_invalid", message).at(&origin, whole)])?;
        let types = compile_types(&schema);
        Ok((Self { source, validator: Validator::new(schema), actions, types, declared }, warnings))
    }

    #[must_use]
    pub fn source(&self) -> &SchemaSource {
        &self.source
    }

    /// The schema in Cedar's JSON form.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        json_form(&self.source)
    }

    /// The schema in Cedar's own syntax.
    ///
    /// # Errors
    /// When it has no such form.
    pub fn to_cedar(&self) -> Result<String, String> {
        if self.source.syntax == SchemaSyntax::Cedar {
            return Ok(self.source.text.clone());
        }
        let json = self.json().ok_or("the schema cannot be read")?;
        let fragment = cedar_policy::SchemaFragment::from_json_value(json).map_err(|error| error.to_string())?;
        fragment.to_cedarschema().map_err(|error| error.to_string())
    }

    /// A problem where an entity type is declared, or at one of its annotations, or else at the schema's beginning.
    pub(crate) fn problem_at(
        &self,
        type_name: &str,
        annotation: Option<&str>,
        code: &'static str,
        message: String,
    ) -> Problem {
        let origin = Origin { file: self.source.file.as_deref(), line: 1, column: 1, text: &self.source.text };
        let place = self.place_of(type_name, annotation);
        Problem::error(code, message).at(&origin, place.unwrap_or(Span { offset: 0, length: 0 }))
    }

    fn place_of(&self, type_name: &str, annotation: Option<&str>) -> Option<Span> {
        if self.source.syntax == SchemaSyntax::Json {
            return None;
        }
        let (fragment, _) = SchemaFragment::from_cedarschema_str(&self.source.text, extensions()).ok()?;
        fragment.0.iter().find_map(|(namespace, definition)| {
            let namespace = namespace.as_ref().map(ToString::to_string).unwrap_or_default();
            let mut types = definition.entity_types.iter();
            let (_, found) = types.find(|(name, _)| declared_name(&namespace, name.as_ref()) == type_name)?;
            let written = |key| found.annotations.0.iter().find(|(name, _)| AsRef::<str>::as_ref(name) == key);
            let annotated = annotation.and_then(written).and_then(|(_, found)| found.as_ref()?.loc.as_ref());
            let loc = annotated.or(found.loc.as_ref())?;
            Some(Span { offset: loc.span.offset(), length: loc.span.len() })
        })
    }

    pub(crate) fn validate(&self, policies: &PolicySet) -> Verdict {
        let (errors, warnings) = self.validator.validate(policies, ValidationMode::Strict).into_errors_and_warnings();
        let impossible = |warning| {
            matches!(warning, ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_))
        };
        let errors = errors.map(|error| Found::of(&error, self)).collect();
        Verdict { errors, impossible: { warnings }.any(impossible) }
    }

    /// Whether an entity's id is one that its type may have.
    pub(crate) fn admits(&self, uid: &EntityUID) -> bool {
        self.types
            .get(uid.entity_type())
            .and_then(|info| info.ids.as_ref())
            .is_none_or(|ids| ids.contains(AsRef::<str>::as_ref(uid.eid())))
    }

    /// Runs Cedar's own check of stored entities against the schema; `check` is given the checker once.
    pub(crate) fn with_conformance<T>(&self, check: impl FnOnce(&dyn Fn(&Entity) -> Result<(), String>) -> T) -> T {
        let core = CoreSchema::new(self.validator.schema());
        let checker = EntitySchemaConformanceChecker::new(&core, extensions());
        check(&|entity| checker.validate_entity(entity).map_err(|e| e.to_string()))
    }

    /// Whether both schemas say the same of a type.
    pub(crate) fn same_type(&self, other: &Self, ty: &EntityType) -> bool {
        self.types.get(ty) == other.types.get(ty)
    }

    pub(crate) fn suggest_action(&self, action: &EntityUID) -> Option<String> {
        let names: Vec<String> = self.actions.keys().map(|uid| AsRef::<str>::as_ref(uid.eid()).to_owned()).collect();
        close_to(action.eid().as_ref(), &names)
    }

    pub(crate) fn suggest_type(&self, ty: &EntityType) -> Option<String> {
        close_to(&ty.to_string(), &self.types.keys().map(ToString::to_string).collect::<Vec<_>>())
    }
}

/// Cedar's JSON form of a schema before its names are resolved; `None` when it has errors, which compiling tells.
fn json_form(source: &SchemaSource) -> Option<serde_json::Value> {
    match source.syntax {
        SchemaSyntax::Cedar => {
            let (fragment, _) = cedar_policy::SchemaFragment::from_cedarschema_str(&source.text).ok()?;
            fragment.to_json_value().ok()
        }
        SchemaSyntax::Json => serde_json::from_str(&source.text).ok(),
    }
}

/// What the validator says of policies.
pub(crate) struct Verdict {
    pub(crate) errors: Vec<Found>,
    /// No request that the schema admits can match one of them.
    pub(crate) impossible: bool,
}

/// One finding of the validator, before it is placed in the author's file.
pub(crate) struct Found {
    pub(crate) message: String,
    pub(crate) span: Option<Span>,
    pub(crate) help: Option<String>,
}

impl Found {
    fn of(error: &ValidationError, schema: &Schema) -> Self {
        let span = first_label(error);
        Self {
            message: found_message(error),
            span,
            help: type_hint(error, &labelled(error).unwrap_or_default(), schema),
        }
    }
}

/// The validator's message. The policy is a field of the problem; its name in the text would be said twice.
pub(crate) fn found_message(diagnostic: &dyn miette::Diagnostic) -> String {
    let message = message_of(diagnostic);
    let message = match message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message,
    };
    // Cedar's own names for what no author can write.
    let plain =
        [("AnyEntity", "any entity"), ("Never", "nothing"), ("True", "Bool"), ("False", "Bool"), ("Union", "one of ")];
    plain.iter().fold(message, |message, (name, plain)| message.replace(&format!("__cedar::internal::{name}"), plain))
}

fn compile_actions(schema: &ValidatorSchema) -> Result<Table<EntityUID, ActionInfo>, String> {
    let entities = schema.action_entities().map_err(|e| e.to_string())?;
    let mut actions = Table::default();
    for id in schema.action_ids() {
        let uid = id.name();
        let Dereference::Data(entity) = entities.entity(uid) else { continue };
        let context = context_schema_for_action(schema, uid).map(|context| entities_context_type(&context));
        let declared = match context {
            Some(SchemaType::Record { attrs, .. }) => attrs
                .into_iter()
                .map(|(name, attribute)| {
                    let declared =
                        DeclaredAttribute { ty: attribute.schema_type().clone(), required: attribute.is_required() };
                    (name, declared)
                })
                .collect(),
            _ => BTreeMap::new(),
        };
        let mut principals: Vec<EntityType> = id.applies_to_principals().cloned().collect();
        let mut resources: Vec<EntityType> = id.applies_to_resources().cloned().collect();
        principals.sort();
        resources.sort();
        let info = ActionInfo {
            principals,
            resources,
            context: declared,
            ancestors: entity.ancestors().cloned().collect(),
            entity: entity.clone(),
        };
        actions.insert(uid.clone(), info);
    }
    Ok(actions)
}

fn compile_types(schema: &ValidatorSchema) -> Table<EntityType, TypeInfo> {
    let mut types = Table::default();
    for declared in schema.entity_types() {
        let name = declared.name();
        let Some(description) = EntityTypeDescription::new(schema, name) else { continue };
        let required: BTreeSet<SmolStr> = description.required_attrs().collect();
        let attributes = declared.attributes().iter().filter_map(|(attribute, _)| {
            let ty = description.attr_type(attribute)?;
            Some((attribute.clone(), DeclaredAttribute { ty, required: required.contains(attribute) }))
        });
        let info = TypeInfo {
            attributes: attributes.collect(),
            tags: description.tag_type(),
            parents: description.allowed_parent_types().iter().cloned().collect(),
            ids: description
                .enum_entity_eids()
                .map(|ids| ids.iter().map(|id: &Eid| SmolStr::new(AsRef::<str>::as_ref(id))).collect()),
        };
        types.insert(name.with_loc(None), info);
    }
    types
}
