//! Another reading of PDND's rules: whether a file would be taken, worked out without the product's code.

use std::collections::BTreeMap;

/// Every status that PDND lists.
pub(crate) const STATUSES: [u16; 63] = [
    100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307,
    308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421,
    422, 423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 511,
];

/// Purpose, status, voucher.
pub(crate) type Key = (String, u16, String);

/// The rows of `file`, or what PDND would find wrong with it.
pub(crate) fn read(file: &str, date: &str) -> Result<BTreeMap<Key, u64>, String> {
    let body = file
        .strip_prefix("date,purpose_id,status,token_id,requests_count\n")
        .ok_or("the header is not as it should be")?;
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut rows = BTreeMap::new();
    for line in body.lines() {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        if line.contains([';', '"', '\t', '\r', ' ']) {
            return wrong("a separator that is no comma");
        }
        let fields: Vec<&str> = line.split(',').collect();
        let [day, purpose, status, token, count] = fields[..] else { return wrong("not five fields") };
        if day != date {
            return wrong("another day");
        }
        if !is_uuid(purpose) || !is_uuid(token) {
            return wrong("not a UUID");
        }
        let Some(status) = status.parse().ok().filter(|status| STATUSES.contains(status)) else {
            return wrong("no status of the list");
        };
        if !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong("no count");
        }
        let Ok(count) = count.parse() else { return wrong("no count") };
        if rows.insert((purpose.to_owned(), status, token.to_owned()), count).is_some() {
            return wrong("a second row for the same");
        }
    }
    Ok(rows)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let hexadecimal = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(hexadecimal)
}

#[test]
fn the_judge_refuses_what_pdnd_would() {
    const UUID: &str = "6d0b2f0e-95a2-4d3a-8f44-6c1d8d4a2c11";
    let file = |row: &str| format!("date,purpose_id,status,token_id,requests_count\n{row}\n");
    let good = format!("2026-03-01,{UUID},200,{UUID},7");
    assert_eq!(read(&file(&good), "2026-03-01").unwrap().len(), 1);
    for bad in [
        good.replace(',', ";"),
        good.replace("2026", "2025"),
        good.replace("200", "299"),
        good.replace(",7", ",-7"),
        good.replace("6d0b", "6d0"),
        format!("{good}\n{good}"),
    ] {
        assert!(read(&file(&bad), "2026-03-01").is_err(), "{bad}");
    }
}
