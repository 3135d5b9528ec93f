//! Sixteen supports grow in step, one in each lane of the vectors; the method of [`super::growth`].
//!
//! State of a lane: coefficients `c` optimal on its support, `M = (D_S^T D_S + ridge I)^-1`, a direction `p`. In each step
//! every lane multiplies `u = M h` and updates `M <- M + f u u^T`, `c <- c + a p` with the largest `a <= 1` that changes no
//! sign. What a lane does is a matter of its numbers alone:
//! - atom `j` joins: `h = G_jS`, `e = G_jj + ridge - h.u`, `f = 1 / e`, `u = -1` in the new slot, `p = -(rho / e) u` with
//!   `rho = g_j - lambda s_j`;
//! - slot `i` has reached zero and leaves: `h` its unit vector, `f = -1 / u_i`, `p <- (1 - a) (p + f p_i u)`;
//! - nothing (the candidate violates no longer, no sample is left): `f = 0`, `p = 0`.
//!
//! A lane whose candidates are used up scans; where that finds none, its sample is done and the next one takes the lane.
//! Unused slots are zero in `M`, `c` and `p`, so that a lane depends neither on its neighbours nor on their sizes.
//! Cost: `s^2` vector operations a step for sixteen supports, which hides the latencies that one alone would wait for.

use super::bordered::{Bordered, LARGEST, ROWS, Sixteen};
use super::dictionary::{GramDictionary, Limits};
use super::growth::SMALLEST_PIVOT;
use super::sample::Sample;
use super::scan::{Candidates, Scan};
use super::settle::{self, Inverse};
use linalg::simd::{Aligned, CHUNK, Kernel, Simd, chunks, chunks_mut, padded};

/// A sample of the block that has to grow, and the number of its correlations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    pub slot: usize,
    pub position: usize,
}

/// What a lane does in a step.
#[derive(Clone, Copy, Debug, Default)]
enum Role {
    #[default]
    Idle,
    Joins {
        atom: u32,
        slot: usize,
    },
    Leaves {
        slot: usize,
    },
}

/// The sample in a lane.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    sample: Option<Waiting>,
    role: Role,
    /// Bit `a` is set where slot `a` holds an atom.
    used: u64,
    candidates: Candidates,
    /// Candidates that were tried.
    tried: usize,
    /// Whether one of them joined.
    joined: bool,
    limits: Limits,
    scans_left: usize,
}

impl Place {
    /// Slots up to the last one in use.
    fn extent(&self) -> usize {
        (u64::BITS - self.used.leading_zeros()) as usize
    }
}

/// Numbers of one step.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    /// `b_j`, then `g_j`.
    gradient: Sixteen,
    /// `G_jj + ridge`.
    whole: Sixteen,
    /// `e`; `-u_i` where slot `i` leaves.
    pivot: Sixteen,
    /// `f`.
    factor: Sixteen,
    /// `p <- keep p + along u`.
    keep: Sixteen,
    along: Sixteen,
    /// `a`.
    share: Sixteen,
}

/// One worker's memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Lockstep {
    inverse: Bordered,
    atoms: Vec<[u32; CHUNK]>,
    values: Aligned<f32>,
    signs: Aligned<f32>,
    path: Aligned<f32>,
    column: Aligned<f32>,
    image: Aligned<f32>,
    /// `u` of the step before, with which `M` has to be updated.
    old: Aligned<f32>,
    places: [Place; CHUNK],
    numbers: Numbers,
    /// Blocks of slots in use in this step.
    blocks: usize,
    scan: Scan,
    single: Inverse,
    /// Samples that have grown.
    pub grown: Vec<usize>,
    /// Samples that have grown as far as there is room here.
    pub outgrown: Vec<Waiting>,
}

/// Grows the samples that wait; their correlations become those at zero coefficients.
pub(super) struct Grow<'a> {
    pub lockstep: &'a mut Lockstep,
    pub dictionary: &'a GramDictionary,
    pub samples: &'a mut [Sample],
    pub correlations: &'a mut [f32],
    pub waiting: &'a [Waiting],
    pub max_iterations: usize,
}

impl Kernel for Grow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        self.lockstep.begin();
        while self.propose(simd) {
            self.lockstep.gather(self.dictionary);
            self.lockstep.project(simd);
            self.lockstep.decide();
            self.lockstep.travel(simd);
        }
    }
}

