//! A release of a server as the texts that it was made of.

use std::collections::BTreeSet;

use authx_engine::{PolicyText, is_policy_id};
use serde_json::Value;

use crate::cli::client::{Client, encode};
use crate::cli::{Exit, fail};

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
        if reply.status != 200 {
            return Err(client.refused(&reply));
        }
        Self::of(&reply.body).ok_or_else(|| fail(Exit::Error, "the answer is no release; is the server an AuthX?"))
    }

    /// `None` when the body is not what a server of this kind answers: nothing is believed of it then.
    fn of(body: &Value) -> Option<Self> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let schema = body.get("schema").filter(|schema| schema.is_object()).and_then(|schema| {
            let file = text(schema, "file");
            match (text(schema, "cedar"), schema.get("json")) {
                (Some(text), _) => Some(SchemaText::Cedar { file, text }),
                (None, json) => json.map(|json| SchemaText::Json { file, json: json.clone() }),
            }
        });
        let mut ids = BTreeSet::new();
        let mut policy = |policy: &Value| {
            let id = text(policy, "id");
            // An id becomes the name of a file.
            let named = id.as_ref().is_none_or(|id| is_policy_id(id) && ids.insert(id.clone()));
            named.then_some(PolicyText { id, file: text(policy, "file"), text: text(policy, "cedar")? })
        };
        let policies = body.get("policies").and_then(Value::as_array)?;
        Some(Self {
            release: text(body, "release")?,
            schema,
            model: text(body, "model"),
            model_file: text(body, "model_file"),
            model_id: text(body, "model_id"),
            policies: policies.iter().map(&mut policy).collect::<Option<_>>()?,
        })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_release_is_not_believed() {
        let policy = |id: &str| json!({"id": id, "cedar": "permit (principal, action, resource);"});
        let of = |policies: Value| ReleaseTexts::of(&json!({"release": "r", "policies": policies})).is_some();
        assert!(of(json!([policy("a"), policy("b.c-d_e"), {"file": "x.cedar", "cedar": ""}])));
        for ids in [&["a/../../../other/evil"][..], &["a/b"], &[".../x"], &[""], &["a\u{1b}"], &["a", "a"]] {
            assert!(!of(ids.iter().map(|id| policy(id)).collect()), "{ids:?}");
        }
        assert!(!of(json!([{"id": "a"}])) && !of(json!({})) && !of(json!(null)));
        for body in [json!({}), json!(null), json!({"policies": []}), json!({"release": "r"})] {
            assert!(ReleaseTexts::of(&body).is_none(), "{body}");
        }
    }
}
