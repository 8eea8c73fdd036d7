//! Why a relation holds, or what was tried in vain.

use smol_str::SmolStr;

use crate::evaluate::Question;
use crate::facts::Facts;
use crate::linking::{EntityGraph, Fact};
use crate::relation::{Asking, Expansion, GraphLimits, Leaf, SubjectRef, Tuple, TupleKey};

/// Branches that are told of one relation.
const MAX_TRIED: usize = 32;
/// Steps of the check of one branch; one that takes more is not told.
const BRANCH_STEPS: u64 = 20_000;
/// How far from the object they are followed.
const MAX_DEPTH: usize = 6;

/// One relation that a condition asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationExplanation {
    /// As the policy asks for it: `principal in resource.rel.viewer`.
    pub text: SmolStr,
    /// What that is in this request; `None` when a path leads nowhere, or to what is not linked.
    pub tuple: Option<TupleKey>,
    pub told: RelationTold,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum RelationTold {
    /// It follows from these tuples.
    Holds { path: Vec<Tuple> },
    /// None of these branches gives it; `more` when they are not all.
    HoldsNot { tried: Vec<Tried>, more: bool },
    /// It cannot be told.
    Failed { message: String },
}

/// A branch on the way to a relation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// How far below the question.
    pub depth: usize,
    /// What would have given it: `document:plan#editor`, or a tuple.
    pub what: String,
    /// Whether this much holds, as may be in an intersection or a difference.
    pub holds: bool,
}

/// What is told of a condition's facts; `room` is for branches.
pub(super) fn told(
    asked: &[Fact],
    facts: &Facts<'_>,
    question: &Question<'_>,
    room: &mut usize,
) -> Vec<RelationExplanation> {
    asked.iter().map(|fact| of_fact(fact, facts, question, room)).collect()
}

fn of_fact(fact: &Fact, facts: &Facts<'_>, question: &Question<'_>, room: &mut usize) -> RelationExplanation {
    let text = fact.name.clone();
    let failed = |tuple, message: String| RelationExplanation {
        text: text.clone(),
        tuple,
        told: RelationTold::Failed { message },
    };
    let Some(((subject, object), answer)) = facts.ends(fact, &question.roots).zip(facts.answer(&fact.name)) else {
        return failed(None, "a path of it leads to no entity".to_owned());
    };
    let graph = facts.graph();
    let tuple = graph.key(subject, &fact.relation, object);
    let told = match (answer, &tuple) {
        (Err(failure), _) => return failed(tuple, failure.to_string()),
        (Ok(true), Some(key)) => {
            let found = graph.relations.check(key, &graph.asking, true);
            RelationTold::Holds { path: found.map(|found| found.path).unwrap_or_default() }
        }
        (Ok(true), None) => RelationTold::Holds { path: Vec::new() },
        (Ok(false), None) => RelationTold::HoldsNot { tried: Vec::new(), more: false },
        (Ok(false), Some(key)) => {
            let most = MAX_TRIED.min(*room);
            let mut branches = Branches { graph, subject: &key.subject, tried: Vec::new(), most, more: most == 0 };
            branches.userset(&SubjectRef { object: key.object.clone(), relation: Some(key.relation.clone()) }, 0);
            *room -= branches.tried.len();
            RelationTold::HoldsNot { tried: branches.tried, more: branches.more }
        }
    };
    RelationExplanation { text, tuple, told }
}

/// A walk over the branches of a model's rewrite, as far as they do not hold.
struct Branches<'a> {
    graph: &'a EntityGraph<'a>,
    subject: &'a SubjectRef,
    tried: Vec<Tried>,
    /// How many are told.
    most: usize,
    more: bool,
}

impl Branches<'_> {
    /// The branches of one userset, which itself does not hold.
    fn userset(&mut self, userset: &SubjectRef, depth: usize) {
        let Some(relation) = &userset.relation else { return };
        if depth == MAX_DEPTH || self.is_full() {
            self.more = true;
            return;
        }
        if let Ok(expansion) = self.graph.relations.expand(&userset.object, relation, &self.graph.asking) {
            self.expansion(&expansion, depth);
        }
    }

    fn expansion(&mut self, expansion: &Expansion, depth: usize) {
        match &expansion.leaf {
            Leaf::Users(subjects) => {
                self.push(format!("{}@{}", expansion.name, self.subject), false, depth);
                self.branches(subjects.iter().filter(|subject| subject.contains('#')), depth);
            }
            Leaf::Computed(userset) => self.branch(userset, depth),
            Leaf::TupleToUserset { tupleset, computed } => {
                if computed.is_empty() {
                    self.push(format!("{tupleset}@…"), false, depth);
                }
                self.branches(computed.iter(), depth);
            }
            Leaf::Union(parts) | Leaf::Intersection(parts) => parts.iter().for_each(|part| self.expansion(part, depth)),
            Leaf::Difference(base, subtracted) => {
                self.expansion(base, depth);
                self.expansion(subtracted, depth);
            }
        }
    }

    /// Usersets, as many as there is room for.
    fn branches<'s>(&mut self, usersets: impl Iterator<Item = &'s String>, depth: usize) {
        for userset in usersets {
            if self.is_full() {
                self.more = true;
                return;
            }
            self.branch(userset, depth);
        }
    }

    fn is_full(&self) -> bool {
        self.tried.len() >= self.most
    }

    /// A userset that would give it.
    fn branch(&mut self, userset: &str, depth: usize) {
        let Ok(userset) = SubjectRef::parse(userset) else { return };
        let Some(relation) = userset.relation.clone() else { return };
        let key = TupleKey { object: userset.object.clone(), relation, subject: self.subject.clone() };
        let Asking { context, now, limits } = self.graph.asking;
        let limits = GraphLimits { steps: limits.steps.min(BRANCH_STEPS), ..limits };
        let Ok(found) = self.graph.relations.check(&key, &Asking { context, now, limits }, false) else {
            self.more = true;
            return;
        };
        let holds = found.allowed;
        // What was followed once is not followed again.
        let what = userset.to_string();
        let known = self.tried.iter().any(|tried| tried.what == what);
        if self.push(what, holds, depth) && !holds && !known {
            self.userset(&userset, depth + 1);
        }
    }

    fn push(&mut self, what: String, holds: bool, depth: usize) -> bool {
        let room = !self.is_full();
        self.more |= !room;
        if room {
            self.tried.push(Tried { depth, what, holds });
        }
        room
    }
}
