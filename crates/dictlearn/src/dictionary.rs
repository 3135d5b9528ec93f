//! Dictionaries: where they start, the set they live in, and how they compare.
//!
//! A dictionary is a `d x k` matrix whose columns are the atoms (in memory a C-order array of shape (k, d)).

use crate::error::{Error, InvalidOption};
use crate::random::{Purpose, generator};
use crate::samples::{Sample, Samples};
use faer::{Mat, MatRef};
use linalg::columns::{column, column_mut, dot, norm, normalize_columns};
use linalg::products::transpose_product;
use prox::{ColumnBalls, ColumnSpheres, FrobeniusSphere, Prox};
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Largest number of entries of a matrix that is drawn rather than given, 8 GB: a mistyped size ends in an error, not in
/// a machine without memory.
pub const MOST_ENTRIES: usize = 1_000_000_000;

/// Where the dictionary starts.
///
/// For the starts from samples a missing entry has the mean of the observed values of its feature, and a sample without
/// any observed feature is left out.
#[derive(Clone, Debug)]
pub enum Initialization {
    /// Leading right singular vectors of the samples (uncentred); the entry of largest magnitude of each is positive,
    /// the first one on ties. Where the rank is below the number of atoms, the rest are normalised random samples.
    Svd,
    /// Random distinct samples, normalised; zero samples are passed over.
    Samples,
    /// Gaussian atoms, normalised.
    Random,
    /// Given atoms (one a column), used as they are.
    Given(Mat<f64>),
}

impl Initialization {
    /// The initial dictionary, `d x n_components`, for samples `d x n`.
    ///
    /// # Errors
    /// No samples, or samples that are not finite; a feature that is missing in all of them where the start is from
    /// samples; more than [`MOST_ENTRIES`] to draw; fewer distinct nonzero samples than atoms needed from them; given
    /// atoms of another shape, not finite, or one of them zero.
    pub fn draw<'a>(
        &self,
        samples: impl Into<Samples<'a>>,
        n_components: usize,
        seed: u64,
    ) -> Result<Mat<f64>, Error> {
        let samples = samples.into();
        let (d, n) = (samples.n_features(), samples.n_samples());
        if d == 0 || n == 0 {
            return Err(Error::Empty { n_samples: n, n_features: d });
        }
        samples.check()?;
        let fits = d.saturating_mul(n_components) <= MOST_ENTRIES;
        InvalidOption::check(fits, "n_components", n_components, "1 to a billion / n_features")?;
        match self {
            Initialization::Svd => with_matrix(samples, |samples| {
                let directions = linalg::svd::leading_directions(samples, n_components);
                fill_with_samples(directions, samples, n_components, seed)
            }),
            Initialization::Samples => with_matrix(samples, |samples| {
                fill_with_samples(Mat::zeros(d, 0), samples, n_components, seed)
            }),
            Initialization::Random => Ok(gaussian_atoms(d, n_components, seed)),
            Initialization::Given(atoms) => {
                Error::check_length("the dictionary", "features", atoms.nrows(), d, "the samples")?;
                Error::check_length("the dictionary", "atoms", atoms.ncols(), n_components, "n_components")?;
                Error::check_finite("the dictionary", atoms.as_ref())?;
                let remedy = "replace the atom";
                match (0..n_components).find(|&j| norm(column(atoms.as_ref(), j)) == 0.0) {
                    Some(index) => Err(Error::ZeroNorm { what: "atom", index, remedy }),
                    None => Ok(atoms.clone()),
                }
            }
        }
    }
}

