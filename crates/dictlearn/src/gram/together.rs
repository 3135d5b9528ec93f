//! Settles up to sixteen supports side by side, one in each lane of the vectors.
//!
//! Problem and symbols as in [`super::settle`]. Where `H` is at hand in `f64`, refinement needs neither atoms nor features:
//! with `b = lambda s - D_S^T x` and `M ~ H^-1` of [`super::lanes`], `F = H c + b`, `c <- c - M F`, four times from
//! `c = 0`. Then `r = x - D_S c`, and `max |D_S^T r - lambda s - R c|` is the certificate, from the data as ever. A lane does
//! not depend on its neighbours, bit by bit. What does not come to rounding that way is left to [`super::settle`].
//! Cost: `6 s d` a sample, and `s^2 / 2` vector operations a step for all sixteen.

use super::dictionary::GramDictionary;
use super::lanes::Lanes;
use super::sample::Sample;
use super::settle::{ROUNDING, Settler, correlate};
use linalg::simd::{Aligned, CHUNK, Kernel, Simd, chunks, chunks_mut, padded};

/// Steps of refinement: three bring `c` to rounding for all but the worst conditions.
const STEPS: usize = 4;

/// One worker's memory; entry `a` of all lanes is chunk `a` of a vector.
#[derive(Clone, Debug, Default)]
pub(super) struct Together {
    lanes: Lanes,
    /// `b`.
    right: Aligned<f64>,
    values: Aligned<f64>,
    /// `F`.
    gradient: Aligned<f64>,
    narrow: Aligned<f32>,
    step: Aligned<f32>,
}

impl Together {
    /// Settles the samples of a group; those that are not `solved` then have to be settled alone.
    pub fn settle(
        &mut self,
        dictionary: &GramDictionary,
        samples: &mut [Sample],
        group: &[usize],
        settler: &mut Settler,
    ) {
        if let Some(gram) = dictionary.exact() {
            dictionary.isa.run(Exactly { together: self, dictionary, gram, samples, group, settler });
            return;
        }
        self.lanes.invert(dictionary, &supports(samples, group)[..group.len()]);
        for (lane, &slot) in group.iter().enumerate() {
            let Sample { values, residual, settled, penalty, .. } = &mut samples[slot];
            settled.solved = self
                .lanes
                .inverse(lane)
                .is_some_and(|matrix| settled.solve(dictionary, values, residual, *penalty, matrix, settler));
        }
    }
}

fn supports<'a>(samples: &'a [Sample], group: &[usize]) -> [&'a [u32]; CHUNK] {
    let mut supports: [&[u32]; CHUNK] = [&[]; CHUNK];
    supports.iter_mut().zip(group).for_each(|(to, &slot)| *to = &samples[slot].settled.support);
    supports
}

struct Exactly<'a> {
    together: &'a mut Together,
    dictionary: &'a GramDictionary<'a>,
    /// In `f64`.
    gram: &'a [f64],
    samples: &'a mut [Sample],
    group: &'a [usize],
    settler: &'a mut Settler,
}

impl Kernel for Exactly<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { together, dictionary, gram, samples, group, settler } = self;
        together.lanes.invert_exact(
            simd,
            gram,
            dictionary.n_components,
            &supports(samples, group)[..group.len()],
        );
        together.load(simd, dictionary, samples, group, settler);
        together.refine(simd);
        for (lane, &slot) in group.iter().enumerate() {
            let Sample { values, residual, settled, penalty, .. } = &mut samples[slot];
            let column = &chunks(&together.values)[..settled.support.len()];
            settled.values.clear();
            settled.values.extend(column.iter().map(|entries| entries[lane]));
            let reached = settler.evaluate(simd, dictionary, values, residual, settled, penalty.lambda);
            let exact = reached <= ROUNDING * dictionary.largest_norm;
            let regular = together.lanes.regular >> lane & 1 == 1;
            settled.solved = exact && regular && settled.accept(dictionary, reached, *penalty);
        }
    }
}

impl Together {
    /// The right-hand sides.
    #[inline(always)]
    fn load<S: Simd>(
        &mut self,
        simd: S,
        dictionary: &GramDictionary,
        samples: &[Sample],
        group: &[usize],
        settler: &mut Settler,
    ) {
        let s = self.lanes.size;
        for vector in [&mut self.right, &mut self.values, &mut self.gradient] {
            vector.reserve(CHUNK * s);
        }
        for vector in [&mut self.narrow, &mut self.step] {
            vector.reserve(CHUNK * s);
        }
        let right = &mut chunks_mut(&mut self.right)[..s];
        right.fill([0.0; CHUNK]);
        for (lane, &slot) in group.iter().enumerate() {
            let Sample { values, settled, penalty, .. } = &samples[slot];
            settler.gradient.reserve(padded(settled.support.len()));
            correlate(simd, dictionary, &settled.support, values, &mut settler.gradient);
            let entries = settler.gradient.iter().zip(&settled.signs);
            for (to, (product, sign)) in right.iter_mut().zip(entries) {
                to[lane] = penalty.lambda * sign - product;
            }
        }
    }

