//! A request's own data: its context and its entities, read by the schema and laid over what is stored.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use smol_str::SmolStr;

use crate::cedar::{EntityUID, SchemaType, Value};
use crate::data::{EntityInput, attribute_map, read_row, row_from};
use crate::entity::{EntityRow, Parent};
use crate::error::DecideError;
use crate::linking::{context_problems, uid_problem};
use crate::relation::{RelationModel, Tuple};
use crate::request::{AccessRequest, Limits};
use crate::schema::{ActionInfo, Schema};
use crate::snapshot::{RequestAttributes, Snapshot};
use crate::value::{Findings, InputProblem, Place, Reader, Undeclared};

/// What a request brings.
pub(crate) struct Input {
    pub(crate) context: Arc<BTreeMap<SmolStr, Value>>,
    /// Rows that stand in for stored ones in this request.
    pub(crate) overlay: Vec<(EntityUID, Arc<EntityRow>)>,
    pub(crate) warnings: Vec<String>,
}

/// Reads the request's data.
///
/// # Errors
/// Every value that is malformed or of the wrong type, or a limit.
pub(crate) fn read_input(snapshot: &Snapshot, request: &AccessRequest, limits: &Limits) -> Result<Input, DecideError> {
    let (schema, linking) = (snapshot.enforced_schema(), snapshot.linking());
    let mut findings = Findings::default();
    if linking.is_some() {
        for (uid, side) in
            [(&request.principal, "/principal"), (&request.action, "/action"), (&request.resource, "/resource")]
        {
            findings.problems.extend(uid_problem(&uid.0, &Place::Root(side)));
        }
        findings.problems.extend(context_problems(&request.context.0));
    }
    let model = snapshot.release.as_ref().and_then(|release| release.model());
    findings.problems.extend(tuple_problems(model.map(AsRef::as_ref), &request.tuples, limits.request_tuples));
    let action = schema.map(|schema| schema.actions.get(&request.action.0));
    let context = match action {
        // An action that the schema lacks is denied; what its context would hold nobody knows.
        Some(None) => BTreeMap::new(),
        Some(Some(info)) => read_context(request, schema, Some(info), &mut findings),
        None if request.context.0.is_empty() => BTreeMap::new(),
        None => read_context(request, None, None, &mut findings),
    };
    if request.entities.len() > limits.request_entities {
        return Err(DecideError::limit(format!("the request sends more than {} entities", limits.request_entities)));
    }
    let mut overlay: Vec<(EntityUID, Arc<EntityRow>)> = Vec::new();
    for (index, input) in request.entities.iter().enumerate() {
        let pointer = format!("/entities/{index}");
        if overlay.iter().any(|(uid, _)| *uid == input.uid.0) {
            findings
                .problems
                .push(Place::Root(&pointer).problem("duplicate_entity", format!("`{}` is sent twice", input.uid)));
            continue;
        }
        if let Some(row) = read_sent(snapshot, schema, input, &pointer, &mut findings) {
            overlay.push((input.uid.0.clone(), Arc::new(row)));
        }
    }
    findings.tell_forged_once();
    if !findings.problems.is_empty() {
        return Err(DecideError::InvalidInput { problems: findings.problems });
    }
    let dropped = |pointer: String| format!("`{pointer}` is not declared by the schema and was dropped");
    let warnings = findings.undeclared.into_iter().map(dropped).collect();
    Ok(Input { context: Arc::new(context), overlay, warnings })
}

/// What is wrong with tuples that a request brings for itself.
#[must_use]
pub fn tuple_problems(model: Option<&RelationModel>, tuples: &[Tuple], limit: usize) -> Vec<InputProblem> {
    let at = |pointer: String, code, message| InputProblem { pointer, code, message };
    let Some(model) = model else {
        let none = || at("/tuples".to_owned(), "no_relation_model", "the store has no relation model".to_owned());
        return if tuples.is_empty() { Vec::new() } else { vec![none()] };
    };
    if tuples.len() > limit {
        let message = format!("the request brings {} tuples, more than {limit}", tuples.len());
        return vec![at("/tuples".to_owned(), "too_many_tuples", message)];
    }
    let mut seen = HashSet::with_capacity(tuples.len());
    let mut problems = Vec::new();
    for (index, tuple) in tuples.iter().enumerate() {
        let refused = if seen.insert(&tuple.key) {
            model.check_tuple(tuple).err().map(|problem| ("invalid_tuple", problem.to_string()))
        } else {
            Some(("duplicate_tuple", format!("`{}` is sent twice", tuple.key)))
        };
        problems.extend(refused.map(|(code, message)| at(format!("/tuples/{index}"), code, message)));
    }
    problems
}

fn read_context(
    request: &AccessRequest,
    schema: Option<&Schema>,
    action: Option<&ActionInfo>,
    findings: &mut Findings,
) -> BTreeMap<SmolStr, Value> {
    let place = Place::Root("/context");
    let admits = |uid: &EntityUID| schema.is_none_or(|schema| schema.admits(uid));
    let mut reader = Reader { findings, undeclared: Undeclared::Drop, admits: &admits };
    let declared = |name: &str| -> Option<&SchemaType> { action?.context.get(name).map(|attribute| &attribute.ty) };
    let context = reader.read_record(&request.context.0, &declared, action.is_none(), &place);
    for (name, attribute) in action.into_iter().flat_map(|action| &action.context) {
        let sent = request.context.0.get(name.as_str()).is_some_and(|value| !value.is_null());
        if attribute.required && !sent {
            let message = format!("the context key `{name}` is required");
            findings.problems.push(Place::Key(&place, name).problem("missing_context", message));
        }
    }
    context
}