impl Grow<'_> {
    /// A role for each lane; `false` where all are idle.
    #[inline(always)]
    fn propose<S: Simd>(&mut self, simd: S) -> bool {
        let (mut busy, mut used) = (false, 0);
        for lane in 0..CHUNK {
            let role = match self.lockstep.places[lane].role {
                leaves @ Role::Leaves { .. } => leaves,
                _ => self.next(simd, lane),
            };
            let place = &mut self.lockstep.places[lane];
            place.role = role;
            used |= place.used;
            match role {
                Role::Idle => {}
                Role::Joins { atom, slot } => {
                    busy = true;
                    used |= 1 << slot;
                    let numbers = &mut self.lockstep.numbers;
                    let position = place.sample.map_or(0, |sample| sample.position);
                    let columns = padded(self.dictionary.n_components);
                    numbers.gradient[lane] = self.correlations[position * columns + atom as usize];
                }
                Role::Leaves { .. } => busy = true,
            }
        }
        self.lockstep.blocks = ((u64::BITS - used.leading_zeros()) as usize).div_ceil(ROWS);
        busy
    }

    /// The next candidate of a lane, of a new sample where the old one is done.
    #[inline(always)]
    fn next<S: Simd>(&mut self, simd: S, lane: usize) -> Role {
        loop {
            let place = &mut self.lockstep.places[lane];
            let Some(sample) = place.sample else {
                let Some((first, rest)) = self.waiting.split_first() else { return Role::Idle };
                self.waiting = rest;
                self.admit(simd, lane, *first);
                continue;
            };
            if place.tried < place.candidates.count {
                let (atom, slot) = (place.candidates.atoms[place.tried], place.used.trailing_ones() as usize);
                if slot < LARGEST {
                    place.tried += 1;
                    return Role::Joins { atom, slot };
                }
                self.lockstep.outgrown.push(sample);
                self.hand_over(lane, sample, false);
            } else if place.candidates.count > 0 && !place.joined {
                self.lockstep.clear(lane);
            } else if place.scans_left == 0 {
                self.lockstep.grown.push(sample.slot);
                self.hand_over(lane, sample, false);
            } else {
                place.scans_left -= 1;
                (place.tried, place.joined) = (0, false);
                let limits = place.limits;
                self.lockstep.list(lane);
                let columns = padded(self.dictionary.n_components);
                let base = &self.correlations[sample.position * columns..(sample.position + 1) * columns];
                let candidates = self.lockstep.scan.run(simd, self.dictionary, base, limits);
                self.lockstep.places[lane].candidates = candidates;
                if candidates.count == 0 {
                    self.lockstep.grown.push(sample.slot);
                    self.hand_over(lane, sample, true);
                }
            }
        }
    }

    /// A sample takes a lane, with its settled support.
    #[inline(always)]
    fn admit<S: Simd>(&mut self, simd: S, lane: usize, waiting: Waiting) {
        let Self { lockstep, dictionary, .. } = self;
        let sample = &mut self.samples[waiting.slot];
        sample.begin_growth();
        let columns = padded(dictionary.n_components);
        let base = &mut self.correlations[waiting.position * columns..(waiting.position + 1) * columns];
        let support = &sample.settled.support;
        if !support.is_empty() {
            lockstep.scan.terms.clear();
            lockstep.scan.terms.extend(support.iter().copied().zip(sample.settled.grown.iter().copied()));
            lockstep.scan.add(simd, dictionary, base);
            base.copy_from_slice(&lockstep.scan.gradient);
            if support.len() > LARGEST {
                lockstep.outgrown.push(waiting);
                return;
            }
            if !settle::invert(dictionary, support, sample.penalty.ridge, &mut lockstep.single) {
                return;
            }
            lockstep.inverse.fill(lane, lockstep.single.matrix(), support.len());
            let (values, signs) = (chunks_mut(&mut lockstep.values), chunks_mut(&mut lockstep.signs));
            for (a, &(j, c)) in lockstep.scan.terms[..support.len()].iter().enumerate() {
                (lockstep.atoms[a][lane], values[a][lane], signs[a][lane]) = (j, c, c.signum());
            }
        }
        let used = if support.len() == LARGEST { u64::MAX } else { (1 << support.len()) - 1 };
        let scans_left = self.max_iterations.saturating_sub(sample.scans);
        let limits = sample.penalty.limits();
        lockstep.places[lane] = Place { sample: Some(waiting), used, limits, scans_left, ..Place::default() };
    }

    /// What a lane has reached; its last scan, if that found no violator, takes the place of the correlations. The lane is
    /// free.
    fn hand_over(&mut self, lane: usize, waiting: Waiting, certified: bool) {
        let (left, sample) = (self.lockstep.places[lane].scans_left, &mut self.samples[waiting.slot]);
        sample.scans = self.max_iterations - left.min(self.max_iterations);
        sample.settled.grow_to(self.lockstep.code(lane));
        sample.scan_rounding = f64::INFINITY;
        if certified {
            let columns = padded(self.dictionary.n_components);
            let place = waiting.position * columns..(waiting.position + 1) * columns;
            self.correlations[place].copy_from_slice(&self.lockstep.scan.gradient);
            sample.note_growth(self.dictionary);
        }
        self.lockstep.clear(lane);
    }
}

