//! Coefficients of a known support in `f64`: iterative refinement with a single-precision inverse.
//!
//! `H = D_S^T D_S` with the ridges `R` on its diagonal, right-hand side `D_S^T x - lambda s`. With `M ~ H^-1` computed in
//! `f32` from the sorted support, repeat from `c = 0`: `r = x - D_S c`, `F = D_S^T r - lambda s - R c`, `c <- c + M F`. The
//! error shrinks by `cond(H) 2^-24` a step; the last `F` is the certificate on the support. Everything depends on the
//! support, the signs and the sample alone, never on the way they were found. `M` comes from [`super::lanes`], or from
//! [`invert`] for large supports and where a growth begins again. Cost: `4 s d` a step, 3 or 4 steps. Where the Gram matrix
//! is at hand in `f64`, [`super::together`] needs one such step only; what it leaves open comes here.
//! Source: Higham, Accuracy and Stability of Numerical Algorithms, chapter 12.

use super::dictionary::{GramDictionary, Matrix, Penalty, power_of_two};
use super::lanes::SMALLEST_PIVOT;
use super::vectors::{add_multiples, combine};
use linalg::simd::{Aligned, CHUNK, Kernel, Simd, chunks, chunks_mut, padded};

/// A support with coefficients that solve its system.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    /// Ascending.
    pub support: Vec<u32>,
    pub signs: Vec<f64>,
    pub values: Vec<f64>,
    /// The coefficients that growth reached, where it did.
    pub grown: Vec<f32>,
    /// `max |F|` relative to lambda, times the largest weight on the support: at least that of the weighted problem.
    pub violation: f64,
    /// Whether the last attempt succeeded.
    pub solved: bool,
}

/// Scratch of a refinement: vectors over the support, padded with zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Settler {
    right: Aligned<f32>,
    step: Aligned<f32>,
    values: Aligned<f64>,
    best: Aligned<f64>,
    /// `F`.
    pub gradient: Aligned<f64>,
    /// `lambda s`.
    pull: Aligned<f64>,
    /// Minus the ridge of each atom.
    ridges: Aligned<f64>,
}

/// `max |F|` that rounding of the sums in `F` leaves, for a sample and atoms of norm 1.
pub(super) const ROUNDING: f64 = 4.0 * f64::EPSILON;
/// Most refinement steps.
const MOST_STEPS: usize = 10;

impl Settled {
    pub fn clear(&mut self) {
        self.support.clear();
        self.signs.clear();
        self.values.clear();
        self.grown.clear();
        self.violation = 0.0;
    }

    /// The support and signs of another code.
    pub fn restart(&mut self, code: impl Iterator<Item = (usize, f64)>) {
        self.clear();
        for (j, c) in code {
            self.support.push(j as u32);
            self.signs.push(c.signum());
        }
    }

    /// An atom off the support joins, with its sign; the coefficients are to be settled.
    pub fn join(&mut self, (atom, sign): (u32, f64)) {
        let rank = self.support.partition_point(|&j| j < atom);
        self.support.insert(rank, atom);
        self.signs.insert(rank, sign);
        self.grown.clear();
    }

    /// Atoms and coefficients that a growth has reached, in any order.
    pub fn grow_to(&mut self, code: &[(u32, f32)]) {
        self.clear();
        self.support.resize(code.len(), 0);
        self.signs.resize(code.len(), 0.0);
        self.grown.resize(code.len(), 0.0);
        // Sorted by counting: quicker than what has to branch, for the few that there are.
        for &(j, c) in code {
            let rank: u32 = code.iter().map(|(i, _)| u32::from(*i < j)).sum();
            let rank = rank as usize;
            (self.support[rank], self.signs[rank], self.grown[rank]) = (j, f64::from(c.signum()), c);
        }
    }

    /// Atoms and coefficients in the unit of the data, once they are free of their weights.
    pub fn code(&self, exponent: i32) -> impl Iterator<Item = (usize, f64)> + '_ {
        let scale = power_of_two(exponent);
        let pairs = self.support.iter().zip(&self.values);
        pairs.map(move |(&j, c)| (j as usize, c * scale)).filter(|(_, c)| *c != 0.0)
    }

    /// Coefficients, residual and violation from support, signs and the inverse `M` of the support's system; `false`
    /// where refinement fails or a coefficient does not have its sign.
    pub fn solve(
        &mut self,
        dictionary: &GramDictionary,
        sample: &[f64],
        residual: &mut [f64],
        penalty: Penalty,
        inverse: Matrix<'_>,
        settler: &mut Settler,
    ) -> bool {
        let (support, signs, values) = (&self.support, &self.signs, &mut self.values);
        let refine =
            Refine { dictionary, sample, residual, penalty, support, signs, values, inverse, settler };
        let reached = dictionary.isa.run(refine);
        self.accept(dictionary, reached, penalty)
    }

    /// Notes the violation of values with `max |F|` as `reached`; `false` where that is too large or a coefficient does not
    /// have its sign.
    pub fn accept(&mut self, dictionary: &GramDictionary, reached: f64, penalty: Penalty) -> bool {
        let reached = reached / penalty.lambda;
        let weight = self.support.iter().fold(0.0_f64, |w, &j| w.max(dictionary.problem.weight(j as usize)));
        self.violation = weight * reached;
        let signed = self.values.iter().zip(&self.signs).all(|(c, s)| c * s > 0.0);
        signed && reached < 1e-9
    }
}

