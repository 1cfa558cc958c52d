//! What a plan may say of a part of a body, as typed.

use schemars::JsonSchema;
use serde::Deserialize;

/// A part of a `multipart/form-data` body: a field or a file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read from the tree")]
pub(super) struct PartForm {
    /// The field's name.
    #[schemars(required, example = &"photo")]
    pub(crate) name: Option<String>,
    /// The field's text, which may have holes.
    pub(crate) value: Option<String>,
    /// A file with the part's content, relative to the plan's folder; at most 64 MiB.
    #[schemars(example = "photo.jpg")]
    pub(crate) file: Option<String>,
    /// The file's name as the target sees it. Without it: that of `file`.
    pub(crate) filename: Option<String>,
    /// Its media type. Without it: `application/octet-stream` for a file, none for a text.
    #[serde(rename = "type")]
    #[schemars(example = "image/jpeg")]
    pub(crate) media_type: Option<String>,
}
