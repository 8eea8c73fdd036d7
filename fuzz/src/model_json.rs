//! Relation models as JSON: what is read is written and read back as it was, as JSON of both kinds and as text.

use authx_engine::Json;
use authx_engine::relation::{MAX_TEXT, Model, model_from_json, model_to_http_json, model_to_json, parse, print};

use super::model_dsl::judge;

pub fn hold(data: &[u8]) -> bool {
    let Ok(Json(value)) = serde_json::from_slice(data) else { return false };
    let model = match model_from_json(&value) {
        Ok(model) => model,
        Err(problems) => {
            assert!(problems.iter().all(|p| p.is_error() && !p.message.is_empty()));
            return false;
        }
    };
    let expected = sorted(model.clone());
    for json in [model_to_json(&model), model_to_http_json(&model)] {
        let again = model_from_json(&json).unwrap_or_else(|problems| panic!("{problems:#?}\n{json:#}"));
        assert_eq!(sorted(again), expected, "{json:#}");
    }
    if judge(&model) {
        read_as_text(&model);
    }
    true
}

/// The language has no place for comments in expressions and for white space around them; all else comes back.
fn read_as_text(model: &Model) {
    let text = print(model);
    if text.len() > MAX_TEXT {
        return;
    }
    let again = parse(&text, None).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    assert!(judge(&again), "{text}");
    assert_eq!(print(&parse(&print(&again), None).unwrap()), print(&again));
    assert_eq!(print(&without_expressions(again.clone())), print(&without_expressions(model.clone())));
    for (written, read) in model.conditions.iter().zip(&again.conditions) {
        if !written.expression.contains(['#', '/']) {
            let solid = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(solid(&read.expression), solid(&written.expression), "{text}");
        }
    }
}

fn without_expressions(mut model: Model) -> Model {
    model.conditions.iter_mut().for_each(|condition| condition.expression.clear());
    model
}

/// The maps of JSON have no order of their own.
fn sorted(mut model: Model) -> Model {
    for definition in &mut model.types {
        definition.relations.sort_by(|a, b| a.name.cmp(&b.name));
    }
    model.conditions.sort_by(|a, b| a.name.cmp(&b.name));
    for condition in &mut model.conditions {
        condition.parameters.sort_by(|a, b| a.0.cmp(&b.0));
    }
    model
}
