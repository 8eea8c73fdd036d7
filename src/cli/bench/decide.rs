//! The decision alone, in process, beside Cedar's own authorizer.

use std::fmt::Write as _;
use std::hint::black_box;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use authx_engine::{
    AccessRequest, Change, Check, CompileOptions, Data, DataRules, EntityInput, EntityUid, Limits, PolicySource,
    Release, SchemaSource, SchemaSyntax, Settings, Snapshot, Sources, Validation, decide, parse_action, read_entity,
};
use cedar_policy::{Authorizer, Context, Entities, PolicySet};
use serde_json::json;

const SCHEMA: &str = r#"
entity Group;
entity User in [Group] = { level: Long };
entity Folder;
entity Document in [Folder] = { owner: User, public: Bool };
action "any";
action "read", "write" in ["any"] appliesTo { principal: [User], resource: [Document], context: { mfa: Bool } };
"#;

/// The policies that are the same at every size: five match the request.
const SAME: [&str; 10] = [
    "permit(principal, action == Action::\"read\", resource) when { resource.owner == principal };",
    "permit(principal in Group::\"staff\", action == Action::\"read\", resource in Folder::\"plans\");",
    "permit(principal is User, action in Action::\"any\", resource is Document) when { resource.public };",
    "forbid(principal, action, resource) when { principal.level < 1 };",
    "forbid(principal, action, resource is Document) unless { context.mfa };",
    "permit(principal == User::\"root\", action, resource);",
    "permit(principal, action, resource == Document::\"lobby\");",
    "permit(principal in Group::\"admins\", action in Action::\"any\", resource);",
    "permit(principal in Group::\"press\", action == Action::\"read\", resource);",
    "forbid(principal == User::\"mallory\", action, resource);",
];

/// Policies of all scopes of which none matches.
fn other(n: usize) -> String {
    match n % 5 {
        0 => {
            format!("permit(principal == User::\"u{n}\", action == Action::\"read\", resource == Document::\"d{n}\");")
        }
        1 => format!("permit(principal in Group::\"g{n}\", action in Action::\"any\", resource in Folder::\"f{n}\");"),
        2 => format!("permit(principal is User in Group::\"g{n}\", action in Action::\"any\", resource is Document);"),
        3 => format!(
            "forbid(principal in Group::\"g{n}\", action == Action::\"read\", resource) when {{ resource.public }};"
        ),
        _ => format!(
            "permit(principal is User, action in [Action::\"read\", Action::\"write\"], resource in Folder::\"f{n}\") when {{ context.mfa }};"
        ),
    }
}

/// One row for each size of the policy set.
pub(super) fn table(time: Duration, sizes: &[usize]) -> Result<String, String> {
    let mut text = String::from("policies   authx ns   ratio   cedar ns   cedar / authx   compile ms\n");
    let mut first = None;
    for &size in sizes {
        let policies: Vec<String> = SAME
            .iter()
            .map(ToString::to_string)
            .chain((SAME.len()..size).map(other))
            .take(size.max(SAME.len()))
            .collect();
        let begun = Instant::now();
        let snapshot = snapshot(&policies)?;
        let compiled = begun.elapsed();
        let ours = per_call(time, engine(&snapshot)?);
        let cedars = per_call(time, cedar(&policies)?);
        let base = *first.get_or_insert(ours);
        let _ = writeln!(
            text,
            "{size:>8} {ours:>10.0} {:>7.2} {cedars:>10.0} {:>15.1} {:>12}",
            ours / base,
            cedars / ours,
            compiled.as_millis()
        );
    }
    Ok(text)
}

/// Nanoseconds of one call: the median of several rounds.
fn per_call(time: Duration, mut call: impl FnMut()) -> f64 {
    let begun = Instant::now();
    call();
    let once = begun.elapsed().max(Duration::from_nanos(100));
    let rounds = 9_u32;
    let calls = (time.as_secs_f64() / f64::from(rounds) / once.as_secs_f64()).clamp(1.0, 1e7);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
    let calls = calls as u32;
    let mut samples: Vec<f64> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            (0..calls).for_each(|_| call());
            begun.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

fn entities() -> serde_json::Value {
    let owner = json!({"__entity": {"type": "User", "id": "ann"}});
    json!([
        {"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 3}, "parents": [{"type": "Group", "id": "staff"}, {"type": "Group", "id": "editors"}]},
        {"uid": {"type": "Document", "id": "plan"}, "attrs": {"owner": owner, "public": false}, "parents": [{"type": "Folder", "id": "plans"}]},
        {"uid": {"type": "Group", "id": "staff"}, "attrs": {}, "parents": []},
        {"uid": {"type": "Folder", "id": "plans"}, "attrs": {}, "parents": []},
    ])
}

fn snapshot(policies: &[String]) -> Result<Snapshot, String> {
    let schema = SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: SCHEMA.to_owned() };
    let sources: Vec<PolicySource> =
        policies.iter().enumerate().map(|(n, text)| PolicySource::single(Some(format!("p{n}")), text)).collect();
    let options = CompileOptions { validation: Check::Done, ..CompileOptions::default() };
    let compiled =
        Release::compile("bench", Sources { schema: Some(schema), model: None, policies: &sources }, &options, None)
            .map_err(|problems| problems.first().map(|p| p.message.clone()).unwrap_or_default())?;
    let inputs: Vec<EntityInput> = serde_json::from_value(entities()).map_err(|error| error.to_string())?;
    let mut data = Data::default();
    for input in inputs {
        let row = read_entity(&input, DataRules::default(), "").map_err(|problems| format!("{problems:?}"))?;
        data.apply(&Change::PutEntity(Arc::new(row)));
    }
    let settings = Settings { validation: Validation::Strict, ..Settings::default() };
    Ok(Snapshot::new(Some(Arc::new(compiled.release)), Arc::new(data), settings, 1))
}

fn engine(snapshot: &Snapshot) -> Result<impl FnMut() + '_, String> {
    let uid = |text: &str| EntityUid::parse(text).map_err(|error| error.to_string());
    let context = serde_json::from_value(json!({"mfa": true})).map_err(|error| error.to_string())?;
    let action = parse_action("read").map_err(|error| error.to_string())?;
    let request = AccessRequest { context, ..AccessRequest::new(uid("User:ann")?, action, uid("Document:plan")?) };
    let limits = Limits::default();
    Ok(move || {
        let _ = black_box(decide(snapshot, black_box(&request), &limits));
    })
}

fn cedar(policies: &[String]) -> Result<impl FnMut(), String> {
    let set = PolicySet::from_str(&policies.join("\n")).map_err(|error| error.to_string())?;
    let (schema, _) = cedar_policy::Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
    let entities = Entities::from_json_value(entities(), Some(&schema)).map_err(|error| error.to_string())?;
    let uid = |text: &str| cedar_policy::EntityUid::from_str(text).map_err(|error| error.to_string());
    let context = Context::from_json_value(json!({"mfa": true}), None).map_err(|error| error.to_string())?;
    let request = cedar_policy::Request::new(
        uid("User::\"ann\"")?,
        uid("Action::\"read\"")?,
        uid("Document::\"plan\"")?,
        context,
        None,
    );
    let request = request.map_err(|error| error.to_string())?;
    let authorizer = Authorizer::new();
    Ok(move || {
        let _ = black_box(authorizer.is_authorized(black_box(&request), &set, &entities));
    })
}
