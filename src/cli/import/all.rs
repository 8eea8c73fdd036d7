//! `authx import --all`: a store's data as `authx export` writes it, sent in parts that can be gone on with.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Args, Stopped};
use crate::cli::client::{Client, Reply, encode};
use crate::cli::progress::{Progress, count};
use crate::cli::{Exit, fail, note, print_as};
use crate::clock::Clock;

/// What the server writes in one transaction.
const PART_LINES: u64 = 5_000;
const PART_BYTES: usize = 2 << 20;
/// Lines longer than this are no lines.
const MAX_LINE_BYTES: usize = 2 << 20;
/// How often a busy server is asked again.
const TRIES: u32 = 30;

/// What the server has of the import.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    lines: u64,
    entities: u64,
    tuples: u64,
    links: u64,
    revision: u64,
}

impl Done {
    fn read(body: &Value) -> Self {
        let number = |name: &str| body.get(name).and_then(Value::as_u64).unwrap_or_default();
        Self {
            lines: number("lines"),
            entities: number("entities"),
            tuples: number("tuples"),
            links: number("links"),
            revision: number("revision"),
        }
    }

    fn rows(&self) -> u64 {
        self.entities + self.tuples + self.links
    }
}

pub(super) async fn run(client: &Client, path: &str, args: &Args) -> Exit {
    let [file] = args.files.as_slice() else { return fail(Exit::Usage, "--all takes one file") };
    let id = args.id.clone().unwrap_or_else(|| Clock.ulid().to_string());
    let mut import = Import { client, path, id, done: Done::default(), progress: Progress::start() };
    let stopped = tokio::select! {
        stopped = import.send(file) => stopped,
        _ = tokio::signal::ctrl_c() => Err(Stopped::ByUser),
    };
    import.progress.clear();
    let Done { entities, tuples, links, revision, .. } = import.done;
    let exit = match stopped {
        Ok(()) => {
            let seconds = import.progress.seconds();
            let result = json!({"entities": entities, "tuples": tuples, "links": links, "seconds": seconds,
                "revision": revision});
            let entities = if entities == 1 { "1 entity".to_owned() } else { format!("{entities} entities") };
            let table = format!(
                "imported {entities}, {}, {} in {seconds:.1} s · revision {revision}\n",
                count(tuples, "tuple"),
                count(links, "link")
            );
            print_as(args.output, &result, &table);
            return Exit::Done;
        }
        Err(Stopped::Rows(rows)) => {
            for row in rows {
                note(&format!("error: {row}"));
            }
            Exit::Error
        }
        Err(Stopped::Failed(exit, message)) => fail(exit, &message),
        Err(Stopped::ByUser) => Exit::Error,
    };
    note(&format!(
        "stopped · {} in · go on with: authx import --all {} --id {}",
        count(import.done.rows(), "row"),
        file.display(),
        import.id
    ));
    exit
}

struct Import<'a> {
    client: &'a Client,
    path: &'a str,
    id: String,
    done: Done,
    progress: Progress,
}

impl Import<'_> {
    async fn send(&mut self, file: &Path) -> Result<(), Stopped> {
        let failed = |error: std::io::Error| Stopped::Failed(Exit::Error, format!("{}: {error}", file.display()));
        let mut input: Box<dyn BufRead + Send> = if file == Path::new("-") {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(file).map_err(failed)?))
        };
        let asked = format!("{}/import?id={}", self.path, encode(&self.id));
        let before = self.call(Method::GET, &asked, None).await?;
        if before.status == 200 {
            self.done = Done::read(&before.body);
        }
        let mut line = 1;
        loop {
            let (text, lines) = part(&mut input).map_err(failed)?;
            if lines == 0 {
                return Ok(());
            }
            // What was written under this id before is passed over.
            if line + lines > self.done.lines + 1 {
                let reply = self.call(Method::POST, &format!("{asked}&from_line={line}"), Some(text)).await?;
                self.take(&reply)?;
            }
            line += lines;
            self.progress.show(&count(self.done.rows(), "row"), self.done.rows());
        }
    }

    fn take(&mut self, reply: &Reply) -> Result<(), Stopped> {
        let problem = if reply.status == 200 { reply.body.get("error") } else { Some(&reply.body) };
        if let Some(problem) = problem {
            let told = Reply { status: reply.status, body: problem.clone() };
            let items = problem.get("errors").and_then(Value::as_array).into_iter().flatten();
            let text = |item: &Value| {
                let message = item.get("message").and_then(Value::as_str).unwrap_or_default();
                let line = item.get("line").and_then(Value::as_u64)?;
                Some(format!("line {line}: {message}"))
            };
            let rows: Vec<String> = items.filter_map(text).collect();
            return Err(if rows.is_empty() {
                Stopped::Failed(Exit::Error, told.reason())
            } else {
                Stopped::Rows(rows)
            });
        }
        match reply.body.get("end") {
            Some(end) => self.done = Done::read(end),
            None => return Err(Stopped::Failed(Exit::Error, "the server's answer was cut off".to_owned())),
        }
        Ok(())
    }

    /// Calls the server, again while it is busy.
    async fn call(&self, method: Method, path: &str, body: Option<String>) -> Result<Reply, Stopped> {
        let mut tries = 0;
        loop {
            let sent = self.client.send(method.clone(), path, body.clone()).await;
            let reply = sent.map_err(|message| Stopped::Failed(Exit::Unreachable, message))?;
            tries += 1;
            if !matches!(reply.status, 429 | 503) || tries == TRIES {
                return Ok(reply);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// The lines of the next part, and how many they are.
fn part(input: &mut dyn BufRead) -> std::io::Result<(String, u64)> {
    let (mut text, mut lines) = (String::new(), 0);
    while lines < PART_LINES && text.len() < PART_BYTES {
        let before = text.len();
        if input.read_line(&mut text)? == 0 {
            break;
        }
        lines += 1;
        if text.len() - before > MAX_LINE_BYTES {
            return Err(std::io::Error::other(format!("a line is longer than {MAX_LINE_BYTES} bytes")));
        }
    }
    Ok((text, lines))
}
