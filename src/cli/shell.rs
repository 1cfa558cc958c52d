//! The shells that have completions.

/// A shell that has completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// `source <(loadtester --completions bash)`
    Bash,
    /// `loadtester --completions zsh > _loadtester` in a directory of `fpath`
    Zsh,
    /// `loadtester --completions fish | source`
    Fish,
}

impl Shell {
    pub(super) const ALL: [(&str, Self); 3] =
        [("bash", Self::Bash), ("zsh", Self::Zsh), ("fish", Self::Fish)];
}
