//! Vectors of `f32` and `f64` on three instruction sets, chosen at run time.
//!
//! A kernel is generic over [`Simd`] and marked `#[inline(always)]`; [`Isa::run`] enters it through a function compiled for
//! the instruction set, so the kernel's vector operations become single instructions. [`Isa::detect`] finds the best set
//! of the machine; any set that the machine has can be forced by naming it. All loads and stores go through whole
//! chunks of [`CHUNK`] numbers, the widest vector of all sets: arrays are padded to that.
//!
//! The results of different sets may differ in the last bits (order of sums), those of one set never do.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;
mod aligned;

pub use aligned::Aligned;

/// Numbers per chunk, of either type, on every instruction set.
pub const CHUNK: usize = 16;

/// `length` rounded up to whole chunks.
#[inline(always)]
pub fn padded(length: usize) -> usize {
    length.next_multiple_of(CHUNK)
}

/// `values` as whole chunks; what does not fill one is left out.
#[inline(always)]
pub fn chunks<T>(values: &[T]) -> &[[T; CHUNK]] {
    values.as_chunks().0
}

/// `values` as whole chunks; what does not fill one is left out.
#[inline(always)]
pub fn chunks_mut<T>(values: &mut [T]) -> &mut [[T; CHUNK]] {
    values.as_chunks_mut().0
}

/// Operations on chunks of sixteen numbers held in registers.
pub trait Simd: Copy {
    /// How many [`Simd::F32`] its registers hold at once.
    const REGISTERS: usize;
    /// Sixteen `f32`.
    type F32: Copy;
    /// Sixteen `f64`.
    type F64: Copy;

