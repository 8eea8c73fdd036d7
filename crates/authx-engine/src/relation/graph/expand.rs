//! One level of who has a relation to an object.

use super::Relations;
use super::walk::{Admitted, admits, kind_of};
use crate::relation::edge::{Edge, NONE, Node};
use crate::relation::rules::{Kind, RelationId, RelationRules, Rule};
use crate::relation::tuple::ObjectRef;

/// A rewrite with what the tuples put into it. Nothing is evaluated: conditions are not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// The userset that this is about: `document:1#viewer`.
    pub name: String,
    pub leaf: Leaf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// The subjects of tuples.
    Users(Vec<String>),
    Computed(String),
    TupleToUserset {
        tupleset: String,
        computed: Vec<String>,
    },
    Union(Vec<Expansion>),
    Intersection(Vec<Expansion>),
    Difference(Box<Expansion>, Box<Expansion>),
}

pub(super) fn expand(relations: &Relations<'_>, object: &ObjectRef, relation: RelationId, now: i64) -> Expansion {
    let Some(rules) = relations.model.rules(relation) else {
        return Expansion { name: object.to_string(), leaf: Leaf::Users(Vec::new()) };
    };
    Expander { relations, object, node: relations.tuples.node(object), relation, rules, now }.rule(&rules.rule)
}

struct Expander<'a> {
    relations: &'a Relations<'a>,
    object: &'a ObjectRef,
    node: Option<Node>,
    relation: RelationId,
    rules: &'a RelationRules,
    now: i64,
}

impl Expander<'_> {
    fn rule(&self, rule: &Rule) -> Expansion {
        let own = |name: &str| format!("{}#{name}", self.object);
        let name_of = |relation: RelationId| self.relations.model.rules(relation).map_or("", |rules| &rules.name);
        let all = |rules: &[Rule]| rules.iter().map(|rule| self.rule(rule)).collect();
        let leaf = match rule {
            Rule::This => Leaf::Users(self.subjects(self.relation, self.rules, None)),
            Rule::Computed(other) => Leaf::Computed(own(name_of(*other))),
            Rule::From(from) => {
                let parents = match self.relations.model.rules(from.tupleset) {
                    Some(rules) => self.subjects(from.tupleset, rules, Some(Kind::Object)),
                    None => Vec::new(),
                };
                let computed = parents.iter().map(|parent| format!("{parent}#{}", from.computed)).collect();
                Leaf::TupleToUserset { tupleset: own(name_of(from.tupleset)), computed }
            }
            Rule::Union(rules) => Leaf::Union(all(rules)),
            Rule::Intersection(rules) => Leaf::Intersection(all(rules)),
            Rule::Difference(base, subtract) => {
                Leaf::Difference(Box::new(self.rule(base)), Box::new(self.rule(subtract)))
            }
        };
        Expansion { name: own(&self.rules.name), leaf }
    }

    /// The subjects of the tuples that the model allows and that have not expired.
    fn subjects(&self, relation: RelationId, rules: &RelationRules, kind: Option<Kind>) -> Vec<String> {
        let (tuples, symbol) = (&*self.relations.tuples, self.relations.bound.relation(relation));
        let Some(node) = self.node.filter(|_| symbol != NONE) else { return Vec::new() };
        let edges = tuples.forward.range(node, symbol, None).filter(|edge| self.shows(node, rules, *edge, kind));
        let mut subjects: Vec<String> = edges.map(|edge| tuples.tuple(node, edge).key.subject.to_string()).collect();
        subjects.sort_unstable();
        subjects
    }

    /// Whether the tuple stands in the answer; its condition is not asked.
    fn shows(&self, node: Node, rules: &RelationRules, edge: Edge, only: Option<Kind>) -> bool {
        let Relations { model, tuples, bound } = self.relations;
        let known = kind_of(model, tuples, bound, edge).filter(|(_, kind)| only.is_none_or(|only| only == *kind));
        known.is_some_and(|(type_id, kind)| {
            let admitted = admits(model, tuples, self.now, rules, (node, edge), type_id, kind);
            !matches!(admitted, Admitted::No)
        })
    }
}
