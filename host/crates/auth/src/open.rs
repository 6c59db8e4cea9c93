//! Where there is no `[auth]`.

use async_trait::async_trait;
use gristmill_core::model::Caller;
use gristmill_core::ports::{Admission, Denied};

/// Lets everybody in, as [`Caller::local`]. The API listens to this machine only then, or was told twice to let anyone in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open;

#[async_trait]
impl Admission for Open {
    /// A token changes nothing: there is nothing to compare it with.
    async fn admit(&self, _token: Option<&str>) -> Result<Caller, Denied> {
        Ok(Caller::local())
    }
}
