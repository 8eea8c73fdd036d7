//! Releases: what is shared, what is refused and where, and that many parsed together are each parsed alone.

use std::sync::Arc;

use super::world::{self, Dice};
use crate::parse::parse_all;
use crate::{
    Check, CompileOptions, PolicySource, Problem, Release, SchemaSource, SchemaSyntax, Sources, TextLimits,
    split_policies,
};

const SCHEMA: &str =
    "entity User; entity Doc = { owner: User }; action \"read\" appliesTo { principal: [User], resource: [Doc] };";

fn schema(text: &str) -> SchemaSource {
    SchemaSource { syntax: SchemaSyntax::Cedar, file: Some("s.cedarschema".to_owned()), text: text.to_owned() }
}

fn compile(text: &str, base: Option<&Release>) -> Result<Release, Vec<Problem>> {
    let sources = split_policies(Some("f.cedar"), text);
    Release::compile(
        "r",
        Sources { schema: Some(schema(SCHEMA)), policies: &sources, ..Sources::default() },
        &CompileOptions::default(),
        base,
    )
    .map(|compiled| compiled.release)
}

/// (code, line, column) of every problem.
fn places(found: Result<Release, Vec<Problem>>) -> Vec<(String, u32, u32)> {
    let place = |p: Problem| (p.code.into_owned(), p.line.unwrap_or(0), p.column.unwrap_or(0));
    found.err().unwrap_or_default().into_iter().map(place).collect()
}

fn at(code: &str, line: u32, column: u32) -> Vec<(String, u32, u32)> {
    vec![(code.to_owned(), line, column)]
}

#[test]
fn problems_stand_where_the_author_wrote_them() {
    let good = "permit(principal, action, resource);\n";
    let other = "forbid(principal, action, resource);\n";
    assert_eq!(places(compile(&format!("{good}// c\npermit(principal, action);\n"), None)), at("policy_syntax", 3, 25));
    assert_eq!(
        places(compile(
            &format!("{good}{other}\n  permit(principal, action, resource)\n  when {{ resource.ownr == principal }};"),
            None
        )),
        at("policy_invalid", 5, 10)
    );
    assert_eq!(places(compile(&format!("{good}{other}@id(\"a b\") {good}"), None)), at("invalid_policy_id", 3, 1));
    assert_eq!(places(compile(&format!("@id(\"a\") {good}@id(\"a\") {good}"), None)), at("duplicate_policy_id", 2, 1));
    let unknown = places(compile(&format!("{good}permit(principal == Usr::\"a\", action, resource);"), None));
    assert_eq!(unknown, at("policy_invalid", 2, 21));
}

#[test]
fn schemas_are_refused_with_their_place() {
    let broken = |text: &str| {
        Release::compile(
            "r",
            Sources { schema: Some(schema(text)), policies: &[], ..Sources::default() },
            &CompileOptions::default(),
            None,
        )
        .map(|c| c.release)
    };
    assert_eq!(places(broken("entity User;\nentity Doc in [Folder];")), at("schema_invalid", 2, 16));
    assert_eq!(places(broken("entity User\nentity Doc;"))[0].0, "schema_invalid");
    // A cycle of common types.
    assert_eq!(places(broken("type A = { b: B }; type B = { a: A };"))[0].0, "schema_invalid");
    assert_eq!(places(broken("action a in [b]; action b in [a];"))[0].0, "schema_invalid");
}

