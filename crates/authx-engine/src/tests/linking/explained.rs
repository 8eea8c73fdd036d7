//! Explanations where relations are asked: what is said of a conjunct is what Cedar's authorizer says of it alone on
//! plain values, and a near miss is one once its tuple is written.

use super::opinion::{Policies, Told, opinion};
use super::random::{Case, case, of_cycle};
use super::text::{Dice, requests};
use crate::decide::decide;
use crate::explain::{ConjunctOutcome, Supply, explain};
use crate::relation::tests::world::NOW;
use crate::relation::{Asking, RelationModel, Tuple};
use crate::tests::explain::{after, agrees};
use crate::{AccessRequest, Decision, EntityUid, Limits, Snapshot, parse_action};

/// Worlds in every run; `AUTHX_WORLDS` asks for more.
const WORLDS: u64 = 120;
const REQUESTS: usize = 8;

#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    conjuncts: usize,
    told_false: usize,
    failed: usize,
    /// Cedar cannot be given them: what tuples tell is a cycle.
    open: usize,
    tuples: usize,
    entities: usize,
}

fn play(worlds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in worlds {
        let case = case(seed);
        let snapshot = case.snapshot(None);
        let model = RelationModel::compile(case.world.model.clone()).unwrap();
        let sent: Vec<Tuple> =
            case.world.contextual.iter().filter(|sent| model.check_tuple(sent).is_ok()).cloned().collect();
        let mut dice = Dice(!seed);
        for asked in requests(&mut dice, REQUESTS) {
            let uid = |text: &str| EntityUid::parse(text).unwrap();
            let request = AccessRequest {
                context: serde_json::from_value(asked.context.clone()).unwrap(),
                tuples: sent.clone(),
                now: NOW,
                ..AccessRequest::new(uid(&asked.principal), parse_action("act").unwrap(), uid(&asked.resource))
            };
            let limits = Limits::default();
            let told = explain(&snapshot, &request, &limits).unwrap();
            assert_eq!(told.evaluation, decide(&snapshot, &request, &limits).unwrap());
            agrees(&told);
            tally.cases += 1;
            for conjunct in told.policies.iter().flat_map(|policy| &policy.conjuncts) {
                let told = match &conjunct.outcome {
                    ConjunctOutcome::NotReached => continue,
                    // Who fails says so in its own words.
                    ConjunctOutcome::Failed { .. } => ConjunctOutcome::Failed { message: String::new() },
                    outcome @ (ConjunctOutcome::True | ConjunctOutcome::False) => outcome.clone(),
                };
                let Some(alone) = alone(&case, &snapshot, &request, &conjunct.text) else {
                    tally.open += 1;
                    continue;
                };
                tally.conjuncts += 1;
                tally.told_false += usize::from(told == ConjunctOutcome::False);
                tally.failed += usize::from(matches!(told, ConjunctOutcome::Failed { .. }));
                assert_eq!(alone, told, "seed {seed} {asked:?} {conjunct:#?}");
            }
            for miss in &told.near_misses {
                let kind = match &miss.write {
                    Supply::Tuple(_) => &mut tally.tuples,
                    Supply::Entity(_) => &mut tally.entities,
                };
                *kind += 1;
                let then = decide(&after(&snapshot, &miss.write), &request, &limits).unwrap();
                let want = if miss.forbids.is_empty() { Decision::Allow } else { Decision::Deny };
                assert_eq!(then.decision, want, "seed {seed} {miss:?}");
                let decides = if miss.forbids.is_empty() { vec![miss.policy.clone()] } else { miss.forbids.clone() };
                assert!(
                    decides.iter().all(|id| then.determining_policies.contains(id)),
                    "seed {seed} {miss:?} {then:?}"
                );
            }
        }
    }
    tally
}

/// What the second opinion says of a condition alone; `None` when what tuples tell is a cycle.
fn alone(case: &Case, snapshot: &Snapshot, request: &AccessRequest, condition: &str) -> Option<ConjunctOutcome> {
    let policies = Policies::read(
        &format!("@id(\"one\") permit(principal, action, resource) when {{ {condition} }};\n"),
        Vec::new(),
    );
    let stored = case.world.stored.iter().filter(|stored| !request.tuples.iter().any(|sent| sent.key == stored.key));
    let tuples: Vec<Tuple> = stored.chain(&request.tuples).cloned().collect();
    let (links, limits) = (case.shape.links(), Limits::default());
    let relations = snapshot.relations().unwrap().with(&request.tuples).unwrap();
    let asking = Asking { context: &request.context.0, now: NOW, limits: limits.graph };
    let said = opinion(&Told {
        links: &links,
        schema: None,
        model: &case.world.model,
        tuples: &tuples,
        entities: &case.entities,
        policies: &policies,
        settings: case.settings,
        request,
        limits,
        cycle: &|key| of_cycle(&relations, key, &asking),
    });
    let answer = said.answer.filter(|_| !said.cyclic)?;
    Some(match (answer.errors.is_empty(), answer.decision) {
        (false, _) => ConjunctOutcome::Failed { message: String::new() },
        (true, Decision::Allow) => ConjunctOutcome::True,
        (true, Decision::Deny) => ConjunctOutcome::False,
    })
}

#[test]
fn what_is_explained_of_relations_is_what_cedar_says_on_plain_values() {
    let worlds = std::env::var_os("AUTHX_WORLDS").and_then(|n| n.to_str()?.parse().ok()).unwrap_or(WORLDS);
    let halves = [0..worlds / 2, worlds / 2..worlds];
    let tallies = std::thread::scope(|scope| {
        let running = halves.map(|half| scope.spawn(|| play(half)));
        running.map(|half| half.join().unwrap())
    });
    println!("{tallies:?}");
    for tally in tallies {
        assert!(tally.told_false > tally.cases / 3 && tally.failed > 0 && tally.tuples > 0, "{tally:?}");
    }
}
