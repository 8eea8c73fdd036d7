//! The subjects that have a relation to an object: forward from the object, breadth first.
//!
//! Gathers every subject of the kind that is asked for on the ways in; those found only through an intersection or an
//! exclusion are checked before they count.

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use smol_str::SmolStr;

use super::check::{Check, Subject};
use super::list_objects::split;
use super::walk::{Truth, Walk};
use super::{Asking, GraphError, Listed, Relations};
use crate::map::Table;
use crate::relation::edge::{NONE, Node};
use crate::relation::rules::{Kind, RelationId, RelationRules, TypeId, Way};
use crate::relation::tuple::{ObjectRef, SubjectRef};

/// The kind of subjects that is asked for: objects of a type, or usersets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFilter {
    pub type_name: SmolStr,
    pub relation: Option<SmolStr>,
}

/// A subject: an object, a userset, or everyone of a type.
pub type FoundUser = SubjectRef;

struct Forward<'a> {
    walk: Walk<'a>,
    filter: (TypeId, Option<RelationId>),
    claims: Table<(Node, RelationId), bool>,
    queue: Vec<(Node, RelationId, u32)>,
    /// Subjects in the order they were found: the objects that they are, or whose usersets. Their names are not kept:
    /// most of what is found may not hold.
    users: Vec<Node>,
    /// How many of them are certain, and how many are wanted.
    sure: usize,
    limit: usize,
    certain: Table<Node, bool>,
}

pub(super) fn list(
    relations: &Relations<'_>,
    object: &ObjectRef,
    relation: RelationId,
    filter: &UserFilter,
    asking: &Asking<'_>,
    limit: usize,
) -> Result<Listed<FoundUser>, GraphError> {
    let type_id = relations.model.type_id(&filter.type_name);
    let type_id = type_id.ok_or_else(|| GraphError::UnknownType(filter.type_name.to_string()))?;
    let userset = match &filter.relation {
        Some(name) => Some(relations.relation(&filter.type_name, name)?),
        None => None,
    };
    let mut forward = Forward {
        walk: Walk::new(relations, asking),
        filter: (type_id, userset),
        claims: Table::default(),
        queue: Vec::new(),
        users: Vec::new(),
        sure: 0,
        limit,
        certain: Table::default(),
    };
    let own = match relations.tuples.node(object) {
        Some(node) => {
            forward.claim(node, relation, 0, true);
            false
        }
        None => forward.without_tuples(relation),
    };
    let mut next = 0;
    while let Some((node, relation, depth)) = forward.queue.get(next).copied().filter(|_| !forward.full()) {
        next += 1;
        if !forward.walk.step() {
            return Err(forward.walk.out_of_work());
        }
        forward.follow(node, relation, depth);
    }
    let (mut failure, failed) = split(forward.walk.take_failure());
    let mut spent = forward.walk.steps();
    let mut items = Vec::new();
    let subject = |object: ObjectRef| SubjectRef { object, relation: filter.relation.clone() };
    let users = forward.users.iter().map(|node| {
        let certain = forward.certain.get(node) == Some(&true);
        (subject(relations.tuples.object(*node)), certain)
    });
    for (user, certain) in users.chain(own.then(|| (subject(object.clone()), false))) {
        if items.len() >= limit {
            return Ok(Listed { items, complete: false, failed: None });
        }
        if certain {
            items.push(user);
            continue;
        }
        // All these checks are one question.
        let mut check = Check::new(relations, asking, Subject::new(relations, &user, Some(object)), false);
        check.walk.spend(spent);
        match check.run(object, relation) {
            Ok(true) => items.push(user),
            Ok(false) => {}
            Err(error) => failure = Some(error),
        }
        spent = check.walk.steps();
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(Listed { items, complete: true, failed }),
    }
}

