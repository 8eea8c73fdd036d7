//! Relation models as text: what is read is printed and read back as it was, and what is refused is refused at a place.

use authx_engine::Problem;
use authx_engine::relation::{MAX_TEXT, Model, RelationModel, combine, parse, parse_module, print, validate};

use super::findings;

pub fn hold(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let module = parse_module(&text, "a.fga").map(|module| combine("1.2", vec![module]).map(|model| judge(&model)));
    let whole = parse(&text, None).map(|model| {
        judge(&model);
        read_back(&model);
    });
    for problems in [module.as_ref().err(), whole.as_ref().err()].into_iter().flatten() {
        findings::stand_in(problems, &text);
    }
    module.is_ok() || whole.is_ok()
}

fn read_back(model: &Model) {
    let text = print(model);
    // What is printed can be longer than what was read.
    if text.len() <= MAX_TEXT {
        let again = parse(&text, None).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        assert_eq!(again, *model, "{text}");
        assert_eq!(print(&again), text);
    }
}

/// Validates a model, and compiles one that is valid: only its conditions can refuse that. Says whether the model is good
/// and the language can write it.
pub(crate) fn judge(model: &Model) -> bool {
    let problems = validate(model);
    assert!(problems.len() <= 100, "{} findings", problems.len());
    if problems.iter().any(Problem::is_error) {
        return false;
    }
    if let Err(refused) = RelationModel::compile(model.clone()) {
        let of_condition = |code: &str| ["condition_syntax", "condition_type"].contains(&code);
        assert!(refused.iter().all(|problem| of_condition(&problem.code)), "{refused:?}");
        return false;
    }
    problems.iter().all(|problem| problem.code != "not_expressible")
}
