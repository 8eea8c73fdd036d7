//! Entity ids as the ids of tuples, and back: one to one, so that no two entities share a tuple.
//!
//! What a tuple's text cannot hold is written `%XX`, byte by byte, and so is `%` itself. The id `*`, which stands for
//! everyone in a tuple, is `%2A`; the empty id is a lone `%`.

use std::borrow::Cow;

/// The id of the object that stands for an entity with this id.
pub(crate) fn encode(id: &str) -> Cow<'_, str> {
    match id {
        "" => Cow::Borrowed("%"),
        "*" => Cow::Borrowed("%2A"),
        _ if is_plain(id) || !id.chars().any(is_reserved) => Cow::Borrowed(id),
        _ => {
            let mut encoded = String::with_capacity(id.len() + 8);
            let mut buffer = [0; 4];
            for c in id.chars() {
                if is_reserved(c) {
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        encoded.push_str(&format!("%{byte:02X}"));
                    }
                } else {
                    encoded.push(c);
                }
            }
            Cow::Owned(encoded)
        }
    }
}

/// The entity id that an object's id stands for; `None` when [`encode`] gives it for none.
pub(crate) fn decode(id: &str) -> Option<Cow<'_, str>> {
    let decoded = match id {
        "" | "*" => return None,
        _ if is_plain(id) => return Some(Cow::Borrowed(id)),
        "%" => Cow::Borrowed(""),
        _ if !id.contains('%') => Cow::Borrowed(id),
        _ => Cow::Owned(percent_decoded(id)?),
    };
    // Other spellings, such as lower case or a letter in code, name no entity.
    (encode(&decoded) == id).then_some(decoded)
}

/// A text with its `%XX` as the bytes that they stand for; `None` when one stands for none, or they are no UTF-8.
#[must_use]
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Whether it surely has nothing reserved, as most ids.
fn is_plain(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'%' | b':' | b'#'))
}

fn is_reserved(c: char) -> bool {
    matches!(c, '%' | ':' | '#') || c.is_whitespace() || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_their_objects() {
        for (id, object) in [
            ("alice", "alice"),
            ("a@b/c|d", "a@b/c|d"),
            ("", "%"),
            ("%", "%25"),
            ("*", "%2A"),
            ("**", "**"),
            ("a:b#c", "a%3Ab%23c"),
            ("a b\t\n", "a%20b%09%0A"),
            ("\u{a0}", "%C2%A0"),
            ("\u{1f980}", "\u{1f980}"),
        ] {
            assert_eq!(encode(id), object);
            assert_eq!(decode(object).as_deref(), Some(id));
        }
    }

    #[test]
    fn objects_that_name_no_entity() {
        for object in ["*", "a:b", "%2a", "%61", "a%", "%4", "%GG", "%C2", "%%", "", "%3a", "a b"] {
            assert_eq!(decode(object), None, "{object}");
        }
    }

    #[test]
    fn no_two_ids_share_an_object() {
        let parts = ["", "%", "*", ":", "%2A", "%25", " ", "a", "%3A", "\u{85}"];
        let ids: Vec<String> = parts.iter().flat_map(|a| parts.iter().map(move |b| format!("{a}{b}"))).collect();
        for a in &ids {
            assert_eq!(decode(&encode(a)).as_deref(), Some(a.as_str()));
            for b in &ids {
                assert_eq!(a == b, encode(a) == encode(b), "{a} {b}");
            }
        }
    }
}
