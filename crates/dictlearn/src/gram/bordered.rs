//! Sixteen symmetric matrices side by side, one in each lane of the vectors, for supports that grow and shrink in step.
//!
//! Entry `(a, b)` of all sixteen lies in one vector. Rows lie in blocks of four: block `i` holds the columns
//! `b < 4 (i + 1)`, each with its four entries, so the lower triangle and all of the blocks on the diagonal.
//! Slots that a lane does not use are zero, and change nothing in it: no lane depends on its neighbours.
//! Cost: `3 s^2 / 2` vector operations to update and multiply all sixteen.

use super::dictionary::Matrix;
use linalg::simd::{Aligned, CHUNK, Simd, chunks_mut};

/// Largest number of slots.
pub(super) const LARGEST: usize = 64;
/// Rows of a block.
pub(super) const ROWS: usize = 4;

/// Sixteen numbers, one a lane.
pub(super) type Sixteen = [f32; CHUNK];

/// Sixteen matrices.
#[derive(Clone, Debug)]
pub(super) struct Bordered {
    entries: Aligned<f32>,
}

impl Default for Bordered {
    fn default() -> Self {
        Self { entries: Aligned::zeros(CHUNK * start(LARGEST / ROWS)) }
    }
}

/// Vectors before a block.
fn start(block: usize) -> usize {
    ROWS * ROWS * block * (block + 1) / 2
}

/// The vector that holds entry `(a, b)`, for `b` up to the end of the block of `a`.
fn place(a: usize, b: usize) -> usize {
    start(a / ROWS) + ROWS * b + a % ROWS
}

impl Bordered {
    /// `M <- M + factor old old^T`, then `image = M column`, in one pass over the first `blocks` blocks.
    #[inline(always)]
    pub fn update_and_multiply<S: Simd>(
        &mut self,
        simd: S,
        blocks: usize,
        (old, factor): (&[Sixteen], S::F32),
        column: &[Sixteen],
        image: &mut [Sixteen],
    ) {
        let mut rest = chunks_mut(&mut self.entries).as_chunks_mut::<ROWS>().0;
        let zero = simd.splat32(0.0);
        for block in 0..blocks {
            let first = ROWS * block;
            let (below, next) = rest.split_at_mut(first);
            let (diagonal, next) = next.split_at_mut(ROWS);
            rest = next;
            let (mut rows, mut sums, mut own) = ([factor; ROWS], [zero; ROWS], [zero; ROWS]);
            for r in 0..ROWS {
                rows[r] = simd.mul32(factor, simd.load32(&old[first + r]));
                own[r] = simd.load32(&column[first + r]);
            }
            let (before, after) = image.split_at_mut(first);
            for (((entries, u), h), to) in below.iter_mut().zip(old).zip(column).zip(before) {
                let (u, h) = (simd.load32(u), simd.load32(h));
                let mut sum = simd.load32(to);
                for r in 0..ROWS {
                    let entry = simd.fma32(rows[r], u, simd.load32(&entries[r]));
                    simd.store32(&mut entries[r], entry);
                    sums[r] = simd.fma32(entry, h, sums[r]);
                    sum = simd.fma32(entry, own[r], sum);
                }
                simd.store32(to, sum);
            }
            for ((entries, u), h) in diagonal.iter_mut().zip(&old[first..]).zip(own) {
                let u = simd.load32(u);
                for r in 0..ROWS {
                    let entry = simd.fma32(rows[r], u, simd.load32(&entries[r]));
                    simd.store32(&mut entries[r], entry);
                    sums[r] = simd.fma32(entry, h, sums[r]);
                }
            }
            for (to, sum) in after.iter_mut().zip(sums) {
                simd.store32(to, sum);
            }
        }
    }

    /// Zeros row and column `a` of one lane, which uses the first `used` slots.
    pub fn clear_slot(&mut self, lane: usize, a: usize, used: usize) {
        let entries = chunks_mut(&mut self.entries);
        let end = (a / ROWS + 1) * ROWS;
        for b in 0..end {
            entries[place(a, b)][lane] = 0.0;
        }
        for b in a / ROWS * ROWS..used.max(end) {
            entries[place(b, a)][lane] = 0.0;
        }
    }

