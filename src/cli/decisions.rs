//! `authx decisions`: what was decided and changed, from the server's log.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::client::{Client, encode};
use crate::cli::{Exit, Output, ServerArgs, fail, note, print, print_as};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Decisions or changes, the newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// The most that are shown
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        server: ServerArgs,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Decisions as they are made, until Ctrl-C
    Tail {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        server: ServerArgs,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// One decision or change
    Get {
        /// The `decision_id` of an answer, or the id of a change
        id: String,
        #[command(flatten)]
        server: ServerArgs,
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

/// Which records. `--store` leaves out those of other stores.
#[derive(Debug, clap::Args)]
struct Filter {
    /// decision, change (of what is administered) or security (refused credentials)
    #[arg(long, default_value = "decision", value_name = "KIND", value_parser = ["decision", "change", "security"])]
    kind: String,
    /// From the platform's own log, with a platform key
    #[arg(long)]
    platform: bool,
    /// Of whom, such as `User:alice`, or of a change `key:` and an id
    #[arg(long, value_name = "ENTITY")]
    principal: Option<String>,
    /// Of which action
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// On what, such as `Document:roadmap`
    #[arg(long, value_name = "ENTITY")]
    resource: Option<String>,
    /// allow or deny
    #[arg(long, value_name = "DECISION", value_parser = ["allow", "deny"])]
    decision: Option<String>,
    /// Of this moment and later, such as 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

const PAGE: usize = 1_000;

pub(crate) async fn run(args: Args) -> Exit {
    let ended = match args.what {
        What::List { filter, limit, server, output } => list(&filter, limit, &server, output).await,
        What::Tail { filter, server, output } => tail(&filter, &server, output).await,
        What::Get { id, server, output } => get(&id, &server, output).await,
    };
    match ended {
        Ok(exit) | Err(exit) => exit,
    }
}

impl Filter {
    fn query(&self, store: Option<&str>) -> String {
        let parts = [
            ("kind", Some(self.kind.as_str())),
            ("platform", self.platform.then_some("true")),
            ("principal", self.principal.as_deref()),
            ("action", self.action.as_deref()),
            ("resource", self.resource.as_deref()),
            ("decision", self.decision.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("store", store),
        ];
        let said = parts.iter().filter_map(|(name, value)| Some(format!("&{name}={}", encode((*value)?))));
        said.collect()
    }
}

async fn list(filter: &Filter, limit: usize, server: &ServerArgs, output: Output) -> Result<Exit, Exit> {
    let client = Client::new(server)?;
    let query = filter.query(server.store.as_deref());
    let (mut found, mut token): (Vec<Value>, Option<String>) = (Vec::new(), None);
    while found.len() < limit {
        let size = (limit - found.len()).min(PAGE);
        let (page, next) = page(&client, &query, size, token.as_deref()).await?;
        found.extend(page);
        token = next;
        if token.is_none() {
            break;
        }
    }
    let table: String = found.iter().map(row).collect();
    print_as(output, &json!({"decisions": found}), &table);
    if token.is_some() {
        note(&format!("{limit} shown, there are more; --limit shows more"));
    }
    Ok(Exit::Done)
}

async fn page(
    client: &Client,
    query: &str,
    size: usize,
    token: Option<&str>,
) -> Result<(Vec<Value>, Option<String>), Exit> {
    let token = token.map(|token| format!("&page_token={}", encode(token))).unwrap_or_default();
    let path = format!("/v1/decisions?page_size={size}{query}{token}");
    let reply = client.call(reqwest::Method::GET, &path, None).await?;
    if reply.status != 200 {
        return Err(client.refused(&reply));
    }
    let next = reply.body.get("next_page_token").and_then(Value::as_str).map(str::to_owned);
    Ok((reply.body.get("decisions").and_then(Value::as_array).cloned().unwrap_or_default(), next))
}

async fn tail(filter: &Filter, server: &ServerArgs, output: Output) -> Result<Exit, Exit> {
    let client = Client::new(server)?;
    let query = filter.query(server.store.as_deref());
    let id = |value: &Value| value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (mut seen, mut first): (HashSet<String>, bool) = (HashSet::new(), true);
    loop {
        // What was there before is not shown; what came since the last look is at most a page, or the rest is told.
        let (found, more) = page(&client, &query, PAGE, None).await?;
        let new: Vec<&Value> = found.iter().filter(|value| !seen.contains(&id(value))).collect();
        if !first {
            for value in new.iter().rev() {
                match output {
                    Output::Table => print(&row(value)),
                    Output::Json | Output::Yaml => print(&format!("{value}\n")),
                };
            }
            if more.is_some() && new.len() == PAGE {
                note("decisions come faster than they can be shown: some are left out");
            }
        }
        first = false;
        seen = found.iter().map(id).collect();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

async fn get(id: &str, server: &ServerArgs, output: Output) -> Result<Exit, Exit> {
    let client = Client::new(server)?;
    let reply = client.call(reqwest::Method::GET, &format!("/v1/decisions/{}", encode(id)), None).await?;
    match reply.status {
        200 => {
            print_as(output, &reply.body, &format!("{}{:#}\n", row(&reply.body), reply.body));
            Ok(Exit::Done)
        }
        404 => Err(fail(Exit::Error, &format!("there is no decision `{id}`, or it was not recorded"))),
        _ => Err(client.refused(&reply)),
    }
}

/// One line for people.
fn row(value: &Value) -> String {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let policies = value
        .get("determining_policies")
        .and_then(Value::as_array)
        .map(|policies| policies.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
    let more = match text("kind") {
        "change" => format!("   {}", text("name")),
        "security" => {
            format!("   {}, {} times", text("reason"), value.get("count").and_then(Value::as_u64).unwrap_or_default())
        }
        _ => policies.map(|policies| format!("   by {policies}")).unwrap_or_default(),
    };
    format!(
        "{}  {}  {:<5}  {} {} {}{}\n",
        text("at"),
        text("id"),
        text("decision"),
        text("principal"),
        text("action"),
        text("resource"),
        more.trim_end()
    )
}
