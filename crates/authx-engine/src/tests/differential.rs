//! Indexed and sliced == Cedar's own authorizer over all policies and all entities.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;

use cedar_policy::{Authorizer, Context, Effect, Entities, PolicyId as CedarId, PolicySet, SlotId};
use serde_json::json;

use super::world::{self, Dice};
use crate::access::{AccessPaths, Node};
use crate::decide::{Evaluation, combine, decide};
use crate::error::DecideError;
use crate::evaluate::{Evaluated, Question, Roots, evaluate};
use crate::hierarchy::View;
use crate::index::Facet;
use crate::input::read_input;
use crate::policy::{Body, Policy};
use crate::scan::PolicySource;
use crate::schema::{SchemaSource, SchemaSyntax};
use crate::{
    AccessRequest, Change, Check, CompileOptions, Data, DataRules, Decision, EntityInput, EntityUid, JsonObject,
    Limits, LinkInput, PolicyErrors, PolicyId, Release, Settings, Snapshot, Sources, Validation, read_entity,
};

const SETS: u64 = 16_000;
const REQUESTS: usize = 13;

/// A bug planted between two parts of the decision; the comparison must find each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// A forbid among the candidates is not evaluated.
    SkippedForbid,
    /// The index is asked for the principal and the resource themselves, not for what they are in.
    IndexKeyWithoutAncestors,
    /// The groups of an action are forgotten in the look-up.
    IndexKeyWithoutActionGroups,
    /// The slice has the entities on the left of an `in` without their ancestors.
    SliceWithoutAncestors,
    /// The slice has no tags.
    SliceWithoutTags,
    /// The slice ends at the first entity of a path.
    SliceOneStepDeep,
    /// A forbid that errs is skipped, whatever the store says.
    ErringForbidSkipped,
}

const BUGS: [Bug; 7] = [
    Bug::SkippedForbid,
    Bug::IndexKeyWithoutAncestors,
    Bug::IndexKeyWithoutActionGroups,
    Bug::SliceWithoutAncestors,
    Bug::SliceWithoutTags,
    Bug::SliceOneStepDeep,
    Bug::ErringForbidSkipped,
];

/// The decision as `decide` makes it, from the same parts, with a bug between them.
fn decide_with(bug: Bug, snapshot: &Snapshot, request: &AccessRequest) -> Result<Evaluation, DecideError> {
    let limits = Limits::default();
    let input = read_input(snapshot, request, &limits)?;
    let release = snapshot.release.as_deref().unwrap();
    let view = View { data: &snapshot.data, overlay: &input.overlay, schema: release.schema(), graph: None };
    let (principal, action, resource) = (&request.principal.0, &request.action.0, &request.resource.0);
    let known = |uid, forgotten: bool| if forgotten { Ok(Vec::new()) } else { view.ancestors(uid, limits.ancestors) };
    let of_principal = known(principal, bug == Bug::IndexKeyWithoutAncestors)?;
    let of_action = known(action, bug == Bug::IndexKeyWithoutActionGroups)?;
    let of_resource = known(resource, bug == Bug::IndexKeyWithoutAncestors)?;
    let mut found: Vec<Arc<Policy>> = Vec::new();
    for index in [&release.index, &snapshot.links.index] {
        let facet = |uid, ancestors| Facet { uid, ancestors };
        index.candidates(
            facet(principal, &of_principal),
            facet(action, &of_action),
            facet(resource, &of_resource),
            &mut |p| {
                found.push(Arc::clone(p));
            },
        );
    }
    if let Some(at) = found.iter().position(|p| p.forbids()).filter(|_| bug == Bug::SkippedForbid) {
        found.remove(at);
    }
    let distorted: Vec<Policy> = found.iter().map(|policy| distort(bug, policy)).collect();
    let candidates: Vec<&Policy> = distorted.iter().collect();
    let roots = Roots { principal, action, resource, context: &input.context };
    let ancestors = [(principal, of_principal.as_slice()), (resource, of_resource.as_slice())];
    let question = Question { view: &view, roots, ancestors, limits: &limits };
    let Evaluated { outcomes, .. } = evaluate(&candidates, &question)?;
    let errors = if bug == Bug::ErringForbidSkipped { PolicyErrors::Cedar } else { snapshot.settings.policy_errors };
    let snapshot = snapshot.with_settings(Settings { policy_errors: errors, ..snapshot.settings });
    Ok(Evaluation { warnings: input.warnings, ..combine(&snapshot, &candidates, outcomes) })
}

