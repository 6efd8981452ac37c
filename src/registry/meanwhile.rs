//! What a program does while a server works for it.

use std::thread;

use crate::store::StoreError;

/// Does `aside` and `work`: on a thread each if `apart`, else one after the other.
pub(crate) fn meanwhile<A: Send, B>(
    apart: bool,
    aside: impl FnOnce() -> Result<A, StoreError> + Send,
    work: impl FnOnce() -> B,
) -> (Result<A, StoreError>, B) {
    if !apart {
        return (aside(), work());
    }
    thread::scope(|scope| {
        let aside = thread::Builder::new().name("aside".to_owned()).spawn_scoped(scope, aside);
        let worked = work();
        let done = match aside {
            Ok(aside) => aside.join(),
            Err(error) => Ok(Err(StoreError::Unavailable(error.to_string()))),
        };
        let interrupted = |_| Err(StoreError::Unavailable("the work was interrupted".to_owned()));
        (done.unwrap_or_else(interrupted), worked)
    })
}
