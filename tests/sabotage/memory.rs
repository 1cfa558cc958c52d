//! What a run takes of memory, counted, against what it is said to need.
