//! The way of every request: which page, who asks, may they, is the form ours; then the handler, then the headers.
//!
//! What no line of the table admits is refused here, in one place.

use std::rc::Rc;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::form::Form;
use super::frame::{Frame, Message};
use super::pages::{self, Access, Answer, Found, Page};
use super::refusal::Refusal;
use super::ripresa::{Ripresa, is_resumable};
use super::visit::{self, Visit, Visitor};
use super::{Console, access, assets};
use crate::api::client;
use crate::call_log::Actor;
use crate::call_log::action::{Action, Kind, Way};
use crate::current::Current;
use crate::staff::door::DoorError;
use crate::staff::session::SessionId;

/// Where one signs in, and where one changes a password.
pub(super) const SIGN_IN: &str = "/accesso";
pub(super) const PASSWORD: &str = "/utenza/password";
/// Where one signs out.
pub(super) const SIGN_OUT: &str = "/uscita";

/// Answers every path of the console.
pub(super) async fn handle(
    request: HttpRequest,
    payload: Payload,
    console: Data<Current<Console>>,
) -> HttpResponse {
    let console = Data::from(console.get());
    let response = match request.path().strip_prefix(assets::FOLDER).map(assets::find) {
        Some(Some(asset)) => asset.response(&request),
        _ => {
            let mut response = answer(&console, &request, payload).await;
            // What a page shows is for one person, who may have left when another comes back to it.
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            tracing::info!(
                method = %request.method(),
                path = request.path(),
                status = response.status().as_u16(),
                "console"
            );
            response
        }
    };
    protected(response, console.secure)
}

async fn answer(console: &Data<Console>, request: &HttpRequest, payload: Payload) -> HttpResponse {
    let visitor = match visitor(console, request).await {
        Ok(visitor) => Rc::new(visitor),
        Err(refusal) => return plain(&refusal),
    };
    let answer = match pass(console, &visitor, request, payload).await {
        Ok(response) => Ok(response),
        Err(refusal) => refused(console, &visitor, request, &refusal),
    };
    let answer = match answer {
        Ok(response) if visitor.is_new && !response.headers().contains_key(header::SET_COOKIE) => {
            visit::with_cookie(response, console, &visitor.id)
        }
        answer => answer,
    };
    answer.unwrap_or_else(|refusal| plain(&refusal))
}

/// Who asks: by the session in the cookie, or by what the identity proxy says.
async fn visitor(console: &Console, request: &HttpRequest) -> Result<Visitor, Refusal> {
    let address = client::address(request, &console.proxies);
    let presented = cookie(request, visit::cookie_name(console));
    let account = match presented.clone() {
        Some(id) => console.door.whose(id).await?,
        None => None,
    };
    if let Some(name) = vouched_name(console, request) {
        return match account {
            Some(mut account) if account.name == name => {
                account.provisional = false;
                let id = presented.ok_or(Refusal::Unavailable)?;
                Ok(Visitor { id, account: Some(account), is_new: false, address })
            }
            _ => match console.door.vouched(&name, presented).await {
                Ok((account, id)) => {
                    let actor = Actor { user: account.name.clone(), way: Way::Console, client_ip: address };
                    console.appender.action(Action::new(&actor, Kind::SignedIn)).await?;
                    Ok(Visitor { id, account: Some(account), is_new: true, address })
                }
                Err(DoorError::Refused) => Err(Refusal::NoAccount),
                Err(error) => Err(error.into()),
            },
        };
    }
    let is_new = presented.is_none();
    let id = match presented {
        Some(id) => id,
        None => SessionId::generate().map_err(DoorError::from)?,
    };
    Ok(Visitor { id, account, is_new, address })
}

