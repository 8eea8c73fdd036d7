//! `authx keys` and `authx whoami`. A secret is printed once, to stdout; what to do with it is told on stderr.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::cli::account::{AccountArgs, card, field, lifetime};
use crate::cli::client::encode;
use crate::cli::{Exit, note};

#[derive(Debug, clap::Args)]
pub(crate) struct WhoAmIArgs {
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List keys, revoked ones too
    List(ListArgs),
    /// Show one key, without its secret
    Get(OneArgs),
    /// Make a key; its secret is shown once
    Create(CreateArgs),
    /// Change a key's name, what it may do, or its end
    Update(UpdateArgs),
    /// Make a key in the place of another one, which goes on for a while
    Rotate(RotateArgs),
    /// End a key at once
    Revoke(OneArgs),
}

/// Whose keys.
#[derive(Debug, clap::Args)]
struct Whose {
    /// The platform's own keys, with a platform key
    #[arg(long)]
    platform: bool,
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, clap::Args)]
struct OneArgs {
    /// The key's id, not its secret
    id: String,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// A name for people
    name: String,
    /// What it may do: `admin`, `write`, `read`, `check`, `explain`, with commas between
    #[arg(long, value_delimiter = ',', required = true, value_name = "SCOPES")]
    scopes: Vec<String>,
    /// Limit it to stores, ids or aliases with commas between
    #[arg(long, value_delimiter = ',', value_name = "STORES")]
    stores: Option<Vec<String>>,
    /// How long it lasts, such as `12h` or `30d`; for ever when absent
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, clap::Args)]
struct UpdateArgs {
    /// The key's id, not its secret
    id: String,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// What it may do, with commas between
    #[arg(long, value_delimiter = ',', value_name = "SCOPES")]
    scopes: Option<Vec<String>>,
    /// Limit it to stores, ids or aliases with commas between
    #[arg(long, value_delimiter = ',', value_name = "STORES")]
    stores: Option<Vec<String>>,
    /// Limit it to no stores
    #[arg(long, conflicts_with = "stores")]
    all_stores: bool,
    /// How long it lasts from now, such as `30d`, or `never` for no end
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// The key's id, not its secret
    id: String,
    /// Seconds for which the old key goes on; 0 ends it at once
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    overlap: u32,
    #[command(flatten)]
    whose: Whose,
}

pub(crate) async fn run(args: Args) -> Exit {
    let ended = match args.command {
        Command::List(args) => list(args).await,
        Command::Get(args) => get(args).await,
        Command::Create(args) => create(args).await,
        Command::Update(args) => update(args).await,
        Command::Rotate(args) => rotate(args).await,
        Command::Revoke(args) => revoke(args).await,
    };
    match ended {
        Ok(exit) | Err(exit) => exit,
    }
}

pub(crate) async fn whoami(args: WhoAmIArgs) -> Exit {
    match who(args.account).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn who(account: AccountArgs) -> Result<Exit, Exit> {
    let table = |me: &Value| {
        let named = |key: &str| {
            let part = me.get(key).unwrap_or(&Value::Null);
            format!("{} {}", field(part, "id"), field(part, "name"))
        };
        let rest = card(me, &["scopes", "stores", "expires_at"]);
        format!("{}key           {}\ntenant        {}\n{rest}", card(me, &["kind"]), named("key"), named("tenant"))
    };
    account.open()?.tell(Method::GET, "/v1/whoami", None, table).await
}

fn path(id: &str, rest: &str, whose: &Whose) -> String {
    let id = if id.is_empty() { String::new() } else { format!("/{}", encode(id)) };
    format!("/v1/keys{id}{rest}{}", if whose.platform { "?platform=true" } else { "" })
}

fn shown(key: &Value) -> String {
    card(key, &["id", "name", "scopes", "stores", "created_at", "expires_at", "revoked_at", "last_used_at"])
}

/// The secret alone, so that it can be taken by another command.
fn secret(made: &Value) -> String {
    note(&format!("key {} · this is the only time that its secret is shown", field(made, "id")));
    format!("{}\n", field(made, "secret"))
}

async fn list(args: ListArgs) -> Result<Exit, Exit> {
    let path = path("", "", &args.whose);
    let line = |key: &Value| {
        let state = if key.get("revoked_at").is_some_and(Value::is_string) { "revoked" } else { "" };
        let [id, name, scopes, used] = ["id", "name", "scopes", "last_used_at"].map(|name| field(key, name));
        format!("{id}  {name:<24} {scopes:<20} used {used:<24} {state}").trim_end().to_owned() + "\n"
    };
    args.whose.account.open()?.list(&path, "keys", line).await
}

async fn get(args: OneArgs) -> Result<Exit, Exit> {
    let path = path(&args.id, "", &args.whose);
    args.whose.account.open()?.tell(Method::GET, &path, None, shown).await
}

async fn create(args: CreateArgs) -> Result<Exit, Exit> {
    let seconds = args.duration.as_deref().map(lifetime).transpose()?.flatten();
    let path = path("", "", &args.whose);
    let body = json!({"name": args.name, "scopes": args.scopes, "stores": args.stores, "expires_in_seconds": seconds});
    args.whose.account.open()?.tell(Method::POST, &path, Some(&body), secret).await
}

async fn update(args: UpdateArgs) -> Result<Exit, Exit> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Option<Value>| value.map(|value| body.insert(key.to_owned(), value));
    set("name", args.name.map(Value::from));
    set("scopes", args.scopes.map(Value::from));
    set("stores", args.stores.map(Value::from).or(args.all_stores.then_some(Value::Null)));
    set("expires_in_seconds", args.duration.as_deref().map(lifetime).transpose()?.map(|seconds| json!(seconds)));
    let path = path(&args.id, "", &args.whose);
    args.whose.account.open()?.tell(Method::PATCH, &path, Some(&Value::Object(body)), shown).await
}

async fn rotate(args: RotateArgs) -> Result<Exit, Exit> {
    let path = path(&args.id, "/rotate", &args.whose);
    let body = json!({"overlap_seconds": args.overlap});
    args.whose.account.open()?.tell(Method::POST, &path, Some(&body), secret).await
}

async fn revoke(args: OneArgs) -> Result<Exit, Exit> {
    let path = path(&args.id, "", &args.whose);
    args.whose.account.open()?.done(Method::DELETE, &path, "revoked", &args.id).await
}
