//! What is wrong with or risky about the two listeners: what INPS reaches, and the back office.

use std::net::{IpAddr, SocketAddr};

use super::Finding;
use crate::config::{Config, Environment};

pub(super) fn check(config: &Config, findings: &mut Vec<Finding>) {
    for (key, bind) in [("api.bind", &config.api.bind), ("back_office.bind", &config.back_office.bind)] {
        if bind.parse::<SocketAddr>().is_err() {
            findings.push(Finding::wrong(
                key,
                format!("{bind:?} is not an address and a port"),
                "write for example 127.0.0.1:8081 or [::1]:8081",
            ));
        }
    }
    if let (Ok(api), Ok(back_office)) =
        (config.api.bind.parse::<SocketAddr>(), config.back_office.bind.parse::<SocketAddr>())
        && api == back_office
        && api.port() != 0
    {
        findings.push(Finding::wrong(
            "back_office.bind",
            format!("{api} is api.bind already, and a listener has an address of its own"),
            "give the back office another port",
        ));
    }
    if config.api.tls.is_none() && !is_loopback(&config.api.bind) && config.api.trusted_proxies.is_empty() {
        findings.push(Finding::risky(
            "api.tls",
            "data would leave over plain HTTP on an address that others can reach",
            "set api.tls, or name the proxy in front in api.trusted_proxies",
        ));
    }
    if config.api.tls.is_none()
        && is_loopback(&config.api.bind)
        && config.api.trusted_proxies.is_empty()
        && config.eservice.iter().any(|eservice| eservice.environment != Environment::Locale)
    {
        findings.push(Finding::risky(
            "api.trusted_proxies",
            "the call log would know the proxy's address alone, and no client address would be limited",
            "name the proxy in front, for example 127.0.0.1",
        ));
    }
    if config.api.refused_calls_per_minute == 0 {
        findings.push(Finding::risky(
            "api.refused_calls_per_minute",
            "one client could keep the processor busy, and fill the call log, with calls that nothing lets in",
            "leave it out for 120 calls a minute of one address",
        ));
    }
    check_back_office(config, findings);
    let proxies = [
        ("api.trusted_proxies", &config.api.trusted_proxies),
        ("back_office.trusted_proxies", &config.back_office.trusted_proxies),
    ];
    for (key, proxy) in
        proxies.iter().flat_map(|(key, proxies)| proxies.iter().map(move |proxy| (*key, proxy)))
    {
        if Network::parse(proxy).is_none() {
            findings.push(Finding::wrong(
                key,
                format!("{proxy:?} is neither an address nor a network"),
                "write for example 10.0.0.5 or 10.0.0.0/8",
            ));
        }
    }
    if let Some(url) = &config.api.public_url
        && !url.starts_with("https://")
        && config.eservice.iter().any(|eservice| eservice.environment != Environment::Locale)
    {
        findings.push(Finding::risky(
            "api.public_url",
            "INPS would reach the service without TLS",
            "publish the service under an https:// address",
        ));
    }
}

fn check_back_office(config: &Config, findings: &mut Vec<Finding>) {
    let back_office = &config.back_office;
    if back_office.tls.is_none() && !is_loopback(&back_office.bind) {
        findings.push(Finding::risky(
            "back_office.bind",
            "the back office would be reachable from other machines without TLS",
            "set back_office.tls, or bind it to 127.0.0.1 and reach it through a proxy that speaks TLS",
        ));
    }
    match &back_office.identity_header {
        Some(_) if back_office.trusted_proxies.is_empty() => findings.push(Finding::wrong(
            "back_office.identity_header",
            "nobody is named whose word on who is signed in could be believed",
            "name the identity proxy in back_office.trusted_proxies",
        )),
        Some(name) if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
            findings.push(Finding::wrong(
                "back_office.identity_header",
                format!("{name:?} is not the name of a header"),
                "write for example X-Remote-User",
            ));
        }
        _ => {}
    }
}

pub(super) fn is_loopback(bind: &str) -> bool {
    bind.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
}

/// A range of addresses, as `api.trusted_proxies` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `10.0.0.5`, or their IPv6 likes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, Some(prefix.parse::<u8>().ok()?)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// Whether `address` is within.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix);
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix);
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}
