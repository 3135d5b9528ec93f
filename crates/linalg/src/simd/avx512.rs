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
    const REGISTERS: usize = 32;
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
    fn div32(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn transpose32(self, a: [__m512; CHUNK]) -> [__m512; CHUNK] {
        unsafe {
            // Within quarters of registers first: `fours[4 g + c]` holds in quarter q column `4 q + c` of rows 4 g to 4 g + 3.
            let mut fours = a;
            for rows in fours.as_chunks_mut::<4>().0 {
                let low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[0], rows[1]));
                let high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[0], rows[1]));
                let next_low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[2], rows[3]));
                let next_high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[2], rows[3]));
                *rows = [
                    _mm512_castpd_ps(_mm512_unpacklo_pd(low, next_low)),
                    _mm512_castpd_ps(_mm512_unpackhi_pd(low, next_low)),
                    _mm512_castpd_ps(_mm512_unpacklo_pd(high, next_high)),
                    _mm512_castpd_ps(_mm512_unpackhi_pd(high, next_high)),
                ];
            }
            let mut out = a;
            for c in 0..4 {
                let even = _mm512_shuffle_f32x4::<0x88>(fours[c], fours[4 + c]);
                let even_next = _mm512_shuffle_f32x4::<0x88>(fours[8 + c], fours[12 + c]);
                let odd = _mm512_shuffle_f32x4::<0xdd>(fours[c], fours[4 + c]);
                let odd_next = _mm512_shuffle_f32x4::<0xdd>(fours[8 + c], fours[12 + c]);
                out[c] = _mm512_shuffle_f32x4::<0x88>(even, even_next);
                out[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd, odd_next);
                out[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even, even_next);
                out[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_next);
            }
            out
        }
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
    fn at_least32(self, a: __m512, floor: __m512) -> __m512 {
        unsafe { _mm512_max_ps(floor, a) }
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
            // No closure here: it would not be compiled for the instruction set.
            let mut fours = [_mm256_setzero_pd(); 4];
            for (four, a) in fours.iter_mut().zip(a) {
                let eight = _mm512_add_pd(a[0], a[1]);
                *four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd::<1>(eight));
            }
            let sums = super::avx2::sums_of_four(fours);
            let mut out = [0.0; 4];
            _mm256_storeu_pd(out.as_mut_ptr(), sums);
            out
        }
    }

    #[inline(always)]
    fn max_abs64(self, a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
        unsafe { [_mm512_max_pd(a[0], _mm512_abs_pd(b[0])), _mm512_max_pd(a[1], _mm512_abs_pd(b[1]))] }
    }

    #[inline(always)]
    fn max64(self, a: [__m512d; 2]) -> f64 {
        unsafe { _mm512_reduce_max_pd(_mm512_max_pd(a[0], a[1])) }
    }

    #[inline(always)]
    fn widen32(self, a: __m512) -> [__m512d; 2] {
        unsafe {
            [_mm512_cvtps_pd(_mm512_castps512_ps256(a)), _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(a))]
        }
    }

    #[inline(always)]
    fn narrow64(self, a: [__m512d; 2]) -> __m512 {
        unsafe {
            let (low, high) = (_mm512_cvtpd_ps(a[0]), _mm512_cvtpd_ps(a[1]));
            _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high)
        }
    }
}
