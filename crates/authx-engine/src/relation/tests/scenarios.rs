//! What broke others, and bounds.
