//! Random models, tuples, schemas, policies and requests: each decision is the one that Cedar's own authorizer makes
//! when the reference evaluator has put a plain value where a policy asks a relation, and plain parents where tuples
//! tell them.

use std::sync::Arc;

use super::opinion::{Answer, Links, Opinion, Policies, Told, opinion};
use super::text::{Asked, Dice, Policy, policy, requests};
use crate::decide::{Evaluation, combine, decide};
use crate::evaluate::{Evaluated, Failed, Question, Roots, evaluate};
use crate::hierarchy::View;
use crate::index::Facet;
use crate::input::read_input;
use crate::linking::EntityGraph;
use crate::relation::tests::naive::Truth;
use crate::relation::tests::world::{NOW, Random, World, world_of};
use crate::relation::{
    Asking, Model, RelationModel, Relations, RestrictionKind, Rewrite, SubjectRef, Tuple, TupleKey, Tuples,
    TypeRestriction, print,
};
use crate::tests::explain::{halves, worlds};
use crate::{
    AccessRequest, Change, Check, CompileOptions, Data, DataRules, DecideError, Decision, EntityInput, EntityUid,
    Limits, PolicyErrors, Release, SchemaSource, SchemaSyntax, Settings, Snapshot, Sources, Validation, parse_action,
    read_entity, split_policies,
};

/// Worlds in every run; `AUTHX_WORLDS` asks for more.
const WORLDS: u64 = 1_200;
const REQUESTS: usize = 16;

/// Bugs between the parts of a decision, each of which the comparison must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// A fact that failed is taken as one that does not hold.
    FailedFactIsFalse,
    /// A forbid that reached a failed fact is skipped as Cedar skips one that errs.
    FailedForbidSkipped,
    /// Who is in a group has what the group itself, as an object, has.
    LeakThroughParents,
    /// The answer of the first fact stands for all facts of its policy with the same object.
    SharedBetweenSubjects,
    /// Policies are looked up without what tuples say that the principal is in.
    AncestorMissingFromIndex,
}

const BUGS: [Bug; 5] = [
    Bug::FailedFactIsFalse,
    Bug::FailedForbidSkipped,
    Bug::LeakThroughParents,
    Bug::SharedBetweenSubjects,
    Bug::AncestorMissingFromIndex,
];

/// Which annotations the schema has in one world.
#[expect(clippy::struct_excessive_bools, reason = "each is thrown for itself")]
#[derive(Debug, Clone, Copy)]
struct Shape {
    members: bool,
    group_parents: bool,
    doc_parents: bool,
    /// Groups may contain groups as objects, and documents lie in documents: what tuples tell may then be a cycle.
    cyclic: bool,
}

impl Shape {
    fn schema(self) -> String {
        let members = if self.members { "@members(\"r3\") " } else { "" };
        let parents = |has: bool| if has { "@parents(\"parent\") " } else { "" };
        format!(
            r#"
@rebac("user") entity User = {{ boss?: User, home?: Group }};
@rebac("group") {members}{}entity Group;
@rebac("doc") {}entity Doc = {{ owner?: User, near?: Group, flag?: Bool }} tags User;
entity Club;
entity Guest in [Club, Group];
action act appliesTo {{ principal: [User, Group, Guest], resource: [Doc, Group], context: {{ p0?: Bool, p1?: Bool, who?: User, at?: Doc }} }};
"#,
            parents(self.group_parents),
            parents(self.doc_parents)
        )
    }

    fn links(self) -> Links {
        let parents = [("group", self.group_parents), ("doc", self.doc_parents)];
        let has_parents = parents.into_iter().filter(|(_, has)| *has).map(|(ty, _)| (ty, "parent"));
        Links {
            types: vec![("User", "user"), ("Group", "group"), ("Doc", "doc")],
            members: if self.members { vec![("group", "r3")] } else { Vec::new() },
            parents: has_parents.collect(),
        }
    }

