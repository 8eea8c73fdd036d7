//! Explanations where relations are asked: what is said of a conjunct is what Cedar's authorizer says of it alone on
//! plain values, and a near miss is one once its tuple is written.

use super::opinion::{Opinion, Policies};
use super::random::{case, question};
use super::text::{Dice, requests};
use crate::decide::decide;
use crate::explain::{ConjunctOutcome, Supply, explain};
use crate::tests::explain::{agrees, halves, misses_hold, worlds};
use crate::{Decision, Limits};

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

fn play(seeds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let case = case(seed);
        let snapshot = case.snapshot(None);
        let sent = case.sent();
        let tuples = case.tuples(&sent);
        let relations = snapshot.relations().unwrap().with(&sent).unwrap();
        let mut dice = Dice(!seed);
        for asked in requests(&mut dice, REQUESTS) {
            let (request, limits) = (question(&asked, &sent), Limits::default());
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
                let one = format!("@id(\"one\") permit(principal, action, resource) when {{ {} }};\n", conjunct.text);
                let said = case.opinion(&Policies::read(&one, Vec::new()), &tuples, &relations, &request);
                let Some(alone) = alone(said) else {
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
            }
            misses_hold(&snapshot, &request, &told);
        }
    }
    tally
}

/// What the second opinion says of a condition alone; `None` when what tuples tell is a cycle.
fn alone(said: Opinion) -> Option<ConjunctOutcome> {
    let answer = said.answer.filter(|_| !said.cyclic)?;
    Some(match (answer.errors.is_empty(), answer.decision) {
        (false, _) => ConjunctOutcome::Failed { message: String::new() },
        (true, Decision::Allow) => ConjunctOutcome::True,
        (true, Decision::Deny) => ConjunctOutcome::False,
    })
}

#[test]
fn what_is_explained_of_relations_is_what_cedar_says_on_plain_values() {
    let tallies = halves(worlds(WORLDS), play);
    println!("{tallies:?}");
    for tally in tallies {
        assert!(tally.told_false > tally.cases / 3 && tally.failed > 0 && tally.tuples > 0, "{tally:?}");
    }
}
