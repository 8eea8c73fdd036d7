//! What is recorded besides decisions: changes of what is administered, and refused credentials. As JSON, in the words of
//! a decision, who did what on what, so that it is found in the same ways. Never a secret, nor content of policies or data.

use serde::Serialize;
use serde_json::Value;
use ulid::Ulid;

use super::journal::Prepared;
use super::summary::Summary;
use crate::ids::{StoreId, Timestamp};

/// A change that was made.
#[derive(Debug, Serialize)]
pub struct Change<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<&'a StoreId>,
    /// `key:` and the id of the key, or the part of the process that did it of its own.
    pub principal: &'a str,
    /// The key's name at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Such as `key.revoke`.
    pub action: &'a str,
    /// Kind and id, such as `key:01…`.
    pub resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
}

/// Credentials that were refused within a minute, all for one reason.
#[derive(Debug, Serialize)]
pub struct Refusals<'a> {
    /// `key:` and the id of the key; `unknown` when it is no key.
    pub principal: String,
    pub action: &'a str,
    pub reason: &'a str,
    /// When the minute began.
    pub since: Timestamp,
    pub count: u64,
}

#[derive(Serialize)]
struct Content<'a, T> {
    kind: &'static str,
    id: &'a str,
    at: Timestamp,
    #[serde(flatten)]
    event: &'a T,
}

impl Change<'_> {
    /// The content of the record.
    #[must_use]
    pub fn content(&self, id: Ulid) -> String {
        content("change", id, self)
    }
}

impl Refusals<'_> {
    /// The record.
    #[must_use]
    pub fn prepare(&self, id: Ulid) -> Prepared {
        Prepared::of_content(content("security", id, self).into_bytes())
    }
}

impl Prepared {
    /// A record whose content was made before.
    pub(super) fn of_content(content: Vec<u8>) -> Self {
        let entry = Summary::read(&content).entry(0, 0);
        Self { id: entry.id, keys: entry.keys, outcome: entry.outcome, decisions: 0, content }
    }
}

fn content<T: Serialize>(kind: &'static str, id: Ulid, event: &T) -> String {
    let at = Timestamp::from_millis(i64::try_from(id.timestamp_ms()).unwrap_or(i64::MAX));
    // Nothing in it can fail to be written as JSON.
    serde_json::to_string(&Content { kind, id: id.array_to_str(&mut [0; ulid::ULID_LEN]), at, event })
        .unwrap_or_default()
}
