//! Relations inside Cedar: facts, membership and containment, in one decision.

mod explained;
mod opinion;
mod random;
mod refused;
mod table;
mod text;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::relation::{ModelSource, ModelSyntax, RelationModel, Tuple, TupleCondition, TupleKey, Tuples};
use crate::{
    AccessRequest, Change, Check, CompileOptions, Data, DataRules, EntityInput, EntityUid, Problem, Release,
    SchemaSource, SchemaSyntax, Settings, Snapshot, Sources, Validation, parse_action, read_entity, split_policies,
};

/// Companies, groups and folders as most stores have them; teams and bots are no part of the relation model.
const SCHEMA: &str = r#"
@rebac("role") @members("assignee") entity Role;
@rebac("group") @members("member") entity Group;
@rebac("folder") @parents("parent") entity Folder;
@rebac("employee") entity User in [Team] = { manager?: User, level: Long };
entity Team;
entity Bot in [Team, Group];
@rebac("document") @parents("parent") entity Document = { owner: User, team: Group, public: Bool, folder?: Folder } tags User;
action read, write appliesTo { principal: User, resource: Document, context: { mfa?: Bool, reviewer?: User, beside?: Document } };
action visit appliesTo { principal: [User, Bot], resource: [Document, Folder] };
"#;

const MODEL: &str = "model
  schema 1.1
type employee
type role
  relations
    define assignee: [employee, role#assignee, group#member]
type group
  relations
    define owner: [employee]
    define member: [employee, employee:*, group#member, role#assignee] or owner
type folder
  relations
    define parent: [folder]
    define viewer: [employee, group#member] or viewer from parent
type document
  relations
    define parent: [folder, folder with in_office]
    define holder: [employee, group, folder]
    define editor: [employee, role#assignee]
    define approver: [employee, employee with in_office]
    define blocked: [employee, employee:*, employee with in_office]
    define viewer: [employee, employee:*, group#member, employee with in_office, employee with in_net, employee with fair] or editor or viewer from parent
    define reader: viewer but not blocked
    define signer: editor and approver
condition in_office(ip: ipaddress) {
  ip.in_cidr(\"10.0.0.0/8\")
}
condition in_net(ip: ipaddress, net: string) {
  ip.in_cidr(net)
}
condition fair(whole: int, parts: int) {
  whole / parts > 1
}
";

struct Store {
    schema: &'static str,
    model: &'static str,
    settings: Settings,
    entities: Json,
}

impl Default for Store {
    fn default() -> Self {
        let manager = |id: &str| json!({"__entity": {"type": "User", "id": id}});
        let entities = json!([
            {"uid": "User:ann", "attrs": {"level": 3}},
            {"uid": "User:bob", "attrs": {"level": 1, "manager": manager("ann")}},
            {"uid": "Document:plan", "attrs": {"owner": manager("ann"), "team": {"__entity": {"type": "Group", "id": "core"}}, "public": false},
             "tags": {"reviewer": manager("cy")}},
        ]);
        Self { schema: SCHEMA, model: MODEL, settings: Settings::default(), entities }
    }
}

impl Store {
    fn compile(&self, policies: &str) -> Result<Release, Vec<Problem>> {
        let text = |text: &str| text.to_owned();
        let source = ModelSource { syntax: ModelSyntax::Dsl, file: Some(text("m.fga")), text: text(self.model) };
        let model = Arc::new(RelationModel::read("m", source)?.0);
        let schema =
            SchemaSource { syntax: SchemaSyntax::Cedar, file: Some(text("s.cedarschema")), text: text(self.schema) };
        let policies = split_policies(Some("p.cedar"), policies);
        let sources = Sources { schema: Some(schema), model: Some(model), policies: &policies };
        Ok(Release::compile("r", sources, &self.options(), None)?.release)
    }

    fn options(&self) -> CompileOptions {
        let validation = if self.settings.validation == Validation::Strict { Check::Strict } else { Check::Off };
        CompileOptions { validation, ..CompileOptions::default() }
    }

    fn snapshot(&self, release: Release, tuples: &[&str]) -> Snapshot {
        let mut data = Data::default();
        for entity in self.entities.as_array().unwrap() {
            let input: EntityInput = serde_json::from_value(entity.clone()).unwrap();
            data.apply(&Change::PutEntity(Arc::new(read_entity(&input, DataRules::default(), "").unwrap())));
        }
        let tuples: Vec<Tuple> = tuples.iter().map(|text| tuple(text)).collect();
        let snapshot = Snapshot::new(Some(Arc::new(release)), Arc::new(data), self.settings, 1);
        snapshot.with_tuples(Tuples::default().changed(&[], &tuples).unwrap())
    }
}

/// `object#relation@subject`, then ` until N`, ` if condition`, ` with` parameters of the condition, or all.
fn tuple(text: &str) -> Tuple {
    let mut words = text.split(' ');
    let key = TupleKey::parse(words.next().unwrap()).unwrap();
    let mut tuple = Tuple { key, condition: None, expires_at: None };
    while let Some(word) = words.next() {
        let value = words.next().unwrap();
        match word {
            "until" => tuple.expires_at = Some(value.parse().unwrap()),
            "if" => tuple.condition = Some(TupleCondition { name: value.into(), context: serde_json::Map::new() }),
            "with" => tuple.condition.as_mut().unwrap().context = serde_json::from_str(value).unwrap(),
            other => panic!("{other}"),
        }
    }
    tuple
}

fn request(body: &Json) -> AccessRequest {
    let text = |key: &str, default: &str| body.get(key).and_then(Json::as_str).unwrap_or(default).to_owned();
    let uid = |text: &str| EntityUid::parse(text).unwrap();
    let part = |key: &str, default: Json| body.get(key).cloned().unwrap_or(default);
    let tuples = part("tuples", json!([]));
    AccessRequest {
        context: serde_json::from_value(part("context", json!({}))).unwrap(),
        entities: serde_json::from_value(part("entities", json!([]))).unwrap(),
        tuples: tuples.as_array().unwrap().iter().map(|text| tuple(text.as_str().unwrap())).collect(),
        now: body.get("now").and_then(Json::as_i64).unwrap_or(1_000),
        ..AccessRequest::new(
            uid(&text("principal", "User:bob")),
            parse_action(&text("action", "read")).unwrap(),
            uid(&text("resource", "Document:plan")),
        )
    }
}
