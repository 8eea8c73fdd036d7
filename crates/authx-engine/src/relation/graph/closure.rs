//! A relation that leads to itself by its own tuples: walked breadth first, each object once.
//!
//! Such are nested groups and folders. Neither their depth nor a cycle among them is a problem: what is reachable is
//! all there is to know.

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use super::check::Check;
use super::walk::Truth;
use crate::map::Table;
use crate::relation::edge::{Edge, NONE, Node};
use crate::relation::rules::{Kind, RelationId, RelationRules, Rule};

/// Objects that were reached, in order, and how.
#[derive(Default)]
struct Reached {
    queue: Vec<Node>,
    seen: HashSet<Node, RandomState>,
    /// For the path: where each was reached from.
    by: Table<Node, (Node, Edge)>,
}

impl Reached {
    fn add(&mut self, node: Node, by: Option<(Node, Edge)>) {
        if self.seen.insert(node) {
            self.queue.push(node);
            if let Some(by) = by {
                self.by.insert(node, by);
            }
        }
    }
}

impl<'a> Check<'a> {
    pub(super) fn closure(&mut self, object: Node, relation: RelationId, rules: &'a RelationRules) -> Truth {
        let mut reached = Reached::default();
        reached.add(object, None);
        let (mut all, mut next) = (Truth::False, 0);
        while let Some(node) = reached.queue.get(next).copied() {
            next += 1;
            if !self.walk.step() {
                return Truth::Unknown;
            }
            let found = if self.is_subject(node, relation) {
                Truth::True
            } else {
                self.here(node, relation, rules, &rules.rule, &mut reached)
            };
            if found == Truth::True {
                self.tell(node, object, &reached);
                return found;
            }
            all = all.or(found);
        }
        all
    }

    /// What holds at one object without going on, and where to go on.
    fn here(
        &mut self,
        node: Node,
        relation: RelationId,
        rules: &'a RelationRules,
        rule: &'a Rule,
        reached: &mut Reached,
    ) -> Truth {
        match rule {
            Rule::Union(operands) => {
                let mut all = Truth::False;
                for operand in operands {
                    if !self.walk.step() {
                        return Truth::Unknown;
                    }
                    let truth = self.here(node, relation, rules, operand, reached);
                    if truth == Truth::True {
                        return truth;
                    }
                    all = all.or(truth);
                }
                all
            }
            Rule::This => {
                let direct = self.direct(node, relation, rules);
                if direct == Truth::True {
                    return direct;
                }
                let symbol = self.walk.bound.relation(relation);
                let kind = Kind::Userset(relation);
                direct.or(self.go_on(node, (relation, rules), (symbol, symbol), kind, reached))
            }
            Rule::From(from) => {
                let symbol = self.walk.bound.relation(from.tupleset);
                let Some(tupleset) = self.walk.rules(from.tupleset) else { return Truth::False };
                self.go_on(node, (relation, tupleset), (symbol, NONE), Kind::Object, reached)
            }
            Rule::Computed(leaf) => self.relation(node, *leaf, 0),
            Rule::Intersection(_) | Rule::Difference(..) => Truth::False,
        }
    }

    /// Reaches the subjects of one kind of tuple, if they have the relation themselves.
    fn go_on(
        &mut self,
        node: Node,
        (relation, rules): (RelationId, &RelationRules),
        (symbol, subject_relation): (u16, u16),
        kind: Kind,
        reached: &mut Reached,
    ) -> Truth {
        let mut all = Truth::False;
        let own_type = self.walk.rules(relation).map(|rules| rules.type_id);
        let to_itself = own_type.is_some_and(|own_type| rules.allows(own_type, kind));
        if symbol == NONE || !to_itself {
            return all;
        }
        for edge in self.walk.tuples.forward.range(node, symbol, Some(subject_relation)) {
            if !self.walk.step() {
                return Truth::Unknown;
            }
            let type_id = self.walk.type_of(edge.node());
            let Some(type_id) = type_id.filter(|_| type_id == own_type) else { continue };
            match self.walk.counts(rules, node, edge, type_id, kind) {
                Truth::True => reached.add(edge.node(), Some((node, edge))),
                other @ (Truth::False | Truth::Unknown) => all = all.or(other),
            }
        }
        all
    }

    /// Puts the way to `node` before what was noted there.
    fn tell(&mut self, mut node: Node, object: Node, reached: &Reached) {
        while node != object {
            let Some((from, edge)) = reached.by.get(&node) else { return };
            self.note(*from, *edge);
            node = *from;
        }
    }
}
