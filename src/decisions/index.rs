//! The index beside a segment: 64 bytes for each record, so that a query reads the lines that match and no others.
//!
//! It holds hashes only, which may collide: who reads by it looks at the content, too. It can be made from its segment.

use std::hash::Hasher as _;

pub(super) const ENTRY_BYTES: usize = 64;

/// What one record is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entry {
    /// The ULID of a decision or an event; zero for records of the log about itself.
    pub(super) id: u128,
    /// Where the line begins.
    pub(super) offset: u64,
    /// Its bytes, without the end of line.
    pub(super) length: u32,
    pub(super) outcome: Outcome,
    pub(super) keys: Keys,
}

/// Hashes of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Keys {
    pub(super) principal: u64,
    pub(super) action: u64,
    pub(super) resource: u64,
    pub(super) store: u64,
}

/// What a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Outcome {
    #[default]
    None,
    Allow,
    Deny,
    /// No decision: a change of what is administered.
    Change,
    /// No decision: refused credentials.
    Security,
}

/// The hash of a name, the same in every version and on every machine.
pub(super) fn key(name: &str) -> u64 {
    let mut hasher = fnv::FnvHasher::default();
    hasher.write(name.as_bytes());
    hasher.finish()
}

impl Entry {
    /// The same entry of a line of another length, without its end.
    pub(super) fn of_length(self, length: u64) -> Self {
        Self { length: u32::try_from(length).unwrap_or(u32::MAX), ..self }
    }

    pub(super) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let outcome: u32 = match self.outcome {
            Outcome::None => 0,
            Outcome::Allow => 1,
            Outcome::Deny => 2,
            Outcome::Change => 3,
            Outcome::Security => 4,
        };
        let Keys { principal, action, resource, store } = self.keys;
        let pair = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let place = u64::from(self.length) << 32 | u64::from(outcome);
        let parts = [self.id, pair(self.offset, place), pair(principal, action), pair(resource, store)];
        let mut bytes = [0; ENTRY_BYTES];
        for (place, part) in bytes.as_chunks_mut::<16>().0.iter_mut().zip(parts) {
            *place = part.to_be_bytes();
        }
        bytes
    }

    /// Reads an entry; `None` when it is none.
    pub(super) fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let word = |at: usize| {
            let (words, _) = bytes.as_chunks::<8>();
            words.get(at).map(|word| u64::from_be_bytes(*word))
        };
        let outcome = match word(3)? & u64::from(u32::MAX) {
            0 => Outcome::None,
            1 => Outcome::Allow,
            2 => Outcome::Deny,
            3 => Outcome::Change,
            4 => Outcome::Security,
            _ => return None,
        };
        Some(Self {
            id: u128::from(word(0)?) << 64 | u128::from(word(1)?),
            offset: word(2)?,
            length: u32::try_from(word(3)? >> 32).ok()?,
            outcome,
            keys: Keys { principal: word(4)?, action: word(5)?, resource: word(6)?, store: word(7)? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_their_bytes() {
        for outcome in [Outcome::None, Outcome::Allow, Outcome::Deny, Outcome::Change, Outcome::Security] {
            let keys = Keys { principal: key("User::\"a\""), action: 2, resource: u64::MAX, store: key("s") };
            let entry = Entry { id: u128::MAX - 7, offset: 1 << 40, length: 700, outcome, keys };
            assert_eq!(Entry::from_bytes(&entry.to_bytes()), Some(entry));
        }
        assert_eq!(Entry::from_bytes(&[9; ENTRY_BYTES]), None);
        assert_eq!(key("foobar"), 0x8594_4171_f739_67e8, "as the hash is published");
    }
}
