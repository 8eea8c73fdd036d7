//! `authx grant` and `authx revoke`: one tuple, written or deleted. What is so already is no error.

use authx_engine::JsonObject;
use authx_engine::relation::{ObjectRef, SubjectRef, Tuple, TupleCondition, TupleKey, is_relation_name};
use serde_json::{Value, json};

use crate::api::v1::tuples::TupleBody;
use crate::cli::client::{Client, Reply};
use crate::cli::{Exit, Output, ServerArgs, fail, note, print_as};
use crate::clock::Clock;
use crate::ids::Timestamp;

/// A tuple in the order of a sentence.
#[derive(Debug, clap::Args)]
struct Words {
    /// Who: `user:ann`, `user:*` or `group:eng#member`
    subject: String,
    /// Has which relation, such as `viewer`
    relation: String,
    /// To what, such as `document:roadmap`
    object: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct GrantArgs {
    #[command(flatten)]
    words: Words,
    /// A condition of the model that must hold
    #[arg(long, value_name = "NAME")]
    condition: Option<String>,
    /// Parameters of the condition that are kept with the tuple, a JSON object
    #[arg(long, value_name = "JSON", requires = "condition")]
    context: Option<String>,
    /// When it ends, such as `2030-01-31T12:00:00Z`
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    expires_at: Option<String>,
    /// How long it lasts, such as `90s`, `15m`, `12h`, `30d` or `4w`
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    words: Words,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(crate) async fn grant(args: GrantArgs) -> Exit {
    let tuple = match args.tuple() {
        Ok(tuple) => tuple,
        Err(message) => return fail(Exit::Usage, &message),
    };
    let tuples = json!({"write": [TupleBody::from(&tuple)], "on_existing": "ignore"});
    match write(&args.server, &tuples).await {
        Ok(reply) => tell(args.output, &reply, "tuples_written", ["written", "already there"]),
        Err(exit) => exit,
    }
}

pub(crate) async fn revoke(args: RevokeArgs) -> Exit {
    let key = match args.words.key() {
        Ok(key) => key,
        Err(message) => return fail(Exit::Usage, &message),
    };
    let tuples = json!({"delete": [key.to_string()], "on_missing": "ignore"});
    match write(&args.server, &tuples).await {
        Ok(reply) => tell(args.output, &reply, "tuples_deleted", ["deleted", "was not there"]),
        Err(exit) => exit,
    }
}

async fn write(server: &ServerArgs, tuples: &Value) -> Result<Reply, Exit> {
    let client = Client::new(server)?;
    let path = client.store_path().await?;
    let body = json!({"tuples": tuples});
    let reply = client.call(reqwest::Method::POST, &format!("{path}/write"), Some(&body)).await?;
    if reply.status == 200 {
        return Ok(reply);
    }
    let exit = client.refused(&reply);
    if reply.text("code") == "tuple_exists" {
        note("hint: revoke it first");
    }
    Err(exit)
}

/// Says which of two things became of the tuple.
fn tell(output: Output, reply: &Reply, count: &str, [done, was_so]: [&str; 2]) -> Exit {
    let number = |key: &str| reply.body.get(key).and_then(Value::as_u64).unwrap_or_default();
    let word = if number(count) > 0 { done } else { was_so };
    print_as(output, &reply.body, &format!("{word} · revision {}\n", number("revision")));
    Exit::Done
}

impl Words {
    fn key(&self) -> Result<TupleKey, String> {
        let Self { subject, relation, object } = self;
        if !is_relation_name(relation) {
            return Err(format!("`{relation}` is no relation's name"));
        }
        Ok(TupleKey {
            object: ObjectRef::parse(object).map_err(|error| error.to_string())?,
            relation: relation.as_str().into(),
            subject: SubjectRef::parse(subject).map_err(|error| error.to_string())?,
        })
    }
}

impl GrantArgs {
    fn tuple(&self) -> Result<Tuple, String> {
        let context = match &self.context {
            None => JsonObject::default(),
            Some(text) => serde_json::from_str(text).map_err(|error| format!("--context: {error}"))?,
        };
        let condition = self.condition.as_ref().map(|name| TupleCondition { name: name.into(), context: context.0 });
        let expires_at = match (&self.expires_at, &self.duration) {
            (Some(text), _) => {
                let time = Timestamp::parse(text);
                Some(time.ok_or_else(|| format!("`{text}` is no time: write `2030-01-31T12:00:00Z`"))?.as_millis())
            }
            (None, Some(text)) => {
                let millis = millis(text);
                let millis = millis
                    .ok_or_else(|| format!("`{text}` is no duration: write `90s`, `15m`, `12h`, `30d` or `4w`"))?;
                Some(Clock.now().as_millis().saturating_add(millis))
            }
            (None, None) => None,
        };
        Ok(Tuple { key: self.words.key()?, condition, expires_at })
    }
}

/// The milliseconds of a whole number and its unit; at most a century, so that it is a year that can be written.
pub(crate) fn millis(text: &str) -> Option<i64> {
    const UNITS: [(char, i64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];
    let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = i64::from(count).checked_mul(seconds)?;
    (1..=36_525 * 86_400).contains(&seconds).then_some(seconds * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let cases = [
            ("90s", Some(90_000)),
            ("15m", Some(900_000)),
            ("12h", Some(43_200_000)),
            ("30d", Some(2_592_000_000)),
            ("4w", Some(2_419_200_000)),
            ("36525d", Some(3_155_760_000_000)),
            ("36526d", None),
            ("0s", None),
            ("-1s", None),
            ("1.5h", None),
            ("90", None),
            ("s", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(millis(text), wanted, "{text}");
        }
    }
}
