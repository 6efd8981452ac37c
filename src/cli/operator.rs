//! Who works at the command line, as the register of calls names them.

use crate::call_log::Actor;
use crate::call_log::action::Way;

/// The machine's users, by name and number (passwd(5)).
const USERS: &str = "/etc/passwd";
/// Whom `sudo` says it acts for. Only the user who is root can make it say something else.
const SUDO_USER: &str = "SUDO_USER";

/// The user of the machine under whom this process runs: as the kernel has it, not as the environment does.
pub(super) fn operator() -> Actor {
    let uid = rustix::process::getuid();
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    // A user of a directory service is not in the file, and is told by the number.
    let mut user = name(&users, uid.as_raw()).map_or_else(|| format!("uid {}", uid.as_raw()), str::to_owned);
    if uid.is_root()
        && let Ok(person) = std::env::var(SUDO_USER)
    {
        user = format!("{user} ({person})");
    }
    Actor { user, way: Way::Cli, client_ip: None }
}

fn name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}
