//! The portable set: arrays and plain arithmetic, for machines without the others and as their reference.

use super::{CHUNK, Simd};

/// Arrays of sixteen.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    const REGISTERS: usize = 4;
    type F32 = [f32; CHUNK];
    type F64 = [f64; CHUNK];

    #[inline(always)]
    fn splat32(self, value: f32) -> [f32; CHUNK] {
        [value; CHUNK]
    }

    #[inline(always)]
    fn load32(self, from: &[f32; CHUNK]) -> [f32; CHUNK] {
        *from
    }

    #[inline(always)]
    fn store32(self, to: &mut [f32; CHUNK], value: [f32; CHUNK]) {
        *to = value;
    }

    #[inline(always)]
    fn fma32(self, a: [f32; CHUNK], b: [f32; CHUNK], c: [f32; CHUNK]) -> [f32; CHUNK] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn mul32(self, a: [f32; CHUNK], b: [f32; CHUNK]) -> [f32; CHUNK] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn div32(self, a: [f32; CHUNK], b: [f32; CHUNK]) -> [f32; CHUNK] {
        std::array::from_fn(|i| a[i] / b[i])
    }

    #[inline(always)]
    fn transpose32(self, a: [[f32; CHUNK]; CHUNK]) -> [[f32; CHUNK]; CHUNK] {
        std::array::from_fn(|j| std::array::from_fn(|i| a[i][j]))
    }

    #[inline(always)]
    fn max32(self, a: [f32; CHUNK]) -> f32 {
        a.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m })
    }

    #[inline(always)]
    fn keep_larger32(
        self,
        best: [f32; CHUNK],
        tag: [f32; CHUNK],
        value: [f32; CHUNK],
        new_tag: [f32; CHUNK],
    ) -> ([f32; CHUNK], [f32; CHUNK]) {
        let larger: [bool; CHUNK] = std::array::from_fn(|i| value[i].abs() > best[i]);
        (
            std::array::from_fn(|i| if larger[i] { value[i].abs() } else { best[i] }),
            std::array::from_fn(|i| if larger[i] { new_tag[i] } else { tag[i] }),
        )
    }

    #[inline(always)]
    fn at_least32(self, a: [f32; CHUNK], floor: [f32; CHUNK]) -> [f32; CHUNK] {
        std::array::from_fn(|i| if floor[i] > a[i] { floor[i] } else { a[i] })
    }

    #[inline(always)]
    fn above32(self, a: [f32; CHUNK], bound: [f32; CHUNK]) -> u16 {
        (0..CHUNK).fold(0, |bits, i| bits | (u16::from(a[i].abs() > bound[i]) << i))
    }

    #[inline(always)]
    fn zero64(self) -> [f64; CHUNK] {
        [0.0; CHUNK]
    }

    #[inline(always)]
    fn splat64(self, value: f64) -> [f64; CHUNK] {
        [value; CHUNK]
    }

    #[inline(always)]
    fn load64(self, from: &[f64; CHUNK]) -> [f64; CHUNK] {
        *from
    }

    #[inline(always)]
    fn store64(self, to: &mut [f64; CHUNK], value: [f64; CHUNK]) {
        *to = value;
    }

    #[inline(always)]
    fn fma64(self, a: [f64; CHUNK], b: [f64; CHUNK], c: [f64; CHUNK]) -> [f64; CHUNK] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn sum64(self, a: [f64; CHUNK]) -> f64 {
        let half: [f64; 8] = std::array::from_fn(|i| a[i] + a[i + 8]);
        let quarter: [f64; 4] = std::array::from_fn(|i| half[i] + half[i + 4]);
        (quarter[0] + quarter[2]) + (quarter[1] + quarter[3])
    }

    #[inline(always)]
    fn sums64(self, a: [[f64; CHUNK]; 4]) -> [f64; 4] {
        a.map(|a| self.sum64(a))
    }

    #[inline(always)]
    fn max_abs64(self, a: [f64; CHUNK], b: [f64; CHUNK]) -> [f64; CHUNK] {
        std::array::from_fn(|i| if b[i].abs() > a[i] { b[i].abs() } else { a[i] })
    }

    #[inline(always)]
    fn max64(self, a: [f64; CHUNK]) -> f64 {
        a.iter().fold(f64::NEG_INFINITY, |m, &v| if v > m { v } else { m })
    }

    #[inline(always)]
    fn widen32(self, a: [f32; CHUNK]) -> [f64; CHUNK] {
        a.map(f64::from)
    }

    #[inline(always)]
    fn narrow64(self, a: [f64; CHUNK]) -> [f32; CHUNK] {
        a.map(|a| a as f32)
    }
}
