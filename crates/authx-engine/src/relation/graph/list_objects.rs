//! The objects that a subject has a relation to: backward from the subject, breadth first.
//!
//! Each step goes from "the subject has this relation to this object" to what follows from it. Only where the way led
//! through an intersection or an exclusion is the object checked before it counts.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::check::Check;
use super::walk::Truth;
use super::{Asking, Ended, GraphError, Relations};
use crate::relation::edge::{Edge, NONE, Node, Symbol};
use crate::relation::rules::{Kind, RelationId, RelationModel, Step, Way};
use crate::relation::tuple::{ObjectRef, SubjectRef};

/// What the subject has, as far as is known.
type Claim = (Node, RelationId);

/// Relations whose objects are asked for.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    relations: Vec<RelationId>,
    /// By relation: whether a target can follow from it.
    useful: Vec<bool>,
}

impl Targets {
    pub(crate) fn new(model: &RelationModel, relations: Vec<RelationId>) -> Self {
        let useful = useful(model, &relations);
        Self { relations, useful }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.relations.is_empty()
    }

    fn is_useful(&self, relation: RelationId) -> bool {
        self.useful.get(usize::from(relation)).copied().unwrap_or(false)
    }
}

struct Backward<'a, 'c> {
    check: &'c mut Check<'a>,
    targets: &'c Targets,
    /// True: certain.
    claims: HashMap<Claim, bool, RandomState>,
    queue: Vec<Claim>,
    /// Takes what is certain, as it is found; says whether to go on.
    tell: &'c mut dyn FnMut(ObjectRef) -> bool,
    stopped: bool,
    /// Claims that were found once, and must be checked.
    doubtful: Vec<Claim>,
    told: HashSet<Node, RandomState>,
}

