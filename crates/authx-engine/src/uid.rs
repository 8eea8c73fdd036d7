//! Entity ids: how they are written, read and compared.
//!
//! An id is built from its parts, never by gluing strings together, so no character in it can change its type.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smol_str::SmolStr;

use crate::cedar::{Eid, EntityType, EntityUID, FromNormalizedStr, Name};

/// The longest entity id or type name that is read, in bytes.
pub const MAX_ID_BYTES: usize = 4096;

/// The name of an entity: its type and its id.
///
/// Written `User::"alice"` (Cedar), `User:alice` (short) or `{"type":"User","id":"alice"}` (JSON).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityUid(pub(crate) EntityUID);

/// Why a reference to an entity could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntityUidError {
    #[error("`{text}` is no entity: write `Type:id`, `Type::\"id\"` or {{\"type\":\"Type\",\"id\":\"id\"}}")]
    Form { text: String },
    #[error("`{text}` is no entity type name")]
    TypeName { text: String },
    #[error("an entity id or type is longer than {MAX_ID_BYTES} bytes")]
    TooLong,
}

impl EntityUid {
    /// Builds an id from a type name and any text.
    ///
    /// # Errors
    /// When `type_name` is no Cedar name such as `User` or `App::User`, or a part is too long.
    pub fn new(type_name: &str, id: impl Into<SmolStr>) -> Result<Self, EntityUidError> {
        let id = id.into();
        if id.len() > MAX_ID_BYTES {
            return Err(EntityUidError::TooLong);
        }
        Ok(Self(EntityUID::from_components(parse_type(type_name)?, Eid::new(id), None)))
    }

    /// Reads the Cedar text form or the short form, which is split at the first single colon.
    ///
    /// # Errors
    /// When the text has neither form.
    pub fn parse(text: &str) -> Result<Self, EntityUidError> {
        let form = || EntityUidError::Form { text: excerpt(text) };
        if text.len() > 2 * MAX_ID_BYTES {
            return Err(EntityUidError::TooLong);
        }
        if let Some((type_name, quoted)) = text.strip_suffix('"').and_then(|t| t.split_once("::\"")) {
            if quoted.contains(['\\', '"']) {
                let uid: EntityUID = text.parse().map_err(|_| form())?;
                let (ty, eid) = uid.components();
                return Ok(Self(EntityUID::from_components(ty.with_loc(None), eid, None)));
            }
            return Self::new(type_name, quoted);
        }
        let (type_name, id) = split_short(text).ok_or_else(form)?;
        Self::new(type_name, id)
    }

    /// The type's full name, such as `App::User`.
    #[must_use]
    pub fn type_name(&self) -> String {
        self.0.entity_type().to_string()
    }

    /// The id, unescaped.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.eid().as_ref()
    }

    /// Whether this names an action: its type's base name is `Action`.
    #[must_use]
    pub fn is_action(&self) -> bool {
        self.0.is_action()
    }
}

/// Reads an action: any form of [`EntityUid`], or a bare name, which means `Action::"name"`.
///
/// # Errors
/// When an explicit form is broken.
pub fn parse_action(text: &str) -> Result<EntityUid, EntityUidError> {
    if split_short(text).is_some_and(|(ty, _)| ty == "Action" || ty.ends_with("::Action")) || text.contains("::\"") {
        return EntityUid::parse(text);
    }
    EntityUid::new("Action", text)
}

pub(crate) fn parse_type(type_name: &str) -> Result<EntityType, EntityUidError> {
    if type_name.len() > MAX_ID_BYTES {
        return Err(EntityUidError::TooLong);
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(ty) = known.get(type_name) {
            return Ok(ty.clone());
        }
        let name =
            Name::from_normalized_str(type_name).map_err(|_| EntityUidError::TypeName { text: excerpt(type_name) })?;
        let ty = EntityType::from(name).with_loc(None);
        if type_name.len() <= 128 {
            if known.len() == KNOWN_TYPES {
                known.clear();
            }
            known.insert(SmolStr::new(type_name), ty.clone());
        }
        Ok(ty)
    })
}

/// How many type names a thread remembers.
const KNOWN_TYPES: usize = 256;

thread_local! {
    /// Cedar checks a name with a regular expression, which would be an eighth of a whole request. The same few names
    /// come with every one; what a name parses to never changes, so remembering it changes no answer.
    static KNOWN: RefCell<HashMap<SmolStr, EntityType, foldhash::fast::RandomState>> = RefCell::default();
}

/// Splits at the first colon that is not part of `::`.
fn split_short(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..)?.iter().position(|b| *b == b':') {
        let colon = at + found;
        if bytes.get(colon + 1) == Some(&b':') {
            at = colon + 2;
            continue;
        }
        return Some((text.get(..colon)?, text.get(colon + 1..)?));
    }
    None
}

fn excerpt(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(80).chain("…".chars()).collect() }
}

