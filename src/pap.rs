//! Use cases that change: tenants, keys, stores, releases and data. They know nothing of HTTP.

mod administration;
mod author;
mod compile;
mod data;
mod error;
mod expiry;
mod import;
mod keys;
mod limits;
mod once;
mod preconditions;
mod purge;
mod releases;
mod stores;
mod tuples;
mod writer;

pub use administration::{Administration, NewTenant, TenantUpdate, TenantView};
pub use author::Author;
pub use compile::{ValidationReport, validate};
pub use data::{DataWrite, LinkWrite};
pub use error::PapError;
pub use expiry::Expiry;
pub use import::{ImportPart, Imported, import_asked};
pub(crate) use limits::{read as read_limits, read_log_settings};
pub use once::{Answer, Asked, Once};
pub use preconditions::{PatternEnd, Precondition, TuplePattern, Wanted, entity_tag};
pub use purge::{Kept, Purge};
pub use releases::{Activation, Applied, ApplyRequest, PolicyEdit, Proposal, Releases};
pub use stores::{ChangedStore, NewStore, StoreChange, Stores};
pub use tuples::{Otherwise, TupleChanges};
pub use writer::{Committed, WriteQueues, Writers};
