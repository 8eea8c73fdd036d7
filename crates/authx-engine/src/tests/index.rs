//! The index against a scan, while policies come and go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::world::Dice;
use crate::cedar::{EntityType, EntityUID};
use crate::index::{Facet, ScopeIndex};
use crate::named::Named;
use crate::scope::{ActionSide, Scope, Side, Target};
use crate::{CompileOptions, EntityUid, Policy, PolicyId, PolicySource, Release, Sources};

/// What a request is: itself, its ancestors.
type Sides = [(EntityUID, Vec<EntityUID>); 3];

fn uid(text: &str) -> EntityUID {
    EntityUid::parse(text).unwrap().0
}

fn literal(dice: &mut Dice, types: &[&str]) -> String {
    let (ty, id) = (dice.pick(types), dice.below(4));
    format!("{ty}::\"{id}\"")
}

fn side(dice: &mut Dice, name: &str, types: &[&str]) -> String {
    let literal = literal(dice, types);
    match dice.below(5) {
        0 => name.to_owned(),
        1 => format!("{name} is {}", dice.pick(types)),
        2 => format!("{name} == {literal}"),
        3 => format!("{name} in {literal}"),
        _ => format!("{name} is {} in {literal}", dice.pick(types)),
    }
}

fn policies(dice: &mut Dice, principal: Option<&str>) -> Vec<Arc<Policy>> {
    let sources: Vec<PolicySource> = (0..40)
        .map(|number| {
            let principal = principal.map_or_else(|| side(dice, "principal", &["User", "Group"]), str::to_owned);
            let action = match dice.below(4) {
                0 => "action".to_owned(),
                1 => format!("action == {}", literal(dice, &["Action"])),
                2 => format!("action in {}", literal(dice, &["Action"])),
                _ => format!("action in [{}, {}]", literal(dice, &["Action"]), literal(dice, &["Action"])),
            };
            let resource = side(dice, "resource", &["Document", "Folder"]);
            PolicySource::single(Some(format!("p{number}")), format!("permit ({principal}, {action}, {resource});"))
        })
        .collect();
    let sources = Sources { policies: &sources, ..Sources::default() };
    let compiled = Release::compile("r", sources, &CompileOptions::default(), None).unwrap();
    compiled.release.policies().cloned().collect()
}

fn request(dice: &mut Dice) -> Sides {
    let one = |dice: &mut Dice, types: &[&str]| {
        let itself = uid(&literal(dice, types));
        let ancestors = (0..dice.below(4)).map(|_| uid(&literal(dice, types)));
        let mut distinct: Vec<EntityUID> = Vec::new();
        for ancestor in ancestors {
            if ancestor != itself && !distinct.contains(&ancestor) {
                distinct.push(ancestor);
            }
        }
        (itself, distinct)
    };
    [one(dice, &["User", "Group"]), one(dice, &["Action"]), one(dice, &["Document", "Folder"])]
}

/// What the scope says, word for word.
fn admits(scope: &Scope, [principal, action, resource]: &Sides) -> bool {
    let within =
        |(itself, ancestors): &(EntityUID, Vec<EntityUID>), uid: &EntityUID| itself == uid || ancestors.contains(uid);
    let is = |(itself, _): &(EntityUID, Vec<EntityUID>), ty: &EntityType| itself.entity_type() == ty;
    let fits = |side: &Side, of: &(EntityUID, Vec<EntityUID>)| match side {
        Side::Any => true,
        Side::Is(ty) => is(of, ty),
        Side::Eq(Target::Literal(uid)) => of.0 == *uid,
        Side::In(Target::Literal(uid)) => within(of, uid),
        Side::IsIn(ty, Target::Literal(uid)) => is(of, ty) && within(of, uid),
        Side::Eq(Target::Slot) | Side::In(Target::Slot) | Side::IsIn(_, Target::Slot) => false,
    };
    let acts = match &scope.action {
        ActionSide::Any => true,
        ActionSide::Eq(uid) => action.0 == *uid,
        ActionSide::In(uids) => uids.iter().any(|uid| within(action, uid)),
    };
    acts && fits(&scope.principal, principal) && fits(&scope.resource, resource)
}

fn found(index: &ScopeIndex, sides: &Sides) -> Vec<PolicyId> {
    let named = sides.each_ref().map(|(uid, ancestors)| (uid, ancestors.iter().map(Named::from).collect::<Vec<_>>()));
    let [principal, action, resource] = named.each_ref().map(|(uid, ancestors)| Facet { uid, ancestors });
    let mut found = Vec::new();
    index.candidates(principal, action, resource, &mut |policy| found.push(policy.id.clone()));
    found.sort();
    found
}

#[test]
fn what_it_finds_is_what_a_scan_finds_while_policies_come_and_go() {
    let mut dice = Dice(17);
    let mut met = 0;
    for round in 0..60 {
        // One principal for all makes one shelf long.
        let principal = ["principal", "principal in Group::\"1\"", "principal is User in Group::\"1\""];
        let principal = principal.get(round % 6).copied();
        let policies = policies(&mut dice, principal);
        let (mut index, mut held) = (ScopeIndex::default(), BTreeMap::new());
        let mut before: Option<(ScopeIndex, Sides, Vec<PolicyId>)> = None;
        for _ in 0..120 {
            let policy = &policies[dice.below(policies.len())];
            if held.remove(&policy.id).is_some() {
                index.remove(policy);
            } else {
                index.insert(policy);
                held.insert(policy.id.clone(), Arc::clone(policy));
            }
            let sides = request(&mut dice);
            let scanned = held.values().filter(|policy| admits(&policy.scope, &sides)).map(|policy| policy.id.clone());
            let scanned: Vec<PolicyId> = scanned.collect();
            assert_eq!(found(&index, &sides), scanned, "{sides:?} of {held:?}");
            // A copy from before is not touched by what came after.
            if let Some((earlier, sides, want)) = &before {
                assert_eq!(found(earlier, sides), *want);
            }
            met += scanned.len();
            before = Some((index.clone(), sides, scanned));
        }
        for policy in held.values() {
            index.remove(policy);
        }
        let left = format!("{index:?}");
        assert!(left.contains("types: {}") && left.contains("shelves: {}"), "{left}");
    }
    assert!(met > 10_000, "{met} candidates");
}
