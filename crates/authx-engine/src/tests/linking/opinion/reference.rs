//! The reference evaluator's answers, in the words of entities.

use std::collections::{BTreeMap, BTreeSet};

use super::bounds::{horizon, within, worth};
use super::{Links, Told};
use crate::EntityUid;
use crate::relation::tests::naive::{Claim, Naive, Table, Truth};
use crate::relation::{ObjectRef, SubjectRef, TupleKey};

/// What a condition that fails is taken for: what is open in both ways hangs on itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Failing {
    Open,
    False,
}

pub(super) struct Reference<'a> {
    told: &'a Told<'a>,
    open: Naive<'a>,
    settled: Naive<'a>,
    tables: BTreeMap<(ObjectRef, Failing), Table>,
    /// Objects that were asked for, as some are named by no tuple.
    asked: Vec<ObjectRef>,
}

impl<'a> Reference<'a> {
    pub(super) fn new(told: &'a Told<'a>) -> Self {
        let naive = |failing| {
            let request = told.request;
            Naive::new(told.model, told.tuples, &request.context.0, request.now, failing)
        };
        Self {
            told,
            open: naive(Truth::Unknown),
            settled: naive(Truth::False),
            tables: BTreeMap::new(),
            asked: Vec::new(),
        }
    }

    /// Whether the subject has the relation to the object; `Unknown` when that cannot be told.
    pub(super) fn fact(&mut self, subject: &EntityUid, relation: &str, object: &EntityUid) -> Truth {
        let links = self.told.links;
        let Some(object) = links.object(object).filter(|o| self.open.relation(&o.type_name, relation).is_some()) else {
            return Truth::Unknown;
        };
        let Some(subject) = links.object(subject) else { return Truth::False };
        let claim = (object, relation.into());
        let limits = self.told.limits.graph;
        let within = match horizon(self.told.model, self.told.tuples, &claim.0, limits.depth) {
            Some((model, tuples)) => {
                let request = self.told.request;
                let near = Naive::new(&model, &tuples, &request.context.0, request.now, Truth::Unknown);
                near.table(&of(&subject), std::slice::from_ref(&claim.0))[&claim]
            }
            None => self.truth(&subject, &claim),
        };
        worth(self.told.tuples, &claim.0, within, limits.steps)
    }

    fn truth(&mut self, subject: &ObjectRef, claim: &Claim) -> Truth {
        let truth = self.known(subject, claim, Failing::Open);
        if truth == Truth::Unknown && self.known(subject, claim, Failing::False) == Truth::Unknown {
            let key = TupleKey { object: claim.0.clone(), relation: claim.1.clone(), subject: of(subject) };
            return (self.told.cycle)(&key);
        }
        truth
    }

    fn known(&mut self, subject: &ObjectRef, claim: &Claim, failing: Failing) -> Truth {
        let place = (subject.clone(), failing);
        if !self.tables.get(&place).is_some_and(|table| table.contains_key(claim)) {
            if !self.asked.contains(&claim.0) {
                self.asked.push(claim.0.clone());
            }
            let naive = match failing {
                Failing::Open => &self.open,
                Failing::False => &self.settled,
            };
            self.tables.insert(place.clone(), naive.table(&of(subject), &self.asked));
        }
        self.tables[&place][claim]
    }

    /// What a linked entity is in by tuples; `None` when that cannot be told.
    pub(super) fn parents(&mut self, of: &EntityUid) -> Option<Vec<EntityUid>> {
        let links = self.told.links;
        let Some(object) = links.object(of) else { return Some(Vec::new()) };
        let mut held: BTreeSet<(ObjectRef, Claim)> = BTreeSet::new();
        for (_, relation) in links.parents.iter().filter(|(ty, _)| *ty == object.type_name) {
            let subjects = self.told.tuples.iter().filter(|tuple| tuple.key.object == object);
            let containers = subjects.filter(|tuple| tuple.key.subject.relation.is_none());
            let claim = (object.clone(), (*relation).into());
            held.extend(containers.map(|tuple| (tuple.key.subject.object.clone(), claim.clone())));
        }
        let (containers, mut parents) = (held.len(), BTreeSet::new());
        for (container, claim) in &held {
            match self.known(container, claim, Failing::Open) {
                Truth::True => parents.extend(links.entity(container)),
                Truth::False => {}
                Truth::Unknown => return None,
            }
        }
        let mut groups = 0;
        for (ty, relation) in &links.members {
            let named = self.told.tuples.iter().map(|tuple| &tuple.key.object);
            let all: BTreeSet<ObjectRef> = named.filter(|group| group.type_name == *ty).cloned().collect();
            for group in all {
                let claim = (group, (*relation).into());
                let held = self.known(&object, &claim, Failing::Open);
                // Members have no conditions, so what is open hangs on itself, and nobody is in it by that.
                assert!(held != Truth::Unknown || self.known(&object, &claim, Failing::False) == held, "{claim:?}");
                if held == Truth::True {
                    groups += 1;
                    parents.extend(links.entity(&claim.0));
                }
            }
        }
        parents.remove(of);
        let steps = self.told.limits.graph.steps;
        // Each question is asked for itself, and whatever it finds it has looked at.
        let told = within(containers, containers, steps) && within(groups, groups, steps);
        told.then(|| parents.into_iter().collect())
    }
}

fn of(object: &ObjectRef) -> SubjectRef {
    SubjectRef { object: object.clone(), relation: None }
}

impl Links {
    /// The object that stands for an entity of a linked type.
    pub(super) fn object(&self, uid: &EntityUid) -> Option<ObjectRef> {
        let name = uid.type_name();
        let (_, model_type) = self.types.iter().find(|(ty, _)| *ty == name)?;
        Some(ObjectRef::new(model_type, &coded(uid.id())))
    }

    /// The entity that an object stands for.
    pub(super) fn entity(&self, object: &ObjectRef) -> Option<EntityUid> {
        let (ty, _) = self.types.iter().find(|(_, model_type)| *model_type == object.type_name)?;
        let id = if object.id == "%" { String::new() } else { decoded(&object.id)? };
        // Of many spellings one alone is an entity's.
        (coded(&id) == object.id.as_str()).then(|| EntityUid::new(ty, id).unwrap())
    }
}

/// An entity's id as a tuple has it.
fn coded(id: &str) -> String {
    let byte = |byte: u8| format!("%{byte:02X}");
    let one = |c: char| match c {
        '%' | ':' | '#' => byte(c as u8),
        c if c.is_whitespace() || c.is_control() => c.to_string().bytes().map(byte).collect(),
        c => c.to_string(),
    };
    match id {
        "" => "%".to_owned(),
        "*" => byte(b'*'),
        id => id.chars().map(one).collect(),
    }
}

fn decoded(id: &str) -> Option<String> {
    let mut parts = id.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
