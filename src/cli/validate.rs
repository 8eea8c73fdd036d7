//! `authx validate`: policies and schema, of files alone or for a store of a server.

use std::collections::BTreeMap;
use std::path::PathBuf;

use authx_engine::relation::ModelSyntax;
use authx_engine::{Level, Lint, LintLevels, Problem, Related, Schema, SchemaSyntax, Severity};
use serde_json::{Value, json};

use crate::cli::client::{Client, Reply};
use crate::cli::files::snapshot::compile;
use crate::cli::files::{StoreFiles, find};
use crate::cli::values::list;
use crate::cli::{Exit, Output, ServerArgs, fail, note, print, print_as, show_problems};
use crate::pap;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A root with `policies` and `schemas`, a `policies` folder, a store's folder or a file
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Print the schema that policies are validated against, with what follows from links to the relation model
    #[arg(long, conflicts_with = "online")]
    effective: bool,
    /// Ask the server instead of validating here
    #[arg(long)]
    online: bool,
    /// What is made of a lint's findings: `off`, `warn` or `deny`, such as `missing_id=off`; repeatable
    #[arg(long = "lint", env = "AUTHX_LINT", value_name = "NAME=LEVEL", value_delimiter = ',', value_parser = lint_level)]
    lints: Vec<(Lint, Level)>,
    /// Take every warning as an error
    #[arg(long, env = "AUTHX_DENY_WARNINGS")]
    deny_warnings: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Reads `name=level`.
fn lint_level(text: &str) -> Result<(Lint, Level), String> {
    let (name, level) = text.split_once('=').ok_or("write the lint's name and its level, such as `missing_id=off`")?;
    let lint = Lint::parse(name).map_err(|unknown| format!("{unknown}: {}", unknown.hint()))?;
    let level = Level::parse(level).ok_or_else(|| format!("there is no level `{level}`: write off, warn or deny"))?;
    Ok((lint, level))
}

pub(crate) async fn run(args: Args) -> Exit {
    let stores = match find(&args.path) {
        Ok(stores) => stores,
        Err(error) => return error.tell(),
    };
    if args.effective {
        return effective(stores);
    }
    let mut valid = true;
    let mut results = Vec::new();
    let mut table = String::new();
    for store in stores {
        let (name, policies) = (store.name.clone(), store.policies.len());
        let texts = store.texts.clone();
        let unchecked = store.schema.is_none() && !args.online;
        let problems = if args.online { online(&args, &store).await } else { Ok(offline(&args, store).await) };
        let mut problems = match problems {
            Ok(problems) => problems,
            Err(exit) => return exit,
        };
        if args.deny_warnings {
            for problem in &mut problems {
                problem.severity = Severity::Error;
            }
        }
        let ok = !problems.iter().any(Problem::is_error);
        valid &= ok;
        show_problems(&problems, &texts);
        if unchecked && ok {
            note(&format!("note: {name} has no schema, so names and types in its policies are not checked"));
            note(&format!("  help: put one into `schemas/{name}.cedarschema`, or beside the policies"));
        }
        table.push_str(&format!(
            "{name}: {} · {policies} {}\n",
            if ok { "valid" } else { "invalid" },
            if policies == 1 { "policy" } else { "policies" }
        ));
        results.push(json!({"store": name, "valid": ok, "problems": problems}));
    }
    print_as(args.output, &json!(results), &table);
    if valid { Exit::Done } else { Exit::Invalid }
}

/// Prints each store's effective schema, in Cedar's own syntax.
fn effective(stores: Vec<StoreFiles>) -> Exit {
    for store in stores {
        let release = match compile(&store) {
            Ok((release, _)) => release,
            Err(problems) => {
                show_problems(&problems, &store.texts);
                return Exit::Invalid;
            }
        };
        match release.effective_schema().map(Schema::to_cedar) {
            None => note(&format!("{}: no schema", store.name)),
            Some(Ok(text)) => {
                print(&format!("// {}\n{}\n", store.name, text.trim_end()));
            }
            Some(Err(error)) => return fail(Exit::Error, &error),
        }
    }
    Exit::Done
}

async fn offline(args: &Args, store: StoreFiles) -> Vec<Problem> {
    let mut levels = LintLevels::default();
    for (lint, level) in &args.lints {
        levels.set(*lint, *level);
    }
    let work = move || pap::validate(store.schema, store.model, store.policies, &levels).problems;
    let work = tokio::task::spawn_blocking(work);
    work.await.unwrap_or_else(|_| vec![Problem::error("compiler_failed", "the compiler did not finish")])
}

