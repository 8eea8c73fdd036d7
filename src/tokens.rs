//! Opaque texts that come back from clients: consistency tokens and page tokens. Both are authenticated.
//!
//! A token is bytes and a MAC over them and over everything it is bound to; each input is written with its length,
//! so that no two sets of inputs make the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::InvalidLength;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::ids::{Revision, Timestamp};
use crate::scope::StoreScope;

const MAC_BYTES: usize = 16;
/// How long a page token is good for.
const PAGE_TOKEN_MILLIS: i64 = 60 * 60 * 1_000;

/// Makes and reads tokens with the installation's own secret.
#[derive(Clone)]
pub struct Tokens {
    /// Keyed once; each token continues a copy.
    keyed: Hmac<Sha256>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

/// What a consistency token says, once it is known to be ours and of this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    pub revision: Revision,
    /// The token was made before the store was restored: its revision says nothing about today's.
    pub other_epoch: bool,
}

/// Why a page token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageTokenError {
    #[error("the page token is not one that this list gave")]
    Invalid,
    #[error("the page token is older than an hour")]
    Expired,
}

impl Tokens {
    /// Tokens of the installation that holds `secret`.
    ///
    /// # Errors
    /// When the key is of no use; no token is then made.
    pub fn new(secret: [u8; 32]) -> Result<Self, InvalidLength> {
        Ok(Self { keyed: Hmac::new_from_slice(&secret)? })
    }

    /// The token of one store's revision.
    #[must_use]
    pub fn consistency(&self, scope: &StoreScope, epoch: &str, revision: Revision) -> String {
        let mut payload = revision.0.to_be_bytes().to_vec();
        payload.extend_from_slice(epoch.as_bytes());
        self.seal(&["consistency", scope.tenant().as_str(), scope.store().as_str()], payload)
    }

    /// Reads a consistency token of this store.
    #[must_use]
    pub fn read_consistency(&self, scope: &StoreScope, epoch: &str, token: &str) -> Option<Freshness> {
        let payload = self.open(&["consistency", scope.tenant().as_str(), scope.store().as_str()], token)?;
        let (revision, sealed_epoch) = payload.split_first_chunk::<8>()?;
        let revision = Revision(u64::from_be_bytes(*revision));
        Some(Freshness { revision, other_epoch: sealed_epoch != epoch.as_bytes() })
    }

    /// The token of the page behind `last`; `bound` is the tenant, the endpoint and the query.
    #[must_use]
    pub fn page(&self, bound: &[&str], last: &str, now: Timestamp) -> String {
        let mut payload = now.as_millis().to_be_bytes().to_vec();
        payload.extend_from_slice(last.as_bytes());
        self.seal(&[&["page"], bound].concat(), payload)
    }

    /// Where the next page begins.
    ///
    /// # Errors
    /// When the token was made for another list, altered, or too long ago.
    pub fn read_page(&self, bound: &[&str], token: &str, now: Timestamp) -> Result<String, PageTokenError> {
        let payload = self.open(&[&["page"], bound].concat(), token).ok_or(PageTokenError::Invalid)?;
        let (made, last) = payload.split_first_chunk::<8>().ok_or(PageTokenError::Invalid)?;
        if now.as_millis().saturating_sub(i64::from_be_bytes(*made)) > PAGE_TOKEN_MILLIS {
            return Err(PageTokenError::Expired);
        }
        String::from_utf8(last.to_vec()).map_err(|_| PageTokenError::Invalid)
    }

    /// A place in a log that is read on and on: it does not expire.
    #[must_use]
    pub fn cursor(&self, bound: &[&str], last: &str) -> String {
        self.seal(&[&["cursor"], bound].concat(), last.as_bytes().to_vec())
    }

    /// Where to read on; `None` when the cursor was made for another log or altered.
    #[must_use]
    pub fn read_cursor(&self, bound: &[&str], token: &str) -> Option<String> {
        String::from_utf8(self.open(&[&["cursor"], bound].concat(), token)?).ok()
    }

    fn seal(&self, bound: &[&str], mut payload: Vec<u8>) -> String {
        let mac = self.mac(bound, &payload);
        payload.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(payload)
    }

    fn open(&self, bound: &[&str], token: &str) -> Option<Vec<u8>> {
        if token.len() > 16_384 {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let mac = bytes.split_off(bytes.len().checked_sub(MAC_BYTES)?);
        bool::from(mac.ct_eq(&self.mac(bound, &bytes))).then_some(bytes)
    }

    fn mac(&self, bound: &[&str], payload: &[u8]) -> [u8; MAC_BYTES] {
        let mut mac = self.keyed.clone();
        for part in bound.iter().map(|part| part.as_bytes()).chain([payload]) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let full = mac.finalize().into_bytes();
        let mut short = [0; MAC_BYTES];
        short.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{StoreId, TenantId};

    fn scope(n: u128) -> StoreScope {
        StoreScope::new(TenantId::from_parts(1, 1), StoreId::from_parts(1, n))
    }

    #[test]
    fn a_consistency_token_is_bound_to_its_store_and_epoch() {
        let tokens = Tokens::new([7; 32]).unwrap();
        let token = tokens.consistency(&scope(1), "e1", Revision(42));
        let read = |scope: &StoreScope, epoch: &str, token: &str| tokens.read_consistency(scope, epoch, token);
        assert_eq!(read(&scope(1), "e1", &token), Some(Freshness { revision: Revision(42), other_epoch: false }));
        assert!(read(&scope(1), "e2", &token).unwrap().other_epoch);
        assert_eq!(read(&scope(2), "e1", &token), None);
        assert_eq!(Tokens::new([8; 32]).unwrap().read_consistency(&scope(1), "e1", &token), None);
    }

    #[test]
    fn every_altered_token_is_refused() {
        let tokens = Tokens::new([7; 32]).unwrap();
        let now = Timestamp::from_millis(1_000_000);
        let token = tokens.page(&["t", "list"], "last", now);
        assert_eq!(tokens.read_page(&["t", "list"], &token, now), Ok("last".to_owned()));
        assert_eq!(tokens.read_page(&["tl", "ist"], &token, now), Err(PageTokenError::Invalid));
        let later = Timestamp::from_millis(now.as_millis() + PAGE_TOKEN_MILLIS + 1);
        assert_eq!(tokens.read_page(&["t", "list"], &token, later), Err(PageTokenError::Expired));
        for at in 0..token.len() {
            for replacement in ["", "A", "-", "é", "AA"] {
                let altered = format!("{}{replacement}{}", &token[..at], &token[at + 1..]);
                assert!(altered == token || tokens.read_page(&["t", "list"], &altered, now).is_err(), "{altered}");
            }
        }
    }
}