/// One sent entity, laid over the stored one as the store's settings say.
fn read_sent(
    snapshot: &Snapshot,
    schema: Option<&Schema>,
    input: &EntityInput,
    pointer: &str,
    findings: &mut Findings,
) -> Option<EntityRow> {
    let uid = &input.uid.0;
    let place = Place::Root(pointer);
    if let Some(linking) = snapshot.linking() {
        findings.problems.extend(linking.entity_problems(input, &place));
    }
    if uid.is_action() {
        check_action(snapshot, input, &place, findings);
        return None;
    }
    let Some(schema) = schema else {
        let sent = read_row(input, None, pointer, Undeclared::Drop, findings);
        return Some(laid_over(snapshot, uid, sent));
    };
    let Some(info) = schema.types.get(uid.entity_type()) else {
        findings.undeclared.push(format!("{pointer} ({})", uid.entity_type()));
        return None;
    };
    if !schema.admits(uid) {
        findings
            .problems
            .push(place.problem("unknown_entity", format!("`{uid}` is not among the ids that the schema lists")));
        return None;
    }
    for (index, parent) in input.parents.iter().enumerate() {
        if !info.parents.contains(parent.0.entity_type()) {
            let message =
                format!("the schema does not let `{}` be a parent of `{}`", parent.0.entity_type(), uid.entity_type());
            findings.problems.push(Place::Item(&Place::Key(&place, "parents"), index).problem("wrong_type", message));
        }
    }
    let sent = read_row(input, Some(schema), pointer, Undeclared::Drop, findings);
    Some(laid_over(snapshot, uid, sent))
}

/// An action's place in its groups is the schema's; a request may repeat it and not change it.
fn check_action(snapshot: &Snapshot, input: &EntityInput, place: &Place<'_>, findings: &mut Findings) {
    let schema = snapshot.release.as_ref().and_then(|release| release.schema());
    if !action_as_declared(schema, input) {
        let message = format!("`{}` differs from the schema's action", input.uid);
        findings.problems.push(place.problem("action_entity", message));
    }
}

/// Whether an action entity says no more than the schema does. Its parents may be direct or all of its groups.
#[must_use]
pub fn action_as_declared(schema: Option<&Schema>, input: &EntityInput) -> bool {
    let info = schema.and_then(|schema| schema.actions.get(&input.uid.0));
    let plain = input.attrs.0.is_empty() && input.tags.0.is_empty();
    let ancestors = info.map(|info| info.ancestors.as_slice()).unwrap_or_default();
    plain
        && (info.is_some() || input.parents.is_empty())
        && input.parents.iter().all(|parent| ancestors.contains(&parent.0))
}

fn laid_over(snapshot: &Snapshot, uid: &EntityUID, sent: EntityRow) -> EntityRow {
    let Some(stored) = snapshot.data.row(uid) else { return sent };
    let (mut attributes, mut tags) = (attribute_map(stored), stored.tags.as_deref().cloned().unwrap_or_default());
    let mut parents: Vec<Parent> = stored.parents.to_vec();
    match snapshot.settings.request_attributes {
        RequestAttributes::Override => {
            attributes.extend(attribute_map(&sent));
            tags.extend(sent.tags.map(|tags| *tags).unwrap_or_default());
            for parent in &sent.parents {
                if !parents.contains(parent) {
                    parents.push(parent.clone());
                }
            }
        }
        RequestAttributes::Ignore => {
            for (name, kind) in attribute_map(&sent) {
                attributes.entry(name).or_insert(kind);
            }
            for (name, value) in sent.tags.map(|tags| *tags).unwrap_or_default() {
                tags.entry(name).or_insert(value);
            }
        }
    }
    row_from(uid, attributes, parents, tags)
}

/// Whether the schema knows the action and lets it be asked of these types.
///
/// # Errors
/// The warning for the asker.
pub(crate) fn admissible(schema: &Schema, request: &AccessRequest) -> Result<(), String> {
    let action = &request.action.0;
    let Some(info) = schema.actions.get(action) else {
        let hint = schema.suggest_action(action).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        return Err(format!("unknown action `{}`{hint}", request.action.id()));
    };
    let sides = [("principal", &request.principal, &info.principals), ("resource", &request.resource, &info.resources)];
    for (side, uid, types) in sides {
        let ty = uid.0.entity_type();
        if !types.contains(ty) {
            if !uid.is_action() && !schema.types.contains_key(ty) {
                let hint = schema.suggest_type(ty).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                return Err(format!("unknown type `{ty}` of the {side}{hint}"));
            }
            return Err(format!("action `{}` does not apply to a {side} of type `{ty}`", request.action.id()));
        }
        if !schema.admits(&uid.0) {
            return Err(format!("`{uid}` is not among the ids that the schema lists"));
        }
    }
    Ok(())
}
