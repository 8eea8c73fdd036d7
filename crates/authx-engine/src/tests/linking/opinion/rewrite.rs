//! Policies in Cedar's JSON form, with a plain value in the place of every fact.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr as _;

use cedar_policy::{Policy, PolicyId, PolicySet, SlotId, Template};
use serde_json::{Map, Value as Json, json};

use super::{Rows, cedar};
use crate::relation::tests::naive::Truth;
use crate::{AccessRequest, EntityUid};

/// A key that no context has: to read it is the error of a fact that cannot be told.
pub(super) const FAILED: &str = "fact_failed";

/// The values of a template's slots.
#[derive(Debug, Clone)]
pub(in super::super) struct Binding {
    pub(in super::super) id: String,
    pub(in super::super) template: String,
    pub(in super::super) principal: Option<EntityUid>,
    pub(in super::super) resource: Option<EntityUid>,
}

/// What was written, each with its `@id`.
pub(in super::super) struct Policies {
    /// Without slots.
    fixed: Vec<(Policy, Json)>,
    templates: Vec<(PolicyId, Json)>,
    bindings: Vec<Binding>,
    /// The entities that they name.
    pub(super) names: BTreeSet<EntityUid>,
}

/// What paths start from in one request.
pub(super) struct Scene<'a> {
    pub(super) request: &'a AccessRequest,
    pub(super) context: &'a Map<String, Json>,
    pub(super) rows: &'a Rows,
}

type Ask<'a> = dyn FnMut(&EntityUid, &str, &EntityUid) -> Truth + 'a;

impl Policies {
    pub(in super::super) fn read(text: &str, bindings: Vec<Binding>) -> Self {
        let parsed = PolicySet::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let id = |name: Option<&str>| PolicyId::new(name.unwrap_or_else(|| panic!("no @id: {text}")));
        let fixed = parsed.policies().map(|one| (one.new_id(id(one.annotation("id"))), one.to_json().unwrap()));
        let fixed: Vec<(Policy, Json)> = fixed.collect();
        let templates = parsed.templates().map(|one| (id(one.annotation("id")), one.to_json().unwrap()));
        let templates: Vec<(PolicyId, Json)> = templates.collect();
        let mut names = BTreeSet::new();
        for json in fixed.iter().map(|(_, json)| json).chain(templates.iter().map(|(_, json)| json)) {
            named(json, &mut names);
        }
        names.extend(bindings.iter().flat_map(|binding| binding.principal.iter().chain(&binding.resource)).cloned());
        Self { fixed, templates, bindings, names }
    }

    /// The policies with `plain` of each condition, and the templates linked.
    pub(super) fn plain(&self, plain: &mut dyn FnMut(&Json) -> Json) -> PolicySet {
        let mut rewritten = |json: &Json| {
            let mut json = json.clone();
            for condition in json["conditions"].as_array_mut().unwrap() {
                condition["body"] = plain(&condition["body"]);
            }
            json
        };
        let mut set = PolicySet::new();
        for (policy, json) in &self.fixed {
            let plain = rewritten(json);
            let same = plain == *json;
            let read = || Policy::from_json(Some(policy.id().clone()), plain).unwrap();
            set.add(if same { policy.clone() } else { read() }).unwrap();
        }
        for (id, json) in &self.templates {
            set.add_template(Template::from_json(Some(id.clone()), rewritten(json)).unwrap()).unwrap();
        }
        for Binding { id, template, principal, resource } in &self.bindings {
            let slots = [(SlotId::principal(), principal), (SlotId::resource(), resource)];
            let values = slots.into_iter().filter_map(|(slot, uid)| Some((slot, cedar(uid.as_ref()?))));
            set.link(PolicyId::new(template), PolicyId::new(id), values.collect::<HashMap<_, _>>()).unwrap();
        }
        set
    }
}

