//! Which addresses are public: everything else is inside of some network, and nobody else's business. For whoever connects to
//! addresses that others choose.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of IPv4 that are not public: IANA's registry of special addresses, and Azure's host, which is at a public one.
const SPECIAL_V4: [([u8; 4], u8); 17] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Alibaba's metadata, too.
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([168, 63, 129, 16], 32),
    // Metadata of most clouds, too.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    // Oracle's metadata, too.
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast, what is reserved, broadcast.
    ([224, 0, 0, 0], 3),
];

/// What is not public of 2000::/3, the part of IPv6 that is in use.
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    // Teredo, benchmarks, hashes.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4: a relay takes it to the address of IPv4 that is in it.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Where translators reach IPv4.
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    first: IpAddr,
    bits: u8,
}

impl Net {
    /// Reads `ADDRESS/BITS`. `None` if it is no such text, or has bits after the network's.
    #[must_use]
    pub fn read(network: &str) -> Option<Self> {
        let (address, bits) = network.split_once('/')?;
        let net = Self { first: address.parse().ok()?, bits: bits.parse().ok()? };
        let (most, host_bits) = match net.first {
            IpAddr::V4(first) => (32, first.to_bits().checked_shl(u32::from(net.bits)).unwrap_or(0) != 0),
            IpAddr::V6(first) => (128, first.to_bits().checked_shl(u32::from(net.bits)).unwrap_or(0) != 0),
        };
        (net.bits <= most && !host_bits).then_some(net)
    }

    /// Whether an address is in it. One of IPv4 in another spelling is an address of IPv4.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        match (self.first, plain(address)) {
            (IpAddr::V4(first), IpAddr::V4(address)) => in_v4(address, first, self.bits),
            (IpAddr::V6(first), IpAddr::V6(address)) => in_v6(address, first, self.bits),
            _ => false,
        }
    }
}

/// Whether an address is public. One of IPv4 that is wrapped in one of IPv6 is what it wraps.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|&(first, bits)| in_v4(address, first.into(), bits)),
        IpAddr::V6(address) => {
            let is_in = |&(first, bits): &(Ipv6Addr, u8)| in_v6(address, first, bits);
            is_in(&PUBLIC_V6) && !SPECIAL_V6.iter().any(is_in)
        }
    }
}

/// The address that a connection arrives at: that of IPv4, where one of IPv6 only wraps it.
fn plain(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(wrapped) if in_v6(wrapped, NAT64.0, NAT64.1) => {
            let [.., a, b, c, d] = wrapped.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        plain => plain,
    }
}

fn in_v4(address: Ipv4Addr, first: Ipv4Addr, bits: u8) -> bool {
    let differs = address.to_bits() ^ first.to_bits();
    differs.checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
}

fn in_v6(address: Ipv6Addr, first: Ipv6Addr, bits: u8) -> bool {
    let differs = address.to_bits() ^ first.to_bits();
    differs.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_of_some_network_is_not_public() {
        for inside in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[test]
    fn the_rest_is_public() {
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "168.63.129.17",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:200::1",
            "2003::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        let net = |text: &str| Net::read(text);
        let has = |text: &str, address: &str| net(text).unwrap().has(address.parse().unwrap());
        assert!(has("10.1.0.0/16", "10.1.255.255") && !has("10.1.0.0/16", "10.2.0.0"));
        assert!(has("10.1.0.0/16", "::ffff:10.1.2.3"));
        assert!(has("127.0.0.1/32", "127.0.0.1") && !has("127.0.0.1/32", "127.0.0.2"));
        assert!(has("fd00::/8", "fd12::1") && !has("fd00::/8", "fe80::1") && !has("fd00::/8", "10.0.0.1"));
        assert!(has("0.0.0.0/0", "127.0.0.1") && !has("0.0.0.0/0", "::1") && has("::/0", "::1"));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "::/129", "fd00::1/8", "x/8", "10.0.0.0/-1", "/8"] {
            assert_eq!(net(wrong), None, "{wrong}");
        }
    }
}