/// Lists the objects to which the subject has one of the targets; `found` says whether to go on.
pub(super) fn list(
    relations: &Relations<'_>,
    targets: &Targets,
    subject: &SubjectRef,
    asking: &Asking<'_>,
    found: &mut dyn FnMut(ObjectRef) -> bool,
) -> Result<Ended, GraphError> {
    let cut = Ended { complete: false, failed: None };
    let mut check = Check::new(relations, asking, subject, None, false);
    let mut backward = Backward {
        check: &mut check,
        targets,
        claims: HashMap::default(),
        queue: Vec::new(),
        tell: &mut *found,
        stopped: false,
        doubtful: Vec::new(),
        told: HashSet::default(),
    };
    backward.start(relations, subject);
    if backward.stopped {
        return Ok(cut);
    }
    let mut next = 0;
    while let Some(claim) = backward.queue.get(next).copied() {
        next += 1;
        if !backward.check.walk.step() {
            return Err(backward.check.walk.out_of_work());
        }
        backward.follow(claim);
        if backward.stopped {
            return Ok(cut);
        }
    }
    // An object may be doubtful by one way and certain by another.
    let (doubtful, told, spent) = (backward.doubtful, backward.told, check.walk.steps());
    let (mut failure, failed) = split(check.walk.take_failure());
    let mut verify = Check::new(relations, asking, subject, None, false);
    verify.walk.spend(spent);
    for (node, target) in doubtful {
        if told.contains(&node) {
            continue;
        }
        match verify.run_node(node, target) {
            Ok(true) if !found(relations.tuples.object(node)) => return Ok(cut),
            Ok(_) => {}
            Err(error) => failure = Some(error),
        }
    }
    // A subject that no tuple names still has what is its own.
    for target in &targets.relations {
        let own = own_object(relations, *target, subject).filter(|own| relations.tuples.node(own).is_none());
        let Some(own) = own else { continue };
        let mut own_check = Check::new(relations, asking, subject, Some(&own), false);
        own_check.walk.spend(verify.walk.steps());
        if own_check.run(&own, *target)? && !found(own) {
            return Ok(cut);
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(Ended { complete: true, failed }),
    }
}

/// A bound that was hit, beyond which nothing was seen; or a condition that failed, whose doubts were settled.
pub(super) fn split(failure: Option<GraphError>) -> (Option<GraphError>, Option<GraphError>) {
    match failure {
        Some(e @ (GraphError::TooMuchWork { .. } | GraphError::TooDeep { .. })) => (Some(e), None),
        condition => (None, condition),
    }
}

/// The object of a userset, which may have the relation by being that userset.
fn own_object(relations: &Relations<'_>, target: RelationId, subject: &SubjectRef) -> Option<ObjectRef> {
    let rules = relations.model.rules(target)?;
    let type_id = relations.model.type_id(&subject.object.type_name)?;
    (subject.relation.is_some() && rules.type_id == type_id).then(|| subject.object.clone())
}

/// The relations from which one of the targets can follow.
fn useful(model: &RelationModel, targets: &[RelationId]) -> Vec<bool> {
    let mut useful = vec![false; model.relations.len()];
    let mut queue = targets.to_vec();
    while let Some(relation) = queue.pop() {
        let Some(seen) = useful.get_mut(usize::from(relation)) else { continue };
        if std::mem::replace(seen, true) {
            continue;
        }
        let Some(rules) = model.rules(relation) else { continue };
        for source in &rules.sources {
            match &source.way {
                Way::This => queue.extend(rules.usersets.iter().map(|(from, _)| *from)),
                Way::Computed(from) => queue.push(*from),
                Way::From(from) => queue.extend(from.targets.iter().map(|(_, relation)| *relation)),
            }
        }
    }
    useful
}

impl Backward<'_, '_> {
    fn start(&mut self, relations: &Relations<'_>, subject: &SubjectRef) {
        let known = self.check.subject;
        for (node, relation) in known.forms() {
            self.tuples_of(node, relation);
        }
        // A userset has itself.
        let own = relations.model.type_id(&subject.object.type_name).zip(subject.relation.as_ref());
        let stored = relations.tuples.node(&subject.object);
        if let Some(relation) = own.and_then(|(id, name)| relations.model.relation_of(id, name))
            && let Some(node) = stored
        {
            self.claim((node, relation), true);
        }
    }

    /// A tuple whose condition failed leaves a doubt, which the check settles or tells.
    fn claim_if(&mut self, counts: Truth, claim: Claim, certain: bool) {
        match counts {
            Truth::True => self.claim(claim, certain),
            Truth::Unknown => self.claim(claim, false),
            Truth::False => {}
        }
    }

    fn claim(&mut self, claim: Claim, certain: bool) {
        if !self.targets.is_useful(claim.1) {
            return;
        }
        let known = self.claims.get(&claim).copied();
        if known == Some(true) || known == Some(certain) {
            return;
        }
        self.claims.insert(claim, certain);
        self.queue.push(claim);
        if self.targets.relations.contains(&claim.1) {
            if !certain {
                self.doubtful.push(claim);
            } else if self.told.insert(claim.0) {
                let object = self.check.walk.tuples.object(claim.0);
                self.stopped = self.stopped || !(self.tell)(object);
            }
        }
    }

    /// What follows from the tuples that name a subject: each gives its object the relation, by what its `this` is
    /// worth there.
    fn tuples_of(&mut self, subject: Node, subject_relation: Symbol) {
        let tuples = self.check.walk.tuples;
        for back in tuples.backward.range(subject, subject_relation, None) {
            if self.stopped || !self.check.walk.step() {
                return;
            }
            let (object, symbol) = (back.node(), back.minor());
            let Some(type_id) = self.check.walk.type_of(object) else { continue };
            let relation = self.check.walk.model.relation_of(type_id, tuples.symbols.name(symbol));
            let Some(relation) = relation else { continue };
            self.by_tuple(object, relation, Edge::forward(symbol, subject_relation, subject, back.has_side()));
        }
    }

    fn by_tuple(&mut self, object: Node, relation: RelationId, edge: Edge) {
        if !self.targets.is_useful(relation) {
            return;
        }
        let Some(rules) = self.check.walk.rules(relation) else { return };
        let Some(this) = rules.this else { return };
        let Some((type_id, kind)) = self.check.walk.kind(edge) else { return };
        let counts = self.check.walk.counts(rules, object, edge, type_id, kind);
        self.claim_if(counts, (object, relation), this);
    }

    fn follow(&mut self, (object, relation): Claim) {
        let certain = self.claims.get(&(object, relation)).copied().unwrap_or(false);
        let Some(rules) = self.check.walk.rules(relation) else { return };
        let tuples = self.check.walk.tuples;
        for lead in &rules.leads {
            if !self.targets.is_useful(lead.to) {
                continue;
            }
            // A relation may lead to as many others as the model has.
            if self.stopped || !self.check.walk.step() {
                return;
            }
            let certain = certain && lead.certain;
            match lead.step {
                Step::Computed => self.claim((object, lead.to), certain),
                Step::From { tupleset } => {
                    let symbol = self.check.walk.bound.relation(tupleset);
                    let Some(tupleset) = self.check.walk.rules(tupleset).filter(|_| symbol != NONE) else { continue };
                    for back in tuples.backward.range(object, NONE, Some(symbol)) {
                        if self.stopped || !self.check.walk.step() {
                            return;
                        }
                        let child = back.node();
                        if self.check.walk.type_of(child) != Some(tupleset.type_id) {
                            continue;
                        }
                        let edge = Edge::forward(symbol, NONE, object, back.has_side());
                        let counts = self.check.walk.counts(tupleset, child, edge, rules.type_id, Kind::Object);
                        self.claim_if(counts, (child, lead.to), certain);
                    }
                }
                Step::Userset => {
                    let own = self.check.walk.bound.relation(relation);
                    let symbol = self.check.walk.bound.relation(lead.to);
                    let Some(to) = self.check.walk.rules(lead.to).filter(|_| own != NONE && symbol != NONE) else {
                        continue;
                    };
                    for back in tuples.backward.range(object, own, Some(symbol)) {
                        if self.stopped || !self.check.walk.step() {
                            return;
                        }
                        let other = back.node();
                        if self.check.walk.type_of(other) != Some(to.type_id) {
                            continue;
                        }
                        let edge = Edge::forward(symbol, own, object, back.has_side());
                        let kind = Kind::Userset(relation);
                        let counts = self.check.walk.counts(to, other, edge, rules.type_id, kind);
                        self.claim_if(counts, (other, lead.to), certain);
                    }
                }
            }
        }
    }
}
