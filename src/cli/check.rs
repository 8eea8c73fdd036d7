//! `authx check`: a decision, of a server or of files; the answer is the same.

use std::path::PathBuf;

use authx_engine::relation::{Tuple, TupleKey};
use authx_engine::{
    AccessRequest, DecideError, Decision, EntityUid, Evaluation, JsonObject, Limits, Problem, Snapshot, decide,
    explain, parse_action,
};
use serde_json::{Value, json};

use crate::api::v1::explain::ExplanationBody;
use crate::cli::client::Client;
use crate::cli::explanation::text as text_of;
use crate::cli::files::snapshot::{compile, empty, with_data};
use crate::cli::files::{StoreFiles, find};
use crate::cli::{Exit, Output, ServerArgs, fail, note, print_as, show_problems};
use crate::clock::Clock;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Who, such as `User:alice`
    principal: String,
    /// Does what, such as `read`
    action: String,
    /// On what, such as `Document:roadmap`
    resource: String,
    /// The context, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    context: String,
    /// A tuple that holds for this question only, such as `document:roadmap#viewer@user:bob`; repeatable
    #[arg(long = "tuple", value_name = "TUPLE")]
    tuples: Vec<String>,
    /// Decide from files instead of a server: a root, a `policies` folder, a store's folder or a file
    #[arg(long, value_name = "PATH")]
    files: Option<PathBuf>,
    /// Tell why: how each policy came to what it said, and what was missing for an allow
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(crate) async fn run(args: Args) -> Exit {
    match &args.files {
        Some(_) => tokio::task::spawn_blocking(move || offline(&args)).await.unwrap_or(Exit::Error),
        None => match online(&args).await {
            Ok(exit) | Err(exit) => exit,
        },
    }
}

async fn online(args: &Args) -> Result<Exit, Exit> {
    // Read here first, so that a slip is told in the same words with and without a server.
    let Asked { principal, action, resource, context, tuples: _ } = Asked::read(args)?;
    let client = Client::new(&args.server)?;
    let body = json!({"principal": principal, "action": action, "resource": resource, "context": context,
        "tuples": args.tuples, "explain": args.explain});
    let path = client.store_path().await?;
    let reply = client.call(reqwest::Method::POST, &format!("{path}/check"), Some(&body)).await?;
    if reply.status != 200 {
        return Err(client.refused(&reply));
    }
    Ok(tell(args.output, &reply.body))
}

/// The question of the command line.
struct Asked {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    context: JsonObject,
    tuples: Vec<Tuple>,
}

impl Asked {
    fn read(args: &Args) -> Result<Self, Exit> {
        let usage = |error: &dyn std::fmt::Display| fail(Exit::Usage, &error.to_string());
        let uid = |text: &str| EntityUid::parse(text).map_err(|error| usage(&error));
        let tuple = |text: &String| {
            let key = TupleKey::parse(text).map_err(|error| usage(&format!("--tuple: {error}")))?;
            Ok(Tuple { key, condition: None, expires_at: None })
        };
        Ok(Self {
            principal: uid(&args.principal)?,
            action: parse_action(&args.action).map_err(|error| usage(&error))?,
            resource: uid(&args.resource)?,
            context: serde_json::from_str(&args.context).map_err(|error| usage(&format!("--context: {error}")))?,
            tuples: args.tuples.iter().map(tuple).collect::<Result<_, Exit>>()?,
        })
    }
}

