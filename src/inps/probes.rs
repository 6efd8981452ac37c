//! Calls beside the pull: what must be refused, and what must be empty.

use super::check::{Check, printable};
use super::client::Answer;
use super::session::{Bearer, Session};
use super::{Credentials, Esiti, problem};

/// Cursors that no flow follows: a day of the year 2286, and the contract's largest.
const FAR: [&str; 2] = ["9999999999999", "100000000000000000000"];

/// Asks for the status. An error tells why the service cannot be reached.
pub(super) fn status(session: &mut Session<'_>) -> Result<(), String> {
    let answer = session.ask("/status", Bearer::None, None)?;
    let fault = problem::fault(&answer);
    session.tally.judge(Check::Status, answer.status == 200 && fault.is_none(), || {
        format!("{}{}", problem::describe(&answer), fault.map_or(String::new(), |fault| format!(", {fault}")))
    });
    Ok(())
}

/// Calls without a voucher, and with an altered one.
pub(super) fn without_voucher(session: &mut Session<'_>) {
    const PAGE: &str = "/flussi?since=0&limit=1";
    /// A delivery of nothing: taken or not, it changes nothing.
    const NOTHING: &str = r#"{"elenco_esiti":[]}"#;
    refused(session, Check::VoucherRequired, PAGE, Bearer::None, None, 401);
    if session.options.esiti != Esiti::None {
        refused(session, Check::VoucherRequired, "/esiti", Bearer::None, Some(NOTHING), 401);
    }
    if !matches!(session.options.credentials, Credentials::None) {
        refused(session, Check::VoucherVerified, PAGE, Bearer::Forged, None, 401);
    }
}

/// Calls with unusual cursors, and without one.
pub(super) fn cursors(session: &mut Session<'_>) {
    for since in FAR {
        let page = session.page(since);
        session.tally.judge(Check::FarFuture, page.as_ref().is_ok_and(Vec::is_empty), || match page {
            Ok(entries) => format!("since={since} gives {} flows", entries.len()),
            Err(error) => format!("since={since}: {error}"),
        });
    }
    refused(session, Check::BadRequest, "/flussi", Bearer::Own, None, 400);
}

fn refused(
    session: &mut Session<'_>,
    check: Check,
    path: &str,
    bearer: Bearer,
    body: Option<&str>,
    status: u16,
) {
    let answer = session.ask(path, bearer, body);
    let holds = answer.as_ref().is_ok_and(|answer: &Answer| answer.status == status);
    session.tally.judge(check, holds, || match answer {
        Ok(answer) => format!("{path}: {}", problem::describe(&answer)),
        Err(error) => format!("{path}: {}", printable(&error)),
    });
}