/// Hands on the samples as one matrix: the mean of a feature where it is missing, without samples that miss all of them.
fn with_matrix<R>(
    samples: Samples<'_>,
    then: impl FnOnce(MatRef<'_, f64>) -> Result<R, Error>,
) -> Result<R, Error> {
    if let Some(matrix) = samples.as_matrix() {
        return then(matrix);
    }
    let means = samples.feature_means()?;
    let mut sample = Sample::default();
    let mut is_observed = |i: usize| {
        samples.load(i, &mut sample);
        sample.missing.len() < sample.values.len()
    };
    let observed: Vec<usize> = (0..samples.n_samples()).filter(|&i| is_observed(i)).collect();
    then(samples.select(&observed).filled(&means).as_ref())
}

/// The first atoms as given, the rest random samples of norm 1, no two the same.
fn fill_with_samples(
    first: Mat<f64>,
    samples: MatRef<'_, f64>,
    n_components: usize,
    seed: u64,
) -> Result<Mat<f64>, Error> {
    let mut order: Vec<u32> = (0..samples.ncols() as u32).collect();
    order.shuffle(&mut generator(seed, Purpose::Initialization, 0));
    let mut seen = HashSet::new();
    let mut chosen = Vec::new();
    for i in order.into_iter().map(|i| i as usize) {
        if first.ncols() + chosen.len() == n_components {
            break;
        }
        let length = norm(column(samples, i));
        let atom: Vec<f64> = column(samples, i).iter().map(|v| v / length).collect();
        if length > 0.0 && seen.insert(atom.iter().map(|v| v.to_bits()).collect::<Vec<u64>>()) {
            chosen.push(atom);
        }
    }
    let missing = n_components - first.ncols();
    if chosen.len() < missing {
        return Err(Error::TooFewSamples { missing, available: chosen.len() });
    }
    let d = samples.nrows();
    let kept = first.ncols();
    Ok(Mat::from_fn(d, n_components, |t, j| if j < kept { first[(t, j)] } else { chosen[j - kept][t] }))
}

/// Gaussian atoms of norm 1.
pub(crate) fn gaussian_atoms(n_features: usize, n_components: usize, seed: u64) -> Mat<f64> {
    let mut generator = generator(seed, Purpose::Initialization, 1);
    let mut atoms = Mat::zeros(n_features, n_components);
    for j in 0..n_components {
        column_mut(atoms.as_mut(), j).iter_mut().for_each(|v| *v = StandardNormal.sample(&mut generator));
    }
    normalize_columns(atoms.as_mut());
    atoms
}

/// The set in which a dictionary lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// Every atom has norm 1.
    UnitSphere,
    /// Every atom has norm at most 1.
    UnitBall,
    /// The whole matrix has Frobenius norm 1; the relative norms of the atoms are free.
    FrobeniusSphere,
}

impl Constraint {
    /// Whether a nonzero dictionary can be projected: no atom is zero (unit sphere), not all are (Frobenius sphere).
    ///
    /// # Errors
    /// Names the zero atom, or says that the whole dictionary is zero.
    pub fn check(self, dictionary: MatRef<'_, f64>) -> Result<(), Error> {
        let mut zero = (0..dictionary.ncols()).filter(|&j| norm(column(dictionary, j)) == 0.0);
        match self {
            Constraint::UnitSphere => zero.next().map_or(Ok(()), |index| {
                Err(Error::ZeroNorm { what: "atom", index, remedy: "start from another dictionary" })
            }),
            Constraint::FrobeniusSphere if zero.count() == dictionary.ncols() => Err(Error::ZeroDictionary),
            _ => Ok(()),
        }
    }
}

/// The constraint as a proximal operator of the flattened variables (dictionary, head): the first `d k` entries are
/// projected, the rest left alone. The projection of a zero atom on its sphere is the zero atom.
#[derive(Clone, Copy, Debug)]
pub struct DictionaryProx {
    /// The set.
    pub constraint: Constraint,
    /// Number of features `d`.
    pub n_features: usize,
    /// Number of atoms `k`.
    pub n_components: usize,
}

impl DictionaryProx {
    /// Hands on the operator and the number of entries it acts on.
    fn with<R>(&self, apply: impl FnOnce(&dyn Prox, usize) -> R) -> R {
        let (column_length, length) = (self.n_features, self.n_features * self.n_components);
        match self.constraint {
            Constraint::UnitSphere => apply(&ColumnSpheres { column_length, radius: 1.0 }, length),
            Constraint::UnitBall => apply(&ColumnBalls { column_length, radius: 1.0 }, length),
            Constraint::FrobeniusSphere => apply(&FrobeniusSphere { radius: 1.0 }, length),
        }
    }
}

