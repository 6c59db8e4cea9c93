//! The keys of the hash maps that `jsonschema` makes.
//!
//! Its crate for that, `ahash`, asks for random numbers when the first map is made: in `init`, for the maps of the schema.
//! The host keeps what an instance holds after `init` for all of them only if nothing in it is random. So maps that are
//! made in `init` get fixed keys: they hold the operator's schema, which nobody else chooses. Those that are made for an
//! item get keys of their own.

use std::cell::{Cell, OnceCell};
use std::hash::{BuildHasher, RandomState};

use ahash::random_state::{RandomSource, set_random_source};

thread_local! {
    /// Drawn when the first map is made for an item; empty in `init`.
    static DRAWN: OnceCell<u64> = const { OnceCell::new() };
    static MADE: Cell<u64> = const { Cell::new(0) };
    static ITEM: Cell<bool> = const { Cell::new(false) };
}

struct Seeds;

impl RandomSource for Seeds {
    fn gen_hasher_seed(&self) -> usize {
        let count = MADE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        MADE.set(count);
        let drawn = match ITEM.get() {
            true => DRAWN.with(|drawn| *drawn.get_or_init(|| RandomState::new().hash_one(count))),
            false => 0,
        };
        let seed = count ^ drawn;
        // All bits count, also where there are only 32.
        (seed ^ (seed >> 32)) as usize
    }
}

/// Maps that are made from now on belong to the configuration.
pub(crate) fn of_the_configuration() {
    // An error says that it was done before.
    let _ = set_random_source(Seeds);
}

/// Maps that are made from now on belong to items.
pub(crate) fn of_items() {
    ITEM.set(true);
}

/// What `ahash` mixes into the keys of all maps of an instance, beside what [`Seeds`] gives for each. Nothing else in this
/// stage asks for random numbers; what does is not to be linked to this.
///
/// # Safety
/// `to` is valid for writes of `len` bytes, as `getrandom` promises.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "getrandom has no other way to replace its source")]
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(to: *mut u8, len: usize) -> Result<(), getrandom::Error> {
    let mut byte = 0x5b_u8;
    for index in 0..len {
        byte = byte.wrapping_mul(0x9d).wrapping_add(0x35);
        // SAFETY: `index` is less than `len`.
        unsafe { to.add(index).write(byte) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_items_get_random_keys_and_those_of_the_configuration_do_not() {
        let of_two = || std::thread::spawn(|| [Seeds.gen_hasher_seed(), Seeds.gen_hasher_seed()]).join().unwrap();
        assert_eq!(of_two(), of_two(), "the keys of the configuration are the same in each instance");
        assert_ne!(of_two()[0], of_two()[1], "two maps have different keys");
        let of_item = || {
            let make = || {
                of_items();
                Seeds.gen_hasher_seed()
            };
            std::thread::spawn(make).join().unwrap()
        };
        assert_ne!(of_item(), of_item(), "the keys of items are random");
    }
}
