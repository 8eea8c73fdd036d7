//! What `--dev` seeds and prints: the store `documents` and three commands to try on it.

use actix_web::web;
use authx_engine::relation::{ModelSource, ModelSyntax, Tuple, tuple_of_line};
use authx_engine::{EntityInput, PolicySource, SchemaSource, SchemaSyntax, Settings, split_policies};

use crate::api::Services;
use crate::app::AppError;
use crate::ids::{StoreAlias, TenantId, Timestamp};
use crate::keys::{KeySpec, Permission};
use crate::pap::{ApplyRequest, Author, DataWrite, NewStore, Once, Proposal, TupleChanges};
use crate::scope::TenantScope;

const ALIAS: &str = "documents";
const SCHEMA: (&str, &str) = ("schemas/documents.cedarschema", include_str!("../../schemas/documents.cedarschema"));
const MODEL: &str = include_str!("../../schemas/documents.fga");
const POLICIES: [(&str, &str); 3] = [
    ("policies/documents/guards.cedar", include_str!("../../policies/documents/guards.cedar")),
    ("policies/documents/roles.cedar", include_str!("../../policies/documents/roles.cedar")),
    ("policies/documents/sharing.cedar", include_str!("../../policies/documents/sharing.cedar")),
];
const ENTITIES: &str = include_str!("../../policies/documents/documents.cedarentities.json");
const TUPLES: &str = include_str!("../../policies/documents/documents.tuples");
const QUESTION: &str = r#"{"principal":"User:bob","action":"read","resource":"Document:roadmap"}"#;
/// Also right when it is said twice.
const GRANT: &str = r#"{"tuples":{"write":["document:roadmap#viewer@user:bob"],"on_existing":"ignore"}}"#;

/// Makes the demo store if it is absent, and tells what to print; `{address}` stands for the server's.
pub(super) async fn seed(
    services: &web::Data<Services>,
    tenant: TenantId,
    loopback: bool,
) -> Result<Vec<String>, AppError> {
    let author = Author::process("dev");
    if services.replica.find(&tenant, ALIAS).is_none() {
        make(services, &author, tenant).await?;
    }
    let gone = || AppError::Other("the demo store is gone".to_owned());
    let current = services.replica.find(&tenant, ALIAS).ok_or_else(gone)?.current();
    let policies = current.snapshot.release().map_or(0, |release| release.policy_count());
    let release = current.release_id().unwrap_or("none");
    let tuples = current.snapshot.tuples().len();
    let mut header = String::from("-H 'content-type: application/json'");
    if !loopback {
        let spec = KeySpec {
            tenant: Some(tenant),
            name: "dev".to_owned(),
            permissions: vec![Permission::Admin],
            stores: None,
            // Every start makes one; none of them stays.
            expires_at: Some(Timestamp::from_millis(services.clock.now().as_millis() + 24 * 3_600_000)),
        };
        let key = services.administration.create_key(&author, spec, &Once::never()).await?;
        header = format!("{header} -H 'authorization: Bearer {}'", key.secret);
    }
    let base = format!("http://{{address}}/v1/stores/{ALIAS}");
    let check = format!("  curl -s {base}/check {header} -d '{QUESTION}'");
    let grant = format!("  curl -s {base}/write {header} -d '{GRANT}'");
    Ok(vec![
        format!("store {ALIAS} · release {release} · {policies} policies, {tuples} tuples"),
        "try a deny, a grant and an allow:".to_owned(),
        check.clone(),
        grant,
        check,
    ])
}

async fn make(services: &web::Data<Services>, author: &Author, tenant: TenantId) -> Result<(), AppError> {
    let tenant = TenantScope::new(tenant);
    let alias = StoreAlias::parse(ALIAS).map_err(|error| AppError::Other(error.to_string()))?;
    let new = NewStore { name: "Documents".to_owned(), alias: Some(alias), settings: Settings::default() };
    let store = services.stores.create(author, &tenant, new, &Once::never()).await?;
    let policies: Vec<PolicySource> =
        POLICIES.iter().flat_map(|(file, text)| split_policies(Some(file), text)).collect();
    let (file, text) = SCHEMA;
    let schema = SchemaSource { syntax: SchemaSyntax::Cedar, file: Some(file.to_owned()), text: text.to_owned() };
    let model = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: MODEL.to_owned() };
    let apply = ApplyRequest {
        proposal: Proposal::Parts { schema: Some(schema), model: Some(model), policies: Some(policies) },
        if_release: None,
        allow_nonconforming: false,
        dry_run: false,
        activate: true,
    };
    services.releases.apply(&store, author, apply, &Once::never()).await?;
    let upsert: Vec<EntityInput> =
        serde_json::from_str(ENTITIES).map_err(|error| AppError::Other(error.to_string()))?;
    let put: Result<Vec<Tuple>, _> = TUPLES.lines().filter_map(tuple_of_line).collect();
    let put = put.map_err(|error| AppError::Other(error.to_string()))?;
    let tuples = TupleChanges { put, ..TupleChanges::default() };
    services.writers.write(&store, author.principal(), DataWrite { tuples, upsert, ..DataWrite::default() }).await?;
    Ok(())
}