    /// Makes the model one that the annotations may name.
    fn adapt(self, model: &mut Model) {
        for ty in &mut model.types {
            for relation in &mut ty.relations {
                if ty.name == "group" && relation.name == "r3" && self.members {
                    let restriction =
                        |type_name: &str, kind| TypeRestriction { type_name: type_name.into(), kind, condition: None };
                    relation.rewrite = Rewrite::This;
                    relation.restrictions = vec![
                        restriction("user", RestrictionKind::Object),
                        restriction("user", RestrictionKind::Wildcard),
                        restriction("group", RestrictionKind::Userset("r3".into())),
                    ];
                    if self.cyclic {
                        relation.restrictions.push(restriction("group", RestrictionKind::Object));
                    }
                }
                // More tuples with conditions than a random model has, so that many facts fail.
                let condition = match relation.name.as_str() {
                    "r0" | "r1" => Some("c0"),
                    "r2" => Some("c1"),
                    _ => None,
                };
                if let Some(condition) = condition {
                    relation.restrictions.iter_mut().for_each(|one| one.condition = Some(condition.into()));
                    let mut seen: Vec<TypeRestriction> = Vec::new();
                    relation.restrictions.retain(|one| {
                        !seen.contains(one) && {
                            seen.push(one.clone());
                            true
                        }
                    });
                }
                let contained = (ty.name == "group" && self.group_parents) || (ty.name == "doc" && self.doc_parents);
                if relation.name == "parent" && contained {
                    relation.restrictions.iter_mut().for_each(|restriction| restriction.condition = None);
                    relation.restrictions.retain(|restriction| self.cyclic || restriction.type_name != ty.name);
                    if relation.restrictions.is_empty() {
                        let (type_name, kind) = ("group".into(), RestrictionKind::Object);
                        relation.restrictions.push(TypeRestriction { type_name, kind, condition: None });
                    }
                }
            }
        }
    }
}

/// A store and all that the reference needs to know of it.
pub(super) struct Case {
    shape: Shape,
    world: World,
    entities: Vec<EntityInput>,
    policies: Vec<Policy>,
    settings: Settings,
}

pub(super) fn case(seed: u64) -> Case {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let shape = Shape {
        members: dice.chance(80),
        group_parents: dice.chance(25),
        doc_parents: dice.chance(70),
        cyclic: dice.chance(30),
    };
    let world = world_of(&mut Random(seed), &|model| shape.adapt(model));
    let policy_errors = if dice.chance(50) { PolicyErrors::Deny } else { PolicyErrors::Cedar };
    let policies = (0..3 + dice.below(4)).map(|_| policy(&mut dice)).collect();
    let settings = Settings { validation: Validation::Off, policy_errors, ..Settings::default() };
    let entities = super::text::entities(&mut dice).into_iter();
    let entities = entities.map(|entity| serde_json::from_value(entity).unwrap()).collect();
    Case { shape, world, entities, policies, settings }
}