impl Lockstep {
    fn begin(&mut self) {
        if self.atoms.is_empty() {
            self.atoms.resize(LARGEST, [0; CHUNK]);
            let Self { values, signs, path, column, image, old, .. } = self;
            for vector in [values, signs, path, column, image, old] {
                vector.reserve(LARGEST * CHUNK);
            }
        }
        self.grown.clear();
        self.outgrown.clear();
    }

    /// The atoms of a lane with minus their coefficients, as terms of a scan; free slots are zero.
    #[inline(always)]
    fn list(&mut self, lane: usize) {
        let extent = self.places[lane].extent();
        let slots = self.atoms[..extent].iter().zip(chunks(&self.values));
        self.scan.terms.clear();
        self.scan.terms.extend(slots.map(|(atoms, values)| (atoms[lane], -values[lane])));
    }

    /// The atoms of a lane with their coefficients, each with its sign.
    fn code(&mut self, lane: usize) -> &[(u32, f32)] {
        let (values, signs) = (chunks(&self.values), chunks(&self.signs));
        let mut used = self.places[lane].used;
        self.scan.terms.clear();
        while used != 0 {
            let a = used.trailing_zeros() as usize;
            used &= used - 1;
            self.scan.terms.push((self.atoms[a][lane], values[a][lane].copysign(signs[a][lane])));
        }
        &self.scan.terms
    }

    /// The columns `h`.
    #[inline(always)]
    fn gather(&mut self, dictionary: &GramDictionary) {
        let mut rows = [dictionary.gram_row(0); CHUNK];
        for (row, place) in rows.iter_mut().zip(&self.places) {
            if let Role::Joins { atom, .. } = place.role {
                *row = dictionary.gram_row(atom as usize);
            }
        }
        let column = &mut chunks_mut(&mut self.column)[..ROWS * self.blocks];
        for (column, atoms) in column.iter_mut().zip(&self.atoms) {
            for ((h, &i), row) in column.iter_mut().zip(atoms).zip(rows) {
                *h = row[i as usize];
            }
        }
        for (lane, place) in self.places.iter().enumerate() {
            match place.role {
                Role::Idle => {}
                Role::Joins { atom, .. } => self.numbers.whole[lane] = rows[lane][atom as usize],
                Role::Leaves { slot } => {
                    self.numbers.whole[lane] = 0.0;
                    column.iter_mut().for_each(|h| h[lane] = 0.0);
                    column[slot][lane] = 1.0;
                }
            }
        }
    }