async fn online(args: &Args, store: &StoreFiles) -> Result<Vec<Problem>, Exit> {
    let client = Client::new(&args.server)?;
    let path = client.store_path_of(&store.name).await?;
    let mut body = body(store);
    let lints = args.lints.iter().map(|(lint, level)| (lint.name().to_owned(), json!(level.name())));
    let lints: serde_json::Map<String, Value> = lints.collect();
    if let (false, Some(map)) = (lints.is_empty(), body.as_object_mut()) {
        map.insert("lints".to_owned(), Value::Object(lints));
    }
    let reply = client.call(reqwest::Method::POST, &format!("{path}/validate"), Some(&body)).await?;
    if reply.status != 200 {
        return Err(client.refused(&reply));
    }
    Ok(problems_of(reply.body.get("problems"), store))
}

/// A store's files as the body of `apply` and `validate`.
pub(crate) fn body(store: &StoreFiles) -> Value {
    let mut body = json!({"policies": policies(store)});
    let sent = |file: Option<&String>| file.map(|file| store.sent(file).to_owned());
    if let (Some(schema), Some(map)) = (&store.schema, body.as_object_mut()) {
        let part = match schema.syntax {
            SchemaSyntax::Cedar => json!({"cedar": schema.text, "file": sent(schema.file.as_ref())}),
            SchemaSyntax::Json => {
                let json = serde_json::from_str::<Value>(&schema.text).unwrap_or_default();
                json!({"json": json, "file": sent(schema.file.as_ref())})
            }
        };
        map.insert("schema".to_owned(), part);
    }
    if let (Some(model), Some(map)) = (&store.model, body.as_object_mut()) {
        let text = match model.syntax {
            ModelSyntax::Dsl => json!(model.text),
            ModelSyntax::Json => serde_json::from_str(&model.text).unwrap_or_default(),
        };
        map.insert("model".to_owned(), text);
        map.insert("model_file".to_owned(), json!(sent(model.file.as_ref())));
    }
    body
}

/// Files of policies, and those that stand alone because their id is beside their text.
fn policies(store: &StoreFiles) -> Vec<Value> {
    let mut entries: Vec<Value> = Vec::new();
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for policy in &store.policies {
        match &policy.id {
            // Without the file: the id says where it is.
            Some(id) => entries.push(json!({"id": id, "cedar": policy.text})),
            None => files.entry(policy.file.as_deref().unwrap_or_default()).or_default().push_str(&policy.text),
        }
    }
    entries.extend(files.into_iter().map(|(file, text)| json!({"file": store.sent(file), "cedar": text})));
    entries
}

/// Shows what is wrong with a store's files, when that is why a server refused them.
pub(crate) fn refused_as_invalid(reply: &Reply, files: &StoreFiles) -> bool {
    let invalid = reply.status == 422 && reply.text("code") == "invalid_release";
    if invalid {
        show_problems(&problems_of(reply.body.get("errors"), files), &files.texts);
    }
    invalid
}

/// A server's problems with a store's files, as the compiler's own.
pub(crate) fn problems_of(items: Option<&Value>, store: &StoreFiles) -> Vec<Problem> {
    let shown = |file: String| store.shown(&file).to_owned();
    let of_policy = |id: &String| {
        let by_id = store.policies.iter().find(|policy| policy.id.as_ref() == Some(id));
        by_id.and_then(|policy| policy.file.clone())
    };
    // Places in a model may come without the name of its file.
    let of_model = || store.model.as_ref().and_then(|model| model.file.clone());
    let one = |item: &Value| {
        let mut problem = problem_of(item);
        problem.file = problem.file.map(shown).or_else(|| problem.policy.as_ref().and_then(of_policy));
        for related in &mut problem.related {
            related.file = related.file.take().map(shown).or_else(|| related.line.and_then(|_| of_model()));
        }
        problem
    };
    items.and_then(Value::as_array).into_iter().flatten().map(one).collect()
}

/// A problem as a server tells it.
pub(crate) fn problem_of(item: &Value) -> Problem {
    let text_in = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let number_in = |item: &Value, key: &str| item.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let related = |item: &Value| Related {
        message: text_in(item, "message").unwrap_or_default(),
        file: text_in(item, "file"),
        line: number_in(item, "line"),
        column: number_in(item, "column"),
    };
    let (text, number) = (|key: &str| text_in(item, key), |key: &str| number_in(item, key));
    let warning = text("severity").as_deref() == Some("warning");
    Problem {
        severity: if warning { Severity::Warning } else { Severity::Error },
        line: number("line"),
        column: number("column"),
        length: number("length"),
        policy: text("policy"),
        file: text("file"),
        hint: text("hint"),
        related: list(item, "related").map(related).collect(),
        ..Problem::error(text("code").unwrap_or_default(), text("message").unwrap_or_default())
    }
}
