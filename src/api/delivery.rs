//! How an answer leaves: compressed for those who ask for it, and in pieces, so that a client that reads slowly costs
//! the answer that waits for it and no copy of it.

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding, Header, HeaderValue};
use actix_web::http::{ConnectionType, Method};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;

/// What is shorter fits into one packet as it is.
const SHORTEST_COMPRESSED: usize = 1400;
/// Of gzip's nine levels. Flows are base64, of which no level makes much less; `make bench` compares them.
const LEVEL: u32 = 1;
/// How much of an answer is handed to the connection at a time.
const PIECE: usize = 16 * 1024;

/// The same answer, as it leaves.
pub(super) async fn deliver(request: &HttpRequest, response: HttpResponse) -> HttpResponse {
    let (mut response, body) = response.into_parts();
    if request.head().upgrade() {
        // Clients that would rather speak HTTP/2 ask so, Java's among them. The library closes such a connection after
        // the answer, and left to it says `upgrade`: the client would send its next call into a closed connection.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let mut bytes = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return response.set_body(body),
    };
    if bytes.len() >= SHORTEST_COMPRESSED {
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if wants_gzip(request) {
            let plain = bytes.clone();
            if let Ok(Ok(compressed)) = web::block(move || gzip(&plain)).await {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                bytes = compressed.into();
            }
        }
    }
    if request.method() == Method::HEAD && !bytes.is_empty() {
        // Left to the library, the answer to a `HEAD` that others follow on the connection would have its body.
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        response.head_mut().no_chunking(true);
        return response.set_body(Nothing).map_into_boxed_body();
    }
    response.set_body(Pieces(bytes)).map_into_boxed_body()
}

/// Whether gzip is what the caller likes best. One that says nothing gets the answer as it is, and so does one that
/// accepts nothing at all.
fn wants_gzip(request: &HttpRequest) -> bool {
    let supported = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request)
        .ok()
        .and_then(|accepted| accepted.negotiate(supported.iter()))
        .is_some_and(|chosen| chosen == Encoding::Known(ContentEncoding::Gzip))
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::new(LEVEL));
    encoder.write_all(plain)?;
    encoder.finish()
}

/// The body of an answer whose head tells the length of another's.
struct Nothing;

impl MessageBody for Nothing {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

/// A body that is all there, and leaves piece by piece: the connection copies what it is given.
struct Pieces(Bytes);

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let length = self.0.len().min(PIECE);
        Poll::Ready((length > 0).then(|| Ok(self.0.split_to(length))))
    }
}
