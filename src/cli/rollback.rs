//! `authx rollback`: the release that was active before, made active again.

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::client::{Client, Reply, encode};
use crate::cli::diff::told::lines_of;
use crate::cli::release::Store;
use crate::cli::{ConnectArgs, Exit, Output, fail, print_as};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store's id or alias; the tenant's only store when absent
    #[arg(env = "AUTHX_STORE")]
    store: Option<String>,
    /// Another release than the one that was active before; a second rollback goes one further back
    #[arg(long, value_name = "RELEASE")]
    to: Option<String>,
    /// Tell what would change and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Roll back although stored data does not conform; recorded
    #[arg(long)]
    allow_nonconforming: bool,
    #[command(flatten)]
    server: ConnectArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(crate) async fn run(args: Args) -> Exit {
    rollback(args).await.unwrap_or_else(|exit| exit)
}

async fn rollback(args: Args) -> Result<Exit, Exit> {
    let client = Client::new(&args.server.of_store(args.store))?;
    let store = Store::read(&client, client.store_path().await?).await?;
    let Some(active) = store.release else {
        return Err(fail(Exit::Error, &format!("the store `{}` has no active release", store.name)));
    };
    let releases = format!("{}/releases", store.path);
    let target = if let Some(named) = args.to {
        named
    } else {
        let present = get(&client, &format!("{releases}/{}", encode(&active))).await?;
        let previous = present.body.get("previous").and_then(Value::as_str).map(str::to_owned);
        let none = || format!("no release was active before `{active}`; name one with --to");
        previous.ok_or_else(|| fail(Exit::Error, &none()))?
    };
    let target = encode(&target);
    let diff = get(&client, &format!("{releases}/{target}/diff?against={}", encode(&active))).await?.body;
    let mut revision = Value::Null;
    if !args.dry_run {
        let (allow, seen) = (args.allow_nonconforming, encode(&active));
        let activate = format!("{releases}/{target}/activate?allow_nonconforming={allow}&if_release={seen}");
        let done = client.call(Method::POST, &activate, None).await?;
        if done.status != 200 {
            return Err(client.refused(&done));
        }
        revision = done.body.get("revision").cloned().unwrap_or_default();
    }
    let said = if args.dry_run {
        format!("would be active again · release {target} · {active} is still active\n")
    } else {
        format!("active again · release {target} · revision {revision}\n")
    };
    let value =
        json!({"release": target, "before": active, "dry_run": args.dry_run, "revision": revision, "diff": diff});
    print_as(args.output, &value, &format!("{}{said}", lines_of(&diff)));
    Ok(Exit::Done)
}

async fn get(client: &Client, path: &str) -> Result<Reply, Exit> {
    let reply = client.call(Method::GET, path, None).await?;
    if reply.status == 200 { Ok(reply) } else { Err(client.refused(&reply)) }
}