fn distort(bug: Bug, policy: &Policy) -> Policy {
    fn prune(bug: Bug, node: &Node, depth: usize) -> Node {
        let mut node = node.clone();
        node.ancestors &= bug != Bug::SliceWithoutAncestors;
        if bug == Bug::SliceWithoutTags {
            node.tags = None;
        }
        if bug == Bug::SliceOneStepDeep && depth == 1 {
            return Node::default();
        }
        for (_, child) in &mut node.attributes {
            *child = prune(bug, child, depth + 1);
        }
        node
    }
    let body = &policy.body;
    let roots = body.access.roots.iter().map(|(root, node)| (root.clone(), prune(bug, node, 0))).collect();
    let body = Body {
        forbids: body.forbids,
        condition: body.condition.clone(),
        access: AccessPaths { roots },
        facts: policy.body.facts.clone(),
        advice: body.advice.clone(),
        digest: body.digest,
    };
    policy.with_body(&Arc::new(body))
}

pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    oracle: PolicySet,
    pub(crate) entities: Entities,
}

pub(crate) fn world(dice: &mut Dice) -> World {
    let rows = world::entities(dice);
    let (mut sources, mut oracle) = (Vec::new(), PolicySet::new());
    for number in 0..=dice.below(9) {
        let id = format!("p{number}");
        let text = world::policy(dice, false);
        oracle.add(cedar_policy::Policy::parse(Some(CedarId::new(&id)), &text).unwrap()).unwrap();
        sources.push(PolicySource::single(Some(id), text));
    }
    let mut data = Data::default();
    for number in 0..dice.below(3) {
        let template = format!("t{number}");
        let text = world::policy(dice, true);
        oracle.add_template(cedar_policy::Template::parse(Some(CedarId::new(&template)), &text).unwrap()).unwrap();
        for link in 0..=dice.below(2) {
            let (principal, resource) = world::slot_values(dice);
            let has = |slot: &str| text.contains(slot);
            let id = format!("l{number}.{link}");
            let cedar = |text: &str| cedar_policy::EntityUid::from_str(text).unwrap();
            let mut values = HashMap::new();
            has("?principal").then(|| values.insert(SlotId::principal(), cedar(principal)));
            has("?resource").then(|| values.insert(SlotId::resource(), cedar(resource)));
            oracle.link(CedarId::new(&template), CedarId::new(&id), values).unwrap();
            let ours = |text: &str, slot: &str| has(slot).then(|| EntityUid::parse(text).unwrap());
            let link = LinkInput {
                template: template.clone(),
                principal: ours(principal, "?principal"),
                resource: ours(resource, "?resource"),
            };
            data.apply(&Change::PutLink(PolicyId::new(id), Arc::new(link)));
        }
        sources.push(PolicySource::single(Some(template), text));
    }
    for row in &rows {
        let input: EntityInput = serde_json::from_value(row.clone()).unwrap();
        data.apply(&Change::PutEntity(Arc::new(read_entity(&input, DataRules::default(), "").unwrap())));
    }
    let actions = world::ACTIONS.iter().map(|(name, groups)| {
        let parents: Vec<_> = groups.iter().map(|group| json!({"type": "Action", "id": group})).collect();
        json!({"uid": {"type": "Action", "id": name}, "attrs": {}, "parents": parents})
    });
    let everything: Vec<_> = rows.iter().cloned().chain(actions).collect();
    let entities = Entities::from_json_value(json!(everything), None).unwrap();
    let schema = SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: world::SCHEMA.to_owned() };
    let options = CompileOptions { validation: Check::Off, threads: 1, ..CompileOptions::default() };
    // The schema is the same for every world: it is compiled once and lent.
    thread_local! {
        static EMPTY: Release = Release::compile("0", Sources { schema: Some(SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: world::SCHEMA.to_owned() }), policies: &[], ..Sources::default() }, &CompileOptions::default(), None).unwrap().release;
    }
    let release = EMPTY
        .with(|empty| {
            Release::compile(
                "r",
                Sources { schema: Some(schema), policies: &sources, ..Sources::default() },
                &options,
                Some(empty),
            )
        })
        .unwrap()
        .release;
    let policy_errors = if dice.chance(50) { PolicyErrors::Deny } else { PolicyErrors::Cedar };
    let settings = Settings { validation: Validation::Off, policy_errors, ..Settings::default() };
    World { snapshot: Snapshot::new(Some(Arc::new(release)), Arc::new(data), settings, 1), oracle, entities }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    decision: Decision,
    determining: Vec<String>,
    errors: Vec<String>,
}