    /// `u`, `g_j` and `e`, with `M` brought up to date.
    #[inline(always)]
    fn project<S: Simd>(&mut self, simd: S) {
        std::mem::swap(&mut self.image, &mut self.old);
        let (columns, images) = (chunks(&self.column), chunks_mut(&mut self.image));
        let update = (chunks(&self.old), simd.load32(&self.numbers.factor));
        self.inverse.update_and_multiply(simd, self.blocks, update, columns, images);
        let zero = simd.splat32(0.0);
        let (mut projected, mut moved) = ([zero; 2], [zero; 2]);
        let pairs = columns.as_chunks::<2>().0.iter().zip(images.as_chunks::<2>().0);
        let pairs = pairs.zip(chunks(&self.values).as_chunks::<2>().0);
        for ((h, u), c) in pairs.take(ROWS / 2 * self.blocks) {
            for i in 0..2 {
                let h = simd.load32(&h[i]);
                projected[i] = simd.fma32(h, simd.load32(&u[i]), projected[i]);
                moved[i] = simd.fma32(h, simd.load32(&c[i]), moved[i]);
            }
        }
        let (minus, one) = (simd.splat32(-1.0), simd.splat32(1.0));
        let Numbers { gradient, whole, pivot, .. } = &mut self.numbers;
        let [even, odd] = projected;
        let projected = simd.fma32(even, one, odd);
        simd.store32(pivot, simd.fma32(projected, minus, simd.load32(whole)));
        let [even, odd] = moved;
        let moved = simd.fma32(even, one, odd);
        let value = simd.fma32(moved, minus, simd.load32(gradient));
        simd.store32(gradient, value);
    }

    /// `f` and the change of `p` for each lane; slots are taken and given up.
    #[inline(always)]
    fn decide(&mut self) {
        for lane in 0..CHUNK {
            let place = &mut self.places[lane];
            let numbers = &mut self.numbers;
            (numbers.factor[lane], numbers.along[lane]) = (0.0, 0.0);
            match place.role {
                Role::Idle => numbers.keep[lane] = 0.0,
                Role::Leaves { slot } => {
                    let image = &mut chunks_mut(&mut self.image)[slot][lane];
                    let path = &mut chunks_mut(&mut self.path)[slot][lane];
                    let (factor, keep) = (-1.0 / *image, numbers.keep[lane]);
                    (numbers.factor[lane], numbers.along[lane]) = (factor, keep * factor * *path);
                    (*image, *path) = (0.0, 0.0);
                    chunks_mut(&mut self.old)[slot][lane] = 0.0;
                    self.atoms[slot][lane] = 0;
                    chunks_mut(&mut self.values)[slot][lane] = 0.0;
                    chunks_mut(&mut self.signs)[slot][lane] = 0.0;
                    self.inverse.clear_slot(lane, slot, place.extent());
                    place.used &= !(1 << slot);
                }
                Role::Joins { atom, slot } => {
                    numbers.keep[lane] = 0.0;
                    let (gradient, pivot) = (numbers.gradient[lane], numbers.pivot[lane]);
                    let Limits { lambda, floor } = place.limits;
                    if gradient.abs() <= floor {
                        continue;
                    }
                    if pivot.is_nan() || pivot <= SMALLEST_PIVOT * numbers.whole[lane] {
                        self.clear(lane);
                        continue;
                    }
                    let (factor, sign) = (1.0 / pivot, 1.0_f32.copysign(gradient));
                    numbers.factor[lane] = factor;
                    numbers.along[lane] = (lambda * sign - gradient) * factor;
                    place.used |= 1 << slot;
                    place.joined = true;
                    self.atoms[slot][lane] = atom;
                    chunks_mut(&mut self.signs)[slot][lane] = sign;
                    chunks_mut(&mut self.image)[slot][lane] = -1.0;
                }
            }
        }
    }

    /// Moves along `p` up to the first change of sign.
    #[inline(always)]
    fn travel<S: Simd>(&mut self, simd: S) {
        let Self { places, numbers, blocks, .. } = self;
        let slots = ROWS * *blocks;
        let (values, signs) = (&mut chunks_mut(&mut self.values)[..slots], chunks(&self.signs));
        let (path, image) = (chunks_mut(&mut self.path), chunks(&self.image));
        let (keep, along) = (simd.load32(&numbers.keep), simd.load32(&numbers.along));
        let mut changed = 0;
        for (((p, u), c), s) in path.iter_mut().zip(image).zip(values.iter()).zip(signs) {
            let step = simd.fma32(along, simd.load32(u), simd.mul32(keep, simd.load32(p)));
            simd.store32(p, step);
            let moved = simd.fma32(step, simd.splat32(1.0), simd.load32(c));
            changed |= simd.negative32(simd.mul32(moved, simd.load32(s)));
        }
        numbers.share = [1.0; CHUNK];
        for (lane, place) in places.iter_mut().enumerate() {
            place.role = Role::Idle;
            if changed >> lane & 1 == 0 {
                continue;
            }
            let mut share = 1.0_f32;
            for (a, c) in values[..place.extent()].iter().enumerate() {
                let (c, p) = (c[lane], path[a][lane]);
                let at = -c / p;
                if (c + p) * signs[a][lane] < 0.0 && at < share {
                    share = at.max(0.0);
                    place.role = Role::Leaves { slot: a };
                }
            }
            (numbers.share[lane], numbers.keep[lane]) = (share, 1.0 - share);
        }
        let share = simd.load32(&numbers.share);
        for (c, p) in values.iter_mut().zip(path.iter()) {
            let value = simd.fma32(share, simd.load32(p), simd.load32(c));
            simd.store32(c, value);
        }
    }

