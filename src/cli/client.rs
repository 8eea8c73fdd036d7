//! The command line as a client of the server.

use std::time::Duration;

use serde_json::Value;

use crate::cli::{Exit, ServerArgs, fail, note};

/// Calls one server with one key.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
    store: Option<String>,
    /// The tenant that a platform key acts in.
    tenant: Option<String>,
}

/// An answer of the server.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    /// A text of the body.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Why the server refused.
    pub(crate) fn reason(&self) -> String {
        match (self.text("title"), self.text("detail")) {
            ("", "") => format!("the server answered {}", self.status),
            (title, "") => title.to_owned(),
            // What there is not is in the detail.
            (_, detail) if self.status == 404 => detail.to_owned(),
            (title, detail) => format!("{title}: {detail}"),
        }
    }
}

impl Client {
    pub(crate) fn new(args: &ServerArgs) -> Result<Self, Exit> {
        if args.server.starts_with("https://") {
            return Err(fail(Exit::Usage, "this version speaks http only; use a local proxy for https"));
        }
        let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).build();
        let http = http.map_err(|error| fail(Exit::Error, &error.to_string()))?;
        Ok(Self {
            http,
            base: args.server.trim_end_matches('/').to_owned(),
            key: args.key.clone(),
            store: args.store.clone(),
            tenant: None,
        })
    }

    /// The same client, acting in a tenant with a platform key.
    pub(crate) fn in_tenant(self, tenant: Option<String>) -> Self {
        Self { tenant, ..self }
    }

    /// The path of the store that was named, or of the tenant's only one.
    pub(crate) async fn store_path(&self) -> Result<String, Exit> {
        self.path_for(None).await
    }

    /// As [`Self::store_path`], for files of a store of that name: they go to no other store unasked.
    pub(crate) async fn store_path_of(&self, files: &str) -> Result<String, Exit> {
        self.path_for(Some(files)).await
    }

    async fn path_for(&self, files: Option<&str>) -> Result<String, Exit> {
        if let Some(store) = &self.store {
            return Ok(format!("/v1/stores/{}", encode(store)));
        }
        if let Some(files) = files {
            let path = format!("/v1/stores/{}", encode(files));
            let reply = self.call(reqwest::Method::GET, &path, None).await?;
            if reply.status == 200 && reply.text("alias") == files {
                return Ok(path);
            }
        }
        let reply = self.call(reqwest::Method::GET, "/v1/stores?page_size=2", None).await?;
        if reply.status != 200 {
            return Err(self.refused(&reply));
        }
        let stores = reply.body.get("stores").and_then(Value::as_array).cloned().unwrap_or_default();
        match stores.as_slice() {
            [only] => {
                let text = |key: &str| only.get(key).and_then(Value::as_str).unwrap_or_default();
                let store = if text("alias").is_empty() { text("name") } else { text("alias") };
                if let Some(files) = files.filter(|files| *files != text("alias") && *files != text("name")) {
                    let message = format!(
                        "the files are of `{files}`, the tenant's only store is `{store}`; name one with --store"
                    );
                    return Err(fail(Exit::Usage, &message));
                }
                Ok(format!("/v1/stores/{}", text("id")))
            }
            [] => Err(fail(Exit::Usage, "the tenant has no store; make one with POST /v1/stores")),
            _ => {
                let none = files.map(|files| format!(", none of them `{files}`")).unwrap_or_default();
                Err(fail(Exit::Usage, &format!("the tenant has several stores{none}; name one with --store")))
            }
        }
    }

    pub(crate) async fn call(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Result<Reply, Exit> {
        let reply = self.send(method, path, body.map(Value::to_string)).await;
        reply.map_err(|message| fail(Exit::Unreachable, &message))
    }

    /// As [`Self::call`] for a body that is written already; the caller tells a person when there is no answer.
    pub(crate) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Reply, String> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("authx-tenant", tenant);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let unreachable = |error: reqwest::Error| format!("{} does not answer: {}", self.base, root(&error));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(unreachable)?;
        // Of an answer of many lines the last says how it ended.
        let last = bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let body = serde_json::from_slice(&bytes).or_else(|_| serde_json::from_slice(last)).unwrap_or(Value::Null);
        Ok(Reply { status, body })
    }

    /// Asks for an answer that is read as it comes; a refusal is read whole.
    pub(crate) async fn stream(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<reqwest::Response, Reply>, String> {
        const A_DAY: Duration = Duration::from_hours(24);
        let url = format!("{}{path}", self.base);
        let request = match body {
            None => self.http.get(url),
            Some(body) => self.http.post(url).json(body).header("accept", "application/x-ndjson"),
        };
        let mut request = request.timeout(A_DAY);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("authx-tenant", tenant);
        }
        let unreachable = |error: reqwest::Error| format!("{} does not answer: {}", self.base, root(&error));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(Ok(response));
        }
        let bytes = response.bytes().await.map_err(unreachable)?;
        Ok(Err(Reply { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }))
    }

    /// Tells a person why the server refused.
    #[expect(clippy::unused_self, reason = "said of an answer of this client")]
    pub(crate) fn refused(&self, reply: &Reply) -> Exit {
        let exit = fail(Exit::Error, &reply.reason());
        if reply.text("code") == "unauthenticated" {
            note("hint: give a key with --key or AUTHX_KEY");
        }
        exit
    }
}

fn root(error: &dyn std::error::Error) -> String {
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        last = next.to_string();
        cause = next.source();
    }
    last
}

/// A path segment.
pub(crate) fn encode(segment: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
