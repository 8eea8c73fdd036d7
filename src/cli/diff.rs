//! `authx diff`: what differs between files, releases and what is active, told apart in meaning and in text.

mod side;
pub(crate) mod told;

use authx_engine::{Policy, Release, ReleaseDiff};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::lines::changes;
use crate::cli::release::Store;
use crate::cli::{Exit, Output, ServerArgs, fail, note, print_as};
use side::{Named, Side};
use told::Change;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What it was and what it became: a path, `release:ID`, or `server` for the active release. One alone is what became
    /// of `server`; none is the files in `.`
    #[arg(value_name = "SIDE", num_args = 0..=2)]
    sides: Vec<String>,
    /// Name what differs, without its lines
    #[arg(long)]
    brief: bool,
    /// Exit with 2 when they differ
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(crate) async fn run(args: Args) -> Exit {
    diff(args).await.unwrap_or_else(|exit| exit)
}

async fn diff(args: Args) -> Result<Exit, Exit> {
    let named = |at: usize| args.sides.get(at).map(|side| Named::parse(side));
    let (old, new) = match (named(0), named(1)) {
        (Some(old), Some(new)) => (old, new),
        (Some(new), None) => (Named::Server, new),
        (None, _) => (Named::Server, Named::Path(".".into())),
    };
    let store = args.server.store.as_deref();
    let (old_files, new_files) = (old.files(store)?, new.files(store)?);
    let name = [&old_files, &new_files].into_iter().flatten().map(|files| files.name.clone()).next();
    let server = if old_files.is_some() && new_files.is_some() {
        None
    } else {
        let client = Client::new(&args.server)?;
        let path = match &name {
            Some(name) => client.store_path_of(name).await?,
            None => client.store_path().await?,
        };
        let store = Store::read(&client, path).await?;
        Some((client, store))
    };
    let mut sides = Vec::with_capacity(2);
    for (named, files) in [(old, old_files), (new, new_files)] {
        sides.push(match (files, &server) {
            (Some(files), _) => Side::of_files(&named, files),
            (None, Some((client, store))) => Side::of_server(&named, client, store).await?,
            (None, None) => Side::default(),
        });
    }
    let (brief, output, exit_code) = (args.brief, args.output, args.exit_code);
    let work = tokio::task::spawn_blocking(move || {
        let [old, new] = sides.as_slice() else { return Err(Exit::Error) };
        let comparison = Comparison::of((old.name.as_str(), old.compile(new)?), (new.name.as_str(), new.compile(old)?));
        note(&format!("from {} to {}", comparison.names.0, comparison.names.1));
        print_as(output, &comparison.value(), &comparison.table(brief));
        let differ = !comparison.diff.is_empty();
        Ok(if differ && exit_code { Exit::Deny } else { Exit::Done })
    });
    work.await.unwrap_or_else(|_| Err(fail(Exit::Error, "the comparison did not finish")))
}

/// Two releases and what differs.
struct Comparison {
    names: (String, String),
    old: Release,
    new: Release,
    diff: ReleaseDiff,
}

/// A policy that differs: what it was, what it became.
struct Row<'a> {
    old: Option<&'a Policy>,
    new: Option<&'a Policy>,
    /// Of one that both have.
    change: Option<Change>,
}

impl Comparison {
    fn of(old: (&str, Release), new: (&str, Release)) -> Self {
        let diff = old.1.diff(&new.1);
        Self { names: (old.0.to_owned(), new.0.to_owned()), old: old.1, new: new.1, diff }
    }