#[test]
fn schemas_that_explode_are_refused() {
    let code = |text: &str| {
        let found = Release::compile(
            "r",
            Sources { schema: Some(schema(text)), policies: &[], ..Sources::default() },
            &CompileOptions::default(),
            None,
        );
        found.err().and_then(|problems| problems.into_iter().next()).map(|p| p.code.into_owned())
    };
    let doubling = (1..40).fold(String::new(), |all, n| format!("{all}type T{n} = {{ a: T{0}, b: T{0} }};\n", n - 1));
    assert_eq!(
        code(&format!("type T0 = Long;\n{doubling}entity U {{ a: T39 }};")).as_deref(),
        Some("schema_too_large")
    );
    let chain = (1..2_000).fold(String::new(), |all, n| format!("{all}type T{n} = Set<T{}>;\n", n - 1));
    assert_eq!(code(&format!("type T0 = Long;\n{chain}entity U {{ a: T1999 }};")).as_deref(), Some("schema_too_large"));
    let sets = |n: usize| format!("entity U {{ a: {}Long{} }};", "Set<".repeat(n), ">".repeat(n));
    assert_eq!(code(&sets(200)).as_deref(), Some("nesting_too_deep"));
    assert_eq!(code(&sets(50)), None);
    let many = (0..2_000).fold(String::new(), |all, n| format!("{all}entity E{n} {{ a: T0, b: T0 }};\n"));
    assert_eq!(code(&format!("type T0 = {{ x: Long, y: Set<String> }};\n{many}")), None);
}

#[test]
fn hostile_policies_are_refused() {
    let policy = |condition: &str| format!("permit(principal, action, resource) when {{ {condition} }};");
    let code =
        |condition: &str| places(compile(&policy(condition), None)).first().map(|p| p.0.clone()).unwrap_or_default();
    assert_eq!(code(&"(".repeat(100)), "nesting_too_deep");
    assert_eq!(code(&format!("{}true", "!".repeat(100))), "nesting_too_deep");
    assert_eq!(code(&format!("resource{}", ".owner".repeat(300))), "expression_too_deep");
    assert_eq!(code(&format!("1{} > 0", "+1".repeat(5_000))), "expression_too_deep");
    assert_eq!(code(&format!("[{}1].contains(1)", "1,".repeat(60_000))), "policy_too_large");
    let doubling = (0..18).fold("principal".to_owned(), |e, _| format!("(if true then {e} else resource.owner)"));
    assert_eq!(places(compile(&policy(&format!("{doubling} == principal")), None)), []);
    // A long chain is no deep one.
    let chain = vec!["principal == User::\"a\""; 2_000].join(" || ");
    assert_eq!(places(compile(&policy(&chain), None)), []);
}

#[test]
fn unchanged_policies_are_shared() {
    let first = compile(
        "@id(\"a\") permit(principal, action, resource);\n@id(\"b\") forbid(principal, action, resource);",
        None,
    )
    .unwrap();
    let second = compile("@id(\"a\") permit(principal, action, resource);\n@id(\"b\") permit(principal, action, resource);\n@id(\"c\") permit(principal, action, resource);", Some(&first)).unwrap();
    assert!(Arc::ptr_eq(first.policy("a").unwrap(), second.policy("a").unwrap()));
    assert!(!Arc::ptr_eq(first.policy("b").unwrap(), second.policy("b").unwrap()));
    let diff = first.diff(&second);
    assert_eq!((diff.added, diff.removed, diff.changed), (vec!["c".into()], vec![], vec!["b".into()]));
    let edited = second
        .with_changes(
            "e",
            &[PolicySource::single(Some("d".to_owned()), "permit(principal, action, resource);")],
            &["a".into()],
            &CompileOptions::default(),
        )
        .unwrap()
        .release;
    assert_eq!(edited.policies().map(|p| p.id().to_owned()).collect::<Vec<_>>(), ["b", "c", "d"]);
    assert!(Arc::ptr_eq(edited.policy("b").unwrap(), second.policy("b").unwrap()));
}

#[test]
fn a_policy_that_was_not_validated_is_lent_to_no_strict_release() {
    let text = "permit(principal, action, resource) when { resource.nothing };";
    let off = CompileOptions { validation: Check::Off, ..CompileOptions::default() };
    let loose = Release::compile(
        "r",
        Sources { schema: Some(schema(SCHEMA)), policies: &split_policies(None, text), ..Sources::default() },
        &off,
        None,
    )
    .unwrap()
    .release;
    let strict = Release::compile(
        "r",
        Sources { schema: Some(schema(SCHEMA)), policies: &split_policies(None, text), ..Sources::default() },
        &CompileOptions::default(),
        Some(&loose),
    );
    assert_eq!(strict.unwrap_err()[0].code, "policy_invalid");
}

