//! The data of a store at one revision: entities and template links. Immutable; a change makes the next one.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::bytes;
use crate::cedar::{EntityType, EntityUID, SchemaType, Value, ValueKind};
use crate::entity::{EntityRow, Parent, RowEntry, RowName, Shape};
use crate::json::JsonObject;
use crate::linking::Linking;
use crate::map::SharedMap;
use crate::policy::PolicyId;
use crate::schema::Schema;
use crate::uid::EntityUid;
use crate::value::{Findings, InputProblem, Place, Reader, Undeclared};

/// A set of rows, each found by its own name.
type Rows = SharedMap<RowEntry, ()>;

/// The most direct parents of one entity.
pub const MAX_PARENTS: usize = 1_000;

/// An entity as it is written or sent: Cedar's JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityInput {
    pub uid: EntityUid,
    #[serde(default)]
    pub attrs: JsonObject,
    #[serde(default)]
    pub parents: Vec<EntityUid>,
    #[serde(default)]
    pub tags: JsonObject,
}

/// A link as it is written: the values of a template's slots.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkInput {
    pub template: String,
    #[serde(default)]
    pub principal: Option<EntityUid>,
    #[serde(default)]
    pub resource: Option<EntityUid>,
}

/// One step from a store's data to the next.
#[derive(Debug, Clone)]
pub enum Change {
    PutEntity(Arc<EntityRow>),
    DeleteEntity(EntityUid),
    PutLink(PolicyId, Arc<LinkInput>),
    DeleteLink(PolicyId),
}

/// Entities and links. Cloning is cheap; clones share all that they have in common.
#[derive(Debug, Clone, Default)]
pub struct Data {
    rows: Rows,
    pub(crate) links: OrdMap<PolicyId, Arc<LinkInput>>,
    shapes: SharedMap<Arc<Shape>, ()>,
    types: SharedMap<EntityType, Arc<EntityType>>,
    /// Types of which some entity has, or had, parents.
    children: SharedMap<EntityType, ()>,
    bytes: usize,
}

impl Data {
    /// How many entities are stored.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.rows.len()
    }

    /// How many links are stored.
    #[must_use]
    pub fn link_count(&self) -> usize {
        self.links.len()
    }

    /// The bytes of names, ids and values of all entities and links.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    #[must_use]
    pub fn entity(&self, uid: &EntityUid) -> Option<&Arc<EntityRow>> {
        self.row(&uid.0)
    }

    pub(crate) fn row(&self, uid: &dyn RowName) -> Option<&Arc<EntityRow>> {
        self.rows.get_key_value(uid).map(|(entry, ())| &entry.0)
    }

    /// Whether some entity of a type has, or had, parents.
    pub(crate) fn may_have_parents(&self, ty: &EntityType) -> bool {
        self.children.contains_key(ty)
    }

    /// Every stored entity, in no order.
    pub fn entities(&self) -> impl Iterator<Item = &Arc<EntityRow>> {
        self.rows.keys().map(|entry| &entry.0)
    }

    /// The links, by id.
    pub fn links(&self) -> impl Iterator<Item = (&PolicyId, &Arc<LinkInput>)> {
        self.links.iter()
    }

    #[must_use]
    pub fn link(&self, id: &str) -> Option<&Arc<LinkInput>> {
        self.links.get(id)
    }

    /// Makes one change in place; clones made before are not touched.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::PutEntity(row) => {
                let row = self.share_names(row);
                if !row.parents.is_empty() && !self.children.contains_key(row.shape.ty.as_ref()) {
                    self.children.insert(row.shape.ty.as_ref().clone(), ());
                }
                let entry = RowEntry(row);
                self.bytes -= self.row(&entry).map_or(0, |before| bytes::of_entity(before));
                self.bytes += bytes::of_entity(&entry.0);
                self.rows.insert(entry, ());
            }
            Change::DeleteEntity(uid) => {
                let name: &dyn RowName = &uid.0;
                let before = self.rows.remove_with_key(name);
                self.bytes -= before.map_or(0, |(entry, ())| bytes::of_entity(&entry.0));
            }
            Change::PutLink(id, link) => {
                let before = self.links.insert(id.clone(), Arc::clone(link));
                self.bytes -= before.map_or(0, |before| bytes::of_link(id, &before));
                self.bytes += bytes::of_link(id, link);
            }
            Change::DeleteLink(id) => {
                let before = self.links.remove(id);
                self.bytes -= before.map_or(0, |before| bytes::of_link(id, &before));
            }
        }
    }

    /// Makes the row hold the type and attribute names that other rows of its kind hold already.
    fn share_names(&mut self, row: &Arc<EntityRow>) -> Arc<EntityRow> {
        let known = self.shapes.get_key_value(&row.shape).map(|(shape, ())| Arc::clone(shape));
        let shape = known.unwrap_or_else(|| {
            self.shapes.insert(Arc::clone(&row.shape), ());
            Arc::clone(&row.shape)
        });
        let foreign =
            |parent: &Parent| self.types.get(parent.ty.as_ref()).is_none_or(|ty| !Arc::ptr_eq(ty, &parent.ty));
        if Arc::ptr_eq(&shape, &row.shape) && !row.parents.iter().any(foreign) {
            return Arc::clone(row);
        }
        let types = &mut self.types;
        let parents = row.parents.iter().map(|parent| {
            let ty = if let Some(ty) = types.get(parent.ty.as_ref()) {
                Arc::clone(ty)
            } else {
                types.insert(parent.ty.as_ref().clone(), Arc::clone(&parent.ty));
                Arc::clone(&parent.ty)
            };
            Parent { ty, id: parent.id.clone() }
        });
        Arc::new(EntityRow {
            shape,
            id: row.id.clone(),
            values: row.values.clone(),
            parents: parents.collect(),
            tags: row.tags.clone(),
        })
    }
}

