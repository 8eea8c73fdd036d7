//! Findings of small releases, by code and place.

use std::sync::Arc;

use crate::lint::{Level, Lint, LintLevels, Linted, lint};
use crate::relation::{ModelSource, ModelSyntax, RelationModel};
use crate::{Check, CompileOptions, Problem, Release, SchemaSource, SchemaSyntax, Sources, split_policies};

const SCHEMA: &str = "entity Team; entity User in [Team] = { level: Long, name: String, boss?: User }; \
    entity Doc = { owner: User, public: Bool, tags: Set<String> }; action any; \
    action read, write in [any] appliesTo { principal: [User], resource: [Doc], context: { mfa?: Bool } };";

/// Uses all of the schema, and has no finding.
const USES: &str = "@id(\"u1\") permit (principal in Team::\"t\", action in Action::\"any\", resource) when { context has mfa && context.mfa && \
    resource.owner == principal && resource.tags.contains(principal.name) };\n\
    @id(\"u2\") forbid (principal, action, resource) when { principal has boss && principal.boss.level > 3 && resource.public };\n";

fn release(schema: Option<&str>, model: Option<&str>, policies: &str, check: Check) -> Release {
    let schema = schema.map(|text| SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: text.to_owned() });
    let model = model.map(|text| {
        let source = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: text.to_owned() };
        Arc::new(RelationModel::read("m", source).unwrap().0)
    });
    let sources = split_policies(None, policies);
    let options = CompileOptions { validation: check, ..CompileOptions::default() };
    Release::compile("r", Sources { schema, model, policies: &sources }, &options, None).unwrap().release
}

/// `code line:column` of every finding.
fn told(problems: &[Problem]) -> Vec<String> {
    let place = |p: &Problem| format!("{} {}:{}", p.code, p.line.unwrap_or(0), p.column.unwrap_or(0));
    problems.iter().map(place).collect()
}

fn found(release: &Release) -> Vec<String> {
    told(&lint(release, Linted::Whole, &LintLevels::default()))
}

/// Checks what is found in one condition of a valid policy, by the text that is marked.
#[track_caller]
fn condition(text: &str, wanted: &[(&str, &str)]) {
    let head = "@id(\"p\") permit (principal is User, action == Action::\"read\", resource) when { ";
    let release = release(None, None, &format!("{head}{text} }};"), Check::Off);
    let problems = lint(&release, Linted::Whole, &LintLevels::default());
    let cut = |p: &Problem| {
        let at = p.column.unwrap() as usize - 1 - head.chars().count();
        text.chars().skip(at).take(p.length.unwrap() as usize).collect::<String>()
    };
    let got: Vec<(String, String)> = problems.iter().map(|p| (p.code.to_string(), cut(p))).collect();
    let wanted: Vec<(String, String)> =
        wanted.iter().map(|(code, part)| ((*code).to_owned(), (*part).to_owned())).collect();
    assert_eq!(got, wanted, "{text}");
}

