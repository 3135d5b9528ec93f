//! What can be wrong with a constraint, a partition or the point to project.

use thiserror::Error;

/// A misuse found while building an operator or by a fallible projection.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ProxError {
    /// A radius that is negative, infinite or not a number.
    #[error("radius {radius} is not a finite non-negative number")]
    InvalidRadius {
        /// The radius given.
        radius: f64,
    },
    /// A regularization that is negative, infinite or not a number.
    #[error("regularization {regularization} is not a finite non-negative number")]
    InvalidRegularization {
        /// The regularization given.
        regularization: f64,
    },
    /// An entry to project that is infinite or not a number.
    #[error("entry {index} is {value}, which has no projection")]
    NotFinite {
        /// Index of the first such entry.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// The zero vector has no nearest point on a sphere: all points are equally near.
    #[error("the zero vector has no projection on the sphere of radius {radius}")]
    ZeroVector {
        /// Radius of the sphere.
        radius: f64,
    },
    /// As [`ProxError::ZeroVector`], for one column of a matrix.
    #[error("column {column} is zero and has no projection on the sphere of radius {radius}")]
    ZeroColumn {
        /// Index of the first zero column.
        column: usize,
        /// Radius of the sphere.
        radius: f64,
    },
    /// A slice that does not divide into columns.
    #[error("{length} entries do not divide into columns of {column_length}")]
    ColumnLength {
        /// Entries asked for in each column.
        column_length: usize,
        /// Entries of the slice.
        length: usize,
    },
    /// Lower and upper bounds of different lengths.
    #[error("{lower} lower bounds, but {upper} upper bounds")]
    BoundsLength {
        /// Number of lower bounds.
        lower: usize,
        /// Number of upper bounds.
        upper: usize,
    },
    /// Bounds without a number between them.
    #[error("bounds of coordinate {index} leave no number: lower {lower}, upper {upper}")]
    EmptyBounds {
        /// Coordinate; 0 for bounds shared by all coordinates.
        index: usize,
        /// Its lower bound.
        lower: f64,
        /// Its upper bound.
        upper: f64,
    },
    /// A group without coordinates.
    #[error("group {group} is empty")]
    EmptyGroup {
        /// Index of the first empty group, as given.
        group: usize,
    },
    /// A coordinate below the dimension that no group holds.
    #[error("coordinate {coordinate} is in no group")]
    Ungrouped {
        /// The first such coordinate.
        coordinate: usize,
    },
    /// A coordinate in two groups.
    #[error("coordinate {coordinate} is in more than one group")]
    GroupOverlap {
        /// The first such coordinate.
        coordinate: usize,
    },
    /// A group that reaches beyond the last coordinate.
    #[error("groups reach to coordinate {end}, beyond the dimension {dimension}")]
    GroupBeyondDimension {
        /// One more than the last coordinate of the groups.
        end: usize,
        /// Number of coordinates.
        dimension: usize,
    },
}