    #[inline(always)]
    fn refine<S: Simd>(&mut self, simd: S) {
        let s = self.lanes.size;
        let (right, triangle) = (&chunks(&self.right)[..s], chunks(&self.lanes.triangle));
        let gradient = &mut chunks_mut(&mut self.gradient)[..s];
        let values = &mut chunks_mut(&mut self.values)[..s];
        let narrow = &mut chunks_mut(&mut self.narrow)[..s];
        let step = &mut chunks_mut(&mut self.step)[..s];
        values.fill([0.0; CHUNK]);
        for round in 0..STEPS {
            gradient.copy_from_slice(right);
            if round > 0 {
                add_product(simd, chunks(&self.lanes.exact), values, gradient);
            }
            for (to, f) in narrow.iter_mut().zip(gradient.iter()) {
                simd.store32(to, simd.narrow64(simd.load64(f)));
            }
            step.fill([0.0; CHUNK]);
            add_narrow_product(simd, triangle, narrow, step);
            let one = simd.splat64(1.0);
            for (c, p) in values.iter_mut().zip(step.iter()) {
                let moved = simd.fma64(simd.widen32(simd.load32(p)), one, simd.load64(c));
                simd.store64(c, moved);
            }
        }
    }
}

/// `out += A v` in every lane, with the lower triangle of `A`, row by row.
#[inline(always)]
fn add_product<S: Simd>(
    simd: S,
    triangle: &[[f64; CHUNK]],
    vector: &[[f64; CHUNK]],
    out: &mut [[f64; CHUNK]],
) {
    let mut rest = triangle;
    for (a, v_a) in vector.iter().enumerate() {
        let (row, next) = rest.split_at(a + 1);
        rest = next;
        let v_a = simd.load64(v_a);
        let mut sum = simd.fma64(simd.load64(&row[a]), v_a, simd.load64(&out[a]));
        for ((entry, out), v_b) in row[..a].iter().zip(out.iter_mut()).zip(vector) {
            let entry = simd.load64(entry);
            sum = simd.fma64(entry, simd.load64(v_b), sum);
            simd.store64(out, simd.fma64(entry, v_a, simd.load64(out)));
        }
        simd.store64(&mut out[a], sum);
    }
}

/// [`add_product`] in `f32`.
#[inline(always)]
fn add_narrow_product<S: Simd>(
    simd: S,
    triangle: &[[f32; CHUNK]],
    vector: &[[f32; CHUNK]],
    out: &mut [[f32; CHUNK]],
) {
    let mut rest = triangle;
    for (a, v_a) in vector.iter().enumerate() {
        let (row, next) = rest.split_at(a + 1);
        rest = next;
        let v_a = simd.load32(v_a);
        let mut sum = simd.fma32(simd.load32(&row[a]), v_a, simd.load32(&out[a]));
        for ((entry, out), v_b) in row[..a].iter().zip(out.iter_mut()).zip(vector) {
            let entry = simd.load32(entry);
            sum = simd.fma32(entry, simd.load32(v_b), sum);
            simd.store32(out, simd.fma32(entry, v_a, simd.load32(out)));
        }
        simd.store32(&mut out[a], sum);
    }
}

#[cfg(test)]
mod tests {
    use super::super::settle::{Inverse, invert};
    use super::*;
    use crate::loss::Loss;
    use crate::lower::{LowerLevel, Problem};
    use faer::MatRef;
    use linalg::simd::Isa;

    /// A sample whose support has the first `s` atoms, signed as in the solution without an l1 norm.
    fn sample(dictionary: &GramDictionary, values: &[f64], s: usize) -> Sample {
        let mut sample = Sample::default();
        sample.begin(values, &dictionary.problem.lower, dictionary.isa, false);
        sample.settled.restart((0..s).map(|j| (j, 1.0)));
        alone(dictionary, &mut sample);
        let signed: Vec<(usize, f64)> = sample.settled.values.iter().copied().enumerate().collect();
        sample.settled.restart(signed.into_iter());
        sample
    }

    /// By the steps of [`super::super::settle`].
    fn alone(dictionary: &GramDictionary, sample: &mut Sample) -> bool {
        let mut inverse = Inverse::default();
        assert!(invert(dictionary, &sample.settled.support, &mut inverse));
        let Sample { values, residual, settled, penalty, .. } = sample;
        settled.solve(dictionary, values, residual, *penalty, inverse.matrix(), &mut Settler::default())
    }

    #[test]
    fn groups_settle_as_each_sample_does_alone() {
        let (d, k) = (40, 50);
        let atoms = testkit::unit_columns(d, k, 61);
        let data = testkit::unit_columns(d, CHUNK, 62);
        for isa in Isa::available() {
            let lower = LowerLevel { l2_regularization: 0.1, ..LowerLevel::new(Loss::Squared, 1e-4) };
            let problem = Problem::new(lower, MatRef::from_column_major_slice(&atoms, d, k)).with_isa(isa);
            let dictionary = GramDictionary::new(&problem).expect("norms are 1");
            let fresh = |lane: usize| sample(&dictionary, &data[lane * d..(lane + 1) * d], 3 * lane);
            let (mut together, mut settler) = (Together::default(), Settler::default());
            let mut all: Vec<Sample> = (0..CHUNK).map(fresh).collect();
            let group: Vec<usize> = (0..CHUNK).collect();
            together.settle(&dictionary, &mut all, &group, &mut settler);
            let mut solved = 0;
            for (lane, settled) in all.iter().map(|sample| &sample.settled).enumerate() {
                let mut single = [fresh(lane)];
                together.settle(&dictionary, &mut single, &[0], &mut settler);
                assert_eq!(single[0].settled.values, settled.values, "{} lane {lane}", isa.name());
                let mut plain = fresh(lane);
                assert_eq!(alone(&dictionary, &mut plain), settled.solved, "{} lane {lane}", isa.name());
                testkit::assert_slices_close(&settled.values, &plain.settled.values, 1e-14, 1e-15);
                solved += usize::from(settled.solved);
            }
            assert!(solved >= CHUNK - 2, "{} {solved} of {CHUNK}", isa.name());
        }
    }
}
