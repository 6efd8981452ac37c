//! The ways of being dishonest, one by one.

use serde_json::json;
use waas_comuni::inps::Check;

use super::fake::{FIRST_TS, Reply, Request, VOUCHER, flows, page};

/// A way of being dishonest, and the checks that fail for it.
pub(crate) type Case = (&'static str, fn(&Request, Reply) -> Reply, &'static [Check]);

/// Changes every page.
pub(crate) fn on_pages(request: &Request, reply: Reply, change: impl FnOnce(Reply) -> Reply) -> Reply {
    if request.pulls() { change(reply) } else { reply }
}

pub(crate) const CASES: &[Case] = &[
    (
        "the status is not a problem",
        |request, reply| match request.path.as_str() {
            "/status" => Reply::json(200, &json!({})),
            _ => reply,
        },
        &[Check::Status],
    ),
    (
        "the status is bad",
        |request, reply| if request.path == "/status" { Reply::problem(500) } else { reply },
        &[Check::Status],
    ),
    (
        "flows without a voucher",
        |request, reply| match &request.voucher {
            None if request.path == "/flussi" => page(&flows(), 0, request.limit),
            _ => reply,
        },
        &[Check::VoucherRequired],
    ),
    (
        "outcomes without a voucher",
        |request, reply| match &request.voucher {
            None if request.path == "/esiti" => Reply { status: 204, ..reply },
            _ => reply,
        },
        &[Check::VoucherRequired],
    ),
    (
        "an endless refusal",
        |request, reply| match &request.voucher {
            None if request.path == "/esiti" => Reply { body: " ".repeat(1024 * 1024 + 1), ..reply },
            _ => reply,
        },
        &[Check::VoucherRequired],
    ),
    (
        "a signature that nobody verifies",
        |request, reply| match request.voucher.as_deref() {
            Some(voucher) if voucher != VOUCHER => page(&[], 0, 0),
            _ => reply,
        },
        &[Check::VoucherVerified],
    ),
    (
        "another content type",
        |request, reply| on_pages(request, reply, |reply| Reply { media_type: "text/json", ..reply }),
        &[Check::Answer],
    ),
    (
        "a redirect",
        |request, reply| {
            on_pages(request, reply, |reply| {
                Reply { status: 302, ..reply }.with_header("Location", "/altrove")
            })
        },
        &[Check::Answer, Check::Complete],
    ),
    (
        "a failure on the way",
        |request, reply| {
            on_pages(request, reply, |reply| match request.since {
                Some(since) if since == u128::from(FIRST_TS) + 5 => Reply::problem(500),
                _ => reply,
            })
        },
        &[Check::Answer, Check::Complete],
    ),
    (
        "more beside the list",
        |request, reply| on_pages(request, reply, |reply| reply.edit(|body| body["totale"] = json!(7))),
        &[Check::Body, Check::Complete],
    ),
    (
        "half a page",
        |request, reply| {
            on_pages(request, reply, |reply| Reply { body: reply.body[..40].to_owned(), ..reply })
        },
        &[Check::Body, Check::Complete],
    ),
    (
        "no list",
        |request, reply| on_pages(request, reply, |reply| reply.edit(|body| *body = json!([]))),
        &[Check::Body, Check::Complete],
    ),
    (
        "more than was asked for",
        |request, reply| match request.since {
            Some(since) if request.pulls() => page(&flows(), since, request.limit + 1),
            _ => reply,
        },
        &[Check::Limit],
    ),
    (
        "a member too many",
        |request, reply| {
            on_pages(request, reply, |reply| reply.edit_second(|flusso| flusso["altro"] = json!("")))
        },
        &[Check::Members],
    ),
    (
        "a member of another type",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_second(|flusso| flusso["denominazione_ente"] = json!(1))
            })
        },
        &[Check::Members],
    ),
    (
        "a member too long",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_second(|flusso| flusso["denominazione_ente"] = json!("è".repeat(257)))
            })
        },
        &[Check::Members],
    ),
    (
        "a member missing",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_second(|flusso| drop(flusso.as_object_mut().unwrap().remove("flusso")))
            })
        },
        &[Check::Members],
    ),
    (
        "an entry that is none",
        |request, reply| {
            on_pages(request, reply, |reply| reply.edit_second(|flusso| *flusso = json!("flusso")))
        },
        &[Check::Members],
    ),
    (
        "another form of the code",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply
                    .edit_second(|flusso| flusso["codice_ente"] = json!("ATS01"))
                    .edit_document(|xml| xml.replace(r#"Codice="H501""#, r#"Codice="ATS01""#))
            })
        },
        &[Check::CodiceEnte],
    ),
    (
        "six decimals",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_second(|flusso| {
                    flusso["ts_flusso"] = json!(flusso["ts_flusso"].as_str().unwrap().replace('Z', "000Z"));
                })
            })
        },
        &[Check::TsFormat],
    ),
    (
        "an offset instead of Z",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_second(|flusso| {
                    flusso["ts_flusso"] = json!(flusso["ts_flusso"].as_str().unwrap().replace('Z', "+00:00"));
                })
            })
        },
        &[Check::TsFormat],
    ),
    (
        "two flows in one millisecond",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit(|body| {
                    if body.pointer("/elenco_flussi/1").is_some() {
                        body["elenco_flussi"][1]["ts_flusso"] = body["elenco_flussi"][0]["ts_flusso"].clone();
                    }
                })
            })
        },
        &[Check::TsOrder],
    ),
    (
        "the cursor's own flow again",
        |request, reply| match request.since {
            Some(since) if request.pulls() => page(&flows(), since.saturating_sub(1), request.limit),
            _ => reply,
        },
        &[Check::TsOrder, Check::IdUnique, Check::Complete],
    ),
    (
        "a flow that has no instant at the end of a page",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit(|body| {
                    if let Some(last) = body["elenco_flussi"].as_array_mut().unwrap().last_mut() {
                        last["ts_flusso"] = json!("ieri");
                    }
                })
            })
        },
        &[Check::TsFormat, Check::Complete],
    ),
    (
        "an id of another form",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_document(|xml| xml.replace(".20260301.", ".20260231.")).edit_second(|flusso| {
                    let id = flusso["id_flusso"].as_str().unwrap().replace(".20260301.", ".20260231.");
                    flusso["id_flusso"] = json!(id);
                })
            })
        },
        &[Check::IdForm],
    ),
    (
        "an id that comes twice",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply
                    .edit_document(|xml| {
                        xml.replacen("000002\"", "000001\"", 1).replacen("000005\"", "000004\"", 1)
                    })
                    .edit(|body| {
                        if body.pointer("/elenco_flussi/1").is_some() {
                            body["elenco_flussi"][1]["id_flusso"] =
                                body["elenco_flussi"][0]["id_flusso"].clone();
                        }
                    })
            })
        },
        &[Check::IdUnique],
    ),
    (
        "base64 in lines",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_second(|flusso| {
                    flusso["flusso"] = json!(format!("{}\n", flusso["flusso"].as_str().unwrap()));
                })
            })
        },
        &[Check::Base64],
    ),
    (
        "an attribute that the schema does not know",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_document(|xml| xml.replace("<Anagrafica ", "<Anagrafica Sesso=\"1\" "))
            })
        },
        &[Check::Schema],
    ),
    (
        "another name inside",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_document(|xml| xml.replace(" Nome=\"H501.", " Nome=\"H502."))
            })
        },
        &[Check::Nome],
    ),
    (
        "another ente inside",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_document(|xml| xml.replace(r#"Codice="H501""#, r#"Codice="F205""#))
            })
        },
        &[Check::Ente],
    ),
    (
        "another kind outside",
        |request, reply| {
            on_pages(request, reply, |reply| reply.edit_second(|flusso| flusso["tipo"] = json!("SINBA")))
        },
        &[Check::Tipo],
    ),
    (
        "a broken rule",
        |request, reply| {
            on_pages(request, reply, |reply| {
                reply.edit_document(|xml| xml.replace("CaratterePrestazione=\"1\" ", ""))
            })
        },
        &[Check::Rules],
    ),
    (
        "an old flow after the end",
        |request, reply| match request.since {
            Some(since) if request.pulls() && request.times == 1 && since == u128::from(FIRST_TS) + 6 => {
                page(&flows(), since - 1, 1)
            }
            _ => reply,
        },
        &[Check::End],
    ),
    (
        "another first page the second time",
        |request, reply| match request.since {
            Some(0) if request.pulls() && request.times == 1 => {
                page(&flows(), u128::from(FIRST_TS), request.limit)
            }
            _ => reply,
        },
        &[Check::Repeatable],
    ),
    (
        "a flow that changed its ente's name",
        |request, reply| match request.since {
            Some(0) if request.pulls() && request.times == 1 => {
                reply.edit_second(|flusso| flusso["denominazione_ente"] = json!("Roma Capitale"))
            }
            _ => reply,
        },
        &[Check::Repeatable],
    ),
    (
        "a year that the calendar lacks",
        |request, reply| match request.since {
            Some(100_000_000_000_000_000_000) => Reply::problem(400),
            _ => reply,
        },
        &[Check::Answer, Check::FarFuture],
    ),
    (
        "flows of the future",
        |request, reply| match request.since {
            Some(9_999_999_999_999) => page(&flows(), 0, 1),
            _ => reply,
        },
        &[Check::FarFuture],
    ),
    (
        "no cursor needed",
        |request, reply| match (request.path.as_str(), request.since) {
            ("/flussi", None) => page(&flows(), 0, 10),
            _ => reply,
        },
        &[Check::BadRequest],
    ),
    (
        "a refusal in HTML",
        |_, reply| if reply.status == 401 { Reply { media_type: "text/html", ..reply } } else { reply },
        &[Check::Problem],
    ),
    (
        "a refusal with more members",
        |_, reply| if reply.status == 400 { reply.edit(|body| body["causa"] = json!("")) } else { reply },
        &[Check::Problem],
    ),
    (
        "a refusal with another status inside",
        |_, reply| if reply.status == 400 { reply.edit(|body| body["status"] = json!(401)) } else { reply },
        &[Check::Problem],
    ),
    (
        "a wait without a time",
        |request, reply| {
            on_pages(request, reply, |reply| if request.times == 0 { Reply::problem(503) } else { reply })
        },
        &[Check::RetryAfter],
    ),
    (
        "a wait of more than an hour",
        |request, reply| {
            on_pages(request, reply, |reply| match request.since {
                Some(0) => Reply::problem(429).with_header("Retry-After", "3601"),
                _ => reply,
            })
        },
        &[Check::Complete, Check::RetryAfter],
    ),
    (
        "outcomes refused",
        |request, reply| if request.delivers() { Reply::problem(500) } else { reply },
        &[Check::Esiti],
    ),
    (
        "outcomes taken only once",
        |request, reply| if request.delivers() && request.times == 1 { Reply::problem(409) } else { reply },
        &[Check::EsitiAgain],
    ),
    (
        "outcomes of unknown flows refused",
        |request, reply| delivery(request, reply, |body| body.contains("X000.PS.19990101")),
        &[Check::EsitiUnknown],
    ),
    (
        "outcomes that are final",
        |request, reply| delivery(request, reply, |body| body.contains("Prova.")),
        &[Check::EsitiCorrected],
    ),
    (
        "outcomes taken in order only",
        |request, reply| {
            let reversed = r#"{"elenco_esiti":[{"id_flusso":"H501.SINBA"#;
            delivery(request, reply, |body| body.starts_with(reversed) && body.contains("H501.PS"))
        },
        &[Check::EsitiDisorder],
    ),
];

/// Refuses the deliveries of this kind.
fn delivery(request: &Request, reply: Reply, refused: impl FnOnce(&str) -> bool) -> Reply {
    if request.delivers() && refused(&request.body) { Reply::problem(404) } else { reply }
}