impl Forward<'_> {
    fn claim(&mut self, node: Node, relation: RelationId, depth: u32, certain: bool) {
        let known = self.claims.get(&(node, relation)).copied();
        if known == Some(true) || known == Some(certain) {
            return;
        }
        let (Some(rules), limit) = (self.walk.rules(relation), self.walk.asking.limits.depth) else { return };
        if depth >= limit && !rules.leaf {
            self.walk.too_deep();
            return;
        }
        self.claims.insert((node, relation), certain);
        self.queue.push((node, relation, depth));
        if self.filter == (rules.type_id, Some(relation)) {
            self.user(node, certain);
        }
    }

    /// One more than is wanted tells that there are more.
    fn full(&self) -> bool {
        self.sure > self.limit
    }

    fn user(&mut self, user: Node, certain: bool) {
        if let Some(known) = self.certain.get_mut(&user) {
            self.sure += usize::from(certain && !*known);
            *known |= certain;
        } else {
            self.sure += usize::from(certain);
            self.certain.insert(user, certain);
            self.users.push(user);
        }
    }

    /// An object that no tuple names has no subjects but its own usersets, by computed relations: whether there may be
    /// one that is asked for.
    fn without_tuples(&mut self, relation: RelationId) -> bool {
        let (mut queue, mut seen) = (vec![relation], HashSet::<RelationId, RandomState>::default());
        while let Some(relation) = queue.pop().filter(|_| self.walk.step()) {
            let Some(rules) = self.walk.rules(relation).filter(|_| seen.insert(relation)) else { continue };
            if self.filter == (rules.type_id, Some(relation)) {
                return true;
            }
            queue.extend(rules.ways.iter().filter_map(|source| match &source.way {
                Way::Computed(other) => Some(*other),
                Way::This | Way::From(_) => None,
            }));
        }
        false
    }

    fn follow(&mut self, node: Node, relation: RelationId, depth: u32) {
        let certain = self.claims.get(&(node, relation)).copied().unwrap_or(false);
        let Some(rules) = self.walk.rules(relation) else { return };
        for source in &rules.ways {
            // Most ways may lead to where another did before.
            if !self.walk.step() {
                return;
            }
            let certain = certain && source.certain;
            match &source.way {
                Way::This => self.tuples_of(node, relation, rules, depth, certain),
                Way::Computed(other) => self.claim(node, *other, depth, certain),
                Way::From(from) => {
                    let symbol = self.walk.bound.relation(from.tupleset);
                    let Some(tupleset) = self.walk.rules(from.tupleset).filter(|_| symbol != NONE) else { continue };
                    for edge in self.walk.tuples.forward.range(node, symbol, Some(NONE)) {
                        if !self.walk.step() {
                            return;
                        }
                        let Some(type_id) = self.walk.type_of(edge.node()) else { continue };
                        let Some(target) = from.target(type_id) else { continue };
                        // A tuple whose condition failed leaves a doubt, which the check settles or tells.
                        match self.walk.counts(tupleset, node, edge, type_id, Kind::Object) {
                            Truth::True => self.claim(edge.node(), target, depth + 1, certain),
                            Truth::Unknown => self.claim(edge.node(), target, depth + 1, false),
                            Truth::False => {}
                        }
                    }
                }
            }
        }
    }

    fn tuples_of(&mut self, node: Node, relation: RelationId, rules: &RelationRules, depth: u32, certain: bool) {
        let symbol = self.walk.bound.relation(relation);
        if symbol == NONE {
            return;
        }
        for edge in self.walk.tuples.forward.range(node, symbol, None) {
            if self.full() || !self.walk.step() {
                return;
            }
            let Some((type_id, kind)) = self.walk.kind(edge) else { continue };
            let wanted = match kind {
                Kind::Object | Kind::Wildcard => self.filter == (type_id, None),
                Kind::Userset(_) => true,
            };
            if !wanted {
                continue;
            }
            let certain = match self.walk.counts(rules, node, edge, type_id, kind) {
                Truth::True => certain,
                Truth::Unknown => false,
                Truth::False => continue,
            };
            match kind {
                Kind::Object | Kind::Wildcard => self.user(edge.node(), certain),
                Kind::Userset(target) => self.claim(edge.node(), target, depth + 1, certain),
            }
        }
    }
}
