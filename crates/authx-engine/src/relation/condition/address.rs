//! IP addresses and networks. An IPv4 address written as IPv6 (`::ffff:1.2.3.4`) is the IPv4 address, everywhere.

use core::net::IpAddr;

/// `None` for what is no address, and for one with a zone (`fe80::1%eth0`), which no network contains.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// An address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// `10.0.0.0/8`. Bits of the address beyond the prefix are allowed and mean nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let plain = bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
        let bits: u32 = if plain { bits.parse().ok()? } else { return None };
        let width = if address.is_ipv4() { 32 } else { 128 };
        if bits > width {
            return None;
        }
        match (address.to_canonical(), bits.checked_sub(96)) {
            (IpAddr::V4(mapped), Some(bits)) if address.is_ipv6() => Some(Self { address: mapped.into(), bits }),
            _ => Some(Self { address, bits }),
        }
    }

    /// An address of the other family is in no network.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}
