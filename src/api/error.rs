//! What the API says when it cannot answer: a closed set of codes, each with its status and a sentence.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The codes of the error answers, `code` in their JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    BodyInvalid,
    BodyTooLarge,
    BodyTimeout,
    MediaTypeUnsupported,
    ImageMissing,
    ImageAmbiguous,
    ImageNotBase64,
    ImageUnsupported,
    ImageTooSmall,
    ImageTooLarge,
    ImageCorrupt,
    NoDocument,
    ParameterInvalid,
    NotFound,
    MethodNotAllowed,
    Overloaded,
    Internal,
}

impl Code {
    /// All of them, in the order in which the OpenAPI document lists them.
    pub(super) const ALL: [Self; 20] = [
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::BodyInvalid,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::MediaTypeUnsupported,
        Self::ImageMissing,
        Self::ImageAmbiguous,
        Self::ImageNotBase64,
        Self::ImageUnsupported,
        Self::ImageTooSmall,
        Self::ImageTooLarge,
        Self::ImageCorrupt,
        Self::NoDocument,
        Self::ParameterInvalid,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Overloaded,
        Self::Internal,
    ];

    /// The code as it stands in the answer.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TokenMissing => "TOKEN_MISSING",
            Self::TokenInvalid => "TOKEN_INVALID",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::BodyInvalid => "BODY_INVALID",
            Self::BodyTooLarge => "BODY_TOO_LARGE",
            Self::BodyTimeout => "BODY_TIMEOUT",
            Self::MediaTypeUnsupported => "MEDIA_TYPE_UNSUPPORTED",
            Self::ImageMissing => "IMAGE_MISSING",
            Self::ImageAmbiguous => "IMAGE_AMBIGUOUS",
            Self::ImageNotBase64 => "IMAGE_NOT_BASE64",
            Self::ImageUnsupported => "IMAGE_UNSUPPORTED",
            Self::ImageTooSmall => "IMAGE_TOO_SMALL",
            Self::ImageTooLarge => "IMAGE_TOO_LARGE",
            Self::ImageCorrupt => "IMAGE_CORRUPT",
            Self::NoDocument => "NO_DOCUMENT",
            Self::ParameterInvalid => "PARAMETER_INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Overloaded => "OVERLOADED",
            Self::Internal => "INTERNAL",
        }
    }

    /// The status that goes with it.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::TokenMissing | Self::TokenInvalid | Self::TokenExpired => StatusCode::UNAUTHORIZED,
            Self::BodyInvalid | Self::ImageMissing | Self::ImageAmbiguous | Self::ImageNotBase64 | Self::ParameterInvalid => {
                StatusCode::BAD_REQUEST
            }
            Self::BodyTooLarge | Self::ImageTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::MediaTypeUnsupported | Self::ImageUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ImageTooSmall | Self::ImageCorrupt | Self::NoDocument => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When it is sent, for the OpenAPI document.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::TokenMissing => "there is no Authorization header",
            Self::TokenInvalid => "the token is no JWT signed with HS256 by a known key, or its claims do not fit",
            Self::TokenExpired => "the token's exp lies in the past",
            Self::BodyInvalid => "the body is no JSON object",
            Self::BodyTooLarge => "the body is larger than the server accepts",
            Self::BodyTimeout => "the body did not arrive in time",
            Self::MediaTypeUnsupported => "the body's Content-Type is not application/json",
            Self::ImageMissing => "frontPart is missing or empty",
            Self::ImageAmbiguous => "a part is given twice with different content",
            Self::ImageNotBase64 => "a part is no string of base64",
            Self::ImageUnsupported => "a part is no JPEG, PNG, WebP, TIFF, BMP or HEIC image",
            Self::ImageTooSmall => "an image has too few pixels",
            Self::ImageTooLarge => "an image has too many bytes or pixels",
            Self::ImageCorrupt => "an image cannot be decoded",
            Self::NoDocument => "no field of a document was found on the images",
            Self::ParameterInvalid => "a query parameter has a value that it cannot have",
            Self::NotFound => "there is nothing at this path",
            Self::MethodNotAllowed => "the path has no such method",
            Self::Overloaded => "too many requests are waiting: try again after the seconds in Retry-After",
            Self::Internal => "a fault of the server",
        }
    }
}

/// An error answer on its way out; the request's id is added where all answers pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// Which code.
    pub(super) code: Code,
    /// A sentence for the person who reads it. Never content of the request.
    pub(super) message: String,
    /// How long to wait before trying again.
    pub(super) retry_after: Option<Duration>,
}

impl ApiError {
    /// An error with a sentence of its own.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// The answer's JSON.
    pub(super) fn json(&self, request_id: &str) -> Value {
        json!({"message": self.message, "code": self.code.name(), "requestId": request_id})
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::new(code, code.meaning())
    }
}

impl IntoResponse for ApiError {
    /// Status and headers; the body is written by the layer that knows the request's id, out of the extension.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            // RFC 9110 wants a challenge with each 401. The scheme has no registered name, since there is no prefix.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("JWT realm=\"idmill\""));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names_of_their_own() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn an_error_answer_has_the_three_documented_keys() {
        let error = ApiError::from(Code::ImageMissing);
        assert_eq!(error.json("id").to_string(), r#"{"message":"frontPart is missing or empty","code":"IMAGE_MISSING","requestId":"id"}"#);
    }
}
