//! Random policies and requests: what is said to be decided is never seen otherwise, and what is said to be covered is
//! missed by nobody.

use std::fmt::Write as _;

use crate::cedar::{ExprKind, Literal};
use crate::evaluate::{Question, Roots, evaluate};
use crate::hierarchy::View;
use crate::index::Facet;
use crate::input::read_input;
use crate::lint::conditions::{findings, outcome};
use crate::lint::fold::Fails;
use crate::lint::shadowed::shadowed;
use crate::policy::Policy;
use crate::tests::differential::{engine_request, world};
use crate::tests::world::{Dice, boolean, request};
use crate::{
    CompileOptions, Limits, PolicyErrors, PolicyId, PolicySource, Release, Settings, Snapshot, Sources, decide,
};

const WORLDS: u64 = 1_500;
const REQUESTS: usize = 10;

/// A condition in which constants meet what a request decides.
fn condition(dice: &mut Dice, depth: usize) -> String {
    if depth > 0 && dice.chance(60) {
        let (a, b) = (condition(dice, depth - 1), condition(dice, depth - 1));
        return match dice.below(6) {
            0 | 1 => format!("({a} && {b})"),
            2 | 3 => format!("({a} || {b})"),
            4 => format!("!({a})"),
            _ => format!("(if {a} then {b} else {})", condition(dice, depth - 1)),
        };
    }
    if dice.chance(50) {
        return boolean(dice, 1);
    }
    dice.pick(&[
        "true",
        "false",
        "1 < 2",
        "principal == principal",
        "resource.owner == resource.owner",
        "resource.public",
        "!(resource.public)",
        "principal.level == 1",
        "principal.level == 2",
        "principal.level <= principal.level",
        "\"a\" like \"b*\"",
        "principal.name like \"*\"",
        "principal in []",
        "resource.owner in []",
        "principal in principal",
        "principal in [Group::\"g0\", principal]",
        "principal in [principal, 1]",
        "principal is User",
        "principal is Group",
        "principal == User::\"u0\"",
        "principal == Doc::\"d0\"",
        "principal in Group::\"g0\"",
        "action in Action::\"look\"",
        "action == Action::\"read\"",
        "1 + true == 2",
        "9223372036854775807 + 1 > 0",
        "[1, 2].contains(2)",
        "[].contains(principal.level)",
        "resource.readers.containsAll([])",
        "principal.level",
        "true && principal",
        "ip(\"nowhere\").isLoopback()",
        "User::\"u0\" in Group::\"g0\"",
        "User::\"u0\" == User::\"u1\"",
        "{a: principal}.a == principal",
    ])
    .to_owned()
}

fn head(dice: &mut Dice) -> String {
    let principal = dice.pick(&[
        "principal",
        "principal",
        "principal is User",
        "principal == User::\"u0\"",
        "principal in Group::\"g0\"",
        "principal is User in Group::\"g1\"",
    ]);
    let action = dice.pick(&[
        "action",
        "action == Action::\"read\"",
        "action in Action::\"look\"",
        "action in [Action::\"read\", Action::\"write\"]",
        "action in [Action::\"look\", Action::\"edit\"]",
        "action in Action::\"any\"",
    ]);
    let resource = dice.pick(&[
        "resource",
        "resource",
        "resource is Doc",
        "resource == Doc::\"d0\"",
        "resource in Folder::\"f0\"",
    ]);
    format!("{} ({principal}, {action}, {resource})", if dice.chance(30) { "forbid" } else { "permit" })
}

/// A world's data with other policies.
fn with_policies(snapshot: &Snapshot, texts: &[String]) -> Snapshot {
    let sources: Vec<PolicySource> =
        texts.iter().enumerate().map(|(n, text)| PolicySource::single(Some(format!("p{n}")), text.clone())).collect();
    let base = snapshot.release().unwrap();
    let options = CompileOptions { validation: crate::Check::Off, threads: 1, ..CompileOptions::default() };
    let schema = base.schema().map(|schema| schema.source().clone());
    let sources = Sources { schema, policies: &sources, ..Sources::default() };
    snapshot.with_release(Some(Release::compile("l", sources, &options, Some(base)).unwrap().release.into()))
}

