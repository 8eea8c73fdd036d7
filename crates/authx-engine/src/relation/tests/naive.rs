//! The reference evaluator: a table of every claim, filled by going over it until nothing changes.
//!
//! No order of evaluation, no early end, no bound. A claim starts as `Unknown` and can only become more
//! definite. A relation that is a union of leaves and of itself starts as `False`: its closure is all there is.

mod expand;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

use crate::relation::condition::{CompiledCondition, MAX_COST, Outcome};
use crate::relation::model::{Model, RelationDefinition, RestrictionKind, Rewrite, TypeRestriction};
use crate::relation::tuple::{ObjectRef, SubjectRef, Tuple};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    True,
    False,
    Unknown,
}

use Truth::{False, True, Unknown};

pub(crate) struct Naive<'a> {
    pub(crate) model: &'a Model,
    pub(crate) tuples: &'a [Tuple],
    context: &'a Map<String, Json>,
    now: i64,
    /// What a condition that fails is taken for.
    failing: Truth,
    /// The subjects of each object and relation, each with whether its tuple counts.
    rows: BTreeMap<Claim, Vec<(SubjectRef, Truth)>>,
}

pub(crate) type Claim = (ObjectRef, SmolStr);
pub(crate) type Table = BTreeMap<Claim, Truth>;

fn any(truths: impl IntoIterator<Item = Truth>) -> Truth {
    let all: BTreeSet<Truth> = truths.into_iter().collect();
    [True, Unknown].into_iter().find(|truth| all.contains(truth)).unwrap_or(False)
}

fn every(truths: impl IntoIterator<Item = Truth>) -> Truth {
    let all: BTreeSet<Truth> = truths.into_iter().collect();
    [False, Unknown].into_iter().find(|truth| all.contains(truth)).unwrap_or(True)
}

fn not(truth: Truth) -> Truth {
    match truth {
        True => False,
        False => True,
        Unknown => Unknown,
    }
}

impl<'a> Naive<'a> {
    pub(crate) fn new(
        model: &'a Model,
        tuples: &'a [Tuple],
        context: &'a Map<String, Json>,
        now: i64,
        failing: Truth,
    ) -> Self {
        let mut naive = Self { model, tuples, context, now, failing, rows: BTreeMap::new() };
        for tuple in tuples {
            let key = &tuple.key;
            let Some(of) = naive.relation(&key.object.type_name, &key.relation) else { continue };
            let row = (key.subject.clone(), naive.counts(tuple, of));
            naive.rows.entry((key.object.clone(), key.relation.clone())).or_default().push(row);
        }
        naive
    }

    /// What is known of the subject having each relation to each object.
    pub(crate) fn table(&self, subject: &SubjectRef, extra: &[ObjectRef]) -> Table {
        let mut objects: BTreeSet<ObjectRef> = extra.iter().cloned().collect();
        objects.insert(subject.object.clone());
        for tuple in self.tuples {
            objects.insert(tuple.key.object.clone());
            objects.insert(tuple.key.subject.object.clone());
        }
        let mut table = Table::new();
        for object in objects {
            for relation in self.relations(&object.type_name) {
                let start = if self.is_closure(&object.type_name, relation) { False } else { Unknown };
                table.insert((object.clone(), relation.name.clone()), start);
            }
        }
        // Closures hang on nothing else, so they are settled before anything is said of what hangs on them.
        let (closures, others): (Vec<Claim>, Vec<Claim>) = table.keys().cloned().partition(|(object, relation)| {
            self.relation(&object.type_name, relation).is_some_and(|of| self.is_closure(&object.type_name, of))
        });
        self.settle(&closures, subject, &mut table);
        self.settle(&others, subject, &mut table);
        table
    }

