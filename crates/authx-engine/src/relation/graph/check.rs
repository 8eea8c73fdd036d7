//! Whether a subject has a relation to an object: forward from the object, depth first.

use super::walk::{Truth, Walk};
use super::{Asking, GraphError, Relations};
use crate::map::Table;
use crate::relation::edge::{Edge, NONE, Node, STAR, Symbol};
use crate::relation::rules::{From, Kind, RelationId, RelationRules, Rule, TypeId};
use crate::relation::tuple::{ObjectRef, SubjectRef, Tuple};
use crate::relation::tuples::Packed;

/// Stands for an object that no tuple names.
const UNKNOWN_OBJECT: Node = Node::MAX;
/// Stands for a subject that no tuple names.
const UNKNOWN_SUBJECT: Node = Node::MAX - 1;
/// From this many usersets on it is worth looking from the subject's side.
const WIDE: usize = 16;
/// Parts of rules within each other, however they lead there: relations of one object may be computed from each other
/// as long as the model is, and each takes its room on the stack.
const MAX_NESTED: u32 = 1_000;

/// The subject that is asked for, in numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    node: Node,
    pub(super) relation: Symbol,
    type_id: Option<TypeId>,
    kind: Option<Kind>,
    /// `type:*` of its type, when it is an object and a tuple names that.
    wildcard: Option<Node>,
    /// The subject as a relation that its own members have.
    userset: Option<RelationId>,
}

impl Subject {
    /// The subject of a question about `object`. One that no tuple names still is itself.
    pub(super) fn new(relations: &Relations<'_>, subject: &SubjectRef, object: Option<&ObjectRef>) -> Self {
        let (model, tuples) = (relations.model, &relations.tuples);
        let type_id = model.type_id(&subject.object.type_name);
        let type_symbol = tuples.symbols.get(&subject.object.type_name);
        let unknown = if object == Some(&subject.object) { UNKNOWN_OBJECT } else { UNKNOWN_SUBJECT };
        let node = type_symbol.and_then(|symbol| tuples.names.get(symbol, &subject.object.id)).unwrap_or(unknown);
        let userset = type_id.zip(subject.relation.as_ref()).and_then(|(id, name)| model.relation_of(id, name));
        let kind = match (&subject.relation, userset) {
            (Some(_), userset) => userset.map(Kind::Userset),
            (None, _) if subject.is_wildcard() => Some(Kind::Wildcard),
            (None, _) => Some(Kind::Object),
        };
        let plain = if subject.is_wildcard() { STAR } else { NONE };
        let relation =
            subject.relation.as_ref().map_or(plain, |name| tuples.symbols.get(name).unwrap_or(Symbol::MAX >> 1));
        let is_object = kind == Some(Kind::Object);
        let wildcard = type_symbol.filter(|_| is_object).and_then(|symbol| tuples.names.wildcard(symbol));
        Self { node, relation, type_id, kind, wildcard, userset }
    }

    /// An object, which tuples may not name.
    pub(super) fn plain(relations: &Relations<'_>, type_id: TypeId, id: &str) -> Self {
        if let Some(node) = relations.node(type_id, id) {
            return Self::object(relations, node);
        }
        let wildcard = relations.bound.symbol(type_id).and_then(|symbol| relations.tuples.names.wildcard(symbol));
        let (type_id, kind) = (Some(type_id), Some(Kind::Object));
        Self { node: UNKNOWN_SUBJECT, relation: NONE, type_id, kind, wildcard, userset: None }
    }

    /// An object that tuples name.
    pub(super) fn object(relations: &Relations<'_>, node: Node) -> Self {
        let symbol = relations.tuples.names.type_of(node);
        let (type_id, wildcard) = (relations.bound.type_of(symbol), relations.tuples.names.wildcard(symbol));
        Self { node, relation: NONE, type_id, kind: Some(Kind::Object), wildcard, userset: None }
    }

    /// Its object, if tuples name that.
    pub(crate) fn stored(&self) -> Option<Node> {
        Some(self.node).filter(|node| *node < UNKNOWN_SUBJECT)
    }