/// An expression without facts. `lefts` takes what stands on the left of every other `in`.
pub(super) fn plain(expr: &Json, scene: &Scene<'_>, ask: &mut Ask<'_>, lefts: &mut Vec<EntityUid>) -> Json {
    if let Some((left, right)) = operands(expr, "in") {
        if asks(right) {
            let mut test = |test: &Json| plain(test, scene, ask, lefts);
            let (subject, target) = (hoisted(left, &mut test), hoisted(right, &mut test));
            return fact(&subject, &target, scene, ask);
        }
        lefts.extend(scene.at(left).as_ref().and_then(entity));
    }
    let mut again = |expr: &Json| plain(expr, scene, ask, lefts);
    match expr {
        Json::Array(items) => Json::Array(items.iter().map(again).collect()),
        Json::Object(fields) => Json::Object(fields.iter().map(|(name, value)| (name.clone(), again(value))).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => expr.clone(),
    }
}

/// The same expression with every `if` of a path or a target at its outside, and plain tests.
fn hoisted(expr: &Json, plain: &mut dyn FnMut(&Json) -> Json) -> Json {
    if let Some((test, yes, no)) = choice(expr) {
        return either(plain(test), hoisted(yes, plain), hoisted(no, plain));
    }
    // A set's members have no alternatives at this level: each is hoisted where it is looked at.
    if let Some(items) = expr.get("Set").and_then(Json::as_array) {
        return json!({"Set": items.iter().map(|item| hoisted(item, plain)).collect::<Vec<_>>()});
    }
    for step in [".", "getTag"] {
        if let Some(inner) = expr.get(step).and_then(|step| step.get("left")) {
            return lifted(&hoisted(inner, plain), &|inner| {
                let mut outer = expr.clone();
                outer[step]["left"] = inner.clone();
                outer
            });
        }
    }
    expr.clone()
}

/// `wrap` around every branch.
fn lifted(expr: &Json, wrap: &dyn Fn(&Json) -> Json) -> Json {
    match choice(expr) {
        Some((test, yes, no)) => either(test.clone(), lifted(yes, wrap), lifted(no, wrap)),
        None => wrap(expr),
    }
}

/// `subject in target` in plain values: first the subject, then the target's members in their order, as Cedar does.
fn fact(subject: &Json, target: &Json, scene: &Scene<'_>, ask: &mut Ask<'_>) -> Json {
    if let Some((test, yes, no)) = choice(subject) {
        return either(test.clone(), fact(yes, target, scene, ask), fact(no, target, scene, ask));
    }
    either(is_entity(subject), asked(subject, target, scene, ask), json!({"Value": false}))
}

fn asked(subject: &Json, target: &Json, scene: &Scene<'_>, ask: &mut Ask<'_>) -> Json {
    if let Some((test, yes, no)) = choice(target) {
        return either(test.clone(), asked(subject, yes, scene, ask), asked(subject, no, scene, ask));
    }
    if let Some(items) = target.get("Set").and_then(Json::as_array) {
        let each: Vec<Json> = items.iter().map(|item| asked(subject, item, scene, ask)).collect();
        return json!({"contains": {"left": {"Set": each}, "right": {"Value": true}}});
    }
    let (relation, object) = (target["."]["attr"].as_str().unwrap(), &target["."]["left"]["."]["left"]);
    let end = |path| scene.at(path).as_ref().and_then(entity);
    let value = match end(subject).zip(end(object)).map(|(subject, object)| ask(&subject, relation, &object)) {
        Some(Truth::True) => json!({"Value": true}),
        // Of an end that is not there Cedar tells before the value is looked at.
        Some(Truth::False) | None => json!({"Value": false}),
        Some(Truth::Unknown) => json!({".": {"left": {"Var": "context"}, "attr": FAILED}}),
    };
    either(is_entity(object), value, json!({"Value": false}))
}

/// True if a path leads to an entity, else Cedar's error.
fn is_entity(path: &Json) -> Json {
    json!({"in": {"left": path, "right": path}})
}

fn either(test: Json, yes: Json, no: Json) -> Json {
    json!({"if-then-else": {"if": test, "then": yes, "else": no}})
}

fn choice(expr: &Json) -> Option<(&Json, &Json, &Json)> {
    let choice = expr.get("if-then-else")?;
    Some((&choice["if"], &choice["then"], &choice["else"]))
}

fn operands<'a>(expr: &'a Json, operator: &str) -> Option<(&'a Json, &'a Json)> {
    let operands = expr.get(operator)?;
    operands.get("left").zip(operands.get("right"))
}

/// Whether `rel` is read in it.
fn asks(expr: &Json) -> bool {
    let step = expr.get(".").is_some_and(|step| step["attr"] == "rel" || asks(&step["left"]));
    let member = expr.get("Set").and_then(Json::as_array).is_some_and(|items| items.iter().any(asks));
    step || member || choice(expr).is_some_and(|(_, yes, no)| asks(yes) || asks(no))
}

/// The entity that a value is.
fn entity(value: &Json) -> Option<EntityUid> {
    serde_json::from_value(value.get("__entity")?.clone()).ok()
}

/// The entities that a value names.
pub(super) fn named(value: &Json, into: &mut BTreeSet<EntityUid>) {
    match value {
        Json::Array(items) => items.iter().for_each(|item| named(item, into)),
        Json::Object(fields) => {
            let of_entity = fields.len() == 2 && fields.contains_key("type") && fields.contains_key("id");
            into.extend(serde_json::from_value::<EntityUid>(value.clone()).ok().filter(|_| of_entity));
            fields.values().for_each(|value| named(value, into));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

impl Scene<'_> {
    /// What a path without `if` leads to.
    fn at(&self, path: &Json) -> Option<Json> {
        let AccessRequest { principal, action, resource, .. } = self.request;
        let value = |uid: &EntityUid| json!({"__entity": uid});
        if let Some(root) = path.get("Var").and_then(Json::as_str) {
            return Some(match root {
                "principal" => value(principal),
                "action" => value(action),
                "resource" => value(resource),
                _ => Json::Object(self.context.clone()),
            });
        }
        if let Some(literal) = path.get("Value") {
            return Some(literal.clone());
        }
        if let Some(step) = path.get(".") {
            let from = self.at(&step["left"])?;
            let name = step["attr"].as_str()?;
            return match entity(&from) {
                Some(uid) => self.rows.get(&uid)?.attrs.0.get(name).cloned(),
                None => from.get(name).cloned(),
            };
        }
        let (from, tag) = operands(path, "getTag")?;
        let uid = entity(&self.at(from)?)?;
        self.rows.get(&uid)?.tags.0.get(tag["Value"].as_str()?).cloned()
    }
}