impl Prox for DictionaryProx {
    fn value(&self, x: &[f64]) -> f64 {
        self.with(|prox, length| prox.value(&x[..length]))
    }

    fn prox(&self, x: &mut [f64], step: f64) {
        self.with(|prox, length| prox.prox(&mut x[..length], step));
    }

    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        self.with(|prox, length| prox.jacobian_product(&point[..length], step, &mut direction[..length]));
    }
}

/// Atoms on each side of a tile of cosines: tiles stay in the cache (128 KiB), whatever the number of atoms.
const BLOCK: usize = 128;

/// Largest `abs(cos)` between two different atoms; 0 for a single atom. Cost `k^2 d / 2` multiply-adds over the threads,
/// memory a copy of the dictionary and a tile a thread; a largest value does not depend on the order of the tiles.
pub fn coherence(dictionary: MatRef<'_, f64>) -> f64 {
    coherence_unless_stopped(dictionary, || ControlFlow::Continue(())).expect("nobody stops it")
}

/// [`coherence`], asking `proceed` after every few blocks of atoms; `None` where it answers `Break`.
pub fn coherence_unless_stopped(
    dictionary: MatRef<'_, f64>,
    mut proceed: impl FnMut() -> ControlFlow<()>,
) -> Option<f64> {
    let mut atoms = dictionary.to_owned();
    normalize_columns(atoms.as_mut());
    let starts: Vec<usize> = (0..atoms.ncols()).step_by(BLOCK).collect();
    let mut largest = 0.0_f64;
    for round in starts.chunks(4 * rayon::current_num_threads()) {
        let found = round.par_iter().map(|&start| largest_cosine(atoms.as_ref(), start));
        largest = largest.max(found.reduce(|| 0.0, f64::max));
        if proceed().is_break() {
            return None;
        }
    }
    Some(largest)
}

/// Largest `abs(cos)` of the atoms of one block, of norm 1, with all atoms before each.
fn largest_cosine(atoms: MatRef<'_, f64>, start: usize) -> f64 {
    let end = atoms.ncols().min(start + BLOCK);
    let mut tile = Mat::zeros(BLOCK, end - start);
    let mut largest = 0.0_f64;
    for first in (0..end).step_by(BLOCK) {
        let rows = BLOCK.min(end - first);
        let (earlier, own) = (atoms.subcols(first, rows), atoms.subcols(start, end - start));
        transpose_product(tile.as_mut().subrows_mut(0, rows), earlier, own);
        for j in start..end {
            let cosines = &column(tile.as_ref(), j - start)[..rows.min(j - first)];
            largest = largest.max(largest_magnitude(cosines));
        }
    }
    largest
}

/// `max_i abs(values_i)`, in lanes; 0 for an empty slice. NaN is passed over.
fn largest_magnitude(values: &[f64]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        lanes
            .iter_mut()
            .zip(chunk)
            .for_each(|(lane, v)| *lane = if v.abs() > *lane { v.abs() } else { *lane });
    }
    lanes.into_iter().chain(rest.iter().map(|v| v.abs())).fold(0.0, f64::max)
}