    /// A userset on an object that tuples name.
    pub(super) fn stored_userset(&self) -> Option<(Node, RelationId)> {
        self.stored().zip(self.userset)
    }

    /// How tuples name an object: itself, and everyone of its type.
    pub(super) fn forms(&self) -> impl Iterator<Item = (Node, Symbol)> + use<> {
        let wildcard = self.wildcard.map(|node| (node, STAR));
        [Some((self.node, self.relation)), wildcard].into_iter().flatten()
    }
}

pub(super) struct Check<'a> {
    pub(super) walk: Walk<'a>,
    pub(super) subject: Subject,
    /// Claims that are settled, or on the way to here (`None`).
    known: Table<(Node, RelationId), Option<bool>>,
    trail: Option<Vec<(Node, Edge)>>,
    /// How many parts of rules the one at hand is within.
    nested: u32,
}

impl<'a> Check<'a> {
    pub(super) fn new(relations: &'a Relations<'a>, asking: &'a Asking<'a>, subject: Subject, explain: bool) -> Self {
        let walk = Walk::new(relations, asking);
        Self { walk, subject, known: Table::default(), trail: explain.then(Vec::new), nested: 0 }
    }

    /// Answers for one object; may be asked again for another.
    pub(super) fn run(&mut self, object: &ObjectRef, relation: RelationId) -> Result<bool, GraphError> {
        self.run_object(self.walk.tuples.node(object), relation)
    }

    /// Answers for an object that tuples may not name.
    pub(super) fn run_object(&mut self, object: Option<Node>, relation: RelationId) -> Result<bool, GraphError> {
        self.run_node(object.unwrap_or(UNKNOWN_OBJECT), relation)
    }

    pub(super) fn run_node(&mut self, node: Node, relation: RelationId) -> Result<bool, GraphError> {
        // What failed for an object before this one says nothing of it.
        drop(self.walk.take_failure());
        match self.relation(node, relation, 0) {
            Truth::True => Ok(true),
            Truth::False => Ok(false),
            // What only leads back to itself is denied; anything else is told.
            Truth::Unknown => self.walk.take_failure().map_or(Ok(false), Err),
        }
    }

    pub(super) fn path(&self, relations: &Relations<'_>) -> Vec<Tuple> {
        let trail = self.trail.iter().flatten();
        trail.map(|(object, edge)| relations.tuples.tuple(*object, *edge)).collect()
    }

    /// Whether the subject is this very userset.
    pub(super) fn is_subject(&self, object: Node, relation: RelationId) -> bool {
        self.subject.userset == Some(relation) && self.subject.node == object
    }

    pub(super) fn note(&mut self, object: Node, edge: Edge) {
        if let Some(trail) = &mut self.trail {
            trail.push((object, edge));
        }
    }

    pub(super) fn relation(&mut self, object: Node, relation: RelationId, depth: u32) -> Truth {
        if !self.walk.step() {
            return Truth::Unknown;
        }
        if self.is_subject(object, relation) {
            return Truth::True;
        }
        let Some(rules) = self.walk.rules(relation) else { return Truth::False };
        if rules.leaf {
            return self.direct(object, relation, rules);
        }
        if depth >= self.walk.asking.limits.depth {
            return self.walk.too_deep();
        }
        match self.known.get(&(object, relation)) {
            Some(None) => return Truth::Unknown,
            // A path must be told anew each time.
            Some(Some(true)) if self.trail.is_none() => return Truth::True,
            Some(Some(false)) => return Truth::False,
            Some(Some(true)) | None => {}
        }
        self.known.insert((object, relation), None);
        let before = self.trail.as_ref().map(Vec::len);
        let truth = if rules.recursive {
            self.closure(object, relation, rules)
        } else {
            self.rule(object, relation, rules, &rules.rule, depth)
        };
        if truth.is_settled() {
            self.known.insert((object, relation), Some(truth == Truth::True));
        } else {
            // Elsewhere it may be settled: what it hangs on here is this way to it.
            self.known.remove(&(object, relation));
        }
        if truth != Truth::True {
            self.forget(before);
        }
        truth
    }

