//! What the suites share: instances, and the lower level written a second time, entry by entry from its definition.
#![allow(dead_code, reason = "each suite uses its part")]

use dictlearn::active_set::CoderOptions;
use dictlearn::coder::{Coded, encode};
use dictlearn::codes::{Code, Codes};
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::method::Method;
use faer::MatRef;

pub const EXACT: CoderOptions =
    CoderOptions { tolerance: 1e-13, max_iterations: 1000, method: Method::ActiveSet };

/// A dictionary `d x k` and samples `d x n`, column-major.
#[derive(Clone, Debug)]
pub struct Instance {
    pub name: &'static str,
    pub d: usize,
    pub k: usize,
    pub dictionary: Vec<f64>,
    pub samples: Vec<f64>,
}

impl Instance {
    /// Gaussian atoms of norm 1 and Gaussian samples of norm about 1.
    pub fn random(name: &'static str, d: usize, k: usize, n: usize, seed: u64) -> Self {
        let mut samples = testkit::normal_matrix(d, n, seed + 1000);
        samples.iter_mut().for_each(|x| *x /= (d as f64).sqrt());
        Self { name, d, k, dictionary: testkit::unit_columns(d, k, seed), samples }
    }

    pub fn n(&self) -> usize {
        self.samples.len() / self.d
    }

    pub fn atom(&self, j: usize) -> &[f64] {
        &self.dictionary[j * self.d..(j + 1) * self.d]
    }

    pub fn sample(&self, i: usize) -> &[f64] {
        &self.samples[i * self.d..(i + 1) * self.d]
    }

    pub fn atom_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.dictionary[j * self.d..(j + 1) * self.d]
    }

    pub fn samples(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.samples, self.d, self.n())
    }

    pub fn problem(&self, lower: LowerLevel) -> Problem {
        let dictionary = MatRef::from_column_major_slice(&self.dictionary, self.d, self.k);
        Problem::new(lower, dictionary)
    }

    pub fn encode(&self, lower: LowerLevel, start: Option<&Codes>, options: CoderOptions) -> Coded {
        encode(&self.problem(lower), self.samples(), start, options).expect("valid input")
    }

    /// `max_ij |d_j . phi'(x_i)|`: the smallest `regularization` at which every code is zero.
    pub fn largest_regularization(&self, loss: Loss) -> f64 {
        let mut largest = 0.0_f64;
        for i in 0..self.n() {
            for j in 0..self.k {
                let pairs = self.atom(j).iter().zip(self.sample(i));
                let correlation: f64 = pairs.map(|(a, &x)| a * slope(loss, x)).sum();
                largest = largest.max(correlation.abs());
            }
        }
        largest
    }

    /// `max_j |d_j . x_i|`.
    pub fn largest_correlation(&self, i: usize) -> f64 {
        self.correlations(Loss::Squared, self.sample(i)).iter().fold(0.0_f64, |m, g| m.max(g.abs()))
    }

    /// Code `i` as a dense vector.
    pub fn dense(&self, codes: &Codes, i: usize) -> Vec<f64> {
        let mut dense = vec![0.0; self.k];
        codes.row(i).iter().for_each(|(j, c)| dense[j] = c);
        dense
    }

    pub fn residual(&self, i: usize, code: &[f64]) -> Vec<f64> {
        let mut residual = self.sample(i).to_vec();
        for (t, r) in residual.iter_mut().enumerate() {
            for (j, c) in code.iter().enumerate() {
                *r -= c * self.dictionary[j * self.d + t];
            }
        }
        residual
    }

    /// `P(c)` of sample `i`.
    pub fn objective(&self, lower: &LowerLevel, i: usize, code: &[f64]) -> f64 {
        let residual = self.residual(i, code);
        let fit: f64 = residual.iter().map(|&r| value(lower.loss, r)).sum();
        fit + penalty(lower, code)
    }

    /// `d_j . phi'(r)` for every atom.
    pub fn correlations(&self, loss: Loss, residual: &[f64]) -> Vec<f64> {
        let product = |j| {
            let pairs = self.atom(j).iter().zip(residual);
            pairs.map(|(a, &r)| a * slope(loss, r)).sum()
        };
        (0..self.k).map(product).collect()
    }

    /// Largest distance from the optimality conditions of sample `i`, relative to `regularization` (where that is 0,
    /// to `max_j |d_j . phi'(x)|`).
    pub fn violation(&self, lower: &LowerLevel, i: usize, code: &[f64]) -> f64 {
        self.weighted_violation(lower, lower.regularization, &vec![1.0; self.k], i, code)
    }

    /// The same with weights of the l1 norm and the multiplier `lambda` in place of `regularization` (not in the ridge);
    /// infinite for a negative coefficient where none is allowed.
    pub fn weighted_violation(
        &self,
        lower: &LowerLevel,
        lambda: f64,
        weights: &[f64],
        i: usize,
        code: &[f64],
    ) -> f64 {
        let v = self.correlations(lower.loss, &self.residual(i, code));
        let ridge = lower.regularization * lower.elastic_penalty + lower.l2_regularization;
        let distance = |j: usize| {
            let (g, threshold) = (v[j] - ridge * code[j], lambda * weights[j]);
            if code[j] > 0.0 {
                (g - threshold).abs()
            } else if code[j] < 0.0 {
                if lower.non_negative { f64::INFINITY } else { (g + threshold).abs() }
            } else if lower.non_negative {
                (g - threshold).max(0.0)
            } else {
                (g.abs() - threshold).max(0.0)
            }
        };
        let worst = (0..self.k).map(distance).fold(0.0, f64::max);
        let unit = if lambda > 0.0 {
            lambda
        } else {
            self.correlations(lower.loss, self.sample(i)).iter().fold(0.0_f64, |m, g| m.max(g.abs()))
        };
        if worst == 0.0 { 0.0 } else { worst / unit }
    }
}

