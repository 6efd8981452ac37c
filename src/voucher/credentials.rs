//! What came with a call to say who is calling, and the one token in it.

use super::refusal::Check;
use super::rules::Scheme;
use crate::config::DpopPolicy;

/// A check that failed, and why, in Italian.
pub(super) type Failure = (Check, String);

/// What came with a call to say who is calling, as it came.
#[derive(Clone, Debug, Default)]
pub struct Credentials<'a> {
    /// The value of every `Authorization` header.
    pub authorization: Vec<&'a [u8]>,
    /// The value of every `DPoP` header.
    pub dpop: Vec<&'a [u8]>,
    /// The value of every header [`HEADER`](super::evidence::HEADER).
    pub evidence: Vec<&'a [u8]>,
    /// The method of the request.
    pub method: &'a str,
    /// The path of the request.
    pub path: &'a str,
    /// The query of the request, without the question mark.
    pub query: &'a str,
}

impl<'a> Credentials<'a> {
    /// The one token (RFC 6750, section 2.1; RFC 9449, section 7.1), and how it came.
    pub(super) fn token(&self, dpop: DpopPolicy) -> Result<(Scheme, &'a str), Failure> {
        let fail = |check, detail: &str| Err((check, detail.to_owned()));
        let mut parameters = url::form_urlencoded::parse(self.query.as_bytes());
        if parameters.any(|(name, _)| name == "access_token") {
            return fail(
                Check::TokenInQuery,
                "il voucher va nell'intestazione Authorization, mai nell'indirizzo",
            );
        }
        let value = match self.authorization.as_slice() {
            [value] => str::from_utf8(value),
            [] => {
                let detail = "manca il voucher: chiederlo a PDND e inviarlo nell'intestazione Authorization";
                return fail(Check::CredentialsMissing, detail);
            }
            _ => {
                let detail = "l'intestazione Authorization compare più volte: inviarne una";
                return fail(Check::CredentialsRepeated, detail);
            }
        };
        let Ok(value) = value else {
            return fail(
                Check::TokenMalformed,
                "l'intestazione Authorization contiene caratteri non ammessi",
            );
        };
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let scheme = if scheme.eq_ignore_ascii_case("bearer") {
            Scheme::Bearer
        } else if scheme.eq_ignore_ascii_case("dpop") && dpop != DpopPolicy::Refuse {
            Scheme::Dpop
        } else {
            let detail =
                "lo schema di Authorization non è fra quelli ammessi: inviare il voucher come Bearer";
            return fail(Check::Scheme, detail);
        };
        Ok((scheme, token.trim_start_matches(' ')))
    }
}
