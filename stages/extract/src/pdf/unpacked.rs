//! A bound on the unpacked size of content streams, checked before they are unpacked.

use std::borrow::Cow;

use hayro_syntax::object::dict::keys::FILTER;
use hayro_syntax::object::{Array, Name, Stream};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

/// The maximum ratio of DEFLATE; LZW comes close to it.
const MOST_PER_BYTE: usize = 1032;

/// Whether a stream certainly unpacks to at most `most` bytes, or is too damaged to tell.
///
/// The actual unpacking has no bound. Streams that are large enough, or packed often enough, to exceed `most` are
/// therefore unpacked here first, with a bound; ordinary pages are too small for that.
pub(super) fn fits(stream: &Stream<'_>, most: usize) -> bool {
    let filters = filters(stream);
    let mut data = stream.raw_data();
    for (done, filter) in filters.iter().enumerate() {
        let layers = filters[done..].iter().filter(|filter| is_packing(filter)).count();
        let worst = (0..layers).fold(data.len(), |size, _| size.saturating_mul(MOST_PER_BYTE));
        if worst <= most {
            return true;
        }
        match filter.as_ref() {
            b"FlateDecode" | b"Fl" => match decompress_to_vec_zlib_with_limit(&data, most) {
                Ok(unpacked) => data = Cow::Owned(unpacked),
                Err(error) => return error.status != TINFLStatus::HasMoreOutput,
            },
            // Other compression is rare for pages; one layer of it is bounded by the size of the file.
            _ => return layers <= 1,
        }
    }
    data.len() <= most
}

fn filters<'a>(stream: &Stream<'a>) -> Vec<Name<'a>> {
    match stream.dict().get::<Name<'_>>(FILTER) {
        Some(filter) => vec![filter],
        None => stream.dict().get::<Array<'_>>(FILTER).map(|filters| filters.iter().collect()).unwrap_or_default(),
    }
}

fn is_packing(filter: &Name<'_>) -> bool {
    matches!(filter.as_ref(), b"FlateDecode" | b"Fl" | b"LZWDecode" | b"LZW" | b"RunLengthDecode" | b"RL")
}
