//! Identifiers, revisions and time stamps: parsed once, proved by their type.
//!
//! Nothing here reads a clock or a source of randomness: both are passed in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::{ULID_LEN, Ulid};

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("`{input}` is not the id of a {kind}: expected a ULID of 26 upper-case characters")]
    Ulid { kind: &'static str, input: String },
    #[error(
        "`{input}` is not an alias: expected 3 to 63 characters, a lower-case letter and then lower-case letters, digits and `-`"
    )]
    Alias { input: String },
}

/// The start of `input`: an error repeats enough to be recognised, not a megabyte.
fn shown(input: &str) -> String {
    input.chars().take(64).collect()
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        ///
        /// Ids compare as their text does, which is the order of their creation.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; ULID_LEN]); // INVARIANT: the canonical text of a ULID

        impl $name {
            /// Builds an id from milliseconds since 1970 (48 bits) and randomness (80 bits).
            #[must_use]
            pub fn from_parts(ms: u64, random: u128) -> Self {
                let mut text = [0; ULID_LEN];
                Ulid::from_parts(ms, random).array_to_str(&mut text);
                Self(text)
            }

            /// Reads the canonical text only, so that one id has one spelling.
            ///
            /// # Errors
            /// [`IdError::Ulid`] for every other text.
            pub fn parse(input: &str) -> Result<Self, IdError> {
                let refused = || IdError::Ulid { kind: $kind, input: shown(input) };
                let mut text = [0; ULID_LEN];
                let ulid = Ulid::from_string(input).map_err(|_| refused())?;
                if ulid.array_to_str(&mut text) != input {
                    return Err(refused());
                }
                Ok(Self(text))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                // A ULID is ASCII, so that the default is never taken.
                str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(input: &str) -> Result<Self, IdError> {
                Self::parse(input)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(input: String) -> Result<Self, IdError> {
                Self::parse(&input)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }
    };
}

ulid_id! {
    /// Names a tenant, the boundary of isolation.
    TenantId, "tenant"
}
impl TenantId {
    /// Stands for the installation itself where something belongs to no tenant. No tenant has it: an id begins with the
    /// time of its making.
    #[must_use]
    pub fn platform() -> Self {
        Self::from_parts(0, 0)
    }
}
ulid_id! {
    /// Names a store of a tenant.
    StoreId, "store"
}
ulid_id! {
    /// Names an immutable release of a store.
    ReleaseId, "release"
}
ulid_id! {
    /// Names an immutable relation model of a store.
    ModelId, "relation model"
}
ulid_id! {
    /// Names an API key; it is not the secret.
    KeyId, "key"
}

/// A readable name for a store, unique among the open stores of its tenant.
///
/// It never looks like an id: an id starts with a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreAlias(String); // INVARIANT: 3..=63 characters, [a-z][a-z0-9-]*

impl StoreAlias {
    /// Reads `[a-z][a-z0-9-]{2,62}`.
    ///
    /// # Errors
    /// [`IdError::Alias`] for every other text.
    pub fn parse(input: &str) -> Result<Self, IdError> {
        let first = input.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = input.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if first && rest && (3..=63).contains(&input.len()) {
            Ok(Self(input.to_owned()))
        } else {
            Err(IdError::Alias { input: shown(input) })
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for StoreAlias {
    type Err = IdError;

    fn from_str(input: &str) -> Result<Self, IdError> {
        Self::parse(input)
    }
}

impl TryFrom<String> for StoreAlias {
    type Error = IdError;

    fn try_from(input: String) -> Result<Self, IdError> {
        Self::parse(&input)
    }
}

impl From<StoreAlias> for String {
    fn from(alias: StoreAlias) -> Self {
        alias.0
    }
}

/// A store's counter of commits: gapless, starts at 0, never a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of the next commit.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, shown as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339: `2026-11-21T08:30:00Z`, with a fraction of a second or an offset if need be. What is finer than a
    /// millisecond is cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let rest = rest.strip_prefix(['T', 't'])?;
        let (clock, rest) = rest.split_at_checked(8)?;
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
            None => ("0", rest),
        };
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        let offset = match zone {
            "Z" | "z" => 0,
            _ => {
                let sign = if zone.starts_with('-') { -1 } else { 1 };
                let [hours, minutes] = numbers(zone.strip_prefix(['+', '-'])?, ':', [2, 2])?;
                sign * (hours * 60 + minutes) * 60_000
            }
        };
        let days = days_from_civil(year, month, day);
        if hour > 23 || minute > 59 || second > 60 || civil_from_days(days) != (year, month, day) || fraction.is_empty()
        {
            return None;
        }
        let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        Some(Self(days * 86_400_000 + (hour * 60 + minute) * 60_000 + second * 1000 + millis - offset))
    }
}

impl Timestamp {
    /// The time this long before.
    #[must_use]
    pub fn before(self, time: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 has the years 0000 to 9999; a year outside is written as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: i64 = 86_400_000;
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY));
        let of_day = self.0.rem_euclid(DAY);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
        if (0..=9999).contains(&year) {
            // What `write!` would say, for a tenth of its time: every decision is recorded with its time.
            let mut text = *b"0000-00-00T00:00:00.000Z";
            for (end, mut number) in
                [(4, year), (7, month), (10, day), (13, hour), (16, minute), (19, second), (23, milli)]
            {
                for digit in text.iter_mut().take(end).rev() {
                    if number == 0 {
                        break;
                    }
                    *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
                    number /= 10;
                }
            }
            return f.write_str(str::from_utf8(&text).unwrap_or_default());
        }
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Numbers of as many digits as given, with a separator between them.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// The day counted from 1970-01-01: the inverse of [`civil_from_days`], from the same source.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day counted from 1970-01-01 in the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // days since 0000-03-01: the leap day ends the year
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let id = TenantId::from_parts(1_700_000_000_000, 7);
        assert_eq!(TenantId::parse(id.as_str()), Ok(id));
        assert!(TenantId::from_parts(1, 0) < TenantId::from_parts(2, 0));
        let lower = id.as_str().to_lowercase();
        let long = format!("{id}0");
        for refused in ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", lower.as_str(), long.as_str(), "é"] {
            assert!(TenantId::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn aliases_are_bounded() {
        let longest = format!("a{}", "-".repeat(62));
        for good in ["abc", "a-1", longest.as_str()] {
            assert_eq!(StoreAlias::parse(good).unwrap().as_str(), good);
        }
        let long = format!("{longest}x");
        for bad in ["", "ab", "1ab", "-ab", "aBc", "a b", "aé1", "abc\n", long.as_str()] {
            assert!(StoreAlias::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn timestamps_read_as_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_123, "2024-02-29T23:59:59.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        }
        let _ = Timestamp::from_millis(i64::MIN).to_string();
        let _ = Timestamp::from_millis(i64::MAX).to_string();
    }
}
