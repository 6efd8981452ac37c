//! Who is at the other end of the connection: the client's address, through the proxies that are believed.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;

use crate::config::check::Network;

/// The client's address: the nearest one that is not a trusted proxy's.
///
/// `X-Forwarded-For` is read from its end, and only as far as each address was written by a proxy that
/// `api.trusted_proxies` names: whatever a client writes there itself is never believed.
pub(crate) fn address(request: &HttpRequest, trusted: &[Network]) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = request.peer_addr()?.ip().to_canonical();
    let forwarded: Vec<&str> = request
        .headers()
        .get_all("X-Forwarded-For")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in forwarded.into_iter().rev() {
        if !is_trusted(address) {
            break;
        }
        match written(hop.trim()) {
            Some(next) => address = next.to_canonical(),
            None => break,
        }
    }
    Some(address)
}

/// An address as proxies write it: some add its port, and some put one of IPv6 in brackets.
fn written(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse().map(|socket: SocketAddr| socket.ip());
    bare.parse().or_else(|_| with_port()).ok()
}
