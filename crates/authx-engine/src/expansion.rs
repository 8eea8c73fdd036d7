//! How large a schema becomes when its common types are written out.
//!
//! Cedar resolves a common type wherever it is used, so thirty lines that each use the one before twice would become a
//! billion types. The schema is measured before that, on Cedar's JSON form of it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::json::MAX_DEPTH;

/// Types that a schema may have once its common types are written out.
const MAX_TYPES: u64 = 200_000;

/// How many types a piece of a schema becomes, and how deep they are nested.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    types: u64,
    depth: usize,
}

struct Measure<'a> {
    /// By base name: names are not resolved yet, so the largest of those that a name may mean counts.
    common: HashMap<&'a str, Vec<&'a Value>>,
    known: HashMap<&'a str, Extent>,
    open: HashSet<&'a str>,
}

/// Checks the JSON form of a schema.
///
/// # Errors
/// Says what is too large.
pub(crate) fn check_expansion(schema: &Value) -> Result<(), String> {
    let mut common: HashMap<&str, Vec<&Value>> = HashMap::new();
    let namespaces = schema.as_object().into_iter().flat_map(|schema| schema.values());
    for types in namespaces.clone().filter_map(|namespace| namespace.get("commonTypes")?.as_object()) {
        for (name, ty) in types {
            common.entry(name).or_default().push(ty);
        }
    }
    let mut measure = Measure { common, known: HashMap::new(), open: HashSet::new() };
    let mut all = Extent::default();
    for namespace in namespaces {
        let extent = measure.of(namespace);
        all = Extent { types: all.types.saturating_add(extent.types), depth: all.depth.max(extent.depth) };
    }
    // Namespaces, their parts and the fields of an entity type are levels of the JSON and none of a type.
    if all.depth > 2 * MAX_DEPTH {
        return Err(format!("the schema's types are nested more than {MAX_DEPTH} deep"));
    }
    if all.types > MAX_TYPES {
        return Err(format!("the schema has more than {MAX_TYPES} types when its common types are written out"));
    }
    Ok(())
}

impl<'a> Measure<'a> {
    fn of(&mut self, value: &'a Value) -> Extent {
        let inner = match value {
            Value::Object(fields) => {
                let mut sum = Extent::default();
                for (key, field) in fields {
                    let extent = match field.as_str() {
                        Some(name) if key == "type" || key == "name" => self.of_name(name),
                        _ => self.of(field),
                    };
                    sum = Extent { types: sum.types.saturating_add(extent.types), depth: sum.depth.max(extent.depth) };
                }
                sum
            }
            Value::Array(items) => items.iter().fold(Extent::default(), |sum, item| {
                let extent = self.of(item);
                Extent { types: sum.types.saturating_add(extent.types), depth: sum.depth.max(extent.depth) }
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Extent::default(),
        };
        Extent { types: inner.types.saturating_add(1), depth: inner.depth + 1 }
    }

    fn of_name(&mut self, name: &'a str) -> Extent {
        let base = name.rsplit("::").next().unwrap_or(name);
        if let Some(known) = self.known.get(base) {
            return *known;
        }
        // A cycle is Cedar's to report.
        if !self.common.contains_key(base) || !self.open.insert(base) {
            return Extent::default();
        }
        let meant = self.common.get(base).cloned().unwrap_or_default();
        let largest = meant
            .into_iter()
            .map(|ty| self.of(ty))
            .fold(Extent::default(), |a, b| Extent { types: a.types.max(b.types), depth: a.depth.max(b.depth) });
        self.open.remove(base);
        self.known.insert(base, largest);
        largest
    }
}
