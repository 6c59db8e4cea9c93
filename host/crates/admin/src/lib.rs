//! Adapter: the admin server of a host.
