//! The flow that cancels another: its bytes, but for the operation and the flow's own name.

use crate::store::StoreError;

/// `sent`, which was published as `name`, as a cancellation with a name of its own.
///
/// The bytes are changed in place instead of being read and written again: what is repeated is then what was sent,
/// whichever version of this program wrote it. Neither pattern can occur earlier or inside a value: the flow's name
/// is the first attribute of that name, and in a value a quotation mark is written `&quot;`.
pub(super) fn cancellation(sent: &[u8], name: &str, new_name: &str) -> Result<Vec<u8>, StoreError> {
    let text = std::str::from_utf8(sent).ok();
    let cancelled = text.and_then(|text| {
        let text = replace(text, &format!(" Nome=\"{name}\""), &format!(" Nome=\"{new_name}\""))?;
        replace(&text, " TipoOperazione=\"I\"", " TipoOperazione=\"C\"")
    });
    cancelled
        .map(String::into_bytes)
        .ok_or_else(|| StoreError::Unreadable(format!("the flow {name} is not an insertion of ours")))
}

fn replace(text: &str, old: &str, new: &str) -> Option<String> {
    let (before, after) = text.split_once(old)?;
    Some([before, new, after].concat())
}
