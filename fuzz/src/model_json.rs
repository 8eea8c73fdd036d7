//! Relation models as JSON: what is read is written and read back as it was, as JSON of both kinds and as text.

use authx_engine::Json;
use authx_engine::relation::{MAX_TEXT, Model, model_from_json, model_to_http_json, model_to_json, parse, print};

use super::model_dsl::judge;

pub fn hold(data: &[u8]) {
    let Ok(Json(value)) = serde_json::from_slice(data) else { return };
    let model = match model_from_json(&value) {
        Ok(model) => model,
        Err(problems) => return assert!(problems.iter().all(|p| p.is_error() && !p.message.is_empty())),
    };
    let expected = sorted(model.clone());
    for json in [model_to_json(&model), model_to_http_json(&model)] {
        let again = model_from_json(&json).unwrap_or_else(|problems| panic!("{problems:#?}\n{json:#}"));
        assert_eq!(sorted(again), expected, "{json:#}");
    }
    let text = print(&model);
    if judge(&model) && text.len() <= MAX_TEXT {
        let again = parse(&text, None).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        assert_eq!(print(&again), text);
    }
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
