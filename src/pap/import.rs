//! One part of an import: what it puts takes the place of what is there, and how far the import has come is stored with it.

use authx_engine::{EntityInput, LinkInput, relation::Tuple};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::ids::Timestamp;
use crate::pap::PapError;
use crate::pap::data::{DataWrite, plan_link};
use crate::pap::once::Asked;
use crate::pap::tuples::{Otherwise, TupleChanges};
use crate::pap::writer::{Planned, Tentative, Write};
use crate::scope::StoreScope;
use crate::storage::records::AnswerRecord;

/// What an import has put until now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Lines that were read, blank ones too.
    pub lines: u64,
    pub entities: u64,
    pub tuples: u64,
    pub links: u64,
}

/// What an import is found by again.
#[must_use]
pub fn import_asked(scope: &StoreScope, id: &str) -> Asked {
    let key = Sha256::new().chain_update(b"import").chain_update([0]).chain_update(id.as_bytes()).finalize().into();
    Asked { owner: scope.into(), key, request: [0; 32] }
}

/// Lines that are put together.
#[derive(Debug, Clone, Default)]
pub struct ImportPart {
    pub entities: Vec<EntityInput>,
    pub tuples: Vec<Tuple>,
    pub links: Vec<(String, LinkInput)>,
    /// What the import is found by, and what it will have put.
    pub progress: Option<(Asked, Imported)>,
}

impl ImportPart {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty() && self.tuples.is_empty() && self.links.is_empty()
    }
}

impl Write for ImportPart {
    fn plan(&self, before: &Tentative, now: Timestamp) -> Result<Planned, PapError> {
        let put = self.tuples.clone();
        let tuples = TupleChanges { put, on_existing: Otherwise::Replace, ..TupleChanges::default() };
        let data = DataWrite { tuples, upsert: self.entities.clone(), ..DataWrite::default() };
        let mut planned = data.plan(before, now)?;
        for (id, link) in &self.links {
            let (row, change) = plan_link(&planned.after.snapshot, id, link)?;
            planned.record.links_put.push(row);
            planned.after.snapshot = planned.after.snapshot.with_changes(&[change]);
        }
        planned.record.summary = json!({"op": "import", "entities_put": planned.record.entities_put.len(),
            "tuples_put": planned.record.tuples_put.len(), "links_put": self.links.len()})
        .to_string();
        planned.record.answer = self.progress.map(|(Asked { owner, key, request }, imported)| AnswerRecord {
            owner,
            key,
            request,
            status: 200,
            etag: None,
            body: json!(imported).to_string().into_bytes(),
            at: now,
        });
        Ok(planned)
    }
}
