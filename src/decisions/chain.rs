//! The chain: each record's hash covers the one before it and a salted commitment of its own content.
//!
//! A line has one form, byte by byte: `{"seq":7,"hash":"…","commitment":"…","salt":"…","content":{…}}`, or, when its
//! content was erased, `{"seq":7,"hash":"…","commitment":"…","erased":true}`. Reading a line takes no other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

pub(super) const SALT_BYTES: usize = 16;
/// Sets these hashes apart from those of anything else.
const DOMAIN: &[u8] = b"authx decision log 1";

/// A hash as text.
const TEXT_BYTES: usize = 43;

pub(super) type Hash = [u8; 32];
pub(super) type Salt = [u8; SALT_BYTES];

/// Where a chain stands: its last record's number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) hash: Hash,
}

impl Link {
    /// Before the first record.
    pub(super) const START: Self = Self { seq: 0, hash: [0; 32] };

    /// The link of the next record.
    pub(super) fn next(&self, commitment: &Hash) -> Self {
        let seq = self.seq + 1;
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(self.hash).chain_update(seq.to_be_bytes());
        Self { seq, hash: hash.chain_update(commitment).finalize().into() }
    }
}

/// Bytes as text: base64url without padding.
pub(super) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The hash that a text shows.
pub(super) fn hash_of(text: &str) -> Option<Hash> {
    let (hash, rest) = encoded(text.as_bytes())?;
    rest.is_empty().then_some(hash)
}

/// Hides a content behind its salt.
pub(super) fn commitment(salt: &Salt, content: &[u8]) -> Hash {
    Sha256::new().chain_update(salt).chain_update(content).finalize().into()
}

/// Appends the line of the record behind `before` and tells the chain's new end.
pub(super) fn push_line(out: &mut Vec<u8>, before: &Link, salt: &Salt, content: &[u8]) -> Link {
    let commitment = commitment(salt, content);
    let link = before.next(&commitment);
    out.extend_from_slice(br#"{"seq":"#);
    out.extend_from_slice(link.seq.to_string().as_bytes());
    push_text(out, br#","hash":""#, &link.hash);
    push_text(out, br#"","commitment":""#, &commitment);
    push_text(out, br#"","salt":""#, salt);
    out.extend_from_slice(br#"","content":"#);
    out.extend_from_slice(content);
    out.extend_from_slice(b"}\n");
    link
}

/// Appends bytes as text behind what comes before them.
fn push_text(out: &mut Vec<u8>, before: &[u8], bytes: &[u8]) {
    out.extend_from_slice(before);
    let mut text = [0; TEXT_BYTES];
    let length = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).unwrap_or_default();
    out.extend_from_slice(text.get(..length).unwrap_or_default());
}

/// Appends the line of a record whose content is taken out.
pub(super) fn push_erased(out: &mut Vec<u8>, line: &Line<'_>) {
    out.extend_from_slice(br#"{"seq":"#);
    out.extend_from_slice(line.seq.to_string().as_bytes());
    push_text(out, br#","hash":""#, &line.hash);
    push_text(out, br#"","commitment":""#, &line.commitment);
    out.extend_from_slice(b"\",\"erased\":true}\n");
}

/// A line that was read; nothing is verified yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) seq: u64,
    pub(super) hash: Hash,
    commitment: Hash,
    /// `None` when it was erased.
    kept: Option<(Salt, &'a [u8])>,
}

impl<'a> Line<'a> {
    /// Reads a line without its end; `None` when it has another form.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(br#"{"seq":"#)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = rest.split_at_checked(digits)?;
        let seq: u64 = str::from_utf8(number).ok()?.parse().ok()?;
        if seq.to_string().as_bytes() != number {
            return None;
        }
        let (hash, rest) = encoded(rest.strip_prefix(br#","hash":""#)?)?;
        let (commitment, rest) = encoded(rest.strip_prefix(br#"","commitment":""#)?)?;
        if rest == br#"","erased":true}"# {
            return Some(Self { seq, hash, commitment, kept: None });
        }
        let (salt, rest) = encoded(rest.strip_prefix(br#"","salt":""#)?)?;
        let content = rest.strip_prefix(br#"","content":"#)?.strip_suffix(b"}")?;
        Some(Self { seq, hash, commitment, kept: Some((salt, content)) })
    }

    /// The content; `None` when it was erased.
    pub(super) fn content(&self) -> Option<&'a [u8]> {
        self.kept.map(|(_, content)| content)
    }

    /// Verifies the line as the one behind `before`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn verify(&self, before: &Link) -> Result<Link, &'static str> {
        if self.seq != before.seq + 1 {
            return Err("its number is not the one after that of the record before");
        }
        if self.kept.is_some_and(|(salt, content)| commitment(&salt, content) != self.commitment) {
            return Err("its content is not what was committed to");
        }
        let link = before.next(&self.commitment);
        if link.hash == self.hash { Ok(link) } else { Err("its hash does not follow from the record before") }
    }
}

/// Bytes of a known number at the start of a text, in base64url without padding.
fn encoded<const N: usize>(text: &[u8]) -> Option<([u8; N], &[u8])> {
    let (encoded, rest) = text.split_at_checked((N * 4).div_ceil(3))?;
    let mut bytes = [0; N];
    // A spare bit that is set would be a byte that nothing covers: the decoder refuses it.
    let written = URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).ok()?;
    (written == N).then_some((bytes, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(contents: &[&str]) -> Vec<Vec<u8>> {
        let mut end = Link::START;
        let line = |content: &&str| {
            let mut out = Vec::new();
            end = push_line(&mut out, &end, &[content.len().to_le_bytes()[0]; SALT_BYTES], content.as_bytes());
            out.pop();
            out
        };
        contents.iter().map(line).collect()
    }

    #[test]
    fn a_chain_verifies_and_every_byte_of_it_counts() {
        let lines = lines(&[r#"{"a":1}"#, r#"{"b":"}"}"#, "{}"]);
        let mut link = Link::START;
        for line in &lines {
            for at in 0..line.len() {
                for bit in 0..8 {
                    let mut altered = line.clone();
                    altered[at] ^= 1 << bit;
                    let read = Line::read(&altered).map(|line| line.verify(&link));
                    assert!(!matches!(read, Some(Ok(_))), "byte {at}: {}", String::from_utf8_lossy(&altered));
                }
                assert!(!matches!(Line::read(&line[..at]).map(|line| line.verify(&link)), Some(Ok(_))), "cut at {at}");
            }
            link = Line::read(line).unwrap().verify(&link).unwrap();
        }
        assert_eq!(link.seq, 3);
        assert!(Line::read(&lines[2]).unwrap().verify(&Link::START).is_err(), "two are missing");
    }

    #[test]
    fn what_is_erased_leaves_a_chain_that_verifies() {
        let lines = lines(&["{\"who\":\"alice\"}", "{}"]);
        let mut erased = Vec::new();
        push_erased(&mut erased, &Line::read(&lines[0]).unwrap());
        let line = Line::read(erased.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!(line.content(), None);
        let end = line.verify(&Link::START).unwrap();
        assert!(Line::read(&lines[1]).unwrap().verify(&end).is_ok());
    }
}
