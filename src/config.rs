//! Configuration: one checked struct for each concern, from `default.toml`, a file, the environment and flags.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use std::time::Duration;

use serde::Deserialize;

use crate::decisions::{LogOptions, Mask, Mode, Retention, Rules, WhenFull};
use crate::limits::TenantLimits;

/// Documents every key; it is the lowest layer.
pub const DEFAULTS: &str = include_str!("config/default.toml");

/// Everything that the server is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub storage: StorageConfig,
    pub limits: LimitsConfig,
    pub tenants: TenantsConfig,
    pub decisions: DecisionsConfig,
    pub log: LogConfig,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    pub bind: SocketAddr,
    pub workers: usize,
    pub request_timeout_seconds: u64,
    pub header_timeout_seconds: u64,
    pub keep_alive_seconds: u64,
    pub drain_seconds: u64,
    pub shutdown_timeout_seconds: u64,
    pub max_connections: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    pub data_dir: PathBuf,
    pub expired_tuples_kept_seconds: u64,
    pub expired_tuples_pause_seconds: u64,
    pub deleted_kept_days: u64,
    pub deleted_pause_seconds: u64,
    pub history_days: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    pub ancestors: usize,
    pub request_entities: usize,
    pub reached_entities: usize,
    pub relation_depth: u32,
    pub relation_steps: u64,
    pub compilers: usize,
    pub freshness_deadline_ms: u64,
    pub followers: usize,
    pub batches: usize,
    pub transfers: usize,
    pub history_rows: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantsConfig {
    pub stores: u32,
    pub requests_per_second: u32,
    pub burst: u32,
    pub concurrency: u32,
    pub entities: u32,
    pub tuples: u32,
    pub policies: u32,
    pub bytes: u64,
}

impl TenantsConfig {
    /// What a tenant may have that was given nothing else.
    #[must_use]
    pub fn limits(&self) -> TenantLimits {
        let some = |count: u32| Some(count).filter(|count| *count > 0);
        TenantLimits {
            stores: some(self.stores),
            requests_per_second: NonZeroU32::new(self.requests_per_second),
            burst: NonZeroU32::new(self.burst),
            concurrency: NonZeroU32::new(self.concurrency),
            entities: some(self.entities),
            tuples: some(self.tuples),
            policies: some(self.policies),
            bytes: Some(self.bytes).filter(|bytes| *bytes > 0),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionsConfig {
    pub mode: Mode,
    pub when_full: WhenFull,
    pub queue_records: usize,
    pub queue_bytes: usize,
    pub wait_ms: u64,
    pub allows_per_million: u32,
    pub masks: Vec<Mask>,
    pub segment_bytes: u64,
    pub kept_days: u64,
    pub kept_bytes: u64,
}

impl DecisionsConfig {
    /// What the log is told.
    #[must_use]
    pub fn options(&self) -> LogOptions {
        LogOptions {
            rules: Rules { mode: self.mode, allows_per_million: self.allows_per_million, masks: self.masks.clone() },
            when_full: self.when_full,
            queue_records: self.queue_records,
            queue_bytes: self.queue_bytes,
            wait: Duration::from_millis(self.wait_ms),
            retention: Retention {
                segment_bytes: self.segment_bytes,
                kept: Duration::from_secs(self.kept_days.saturating_mul(86_400)),
                kept_bytes: self.kept_bytes,
            },
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    pub format: LogFormat,
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// Why there is no configuration. All problems of a file come at once.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("`{path}` cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    Invalid { path: String, message: String },
}

impl Config {
    /// The defaults with the keys of a file laid over them.
    ///
    /// # Errors
    /// When the file cannot be read, is no TOML, or has a key or a value that is not known.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut table: toml::Table = parse(DEFAULTS, "default.toml")?;
        if let Some(path) = file {
            let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
            let text = std::fs::read_to_string(path).map_err(unreadable)?;
            let shown = path.display().to_string();
            let layer: toml::Table = parse(&text, &shown)?;
            check_keys(&table, &layer, "", &shown)?;
            lay_over(&mut table, layer);
        }
        let shown = file.map_or_else(|| "default.toml".to_owned(), |path| path.display().to_string());
        let config: Self = table.try_into().map_err(|error: toml::de::Error| invalid(&shown, error.message()))?;
        config.check(&shown)
    }

    fn check(self, path: &str) -> Result<Self, ConfigError> {
        let positive = [
            ("server.request_timeout_seconds", self.server.request_timeout_seconds),
            ("server.header_timeout_seconds", self.server.header_timeout_seconds),
            ("storage.expired_tuples_pause_seconds", self.storage.expired_tuples_pause_seconds),
            ("storage.deleted_pause_seconds", self.storage.deleted_pause_seconds),
            ("server.max_connections", self.server.max_connections as u64),
            ("limits.ancestors", self.limits.ancestors as u64),
            ("limits.reached_entities", self.limits.reached_entities as u64),
            ("limits.relation_depth", u64::from(self.limits.relation_depth)),
            ("limits.relation_steps", self.limits.relation_steps),
            ("limits.compilers", self.limits.compilers as u64),
            ("limits.batches", self.limits.batches as u64),
            ("limits.transfers", self.limits.transfers as u64),
        ];
        let zero: Vec<&str> = positive.into_iter().filter(|(_, value)| *value == 0).map(|(key, _)| key).collect();
        if zero.is_empty() { Ok(self) } else { Err(invalid(path, &format!("{} must be at least 1", zero.join(", ")))) }
    }
}

fn invalid(path: &str, message: &str) -> ConfigError {
    ConfigError::Invalid { path: path.to_owned(), message: message.to_owned() }
}

fn parse(text: &str, path: &str) -> Result<toml::Table, ConfigError> {
    toml::from_str(text).map_err(|error| invalid(path, &error.to_string()))
}

/// Refuses keys that the defaults do not have.
fn check_keys(known: &toml::Table, given: &toml::Table, prefix: &str, path: &str) -> Result<(), ConfigError> {
    let mut unknown = Vec::new();
    for (key, value) in given {
        let full = format!("{prefix}{key}");
        match (known.get(key), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(given)) => {
                check_keys(known, given, &format!("{full}."), path)?;
            }
            (Some(_), _) => {}
            (None, _) => unknown.push(format!("`{full}`")),
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(invalid(path, &format!("unknown keys: {}", unknown.join(", ")))) }
}

fn lay_over(base: &mut toml::Table, layer: toml::Table) {
    for (key, value) in layer {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(layer)) => lay_over(base, layer),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("authx.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path)).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_a_configuration() {
        assert_eq!(Config::load(None).unwrap().server.bind.port(), 8181);
    }

    #[test]
    fn a_file_changes_what_it_names() {
        let config = load("[server]\nbind = \"0.0.0.0:1\"\n").unwrap();
        assert_eq!((config.server.bind.port(), config.limits.ancestors), (1, 1000));
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused_with_their_names() {
        assert!(load("[server]\nbnid = 1\nport = 2\n").unwrap_err().contains("`server.bnid`, `server.port`"));
        assert!(load("[sever]\n").unwrap_err().contains("`sever`"));
        assert!(load("[limits]\nancestors = 0\n").unwrap_err().contains("limits.ancestors"));
        assert!(load("[log]\nformat = \"xml\"\n").is_err());
    }
}
