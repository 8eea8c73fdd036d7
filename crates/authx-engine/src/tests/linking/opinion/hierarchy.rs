//! Who is in what, entity by entity, as plain parents for Cedar.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Entities;
use serde_json::{Map, Value as Json, json};

use super::reference::Reference;
use super::rewrite::named;
use super::{Rows, Told};
use crate::EntityUid;

/// The parents of every entity that may be spoken of; `None` where they cannot be told.
pub(super) struct Hierarchy(BTreeMap<EntityUid, Option<BTreeSet<EntityUid>>>);

impl Hierarchy {
    pub(super) fn new(
        told: &Told<'_>,
        rows: &Rows,
        context: &Map<String, Json>,
        reference: &mut Reference<'_>,
    ) -> Self {
        let mut known = BTreeSet::from([told.request.principal.clone(), told.request.resource.clone()]);
        known.extend(rows.keys().chain(&told.policies.names).cloned());
        context.values().for_each(|value| named(value, &mut known));
        for row in rows.values() {
            row.attrs.0.values().chain(row.tags.0.values()).for_each(|value| named(value, &mut known));
        }
        let is_linked = |uid: &EntityUid| told.links.object(uid).is_some();
        let (mut parents, mut open) = (BTreeMap::new(), Vec::from_iter(known));
        while let Some(uid) = open.pop() {
            if parents.contains_key(&uid) {
                continue;
            }
            let stored = rows.get(&uid).map(|row| row.parents.as_slice()).unwrap_or_default();
            // Between linked types tuples alone tell.
            let stored = stored.iter().filter(|parent| !(is_linked(&uid) && is_linked(parent)));
            let of = reference.parents(&uid).map(|told| told.into_iter().chain(stored.cloned()).collect());
            open.extend(of.iter().flatten().cloned());
            parents.insert(uid, of);
        }
        Self(parents)
    }

    /// Plain entities, and whether a cycle had to be cut; `None` when it cannot be told what one of `asked` is in.
    pub(super) fn entities(&self, rows: &Rows, asked: &[EntityUid], limit: usize) -> Option<(Entities, bool)> {
        for uid in asked {
            let above = self.above(uid);
            let told = above.iter().chain([uid]).all(|uid| self.0.get(uid).is_none_or(Option::is_some));
            if !told || above.len() > limit {
                return None;
            }
        }
        if let Ok(entities) = self.plain(rows, &|uid| self.0[uid].clone().unwrap_or_default()) {
            return Some((entities, false));
        }
        // An entity that is in itself is in nothing; what is below it is in all that is above.
        let whole = |uid: &EntityUid| if self.above(uid).contains(uid) { BTreeSet::new() } else { self.above(uid) };
        Some((self.plain(rows, &whole).unwrap(), true))
    }

    fn plain(
        &self,
        rows: &Rows,
        parents: &dyn Fn(&EntityUid) -> BTreeSet<EntityUid>,
    ) -> Result<Entities, Box<cedar_policy::entities_errors::EntitiesError>> {
        let part = |of: Option<&Map<String, Json>>| {
            let present = of.into_iter().flatten().filter(|(_, value)| !value.is_null());
            present.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
        };
        let entity = |uid: &EntityUid| {
            let row = rows.get(uid);
            let (attrs, tags) = (part(row.map(|row| &row.attrs.0)), part(row.map(|row| &row.tags.0)));
            json!({"uid": uid, "attrs": attrs, "tags": tags, "parents": parents(uid)})
        };
        let all: Vec<Json> = self.0.keys().map(entity).collect();
        Entities::from_json_value(Json::Array(all), None).map_err(Box::new)
    }

    /// All that an entity is in.
    fn above(&self, uid: &EntityUid) -> BTreeSet<EntityUid> {
        let (mut above, mut open) = (BTreeSet::new(), vec![uid]);
        while let Some(of) = open.pop() {
            for parent in self.0.get(of).into_iter().flatten().flatten() {
                if above.insert(parent.clone()) {
                    open.push(parent);
                }
            }
        }
        above
    }
}
