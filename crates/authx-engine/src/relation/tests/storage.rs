//! Tuples in memory: changes, packing, names.