/// How well a planted dictionary was found: for each planted atom the largest `abs(cos)` with a learned one.
pub fn recovery(planted: MatRef<'_, f64>, learned: MatRef<'_, f64>) -> Vec<f64> {
    let cosine = |a: &[f64], b: &[f64]| {
        let lengths = norm(a) * norm(b);
        if lengths > 0.0 { dot(a, b).abs() / lengths } else { 0.0 }
    };
    let best = |i: usize| {
        let atom = column(planted, i);
        (0..learned.ncols()).map(|j| cosine(atom, column(learned, j))).fold(0.0, f64::max)
    };
    (0..planted.ncols()).map(best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Mat<f64> {
        let values = testkit::normal_matrix(4, 9, 5);
        let mut samples = MatRef::from_column_major_slice(&values, 4, 9).to_owned();
        column_mut(samples.as_mut(), 3).fill(0.0);
        let copy = column(samples.as_ref(), 0).to_vec();
        column_mut(samples.as_mut(), 5).copy_from_slice(&copy);
        samples
    }

    #[test]
    fn every_start_has_the_number_of_atoms_asked_for_and_unit_norms() {
        let samples = samples();
        for init in [Initialization::Svd, Initialization::Samples, Initialization::Random] {
            for k in [1, 4, 7] {
                let atoms = init.draw(samples.as_ref(), k, 3).expect("enough samples");
                assert_eq!((atoms.nrows(), atoms.ncols()), (4, k));
                linalg::columns::column_norms(atoms.as_ref())
                    .iter()
                    .for_each(|&n| testkit::assert_close(n, 1.0, 1e-14, 0.0));
                if k > 1 {
                    assert!(coherence(atoms.as_ref()) < 1.0 - 1e-9, "no atom twice");
                }
            }
        }
    }

    #[test]
    fn too_few_distinct_samples_are_an_error_not_fewer_atoms() {
        let samples = samples();
        let error =
            Initialization::Samples.draw(samples.as_ref(), 8, 0).expect_err("7 distinct nonzero samples");
        assert_eq!(error, Error::TooFewSamples { missing: 8, available: 7 });
        assert!(Initialization::Svd.draw(samples.as_ref(), 11, 0).is_ok(), "4 directions and 7 samples");
        assert!(Initialization::Svd.draw(samples.as_ref(), 12, 0).is_err());
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let mut samples = samples();
        let starts = [Initialization::Svd, Initialization::Samples, Initialization::Random];
        for init in &starts {
            let error = init.draw(samples.as_ref(), 250_000_001, 0).expect_err("four features");
            assert!(matches!(error, Error::Option(InvalidOption { name: "n_components", .. })), "{error}");
        }
        samples[(2, 6)] = f64::NAN;
        for init in &starts {
            let error = init.draw(samples.as_ref(), 3, 0).expect_err("not finite");
            assert!(matches!(error, Error::NotFinite { row: 6, column: 2, .. }), "{error}");
        }
    }

    /// As if the means had been filled in and the sample without observed features were not there.
    #[test]
    fn missing_entries_are_the_means_of_their_features() {
        let mut samples = samples();
        for (t, i) in [(0, 1), (2, 1), (3, 7), (0, 8), (1, 8), (2, 8), (3, 8)] {
            samples[(t, i)] = f64::NAN;
        }
        let missing = Samples::from(samples.as_ref()).with_missing();
        let mean = |t: usize| {
            let observed: Vec<f64> = (0..9).map(|i| samples[(t, i)]).filter(|x| !x.is_nan()).collect();
            observed.iter().sum::<f64>() / observed.len() as f64
        };
        let filled =
            Mat::from_fn(4, 8, |t, i| if samples[(t, i)].is_nan() { mean(t) } else { samples[(t, i)] });
        for init in [Initialization::Svd, Initialization::Samples, Initialization::Random] {
            let found = init.draw(missing, 6, 3).expect("enough samples");
            let expected = init.draw(filled.as_ref(), 6, 3).expect("enough samples");
            (0..6).for_each(|j| {
                testkit::assert_slices_close(
                    column(found.as_ref(), j),
                    column(expected.as_ref(), j),
                    0.0,
                    1e-13,
                );
            });
        }
        (0..9).for_each(|i| samples[(2, i)] = f64::NAN);
        let missing = Samples::from(samples.as_ref()).with_missing();
        let error = Initialization::Svd.draw(missing, 2, 0).expect_err("no sample observes feature 2");
        assert_eq!(error, Error::Unobserved { column: 2, n_samples: 9 });
    }

    #[test]
    fn samples_of_any_kind_give_the_same_start() {
        let wide = samples();
        let narrow = Mat::from_fn(4, 9, |t, i| wide[(t, i)] as f32);
        let wide = Mat::from_fn(4, 9, |t, i| f64::from(narrow[(t, i)]));
        for init in [Initialization::Svd, Initialization::Samples] {
            let [found, expected] = [init.draw(narrow.as_ref(), 6, 3), init.draw(wide.as_ref(), 6, 3)]
                .map(|atoms| atoms.expect("enough"));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn given_atoms_are_checked() {
        let samples = samples();
        let draw = |atoms: Mat<f64>, k| Initialization::Given(atoms).draw(samples.as_ref(), k, 0);
        assert!(draw(Mat::from_fn(4, 2, |_, _| 2.0), 2).is_ok());
        assert!(matches!(draw(Mat::from_fn(3, 2, |_, _| 2.0), 2), Err(Error::Shape { found: 3, .. })));
        assert!(matches!(draw(Mat::from_fn(4, 2, |_, _| 2.0), 3), Err(Error::Shape { found: 2, .. })));
        assert!(matches!(draw(Mat::zeros(4, 2), 2), Err(Error::ZeroNorm { index: 0, .. })));
        let nan = Mat::from_fn(4, 2, |t, j| if (t, j) == (2, 1) { f64::NAN } else { 1.0 });
        assert!(matches!(draw(nan, 2), Err(Error::NotFinite { row: 1, column: 2, .. })));
    }

    #[test]
    fn zero_dictionaries_cannot_be_projected_on_spheres() {
        let zero = Mat::zeros(3, 2);
        assert_eq!(Constraint::FrobeniusSphere.check(zero.as_ref()), Err(Error::ZeroDictionary));
        assert!(matches!(Constraint::UnitSphere.check(zero.as_ref()), Err(Error::ZeroNorm { .. })));
        assert_eq!(Constraint::UnitBall.check(zero.as_ref()), Ok(()));
    }

    /// The closest pair, in one block or in two, is found among atoms that are all further apart.
    #[test]
    fn coherence_is_the_cosine_of_the_closest_pair() {
        assert_eq!(coherence(Mat::from_fn(3, 1, |_, _| 2.0).as_ref()), 0.0);
        let k = 2 * BLOCK + 3;
        for (i, j) in [(0, 1), (0, BLOCK), (BLOCK - 1, 2 * BLOCK), (BLOCK + 5, BLOCK + 4), (1, k - 1)] {
            let mut atoms = Mat::<f64>::identity(k, k);
            // cos = 0.6 with the atom i, opposite in sign and of another length.
            atoms[(i, j)] = -3.0;
            atoms[(j, j)] = 4.0;
            testkit::assert_close(coherence(atoms.as_ref()), 0.6, 1e-15, 0.0);
        }
    }

    #[test]
    fn coherence_is_that_of_all_pairs_until_it_is_stopped() {
        for k in [2, 9, BLOCK, BLOCK + 1, 3 * BLOCK - 5] {
            let values = testkit::normal_matrix(7, k, 11);
            let atoms = MatRef::from_column_major_slice(&values, 7, k);
            let cosine = |i: usize, j: usize| {
                let [a, b] = [i, j].map(|j| column(atoms, j));
                dot(a, b).abs() / (norm(a) * norm(b))
            };
            let pairs = (0..k).flat_map(|j| (0..j).map(move |i| (i, j)));
            let expected = pairs.map(|(i, j)| cosine(i, j)).fold(0.0, f64::max);
            testkit::assert_close(coherence(atoms), expected, 1e-14, 0.0);
            assert_eq!(coherence_unless_stopped(atoms, || ControlFlow::Break(())), None);
        }
    }

    #[test]
    fn recovery_ignores_sign_scale_and_order() {
        let values = testkit::unit_columns(5, 3, 8);
        let planted = MatRef::from_column_major_slice(&values, 5, 3);
        let learned = Mat::from_fn(5, 3, |t, j| -2.0 * planted[(t, (j + 1) % 3)]);
        recovery(planted, learned.as_ref()).iter().for_each(|&c| testkit::assert_close(c, 1.0, 1e-14, 0.0));
    }
}
