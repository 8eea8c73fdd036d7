//! A release of a server as the texts that it was made of.

use authx_engine::PolicyText;
use serde_json::Value;

use crate::cli::Exit;
use crate::cli::client::{Client, encode};

/// The texts of a release.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ReleaseTexts {
    pub(crate) release: String,
    pub(crate) schema: Option<SchemaText>,
    /// In OpenFGA's language.
    pub(crate) model: Option<String>,
    pub(crate) model_file: Option<String>,
    pub(crate) model_id: Option<String>,
    pub(crate) policies: Vec<PolicyText>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SchemaText {
    Cedar { file: Option<String>, text: String },
    Json { file: Option<String>, json: Value },
}

impl SchemaText {
    pub(crate) fn file(&self) -> Option<&str> {
        match self {
            Self::Cedar { file, .. } | Self::Json { file, .. } => file.as_deref(),
        }
    }
}

impl ReleaseTexts {
    /// Asks a server; `path` is the store's.
    pub(crate) async fn read(client: &Client, path: &str, release: &str) -> Result<Self, Exit> {
        let files = format!("{path}/releases/{}/files", encode(release));
        let reply = client.call(reqwest::Method::GET, &files, None).await?;
        if reply.status == 200 { Ok(Self::of(&reply.body)) } else { Err(client.refused(&reply)) }
    }

    fn of(body: &Value) -> Self {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let schema = body.get("schema").filter(|schema| schema.is_object()).and_then(|schema| {
            let file = text(schema, "file");
            match (text(schema, "cedar"), schema.get("json")) {
                (Some(text), _) => Some(SchemaText::Cedar { file, text }),
                (None, json) => json.map(|json| SchemaText::Json { file, json: json.clone() }),
            }
        });
        let policies = body.get("policies").and_then(Value::as_array).into_iter().flatten();
        let policy = |policy: &Value| PolicyText {
            id: text(policy, "id"),
            file: text(policy, "file"),
            text: text(policy, "cedar").unwrap_or_default(),
        };
        Self {
            release: text(body, "release").unwrap_or_default(),
            schema,
            model: text(body, "model"),
            model_file: text(body, "model_file"),
            model_id: text(body, "model_id"),
            policies: policies.map(policy).collect(),
        }
    }
}

/// A store as the server knows it.
pub(crate) struct Store {
    /// Such as `/v1/stores/documents`.
    pub(crate) path: String,
    /// Its alias, else its name.
    pub(crate) name: String,
    /// The active release.
    pub(crate) release: Option<String>,
}

impl Store {
    pub(crate) async fn read(client: &Client, path: String) -> Result<Self, Exit> {
        let reply = client.call(reqwest::Method::GET, &path, None).await?;
        if reply.status != 200 {
            return Err(client.refused(&reply));
        }
        let named = [reply.text("alias"), reply.text("name")].into_iter().find(|name| !name.is_empty());
        let name = named.unwrap_or_default().to_owned();
        let release = reply.body.get("release").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { path, name, release })
    }
}