/// The single-precision inverse of one support's system, and scratch.
#[derive(Clone, Debug, Default)]
pub(super) struct Inverse {
    /// `s` rows of `stride` numbers, padding zero.
    pub rows: Vec<f32>,
    pub stride: usize,
    pivot: Vec<f32>,
}

impl Inverse {
    pub fn matrix(&self) -> Matrix<'_> {
        Matrix { rows: &self.rows, stride: self.stride }
    }

    /// Inverts the system of a support by Gauss-Jordan sweeps; `false` where a pivot vanishes.
    #[inline(always)]
    pub fn invert<S: Simd>(&mut self, simd: S, dictionary: &GramDictionary, support: &[u32]) -> bool {
        let s = support.len();
        self.stride = padded(s);
        self.rows.clear();
        self.rows.resize(s * self.stride, 0.0);
        if s == 0 {
            return true;
        }
        for (row, &j) in self.rows.chunks_exact_mut(self.stride).zip(support) {
            let gram = dictionary.gram_row(j as usize);
            row.iter_mut().zip(support).for_each(|(to, &i)| *to = gram[i as usize]);
        }
        self.pivot.resize(self.stride, 0.0);
        for (p, &j) in support.iter().enumerate() {
            let original = dictionary.gram_row(j as usize)[j as usize];
            if !sweep(simd, &mut self.rows, &mut self.pivot, p, original) {
                return false;
            }
        }
        // Swept on every pivot the matrix is minus its inverse.
        for chunk in chunks_mut(&mut self.rows) {
            let negative = simd.mul32(simd.load32(chunk), simd.splat32(-1.0));
            simd.store32(chunk, negative);
        }
        true
    }
}

/// [`Inverse::invert`] from outside a kernel.
pub(super) fn invert(dictionary: &GramDictionary, support: &[u32], inverse: &mut Inverse) -> bool {
    dictionary.isa.run(Invert { dictionary, support, inverse })
}

struct Invert<'a> {
    dictionary: &'a GramDictionary<'a>,
    support: &'a [u32],
    inverse: &'a mut Inverse,
}

impl Kernel for Invert<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        self.inverse.invert(simd, self.dictionary, self.support)
    }
}

/// One sweep of a symmetric matrix on pivot `d = A_pp` (Goodnight 1979), in place: `A_ij <- A_ij - A_ip A_pj / d`,
/// `A_ip <- A_ip / d`, `A_pp <- -1 / d`; `false` where the pivot is too small against `original`.
///
/// Written as whole-row updates: row i loses `A_ip / d` times `pivot`, row p less the unit vector of p.
#[inline(always)]
fn sweep<S: Simd>(simd: S, rows: &mut [f32], pivot: &mut [f32], p: usize, original: f32) -> bool {
    let stride = pivot.len();
    let diagonal = rows[p * stride + p];
    if diagonal.is_nan() || diagonal <= SMALLEST_PIVOT * original {
        return false;
    }
    let reciprocal = 1.0 / diagonal;
    let unit = simd.load32(&UNITS[p % CHUNK]);
    pivot.copy_from_slice(&rows[p * stride..(p + 1) * stride]);
    let own = &mut chunks_mut(pivot)[p / CHUNK];
    let changed = simd.fma32(unit, simd.splat32(-1.0), simd.load32(own));
    simd.store32(own, changed);
    let count = rows.len() / stride;
    add_multiples(simd, rows, stride, count, pivot, |_, row| -row[p] * reciprocal);
    // Row p itself: its entry in `pivot` is d - 1 and shall be -1.
    let own = &mut chunks_mut(pivot)[p / CHUNK];
    simd.store32(own, simd.fma32(unit, simd.splat32(-diagonal), changed));
    let scale = simd.splat32(reciprocal);
    for (to, from) in chunks_mut(&mut rows[p * stride..(p + 1) * stride]).iter_mut().zip(chunks(pivot)) {
        simd.store32(to, simd.mul32(simd.load32(from), scale));
    }
    true
}

