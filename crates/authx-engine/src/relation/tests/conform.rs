//! Stored tuples under another model, against a look at each of them.

use super::asked::packed;
use super::world::{NOW, Random, world};
use crate::relation::{RelationModel, Tuple, no_longer_allowed};

#[test]
fn what_another_model_does_not_allow_is_found_one_by_one() {
    let mut random = Random(11);
    let (mut lost, mut kept) = (0, 0);
    for _ in 0..2_000 {
        let (stored, other) = (world(&mut random), world(&mut random));
        let compile = |model| RelationModel::compile(model).unwrap();
        let (before, after) = (compile(stored.model), compile(other.model));
        let tuples = packed(&stored.stored);
        for (before, after) in [(Some(&before), Some(&after)), (Some(&before), None), (None, Some(&after))] {
            let allows =
                |model: Option<&RelationModel>, tuple: &Tuple| model.is_none_or(|m| m.check_tuple(tuple).is_ok());
            let is_lost = |tuple: &Tuple| {
                !tuple.expired(NOW) && allows(before, tuple) && (after.is_none() || !allows(after, tuple))
            };
            let mut expected: Vec<String> = tuples.iter().filter(is_lost).map(|tuple| tuple.key.to_string()).collect();
            let mut found = Vec::new();
            no_longer_allowed(&tuples, before, after, NOW, |tuple, why| {
                assert_eq!(why.is_none(), after.is_none());
                found.push(tuple.key.to_string());
            });
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected);
            lost += found.len();
            kept += tuples.len() - found.len();
        }
    }
    assert!(lost > 10_000 && kept > 10_000, "{lost} {kept}");
}