/// Prints an answer.
pub(crate) fn tell(output: Output, reply: &Value) -> Exit {
    let text = |key: &str| reply.get(key).and_then(Value::as_str).unwrap_or_default();
    let list = |key: &str| reply.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let decision = text("decision");
    let mut table = format!("{decision:<8}");
    if !text("decision_id").is_empty() {
        table.push_str(&format!("decision {} · ", text("decision_id")));
    }
    table.push_str(&format!("revision {}\n", reply.get("revision").and_then(Value::as_u64).unwrap_or_default()));
    for policy in list("determining_policies") {
        table.push_str(&format!("  by {}\n", policy.as_str().unwrap_or_default()));
    }
    table.push_str(&reply.get("explanation").map(text_of).unwrap_or_default());
    print_as(output, reply, &table);
    for error in list("policy_errors") {
        let part = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        note(&format!("policy `{}` failed: {}", part("policy"), part("message")));
    }
    for (key, word) in [("advice", "advice"), ("warnings", "warning")] {
        for text in list(key) {
            note(&format!("{word}: {}", text.as_str().unwrap_or_default()));
        }
    }
    if decision == "allow" { Exit::Done } else { Exit::Deny }
}

fn offline(args: &Args) -> Exit {
    match ask_files(args) {
        Ok(reply) => tell(args.output, &reply),
        Err(exit) => exit,
    }
}

fn ask_files(args: &Args) -> Result<Value, Exit> {
    let path = args.files.clone().unwrap_or_default();
    let stores = find(&path).map_err(|error| error.tell())?;
    let files = choose(stores, args.server.store.as_deref())?;
    let Asked { principal, action, resource, context, tuples } = Asked::read(args)?;
    let now = Clock.now().as_millis();
    let request = AccessRequest { context, tuples, now, ..AccessRequest::new(principal, action, resource) };
    let snapshot = load(&files)?;
    let limits = Limits::default();
    let answer = if args.explain {
        explain(&snapshot, &request, &limits).map(|explanation| {
            let mut reply = shown(&explanation.evaluation);
            let told = json!(ExplanationBody::new(&explanation, true, true));
            reply.as_object_mut().map(|reply| reply.insert("explanation".to_owned(), told));
            reply
        })
    } else {
        decide(&snapshot, &request, &limits).map(|evaluation| shown(&evaluation))
    };
    answer.map_err(|error| match error {
        DecideError::InvalidInput { problems } => {
            for problem in problems {
                note(&format!("error: {problem}"));
            }
            Exit::Error
        }
        DecideError::Limit { message } | DecideError::Undetermined { message } | DecideError::Engine { message } => {
            fail(Exit::Error, &message)
        }
    })
}

/// The store that was named, or the only one.
pub(crate) fn choose(mut stores: Vec<StoreFiles>, name: Option<&str>) -> Result<StoreFiles, Exit> {
    let found: Vec<String> = stores.iter().map(|store| store.name.clone()).collect();
    if let Some(name) = name {
        stores.retain(|store| store.name == name);
    }
    match (stores.pop(), stores.is_empty()) {
        (Some(store), true) => Ok(store),
        (Some(_), false) => Err(fail(
            Exit::Usage,
            &format!("the files hold several stores ({}); name one with --store", found.join(", ")),
        )),
        (None, _) => {
            let wanted = name.unwrap_or_default();
            Err(fail(Exit::Usage, &format!("the files hold no store `{wanted}`, they hold {}", found.join(", "))))
        }
    }
}

/// A snapshot of a store's files, or shows what is wrong with them.
fn load(files: &StoreFiles) -> Result<Snapshot, Exit> {
    let shown = |exit: Exit, problems: Vec<Problem>| {
        show_problems(&problems, &files.texts);
        exit
    };
    let (release, _) = compile(files).map_err(|problems| shown(Exit::Invalid, problems))?;
    with_data(&empty(release), files).map_err(|problems| shown(Exit::Error, problems))
}

fn shown(evaluation: &Evaluation) -> Value {
    let errors: Vec<Value> =
        evaluation.policy_errors.iter().map(|e| json!({"policy": e.policy, "message": e.message})).collect();
    json!({
        "decision": match evaluation.decision { Decision::Allow => "allow", Decision::Deny => "deny" },
        "determining_policies": evaluation.determining_policies,
        "policy_errors": errors,
        "advice": evaluation.advice,
        "missing_context": evaluation.missing_context,
        "warnings": evaluation.warnings,
        "revision": evaluation.revision,
    })
}
