//! A matrix of principals, actions and resources as the cases that it stands for. What it does not allow it denies.

use std::collections::BTreeSet;
use std::sync::Arc;

use authx_engine::{EntityUid, JsonObject};

use super::read::Reader;
use super::references::action;
use super::{Besides, Case, Expected, Wanted};
use crate::yaml::{Key, Node, Place, Value};

/// The word that stands for all actions, or all resources.
const ALL: &str = "all";

/// One side of a matrix: what is written, and what it stands for.
struct Axis(Vec<(Arc<str>, EntityUid)>);

/// The parts of a matrix as they stand in a test.
pub(super) struct Matrix<'n> {
    pub(super) principals: Option<&'n Node>,
    pub(super) actions: Option<&'n Node>,
    pub(super) resources: Option<&'n Node>,
    pub(super) allow: Option<&'n Node>,
    pub(super) expected: Option<&'n Node>,
}

/// What a matrix allows, as places in it.
#[derive(Default)]
struct Allowed(BTreeSet<[usize; 3]>);

impl Matrix<'_> {
    /// Whether anything of a matrix is there.
    pub(super) fn is_some(&self) -> bool {
        self.principals.or(self.actions).or(self.resources).or(self.allow).or(self.expected).is_some()
    }

    /// The cases, at the place of what says the answer.
    pub(super) fn cases(
        &self,
        reader: &mut Reader<'_>,
        node: &Node,
        context: &Arc<JsonObject>,
        besides: &Besides,
    ) -> Option<Vec<Case>> {
        let principals = axis(reader, node, ("principals", self.principals), Reader::entity)?;
        let actions = axis(reader, node, ("actions", self.actions), |reader, node| action(&mut reader.fields, node))?;
        let resources = axis(reader, node, ("resources", self.resources), Reader::entity)?;
        let size = principals.0.len().saturating_mul(actions.0.len()).saturating_mul(resources.0.len());
        if !reader.room_for(node, size) {
            return None;
        }
        let mut allowed = Allowed::default();
        let (place, all) = match (self.allow, self.expected) {
            (Some(_), Some(expected)) => {
                reader.fields.wrong(expected.place, "a matrix has `allow` or `expect`, not both");
                return None;
            }
            (None, None) => {
                let hint = "`allow` says who may do what, and all else is denied; `expect` is for all";
                reader.fields.wrong_with_hint(node.place, "the matrix says nothing of its answers", hint);
                return None;
            }
            (None, Some(all)) => (all.place, Some(reader.answer(all)?)),
            (Some(allow), None) => {
                allowed.read(reader, allow, [&principals, &actions, &resources]);
                (allow.place, None)
            }
        };
        let of = |answer| Arc::new(Expected { answer, besides: besides.clone() });
        let (allow, deny, all) = (of(Wanted::Allow), of(Wanted::Deny), all.map(of));
        let mut cases = Vec::with_capacity(size);
        for (p, (principal_word, principal)) in principals.0.iter().enumerate() {
            for (r, (resource_word, resource)) in resources.0.iter().enumerate() {
                for (a, (action_word, action)) in actions.0.iter().enumerate() {
                    let of_matrix = if allowed.0.contains(&[p, a, r]) { &allow } else { &deny };
                    cases.push(Case {
                        name: None,
                        line: place.line,
                        words: [principal_word, action_word, resource_word].map(Arc::clone),
                        principal: principal.clone(),
                        action: action.clone(),
                        resource: resource.clone(),
                        context: Arc::clone(context),
                        entities: Vec::new(),
                        tuples: Vec::new(),
                        expected: Arc::clone(all.as_ref().unwrap_or(of_matrix)),
                    });
                }
            }
        }
        Some(cases)
    }
}

fn axis<'a>(
    reader: &mut Reader<'a>,
    node: &Node,
    (name, found): (&str, Option<&Node>),
    read: impl Fn(&mut Reader<'a>, &Node) -> Option<EntityUid>,
) -> Option<Axis> {
    let found = reader.fields.needed(node, name, found)?;
    let one = matches!(found.value, Value::Text { .. });
    let items = if one { std::slice::from_ref(found) } else { reader.fields.items(Some(found), &format!("`{name}`")) };
    if items.is_empty() {
        reader.fields.wrong(found.place, format!("`{name}` is empty, so nothing is asked"));
        return None;
    }
    let mut axis = Vec::new();
    for item in items {
        let uid = read(reader, item);
        if let (Some(uid), Value::Text { text, .. }) = (uid, &item.value) {
            axis.push((Arc::from(text.as_str()), uid));
        }
    }
    (axis.len() == items.len()).then_some(Axis(axis))
}

impl Axis {
    fn at(&self, reader: &mut Reader<'_>, name: &str, place: Place, what: &str) -> Option<usize> {
        let found = self.0.iter().position(|(written, _)| **written == *name);
        if found.is_none() {
            let written: Vec<&str> = self.0.iter().map(|(written, _)| &**written).collect();
            let message = format!("`{name}` is none of the test's {what}");
            reader.fields.wrong_with_hint(place, message, &format!("they are {}", written.join(", ")));
        }
        found
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.0.len()
    }
}

impl Allowed {
    /// Reads `principal: actions`, or `principal: { resource: actions }`.
    fn read(&mut self, reader: &mut Reader<'_>, node: &Node, [principals, actions, resources]: [&Axis; 3]) {
        let entries: &[(Key, Node)] = reader.fields.entries(node, "`allow`");
        for (key, value) in entries {
            let Some(p) = principals.at(reader, &key.name, key.place, "principals") else { continue };
            if let Value::Map(of) = &value.value {
                for (key, value) in of {
                    let Some(r) = resources.at(reader, &key.name, key.place, "resources") else { continue };
                    let actions = chosen(reader, value, actions);
                    self.0.extend(actions.into_iter().map(|a| [p, a, r]));
                }
            } else {
                let actions = chosen(reader, value, actions);
                self.0.extend(actions.into_iter().flat_map(|a| resources.all().map(move |r| [p, a, r])));
            }
        }
    }
}

/// The actions that are named: one, some, or `all`.
fn chosen(reader: &mut Reader<'_>, node: &Node, actions: &Axis) -> Vec<usize> {
    let one = matches!(node.value, Value::Text { .. });
    let items = if one { std::slice::from_ref(node) } else { reader.fields.items(Some(node), "what is allowed") };
    let mut chosen = Vec::new();
    for item in items {
        match reader.fields.text(item, "an action") {
            Some(ALL) => chosen.extend(actions.all()),
            Some(name) => chosen.extend(actions.at(reader, name, item.place, "actions")),
            None => {}
        }
    }
    chosen
}