    fn forget(&mut self, before: Option<usize>) {
        if let (Some(trail), Some(before)) = (&mut self.trail, before) {
            trail.truncate(before);
        }
    }

    pub(super) fn rule(
        &mut self,
        object: Node,
        relation: RelationId,
        rules: &'a RelationRules,
        rule: &'a Rule,
        depth: u32,
    ) -> Truth {
        if self.nested >= MAX_NESTED {
            return self.walk.fail(GraphError::TooDeep { limit: MAX_NESTED });
        }
        self.nested += 1;
        let truth = self.part(object, relation, rules, rule, depth);
        self.nested -= 1;
        truth
    }

    fn part(
        &mut self,
        object: Node,
        relation: RelationId,
        rules: &'a RelationRules,
        rule: &'a Rule,
        depth: u32,
    ) -> Truth {
        match rule {
            Rule::This => self.this(object, relation, rules, depth),
            Rule::Computed(other) => self.relation(object, *other, depth),
            Rule::From(from) => self.tuple_to_userset(object, from, depth),
            Rule::Union(operands) => {
                let mut all = Truth::False;
                for operand in operands {
                    let truth = self.operand(object, relation, rules, operand, depth);
                    if truth == Truth::True {
                        return truth;
                    }
                    all = all.or(truth);
                }
                all
            }
            Rule::Intersection(operands) => {
                let mut all = if operands.is_empty() { Truth::False } else { Truth::True };
                for operand in operands {
                    all = all.and(self.operand(object, relation, rules, operand, depth));
                    if all == Truth::False {
                        return all;
                    }
                }
                all
            }
            Rule::Difference(base, subtract) => {
                let base = self.operand(object, relation, rules, base, depth);
                if base == Truth::False {
                    return base;
                }
                let before = self.trail.as_ref().map(Vec::len);
                let subtract = self.operand(object, relation, rules, subtract, depth);
                self.forget(before);
                base.and(subtract.not())
            }
        }
    }

    /// One of many: a relation may have as many operands as its model is long, so each is counted.
    fn operand(
        &mut self,
        object: Node,
        relation: RelationId,
        rules: &'a RelationRules,
        rule: &'a Rule,
        depth: u32,
    ) -> Truth {
        if self.walk.step() { self.rule(object, relation, rules, rule, depth) } else { Truth::Unknown }
    }

    /// The tuples that name the subject itself, or everyone of its type.
    pub(super) fn direct(&mut self, object: Node, relation: RelationId, rules: &RelationRules) -> Truth {
        let symbol = self.walk.bound.relation(relation);
        let (Some(type_id), Some(kind)) = (self.subject.type_id, self.subject.kind) else { return Truth::False };
        if symbol == NONE {
            return Truth::False;
        }
        let mut all = Truth::False;
        let exact = (self.subject.node, self.subject.relation, kind);
        let wildcard = self.subject.wildcard.map(|node| (node, STAR, Kind::Wildcard));
        for (subject, subject_relation, kind) in [Some(exact), wildcard].into_iter().flatten() {
            // Most relations do not allow everyone: no need to look.
            if !rules.allows(type_id, kind) {
                continue;
            }
            let Some(edge) = self.walk.tuples.find(Packed { object, relation: symbol, subject, subject_relation })
            else {
                continue;
            };
            let truth = self.walk.counts(rules, object, edge, type_id, kind);
            if truth == Truth::True {
                self.note(object, edge);
                return truth;
            }
            all = all.or(truth);
        }
        all
    }

    fn this(&mut self, object: Node, relation: RelationId, rules: &'a RelationRules, depth: u32) -> Truth {
        let mut all = self.direct(object, relation, rules);
        let symbol = self.walk.bound.relation(relation);
        if all == Truth::True || symbol == NONE {
            return all;
        }
        for (target, type_id) in &rules.usersets {
            if !self.walk.step() {
                return Truth::Unknown;
            }
            let truth = self.usersets(object, (symbol, rules), *target, *type_id, depth);
            if truth == Truth::True {
                return truth;
            }
            all = all.or(truth);
        }
        all
    }

