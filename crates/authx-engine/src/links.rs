//! Links bound to the templates of a release.

use std::sync::Arc;

use imbl::OrdMap;

use crate::cedar::{PolicyID, PolicySet, SlotId, Template, parse_policy_or_template};
use crate::data::{Change, Data, LinkInput};
use crate::index::ScopeIndex;
use crate::linking::{Ins, RESERVED, uid_reserved};
use crate::policy::{Policy, PolicyId, is_policy_id};
use crate::problem::Problem;
use crate::release::Release;
use crate::stack::on_large_stack;

/// The links of a store as policies of one release. It follows from release and data, and is kept beside them.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinkSet {
    pub(crate) index: ScopeIndex,
    bound: OrdMap<PolicyId, Arc<Policy>>,
}

impl LinkSet {
    pub(crate) fn new(release: Option<&Release>, data: &Data) -> Self {
        let mut links = Self::default();
        for (id, link) in data.links() {
            links.put(release, id, link);
        }
        links
    }

    /// The set after some changes of data.
    pub(crate) fn changed<'a>(&self, release: Option<&Release>, changes: impl Iterator<Item = &'a Change>) -> Self {
        let mut links = self.clone();
        for change in changes {
            match change {
                Change::PutLink(id, link) => links.put(release, id, link),
                Change::DeleteLink(id) => links.take(id),
                Change::PutEntity(_) | Change::DeleteEntity(_) => {}
            }
        }
        links
    }

    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.bound.values().map(AsRef::as_ref)
    }

    /// Files a link. One whose template the release lacks decides nothing there.
    fn put(&mut self, release: Option<&Release>, id: &PolicyId, link: &LinkInput) {
        self.take(id);
        let template = release.and_then(|release| release.policy(&link.template));
        if let Some(policy) = template.and_then(|template| bind(id, link, template).ok()) {
            let policy = Arc::new(policy);
            self.index.insert(&policy);
            self.bound.insert(id.clone(), policy);
        }
    }

    fn take(&mut self, id: &str) {
        if let Some(policy) = self.bound.remove(id) {
            self.index.remove(&policy);
        }
    }
}

fn bind(id: &PolicyId, link: &LinkInput, template: &Policy) -> Result<Policy, String> {
    if !template.is_template() {
        return Err(format!("`{}` is no template", link.template));
    }
    let principal = link.principal.as_ref().map(|uid| &uid.0);
    let resource = link.resource.as_ref().map(|uid| &uid.0);
    let scope = Arc::new(template.scope.bind(principal, resource)?);
    Ok(Policy::new(id.clone(), scope, Arc::clone(&template.body), Arc::clone(&template.source)))
}

/// Checks a link against a release: its id, its template and slots, and with `strict` Cedar's validation.
///
/// # Errors
/// The first problem.
pub fn check_link(release: &Release, id: &str, link: &LinkInput, strict: bool) -> Result<(), Problem> {
    let fail = |code, message: String| Err(Problem::error(code, message).with_policy(id));
    if !is_policy_id(id) {
        return fail("invalid_policy_id", format!("`{id}` is no policy id"));
    }
    if release.policy(id).is_some() {
        return fail("duplicate_policy_id", format!("the id `{id}` is a policy's"));
    }
    let Some(template) = release.policy(&link.template) else {
        return fail("unknown_template", format!("there is no template `{}`", link.template));
    };
    let id = PolicyId::new(id);
    let bound = match bind(&id, link, template) {
        Ok(bound) => bound,
        Err(message) => return fail("invalid_link", message),
    };
    if let Some(linked) = release.linked() {
        let mut slots = link.principal.iter().chain(&link.resource);
        if let Some(message) = slots.find_map(|uid| uid_reserved(&uid.0)) {
            return fail(RESERVED, message);
        }
        if let Err(refused) = Ins::new(linked, strict, &bound.scope).check_scope(None) {
            let problem = Problem::error(refused.code, refused.message).with_policy(id.as_str());
            return Err(match refused.hint {
                Some(hint) => problem.with_hint(hint),
                None => problem,
            });
        }
    }
    match release.effective_schema().filter(|_| strict) {
        Some(schema) => on_large_stack(|| validate(schema, &id, link, template)),
        None => Ok(()),
    }
}

fn validate(schema: &crate::schema::Schema, id: &PolicyId, link: &LinkInput, template: &Policy) -> Result<(), Problem> {
    let fail = |message: String| Problem::error("invalid_link", message).with_policy(id.as_str());
    let name = PolicyID::from_string(&link.template);
    let parsed: Template =
        parse_policy_or_template(Some(name.clone()), &template.source.text).map_err(|e| fail(e.to_string()))?;
    let mut set = PolicySet::new();
    set.add_template(parsed).map_err(|e| fail(e.to_string()))?;
    let slots = [(SlotId::principal(), &link.principal), (SlotId::resource(), &link.resource)];
    let values = slots.into_iter().filter_map(|(slot, uid)| uid.as_ref().map(|uid| (slot, uid.0.clone())));
    set.link(name, PolicyID::from_string(id), values.collect()).map_err(|e| fail(e.to_string()))?;
    match schema.validate(&set).errors.into_iter().next() {
        None => Ok(()),
        Some(found) => Err(match found.help {
            Some(help) => fail(found.message).with_hint(help),
            None => fail(found.message),
        }),
    }
}