    /// Added, removed, changed, each by id.
    fn rows(&self) -> Vec<Row<'_>> {
        let diff = &self.diff;
        let kinds = [
            (&diff.moved, Change::Moved),
            (&diff.changed_annotations, Change::Annotations),
            (&diff.changed_only_in_text, Change::Text),
        ];
        let row = |id: &authx_engine::PolicyId| {
            let (old, new) = (self.old.policy(id).map(AsRef::as_ref), self.new.policy(id).map(AsRef::as_ref));
            let change = old.and(new).map(|_| {
                let kind = kinds.iter().find(|(ids, _)| ids.binary_search(id).is_ok());
                kind.map_or(Change::Meaning, |(_, change)| *change)
            });
            Row { old, new, change }
        };
        diff.added.iter().chain(&diff.removed).chain(&diff.changed).map(row).collect()
    }

    /// The texts of schema and model, of those that differ.
    fn parts(&self) -> Vec<(&'static str, bool, String, String)> {
        let schema =
            |release: &Release| release.schema().map(|schema| pretty(&schema.source().text)).unwrap_or_default();
        let model = |release: &Release| release.model().map(|model| model.source().text.clone()).unwrap_or_default();
        let diff = &self.diff;
        let parts = [
            ("schema", diff.schema_changed, diff.schema_changed_only_in_text, schema(&self.old), schema(&self.new)),
            ("relation model", diff.model_changed, diff.model_changed_only_in_text, model(&self.old), model(&self.new)),
        ];
        let differs = parts.into_iter().filter(|(_, changed, ..)| *changed);
        differs.map(|(what, _, in_text, old, new)| (what, in_text, old, new)).collect()
    }

    fn table(&self, brief: bool) -> String {
        if self.diff.is_empty() {
            return "no difference\n".to_owned();
        }
        let mut text = String::new();
        for (what, in_text, old, new) in self.parts() {
            let (mark, said) = match (old.is_empty(), new.is_empty()) {
                (true, _) => ('+', String::new()),
                (_, true) => ('-', String::new()),
                (false, false) if in_text => ('~', format!(" ({})", Change::Text.word())),
                (false, false) => ('~', format!(" ({})", Change::Meaning.word())),
            };
            text.push_str(&format!("{mark} {what}{said}\n"));
            if mark == '~' && !brief {
                text.push_str(&indented(&changes(&old, &new)));
            }
        }
        for row in self.rows() {
            text.push_str(&row.line());
            if let (Some(old), Some(new), false) = (row.old, row.new, brief) {
                text.push_str(&indented(&changes(&old.source().text, &new.source().text)));
            }
        }
        text
    }

    fn value(&self) -> Value {
        let policies: Vec<Value> = self.rows().iter().map(Row::value).collect();
        let (old, new) = (&self.names.0, &self.names.1);
        let diff = &self.diff;
        json!({
            "from": old, "to": new, "same": diff.is_empty(),
            "schema_changed": diff.schema_changed, "schema_changed_only_in_text": diff.schema_changed_only_in_text,
            "model_changed": diff.model_changed, "model_changed_only_in_text": diff.model_changed_only_in_text,
            "added": diff.added, "removed": diff.removed, "changed": diff.changed,
            "changed_only_in_text": diff.changed_only_in_text, "changed_annotations": diff.changed_annotations,
            "moved": diff.moved, "policies": policies,
        })
    }
}

impl Row<'_> {
    /// Such as `~ permit viewers-read (meaning)   policies/documents/sharing.cedar`.
    fn line(&self) -> String {
        let Some(policy) = self.new.or(self.old) else { return String::new() };
        let mark = match (self.old, self.new) {
            (None, _) => '+',
            (_, None) => '-',
            (Some(_), Some(_)) => '~',
        };
        let kind = format!("{}{}", effect(policy), if policy.is_template() { " template" } else { "" });
        let change = self.change.map(|change| format!(" ({})", change.word())).unwrap_or_default();
        let file = |policy: &Policy| policy.source().file.clone();
        let place = match (self.change, self.old.and_then(file), self.new.and_then(file)) {
            (Some(Change::Moved), Some(old), Some(new)) => format!("   {old} → {new}"),
            (_, old, new) => new.or(old).map(|file| format!("   {file}")).unwrap_or_default(),
        };
        crate::cli::report::printable(&format!("{mark} {kind} {}{change}{place}\n", policy.id())).into_owned()
    }

    fn value(&self) -> Value {
        let side = |policy: Option<&Policy>| {
            policy.map(|policy| json!({"file": policy.source().file, "cedar": policy.source().text}))
        };
        let change = match (self.old, self.new, self.change) {
            (None, _, _) => "added",
            (_, None, _) => "removed",
            (_, _, Some(Change::Text)) => "text",
            (_, _, Some(Change::Annotations)) => "annotations",
            (_, _, Some(Change::Moved)) => "moved",
            (_, _, Some(Change::Meaning) | None) => "meaning",
        };
        let policy = self.new.or(self.old);
        json!({
            "id": policy.map(Policy::id), "change": change, "effect": policy.map(effect),
            "template": policy.map(Policy::is_template), "old": side(self.old), "new": side(self.new),
        })
    }
}

fn effect(policy: &Policy) -> &'static str {
    if policy.forbids() { "forbid" } else { "permit" }
}

/// JSON a member a line, so that its lines can be compared; other text as it is.
fn pretty(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(json @ Value::Object(_)) => format!("{json:#}\n"),
        Ok(_) | Err(_) => text.to_owned(),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect()
}