    /// The tuples whose subject is `target` of objects of one type.
    fn usersets(
        &mut self,
        object: Node,
        (symbol, rules): (Symbol, &'a RelationRules),
        target: RelationId,
        type_id: TypeId,
        depth: u32,
    ) -> Truth {
        let target_symbol = self.walk.bound.relation(target);
        if target_symbol == NONE {
            return Truth::False;
        }
        let tuples = self.walk.tuples;
        let width = tuples.forward.range_len(object, symbol, Some(target_symbol));
        if width > WIDE && self.walk.rules(target).is_some_and(|rules| rules.leaf) && self.subject.relation == NONE {
            let far = |(node, relation)| tuples.backward.range_len(node, relation, Some(target_symbol));
            if self.subject.forms().map(far).sum::<usize>() < width {
                return self.backward(object, (symbol, rules), (target, target_symbol), type_id);
            }
        }
        let mut all = Truth::False;
        for edge in tuples.forward.range(object, symbol, Some(target_symbol)) {
            if !self.walk.step() {
                return Truth::Unknown;
            }
            if self.walk.type_of(edge.node()) != Some(type_id) {
                continue;
            }
            let counts = self.walk.counts(rules, object, edge, type_id, Kind::Userset(target));
            let truth = self.through(object, edge, counts, |check| check.relation(edge.node(), target, depth + 1));
            if truth == Truth::True {
                return truth;
            }
            all = all.or(truth);
        }
        all
    }

    /// What a tuple gives, once it is known whether it counts: what lies beyond it.
    fn through(&mut self, object: Node, edge: Edge, counts: Truth, beyond: impl FnOnce(&mut Self) -> Truth) -> Truth {
        if counts != Truth::True {
            return counts;
        }
        self.note(object, edge);
        let truth = beyond(self);
        if truth != Truth::True
            && let Some(trail) = &mut self.trail
        {
            trail.pop();
        }
        truth
    }

    /// As [`Self::usersets`] for many of them: goes through those that the subject is in.
    fn backward(
        &mut self,
        object: Node,
        (symbol, rules): (Symbol, &'a RelationRules),
        (target, target_symbol): (RelationId, Symbol),
        type_id: TypeId,
    ) -> Truth {
        let tuples = self.walk.tuples;
        let Some(target_rules) = self.walk.rules(target) else { return Truth::False };
        let mut all = Truth::False;
        for (subject, relation) in self.subject.forms() {
            for back in tuples.backward.range(subject, relation, Some(target_symbol)) {
                if !self.walk.step() {
                    return Truth::Unknown;
                }
                let group = back.node();
                if self.walk.type_of(group) != Some(type_id) {
                    continue;
                }
                let packed = Packed { object, relation: symbol, subject: group, subject_relation: target_symbol };
                let Some(edge) = tuples.find(packed) else { continue };
                let counts = self.walk.counts(rules, object, edge, type_id, Kind::Userset(target));
                let truth = self.through(object, edge, counts, |check| check.direct(group, target, target_rules));
                if truth == Truth::True {
                    return truth;
                }
                all = all.or(truth);
            }
        }
        all
    }

    fn tuple_to_userset(&mut self, object: Node, from: &'a From, depth: u32) -> Truth {
        let symbol = self.walk.bound.relation(from.tupleset);
        let Some(rules) = self.walk.rules(from.tupleset).filter(|_| symbol != NONE) else { return Truth::False };
        let mut all = Truth::False;
        for edge in self.walk.tuples.forward.range(object, symbol, Some(NONE)) {
            if !self.walk.step() {
                return Truth::Unknown;
            }
            let Some(type_id) = self.walk.type_of(edge.node()) else { continue };
            let Some(target) = from.target(type_id) else { continue };
            let counts = self.walk.counts(rules, object, edge, type_id, Kind::Object);
            let truth = self.through(object, edge, counts, |check| check.relation(edge.node(), target, depth + 1));
            if truth == Truth::True {
                return truth;
            }
            all = all.or(truth);
        }
        all
    }
}
