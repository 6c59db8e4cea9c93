//! Floor 2. How an event moves.