    /// Frees a lane.
    fn clear(&mut self, lane: usize) {
        let slots = self.places[lane].extent().max(ROWS * self.blocks);
        self.inverse.clear_lane(lane, slots);
        self.atoms[..slots].iter_mut().for_each(|atoms| atoms[lane] = 0);
        let Self { values, signs, path, image, old, .. } = self;
        for vector in [values, signs, path, image, old] {
            chunks_mut(vector)[..slots].iter_mut().for_each(|numbers| numbers[lane] = 0.0);
        }
        self.numbers.factor[lane] = 0.0;
        self.places[lane] = Place::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Loss;
    use crate::lower::LowerLevel;
    use faer::MatRef;
    use linalg::simd::Isa;

    const D: usize = 24;
    const K: usize = 40;
    const N: usize = 70;

    fn sample(values: &[f64], isa: Isa) -> Sample {
        let lower = LowerLevel {
            non_negative: false,
            loss: Loss::Squared,
            regularization: 0.6,
            elastic_penalty: 0.0,
            l2_regularization: 0.0,
        };
        let mut sample = Sample::default();
        sample.begin(values, &lower, isa);
        sample
    }

    /// Grown supports and coefficients of some samples together.
    fn grown(dictionary: &GramDictionary, numbers: &[usize]) -> Vec<(Vec<u32>, Vec<f32>)> {
        let data = testkit::normal_vector(D * N, 8);
        let columns = padded(K);
        let (mut samples, mut waiting) = (Vec::new(), Vec::new());
        let mut correlations = vec![0.0_f32; numbers.len() * columns];
        for (position, &i) in numbers.iter().enumerate() {
            let mut sample = sample(&data[i * D..(i + 1) * D], dictionary.isa);
            let mut residual = [0.0; D];
            sample.narrow(dictionary, &mut residual);
            for (t, r) in residual.iter().enumerate() {
                let features = &dictionary.narrow[t * columns..(t + 1) * columns];
                let to = &mut correlations[position * columns..(position + 1) * columns];
                to.iter_mut().zip(features).for_each(|(to, d)| *to += d * r);
            }
            samples.push(sample);
            waiting.push(Waiting { slot: position, position });
        }
        let (mut lockstep, samples_mut) = (Lockstep::default(), &mut samples[..]);
        dictionary.isa.run(Grow {
            lockstep: &mut lockstep,
            dictionary,
            samples: samples_mut,
            correlations: &mut correlations,
            waiting: &waiting,
            max_iterations: 100,
        });
        lockstep.grown.sort_unstable();
        assert!(lockstep.grown.iter().copied().eq(0..numbers.len()) && lockstep.outgrown.is_empty());
        samples.into_iter().map(|sample| (sample.settled.support, sample.settled.grown)).collect()
    }

    #[test]
    fn a_sample_grows_alone_as_it_grows_in_company() {
        let atoms = testkit::unit_columns(D, K, 9);
        for isa in Isa::available() {
            let dictionary =
                GramDictionary::new(MatRef::from_column_major_slice(&atoms, D, K), isa).expect("norms are 1");
            let all: Vec<usize> = (0..N).collect();
            let together = grown(&dictionary, &all);
            assert!(together.iter().all(|(support, _)| support.len() > 4));
            for (i, other) in together.iter().enumerate() {
                assert_eq!(&grown(&dictionary, &[i])[0], other, "{} {i}", isa.name());
            }
        }
    }
}
