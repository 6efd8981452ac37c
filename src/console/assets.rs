//! Style, script, fonts and icons: embedded at build time (`build.rs`), served under names with a hash of the content.

use actix_web::http::header::{self, ContentEncoding, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Where they are.
pub(super) const FOLDER: &str = "/risorse/";

/// One file.
pub(super) struct Asset {
    name: &'static str,
    content_type: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

/// The file of this name.
pub(super) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

impl Asset {
    /// It, in the form that the browser takes.
    pub(super) fn response(&self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.content_type(self.content_type);
        response.insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"));
        response.insert_header((header::VARY, "Accept-Encoding"));
        let accepted = request.headers().get(header::ACCEPT_ENCODING).map(HeaderValue::to_str);
        match self.gzip.filter(|_| matches!(accepted, Some(Ok(text)) if text.contains("gzip"))) {
            Some(gzip) => response.insert_header(ContentEncoding::Gzip).body(gzip),
            None => response.body(self.plain),
        }
    }
}