#[test]
fn parts_that_are_decided_are_found() {
    const TRUE: &str = "always_true";
    const FALSE: &str = "always_false";
    const ERROR: &str = "always_error";
    for (text, wanted) in [
        ("true", vec![(TRUE, "true")]),
        ("1 == 2", vec![(FALSE, "1 == 2")]),
        ("resource.public && false", vec![(FALSE, "false")]),
        ("resource.public || true", vec![(TRUE, "true")]),
        ("principal == principal", vec![(TRUE, "principal == principal")]),
        ("resource.owner == resource.owner", vec![(TRUE, "resource.owner == resource.owner")]),
        ("\"a\" like \"b*\"", vec![(FALSE, "\"a\" like \"b*\"")]),
        ("!!(1 < 2)", vec![(TRUE, "!!(1 < 2)")]),
        ("principal in []", vec![(FALSE, "principal in []")]),
        ("principal is User", vec![(TRUE, "principal is User")]),
        ("principal is Doc", vec![(FALSE, "principal is Doc")]),
        ("principal == Doc::\"x\"", vec![(FALSE, "principal == Doc::\"x\"")]),
        ("action == Action::\"read\"", vec![(TRUE, "action == Action::\"read\"")]),
        ("action == Action::\"write\"", vec![(FALSE, "action == Action::\"write\"")]),
        ("1 + true == 2", vec![(ERROR, "1 + true == 2")]),
        ("resource.n > 1 && 9223372036854775807 + 1 > 0", vec![(ERROR, "9223372036854775807 + 1 > 0")]),
        (
            "ip(\"10.0.0.1\").isInRange(ip(\"10.0.0.0/8\"))",
            vec![(TRUE, "ip(\"10.0.0.1\").isInRange(ip(\"10.0.0.0/8\"))")],
        ),
        ("ip(\"10.0.0\").isLoopback()", vec![(ERROR, "ip(\"10.0.0\").isLoopback()")]),
        ("resource.n < resource.n", vec![(FALSE, "resource.n < resource.n")]),
        ("(if true then resource.public else false) == true", vec![]),
        ("if 1 == 1 then resource.a else resource.b", vec![(TRUE, "1 == 1")]),
        ("if resource.a then true else false", vec![]),
        ("resource.a && !(resource.a)", vec![(FALSE, "resource.a && !(resource.a)")]),
        ("resource.a || !resource.a", vec![(TRUE, "resource.a || !resource.a")]),
        ("resource.k == 1 && resource.k == 2", vec![(FALSE, "resource.k == 1 && resource.k == 2")]),
        ("resource.k == 1 || resource.k == 2", vec![]),
        ("resource.a && resource.b && resource.a", vec![("duplicate_condition", "resource.a")]),
        ("context has mfa && context.mfa && context has mfa", vec![]),
        // What is stored is not known: an entity may have any attribute and be in any other.
        ("User::\"a\" has boss", vec![]),
        ("User::\"a\" in Team::\"t\"", vec![]),
        ("User::\"a\".level == 1", vec![]),
        ("User::\"a\" == User::\"b\"", vec![(FALSE, "User::\"a\" == User::\"b\"")]),
        ("principal in Team::\"t\"", vec![]),
        ("[1, 2].contains(3)", vec![(FALSE, "[1, 2].contains(3)")]),
        ("{a: 1}.a == 1", vec![(TRUE, "{a: 1}.a == 1")]),
    ] {
        condition(text, &wanted);
    }
}