/// `lambda |c|_1 + (lambda gamma + l2) / 2 |c|^2`.
pub fn penalty(lower: &LowerLevel, code: &[f64]) -> f64 {
    let ridge = lower.regularization * lower.elastic_penalty + lower.l2_regularization;
    let terms = code.iter().map(|c| lower.regularization * c.abs() + ridge / 2.0 * c.powi(2));
    terms.sum()
}

/// `phi(r)`.
pub fn value(loss: Loss, r: f64) -> f64 {
    match loss {
        Loss::Squared => r * r / 2.0,
        Loss::Power { exponent } => r.abs().powf(exponent),
        Loss::Huber { delta } => {
            let outside = (r.abs() - delta).max(0.0);
            (r * r - outside * outside) / 2.0
        }
    }
}

/// `phi'(r)`.
pub fn slope(loss: Loss, r: f64) -> f64 {
    let sign = if r < 0.0 { -1.0 } else { 1.0 };
    match loss {
        Loss::Squared => r,
        Loss::Power { exponent } => exponent * sign * r.abs().powf(exponent - 1.0),
        Loss::Huber { delta } => sign * r.abs().min(delta),
    }
}

/// The squared lasso with weight `regularization`, for changes by struct update.
pub fn lasso(regularization: f64) -> LowerLevel {
    LowerLevel::new(Loss::Squared, regularization)
}

/// Runs `work` on a pool of its own.
pub fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
    pool.install(work)
}

/// Atoms at a common cosine: `sqrt(cosine) u + sqrt(1 - cosine) e_j` with Gaussian `u`, `e_j` of norm about 1.
pub fn coherent(name: &'static str, cosine: f64, seed: u64) -> Instance {
    let mut instance = Instance::random(name, 20, 40, 4, seed);
    let common = testkit::unit_columns(20, 1, seed + 5);
    for j in 0..40 {
        for (a, u) in instance.atom_mut(j).iter_mut().zip(&common) {
            *a = cosine.sqrt() * u + (1.0 - cosine).sqrt() * *a;
        }
    }
    instance
}

/// Codes that solve nothing: every third atom, both signs, large.
pub fn nonsense(instance: &Instance, seed: u64) -> Codes {
    let mut codes = Codes::new(instance.k);
    for i in 0..instance.n() {
        let support: Vec<u32> = (0..instance.k as u32).filter(|j| (j + i as u32).is_multiple_of(3)).collect();
        let mut values = testkit::normal_vector(support.len(), seed + i as u64);
        values.iter_mut().for_each(|v| *v *= 3.0);
        codes.push(Code { support: &support, values: &values });
    }
    codes
}