/// The unit vectors of a chunk.
static UNITS: [[f32; CHUNK]; CHUNK] = {
    let mut units = [[0.0; CHUNK]; CHUNK];
    let mut lane = 0;
    while lane < CHUNK {
        units[lane][lane] = 1.0;
        lane += 1;
    }
    units
};

struct Refine<'a> {
    dictionary: &'a GramDictionary<'a>,
    sample: &'a [f64],
    residual: &'a mut [f64],
    penalty: Penalty,
    support: &'a [u32],
    signs: &'a [f64],
    values: &'a mut Vec<f64>,
    inverse: Matrix<'a>,
    settler: &'a mut Settler,
}

impl Kernel for Refine<'_> {
    /// The largest `|F|`; infinite where `M` fails.
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let Self { dictionary, sample, residual, penalty, support, signs, values, inverse, settler } = self;
        settler.begin(dictionary, support, signs, penalty.lambda);
        let reached = settler.refine(simd, dictionary, sample, residual, support, inverse);
        values.clear();
        values.extend_from_slice(&settler.values[..support.len()]);
        reached
    }
}

impl Settler {
    /// `c = 0`.
    #[inline(always)]
    fn begin(&mut self, dictionary: &GramDictionary, support: &[u32], signs: &[f64], lambda: f64) {
        let length = padded(signs.len());
        for vector in [&mut self.right, &mut self.step] {
            vector.reserve(length);
        }
        let Self { values, best, gradient, pull, ridges, .. } = self;
        for vector in [values, best, gradient, pull, ridges] {
            vector.reserve(length);
            chunks_mut(vector)[..length / CHUNK].fill([0.0; CHUNK]);
        }
        self.pull.iter_mut().zip(signs).for_each(|(to, sign)| *to = lambda * sign);
        if dictionary.has_ridge() {
            let pairs = self.ridges.iter_mut().zip(support);
            pairs.for_each(|(to, &j)| *to = -dictionary.ridge(j as usize));
        }
    }

    /// `r` and the largest `|F|` at coefficients that were found elsewhere.
    #[inline(always)]
    pub fn evaluate<S: Simd>(
        &mut self,
        simd: S,
        dictionary: &GramDictionary,
        sample: &[f64],
        residual: &mut [f64],
        settled: &Settled,
        lambda: f64,
    ) -> f64 {
        let Settled { support, signs, values, .. } = settled;
        self.begin(dictionary, support, signs, lambda);
        self.values[..values.len()].copy_from_slice(values);
        subtract(simd, dictionary, support, values, sample, residual);
        correlate(simd, dictionary, support, residual, &mut self.gradient);
        self.violation(simd, padded(values.len()))
    }

    /// From `c = 0` to `c` and `r`; gives the largest `|F|`.
    #[inline(always)]
    fn refine<S: Simd>(
        &mut self,
        simd: S,
        dictionary: &GramDictionary,
        sample: &[f64],
        residual: &mut [f64],
        support: &[u32],
        inverse: Matrix<'_>,
    ) -> f64 {
        let (s, length) = (support.len(), padded(support.len()));
        if s == 0 {
            return 0.0;
        }
        correlate(simd, dictionary, support, sample, &mut self.gradient);
        let mut reached = f64::INFINITY;
        for _ in 0..MOST_STEPS {
            let worst = self.violation(simd, length);
            if worst.is_nan() || worst >= 0.5 * reached {
                // Rounding is reached: the step before was the better one, or as good.
                if worst > reached {
                    self.values[..s].copy_from_slice(&self.best[..s]);
                    subtract(simd, dictionary, support, &self.values[..s], sample, residual);
                }
                return worst.min(reached);
            }
            reached = worst;
            if worst <= ROUNDING * dictionary.largest_norm {
                return worst;
            }
            self.step(simd, s, worst, inverse);
            subtract(simd, dictionary, support, &self.values[..s], sample, residual);
            correlate(simd, dictionary, support, residual, &mut self.gradient);
        }
        reached
    }

    /// `F = D_S^T r - lambda s - R c` from `D_S^T r`; gives `max |F|`.
    #[inline(always)]
    fn violation<S: Simd>(&mut self, simd: S, length: usize) -> f64 {
        let minus = simd.splat64(-1.0);
        let mut worst = simd.zero64();
        let rows = chunks_mut(&mut self.gradient)[..length / CHUNK].iter_mut();
        let known = chunks(&self.pull).iter().zip(chunks(&self.ridges)).zip(chunks(&self.values));
        for (f, ((pull, ridge), c)) in rows.zip(known) {
            let pulled = simd.fma64(simd.load64(pull), minus, simd.load64(f));
            let gradient = simd.fma64(simd.load64(c), simd.load64(ridge), pulled);
            worst = simd.max_abs64(worst, gradient);
            simd.store64(f, gradient);
        }
        simd.max64(worst)
    }

