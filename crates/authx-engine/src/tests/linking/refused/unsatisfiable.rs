//! An `in` on a linked type that no link can satisfy.

use serde_json::json;

use super::super::{MODEL, SCHEMA, Store};
use crate::{LinkInput, Problem, Settings, Validation, check_link};

const CODE: &str = "unsatisfiable_in";

fn store(validation: Validation) -> Store {
    Store { settings: Settings { validation, ..Settings::default() }, ..Store::default() }
}

/// Whether a policy is refused for such an `in`: strictly, and without validation.
fn refused(schema: &'static str, policy: &str) -> [bool; 2] {
    [Validation::Strict, Validation::Off].map(|validation| {
        let found = Store { schema, ..store(validation) }.compile(policy).err().unwrap_or_default();
        found.iter().any(|problem| problem.code == CODE)
    })
}

#[test]
fn heads() {
    for (head, expected) in [
        ("principal in Group::\"g\", action, resource", [false, false]),
        ("principal in Role::\"r\", action, resource", [false, false]),
        ("principal in Document::\"d\", action, resource", [true, true]),
        ("principal is User in Document::\"d\", action, resource", [true, true]),
        // A user is in no folder. Where the schema holds for nobody, a document may ask.
        ("principal in Folder::\"f\", action, resource", [true, false]),
        ("principal is User in Folder::\"f\", action, resource", [true, true]),
        ("principal, action, resource in Folder::\"f\"", [false, false]),
        ("principal, action, resource is Document in Folder::\"f\"", [false, false]),
        ("principal, action, resource in Group::\"g\"", [true, false]),
        ("principal, action, resource is Document in Group::\"g\"", [true, true]),
        ("principal, action, resource in User::\"u\"", [true, true]),
        ("principal, action == Action::\"read\", resource in User::\"u\"", [true, true]),
        // Everything is in itself.
        ("principal, action, resource in Document::\"d\"", [false, false]),
        ("principal in User::\"u\", action, resource", [false, false]),
        // Types that are not linked have the parents of the schema, or any.
        ("principal in Team::\"t\", action, resource", [false, false]),
        ("principal is Team in Document::\"d\", action, resource", [false, false]),
        // An action that is not there is for Cedar to tell of.
        ("principal in Folder::\"f\", action == Action::\"fly\", resource", [false, false]),
    ] {
        assert_eq!(refused(SCHEMA, &format!("forbid({head});")), expected, "{head}");
    }
}

#[test]
fn conditions() {
    for (condition, expected) in [
        ("principal in Group::\"g\"", [false, false]),
        ("principal in Document::\"d\"", [true, true]),
        ("true || !(principal in Document::\"d\")", [true, true]),
        ("principal in [Document::\"d\", User::\"u\"]", [false, false]),
        ("principal in [Document::\"d\", Folder::\"f\"]", [true, false]),
        ("principal in [Document::\"d\", Team::\"t\"]", [false, false]),
        ("principal in []", [false, false]),
        ("User::\"u\" in Folder::\"f\"", [true, true]),
        ("User::\"u\" in User::\"u\"", [false, false]),
        ("Document::\"d\" in Folder::\"f\"", [false, false]),
        ("Team::\"t\" in Group::\"g\"", [true, false]),
        ("Team::\"t\" in Team::\"t\"", [false, false]),
        // What paths lead to the schema says, where it holds.
        ("resource.owner in Group::\"g\"", [false, false]),
        ("resource.owner in Document::\"d\"", [true, false]),
        ("resource.owner in resource", [true, false]),
        ("resource in resource.team", [true, false]),
        ("principal in resource.team", [false, false]),
        ("principal in resource.owner", [false, false]),
        ("principal in [resource.team, resource]", [false, false]),
        ("principal has manager && principal.manager in Document::\"d\"", [true, false]),
        ("context has reviewer && context.reviewer in Folder::\"f\"", [true, false]),
        ("resource.hasTag(\"a\") && resource.getTag(\"a\") in Folder::\"f\"", [true, false]),
        ("(if context has mfa then principal else resource.owner) in Folder::\"f\"", [true, false]),
        ("(if context has mfa then principal else resource.owner) in Group::\"g\"", [false, false]),
        ("(if true then User::\"u\" else User::\"v\") in Document::\"d\"", [true, true]),
        ("principal in (if context has mfa then Document::\"d\" else Document::\"e\")", [true, true]),
        // Relations are asked, not walked.
        ("principal in resource.rel.viewer", [false, false]),
        ("principal in [resource.rel.viewer, resource.rel.editor]", [false, false]),
    ] {
        let policy = format!("forbid(principal, action, resource) when {{ {condition} }};");
        assert_eq!(refused(SCHEMA, &policy), expected, "{condition}");
        let policy = format!("permit(principal, action, resource) unless {{ {condition} }};");
        assert_eq!(refused(SCHEMA, &policy), expected, "{condition}");
    }
}

