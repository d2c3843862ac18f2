//! Walks in any order.
