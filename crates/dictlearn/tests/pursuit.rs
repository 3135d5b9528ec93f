//! Orthogonal matching pursuit: sparse signals recovered, its definition followed step by step, and where it stops.

mod common;

use common::{Instance, lasso};
use dictlearn::active_set::CoderOptions;
use dictlearn::loss::Loss;
use dictlearn::lower::LowerLevel;
use dictlearn::method::Method;

fn omp(n_nonzero: impl Into<Option<usize>>, error: impl Into<Option<f64>>) -> CoderOptions {
    let method = Method::Omp { n_nonzero: n_nonzero.into(), error: error.into() };
    CoderOptions { method, ..CoderOptions::default() }
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

/// Samples that are combinations of `nonzeros` atoms with coefficients of size 1 to 2, and those atoms.
fn sparse_signals(d: usize, k: usize, n: usize, nonzeros: usize, seed: u64) -> (Instance, Vec<Vec<f64>>) {
    let mut instance = Instance::random("sparse signals", d, k, n, seed);
    let mut planted = Vec::new();
    for i in 0..n {
        let draws = testkit::normal_vector(k, seed + 500 + i as u64);
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| draws[b].abs().total_cmp(&draws[a].abs()));
        let mut code = vec![0.0; k];
        order[..nonzeros].iter().for_each(|&j| code[j] = draws[j].signum() * (1.0 + draws[j].abs().fract()));
        let sample: Vec<f64> =
            (0..d).map(|t| (0..k).map(|j| instance.dictionary[j * d + t] * code[j]).sum()).collect();
        instance.samples[i * d..(i + 1) * d].copy_from_slice(&sample);
        planted.push(code);
    }
    (instance, planted)
}

#[test]
fn pursuit_recovers_sparse_signals() {
    let (mut instance, planted) = sparse_signals(60, 90, 20, 4, 120);
    let check = |instance: &Instance, factor: &dyn Fn(usize) -> f64| {
        for options in [omp(4, None), omp(None, 1e-20), omp(10, 1e-20)] {
            let coded = instance.encode(lasso(0.0), None, options);
            assert_eq!(coded.report.not_converged, 0);
            for (i, planted) in planted.iter().enumerate() {
                let code: Vec<f64> =
                    instance.dense(&coded.codes, i).iter().enumerate().map(|(j, c)| c * factor(j)).collect();
                assert_eq!(coded.codes.row(i).support.len(), 4);
                assert!(testkit::max_abs_diff(&code, planted) <= 1e-13);
            }
        }
    };
    check(&instance, &|_| 1.0);
    // Atoms of other norms and signs: the same atoms, other coefficients.
    let factor = |j: usize| [1e-3, -1.0, 40.0][j % 3];
    for j in 0..90 {
        instance.atom_mut(j).iter_mut().for_each(|a| *a *= factor(j));
    }
    check(&instance, &factor);
}

/// The pursuit a second time, from its definition and normal equations.
fn plain_pursuit(instance: &Instance, i: usize, n_nonzero: usize, ridge: f64) -> Vec<f64> {
    let norm = |j: usize| square(instance.atom(j)).sqrt();
    let (mut support, mut code) = (Vec::<usize>::new(), vec![0.0; instance.k]);
    for _ in 0..n_nonzero {
        let v = instance.correlations(Loss::Squared, &instance.residual(i, &code));
        let open = (0..instance.k).filter(|j| !support.contains(j) && norm(*j) > 0.0);
        let best = open.max_by(|&a, &b| (v[a].abs() / norm(a)).total_cmp(&(v[b].abs() / norm(b))));
        support.push(best.expect("atoms are left"));
        let atom = |a: usize| instance.atom(support[a]);
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let s = support.len();
        let gram =
            faer::Mat::from_fn(s, s, |a, b| inner(atom(a), atom(b)) + if a == b { ridge } else { 0.0 });
        let rhs = faer::Mat::from_fn(s, 1, |a, _| inner(atom(a), instance.sample(i)));
        let solution = faer::linalg::solvers::Solve::solve(&gram.partial_piv_lu(), rhs);
        support.iter().enumerate().for_each(|(a, &j)| code[j] = solution[(a, 0)]);
    }
    code
}