/// What entities are held to; nothing by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct DataRules<'a> {
    pub(crate) schema: Option<&'a Schema>,
    pub(crate) linking: Option<&'a Linking>,
}

impl<'a> DataRules<'a> {
    /// The schema that attributes and tags must conform to.
    #[must_use]
    pub fn schema(&self) -> Option<&'a Schema> {
        self.schema
    }

    /// What an entity says that only tuples may say, or that nobody may; also an action, which is not stored.
    #[must_use]
    pub fn forged(&self, input: &EntityInput, pointer: &str) -> Vec<InputProblem> {
        self.linking.map(|linking| linking.entity_problems(input, &Place::Root(pointer))).unwrap_or_default()
    }
}

/// Reads an entity that is to be stored. With a schema, declared types guide reading and all else is refused.
///
/// # Errors
/// Every problem of the entity, each with its pointer below `pointer`.
pub fn read_entity(input: &EntityInput, rules: DataRules<'_>, pointer: &str) -> Result<EntityRow, Vec<InputProblem>> {
    let mut findings = Findings { problems: rules.forged(input, pointer), ..Findings::default() };
    let row = read_row(input, rules.schema, pointer, Undeclared::Refuse, &mut findings);
    findings.tell_forged_once();
    if findings.problems.is_empty() { Ok(row) } else { Err(findings.problems) }
}

pub(crate) fn read_row(
    input: &EntityInput,
    schema: Option<&Schema>,
    pointer: &str,
    undeclared: Undeclared,
    findings: &mut Findings,
) -> EntityRow {
    let root = Place::Root(pointer);
    let info = schema.and_then(|schema| schema.types.get(input.uid.0.entity_type()));
    let admits = |uid: &EntityUID| schema.is_none_or(|schema| schema.admits(uid));
    let mut reader = Reader { findings, undeclared, admits: &admits };
    let declared = |name: &str| -> Option<&SchemaType> { info?.attributes.get(name).map(|attribute| &attribute.ty) };
    let attributes = reader.read_record(&input.attrs.0, &declared, info.is_none(), &Place::Key(&root, "attrs"));
    let tag = info.and_then(|info| info.tags.as_ref());
    let tags = reader.read_record(&input.tags.0, &|_| tag, info.is_none(), &Place::Key(&root, "tags"));
    let (names, values): (Vec<SmolStr>, Vec<ValueKind>) = attributes.into_iter().map(|(k, v)| (k, v.value)).unzip();
    let shape = Shape { ty: Arc::new(input.uid.0.entity_type().clone()), attributes: names.into() };
    if input.parents.len() > MAX_PARENTS {
        let message = format!("an entity has {} parents, more than {MAX_PARENTS}", input.parents.len());
        findings.problems.push(Place::Key(&root, "parents").problem("too_many_parents", message));
    }
    let mut parents: Vec<Parent> = Vec::new();
    for uid in input.parents.iter().take(MAX_PARENTS) {
        let parent = Parent { ty: Arc::new(uid.0.entity_type().clone()), id: SmolStr::new(uid.id()) };
        if !parents.contains(&parent) {
            parents.push(parent);
        }
    }
    EntityRow {
        shape: Arc::new(shape),
        id: SmolStr::new(input.uid.id()),
        values: values.into(),
        parents: parents.into(),
        tags: (!tags.is_empty()).then(|| Box::new(tags)),
    }
}

/// The attributes of a row as a map, to lay another over it.
pub(crate) fn attribute_map(row: &EntityRow) -> BTreeMap<SmolStr, ValueKind> {
    row.attributes().map(|(name, kind)| (name.clone(), kind.clone())).collect()
}

/// A row from loose parts; the names are not shared with a store's.
pub(crate) fn row_from(
    uid: &EntityUID,
    attributes: BTreeMap<SmolStr, ValueKind>,
    parents: Vec<Parent>,
    tags: BTreeMap<SmolStr, Value>,
) -> EntityRow {
    let (names, values): (Vec<SmolStr>, Vec<ValueKind>) = attributes.into_iter().unzip();
    EntityRow {
        shape: Arc::new(Shape { ty: Arc::new(uid.entity_type().clone()), attributes: names.into() }),
        id: SmolStr::new(AsRef::<str>::as_ref(uid.eid())),
        values: values.into(),
        parents: parents.into(),
        tags: (!tags.is_empty()).then(|| Box::new(tags)),
    }
}