#[test]
fn parsed_together_equals_parsed_alone() {
    let limits = TextLimits::default();
    let (mut good, mut bad) = (0, 0);
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut sources: Vec<PolicySource> = (0..2 + dice.below(20))
            .map(|n| {
                let template = dice.chance(20);
                let mut text = world::policy(&mut dice, template);
                match dice.below(60) {
                    // Two in one text, none, an open comment, an end that is missing.
                    0 => text.push_str(&world::policy(&mut Dice(n as u64), false)),
                    1 => text = "// nothing".to_owned(),
                    2 => text.push_str(" // open"),
                    3 => text.truncate(text.len() - 1),
                    _ => {}
                }
                PolicySource::single(Some(format!("p{n}")), text)
            })
            .collect();
        if dice.chance(30) {
            sources[0].text.insert_str(0, "// head\n\n");
        }
        let all: Vec<&PolicySource> = sources.iter().collect();
        let together = parse_all(&all, &limits);
        for (source, together) in all.iter().zip(together) {
            match (parse_all(&[*source], &limits).pop().unwrap(), together) {
                (Ok(alone), Ok(together)) => {
                    good += 1;
                    assert_eq!(alone.template.condition(), together.template.condition(), "{}", source.text);
                    assert_eq!(alone.template.effect(), together.template.effect());
                    let place = |parsed: &crate::parse::Parsed| parsed.template.loc().unwrap().start() - parsed.base;
                    assert_eq!(place(&alone), place(&together), "{}", source.text);
                }
                (Err(alone), Err(together)) => {
                    bad += 1;
                    assert_eq!(alone, together);
                }
                (alone, together) => panic!("{:?} and {:?} of {}", alone.err(), together.err(), source.text),
            }
        }
    }
    assert!(good > 1_000 && bad > 50, "{good} good, {bad} bad");
}

/// Thousands of roles with one condition have one body, however they came; it goes with the last of them.
#[test]
fn policies_that_differ_in_their_heads_share_a_body() {
    let text = |role: usize, level: usize| {
        format!("permit (principal in Role::\"{role}\", action, resource) when {{ principal.level > {level} }};")
    };
    let source = |role: usize, level: usize| PolicySource::single(Some(format!("p{role}")), text(role, level));
    let options = CompileOptions::default();
    let sources: Vec<PolicySource> = (0..10).map(|role| source(role, role % 2)).collect();
    let first = Release::compile("a", Sources { policies: &sources, ..Sources::default() }, &options, None).unwrap();
    let second = first.release.with_changes("b", &[source(10, 1), source(0, 1)], &[], &options).unwrap().release;
    let body = |release: &Release, role: usize| Arc::as_ptr(&release.policy(&format!("p{role}")).unwrap().body);
    for role in 0..10 {
        assert_eq!(body(&first.release, role), body(&first.release, role % 2));
        assert_eq!(body(&second, role), body(&first.release, if role == 0 { 1 } else { role % 2 }));
    }
    assert_eq!(body(&second, 10), body(&second, 1));
    assert_ne!(body(&second, 1), body(&second, 2));
    let policy = |n: usize| first.release.policy(&format!("p{n}")).unwrap();
    let weak = Arc::downgrade(&policy(0).body);
    let evens: Vec<_> = (0..5).map(|n| policy(n * 2).id.clone()).collect();
    let odd = first.release.with_changes("c", &[], &evens, &options).unwrap().release;
    drop(first);
    drop(second);
    assert!(weak.upgrade().is_none(), "nobody has it any more");
    assert_eq!(odd.policy_count(), 5);
}
