//! The data sets whose columns a template may name.

/// A column of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// The numbers of the set and of its column.
    pub(crate) at: (u16, u16),
    /// The longest cell, in bytes.
    pub(crate) most_bytes: usize,
}

/// Looks up names that are not built in.
pub(crate) trait Names {
    /// The names of the data sets.
    fn sets(&self) -> Vec<&str>;

    /// Whether there is a data set of this name.
    fn knows(&self, set: &str) -> bool {
        self.sets().contains(&set)
    }

    /// A column of a set that it [`Self::knows`].
    ///
    /// # Errors
    /// There is no such column, and what there is.
    fn field(&mut self, set: &str, column: &str) -> Result<Field, String>;
}

/// Takes every name for that of a data set.
pub(super) struct AnyNames;

impl Names for AnyNames {
    fn sets(&self) -> Vec<&str> {
        Vec::new()
    }

    fn knows(&self, _: &str) -> bool {
        true
    }

    fn field(&mut self, _: &str, _: &str) -> Result<Field, String> {
        Ok(Field { at: (0, 0), most_bytes: 0 })
    }
}
