//! The body of a request that was answered without being read to its end.
//!
//! actix-web reads on for as long as the client sends once a body in chunks is let go of, and waits without a limit
//! for more. While the body is held it closes the connection a second after the answer instead, so that nobody keeps
//! one open by never ending.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::{Bytes, Payload};

struct Held {
    body: BoxBody,
    _unread: Payload,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}

/// The same answer, which holds what is left of the request until it is sent.
pub(super) fn hold(response: HttpResponse, unread: Payload) -> HttpResponse {
    response.map_body(|_, body| Held { body, _unread: unread }.boxed())
}
