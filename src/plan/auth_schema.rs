//! What a plan may say of authentication, as typed.

use schemars::JsonSchema;
use serde::Deserialize;

/// How requests are authenticated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthForm {
    /// Signs each request for AWS (Signature Version 4).
    pub(crate) aws_sigv4: Option<AwsSigV4Form>,
}

/// Signs each request for AWS (Signature Version 4).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AwsSigV4Form {
    /// The id of the access key.
    #[schemars(required, example = "${AWS_ACCESS_KEY_ID}")]
    pub(crate) access_key_id: Option<String>,
    /// The secret of the access key.
    #[schemars(required, example = "${AWS_SECRET_ACCESS_KEY}")]
    pub(crate) secret_access_key: Option<String>,
    /// The token of temporary credentials.
    #[schemars(example = "${AWS_SESSION_TOKEN}")]
    pub(crate) session_token: Option<String>,
    /// The region of the service.
    #[schemars(required, example = "eu-central-1")]
    pub(crate) region: Option<String>,
    /// The name of the service in credentials, like `execute-api`, `lambda` or `s3`.
    #[schemars(required, example = "execute-api")]
    pub(crate) service: Option<String>,
}
