//! The objects that a subject has a relation to: backward from the subject, breadth first.
//!
//! Each step goes from "the subject has this relation to this object" to what follows from it. Only where the way led
//! through an intersection or an exclusion is the object checked before it counts.

use foldhash::fast::RandomState;

use super::check::{Check, Subject};
use super::walk::{Truth, Walk};
use super::{Asking, Ended, GraphError, Relations};
use crate::map::Table;
use crate::relation::edge::{Edge, NONE, Node, Symbol};
use crate::relation::rules::{Kind, RelationId, RelationModel, RelationRules, Step, TypeId, Way};
use crate::relation::tuple::{ObjectRef, SubjectRef};

/// What the subject has, as far as is known.
type Claim = (Node, RelationId);

/// Room for as many claims as most lists make.
const CLAIMS: usize = 14;

/// Relations whose objects are asked for, at most one of each type.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    relations: Vec<RelationId>,
    /// By relation: whether a target can follow from it.
    useful: Vec<bool>,
    /// The useful ones that tuples tell.
    told: Vec<RelationId>,
}

impl Targets {
    pub(crate) fn new(model: &RelationModel, relations: Vec<RelationId>) -> Self {
        let useful = useful(model, &relations);
        let by_tuple = |rules: &RelationRules| rules.this.is_some();
        let told =
            (0..).zip(&useful).filter(|(relation, useful)| **useful && model.rules(*relation).is_some_and(by_tuple));
        let told = told.map(|(relation, _)| relation).collect();
        Self { relations, useful, told }
    }

    fn is_useful(&self, relation: RelationId) -> bool {
        self.useful.get(usize::from(relation)).copied().unwrap_or(false)
    }

    fn starts(&self, walk: &Walk<'_>) -> Vec<(Symbol, TypeId, RelationId)> {
        let start = |relation: &RelationId| {
            let symbol = walk.bound.relation(*relation);
            Some((symbol, walk.rules(*relation)?.type_id, *relation)).filter(|_| symbol != NONE)
        };
        let mut starts: Vec<_> = self.told.iter().filter_map(start).collect();
        starts.sort_unstable();
        starts
    }
}

struct Backward<'a, 'c> {
    check: &'c mut Check<'a>,
    targets: &'c Targets,
    /// The relations that may begin a way, in the numbers of the tuples and in order.
    starts: Vec<(Symbol, TypeId, RelationId)>,
    /// True: certain.
    claims: Table<Claim, bool>,
    queue: Vec<Claim>,
    /// Takes what is certain, as it is found; says whether to go on.
    tell: &'c mut dyn FnMut(Node) -> bool,
    stopped: bool,
    /// Claims that were found once, and must be checked.
    doubtful: Vec<Claim>,
}

/// Lists the objects to which the subject has one of the targets; `found` says whether to go on. Returns the steps that
/// it took, too.
pub(super) fn list(
    relations: &Relations<'_>,
    targets: &Targets,
    subject: Subject,
    asking: &Asking<'_>,
    found: &mut dyn FnMut(Node) -> bool,
) -> Result<(Ended, u64), GraphError> {
    let mut check = Check::new(relations, asking, subject, false);
    let starts = targets.starts(&check.walk);
    let mut backward = Backward {
        check: &mut check,
        targets,
        starts,
        claims: Table::with_capacity_and_hasher(CLAIMS, RandomState::default()),
        queue: Vec::with_capacity(CLAIMS),
        tell: &mut *found,
        stopped: false,
        doubtful: Vec::new(),
    };
    backward.start();
    let mut next = 0;
    while let Some(claim) = backward.queue.get(next).copied().filter(|_| !backward.stopped) {
        next += 1;
        if !backward.check.walk.step() {
            return Err(backward.check.walk.out_of_work());
        }
        backward.follow(claim);
    }
    let Backward { stopped, doubtful, claims, .. } = backward;
    let mut complete = !stopped;
    let (mut failure, failed) = split(check.walk.take_failure());
    // An object may be doubtful by one way and certain by another.
    for claim in doubtful.into_iter().filter(|claim| claims.get(claim) != Some(&true)) {
        if !complete {
            break;
        }
        match check.run_node(claim.0, claim.1) {
            Ok(true) => complete = found(claim.0),
            Ok(false) => {}
            Err(error) => failure = Some(error),
        }
    }
    let steps = check.walk.steps();
    match failure.filter(|_| complete) {
        Some(failure) => Err(failure),
        None => Ok((Ended { complete, failed: failed.filter(|_| complete) }, steps)),
    }
}

/// The object of a userset that no tuple names, if the userset has the target on it: by being that userset.
pub(super) fn own_object(
    relations: &Relations<'_>,
    target: RelationId,
    subject: &SubjectRef,
    asking: &Asking<'_>,
    spent: u64,
) -> Result<Option<ObjectRef>, GraphError> {
    let own = &subject.object;
    let of_type = relations.model.rules(target).map(|rules| rules.type_id);
    let fits = subject.relation.is_some() && of_type == relations.model.type_id(&own.type_name);
    if !fits || relations.tuples.node(own).is_some() {
        return Ok(None);
    }
    let mut check = Check::new(relations, asking, Subject::new(relations, subject, Some(own)), false);
    check.walk.spend(spent);
    Ok(check.run(own, target)?.then(|| own.clone()))
}

/// A bound that was hit, beyond which nothing was seen; or a condition that failed, whose doubts were settled.
pub(super) fn split(failure: Option<GraphError>) -> (Option<GraphError>, Option<GraphError>) {
    match failure {
        Some(e @ (GraphError::TooMuchWork { .. } | GraphError::TooDeep { .. })) => (Some(e), None),
        condition => (None, condition),
    }
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
    fn start(&mut self) {
        let subject = self.check.subject;
        for (node, relation) in subject.forms() {
            self.tuples_of(node, relation);
        }
        // A userset has itself.
        if let Some(own) = subject.stored_userset() {
            self.claim(own, true);
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
            if certain {
                self.stopped = self.stopped || !(self.tell)(claim.0);
            } else {
                self.doubtful.push(claim);
            }
        }
    }

    /// What follows from the tuples that name a subject: each gives its object the relation, by what its `this` is
    /// worth there. Tuples of relations from which no target follows are not looked at.
    fn tuples_of(&mut self, subject: Node, subject_relation: Symbol) {
        let tuples = self.check.walk.tuples;
        let starts = std::mem::take(&mut self.starts);
        for of_symbol in starts.chunk_by(|(a, ..), (b, ..)| a == b) {
            let Some((symbol, ..)) = of_symbol.first().copied() else { continue };
            if !self.check.walk.step() {
                break;
            }
            for back in tuples.backward.range(subject, subject_relation, Some(symbol)) {
                if self.stopped || !self.check.walk.step() {
                    break;
                }
                let object = back.node();
                let Some(type_id) = self.check.walk.type_of(object) else { continue };
                let Ok(at) = of_symbol.binary_search_by_key(&type_id, |(_, type_id, _)| *type_id) else { continue };
                let Some((.., relation)) = of_symbol.get(at) else { continue };
                self.by_tuple(object, *relation, Edge::forward(symbol, subject_relation, subject, back.has_side()));
            }
        }
        self.starts = starts;
    }

    fn by_tuple(&mut self, object: Node, relation: RelationId, edge: Edge) {
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