/// The id in the cookie of this name.
fn cookie(request: &HttpRequest, name: &str) -> Option<SessionId> {
    request
        .headers()
        .get_all(header::COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .and_then(SessionId::read)
}

/// The name in the header of the identity proxy, believed only from the addresses that are named.
fn vouched_name(console: &Console, request: &HttpRequest) -> Option<String> {
    let name = console.config.back_office.identity_header.as_deref()?;
    let peer = request.peer_addr()?.ip().to_canonical();
    if !console.proxies.iter().any(|network| network.contains(peer)) {
        return None;
    }
    let mut values = request.headers().get_all(name);
    match (values.next(), values.next()) {
        (Some(one), None) => one.to_str().ok().map(|name| name.trim().to_lowercase()),
        _ => None,
    }
}

async fn pass(
    console: &Data<Console>,
    visitor: &Rc<Visitor>,
    request: &HttpRequest,
    payload: Payload,
) -> Answer {
    let (page, parameters) = match pages::find(request.method(), request.path()) {
        Found::Page(page, parameters) => (page, parameters),
        Found::OtherMethod(allowed) => return Err(Refusal::OtherMethod(allowed)),
        Found::Nothing => return Err(Refusal::NotFound),
    };
    if let Err(refusal) = admit(page, visitor) {
        let asked = match refusal {
            Refusal::SignIn => late(console, visitor, page, request, payload).await,
            _ => None,
        };
        return asked.unwrap_or(Err(refusal));
    }
    let query = Form::parse(request.query_string().as_bytes())?;
    let (mut form, mut upload) = (Form::default(), None);
    if page.is_sent {
        same_site(console, request)?;
        (form, upload) = Form::read(request, payload, page.takes_file).await?;
        if !visitor.id.is_form_token(form.text("gettone")) {
            // Somebody has signed in again beside a form: it goes on where the browser itself vouches for our own page.
            let vouched = request.headers().get("sec-fetch-site").is_some_and(|site| site == "same-origin");
            let ripresa = Ripresa::of(page, request.path(), &form).filter(|_| vouched);
            let page = ripresa.ok_or(Refusal::Forged)?.page(console, visitor);
            return visit::show_with(StatusCode::FORBIDDEN, &page);
        }
    }
    let visit = Visit {
        console: Data::clone(console),
        visitor: Rc::clone(visitor),
        path: request.path().to_owned(),
        parameters,
        query,
        form,
        upload,
    };
    (page.handler)(visit).await
}

fn admit(page: &Page, visitor: &Visitor) -> Result<(), Refusal> {
    let standing = visitor.standing();
    match standing {
        _ if page.access.admits(standing) => Ok(()),
        None => Err(Refusal::SignIn),
        Some((_, true)) if matches!(page.access, Access::Roles(_)) => Err(Refusal::ChangePassword),
        Some(_) => Err(Refusal::Forbidden),
    }
}

/// The page that asks to sign in whoever has sent a form of ours and is signed in no longer, and that carries the form along;
/// none where there is nothing to carry.
async fn late(
    console: &Console,
    visitor: &Visitor,
    page: &Page,
    request: &HttpRequest,
    payload: Payload,
) -> Option<Answer> {
    if !is_resumable(page) || visitor.is_new {
        return None;
    }
    same_site(console, request).ok()?;
    let (form, _) = Form::read(request, payload, false).await.ok()?;
    let is_ours = visitor.id.is_form_token(form.text("gettone"));
    let ripresa = Ripresa::of(page, request.path(), &form).filter(|_| is_ours)?;
    Some(access::ask_again(Frame::new(console, visitor, SIGN_IN, access::TITLE), ripresa))
}

/// Whether what was sent comes from a page of ours, as far as the browser says.
fn same_site(console: &Console, request: &HttpRequest) -> Result<(), Refusal> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = text("host").unwrap_or_default();
    let ours = |origin: &str| {
        let public = console.config.back_office.public_url.as_deref();
        public.is_some_and(|url| url.trim_end_matches('/') == origin)
            || origin.strip_prefix("https://").or(origin.strip_prefix("http://")) == Some(host)
    };
    let site_is_ours = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
    if site_is_ours && text("origin").is_none_or(ours) { Ok(()) } else { Err(Refusal::Forged) }
}

/// The page that says why there is no other; or the way to where one must go first.
fn refused(console: &Console, visitor: &Visitor, request: &HttpRequest, refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::SignIn => {
            let back: String = url::form_urlencoded::byte_serialize(request.path().as_bytes()).collect();
            return Ok(visit::go_to(&match *request.method() {
                _ if ["/", SIGN_OUT].contains(&request.path()) => SIGN_IN.to_owned(),
                Method::GET | Method::HEAD => format!("{SIGN_IN}?poi={back}"),
                _ => format!("{SIGN_IN}?scaduto=si"),
            }));
        }
        Refusal::ChangePassword => return Ok(visit::go_to(PASSWORD)),
        _ => {}
    }
    let (title, text) = refusal.text();
    let frame = Frame::new(console, visitor, request.path(), title);
    let mut response = visit::show_with(refusal.status(), &Message { frame, text })?;
    match refusal {
        Refusal::OtherMethod(allowed) => {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        Refusal::Unavailable => {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
        }
        _ => {}
    }
    Ok(response)
}

/// What is said where not even a page can be made.
fn plain(refusal: &Refusal) -> HttpResponse {
    let (title, text) = refusal.text();
    let mut response = HttpResponse::build(refusal.status());
    if refusal.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((header::RETRY_AFTER, "30"));
    }
    response.content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><html lang=\"it\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body><main>\
         <h1>{title}</h1><p>{text}</p></main></body></html>"
    ))
}

/// Everything comes from here and goes nowhere else; a picture may also stand in a style, as Bootstrap Italia's do.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// The answer with the headers that keep a browser to it.
fn protected(mut response: HttpResponse, secure: bool) -> HttpResponse {
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        // Not no-referrer: with it browsers say that a form comes from nowhere (`Origin: null`).
        ("referrer-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
