//! `named_enum!`: an enum whose variants have stable names and index arrays.
//!
//! JSON, metric labels, worker messages and the journal use these names, so reordering the variants changes
//! no output.

/// A fieldless enum: its variants in order ([`ALL`](#), [`COUNT`](#)), each with its index and its stable
/// name.
macro_rules! named_enum {
    ($(#[$attribute:meta])* $visible:vis enum $Enum:ident {
        $($(#[$described:meta])* $Variant:ident = $name:literal,)+
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        $visible enum $Enum {
            $($(#[$described])* $Variant,)+
        }

        impl $Enum {
            /// Every variant, in the order in which reports list them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$Variant),+];
            /// Number of variants, the length of an array indexed by them.
            pub const COUNT: usize = Self::ALL.len();

            /// Index in [`Self::ALL`].
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The stable name in JSON, metric labels, messages and the journal.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }
        }
    };
}
