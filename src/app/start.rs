//! What a start finds or makes: the installation's secret, the first tenant, the first keys.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::app::AppError;
use crate::clock::{Clock, fill_random};
use crate::decisions::LogSettings;
use crate::ids::TenantId;
use crate::keys::{KeySpec, Permission, make_key};
use crate::limits::TenantLimits;
use crate::pap::Author;
use crate::storage::Storage;
use crate::storage::records::{Beside, TenantRecord};

/// What the start made.
pub(super) struct Prepared {
    pub(super) dev_tenant: Option<TenantId>,
    /// Where the first keys were written, at a first normal start.
    pub(super) keys_file: Option<PathBuf>,
}

/// The secret of a data directory that was used before.
pub(super) fn read_secret(data_dir: &Path) -> Result<[u8; 32], AppError> {
    let path = data_dir.join("secret.key");
    let mut secret = [0; 32];
    let read = File::open(&path).and_then(|mut file| file.read_exact(&mut secret));
    read.map_err(|source| AppError::Io { what: format!("`{}` cannot be read", path.display()), source })?;
    Ok(secret)
}

/// The secret that authenticates tokens; made once for a data directory.
pub(super) fn secret(data_dir: &Path) -> Result<[u8; 32], AppError> {
    let path = data_dir.join("secret.key");
    let io = |source| AppError::Io { what: format!("`{}` cannot be used", path.display()), source };
    let mut secret = [0; 32];
    match File::open(&path) {
        Ok(mut file) => file.read_exact(&mut secret).map_err(io)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fill_random(&mut secret).map_err(|error| AppError::Other(error.to_string()))?;
            write_private(&path, &secret).map_err(io)?;
        }
        Err(error) => return Err(io(error)),
    }
    Ok(secret)
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let staged = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&staged, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Makes what a first start needs: in dev the tenant `dev`, else the tenant `default` and two keys in `keys.json`.
pub(super) async fn prepare(storage: &Storage, clock: Clock, data_dir: &Path, dev: bool) -> Result<Prepared, AppError> {
    if dev {
        return Ok(Prepared { dev_tenant: Some(tenant(storage, clock, "dev").await?), keys_file: None });
    }
    if !storage.keys.list(None, None, 1).await?.is_empty() {
        return Ok(Prepared { dev_tenant: None, keys_file: None });
    }
    let tenant = tenant(storage, clock, "default").await?;
    let spec = |tenant, name: &str| KeySpec {
        tenant,
        name: name.to_owned(),
        permissions: vec![Permission::Admin],
        stores: None,
        expires_at: None,
    };
    let random = |error: getrandom::Error| AppError::Other(error.to_string());
    let platform = make_key(spec(None, "platform"), clock).map_err(random)?;
    let admin = make_key(spec(Some(tenant), "admin"), clock).map_err(random)?;
    let path = data_dir.join("keys.json");
    let text = serde_json::json!({"tenant": tenant, "platform_key": platform.secret, "admin_key": admin.secret});
    // The file first: keys that nobody can read are of no use, a file whose keys do not work yet is written again.
    let io = |source| AppError::Io { what: format!("`{}` cannot be written", path.display()), source };
    write_private(&path, format!("{text:#}\n").as_bytes()).map_err(io)?;
    for key in [&admin.record, &platform.record] {
        storage.keys.insert(key, Beside::events(&[author().of_new_key(key)])).await?;
    }
    Ok(Prepared { dev_tenant: None, keys_file: Some(path) })
}

/// Every tenant.
pub(super) async fn tenants(storage: &Storage) -> Result<Vec<TenantRecord>, AppError> {
    let mut tenants: Vec<TenantRecord> = Vec::new();
    loop {
        let page = storage.tenants.list(tenants.last().map(|tenant| &tenant.id), 1_000).await?;
        if page.is_empty() {
            return Ok(tenants);
        }
        tenants.extend(page);
    }
}

/// Who makes what is made here, for the record.
fn author() -> Author {
    Author::process("start")
}

/// The tenant that a first start made.
pub(super) async fn default_tenant(storage: &Storage) -> Result<TenantId, AppError> {
    let missing = || AppError::Other("files go to the tenant `default`, which is not there".to_owned());
    first_named(storage, "default").await?.ok_or_else(missing)
}

/// The tenant of that name that was made first.
async fn first_named(storage: &Storage, name: &str) -> Result<Option<TenantId>, AppError> {
    let tenants = storage.tenants.list(None, 1_000).await?;
    Ok(tenants.into_iter().find(|tenant| tenant.name == name).map(|tenant| tenant.id))
}

/// The tenant of that name that was made first, or a new one.
async fn tenant(storage: &Storage, clock: Clock, name: &str) -> Result<TenantId, AppError> {
    if let Some(found) = first_named(storage, name).await? {
        return Ok(found);
    }
    let (limits, decisions) = (TenantLimits::default().text(), LogSettings::default().text());
    let (id, name) = (clock.tenant_id(), name.to_owned());
    let record = TenantRecord { id, name, limits, decisions, created_at: clock.now(), deleted_at: None };
    let events = author().of_tenant("tenant.create", &record.id, &serde_json::json!({"name": record.name}));
    storage.tenants.insert(&record, None, Beside::events(&events)).await?;
    Ok(record.id)
}