impl Case {
    pub(super) fn snapshot(&self, bug: Option<Bug>) -> Snapshot {
        let compiled = RelationModel::compile(self.world.model.clone()).unwrap();
        let schema = SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: self.shape.schema() };
        // Some of these policies ask for what no link of their world can give, which only a release that was made may.
        let options = CompileOptions { validation: Check::Done, threads: 1, ..CompileOptions::default() };
        let shared = bug == Some(Bug::SharedBetweenSubjects);
        let text: String = self.policies.iter().map(|policy| policy.text(shared)).collect();
        let policies = split_policies(None, &text);
        let sources = Sources { schema: Some(schema), model: Some(Arc::new(compiled)), policies: &policies };
        let release = Release::compile("r", sources, &options, None);
        let release = release.unwrap_or_else(|found| panic!("{found:#?}\n{text}")).release;
        let mut data = Data::default();
        for entity in &self.entities {
            data.apply(&Change::PutEntity(Arc::new(read_entity(entity, DataRules::default(), "").unwrap())));
        }
        let mut stored = self.world.stored.clone();
        if bug == Some(Bug::LeakThroughParents) {
            stored = Self::leaked(stored);
        }
        let tuples = Tuples::default().changed(&[], &stored).unwrap();
        Snapshot::new(Some(Arc::new(release)), Arc::new(data), self.settings, 1).with_tuples(tuples)
    }

    /// The tuples that requests bring. What the model does not allow may be stored, by an older model; it cannot be sent.
    pub(super) fn sent(&self) -> Vec<Tuple> {
        let model = RelationModel::compile(self.world.model.clone()).unwrap();
        self.world.contextual.iter().filter(|sent| model.check_tuple(sent).is_ok()).cloned().collect()
    }

    /// What is stored and sent, each key once.
    pub(super) fn tuples(&self, sent: &[Tuple]) -> Vec<Tuple> {
        let stored = self.world.stored.iter().filter(|stored| !sent.iter().any(|sent| sent.key == stored.key));
        stored.chain(sent).cloned().collect()
    }

    /// The second opinion on a request, under some policies.
    pub(super) fn opinion(
        &self,
        policies: &Policies,
        tuples: &[Tuple],
        relations: &Relations<'_>,
        request: &AccessRequest,
    ) -> Opinion {
        let limits = Limits::default();
        let asking = Asking { context: &request.context.0, now: NOW, limits: limits.graph };
        opinion(&Told {
            links: &self.shape.links(),
            schema: None,
            model: &self.world.model,
            tuples,
            entities: &self.entities,
            policies,
            settings: self.settings,
            request,
            limits,
            cycle: &|key| of_cycle(relations, key, &asking),
        })
    }

    /// Every tuple whose subject is a group as an object, said of the group's direct members too.
    fn leaked(mut stored: Vec<Tuple>) -> Vec<Tuple> {
        let plain = |subject: &SubjectRef| subject.relation.is_none() && subject.object.type_name == "group";
        let of_groups: Vec<_> = stored.iter().filter(|tuple| plain(&tuple.key.subject)).cloned().collect();
        for tuple in of_groups {
            let group = tuple.key.subject.object.clone();
            let members: Vec<_> = stored
                .iter()
                .filter(|other| other.key.object == group && other.key.relation == "r3")
                .map(|other| other.key.subject.clone())
                .collect();
            for subject in members {
                let mut tuple = tuple.clone();
                tuple.key.subject = subject;
                if !stored.iter().any(|other| other.key == tuple.key) {
                    stored.push(tuple);
                }
            }
        }
        stored
    }
}

#[derive(Debug, Default)]
struct Tally {
    requests: usize,
    allowed: usize,
    failed: usize,
    /// Cedar cannot be given them: what tuples tell is a cycle.
    open: usize,
    wrong: usize,
    first: Option<String>,
}

/// The decision from its parts, with a bug between them.
fn decide_with(bug: Bug, snapshot: &Snapshot, request: &AccessRequest) -> Result<Evaluation, DecideError> {
    let limits = Limits::default();
    let input = read_input(snapshot, request, &limits)?;
    let release = snapshot.release.as_deref().unwrap();
    let relations = snapshot.relations().unwrap().with(&request.tuples).unwrap();
    let asking = Asking { context: &request.context.0, now: request.now, limits: limits.graph };
    let graph = EntityGraph { linking: release.linking().unwrap(), relations: &relations, asking };
    let view = |graph| View { data: &snapshot.data, overlay: &input.overlay, schema: release.schema(), graph };
    let (whole, blind) = (view(Some(&graph)), view(None));
    let (principal, action, resource) = (&request.principal.0, &request.action.0, &request.resource.0);
    let known = if bug == Bug::AncestorMissingFromIndex { &blind } else { &whole };
    let of_principal = known.ancestors(principal, limits.ancestors)?;
    let of_resource = whole.ancestors(resource, limits.ancestors)?;
    let mut candidates = Vec::new();
    let facet = |uid, ancestors| Facet { uid, ancestors };
    release.index.candidates(
        facet(principal, &of_principal),
        facet(action, &[]),
        facet(resource, &of_resource),
        &mut |policy| candidates.push(policy.as_ref()),
    );
    let ancestors = [(principal, of_principal.as_slice()), (resource, of_resource.as_slice())];
    let roots = Roots { principal, action, resource, context: &input.context };
    let question = Question { view: &whole, roots, ancestors, limits: &limits };
    let Evaluated { mut outcomes, .. } = evaluate(&candidates, &question)?;
    for outcome in &mut outcomes {
        match (bug, &outcome) {
            (Bug::FailedFactIsFalse, Err(Failed { of_fact: true, .. })) => *outcome = Ok(false),
            (Bug::FailedForbidSkipped, Err(Failed { message, .. })) => {
                *outcome = Err(Failed { message: message.clone(), of_fact: false });
            }
            _ => {}
        }
    }
    Ok(Evaluation { warnings: input.warnings, ..combine(snapshot, &candidates, outcomes) })
}