/// Every kind of loss.
pub const LOSSES: [Loss; 6] = [
    Loss::Squared,
    Loss::Power { exponent: 2.1 },
    Loss::Power { exponent: 3.0 },
    Loss::Huber { delta: 0.01 },
    Loss::Huber { delta: 0.1 },
    Loss::Huber { delta: 1.0 },
];

/// With ridge `m` the objective is `m`-strongly convex: `|c - c*| <= |distance of 0 from the subdifferential| / m`.
pub fn code_error_bound(instance: &Instance, lower: &LowerLevel, sample: usize, code: &[f64]) -> f64 {
    let ridge = lower.regularization * lower.elastic_penalty + lower.l2_regularization;
    let entry = instance.violation(lower, sample, code) * lower.regularization;
    entry * (instance.k as f64).sqrt() / ridge
}

/// Shapes, coherences, duplicates, zeros and norms that are hard for one method or another.
pub fn stress() -> Vec<Instance> {
    let mut near_duplicates = Instance::random("near duplicates 1e-5", 12, 24, 4, 21);
    let mut duplicates = Instance::random("exact duplicates", 12, 24, 4, 22);
    let mut opposite = Instance::random("opposite duplicates", 12, 24, 4, 32);
    let mut zero_atoms = Instance::random("zero atoms", 10, 15, 4, 23);
    let mut norms = Instance::random("norms 1e-3 to 1e3", 10, 21, 4, 24);
    let mut zero_samples = Instance::random("zero and constant samples", 9, 14, 4, 25);
    for j in 0..12 {
        let (copy, noise) = (near_duplicates.atom(j).to_vec(), testkit::normal_vector(12, 100 + j as u64));
        near_duplicates.atom_mut(j + 12).copy_from_slice(&copy);
        near_duplicates.atom_mut(j + 12).iter_mut().zip(noise).for_each(|(a, e)| *a += 1e-5 * e);
        let copy = duplicates.atom(j).to_vec();
        duplicates.atom_mut(j + 12).copy_from_slice(&copy);
        let copy: Vec<f64> = opposite.atom(j).iter().map(|a| -a).collect();
        opposite.atom_mut(j + 12).copy_from_slice(&copy);
    }
    for j in [0, 7, 14] {
        zero_atoms.atom_mut(j).fill(0.0);
    }
    for j in 0..21 {
        let factor = 10.0_f64.powf(0.3 * j as f64 - 3.0);
        norms.atom_mut(j).iter_mut().for_each(|a| *a *= factor);
    }
    zero_samples.samples[..9].fill(0.0);
    zero_samples.samples[9..18].fill(0.3);
    zero_samples.samples[18..].fill(-2.0);
    vec![
        Instance::random("one feature", 1, 6, 4, 11),
        Instance::random("one atom", 8, 1, 4, 12),
        Instance::random("fewer atoms than features", 30, 10, 4, 13),
        Instance::random("square", 16, 16, 4, 14),
        Instance::random("many atoms", 10, 80, 4, 15),
        Instance::random("few features, many atoms", 5, 200, 4, 16),
        coherent("cosine .54", 0.54, 17),
        coherent("cosine .8", 0.8, 18),
        coherent("cosine .96", 0.96, 19),
        coherent("cosine .99", 0.99, 20),
        near_duplicates,
        duplicates,
        opposite,
        zero_atoms,
        norms,
        zero_samples,
    ]
}

/// What rounding alone can make of a violation: `d_j . (x - D c)` to `(d + s) eps |d_j| (|x| + sum |c_j| |d_j|)`, twice.
pub fn rounding(instance: &Instance, lambda: f64, i: usize, code: &[f64]) -> f64 {
    let length = |v: &[f64]| v.iter().map(|a| a * a).sum::<f64>().sqrt();
    let lengths: Vec<f64> = (0..instance.k).map(|j| length(instance.atom(j))).collect();
    let largest = lengths.iter().fold(0.0_f64, |m, &a| m.max(a));
    let mass: f64 = code.iter().zip(&lengths).map(|(c, a)| c.abs() * a).sum();
    let unit = if lambda > 0.0 { lambda } else { instance.largest_correlation(i) };
    let terms = (instance.d + code.iter().filter(|c| **c != 0.0).count()) as f64;
    if mass == 0.0 {
        1e-15
    } else {
        2.0 * terms * f64::EPSILON * largest * (length(instance.sample(i)) + mass) / unit
    }
}