    /// All sixteen equal to `value`.
    fn splat32(self, value: f32) -> Self::F32;
    /// From memory.
    fn load32(self, from: &[f32; CHUNK]) -> Self::F32;
    /// To memory.
    fn store32(self, to: &mut [f32; CHUNK], value: Self::F32);
    /// `a b + c`, rounded once where the set can.
    fn fma32(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `a b`.
    fn mul32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`.
    fn div32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Entry `j` of vector `i` goes to entry `i` of vector `j`.
    fn transpose32(self, a: [Self::F32; CHUNK]) -> [Self::F32; CHUNK];
    /// Largest of the sixteen.
    fn max32(self, a: Self::F32) -> f32;
    /// `best` and `tag`, replaced by `|value|` and `new_tag` where `|value|` is larger.
    fn keep_larger32(
        self,
        best: Self::F32,
        tag: Self::F32,
        value: Self::F32,
        new_tag: Self::F32,
    ) -> (Self::F32, Self::F32);
    /// `floor_i` where that is larger than `a_i`, otherwise `a_i` (also where it is not a number).
    fn at_least32(self, a: Self::F32, floor: Self::F32) -> Self::F32;
    /// Bit i is set where `|a_i| > bound_i`.
    fn above32(self, a: Self::F32, bound: Self::F32) -> u16;

    /// All sixteen zero.
    fn zero64(self) -> Self::F64;
    /// All sixteen equal to `value`.
    fn splat64(self, value: f64) -> Self::F64;
    /// From memory.
    fn load64(self, from: &[f64; CHUNK]) -> Self::F64;
    /// To memory.
    fn store64(self, to: &mut [f64; CHUNK], value: Self::F64);
    /// `a b + c`, rounded once where the set can.
    fn fma64(self, a: Self::F64, b: Self::F64, c: Self::F64) -> Self::F64;
    /// Sum of the sixteen.
    fn sum64(self, a: Self::F64) -> f64;
    /// Sums of the sixteen of each of four vectors.
    fn sums64(self, a: [Self::F64; 4]) -> [f64; 4];
    /// `max(a, |b|)`.
    fn max_abs64(self, a: Self::F64, b: Self::F64) -> Self::F64;
    /// Largest of the sixteen.
    fn max64(self, a: Self::F64) -> f64;
    /// Rounded to `f32`.
    fn narrow64(self, a: Self::F64) -> Self::F32;
    /// As `f64`.
    fn widen32(self, a: Self::F32) -> Self::F64;
}

/// Work that is generic over the instruction set.
pub trait Kernel {
    /// What it gives.
    type Output;
    /// The work; mark it `#[inline(always)]`, and every generic function it calls.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Default for Isa {
    fn default() -> Self {
        Self::detect()
    }
}

impl Isa {
    /// Plain arithmetic, on every machine.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// Every set that this machine has, the best one last.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Self(Set::Avx2));
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                found.push(Self(Set::Avx512));
            }
        }
        found
    }

    /// The best set of this machine.
    pub fn detect() -> Self {
        Self::available().pop().unwrap_or(Self::PORTABLE)
    }

    /// The set of this name (`portable`, `avx2`, `avx512`), if this machine has it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
        }
    }

    /// Runs a kernel compiled for this set.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Set::Portable => kernel.run(portable::Portable),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => avx2::run(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => avx512::run(kernel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Everything<'a>(&'a [f64; CHUNK], &'a [f64; CHUNK]);

    impl Kernel for Everything<'_> {
        type Output = (Vec<f64>, f64, f32, u16);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let narrow = |v: &[f64; CHUNK]| v.map(|x| x as f32);
            let (a, b) = (simd.load32(&narrow(self.0)), simd.load32(&narrow(self.1)));
            let mut out32 = [0.0; CHUNK];
            simd.store32(&mut out32, simd.fma32(a, b, simd.mul32(a, simd.splat32(0.5))));
            let (zero, one) = (simd.splat32(0.0), simd.splat32(1.0));
            let largest = simd.max32(simd.keep_larger32(zero, zero, b, one).0);
            let above = simd.above32(a, one);
            let mut clamped = [0.0; CHUNK];
            let undefined = simd.div32(zero, zero);
            assert_eq!(simd.above32(simd.at_least32(undefined, one), zero), 0);
            simd.store32(&mut clamped, simd.at_least32(a, zero));
            assert_eq!(clamped, narrow(self.0).map(|a| a.max(0.0)));
            let (best, tag) = simd.keep_larger32(simd.keep_larger32(zero, zero, a, zero).0, zero, b, one);
            let (mut bests, mut tags) = ([0.0; CHUNK], [0.0; CHUNK]);
            simd.store32(&mut bests, best);
            simd.store32(&mut tags, tag);
            for (i, (a, b)) in self.0.iter().zip(self.1).enumerate() {
                let (a, b) = ((*a as f32).abs(), (*b as f32).abs());
                assert_eq!((bests[i], tags[i] == 1.0), (a.max(b), b > a));
            }
            let (a, b) = (simd.load64(self.0), simd.load64(self.1));
            let mut out64 = [0.0; CHUNK];
            let value = simd.fma64(a, b, simd.fma64(a, simd.splat64(2.0), simd.zero64()));
            simd.store64(&mut out64, value);
            let all = out32.iter().map(|&v| f64::from(v)).chain(out64).collect();
            let sums = simd.sums64([simd.zero64(), b, simd.splat64(1.0), a]);
            let singles = [0.0, simd.sum64(b), 16.0, simd.sum64(a)];
            testkit::assert_slices_close(&sums, &singles, 1e-14, 1e-14);
            (all, simd.sum64(b), largest, above)
        }
    }

    struct Reshape<'a>(&'a [f64]);

    impl Kernel for Reshape<'_> {
        type Output = ([[f32; CHUNK]; CHUNK], [f64; 4], [f32; CHUNK], [f64; CHUNK], f64);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let wide: [S::F64; CHUNK] = std::array::from_fn(|i| simd.load64(&chunks(self.0)[i]));
            let transposed = simd.transpose32(wide.map(|a| simd.narrow64(a)));
            let mut rows = [[0.0; CHUNK]; CHUNK];
            rows.iter_mut().zip(transposed).for_each(|(row, a)| simd.store32(row, a));
            let sums = simd.sums64([wide[0], wide[1], wide[2], wide[3]]);
            let mut quotient = [0.0; CHUNK];
            simd.store32(&mut quotient, simd.div32(simd.narrow64(wide[0]), simd.narrow64(wide[1])));
            let mut exact = [0.0; CHUNK];
            simd.store64(&mut exact, simd.widen32(simd.narrow64(wide[2])));
            (rows, sums, quotient, exact, simd.max64(simd.max_abs64(simd.zero64(), wide[3])))
        }
    }

    #[test]
    fn transposes_sums_and_quotients_are_the_plain_ones() {
        let values = testkit::normal_vector(CHUNK * CHUNK, 5);
        for isa in Isa::available() {
            let (rows, sums, quotient, exact, largest) = isa.run(Reshape(&values));
            for (i, from) in chunks(&values).iter().enumerate() {
                for (j, from) in from.iter().enumerate() {
                    assert_eq!(rows[j][i], *from as f32, "{}", isa.name());
                }
            }
            for (sum, from) in sums.iter().zip(chunks(&values)) {
                testkit::assert_close(*sum, from.iter().sum(), 1e-13, 1e-14);
            }
            for (i, q) in quotient.iter().enumerate() {
                assert_eq!(*q, values[i] as f32 / values[CHUNK + i] as f32);
                assert_eq!(exact[i], f64::from(values[2 * CHUNK + i] as f32));
            }
            assert_eq!(largest, values[3 * CHUNK..4 * CHUNK].iter().fold(0.0, |m: f64, v| m.max(v.abs())));
        }
    }

    #[test]
    fn every_set_of_this_machine_computes_the_same() {
        let values = testkit::normal_vector(2 * CHUNK, 3);
        let (a, b) = (values[..CHUNK].try_into().expect("16"), values[CHUNK..].try_into().expect("16"));
        for isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Some(isa));
            let (all, sum, largest, above) = isa.run(Everything(a, b));
            for i in 0..CHUNK {
                testkit::assert_close(all[i], a[i] * b[i] + 0.5 * a[i], 1e-5, 1e-6);
                testkit::assert_close(all[CHUNK + i], a[i] * b[i] + 2.0 * a[i], 1e-14, 1e-15);
                assert_eq!(above >> i & 1 == 1, a[i].abs() > 1.0);
            }
            testkit::assert_close(sum, b.iter().sum(), 1e-13, 1e-14);
            assert_eq!(largest, b.iter().fold(0.0_f32, |m, v| m.max((*v as f32).abs())));
        }
        assert_eq!(Isa::named("mmx"), None);
    }
}
