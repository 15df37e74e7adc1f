//! Errors as RFC 9457 has them: `application/problem+json`.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Code, Error, Fault};

pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// An error that goes out.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub status: StatusCode,
    pub error: Error,
}

impl Problem {
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, error: Error::new(code, message) }
    }

    /// There is no such thing.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::Request, message)
    }

    /// A part of the request can't be understood.
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::Request, message)
    }

    pub fn busy(message: impl Into<String>) -> Self {
        Self::from(Error::new(Code::Busy, message))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { status: status(error.code), error }
    }
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::NoRelease | Code::Request => StatusCode::NOT_FOUND,
        Code::Unchanged | Code::NoSuccession | Code::Unanswered => StatusCode::CONFLICT,
        Code::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Code::RequestBody => StatusCode::BAD_REQUEST,
        code => match code.fault() {
            Fault::Host => StatusCode::INTERNAL_SERVER_ERROR,
            Fault::Broker | Fault::Store => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Configuration | Fault::Plugin | Fault::Model | Fault::Data => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        },
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, error: Error { code, message } } = self;
        let page = json!({
            "type": format!("urn:tailwater:error:{code}"),
            "title": code.title(),
            "status": status.as_u16(),
            "detail": message,
            "code": code.to_string(),
            "fault": code.fault().name(),
            "retry": code.retry(),
        });
        let mut response = Response::new(Body::from(page.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_fault_it_is_shows_in_the_status() {
        for (code, expected) in [
            (Code::PluginImport, 422),
            (Code::ModelGraph, 422),
            (Code::ReleaseFailed, 422),
            (Code::NoSuccession, 409),
            (Code::Unchanged, 409),
            (Code::Unanswered, 409),
            (Code::NoRelease, 404),
            (Code::BrokerUnreachable, 503),
            (Code::Busy, 503),
            (Code::Internal, 500),
        ] {
            assert_eq!(Problem::from(Error::new(code, "")).status.as_u16(), expected, "{code}");
        }
    }
}
