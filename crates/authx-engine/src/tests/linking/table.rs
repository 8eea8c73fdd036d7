//! Decisions over roles, relations and attributes together, row by row. What each comes to is written by hand, and is what
//! the second opinion says.

mod bounds;
mod containment;
mod grants;
mod ids;
mod membership;
mod paths;
mod request;
mod templates;
mod untold;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::opinion::{Answer, Binding, Links, Policies, Told, opinion};
use super::{MODEL, SCHEMA, Store, tuple};
use crate::relation::tests::naive::Truth;
use crate::relation::{Model, Tuple, TupleKey, parse};
use crate::{
    Change, DecideError, Decision, EntityInput, EntityUid, Limits, LinkInput, PolicyErrors, PolicyId, Release,
    RequestAttributes, Settings, Snapshot, Validation, decide, split_policies,
};

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Allow,
    Deny,
    /// No answer: what an entity is in cannot be told.
    Refused,
}

/// A store, a request, and what comes of it in every mode that the row is for.
struct Row {
    name: &'static str,
    policies: String,
    tuples: Vec<String>,
    /// Read by [`super::request`]: Bob reads the plan, unless it says otherwise.
    ask: Json,
    /// Beside the store's entities, or in their place.
    entities: Vec<Json>,
    bindings: Vec<Binding>,
    modes: Vec<Validation>,
    attributes: RequestAttributes,
    limits: Limits,
    want: Want,
    /// Where policies that err are Cedar's, if that makes a difference.
    in_cedar: Option<Want>,
    /// The policies that err.
    errs: Vec<&'static str>,
    /// The parameters that were missing.
    missing: Vec<&'static str>,
}

fn row(name: &'static str, policies: impl Into<String>, tuples: &[&str], want: Want) -> Row {
    Row {
        name,
        policies: policies.into(),
        tuples: tuples.iter().map(ToString::to_string).collect(),
        ask: json!({}),
        entities: Vec::new(),
        bindings: Vec::new(),
        modes: vec![Validation::Strict, Validation::Off],
        attributes: RequestAttributes::Override,
        limits: Limits::default(),
        want,
        in_cedar: None,
        errs: Vec::new(),
        missing: Vec::new(),
    }
}

fn allow(name: &'static str, policies: impl Into<String>, tuples: &[&str]) -> Row {
    row(name, policies, tuples, Want::Allow)
}

fn deny(name: &'static str, policies: impl Into<String>, tuples: &[&str]) -> Row {
    row(name, policies, tuples, Want::Deny)
}

fn refused(name: &'static str, policies: impl Into<String>, tuples: &[&str]) -> Row {
    row(name, policies, tuples, Want::Refused)
}

impl Row {
    fn ask(self, ask: Json) -> Self {
        Self { ask, ..self }
    }

    fn entity(mut self, entity: Json) -> Self {
        self.entities.push(entity);
        self
    }

    /// The plan lies in a folder as its own attribute says, whatever tuples say.
    fn plan_beside(self, folder: &str) -> Self {
        self.entity(json!({"uid": "Document:plan", "tags": {"reviewer": entity("User", "cy")},
            "attrs": {"owner": entity("User", "ann"), "team": entity("Group", "core"), "public": false,
                "folder": entity("Folder", folder)}}))
    }

    fn link(mut self, id: &str, template: &str, principal: &str, resource: &str) -> Self {
        let uid = |text: &str| (!text.is_empty()).then(|| EntityUid::parse(text).unwrap());
        let (id, template) = (id.to_owned(), template.to_owned());
        self.bindings.push(Binding { id, template, principal: uid(principal), resource: uid(resource) });
        self
    }

    fn more(mut self, tuples: impl Iterator<Item = String>) -> Self {
        self.tuples.extend(tuples);
        self
    }

    /// Without validation, as what it asks would be refused.
    fn off(self) -> Self {
        Self { modes: vec![Validation::Off], ..self }
    }

    fn strict(self) -> Self {
        Self { modes: vec![Validation::Strict], ..self }
    }

    fn ignoring(self) -> Self {
        Self { attributes: RequestAttributes::Ignore, ..self }
    }

    fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    fn in_cedar(self, want: Want) -> Self {
        Self { in_cedar: Some(want), ..self }
    }

