//! What the fuzz targets share: inputs, the slow oracle, and the judge.

pub mod input;
pub mod judge;
pub mod schema;
pub mod walk;
