use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue};
use time::OffsetDateTime;

use super::{RemoteReader, failure_of_transport, refusal};
use crate::failure::Failure;
use crate::reader::http_date::parse_http_date;

/// A token that nobody signed: what a call with it is answered shows whether the API looks at tokens before bodies.
const NO_TOKEN: &str = "e30.e30.e30";

/// What calls without any image showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Whether our token is accepted.
    pub token: TokenVerdict,
    /// The API's clock, where it tells.
    pub server_time: Option<OffsetDateTime>,
}

/// What the API thinks of our token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenVerdict {
    /// It refuses a wrong token and not ours.
    Accepted,
    /// It answers both alike, with this status, so that nothing can be said.
    Unknown(u16),
}

impl RemoteReader {
    /// Calls the API with an empty body, once without a valid token and once with ours. No image is sent, so that
    /// nothing is read and nothing is paid.
    ///
    /// # Errors
    /// The API cannot be reached, or refuses our token; classed as a job's failure would be.
    pub async fn probe(&self) -> Result<Probe, Failure> {
        let (without, _) = self.call_empty(&HeaderValue::from_static(NO_TOKEN)).await?;
        let token = self.token()?;
        let (with, server_time) = self.call_empty(&super::authorization(&token)?).await?;
        let token = match with {
            // An empty body is refused by whoever gets as far as looking at it.
            200..=299 | 400 | 413 | 415 | 422 if matches!(without, 401 | 403) => TokenVerdict::Accepted,
            200..=299 | 400 | 413 | 415 | 422 => TokenVerdict::Unknown(with),
            _ => return Err(refusal::failure_of_status(with, None, &[])),
        };
        Ok(Probe { token, server_time })
    }

    async fn call_empty(&self, authorization: &HeaderValue) -> Result<(u16, Option<OffsetDateTime>), Failure> {
        let call = self.client.post(self.url.clone()).header(AUTHORIZATION, authorization).header(CONTENT_TYPE, "application/json");
        let response = call.body("{}").send().await.map_err(|error| failure_of_transport(&error))?;
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok()).and_then(parse_http_date);
        Ok((response.status().as_u16(), date))
    }
}
