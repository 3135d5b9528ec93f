//! AVX2 with FMA: a chunk of `f32` is two registers, a chunk of `f64` four.
#![expect(
    unsafe_code,
    reason = "vector instructions: every one runs inside `entry`, which is entered only where the machine has them"
)]

use super::{CHUNK, Kernel, Simd};
use std::arch::x86_64::*;

/// Proof that the machine has the set: made by [`run`] alone.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// Runs `kernel` compiled for AVX2 and FMA. Reached only through an `Isa` that was detected.
#[inline]
pub(super) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[target_feature(enable = "avx2,fma")]
    fn entry<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Avx2(()))
    }
    // SAFETY: an `Isa` of this set exists only after its features were detected.
    unsafe { entry(kernel) }
}

// SAFETY of all blocks below: an `Avx2` exists only inside `entry`, so the instructions are there; loads and stores
// are of whole arrays behind references, at offsets of a quarter or a half of them.
impl Simd for Avx2 {
    const REGISTERS: usize = 8;
    type F32 = [__m256; 2];
    type F64 = [__m256d; 4];

    #[inline(always)]
    fn splat32(self, value: f32) -> [__m256; 2] {
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    fn load32(self, from: &[f32; CHUNK]) -> [__m256; 2] {
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from[8..].as_ptr())] }
    }

    #[inline(always)]
    fn store32(self, to: &mut [f32; CHUNK], value: [__m256; 2]) {
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), value[0]);
            _mm256_storeu_ps(to[8..].as_mut_ptr(), value[1]);
        }
    }

    #[inline(always)]
    fn fma32(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn mul32(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn div32(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn transpose32(self, a: [[__m256; 2]; CHUNK]) -> [[__m256; 2]; CHUNK] {
        unsafe {
            let mut out = a;
            for half in 0..2 {
                let (mut top, mut bottom) = ([_mm256_setzero_ps(); 8], [_mm256_setzero_ps(); 8]);
                for i in 0..8 {
                    (top[i], bottom[i]) = (a[i][half], a[8 + i][half]);
                }
                (top, bottom) = (transpose_eight(top), transpose_eight(bottom));
                for c in 0..8 {
                    out[8 * half + c] = [top[c], bottom[c]];
                }
            }
            out
        }
    }

    #[inline(always)]
    fn max32(self, a: [__m256; 2]) -> f32 {
        unsafe {
            let eight = _mm256_max_ps(a[0], a[1]);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn keep_larger32(
        self,
        best: [__m256; 2],
        tag: [__m256; 2],
        value: [__m256; 2],
        new_tag: [__m256; 2],
    ) -> ([__m256; 2], [__m256; 2]) {
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            let low = _mm256_andnot_ps(sign, value[0]);
            let high = _mm256_andnot_ps(sign, value[1]);
            let low_larger = _mm256_cmp_ps::<_CMP_GT_OQ>(low, best[0]);
            let high_larger = _mm256_cmp_ps::<_CMP_GT_OQ>(high, best[1]);
            (
                [_mm256_blendv_ps(best[0], low, low_larger), _mm256_blendv_ps(best[1], high, high_larger)],
                [
                    _mm256_blendv_ps(tag[0], new_tag[0], low_larger),
                    _mm256_blendv_ps(tag[1], new_tag[1], high_larger),
                ],
            )
        }
    }

    #[inline(always)]
    fn at_least32(self, a: [__m256; 2], floor: [__m256; 2]) -> [__m256; 2] {
        unsafe { [_mm256_max_ps(floor[0], a[0]), _mm256_max_ps(floor[1], a[1])] }
    }

    #[inline(always)]
    fn above32(self, a: [__m256; 2], bound: [__m256; 2]) -> u16 {
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            let low = _mm256_cmp_ps::<_CMP_GT_OQ>(_mm256_andnot_ps(sign, a[0]), bound[0]);
            let high = _mm256_cmp_ps::<_CMP_GT_OQ>(_mm256_andnot_ps(sign, a[1]), bound[1]);
            _mm256_movemask_ps(low) as u16 | ((_mm256_movemask_ps(high) as u16) << 8)
        }
    }

    #[inline(always)]
    fn zero64(self) -> [__m256d; 4] {
        unsafe { [_mm256_setzero_pd(); 4] }
    }

    #[inline(always)]
    fn splat64(self, value: f64) -> [__m256d; 4] {
        unsafe { [_mm256_set1_pd(value); 4] }
    }

    #[inline(always)]
    fn load64(self, from: &[f64; CHUNK]) -> [__m256d; 4] {
        unsafe {
            [
                _mm256_loadu_pd(from.as_ptr()),
                _mm256_loadu_pd(from[4..].as_ptr()),
                _mm256_loadu_pd(from[8..].as_ptr()),
                _mm256_loadu_pd(from[12..].as_ptr()),
            ]
        }
    }

    #[inline(always)]
    fn store64(self, to: &mut [f64; CHUNK], value: [__m256d; 4]) {
        unsafe {
            _mm256_storeu_pd(to.as_mut_ptr(), value[0]);
            _mm256_storeu_pd(to[4..].as_mut_ptr(), value[1]);
            _mm256_storeu_pd(to[8..].as_mut_ptr(), value[2]);
            _mm256_storeu_pd(to[12..].as_mut_ptr(), value[3]);
        }
    }

    #[inline(always)]
    fn fma64(self, a: [__m256d; 4], b: [__m256d; 4], c: [__m256d; 4]) -> [__m256d; 4] {
        unsafe {
            [
                _mm256_fmadd_pd(a[0], b[0], c[0]),
                _mm256_fmadd_pd(a[1], b[1], c[1]),
                _mm256_fmadd_pd(a[2], b[2], c[2]),
                _mm256_fmadd_pd(a[3], b[3], c[3]),
            ]
        }
    }

    #[inline(always)]
    fn sum64(self, a: [__m256d; 4]) -> f64 {
        unsafe {
            let four = _mm256_add_pd(_mm256_add_pd(a[0], a[2]), _mm256_add_pd(a[1], a[3]));
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    fn sums64(self, a: [[__m256d; 4]; 4]) -> [f64; 4] {
        unsafe {
            // No closure here: it would not be compiled for the instruction set.
            let mut fours = [_mm256_setzero_pd(); 4];
            for (four, a) in fours.iter_mut().zip(a) {
                *four = _mm256_add_pd(_mm256_add_pd(a[0], a[2]), _mm256_add_pd(a[1], a[3]));
            }
            let mut out = [0.0; 4];
            _mm256_storeu_pd(out.as_mut_ptr(), sums_of_four(fours));
            out
        }
    }

    #[inline(always)]
    fn max_abs64(self, a: [__m256d; 4], b: [__m256d; 4]) -> [__m256d; 4] {
        unsafe {
            let sign = _mm256_set1_pd(-0.0);
            [
                _mm256_max_pd(a[0], _mm256_andnot_pd(sign, b[0])),
                _mm256_max_pd(a[1], _mm256_andnot_pd(sign, b[1])),
                _mm256_max_pd(a[2], _mm256_andnot_pd(sign, b[2])),
                _mm256_max_pd(a[3], _mm256_andnot_pd(sign, b[3])),
            ]
        }
    }

    #[inline(always)]
    fn max64(self, a: [__m256d; 4]) -> f64 {
        unsafe {
            let four = _mm256_max_pd(_mm256_max_pd(a[0], a[1]), _mm256_max_pd(a[2], a[3]));
            let two = _mm_max_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    fn widen32(self, a: [__m256; 2]) -> [__m256d; 4] {
        unsafe {
            [
                _mm256_cvtps_pd(_mm256_castps256_ps128(a[0])),
                _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a[0])),
                _mm256_cvtps_pd(_mm256_castps256_ps128(a[1])),
                _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a[1])),
            ]
        }
    }

    #[inline(always)]
    fn narrow64(self, a: [__m256d; 4]) -> [__m256; 2] {
        unsafe {
            [
                _mm256_set_m128(_mm256_cvtpd_ps(a[1]), _mm256_cvtpd_ps(a[0])),
                _mm256_set_m128(_mm256_cvtpd_ps(a[3]), _mm256_cvtpd_ps(a[2])),
            ]
        }
    }
}

/// Sums of the four of each of four vectors.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
pub(super) unsafe fn sums_of_four(a: [__m256d; 4]) -> __m256d {
    unsafe {
        let (low, high) = (_mm256_hadd_pd(a[0], a[1]), _mm256_hadd_pd(a[2], a[3]));
        let crossed = _mm256_permute2f128_pd::<0x21>(low, high);
        _mm256_add_pd(crossed, _mm256_blend_pd::<0b1100>(low, high))
    }
}

/// Entry `j` of vector `i` goes to entry `i` of vector `j`.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn transpose_eight(a: [__m256; 8]) -> [__m256; 8] {
    unsafe {
        let mut fours = a;
        for rows in fours.as_chunks_mut::<4>().0 {
            let (low, high) = (_mm256_unpacklo_ps(rows[0], rows[1]), _mm256_unpackhi_ps(rows[0], rows[1]));
            let next_low = _mm256_unpacklo_ps(rows[2], rows[3]);
            let next_high = _mm256_unpackhi_ps(rows[2], rows[3]);
            *rows = [
                _mm256_shuffle_ps::<0x44>(low, next_low),
                _mm256_shuffle_ps::<0xee>(low, next_low),
                _mm256_shuffle_ps::<0x44>(high, next_high),
                _mm256_shuffle_ps::<0xee>(high, next_high),
            ];
        }
        let mut out = a;
        for c in 0..4 {
            out[c] = _mm256_permute2f128_ps::<0x20>(fours[c], fours[4 + c]);
            out[4 + c] = _mm256_permute2f128_ps::<0x31>(fours[c], fours[4 + c]);
        }
        out
    }
}