    fn errs(self, errs: &[&'static str]) -> Self {
        Self { errs: errs.to_vec(), ..self }
    }

    fn missing(self, missing: &[&'static str]) -> Self {
        Self { missing: missing.to_vec(), ..self }
    }
}

/// An entity as the value of an attribute.
fn entity(ty: &str, id: &str) -> Json {
    json!({"__entity": {"type": ty, "id": id}})
}

/// Permits whatever is asked.
const ALL: &str = "@id(\"all\") permit(principal, action, resource);";

fn permit(condition: &str) -> String {
    format!("@id(\"p\") permit(principal, action == Action::\"read\", resource) when {{ {condition} }};")
}

/// Permits everything but what the condition forbids.
fn forbid(condition: &str) -> String {
    format!("{ALL} @id(\"f\") forbid(principal, action == Action::\"read\", resource) when {{ {condition} }};")
}

/// Permits nothing but what the condition holds for.
fn forbid_unless(condition: &str) -> String {
    format!("{ALL} @id(\"f\") forbid(principal, action == Action::\"read\", resource) unless {{ {condition} }};")
}

/// As [`super::SCHEMA`] has them.
fn links() -> Links {
    let types = vec![
        ("Role", "role"),
        ("Group", "group"),
        ("Folder", "folder"),
        ("User", "employee"),
        ("Document", "document"),
    ];
    let members = vec![("role", "assignee"), ("group", "member")];
    Links { types, members, parents: vec![("folder", "parent"), ("document", "parent")] }
}

/// What the rows of one mode share.
struct Bench {
    validation: Validation,
    release: Release,
    schema: Option<cedar_policy::Schema>,
    links: Links,
    model: Model,
}

impl Bench {
    fn new(validation: Validation) -> Self {
        let settings = Settings { validation, ..Settings::default() };
        let release = Store { settings, ..Store::default() }.compile("").unwrap();
        let schema = || cedar_policy::Schema::from_cedarschema_str(SCHEMA).unwrap().0;
        let schema = (validation == Validation::Strict).then(schema);
        Self { validation, release, schema, links: links(), model: parse(MODEL, None).unwrap() }
    }

    /// What is wrong with a row.
    fn problems(&self, row: &Row) -> Vec<String> {
        let settings =
            Settings { validation: self.validation, request_attributes: row.attributes, ..Settings::default() };
        let mut store = Store { settings, ..Store::default() };
        store.entities.as_array_mut().unwrap().extend(row.entities.iter().cloned());
        let policies = split_policies(None, &row.policies);
        let release = match self.release.with_changes("r", &policies, &[], &store.options()) {
            Ok(compiled) => compiled.release,
            Err(problems) => return vec![format!("{}, {:?}: {problems:#?}", row.name, self.validation)],
        };
        let stored: Vec<&str> = row.tuples.iter().map(String::as_str).collect();
        let bound = row.bindings.iter().map(|binding| {
            let Binding { id, template, principal, resource } = binding.clone();
            Change::PutLink(PolicyId::new(id), Arc::new(LinkInput { template, principal, resource }))
        });
        let snapshot = store.snapshot(release, &stored).with_changes(&bound.collect::<Vec<_>>());
        let entities = store.entities.as_array().unwrap().iter();
        let entities: Vec<EntityInput> = entities.map(|one| serde_json::from_value(one.clone()).unwrap()).collect();
        let both = [PolicyErrors::Deny, PolicyErrors::Cedar].into_iter();
        both.filter_map(|policy_errors| {
            let snapshot = snapshot.with_settings(Settings { policy_errors, ..settings });
            self.problem(row, &snapshot, &entities)
        })
        .collect()
    }

    fn problem(&self, row: &Row, snapshot: &Snapshot, entities: &[EntityInput]) -> Option<String> {
        let (request, settings) = (super::request(&row.ask), snapshot.settings());
        let got = decide(snapshot, &request, &row.limits);
        let all = row.tuples.iter().map(|text| tuple(text)).chain(request.tuples.iter().cloned());
        let tuples: BTreeMap<TupleKey, Tuple> = all.map(|tuple| (tuple.key.clone(), tuple)).collect();
        let said = opinion(&Told {
            links: &self.links,
            schema: self.schema.as_ref(),
            model: &self.model,
            tuples: &tuples.into_values().collect::<Vec<_>>(),
            entities,
            policies: &Policies::read(&row.policies, row.bindings.clone()),
            settings,
            request: &request,
            limits: row.limits,
            // No relation of this model excludes what leads back to it, so nobody has it by that.
            cycle: &|_| Truth::False,
        });
        let (answer, failed, missing) = match &got {
            Ok(got) => {
                let failed = got.policy_errors.iter().any(|error| error.message.contains("cannot be told: "));
                (Some(Answer::of(got)), failed, got.missing_context.clone())
            }
            Err(DecideError::Limit { .. } | DecideError::Undetermined { .. }) => (None, false, Vec::new()),
            Err(error @ (DecideError::InvalidInput { .. } | DecideError::Engine { .. })) => {
                return Some(format!("{}: {error:?}", row.name));
            }
        };
        let (told, errs) = match &answer {
            Some(Answer { decision: Decision::Allow, errors, .. }) => (Want::Allow, errors.as_slice()),
            Some(Answer { decision: Decision::Deny, errors, .. }) => (Want::Deny, errors.as_slice()),
            None => (Want::Refused, [].as_slice()),
        };
        let want = row.in_cedar.filter(|_| settings.policy_errors == PolicyErrors::Cedar).unwrap_or(row.want);
        let as_written = told == want && errs == row.errs && missing == row.missing;
        let as_said = answer == said.answer && failed == said.failed;
        (!as_written || !as_said).then(|| {
            let Row { name, policies, errs, missing, .. } = row;
            format!(
                "{name}, {settings:?}\n  {policies}\n  written: {want:?}, errs {errs:?}, missing {missing:?}\n  got: \
                 {got:?}\n  second opinion: {said:?}"
            )
        })
    }
}

#[test]
fn every_row_is_as_written_and_as_the_second_opinion_says() {
    let themes: [(&str, Vec<Row>); 9] = [
        ("grants", grants::rows()),
        ("untold", untold::rows()),
        ("membership", membership::rows()),
        ("containment", containment::rows()),
        ("paths", paths::rows()),
        ("ids", ids::rows()),
        ("request", request::rows()),
        ("templates", templates::rows()),
        ("bounds", bounds::rows()),
    ];
    let benches = [Validation::Strict, Validation::Off].map(Bench::new);
    let (mut names, mut problems) = (BTreeSet::new(), Vec::new());
    for (theme, rows) in &themes {
        println!("{theme}: {} rows", rows.len());
        for row in rows {
            assert!(names.insert(row.name), "two rows are `{}`", row.name);
            for bench in benches.iter().filter(|bench| row.modes.contains(&bench.validation)) {
                problems.extend(bench.problems(row).into_iter().map(|problem| format!("{theme}: {problem}")));
            }
        }
    }
    println!("{} rows", names.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(names.len() >= 60);
}
