//! What is explained is what was decided, what is said of a conjunct is what Cedar says of it alone, and a near miss is
//! one.

use std::str::FromStr as _;

use cedar_policy::{Authorizer, Context, PolicySet};

use super::differential::{World, engine_request, world};
use super::world::{self as roll, Dice};
use crate::decide::{Decision, decide};
use crate::explain::{ConjunctOutcome, Explanation, PolicyOutcome, Supply, explain};
use crate::{AccessRequest, Change, Limits, Snapshot, read_entity};

/// Worlds in every run; `AUTHX_WORLDS` asks for more.
const WORLDS: u64 = 600;
const REQUESTS: usize = 13;

type Asked = (String, String, String, serde_json::Value);

/// What Cedar says of a condition alone; `None` when it errs.
fn alone(world: &World, asked: &Asked, condition: &str) -> Option<bool> {
    let uid = |text: &str| cedar_policy::EntityUid::from_str(text).unwrap();
    let context = Context::from_json_value(asked.3.clone(), None).unwrap();
    let request = cedar_policy::Request::new(uid(&asked.0), uid(&asked.1), uid(&asked.2), context, None).unwrap();
    let text = format!("permit (principal, action, resource) when {{ {condition} }};");
    let set = PolicySet::from_str(&text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let response = Authorizer::new().is_authorized(&request, &set, &world.entities);
    let erred = response.diagnostics().errors().next().is_some();
    (!erred).then(|| response.decision() == cedar_policy::Decision::Allow)
}

/// What the explained policies come to is what was decided.
pub(super) fn agrees(told: &Explanation) {
    let of = |outcome, forbids| {
        let one = told.policies.iter().filter(move |policy| policy.outcome == outcome && policy.forbids == forbids);
        one.map(|policy| policy.policy.clone()).collect::<Vec<_>>()
    };
    let erred: Vec<_> = told.evaluation.policy_errors.iter().map(|error| error.policy.clone()).collect();
    let mut failed = [of(PolicyOutcome::Failed, false), of(PolicyOutcome::Failed, true)].concat();
    failed.sort();
    assert_eq!(failed, erred, "{told:#?}");
    let (permits, forbids) = (of(PolicyOutcome::Matched, false), of(PolicyOutcome::Matched, true));
    match told.evaluation.decision {
        Decision::Allow => assert_eq!(told.evaluation.determining_policies, permits, "{told:#?}"),
        Decision::Deny => {
            let extra = |id: &_| forbids.contains(id) || failed.contains(id);
            assert!(told.evaluation.determining_policies.iter().all(extra), "{told:#?}");
            assert!(forbids.iter().all(|id| told.evaluation.determining_policies.contains(id)), "{told:#?}");
        }
    }
}

/// The snapshot behind the write of a near miss.
fn after(snapshot: &Snapshot, write: &Supply) -> Snapshot {
    match write {
        Supply::Tuple(tuple) => {
            assert!(snapshot.release().unwrap().model().unwrap().check_tuple(tuple).is_ok());
            snapshot.with_tuples(snapshot.tuples().changed(&[], std::slice::from_ref(tuple)).unwrap())
        }
        Supply::Entity(patch) => {
            let input = patch.applied(snapshot.data().entity(&patch.uid).unwrap());
            let row = read_entity(&input, snapshot.data_rules(), "").unwrap();
            snapshot.with_changes(&[Change::PutEntity(std::sync::Arc::new(row))])
        }
    }
}

/// Each near miss is an allow once written, or a deny by the forbids that it names.
pub(super) fn misses_hold(snapshot: &Snapshot, request: &AccessRequest, told: &Explanation) {
    for miss in &told.near_misses {
        assert_eq!(told.evaluation.decision, Decision::Deny);
        let then = decide(&after(snapshot, &miss.write), request, &Limits::default()).unwrap();
        let want = if miss.forbids.is_empty() { Decision::Allow } else { Decision::Deny };
        assert_eq!(then.decision, want, "{request:?} {miss:?}");
        let decides = if miss.forbids.is_empty() { vec![miss.policy.clone()] } else { miss.forbids.clone() };
        assert!(decides.iter().all(|id| then.determining_policies.contains(id)), "{request:?} {miss:?} {then:?}");
    }
}

/// So many worlds, or as many as `AUTHX_WORLDS` asks for.
pub(super) fn worlds(usual: u64) -> u64 {
    std::env::var_os("AUTHX_WORLDS").and_then(|n| n.to_str()?.parse().ok()).unwrap_or(usual)
}

/// Plays worlds in two halves at once.
pub(super) fn halves<T: Send>(worlds: u64, play: impl Fn(std::ops::Range<u64>) -> T + Sync) -> [T; 2] {
    let (halves, play) = ([0..worlds / 2, worlds / 2..worlds], &play);
    std::thread::scope(|scope| {
        let running = halves.map(|half| scope.spawn(move || play(half)));
        running.map(|half| half.join().unwrap())
    })
}

#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    denied: usize,
    conjuncts: usize,
    told_false: usize,
    failed: usize,
    misses: usize,
    cases_with_miss: usize,
}

fn play(worlds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    let limits = Limits::default();
    for seed in worlds {
        let mut dice = Dice(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1);
        let world = world(&mut dice);
        for _ in 0..REQUESTS {
            let asked = roll::request(&mut dice);
            let request = engine_request(&asked);
            let told = explain(&world.snapshot, &request, &limits).unwrap();
            assert_eq!(told.evaluation, decide(&world.snapshot, &request, &limits).unwrap());
            agrees(&told);
            tally.cases += 1;
            tally.denied += usize::from(told.evaluation.decision == Decision::Deny);
            for conjunct in told.policies.iter().flat_map(|policy| &policy.conjuncts) {
                let want = match &conjunct.outcome {
                    ConjunctOutcome::NotReached => continue,
                    ConjunctOutcome::True => Some(true),
                    ConjunctOutcome::False => Some(false),
                    ConjunctOutcome::Failed { .. } => None,
                };
                tally.conjuncts += 1;
                tally.told_false += usize::from(want == Some(false));
                tally.failed += usize::from(want.is_none());
                assert_eq!(alone(&world, &asked, &conjunct.text), want, "{asked:?} {conjunct:#?}");
            }
            tally.misses += told.near_misses.len();
            tally.cases_with_miss += usize::from(!told.near_misses.is_empty());
            misses_hold(&world.snapshot, &request, &told);
        }
    }
    tally
}

#[test]
fn what_is_explained_is_what_cedar_says() {
    let tallies = halves(worlds(WORLDS), play);
    println!("{tallies:?}");
    for tally in tallies {
        assert!(tally.told_false > tally.cases / 2 && tally.failed > tally.cases / 20, "{tally:?}");
        assert!(tally.cases_with_miss * 20 > tally.denied, "{tally:?}");
    }
}