#[test]
fn pursuit_follows_its_definition() {
    let mut instance = Instance::random("pursuit", 14, 40, 10, 121);
    for j in 0..40 {
        let factor = [0.1, 1.0, 30.0][j % 3];
        instance.atom_mut(j).iter_mut().for_each(|a| *a *= factor);
    }
    for l2_regularization in [0.0, 0.2] {
        for n_nonzero in [1, 2, 5, 9] {
            // The l1 norm and the relative ridge play no part.
            let lower = LowerLevel { l2_regularization, elastic_penalty: 3.0, ..lasso(0.7) };
            let coded = instance.encode(lower, None, omp(n_nonzero, None));
            assert_eq!(coded.report.not_converged, 0);
            for i in 0..instance.n() {
                let code = instance.dense(&coded.codes, i);
                assert_eq!(coded.codes.row(i).support.len(), n_nonzero);
                let expected = plain_pursuit(&instance, i, n_nonzero, l2_regularization);
                testkit::assert_slices_close(&code, &expected, 1e-9, 1e-11);
            }
        }
    }
}

#[test]
fn pursuit_stops_at_the_error_or_the_number_of_atoms_whichever_is_first() {
    let instance = Instance::random("stops", 16, 40, 12, 122);
    for share in [0.5, 0.1, 0.01] {
        for i in 0..instance.n() {
            let error = share * square(instance.sample(i));
            let alone = Instance { samples: instance.sample(i).to_vec(), ..instance.clone() };
            let coded = alone.encode(lasso(0.0), None, omp(None, error));
            assert_eq!(coded.report.not_converged, 0);
            let n = coded.codes.nnz();
            let residual = |n| {
                square(
                    &alone.residual(0, &alone.dense(&alone.encode(lasso(0.0), None, omp(n, None)).codes, 0)),
                )
            };
            assert!(residual(n) <= error && (n == 1 || residual(n - 1) > error));
            assert_eq!(alone.encode(lasso(0.0), None, omp(n + 1, error)).codes, coded.codes);
            let fewer = alone.encode(lasso(0.0), None, omp((n - 1).max(1), error));
            assert_eq!((fewer.codes.nnz(), fewer.report.not_converged), ((n - 1).max(1), 0));
        }
    }
    // Fewer atoms than features: an error of 0 is out of reach, and is said to be.
    let instance = Instance::random("out of reach", 20, 6, 3, 123);
    let coded = instance.encode(lasso(0.0), None, omp(None, 0.0));
    assert_eq!((coded.report.not_converged, coded.codes.nnz()), (3, 18));
}

#[test]
fn pursuit_reaches_least_squares() {
    for instance in
        [Instance::random("more features", 24, 8, 5, 124), Instance::random("square", 10, 10, 5, 125)]
    {
        let coded = instance.encode(lasso(0.0), None, omp(instance.d.min(instance.k), None));
        assert_eq!(coded.report.not_converged, 0);
        for i in 0..instance.n() {
            let code = instance.dense(&coded.codes, i);
            assert!(instance.violation(&lasso(0.0), i, &code) <= 1e-12);
        }
    }
}

#[test]
fn pursuit_takes_one_of_identical_atoms_and_stops_where_nothing_is_left() {
    let mut instance = Instance::random("identical", 5, 12, 4, 126);
    for j in 6..12 {
        let copy: Vec<f64> =
            instance.atom(j - 6).iter().map(|a| if j % 2 == 0 { *a } else { -3.0 * a }).collect();
        instance.atom_mut(j).copy_from_slice(&copy);
    }
    instance.samples[..5].fill(0.0);
    let copy = instance.atom(2).to_vec();
    instance.samples[5..10].copy_from_slice(&copy);
    let coded = instance.encode(lasso(0.0), None, omp(12, None));
    assert_eq!(coded.report.not_converged, 0);
    let sizes: Vec<usize> = coded.codes.rows().map(|code| code.support.len()).collect();
    // A zero sample, an atom, and samples that five independent atoms exhaust.
    assert_eq!(sizes, [0, 1, 5, 5]);
    for code in coded.codes.rows() {
        assert!(code.support.iter().all(|j| !code.support.contains(&(j + 6))), "{code:?}");
    }
}
