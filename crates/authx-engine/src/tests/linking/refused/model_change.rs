//! A change of the model that breaks what stood: both places are told.

use std::sync::Arc;

use crate::relation::{ModelSource, ModelSyntax, RelationModel, model_to_json};
use crate::{CompileOptions, Problem, Release, SchemaSource, SchemaSyntax, Sources, split_policies};

/// Every line of these matters: the tests tell them by their numbers.
const SCHEMA: &str = r#"
@rebac("role") @members("assignee") entity Role;
@rebac("group") @members("member") entity Group;
@rebac("folder") @parents("parent") entity Folder;
@rebac("employee") entity User = { manager?: User, level: Long };
entity Team;
@rebac("document") @parents("parent") entity Document = { owner: User, team: Group, public: Bool } tags User;
action read, write appliesTo { principal: User, resource: Document, context: { mfa?: Bool, reviewer?: User } };
"#;

const MODEL: &str = "model
  schema 1.1
type employee
type role
  relations
    define assignee: [employee, role#assignee, group#member]
type group
  relations
    define member: [employee, employee:*, group#member]
type folder
  relations
    define parent: [folder]
    define viewer: [employee, group#member] or viewer from parent
type document
  relations
    define parent: [folder]
    define editor: [employee, role#assignee]
    define blocked: [employee, employee:*]
    define viewer: [employee, employee:*, group#member, employee with in_office] or editor or viewer from parent
    define reader: viewer but not blocked
condition in_office(ip: ipaddress) {
  ip.in_cidr(\"10.0.0.0/8\")
}
";

const POLICIES: &str = "permit(principal, action, resource);
@id(\"readers\") permit(principal, action, resource)
when { principal in resource.rel.reader };
@id(\"core\") forbid(principal in Group::\"core\", action, resource);
@id(\"viewers\") permit(principal, action, resource) when { principal in resource.rel.viewer };
";

fn release(schema: &str, model: ModelSource, base: Option<&Release>) -> Result<Release, Vec<Problem>> {
    let model = Some(Arc::new(RelationModel::read("m", model)?.0));
    let source = |text: &str| SchemaSource {
        syntax: SchemaSyntax::Cedar,
        file: Some("s.cedarschema".to_owned()),
        text: text.to_owned(),
    };
    let policies = split_policies(Some("p.cedar"), POLICIES);
    let sources = Sources { schema: Some(source(schema)), model, policies: &policies };
    Ok(Release::compile("r", sources, &CompileOptions::default(), base)?.release)
}

fn dsl(text: &str) -> ModelSource {
    ModelSource { syntax: ModelSyntax::Dsl, file: Some("m.fga".to_owned()), text: text.to_owned() }
}

fn json(text: &str) -> ModelSource {
    let model = RelationModel::read("m", dsl(text)).unwrap().0;
    ModelSource { syntax: ModelSyntax::Json, file: None, text: model_to_json(model.model()).to_string() }
}

/// Where a line of the model begins with this, from 1.
fn line(model: &str, start: &str) -> u32 {
    let at = model.lines().position(|line| line.trim_start().starts_with(start)).unwrap();
    u32::try_from(at + 1).unwrap()
}

/// Also resources that are folders, whose relations then count.
fn with_folders() -> String {
    SCHEMA.replace("resource: Document", "resource: [Document, Folder]")
}

/// A change of the model; what it breaks: the code, where that stands, and what the model's place says.
struct Change {
    from: &'static str,
    to: &'static str,
    code: &'static str,
    file: &'static str,
    line: u32,
    /// The line of the new model, by how it begins.
    place: Option<&'static str>,
    says: String,
}

fn changes() -> Vec<Change> {
    let old = |start: &str| format!("the active one has it at line {}", line(MODEL, start));
    vec![
        Change {
            from: "    define reader: viewer but not blocked\n",
            to: "",
            code: "unknown_relation",
            file: "p.cedar",
            line: 3,
            place: Some("type document"),
            says: format!("the new model has no `document#reader`; {}", old("define reader")),
        },
        Change {
            from: "    define member: [employee, employee:*, group#member]\n",
            to: "    define member: [document]\n",
            code: "unsatisfiable_in",
            file: "p.cedar",
            line: 4,
            place: Some("define member"),
            says: format!("the new model has another `group#member`; {}", old("define member")),
        },
        Change {
            from: "    define member: [employee, employee:*, group#member]\n",
            to: "    define guest: [employee]\n    define member: [employee] but not guest\n",
            code: "invalid_link",
            file: "s.cedarschema",
            line: 3,
            place: Some("define member"),
            says: "`group#member` of the model".to_owned(),
        },
        Change {
            from: "    define assignee: [employee, role#assignee, group#member]\n",
            to: "    define holder: [employee]\n",
            code: "invalid_link",
            file: "s.cedarschema",
            line: 2,
            place: Some("type role"),
            says: "type `role` of the model".to_owned(),
        },
        Change {
            from: "type employee\n",
            to: "type person\n",
            code: "invalid_link",
            file: "s.cedarschema",
            line: 5,
            place: None,
            says: format!("the new model has no type `employee`; {}", old("type employee")),
        },
    ]
}

#[test]
fn both_places_are_told() {
    for change in changes() {
        let base = release(SCHEMA, dsl(MODEL), None).unwrap();
        let mut new = MODEL.replace(change.from, change.to);
        assert_ne!(new, MODEL, "{}", change.from);
        if change.from.starts_with("type employee") {
            new = new.replace("employee", "person");
        }
        // Roles name what the group had.
        if change.to.contains("holder") {
            new = new.replace(", role#assignee", "");
        }
        for source in [dsl(&new), json(&new)] {
            let syntax = source.syntax;
            let found = release(SCHEMA, source, Some(&base)).err().unwrap();
            let problem =
                found.iter().find(|problem| problem.code == change.code).unwrap_or_else(|| panic!("{found:#?}"));
            let own = (problem.file.as_deref(), problem.line);
            assert_eq!(own, (Some(change.file), Some(change.line)), "{problem:#?}");
            assert_eq!(problem.related.len(), 1, "{problem:#?}");
            let related = &problem.related[0];
            assert_eq!(related.message, change.says);
            let place = change.place.map(|start| line(&new, start)).filter(|_| syntax == ModelSyntax::Dsl);
            assert_eq!(related.line, place, "{related:?}");
            assert_eq!(related.file.as_deref(), place.map(|_| "m.fga"), "{related:?}");
        }
        // Without a release before there is nothing that broke.
        let alone = release(SCHEMA, dsl(&new), None).err().unwrap();
        assert!(alone.iter().all(|problem| problem.code == "invalid_link" || problem.related.is_empty()), "{alone:#?}");
    }
}

/// Cedar's own errors come from the effective schema, which the model changed.
#[test]
fn what_one_of_several_types_lost_is_told() {
    let schema = with_folders();
    let old = MODEL.replace(
        "    define viewer: [employee, group#member] or viewer from parent\n",
        "    define viewer: [employee, group#member] or viewer from parent\n    define reader: [employee]\n",
    );
    let base = release(&schema, dsl(&old), None).unwrap();
    let found = release(&schema, dsl(MODEL), Some(&base)).err().unwrap();
    let problem = found.iter().find(|problem| problem.code == "policy_invalid").unwrap();
    assert_eq!((problem.policy.as_deref(), problem.line), (Some("readers"), Some(3)), "{problem:#?}");
    assert_eq!(problem.related.len(), 1, "{problem:#?}");
    assert_eq!(problem.related[0].line, Some(line(MODEL, "type folder")));
    assert!(problem.related[0].message.contains("the new model has no `folder#reader`"));
}
