//! Shells whose completions can be written.

/// A shell whose completions we can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// `source <(loadtester --completions bash)`
    Bash,
    /// `loadtester --completions zsh > _loadtester` in a folder of `fpath`
    Zsh,
    /// `loadtester --completions fish | source`
    Fish,
}

impl Shell {
    pub(super) const ALL: [(&str, Self); 3] =
        [("bash", Self::Bash), ("zsh", Self::Zsh), ("fish", Self::Fish)];
}