impl fmt::Display for EntityUid {
    /// As Cedar shows it; the ids that it shows as they are need not go through its escaping.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\');
        if !self.id().bytes().all(plain) {
            return self.0.fmt(f);
        }
        let ty = self.0.entity_type().name().as_ref();
        for namespace in ty.namespace_components() {
            f.write_str(namespace.as_ref())?;
            f.write_str("::")?;
        }
        f.write_str(ty.basename().as_ref())?;
        f.write_str("::\"")?;
        f.write_str(self.id())?;
        f.write_str("\"")
    }
}

impl fmt::Debug for EntityUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for EntityUid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut parts = serializer.serialize_struct("EntityUid", 2)?;
        parts.serialize_field("type", &self.type_name())?;
        parts.serialize_field("id", self.id())?;
        parts.end()
    }
}

impl<'de> Deserialize<'de> for EntityUid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor { action: false })
    }
}

/// An action in a request: `"read"`, `Action::"read"`, `Action:read` or the JSON form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionUid(pub EntityUid);

impl<'de> Deserialize<'de> for ActionUid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor { action: true }).map(Self)
    }
}

/// Reads a reference in any of its forms; `{"__entity":{…}}` is Cedar's own escape for the JSON form.
struct ReferenceVisitor {
    action: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    r#type: String,
    id: String,
}

impl<'de> de::Visitor<'de> for ReferenceVisitor {
    type Value = EntityUid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entity: `Type:id`, `Type::\"id\"` or {\"type\":…,\"id\":…}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<EntityUid, E> {
        let uid = if self.action { parse_action(text) } else { EntityUid::parse(text) };
        uid.map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<EntityUid, A::Error> {
        use de::Error as _;
        let (mut type_name, mut id): (Option<String>, Option<String>) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" if type_name.is_none() => type_name = Some(map.next_value()?),
                "id" if id.is_none() => id = Some(map.next_value()?),
                "__entity" if type_name.is_none() && id.is_none() => {
                    let parts: Parts = map.next_value()?;
                    (type_name, id) = (Some(parts.r#type), Some(parts.id));
                }
                "type" | "id" | "__entity" => return Err(A::Error::custom(format!("duplicate field `{key}`"))),
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        let type_name = type_name.ok_or_else(|| A::Error::missing_field("type"))?;
        let id = id.ok_or_else(|| A::Error::missing_field("id"))?;
        EntityUid::new(&type_name, id).map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, type_name: &str, id: &str) {
        let uid = EntityUid::parse(text).unwrap();
        assert_eq!((uid.type_name().as_str(), uid.id()), (type_name, id), "{text}");
    }

    #[test]
    fn forms() {
        check("User:alice", "User", "alice");
        check("User:a:b", "User", "a:b");
        check("App::User:alice", "App::User", "alice");
        check("App::User:", "App::User", "");
        check("User::\"alice\"", "User", "alice");
        check("User::\"a\\\"b\\n\"", "User", "a\"b\n");
        check("User:\u{1f980} /\n", "User", "\u{1f980} /\n");
        assert_eq!(EntityUid::parse(r#"A::B::"x::y""#).unwrap().id(), "x::y");
    }

    #[test]
    fn shown_as_cedar_shows_them() {
        for c in (0..=0x2ff).chain([0x1f980, 0x200d, 0x301, 0xfeff]).filter_map(char::from_u32) {
            for id in [String::from(c), format!("a{c}b")] {
                for type_name in ["User", "App::User"] {
                    let uid = EntityUid::new(type_name, &id).unwrap();
                    assert_eq!(uid.to_string(), uid.0.to_string());
                }
            }
        }
    }

    #[test]
    fn refused() {
        for text in ["", "User", "1User:x", "User::alice", "::x", "if:x", "User::\"a", "__cedar::X:y"] {
            assert!(EntityUid::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn remembered_types_are_those_that_were_parsed() {
        for round in 0..3 {
            for n in 0..2 * KNOWN_TYPES {
                assert_eq!(parse_type(&format!("A::T{n}")).unwrap().to_string(), format!("A::T{n}"), "{round}");
            }
            assert!(parse_type("not a type").is_err());
        }
    }

    #[test]
    fn actions() {
        let name = |t: &str| parse_action(t).unwrap().to_string();
        assert_eq!(name("read"), r#"Action::"read""#);
        assert_eq!(name("doc:read"), r#"Action::"doc:read""#);
        assert_eq!(name("App::Action:read"), r#"App::Action::"read""#);
        assert_eq!(name(r#"App::Action::"read""#), r#"App::Action::"read""#);
    }

    #[test]
    fn json_forms_agree() {
        let a: EntityUid = serde_json::from_str(r#"{"type":"User","id":"a"}"#).unwrap();
        let b: EntityUid = serde_json::from_str(r#"{"__entity":{"type":"User","id":"a"}}"#).unwrap();
        let c: EntityUid = serde_json::from_str(r#""User:a""#).unwrap();
        assert!(a == b && b == c);
        assert!(serde_json::from_str::<EntityUid>(r#"{"type":"User","type":"User","id":"a"}"#).is_err());
    }
}