fn ours(evaluation: &Evaluation) -> Answer {
    Answer {
        decision: evaluation.decision,
        determining: evaluation.determining_policies.iter().map(ToString::to_string).collect(),
        errors: evaluation.policy_errors.iter().map(|error| error.policy.to_string()).collect(),
    }
}

/// Cedar's response; with `policy_errors: deny` an erring forbid denies.
fn cedars(world: &World, asked: &(String, String, String, serde_json::Value)) -> Answer {
    let uid = |text: &str| cedar_policy::EntityUid::from_str(text).unwrap();
    let context = Context::from_json_value(asked.3.clone(), None).unwrap();
    let request = cedar_policy::Request::new(uid(&asked.0), uid(&asked.1), uid(&asked.2), context, None).unwrap();
    let response = Authorizer::new().is_authorized(&request, &world.oracle, &world.entities);
    let mut errors: Vec<String> = response
        .diagnostics()
        .errors()
        .map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
        })
        .collect();
    errors.sort();
    let mut decision =
        if response.decision() == cedar_policy::Decision::Allow { Decision::Allow } else { Decision::Deny };
    let mut determining: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    if world.snapshot.settings.policy_errors == PolicyErrors::Deny {
        let forbids =
            |id: &&String| world.oracle.policy(&CedarId::new(id.as_str())).unwrap().effect() == Effect::Forbid;
        let erring: Vec<String> = errors.iter().filter(forbids).cloned().collect();
        if !erring.is_empty() {
            if decision == Decision::Allow {
                determining.clear();
            }
            decision = Decision::Deny;
            determining.extend(erring);
        }
    }
    determining.sort();
    Answer { decision, determining, errors }
}

pub(crate) fn engine_request(asked: &(String, String, String, serde_json::Value)) -> AccessRequest {
    let uid = |text: &str| EntityUid::parse(text).unwrap();
    let context: JsonObject = serde_json::from_value(asked.3.clone()).unwrap();
    AccessRequest { context, ..AccessRequest::new(uid(&asked.0), uid(&asked.1), uid(&asked.2)) }
}

#[derive(Default)]
struct Tally {
    pairs: usize,
    allowed: usize,
    erred: usize,
    wrong: usize,
    first: Option<String>,
}

fn compare(
    sets: std::ops::Range<u64>,
    decide: &dyn Fn(&Snapshot, &AccessRequest) -> Result<Evaluation, DecideError>,
) -> Tally {
    let mut tally = Tally::default();
    for seed in sets {
        let mut dice = Dice(seed.wrapping_mul(0x5851_F42D_4C95_7F2D));
        let world = world(&mut dice);
        for _ in 0..REQUESTS {
            let asked = world::request(&mut dice);
            let want = cedars(&world, &asked);
            let got = decide(&world.snapshot, &engine_request(&asked));
            tally.pairs += 1;
            tally.allowed += usize::from(want.decision == Decision::Allow);
            tally.erred += usize::from(!want.errors.is_empty());
            if !got.as_ref().is_ok_and(|got| ours(got) == want) {
                tally.wrong += 1;
                tally.first.get_or_insert_with(|| {
                    format!("seed {seed}, {asked:?}: want {want:?}, got {got:?}\n{}", world.oracle)
                });
            }
        }
    }
    tally
}

#[test]
fn indexed_and_sliced_equals_cedars_full_scan() {
    let tally = std::thread::scope(|scope| {
        let halves = [0..SETS / 2, SETS / 2..SETS];
        let running = halves.map(|half| scope.spawn(|| compare(half, &|s, r| decide(s, r, &Limits::default()))));
        running.map(|half| half.join().unwrap()).into_iter().fold(Tally::default(), |a, b| Tally {
            pairs: a.pairs + b.pairs,
            allowed: a.allowed + b.allowed,
            erred: a.erred + b.erred,
            wrong: a.wrong + b.wrong,
            first: a.first.or(b.first),
        })
    });
    let percent = |n: usize| 100 * n / tally.pairs;
    println!(
        "{} pairs: {} % allow, {} % with an error, {} wrong",
        tally.pairs,
        percent(tally.allowed),
        percent(tally.erred),
        tally.wrong
    );
    assert_eq!(tally.wrong, 0, "{}", tally.first.unwrap_or_default());
    assert!(tally.pairs >= 200_000 && percent(tally.allowed) >= 25 && percent(tally.erred) >= 20);
}

#[test]
fn planted_bugs_are_found() {
    for bug in BUGS {
        let tally = compare(0..400, &|snapshot, request| decide_with(bug, snapshot, request));
        println!("{bug:?}: {} of {} pairs differ", tally.wrong, tally.pairs);
        assert!(tally.wrong > 0, "{bug:?} was not found");
    }
}