    fn settle(&self, claims: &[Claim], subject: &SubjectRef, table: &mut Table) {
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for (object, relation) in claims {
                let definition = self.relation(&object.type_name, relation).unwrap();
                let truth = if subject.object == *object && subject.relation.as_ref() == Some(relation) {
                    True
                } else {
                    self.rewrite(&definition.rewrite, object, definition, subject, table)
                };
                let before = table.insert((object.clone(), relation.clone()), truth);
                changed |= before != Some(truth);
            }
        }
    }

    fn rewrite(
        &self,
        rewrite: &Rewrite,
        object: &ObjectRef,
        of: &RelationDefinition,
        subject: &SubjectRef,
        table: &Table,
    ) -> Truth {
        let again = |rewrite: &Rewrite| self.rewrite(rewrite, object, of, subject, table);
        let known = |object: &ObjectRef, relation: &SmolStr| {
            table.get(&(object.clone(), relation.clone())).copied().unwrap_or(False)
        };
        match rewrite {
            Rewrite::This => any(self.rows(object, &of.name).iter().map(|(named, counts)| {
                let counts = *counts;
                let is_object = subject.relation.is_none() && !subject.is_wildcard();
                let everyone = named.is_wildcard() && is_object && named.object.type_name == subject.object.type_name;
                if named == subject || everyone {
                    return counts;
                }
                match &named.relation {
                    None => False,
                    // A condition is looked at before what lies behind it.
                    Some(_) if counts != True => counts,
                    Some(relation) => known(&named.object, relation),
                }
            })),
            Rewrite::Computed(relation) => known(object, relation),
            Rewrite::TupleToUserset { tupleset, computed } => {
                any(self.rows(object, tupleset).iter().map(|(parent, counts)| {
                    let counts = *counts;
                    let has_it = self.relation(&parent.object.type_name, computed).is_some();
                    if parent.relation.is_some() || parent.is_wildcard() || !has_it {
                        return False;
                    }
                    if counts == True { known(&parent.object, computed) } else { counts }
                }))
            }
            Rewrite::Union(operands) => any(operands.iter().map(again)),
            Rewrite::Intersection(operands) => every(operands.iter().map(again)),
            Rewrite::Difference(base, subtract) => every([again(base), not(again(subtract))]),
        }
    }

    fn rows(&self, object: &ObjectRef, relation: &SmolStr) -> &[(SubjectRef, Truth)] {
        self.rows.get(&(object.clone(), relation.clone())).map_or(&[], Vec::as_slice)
    }

    /// Whether the model of today allows the tuple, and it has not expired.
    fn stands(&self, tuple: &Tuple, of: &RelationDefinition) -> bool {
        let subject = &tuple.key.subject;
        let condition = tuple.condition.as_ref().map(|condition| condition.name.clone());
        let fits = |restriction: &TypeRestriction| {
            restriction.type_name == subject.object.type_name
                && restriction.condition == condition
                && match &restriction.kind {
                    RestrictionKind::Object => subject.relation.is_none() && !subject.is_wildcard(),
                    RestrictionKind::Wildcard => subject.is_wildcard(),
                    RestrictionKind::Userset(relation) => subject.relation.as_ref() == Some(relation),
                }
        };
        of.restrictions.iter().any(fits) && tuple.expires_at.is_none_or(|end| end > self.now)
    }

    fn counts(&self, tuple: &Tuple, of: &RelationDefinition) -> Truth {
        if !self.stands(tuple, of) {
            return False;
        }
        let Some(condition) = &tuple.condition else { return True };
        let definition = self.model.conditions.iter().find(|c| c.name == condition.name).unwrap();
        match CompiledCondition::compile(definition)
            .unwrap()
            .evaluate(self.context, &condition.context, MAX_COST)
            .outcome
        {
            Outcome::True => True,
            Outcome::False => False,
            Outcome::Missing(_) | Outcome::Failed(_) => self.failing,
        }
    }

    /// Whether a relation is a union of relations by plain tuples and of itself.
    fn is_closure(&self, type_name: &str, of: &RelationDefinition) -> bool {
        let plain = |relation: &RelationDefinition| {
            relation.rewrite == Rewrite::This
                && relation.restrictions.iter().all(|r| !matches!(r.kind, RestrictionKind::Userset(_)))
        };
        let itself = |type_of: &str, relation: &str| type_of == type_name && relation == of.name;
        let operands = match &of.rewrite {
            Rewrite::Union(operands) => operands.clone(),
            Rewrite::This
            | Rewrite::Computed(_)
            | Rewrite::TupleToUserset { .. }
            | Rewrite::Intersection(_)
            | Rewrite::Difference(..) => vec![of.rewrite.clone()],
        };
        operands.iter().all(|operand| match operand {
            Rewrite::This => of.restrictions.iter().all(|r| match &r.kind {
                RestrictionKind::Userset(relation) => itself(&r.type_name, relation),
                RestrictionKind::Object | RestrictionKind::Wildcard => true,
            }),
            Rewrite::Computed(other) => self.relation(type_name, other).is_some_and(plain),
            Rewrite::TupleToUserset { tupleset, computed } => {
                let tupleset = self.relation(type_name, tupleset).unwrap();
                let plain = tupleset.restrictions.iter().filter(|r| r.kind == RestrictionKind::Object);
                let mut parents = plain.filter(|r| self.relation(&r.type_name, computed).is_some()).peekable();
                parents.peek().is_some() && parents.all(|r| itself(&r.type_name, computed))
            }
            Rewrite::Union(_) | Rewrite::Intersection(_) | Rewrite::Difference(..) => false,
        })
    }

    pub(crate) fn relations(&self, type_name: &str) -> &[RelationDefinition] {
        self.model.types.iter().find(|t| t.name == type_name).map_or(&[], |t| t.relations.as_slice())
    }

    pub(crate) fn relation(&self, type_name: &str, relation: &str) -> Option<&RelationDefinition> {
        self.relations(type_name).iter().find(|r| r.name == relation)
    }
}
