//! AVX-512: a chunk of `f32` is one register, a chunk of `f64` two.
#![expect(
    unsafe_code,
    reason = "vector instructions: every one runs inside `entry`, which is entered only where the machine has them"
)]

use super::{CHUNK, Kernel, Simd};
use std::arch::x86_64::*;

/// Proof that the machine has the set: made by [`run`] alone.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// Runs `kernel` compiled for AVX-512. Reached only through an `Isa` that was detected.
#[inline]
pub(super) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
    fn entry<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Avx512(()))
    }
    // SAFETY: an `Isa` of this set exists only after its features were detected.
    unsafe { entry(kernel) }
}

// SAFETY of all blocks below: an `Avx512` exists only inside `entry`, so the instructions are there; loads and stores
// are of whole arrays behind references.
impl Simd for Avx512 {
    type F32 = __m512;
    type F64 = [__m512d; 2];

    #[inline(always)]
    fn splat32(self, value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load32(self, from: &[f32; CHUNK]) -> __m512 {
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store32(self, to: &mut [f32; CHUNK], value: __m512) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), value) }
    }

    #[inline(always)]
    fn fma32(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn mul32(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn max_abs32(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, _mm512_abs_ps(b)) }
    }

    #[inline(always)]
    fn max32(self, a: __m512) -> f32 {
        unsafe { _mm512_reduce_max_ps(a) }
    }

    #[inline(always)]
    fn keep_larger32(self, best: __m512, tag: __m512, value: __m512, new_tag: __m512) -> (__m512, __m512) {
        unsafe {
            let value = _mm512_abs_ps(value);
            let larger = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(value, best);
            (_mm512_mask_mov_ps(best, larger, value), _mm512_mask_mov_ps(tag, larger, new_tag))
        }
    }

    #[inline(always)]
    fn above32(self, a: __m512, bound: __m512) -> u16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(_mm512_abs_ps(a), bound) }
    }

    #[inline(always)]
    fn zero64(self) -> [__m512d; 2] {
        unsafe { [_mm512_setzero_pd(); 2] }
    }

    #[inline(always)]
    fn splat64(self, value: f64) -> [__m512d; 2] {
        unsafe { [_mm512_set1_pd(value); 2] }
    }

    #[inline(always)]
    fn load64(self, from: &[f64; CHUNK]) -> [__m512d; 2] {
        unsafe { [_mm512_loadu_pd(from.as_ptr()), _mm512_loadu_pd(from[8..].as_ptr())] }
    }

    #[inline(always)]
    fn store64(self, to: &mut [f64; CHUNK], value: [__m512d; 2]) {
        unsafe {
            _mm512_storeu_pd(to.as_mut_ptr(), value[0]);
            _mm512_storeu_pd(to[8..].as_mut_ptr(), value[1]);
        }
    }

    #[inline(always)]
    fn fma64(self, a: [__m512d; 2], b: [__m512d; 2], c: [__m512d; 2]) -> [__m512d; 2] {
        unsafe { [_mm512_fmadd_pd(a[0], b[0], c[0]), _mm512_fmadd_pd(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn sum64(self, a: [__m512d; 2]) -> f64 {
        unsafe { _mm512_reduce_add_pd(_mm512_add_pd(a[0], a[1])) }
    }

    #[inline(always)]
    fn sums64(self, a: [[__m512d; 2]; 4]) -> [f64; 4] {
        unsafe {
            let [a, b, c, d] = a;
            let (a, b) = (_mm512_add_pd(a[0], a[1]), _mm512_add_pd(b[0], b[1]));
            let (c, d) = (_mm512_add_pd(c[0], c[1]), _mm512_add_pd(d[0], d[1]));
            let low = _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
            let high = _mm512_add_pd(_mm512_unpacklo_pd(c, d), _mm512_unpackhi_pd(c, d));
            // Lanes of two: 0 + 1 and 2 + 3 of the first pair, then of the second; then these together.
            let even = _mm512_shuffle_f64x2::<0b10_00_10_00>(low, high);
            let four = _mm512_add_pd(even, _mm512_shuffle_f64x2::<0b11_01_11_01>(low, high));
            let even = _mm512_shuffle_f64x2::<0b10_00_10_00>(four, four);
            let two = _mm512_add_pd(even, _mm512_shuffle_f64x2::<0b11_01_11_01>(four, four));
            let mut sums = [0.0; 4];
            _mm256_storeu_pd(sums.as_mut_ptr(), _mm512_castpd512_pd256(two));
            sums
        }
    }
}
