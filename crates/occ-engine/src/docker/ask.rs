//! Questions not asked through the client library, which knows no words but Docker's.

use std::time::Duration;

use bollard::body_full;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{Method, Request};
use serde::Deserialize;

use super::Docker;
use super::failure::broken;
use super::wire::refusal;
use crate::error::Error;

impl Docker {
    /// Returns the answer to a question; `None` when there is nothing in it.
    pub(super) async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        doing: &'static str,
        limit: Duration,
        address: &str,
    ) -> Result<Option<T>, Error> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(address)
            .body(body_full(Bytes::new()))
            .map_err(|error| broken(doing, error))?;
        let read = async {
            let response = self.wire.request(request).await?;
            if !response.status().is_success() {
                return Err(refusal(response).await);
            }
            let body = response.into_body().collect().await;
            let body = body.map_err(|error| broken(doing, error))?.to_bytes();
            if body.is_empty() {
                return Ok(None);
            }
            serde_json::from_slice(&body).map(Some).map_err(|error| broken(doing, error))
        };
        tokio::time::timeout(limit, read).await.map_err(|elapsed| broken(doing, elapsed))?
    }
}