/// A schema says who may be in what; between linked types that counts for nothing without a link.
#[test]
fn parents_of_the_schema() {
    const DECLARED: &str = r#"
@rebac("folder") entity Folder;
@rebac("document") entity Document in [Folder];
@rebac("employee") entity User in [Team];
@rebac("group") entity Group;
@rebac("role") entity Role;
entity Team in [Group];
action read appliesTo { principal: User, resource: Document };
"#;
    for (head, expected) in [
        ("principal, action, resource in Folder::\"f\"", [true, true]),
        ("principal, action, resource is Document in Folder::\"f\"", [true, true]),
        ("principal in Group::\"g\", action, resource", [false, false]),
        ("principal in Role::\"g\", action, resource", [true, true]),
    ] {
        assert_eq!(refused(DECLARED, &format!("forbid({head});")), expected, "{head}");
    }
}

#[test]
fn the_line_and_what_to_write_are_told() {
    let policies = "permit(principal, action, resource);\n\nforbid(\n  principal in Document::\"d\", action, resource)\nwhen { true };\n@id(\"c\") forbid(principal, action, resource)\nwhen { 1 < 2 &&\n  principal in Document::\"d\" };";
    let found = store(Validation::Strict).compile(policies).unwrap_err();
    let at = |problem: &Problem| (problem.line, problem.column, problem.length, problem.file.clone());
    let file = Some("p.cedar".to_owned());
    assert_eq!(
        found.iter().map(at).collect::<Vec<_>>(),
        [(Some(4), Some(16), Some(13), file.clone()), (Some(8), Some(3), Some(26), file)]
    );
    assert_eq!(found[0].message, "no link lets `Bot` or `User` be in `Document`, so this `in` never holds");
    assert!(found[0].hint.as_ref().unwrap().contains("@members"), "{found:?}");
    let found = store(Validation::Strict).compile("forbid(principal in Folder::\"f\", action, resource);").unwrap_err();
    assert_eq!(found[0].hint.as_deref(), Some("by its links only `Document` and `Folder` can be in `Folder`"));
}

#[test]
fn slots() {
    let template = "@id(\"t\") permit(principal in ?principal, action, resource in ?resource);";
    for (principal, resource, expected) in [
        ("Group:g", "Folder:f", [false, false]),
        ("User:u", "Document:d", [false, false]),
        ("Document:d", "Folder:f", [true, true]),
        ("Folder:f", "Folder:f", [true, false]),
        ("Group:g", "User:u", [true, true]),
        ("Team:t", "Document:d", [false, false]),
    ] {
        let link: LinkInput =
            serde_json::from_value(json!({"template": "t", "principal": principal, "resource": resource})).unwrap();
        let refused = [Validation::Strict, Validation::Off].map(|validation| {
            let release = store(validation).compile(template).unwrap();
            let refused = check_link(&release, "l", &link, validation == Validation::Strict);
            refused.is_err_and(|problem| problem.code == CODE && problem.hint.is_some())
        });
        assert_eq!(refused, expected, "{principal} {resource}");
    }
}

/// A release that was made is not refused later.
#[test]
fn what_was_made_loads() {
    use crate::relation::{ModelSource, ModelSyntax, RelationModel};
    use crate::{Check, CompileOptions, Release, SchemaSource, SchemaSyntax, Sources, split_policies};
    let source = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: MODEL.to_owned() };
    let model = Some(std::sync::Arc::new(RelationModel::read("m", source).unwrap().0));
    let schema = Some(SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: SCHEMA.to_owned() });
    let policies = split_policies(None, "forbid(principal in Document::\"d\", action, resource);");
    let made = |validation| {
        let options = CompileOptions { validation, ..CompileOptions::default() };
        let sources = Sources { schema: schema.clone(), model: model.clone(), policies: &policies };
        Release::compile("r", sources, &options, None).is_ok()
    };
    assert_eq!([Check::Strict, Check::Off, Check::Done].map(made), [false, false, true]);
}