#[test]
fn clauses_are_shown_by_what_they_ask() {
    let of = |text: &str| {
        let release =
            release(None, None, &format!("@id(\"p\") forbid (principal, action, resource)\n{text};"), Check::Off);
        let problems = lint(&release, Linted::Whole, &LintLevels::default());
        problems.iter().map(|p| p.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("unless { 1 == 2 }"), ["`1 == 2` is never true, so it excludes nothing"]);
    assert_eq!(of("unless { true }"), ["`true` is always true, so this policy never matches"]);
    assert_eq!(of("when { resource.a } when { false }"), ["`false` is always false, so this policy never matches"]);
    assert_eq!(
        of("when { resource.a }\nunless { resource.a }"),
        ["the condition as a whole is always false, so this policy never matches"]
    );
}

#[test]
fn policies_that_another_one_covers_are_found() {
    let lints = |policies: &str, schema: Option<&str>| {
        let told = found(&release(schema, None, policies, Check::Off));
        told.into_iter().filter(|told| told.starts_with("shadowed")).collect::<Vec<_>>()
    };
    let wide = "@id(\"a\") permit (principal is User, action in Action::\"any\", resource) when { resource.public };\n";
    for (narrow, finding) in [
        ("permit (principal is User, action in Action::\"any\", resource) when { resource.public };", true),
        ("permit (principal == User::\"x\", action in Action::\"any\", resource) when { resource.public };", true),
        (
            "permit (principal is User in Team::\"x\", action in Action::\"any\", resource is Doc) when { resource.public };",
            true,
        ),
        (
            "permit (principal is User, action == Action::\"read\", resource) when { principal.level > 1 } when { resource.public };",
            true,
        ),
        (
            "permit (principal is User, action in [Action::\"read\", Action::\"write\"], resource) when { resource.public };",
            true,
        ),
        (
            "@advice(\"own\") permit (principal is User, action in Action::\"any\", resource) when { resource.public };",
            false,
        ),
        (
            "@allow(\"shadowed_permit\") permit (principal is User, action in Action::\"any\", resource) when { resource.public };",
            false,
        ),
        ("permit (principal == Bot::\"x\", action in Action::\"any\", resource) when { resource.public };", false),
        (
            "permit (principal, action in Action::\"any\", resource) when { resource.public } when { principal.a };",
            false,
        ),
        ("permit (principal is User, action, resource) when { resource.public };", false),
        ("permit (principal is User, action in Action::\"any\", resource);", false),
        ("forbid (principal is User, action in Action::\"any\", resource) when { resource.public };", false),
        ("permit (principal == ?principal, action in Action::\"any\", resource) when { resource.public };", false),
    ] {
        let got = lints(&format!("{wide}@id(\"b\") {narrow}"), Some(SCHEMA));
        // The wider one may be the second.
        let wider_second = narrow.starts_with("@advice")
            || narrow.ends_with("action, resource) when { resource.public };")
            || narrow.ends_with("resource);");
        let wanted: &[&str] = if finding {
            &["shadowed_permit 2:1"]
        } else if wider_second {
            &["shadowed_permit 1:1"]
        } else {
            &[]
        };
        assert_eq!(got, wanted, "{narrow}");
    }
    // A forbid that fails counts as one that matches.
    let forbids = |a: &str, b: &str| {
        lints(
            &format!(
                "@id(\"a\") forbid (principal, action, resource) {a};\n@id(\"b\") forbid (principal, action, resource) {b};"
            ),
            None,
        )
    };
    assert_eq!(forbids("when { resource.a }", "when { resource.a && resource.b }"), ["shadowed_forbid 2:1"]);
    assert_eq!(forbids("when { resource.b }", "when { resource.a && resource.b }"), [""; 0]);
    // Without a schema nothing tells what is in a group.
    assert_eq!(
        lints(
            &format!(
                "{wide}@id(\"b\") permit (principal is User, action == Action::\"read\", resource) when {{ resource.public }};"
            ),
            None
        ),
        [""; 0]
    );
}

#[test]
fn what_nobody_uses_is_found() {
    let with = |schema: &str, policies: &str| found(&release(Some(schema), None, policies, Check::Strict));
    assert_eq!(with(SCHEMA, USES), [""; 0]);
    assert_eq!(with(SCHEMA, ""), [""; 0]);
    let more =
        "entity Folder;\ntype T = Long;\naction gone;\naction other appliesTo { principal: User, resource: Doc };\n";
    let nothing = ["unused_schema 1:8", "unused_schema 2:6", "unused_schema 3:8", "unpermitted_action 4:8"];
    assert_eq!(with(&format!("{more}{SCHEMA}"), USES), nothing);
    let allowed = more
        .replace("entity ", "@allow(\"unused_schema\") entity ")
        .replace("type ", "@allow(\"unused_schema\") type ");
    let allowed = allowed.replace("action gone", "@allow(\"unused_schema\") action gone");
    let allowed = allowed.replace("action other", "@allow(\"unpermitted_action\") action other");
    assert_eq!(with(&format!("{allowed}{SCHEMA}"), USES), [""; 0]);
    // Attributes and keys, where they are declared.
    let schema = "entity User = {\n  level: Long,\n  age?: Long,\n};\nentity Doc;\ntype C = { mfa?: Bool,\n  ip?: ipaddr };\n\
        action read appliesTo { principal: User, resource: Doc, context: C };\n";
    let policy = "@id(\"p\") permit (principal, action, resource) when { principal.level > 1 };";
    assert_eq!(with(schema, policy), ["unused_schema 3:3", "unused_schema 6:12", "unused_schema 7:3"]);
    let whole = "@id(\"p\") permit (principal, action, resource) when { principal has age && context == {} };";
    assert_eq!(found(&release(Some(schema), None, whole, Check::Off)), ["unused_schema 2:3"]);
}

#[test]
fn relations_that_nobody_asks_for_are_found() {
    let schema = "@rebac(\"user\") entity User;\n@rebac(\"group\") entity Group;\n@rebac(\"doc\") entity Doc;\n\
        action read appliesTo { principal: User, resource: Doc };";
    let model = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user]\n    define fan: [user]\n\
        type doc\n  relations\n    define reader: [user, group#member] or writer\n    define writer: [user]\n    define old: [user]\n";
    let policy = "@id(\"p\") permit (principal, action, resource) when { principal in resource.rel.reader };";
    let release = release(Some(schema), Some(model), policy, Check::Strict);
    assert_eq!(found(&release), ["unused_relation 7:12", "unused_relation 12:12"]);
}

#[test]
fn what_no_request_can_match_is_found() {
    let policy = "@id(\"p\") permit (principal, action == Action::\"read\", resource) when { resource.owner is Doc };";
    assert_eq!(found(&release(Some(SCHEMA), None, &format!("{USES}{policy}"), Check::Strict)), ["always_false 3:1"]);
    let none = "@id(\"p\") permit (principal, action in [], resource);";
    assert_eq!(found(&release(None, None, none, Check::Off)), ["always_false 1:1"]);
}

#[test]
fn levels_and_annotations_decide_what_is_told() {
    let text = "permit (principal, action, resource) when { true };";
    let release = release(None, None, text, Check::Off);
    assert_eq!(found(&release), ["missing_id 1:1", "permit_all 1:1", "always_true 1:45"]);
    let mut levels = LintLevels::default();
    levels.set(Lint::MissingId, Level::Off);
    levels.set(Lint::PermitAll, Level::Deny);
    let problems = lint(&release, Linted::Whole, &levels);
    let told: Vec<(String, bool)> = problems.iter().map(|p| (p.code.to_string(), p.is_error())).collect();
    assert_eq!(told, [("permit_all".to_owned(), true), ("always_true".to_owned(), false)]);
    let of = |annotation: &str| {
        found(&super::table::release(None, None, &format!("@id(\"p\") {annotation} {text}"), Check::Off))
    };
    assert_eq!(of("@allow(\"always_true, permit_all\")"), [""; 0]);
    assert_eq!(of("@allow(\"always_true permit_al\")"), ["permit_all 1:1", "unknown_lint 1:1"]);
    assert_eq!(Lint::parse("always_treu").unwrap_err().hint(), "did you mean `always_true`?");
}

#[test]
fn characters_that_deceive_are_found() {
    let of = |text: &str| found(&release(None, None, text, Check::Off));
    assert_eq!(of("@id(\"p\") permit (principal == User::\"аlice\", action, resource);"), ["confusable 1:1"]);
    assert_eq!(
        of("@id(\"p\") permit (principal, action, resource) when { resource.a == \"\u{202e}x\" };"),
        ["confusable 1:68"]
    );
    assert_eq!(of("@id(\"p\") permit (principal, action, resource) when { resource.a == \"höhe\" };"), [""; 0]);
}

#[test]
fn many_findings_are_counted() {
    let texts: Vec<String> =
        (0..250).map(|n| format!("permit (principal == User::\"u{n}\", action, resource);\n")).collect();
    let text = texts.concat();
    let problems = lint(&release(None, None, &text, Check::Off), Linted::Whole, &LintLevels::default());
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100].message, "150 more findings of this lint are not shown");
}