    /// Zeros one lane, which uses the first `used` slots.
    pub fn clear_lane(&mut self, lane: usize, used: usize) {
        let end = start(used.div_ceil(ROWS));
        for entries in &mut chunks_mut(&mut self.entries)[..end] {
            entries[lane] = 0.0;
        }
    }

    /// Puts a matrix of `s` rows into a lane that is zero.
    pub fn fill(&mut self, lane: usize, matrix: Matrix<'_>, s: usize) {
        let entries = chunks_mut(&mut self.entries);
        for a in 0..s {
            for b in 0..s.min((a / ROWS + 1) * ROWS) {
                entries[place(a, b)][lane] = matrix.rows[a * matrix.stride + b];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linalg::simd::{Isa, Kernel};

    const SLOTS: usize = 11;
    const BLOCKS: usize = SLOTS.div_ceil(ROWS);

    struct Pass<'a> {
        bordered: &'a mut Bordered,
        old: &'a [Sixteen],
        factor: &'a Sixteen,
        column: &'a [Sixteen],
        image: &'a mut [Sixteen],
    }

    impl Kernel for Pass<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let update = (self.old, simd.load32(self.factor));
            self.bordered.update_and_multiply(simd, BLOCKS, update, self.column, self.image);
        }
    }

    fn sixteens(seed: u64) -> Vec<Sixteen> {
        let values = testkit::normal_vector(CHUNK * ROWS * BLOCKS, seed);
        let narrow: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        narrow.as_chunks().0.to_vec()
    }

    /// Lane `l` holds `M` with `M_ab = (1 + l) / (1 + a + b)`.
    fn entry(lane: usize, a: usize, b: usize) -> f64 {
        f64::from(1.0 + lane as f32) / f64::from(1.0 + (a + b) as f32)
    }

    fn filled() -> Bordered {
        let mut bordered = Bordered::default();
        for lane in 0..CHUNK {
            let rows: Vec<f32> =
                (0..SLOTS * CHUNK).map(|at| entry(lane, at / CHUNK, at % CHUNK) as f32).collect();
            bordered.fill(lane, Matrix { rows: &rows, stride: CHUNK }, SLOTS);
        }
        bordered
    }

    #[test]
    fn an_update_and_a_product_are_those_of_each_lane() {
        let (mut old, column, factor) = (sixteens(1), sixteens(2), sixteens(3)[0]);
        // Zero beyond the slots in use, as the caller leaves it.
        old[SLOTS..].fill([0.0; CHUNK]);
        for isa in Isa::available() {
            let (mut bordered, mut image) = (filled(), sixteens(4));
            let (old, column, factor, bordered) = (&old[..], &column[..], &factor, &mut bordered);
            isa.run(Pass { bordered, old, factor, column, image: &mut image });
            for lane in 0..CHUNK {
                for a in 0..SLOTS {
                    let update = |b: usize| {
                        f64::from(factor[lane]) * f64::from(old[a][lane]) * f64::from(old[b][lane])
                    };
                    let terms =
                        (0..SLOTS).map(|b| (entry(lane, a, b) + update(b)) * f64::from(column[b][lane]));
                    testkit::assert_close(f64::from(image[a][lane]), terms.sum(), 1e-4, 1e-4);
                }
                assert!((SLOTS..ROWS * BLOCKS).all(|a| image[a][lane] == 0.0));
            }
        }
    }

    #[test]
    fn cleared_slots_and_lanes_are_zero_and_the_others_stay() {
        let (zero, isa) = ([[0.0; CHUNK]; ROWS * BLOCKS], Isa::detect());
        for slot in 0..SLOTS {
            let mut bordered = filled();
            bordered.clear_slot(3, slot, SLOTS);
            bordered.clear_lane(5, SLOTS);
            for b in 0..SLOTS {
                let (mut column, mut image) = (zero, zero);
                column[b] = [1.0; CHUNK];
                let (bordered, old, factor) = (&mut bordered, &zero[..], &[0.0; CHUNK]);
                isa.run(Pass { bordered, old, factor, column: &column, image: &mut image });
                for (a, lane) in (0..SLOTS).flat_map(|a| (0..CHUNK).map(move |lane| (a, lane))) {
                    let cleared = lane == 5 || lane == 3 && (a == slot || b == slot);
                    let expected = if cleared { 0.0 } else { entry(lane, a, b) as f32 };
                    assert_eq!(image[a][lane], expected);
                }
            }
        }
    }
}
