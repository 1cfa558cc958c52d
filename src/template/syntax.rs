//! The characters of templates.

/// The two characters that begin a hole.
pub(crate) const OPEN: &str = "{{";
/// The two characters that end a hole.
pub(super) const CLOSE: &str = "}}";
/// What stands for [`OPEN`] itself.
pub(crate) const LITERAL_OPEN: &str = "{{{{";