    /// `c <- c + M F`, `F` scaled by its largest entry.
    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S, s: usize, worst: f64, inverse: Matrix<'_>) {
        let length = padded(s);
        let (unit, zero) = (simd.splat64(1.0 / worst), simd.zero64());
        for (to, f) in chunks_mut(&mut self.right)[..length / CHUNK].iter_mut().zip(chunks(&self.gradient)) {
            simd.store32(to, simd.narrow64(simd.fma64(simd.load64(f), unit, zero)));
        }
        combine(simd, &mut self.step[..length], &self.right[..s], inverse.rows, inverse.stride);
        let scale = simd.splat64(worst);
        let steps = chunks(&self.step)[..length / CHUNK].iter();
        for ((p, c), best) in steps.zip(chunks_mut(&mut self.values)).zip(chunks_mut(&mut self.best)) {
            *best = *c;
            let value = simd.fma64(simd.widen32(simd.load32(p)), scale, simd.load64(c));
            simd.store64(c, value);
        }
    }
}

/// `out_a = d_{S_a} . residual`, four atoms at a time.
#[inline(always)]
pub(super) fn correlate<S: Simd>(
    simd: S,
    dictionary: &GramDictionary,
    support: &[u32],
    residual: &[f64],
    out: &mut [f64],
) {
    let (fours, rest) = support.as_chunks::<4>();
    let (out_fours, _) = out.as_chunks_mut::<4>();
    for (atoms, out) in fours.iter().zip(out_fours) {
        *out = products(simd, dictionary, atoms, residual);
    }
    if let [first, ..] = *rest {
        let mut atoms = [first; 4];
        atoms[..rest.len()].copy_from_slice(rest);
        let last = products(simd, dictionary, &atoms, residual);
        out[4 * fours.len()..support.len()].copy_from_slice(&last[..rest.len()]);
    }
}

/// Inner products of four atoms with the residual.
#[inline(always)]
fn products<S: Simd>(simd: S, dictionary: &GramDictionary, atoms: &[u32; 4], residual: &[f64]) -> [f64; 4] {
    let residual = chunks(residual);
    let (mut sums, mut rows) = ([simd.zero64(); 4], [residual; 4]);
    for (row, &j) in rows.iter_mut().zip(atoms) {
        *row = &chunks(dictionary.atom(j as usize))[..residual.len()];
    }
    for (index, r) in residual.iter().enumerate() {
        let r = simd.load64(r);
        for (sum, row) in sums.iter_mut().zip(&rows) {
            *sum = simd.fma64(simd.load64(&row[index]), r, *sum);
        }
    }
    simd.sums64(sums)
}

/// `residual = sample - D_S values`.
#[inline(always)]
fn subtract<S: Simd>(
    simd: S,
    dictionary: &GramDictionary,
    support: &[u32],
    values: &[f64],
    sample: &[f64],
    residual: &mut [f64],
) {
    let (whole, rows) = (chunks(&dictionary.atoms), chunks(sample).len());
    let (sample, residual) = (chunks(sample), chunks_mut(residual));
    let mut first = 0;
    while first + 4 <= rows {
        subtract_rows::<S, 4>(simd, whole, rows, first, support, values, sample, residual);
        first += 4;
    }
    while first < rows {
        subtract_rows::<S, 1>(simd, whole, rows, first, support, values, sample, residual);
        first += 1;
    }
}

/// [`subtract`] for `N` chunks of features, held in registers over all atoms.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "an inner loop with everything it touches")]
fn subtract_rows<S: Simd, const N: usize>(
    simd: S,
    atoms: &[[f64; CHUNK]],
    rows: usize,
    first: usize,
    support: &[u32],
    values: &[f64],
    sample: &[[f64; CHUNK]],
    residual: &mut [[f64; CHUNK]],
) {
    let mut sums = [simd.zero64(); N];
    let from: &[[f64; CHUNK]; N] = sample[first..first + N].try_into().expect("N chunks");
    for (sum, from) in sums.iter_mut().zip(from) {
        *sum = simd.load64(from);
    }
    for (&j, &c) in support.iter().zip(values) {
        let offset = j as usize * rows + first;
        let atom: &[[f64; CHUNK]; N] = atoms[offset..offset + N].try_into().expect("N chunks");
        let factor = simd.splat64(-c);
        for (sum, atom) in sums.iter_mut().zip(atom) {
            *sum = simd.fma64(simd.load64(atom), factor, *sum);
        }
    }
    let to: &mut [[f64; CHUNK]; N] = (&mut residual[first..first + N]).try_into().expect("N chunks");
    for (sum, to) in sums.iter().zip(to) {
        simd.store64(to, *sum);
    }
}
