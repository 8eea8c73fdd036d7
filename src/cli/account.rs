//! What the commands about tenants and keys have in common: who asks, in which tenant, and how an answer is told.

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::client::{Client, Reply};
use crate::cli::{Exit, Output, ServerArgs, fail, print_as};

/// Where the server is and who asks, of no store.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AccountArgs {
    /// The server's address
    #[arg(long, env = "AUTHX_SERVER", default_value = "http://127.0.0.1:8181", value_name = "URL")]
    server: String,
    /// The API key
    #[arg(long, env = "AUTHX_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,
    /// The tenant that a platform key acts in, by its id
    #[arg(long, env = "AUTHX_TENANT", value_name = "TENANT")]
    tenant: Option<String>,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// A server that is asked, and the form of what it answers.
pub(crate) struct Account {
    client: Client,
    output: Output,
}

impl AccountArgs {
    pub(crate) fn open(self) -> Result<Account, Exit> {
        let server = ServerArgs { server: self.server, key: self.key, store: None };
        let client = Client::new(&server)?.in_tenant(self.tenant);
        Ok(Account { client, output: self.output })
    }
}

impl Account {
    /// Asks, and tells the answer; `table` is its form for people.
    pub(crate) async fn tell(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        table: impl FnOnce(&Value) -> String,
    ) -> Result<Exit, Exit> {
        let reply = self.ask(method, path, body).await?;
        print_as(self.output, &reply.body, &table(&reply.body));
        Ok(Exit::Done)
    }

    /// Asks for what has no answer but that it was done.
    pub(crate) async fn done(&self, method: Method, path: &str, what: &str, id: &str) -> Result<Exit, Exit> {
        self.ask(method, path, None).await?;
        print_as(self.output, &json!({"id": id, "done": what}), &format!("{what} · {id}\n"));
        Ok(Exit::Done)
    }

    /// Tells every page of a list as one.
    pub(crate) async fn list(&self, path: &str, of: &str, line: impl Fn(&Value) -> String) -> Result<Exit, Exit> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let (mut rows, mut behind) = (Vec::new(), String::new());
        loop {
            let path = format!("{path}{separator}page_size=1000{behind}");
            let reply = self.ask(Method::GET, &path, None).await?;
            rows.extend(reply.body.get(of).and_then(Value::as_array).cloned().unwrap_or_default());
            match reply.text("next_page_token") {
                "" => break,
                token => behind = format!("&page_token={token}"),
            }
        }
        let table: String = rows.iter().map(line).collect();
        print_as(self.output, &json!({of: rows}), &table);
        Ok(Exit::Done)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Exit> {
        let reply = self.client.call(method, path, body).await?;
        if reply.status < 300 { Ok(reply) } else { Err(self.client.refused(&reply)) }
    }
}

/// A field as text; `-` when there is none.
pub(crate) fn field(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            if texts.is_empty() { "none".to_owned() } else { texts.join(",") }
        }
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_))) => other.to_string(),
    }
}

/// The fields of an answer, one a line.
pub(crate) fn card(value: &Value, keys: &[&str]) -> String {
    let line = |mut text: String, key: &&str| {
        text.push_str(&format!("{key:<13} {}\n", field(value, key)));
        text
    };
    keys.iter().fold(String::new(), line)
}

/// The seconds of `never` or of a number with its unit, such as `30d`; the outer `None` is for what is neither.
pub(crate) fn lifetime(text: &str) -> Result<Option<u32>, Exit> {
    if text == "never" {
        return Ok(None);
    }
    let millis = crate::cli::grant::millis(text).and_then(|millis| u32::try_from(millis / 1_000).ok());
    let told =
        || fail(Exit::Usage, &format!("`{text}` is no lifetime: write `never`, `90s`, `15m`, `12h`, `30d` or `4w`"));
    millis.map(Some).ok_or_else(told)
}
