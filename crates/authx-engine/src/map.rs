//! Hash maps whose seed is drawn once for each process, with a hash that costs little for short keys.

use foldhash::fast::RandomState;
use imbl::GenericHashMap;
use imbl::shared_ptr::DefaultSharedPtr;

/// A persistent one: a copy shares what does not change.
pub(crate) type SharedMap<K, V> = GenericHashMap<K, V, RandomState, DefaultSharedPtr>;

/// One that is made once, or for one request.
pub(crate) type Table<K, V> = hashbrown::HashMap<K, V, RandomState>;
