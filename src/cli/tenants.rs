//! `authx tenants`: the operator's, with a platform key.

use std::num::NonZeroU32;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::cli::account::{AccountArgs, card, field};
use crate::cli::client::encode;
use crate::cli::{Exit, note};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List tenants
    List(ListArgs),
    /// Show one tenant
    Get(OneArgs),
    /// Make a tenant and its first key, whose secret is shown once
    Create(CreateArgs),
    /// Rename a tenant, or change what it may have or how its decisions are recorded
    Update(UpdateArgs),
    /// Delete a tenant with its stores and keys; it can be restored for a while
    Delete(OneArgs),
    /// Bring a deleted tenant back as it was
    Restore(OneArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Those that are deleted and can still be restored
    #[arg(long)]
    deleted: bool,
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, clap::Args)]
struct OneArgs {
    /// The tenant's id
    id: String,
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// A name for people
    name: String,
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, clap::Args)]
struct UpdateArgs {
    /// The tenant's id
    id: String,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// Stores that it may have
    #[arg(long, value_name = "COUNT")]
    max_stores: Option<u32>,
    /// Requests that it may send in a second
    #[arg(long, value_name = "COUNT")]
    requests_per_second: Option<NonZeroU32>,
    /// Requests that may come at once after a pause
    #[arg(long, value_name = "COUNT")]
    burst: Option<NonZeroU32>,
    /// Requests that may be in work at once
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<NonZeroU32>,
    /// Entities that each store may have
    #[arg(long, value_name = "COUNT")]
    max_entities: Option<u32>,
    /// Tuples that each store may have
    #[arg(long, value_name = "COUNT")]
    max_tuples: Option<u32>,
    /// Policies that each store may have
    #[arg(long, value_name = "COUNT")]
    max_policies: Option<u32>,
    /// Bytes of names, ids and values that the data of each store may have
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// When its decisions are answered: async, sync or off, without a record
    #[arg(long, value_name = "MODE", value_parser = ["async", "sync", "off"])]
    log_mode: Option<String>,
    /// Of a million allows, how many are recorded
    #[arg(long, value_name = "COUNT")]
    log_allows_per_million: Option<u32>,
    /// A path into a request whose values are not recorded, such as /context/password; all that it is to have
    #[arg(long, value_name = "PATH")]
    log_mask: Vec<String>,
    /// Give a limit or a setting its default again, by its name in the API, such as burst or masks
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
    #[command(flatten)]
    account: AccountArgs,
}

/// The settings of the decision log, as the API names them.
const LOG_SETTINGS: [&str; 3] = ["mode", "allows_per_million", "masks"];

impl UpdateArgs {
    /// The limits to change, as the API names them.
    fn limits(&self) -> Map<String, Value> {
        let given = [
            ("stores", self.max_stores),
            ("requests_per_second", self.requests_per_second.map(NonZeroU32::get)),
            ("burst", self.burst.map(NonZeroU32::get)),
            ("concurrency", self.concurrency.map(NonZeroU32::get)),
            ("entities", self.max_entities),
            ("tuples", self.max_tuples),
            ("policies", self.max_policies),
        ];
        let given =
            given.map(|(name, count)| (name, count.map(u64::from))).into_iter().chain([("bytes", self.max_bytes)]);
        let given = given.filter_map(|(name, count)| Some((name.to_owned(), json!(count?))));
        let unset = self.unset.iter().filter(|name| !LOG_SETTINGS.contains(&name.as_str()));
        unset.map(|name| (name.clone(), Value::Null)).chain(given).collect()
    }

    /// How decisions are recorded, as far as it is to change.
    fn decisions(&self) -> Map<String, Value> {
        let masks = Some(&self.log_mask).filter(|masks| !masks.is_empty());
        let values = [
            self.log_mode.as_ref().map(|mode| json!(mode)),
            self.log_allows_per_million.map(|count| json!(count)),
            masks.map(|masks| json!(masks)),
        ];
        let given = LOG_SETTINGS.into_iter().zip(values).filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let unset = self.unset.iter().filter(|name| LOG_SETTINGS.contains(&name.as_str()));
        unset.map(|name| (name.clone(), Value::Null)).chain(given).collect()
    }
}

pub(crate) async fn run(args: Args) -> Exit {
    let ended = match args.command {
        Command::List(args) => list(args).await,
        Command::Get(args) => one(Method::GET, args, "").await,
        Command::Create(args) => create(args).await,
        Command::Update(args) => update(args).await,
        Command::Delete(args) => delete(args).await,
        Command::Restore(args) => one(Method::POST, args, "/restore").await,
    };
    match ended {
        Ok(exit) | Err(exit) => exit,
    }
}

fn path(id: &str) -> String {
    format!("/v1/tenants/{}", encode(id))
}

fn shown(tenant: &Value) -> String {
    card(tenant, &["id", "name", "limits", "decisions", "created_at"])
}

async fn list(args: ListArgs) -> Result<Exit, Exit> {
    let path = if args.deleted { "/v1/tenants?deleted=true" } else { "/v1/tenants" };
    let line = |tenant: &Value| {
        let deleted = field(tenant, "deleted_at");
        let ended = if deleted == "-" { String::new() } else { format!("  deleted {deleted}") };
        format!("{}  {}{ended}\n", field(tenant, "id"), field(tenant, "name"))
    };
    args.account.open()?.list(path, "tenants", line).await
}

async fn one(method: Method, args: OneArgs, rest: &str) -> Result<Exit, Exit> {
    let path = format!("{}{rest}", path(&args.id));
    args.account.open()?.tell(method, &path, None, shown).await
}

async fn create(args: CreateArgs) -> Result<Exit, Exit> {
    let table = |made: &Value| {
        let key = made.get("admin_key").unwrap_or(&Value::Null);
        note(&format!("tenant {} · this is the only time that its key's secret is shown", field(made, "id")));
        format!("{}\n", field(key, "secret"))
    };
    let body = json!({"name": args.name});
    args.account.open()?.tell(Method::POST, "/v1/tenants", Some(&body), table).await
}

async fn update(args: UpdateArgs) -> Result<Exit, Exit> {
    let mut body = Map::new();
    let (limits, decisions) = (args.limits(), args.decisions());
    if let Some(name) = args.name {
        body.insert("name".to_owned(), Value::from(name));
    }
    if !limits.is_empty() {
        body.insert("limits".to_owned(), Value::Object(limits));
    }
    if !decisions.is_empty() {
        body.insert("decisions".to_owned(), Value::Object(decisions));
    }
    args.account.open()?.tell(Method::PATCH, &path(&args.id), Some(&Value::Object(body)), shown).await
}

async fn delete(args: OneArgs) -> Result<Exit, Exit> {
    args.account.open()?.done(Method::DELETE, &path(&args.id), "deleted", &args.id).await
}
