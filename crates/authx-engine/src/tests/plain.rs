//! Conditions that are told from the rows come to what Cedar's evaluator says.

use super::differential::{engine_request, world};
use super::world::{self, Dice};
use crate::evaluate::{Question, Roots, interpret};
use crate::hierarchy::View;
use crate::input::read_input;
use crate::plain::Plain;
use crate::policy::Policy;
use crate::{AccessRequest, Limits, Snapshot};

/// Of each condition of a snapshot: what is told of it from the rows, and what the evaluator says of it.
fn both(snapshot: &Snapshot, request: &AccessRequest, mut found: impl FnMut(&Policy, Option<bool>, Option<bool>)) {
    let limits = Limits::default();
    let input = read_input(snapshot, request, &limits).unwrap();
    let release = snapshot.release.as_deref().unwrap();
    let view = View { data: &snapshot.data, overlay: &input.overlay, schema: release.schema(), graph: None };
    let (principal, action, resource) = (&request.principal.0, &request.action.0, &request.resource.0);
    let of_principal = view.ancestors(principal, limits.ancestors).unwrap();
    let of_resource = view.ancestors(resource, limits.ancestors).unwrap();
    let roots = Roots { principal, action, resource, context: &input.context };
    let ancestors = [(principal, of_principal.as_slice()), (resource, of_resource.as_slice())];
    let question = Question { view: &view, roots, ancestors, limits: &limits };
    let plain = Plain::new(&question, None);
    for policy in release.policies() {
        let Some(condition) = &policy.body.condition else { continue };
        let evaluated = interpret(&[policy.as_ref()], &question, None).unwrap().remove(0).ok();
        found(policy, plain.holds(condition), evaluated);
    }
}

#[test]
fn what_is_told_from_the_rows_is_what_the_evaluator_says() {
    let (mut told, mut left, mut held) = (0, 0, 0);
    for seed in 0..3_000 {
        let mut dice = Dice(seed);
        let snapshot = world(&mut dice).snapshot;
        for _ in 0..5 {
            let request = engine_request(&world::request(&mut dice));
            both(&snapshot, &request, |policy, plain, evaluated| match plain {
                Some(holds) => {
                    assert_eq!(Some(holds), evaluated, "seed {seed}, {request:?}: {}", policy.source.text);
                    told += 1;
                    held += usize::from(holds);
                }
                None => left += 1,
            });
        }
    }
    println!("{told} conditions told from the rows, {held} of them hold; {left} left to the evaluator");
    assert!(told > 15_000 && left > 30_000 && held * 5 > told, "{told} {held} {left}");
}
