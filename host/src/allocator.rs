//! What the allocator is told beyond its defaults.

/// `purge_delay`: for how many milliseconds freed memory stays with the process. The crate has no name for it; the library has
/// kept its place in the list since it was called `reset_delay`.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// From now on, freed memory goes back to the system at once: less of it in use, and more work. For what compiles one large
/// thing after the other and then ends.
#[expect(unsafe_code, reason = "the allocator is a library in C, and its crate has no safe function for this")]
pub(crate) fn give_back_at_once() {
    // SAFETY: it sets a number, which the allocator reads atomically.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "as above")]
        let (before, after) = unsafe {
            let before = libmimalloc_sys::mi_option_get(PURGE_DELAY);
            give_back_at_once();
            (before, libmimalloc_sys::mi_option_get(PURGE_DELAY))
        };
        assert_eq!((before, after), (1_000, 0), "the default of the delay, in milliseconds");
    }
}
