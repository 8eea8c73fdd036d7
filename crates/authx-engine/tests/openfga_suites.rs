//! OpenFGA's own suites, in process: models, checks, lists, errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod suites;

use authx_engine::relation::{
    Asking, Bound, GraphError, GraphLimits, Listed, Model, ObjectRef, RelationModel, Relations, SubjectRef, Tuple,
    TupleCondition, TupleKey, Tuples, UserFilter, model_from_json, model_to_json, parse, print, validate,
};
use serde_json::{Map, Value};

/// Every stage with its test's name, its number, and whether it is the only one.
fn stages() -> Vec<(String, usize, bool, Value)> {
    let Some(dir) = suites::folder("openfga") else { return Vec::new() };
    let mut stages = Vec::new();
    for file in ["consolidated.json", "abac.json"] {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        let suite: Value = serde_json::from_str(&text).unwrap();
        for test in suite["tests"].as_array().unwrap() {
            let all = test["stages"].as_array().unwrap();
            for (number, stage) in all.iter().enumerate() {
                stages.push((test["name"].as_str().unwrap().to_owned(), number, all.len() == 1, stage.clone()));
            }
        }
    }
    stages
}

fn read(text: &str) -> Model {
    parse(text, None).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

#[test]
fn every_model_reads_as_its_json() {
    let stages = stages();
    for (_, _, _, stage) in &stages {
        let (text, json) = (stage["model"].as_str().unwrap(), &stage["model_json"]);
        let (from_text, from_json) = (read(text), model_from_json(json).unwrap());
        assert_eq!(read(&print(&from_text)), from_text, "{text}");
        for model in [from_text, from_json] {
            assert_eq!(model_to_json(&model), *json, "{text}");
            let problems = validate(&model);
            assert!(!problems.iter().any(authx_engine::Problem::is_error), "{problems:#?}\n{text}");
            RelationModel::compile(model).unwrap();
        }
    }
    println!("{} models", stages.len());
}

fn tuple(json: &Value) -> Option<Tuple> {
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    let condition = json.get("condition").filter(|c| !c.is_null()).map(|condition| TupleCondition {
        name: condition["name"].as_str().unwrap_or_default().into(),
        context: condition["context"].as_object().cloned().unwrap_or_default(),
    });
    let key = TupleKey {
        object: ObjectRef::parse(text("object")).ok()?,
        relation: text("relation").into(),
        subject: SubjectRef::parse(text("user")).ok()?,
    };
    Some(Tuple { key, condition, expires_at: None })
}

fn tuples(json: &Value) -> Vec<Tuple> {
    json.as_array().into_iter().flatten().filter_map(tuple).collect()
}

fn texts(json: &Value) -> Vec<String> {
    let mut texts: Vec<String> =
        json.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

#[derive(Default)]
struct Score {
    passed: usize,
    failed: Vec<String>,
}

impl Score {
    fn expect(&mut self, ok: bool, what: impl FnOnce() -> String) {
        if ok { self.passed += 1 } else { self.failed.push(what()) }
    }
}

#[test]
fn every_assertion_holds() {
    let mut score = Score::default();
    let mut packed = Tuples::default();
    for (name, number, alone, stage) in stages() {
        let model = RelationModel::compile(read(stage["model"].as_str().unwrap())).unwrap();
        let stored = tuples(&stage["tuples"]);
        // The tuples of the stages before stay; the model of today filters what it does not allow.
        packed = if number == 0 { Tuples::default() } else { packed }.changed(&[], &stored).unwrap();
        play(&name, &stage, &model, &packed, &[], &mut score);
        if alone {
            play(&name, &stage, &model, &Tuples::default(), &stored, &mut score);
        }
    }
    println!("{} passed, {} failed", score.passed, score.failed.len());
    assert!(score.failed.is_empty(), "{}", score.failed.join("\n"));
}

fn play(name: &str, stage: &Value, model: &RelationModel, tuples_: &Tuples, extra: &[Tuple], score: &mut Score) {
    let bound = Bound::new(model, tuples_);
    let none = Map::new();
    let (stages, limits) = ([("check", 0), ("list_objects", 1), ("list_users", 2)], GraphLimits::default());
    for (kind, which) in stages {
        for case in stage[kind].as_array().unwrap() {
            let context = case["context"].as_object().unwrap_or(&none);
            let asking = Asking { context, now: 0, limits };
            let mut contextual = tuples(&case["contextualTuples"]);
            // What the HTTP API refuses before it asks is not the graph's.
            let fits = |tuple: &Tuple| model.check_tuple(tuple).is_ok();
            let sent = case["contextualTuples"].as_array().map_or(0, Vec::len);
            if contextual.len() != sent || !contextual.iter().all(fits) {
                continue;
            }
            contextual.extend(extra.iter().cloned());
            let relations = Relations::new(model, tuples_, &bound).with(&contextual).unwrap();
            let got = match which {
                0 => match tuple(&case["tuple"]) {
                    Some(asked) if knows(model, &asked.key) => {
                        relations.check(&asked.key, &asking, false).map(|checked| vec![checked.allowed.to_string()])
                    }
                    Some(_) | None => continue,
                },
                1 => {
                    let request = &case["request"];
                    let text = |name: &str| request[name].as_str().unwrap();
                    let subject = SubjectRef::parse(text("user")).unwrap();
                    let key =
                        TupleKey { object: ObjectRef::new("", ""), relation: "".into(), subject: subject.clone() };
                    if !knows(model, &key) {
                        continue;
                    }
                    let list = relations.list_objects(text("type"), text("relation"), &subject, &asking, 1_000);
                    list.and_then(told)
                }
                _ => {
                    let request = &case["request"];
                    let filter = request["filters"][0].as_str().unwrap();
                    let (type_name, relation) = filter.split_once('#').map_or((filter, None), |(t, r)| (t, Some(r)));
                    let filter = UserFilter { type_name: type_name.into(), relation: relation.map(Into::into) };
                    let object = ObjectRef::parse(request["object"].as_str().unwrap()).unwrap();
                    let relation = request["relation"].as_str().unwrap();
                    let list = relations.list_users(&object, relation, &filter, &asking, 1_000);
                    list.and_then(told)
                }
            };
            compare(&format!("{name} {kind} {case}"), case, which, got, score);
        }
    }
}

/// OpenFGA's lists fail when any condition on the way fails.
fn told<T: ToString>(list: Listed<T>) -> Result<Vec<String>, GraphError> {
    match list.failed {
        Some(error) => Err(error),
        None => Ok(list.items.iter().map(ToString::to_string).collect()),
    }
}

fn knows(model: &RelationModel, key: &TupleKey) -> bool {
    let subject = &key.subject;
    let relation = subject.relation.as_ref();
    model.has_type(&subject.object.type_name)
        && relation.is_none_or(|relation| model.has_relation(&subject.object.type_name, relation))
}

fn compare(what: &str, case: &Value, which: usize, got: Result<Vec<String>, GraphError>, score: &mut Score) {
    if case["errorCode"].as_u64().is_some_and(|code| code != 0) {
        score.expect(got.is_err(), || format!("{what}: got {got:?}"));
        return;
    }
    let expected = match which {
        0 => vec![case["expectation"].as_bool().unwrap_or(false).to_string()],
        _ => texts(&case["expectation"]),
    };
    let got = got.map(|mut got| {
        got.sort();
        got
    });
    score.expect(got.as_ref().is_ok_and(|got| *got == expected), || format!("{what}: got {got:?}"));
}
