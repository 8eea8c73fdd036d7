//! The JSON that Cedar's own `run-tests` reads: a list of requests with the decision, reasons and errors expected.

use std::sync::Arc;

use authx_engine::PolicyErrors;

use super::read::Reader;
use super::references::action;
use super::{Besides, Case, DataFile, Errors, Expected, Fixtures, SettingsGiven, Suite, Test};
use crate::yaml::fields::short;
use crate::yaml::{Node, Value};

pub(super) fn suite(reader: &mut Reader<'_>, root: &Node) -> Suite {
    let items = reader.fields.items(Some(root), "the file");
    let tests = items.iter().zip(1..).filter_map(|(node, number)| test(reader, node, number)).collect();
    Suite {
        file: reader.file.to_owned(),
        policies: None,
        // Cedar skips a policy that fails.
        settings: SettingsGiven { policy_errors: Some(PolicyErrors::Cedar), ..SettingsGiven::default() },
        fixtures: Fixtures::default(),
        tests,
    }
}

/// One request on entities of its own.
fn test(reader: &mut Reader<'_>, node: &Node, number: usize) -> Option<Test> {
    let known = ["name", "request", "entities", "decision", "reason", "num_errors", "has_error"];
    let [name, request, entities, decision, reason, count, any] = reader.fields.map(node, "a test", known);
    let name = reader.fields.optional_text(name, "`name`").map_or_else(|| format!("test {number}"), short);
    let request = reader.fields.needed(node, "request", request).and_then(|request| asked(reader, request));
    let mut fixtures = Fixtures::default();
    match entities {
        Some(file @ Node { value: Value::Text { .. }, .. }) => {
            fixtures.files.extend(reader.file_ref(file, "`entities`").map(DataFile::Entities));
        }
        entities => fixtures.entities = reader.entities(entities),
    }
    let decision = reader.fields.needed(node, "decision", decision).and_then(|node| reader.answer(node));
    let errors = match (count.map(|node| &node.value), any.map(|node| &node.value)) {
        (Some(Value::Number(number)), _) => Errors::Count(number.as_u64().unwrap_or_default()),
        (None, Some(Value::Bool(true))) => Errors::AtLeastOne,
        (None, None | Some(Value::Bool(false))) => Errors::default(),
        (_, _) => {
            reader.fields.wrong(node.place, "`num_errors` is no number");
            return None;
        }
    };
    let policies = reason.map(|reason| Arc::new(reader.texts(reason, "`reason`").collect()));
    let expected = Expected { answer: decision?, besides: Besides { policies, errors, warnings: None } };
    let case = request?(node, expected);
    reader.room_for(node, 1).then(|| Test {
        name,
        description: None,
        line: node.place.line,
        fixtures,
        cases: vec![case],
    })
}

/// A request, as the case that it is once it is known what must come of it.
fn asked(reader: &mut Reader<'_>, node: &Node) -> Option<impl FnOnce(&Node, Expected) -> Case + use<>> {
    let [principal, of_action, resource, context] =
        reader.fields.map(node, "a request", ["principal", "action", "resource", "context"]);
    let principal = reader.fields.needed(node, "principal", principal).and_then(|node| reader.uid(node));
    let action = reader.fields.needed(node, "action", of_action).and_then(|node| action(&mut reader.fields, node));
    let resource = reader.fields.needed(node, "resource", resource).and_then(|node| reader.uid(node));
    let context = context.map(|context| reader.fields.object(context, "`context`")).unwrap_or_default();
    let (principal, action, resource) = (principal?, action?, resource?);
    Some(move |node: &Node, expected| Case {
        name: None,
        line: node.place.line,
        words: [&principal, &action, &resource].map(|uid| Arc::from(uid.to_string())),
        principal,
        action,
        resource,
        context: Arc::new(context),
        entities: Vec::new(),
        tuples: Vec::new(),
        expected: Arc::new(expected),
    })
}