#[test]
fn what_is_decided_is_never_seen_otherwise() {
    let (mut decided, mut seen) = ([0_usize; 3], 0_usize);
    for seed in 0..WORLDS {
        let mut dice = Dice(seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let snapshot = world(&mut dice).snapshot;
        let texts: Vec<String> = (0..12)
            .map(|_| {
                let mut text = head(&mut dice);
                for _ in 0..=dice.below(2) {
                    let depth = dice.below(3);
                    write!(text, " {} {{ {} }}", dice.pick(&["when", "unless"]), condition(&mut dice, depth)).unwrap();
                }
                text + ";"
            })
            .collect();
        let snapshot = with_policies(&snapshot, &texts);
        for _ in 0..REQUESTS {
            let asked = engine_request(&request(&mut dice));
            each_outcome(&snapshot, &asked, |policy, outcome_seen| {
                let Some(condition) = &policy.body.condition else { return };
                let told = outcome(condition, &policy.scope);
                let text = &policy.source.text;
                seen += 1;
                match told.truth() {
                    Some(truth) => {
                        decided[usize::from(truth)] += 1;
                        assert_ne!(outcome_seen, Some(!truth), "seed {seed}: {text}");
                    }
                    None if told.fails == Fails::Always => {
                        decided[2] += 1;
                        assert_eq!(outcome_seen, None, "seed {seed}: {text}");
                    }
                    None => {}
                }
                assert!(told.fails != Fails::Never || outcome_seen.is_some(), "seed {seed}: {text}");
                // Whatever decides the whole is found in its parts, or was the whole of it.
                let literal = matches!(condition.expr_kind(), ExprKind::Lit(Literal::Bool(_)));
                let is_told = told.truth().is_some() || told.fails == Fails::Always;
                assert!(!is_told || literal || !findings(condition, &policy.scope).is_empty(), "{text}");
            });
        }
    }
    assert!(decided.iter().all(|count| *count > 1_000) && seen > 30_000, "{decided:?} of {seen}");
}

/// Calls `each` with every candidate of a request and what its condition came to.
fn each_outcome(snapshot: &Snapshot, asked: &crate::AccessRequest, mut each: impl FnMut(&Policy, Option<bool>)) {
    let limits = Limits::default();
    let input = read_input(snapshot, asked, &limits).unwrap();
    let release = snapshot.release.as_deref().unwrap();
    let view = View { data: &snapshot.data, overlay: &input.overlay, schema: release.schema(), graph: None };
    let (principal, action, resource) = (&asked.principal.0, &asked.action.0, &asked.resource.0);
    let above = |uid| view.ancestors(uid, limits.ancestors).unwrap();
    let (of_principal, of_action, of_resource) = (above(principal), above(action), above(resource));
    let mut candidates = Vec::new();
    let facet = |uid, ancestors| Facet { uid, ancestors };
    release.index.candidates(
        facet(principal, &of_principal),
        facet(action, &of_action),
        facet(resource, &of_resource),
        &mut |policy| candidates.push(policy.as_ref()),
    );
    let roots = Roots { principal, action, resource, context: &input.context };
    let ancestors = [(principal, of_principal.as_slice()), (resource, of_resource.as_slice())];
    let question = Question { view: &view, roots, ancestors, limits: &limits };
    let evaluated = evaluate(&candidates, &question).unwrap();
    for (policy, outcome) in candidates.iter().zip(&evaluated.outcomes) {
        each(policy, outcome.as_ref().ok().copied());
    }
}

#[test]
fn what_is_covered_is_missed_by_nobody() {
    let (mut found, mut asked_of) = ([0_usize; 2], 0_usize);
    for seed in 0..WORLDS {
        let mut dice = Dice(seed.wrapping_mul(0x5851_F42D_4C95_7F2D));
        let snapshot = world(&mut dice).snapshot;
        let pool: Vec<String> = (0..4).map(|_| boolean(&mut dice, 1)).collect();
        let texts: Vec<String> = (0..14)
            .map(|_| {
                let mut text = head(&mut dice);
                for _ in 0..dice.below(4) {
                    write!(text, " when {{ {} }}", pool[dice.below(pool.len())]).unwrap();
                }
                text + ";"
            })
            .collect();
        let snapshot = with_policies(&snapshot, &texts);
        let release = snapshot.release().unwrap().clone();
        let covered: Vec<(PolicyId, bool)> =
            shadowed(&release).iter().map(|shadowed| (shadowed.policy.id.clone(), shadowed.policy.forbids())).collect();
        let requests: Vec<_> = (0..REQUESTS).map(|_| engine_request(&request(&mut dice))).collect();
        let options = CompileOptions { validation: crate::Check::Off, ..CompileOptions::default() };
        // Each by itself, and all of them at once.
        let each = covered.iter().map(|(id, _)| vec![id.clone()]);
        for removed in each.chain([covered.iter().map(|(id, _)| id.clone()).collect()]) {
            let without = release.with_changes("w", &[], &removed, &options).unwrap().release;
            let without = snapshot.with_release(Some(without.into()));
            for (asked, policy_errors) in
                requests.iter().flat_map(|asked| [(asked, PolicyErrors::Deny), (asked, PolicyErrors::Cedar)])
            {
                let decision = |snapshot: &Snapshot| {
                    let settings = Settings { policy_errors, ..snapshot.settings };
                    decide(&snapshot.with_settings(settings), asked, &Limits::default()).unwrap().decision
                };
                asked_of += 1;
                assert_eq!(
                    decision(&snapshot),
                    decision(&without),
                    "seed {seed}: without {removed:?}\n{}",
                    texts.join("\n")
                );
            }
        }
        for (_, forbids) in covered {
            found[usize::from(forbids)] += 1;
        }
    }
    assert!(found.iter().all(|count| *count > 300) && asked_of > 20_000, "{found:?} of {asked_of}");
}
