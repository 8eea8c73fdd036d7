//! What one request is answered from: a release and the data at one revision.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::{Change, Data, DataRules};
use crate::linking::Linking;
use crate::links::LinkSet;
use crate::policy::Policy;
use crate::relation::{Bound, Relations, Tuples};
use crate::release::Release;

/// How strictly a store holds requests, policies and data to its schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Everything conforms to the schema; without one this acts as `Off`.
    #[default]
    Strict,
    /// A schema gives action groups and entity links only.
    Off,
}

/// What a policy that errs counts as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyErrors {
    /// A permit that errs never matches; a forbid that errs counts as matched.
    #[default]
    Deny,
    /// As Cedar: a policy that errs is skipped.
    Cedar,
}

/// What attributes that a request sends do to stored ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestAttributes {
    /// They replace stored ones by key; sent parents add.
    #[default]
    Override,
    /// They count only where nothing is stored.
    Ignore,
}

/// How a store decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub validation: Validation,
    pub policy_errors: PolicyErrors,
    pub request_attributes: RequestAttributes,
}

/// A release and the data of one revision, ready to decide. Immutable, cheap to clone, shared by any number of threads.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) release: Option<Arc<Release>>,
    pub(crate) data: Arc<Data>,
    pub(crate) links: LinkSet,
    pub(crate) settings: Settings,
    pub(crate) revision: u64,
    tuples: Arc<Tuples>,
    /// The active model in the numbers of the tuples.
    bound: Option<Arc<Bound>>,
}

impl Snapshot {
    #[must_use]
    pub fn new(release: Option<Arc<Release>>, data: Arc<Data>, settings: Settings, revision: u64) -> Self {
        let links = LinkSet::new(release.as_deref(), &data);
        let (tuples, bound) = (Arc::default(), None);
        Self { release, data, links, settings, revision, tuples, bound }.bind()
    }

    /// The same with other tuples.
    #[must_use]
    pub fn with_tuples(&self, tuples: Tuples) -> Self {
        Self { tuples: Arc::new(tuples), ..self.clone() }.bind()
    }

    /// Binds the model anew where the one from before does not fit.
    fn bind(mut self) -> Self {
        let model = self.release.as_ref().and_then(|release| release.model());
        let fits = self.bound.as_ref().is_some_and(|bound| bound.fits(&self.tuples)) && model.is_some();
        if !fits {
            self.bound = model.map(|model| Arc::new(Bound::new(model, &self.tuples)));
        }
        self
    }

    /// The same data under another release.
    #[must_use]
    pub fn with_release(&self, release: Option<Arc<Release>>) -> Self {
        let links = LinkSet::new(release.as_deref(), &self.data);
        Self { release, links, bound: None, ..self.clone() }.bind()
    }

    /// The snapshot after some changes of data.
    #[must_use]
    pub fn with_changes(&self, changes: &[Change]) -> Self {
        let mut data = Data::clone(&self.data);
        for change in changes {
            data.apply(change);
        }
        let links = self.links.changed(self.release.as_deref(), changes.iter());
        Self { data: Arc::new(data), links, ..self.clone() }
    }

    #[must_use]
    pub fn with_settings(&self, settings: Settings) -> Self {
        Self { settings, ..self.clone() }
    }

    #[must_use]
    pub fn at_revision(&self, revision: u64) -> Self {
        Self { revision, ..self.clone() }
    }

    #[must_use]
    pub fn release(&self) -> Option<&Arc<Release>> {
        self.release.as_ref()
    }

    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    #[must_use]
    pub fn tuples(&self) -> &Tuples {
        &self.tuples
    }

    /// The bytes of names, ids and values of all entities, links and tuples.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.bytes() + self.tuples.bytes()
    }

    /// The active relation model on the tuples; `None` when the release has no model.
    #[must_use]
    pub fn relations(&self) -> Option<Relations<'_>> {
        let model = self.release.as_ref()?.model()?;
        Some(Relations::new(model, &self.tuples, self.bound.as_ref()?))
    }

    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The policies, templates and links that decide here.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        let of_release = self.release.iter().flat_map(|release| release.policies_after(None));
        of_release.map(AsRef::as_ref).chain(self.links.policies())
    }

    /// The store's commit that this snapshot shows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What data that is written is held to.
    #[must_use]
    pub fn data_rules(&self) -> DataRules<'_> {
        DataRules { schema: self.enforced_schema(), linking: self.linking() }
    }

    pub(crate) fn linking(&self) -> Option<&Linking> {
        self.release.as_ref()?.linking()
    }

    /// The schema that data and requests are held to: none when the store's validation is off.
    #[must_use]
    pub fn enforced_schema(&self) -> Option<&crate::schema::Schema> {
        match self.settings.validation {
            Validation::Strict => self.release.as_ref()?.schema(),
            Validation::Off => None,
        }
    }
}
