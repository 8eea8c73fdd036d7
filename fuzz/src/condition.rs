//! Conditions, as `expression ;; parameters ;; context`: evaluated within the budget, wherever the parameters come from.

use authx_engine::relation::{CompiledCondition, ConditionDefinition, MAX_COST, Outcome, parse};
use authx_engine::{JsonObject, Problem};
use serde_json::{Map, Value as Json, json};

/// One of every type, for a text that declares none.
const PARAMETERS: &str = "x: int, s: string, l: list<string>, m: map<any>, a: any, t: timestamp, d: duration, \
                          ip: ipaddress, b: bool, u: uint, f: double";

pub fn hold(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, ";;");
    let expression = parts.next().unwrap_or_default().trim().to_owned();
    let declared = parts.next().and_then(declared).or_else(|| declared(PARAMETERS)).expect("these are well-formed");
    let context = context(parts.next().unwrap_or_default());
    let definition = ConditionDefinition { expression, ..declared };
    let condition = match CompiledCondition::compile(&definition) {
        Ok(condition) => condition,
        Err(problems) => {
            assert!(problems.iter().all(Problem::is_error) && !problems.is_empty());
            return false;
        }
    };
    let none = Map::new();
    let outcome = condition.evaluate(&context, &none, MAX_COST).outcome;
    assert_eq!(outcome, condition.evaluate(&none, &context, MAX_COST).outcome);
    // A smaller budget gives the same or nothing.
    for budget in [0, 3, 30, 300] {
        let less = condition.evaluate(&context, &none, budget).outcome;
        let over = Outcome::Failed(format!("the evaluation takes more than {budget} steps"));
        assert!(less == outcome || less == over, "{less:?} within {budget} steps, else {outcome:?}");
    }
    // What a tuple may store is what converts when it is evaluated.
    let own = context.into_iter().filter(|(key, _)| condition.parameters().iter().any(|(name, _)| name == key));
    let own = own.collect();
    if condition.check_context(&own).is_err() {
        assert!(matches!(condition.evaluate(&none, &own, MAX_COST).outcome, Outcome::Failed(_)));
    }
    true
}

/// A condition with the parameters that a text declares, as the modelling language does.
fn declared(text: &str) -> Option<ConditionDefinition> {
    let text = format!("model\n  schema 1.1\ntype t\ncondition c({}) {{\n  true\n}}\n", text.trim());
    parse(&text, None).ok()?.conditions.into_iter().next()
}

/// A value for every parameter, where the input does not have one.
fn context(text: &str) -> Map<String, Json> {
    let all = json!({
        "x": 5, "s": "hello wörld", "l": ["a", "b", "10.0.0.0/8"], "m": {"k": [1, {"n": null}], "s": "v"},
        "a": {"deep": [true, 2.5]}, "t": "2024-02-29T12:00:00Z", "d": "90m", "ip": "10.0.0.1", "b": true, "u": 7, "f": 0.5,
    });
    let Json::Object(mut all) = all else { unreachable!("an object is one") };
    all.extend(serde_json::from_str::<JsonObject>(text).unwrap_or_default().0);
    all
}