/// A question of these worlds.
pub(super) fn question(asked: &Asked, sent: &[Tuple]) -> AccessRequest {
    let uid = |text: &str| EntityUid::parse(text).unwrap();
    AccessRequest {
        context: serde_json::from_value(asked.context.clone()).unwrap(),
        tuples: sent.to_vec(),
        now: NOW,
        ..AccessRequest::new(uid(&asked.principal), parse_action("act").unwrap(), uid(&asked.resource))
    }
}

/// What a question that leads back to itself comes to, a denial or an error, the graph alone can say.
fn of_cycle(relations: &Relations<'_>, key: &TupleKey, asking: &Asking<'_>) -> Truth {
    match relations.check(key, asking, false) {
        Ok(checked) => {
            assert!(!checked.allowed, "{key} is allowed");
            Truth::False
        }
        Err(_) => Truth::Unknown,
    }
}

fn compare(worlds: std::ops::Range<u64>, bug: Option<Bug>) -> Tally {
    let mut tally = Tally::default();
    for seed in worlds {
        let case = case(seed);
        let (snapshot, whole) = (case.snapshot(bug), case.snapshot(None));
        let text: String = case.policies.iter().map(|policy| policy.text(false)).collect();
        let policies = Policies::read(&text, Vec::new());
        let sent = case.sent();
        let tuples = case.tuples(&sent);
        let relations = whole.relations().unwrap().with(&sent).unwrap();
        let mut dice = Dice(!seed);
        for asked in requests(&mut dice, REQUESTS) {
            let (request, limits) = (question(&asked, &sent), Limits::default());
            let said = case.opinion(&policies, &tuples, &relations, &request);
            if said.cyclic {
                tally.open += 1;
                continue;
            }
            let want = said.answer.expect("membership and containment have no conditions here");
            let got = match bug {
                Some(bug @ (Bug::FailedFactIsFalse | Bug::FailedForbidSkipped | Bug::AncestorMissingFromIndex)) => {
                    decide_with(bug, &snapshot, &request)
                }
                Some(Bug::LeakThroughParents | Bug::SharedBetweenSubjects) | None => {
                    decide(&snapshot, &request, &limits)
                }
            };
            tally.requests += 1;
            tally.allowed += usize::from(want.decision == Decision::Allow);
            tally.failed += usize::from(said.failed);
            if !got.as_ref().is_ok_and(|got| Answer::of(got) == want) {
                tally.wrong += 1;
                tally.first.get_or_insert_with(|| {
                    let tuples: Vec<String> = tuples.iter().map(|tuple| format!("{tuple:?}")).collect();
                    format!(
                        "seed {seed}, {asked:?}\nwant {want:?}\ngot {got:?}\n{text}\n{}\n{}\n{:#?}\n{}",
                        case.shape.schema(),
                        print(&case.world.model),
                        case.entities,
                        tuples.join("\n")
                    )
                });
            }
        }
    }
    tally
}

#[test]
fn every_decision_is_cedars_on_plain_values() {
    let worlds = worlds(WORLDS);
    let tally = halves(worlds, |half| compare(half, None)).into_iter().fold(Tally::default(), |a, b| Tally {
        requests: a.requests + b.requests,
        allowed: a.allowed + b.allowed,
        failed: a.failed + b.failed,
        open: a.open + b.open,
        wrong: a.wrong + b.wrong,
        first: a.first.or(b.first),
    });
    let percent = |n: usize| 100 * n / tally.requests;
    println!(
        "{worlds} worlds, {} requests: {} % allow, {} % with a failed fact, {} left open, {} wrong",
        tally.requests,
        percent(tally.allowed),
        percent(tally.failed),
        tally.open,
        tally.wrong
    );
    assert_eq!(tally.wrong, 0, "{}", tally.first.unwrap_or_default());
    assert!(percent(tally.allowed) >= 25 && percent(tally.failed) >= 10);
}

#[test]
fn planted_bugs_are_found() {
    for bug in BUGS {
        let found = (0..2_000).find(|seed| compare(*seed..seed + 1, Some(bug)).wrong > 0);
        println!("{bug:?}: found in world {found:?}");
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
