//! What the HTTP API takes and what it costs, with the real binary and its state store on the disk.

mod connections;
mod disk;
mod host;
pub(crate) mod load;
pub(crate) mod reads;
pub(crate) mod records;
pub(crate) mod submit;

/// The value below which this share of the sorted values is.
fn percentile<T: Copy>(sorted: &[T], share: f64) -> T {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
