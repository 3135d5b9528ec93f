//! Problems with known answers, and the penalties that they need, shared by the tests.
#![allow(dead_code, reason = "each test binary uses its own part")]

use prox::{ActiveSet, Prox};
use solvers::Smooth;

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// `count` numbers in `[-1, 1)`, from the SplitMix64 generator.
pub fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    (0..count).map(|_| (next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0).collect()
}

/// The derivative of `f` at `x` by four central values: the error is `h^4 f^(5) / 30`, plus rounding over `h`.
pub fn derivative(f: impl Fn(f64) -> f64, x: f64, h: f64) -> f64 {
    (8.0 * (f(x + h) - f(x - h)) - (f(x + 2.0 * h) - f(x - 2.0 * h))) / (12.0 * h)
}

/// `g = lam (|x|_1 + gam/2 |x|^2)`.
#[derive(Clone, Copy)]
pub struct ElasticNet {
    pub lam: f64,
    pub gam: f64,
}

impl ElasticNet {
    fn shrink(&self, y: f64, step: f64) -> f64 {
        y.signum() * (y.abs() - step * self.lam).max(0.0) / (1.0 + step * self.lam * self.gam)
    }
}

impl Prox for ElasticNet {
    fn value(&self, x: &[f64]) -> f64 {
        self.lam * x.iter().map(|x| x.abs() + 0.5 * self.gam * x * x).sum::<f64>()
    }

    fn prox(&self, x: &mut [f64], step: f64) {
        x.iter_mut().for_each(|x| *x = self.shrink(*x, step));
    }

    fn jacobian_product(&self, point: &[f64], step: f64, direction: &mut [f64]) {
        for (d, y) in direction.iter_mut().zip(point) {
            let slope = 1.0 / (1.0 + step * self.lam * self.gam);
            *d *= if y.abs() > step * self.lam { slope } else { 0.0 };
        }
    }
}

impl ActiveSet for ElasticNet {
    fn support(&self, x: &[f64]) -> Vec<usize> {
        (0..x.len()).filter(|&j| x[j] != 0.0).collect()
    }

    fn add_hessian(&self, _: &[f64], support: &[usize], hessian: &mut [f64]) {
        for j in 0..support.len() {
            hessian[j * support.len() + j] += self.lam * self.gam;
        }
    }
}

/// No penalty.
pub struct Nothing;

impl Prox for Nothing {
    fn value(&self, _: &[f64]) -> f64 {
        0.0
    }

    fn prox(&self, _: &mut [f64], _: f64) {}

    fn jacobian_product(&self, _: &[f64], _: f64, _: &mut [f64]) {}
}

/// The ball of a radius, or only its surface.
pub struct Ball {
    pub radius: f64,
    pub surface: bool,
}

impl Prox for Ball {
    fn value(&self, x: &[f64]) -> f64 {
        let outside = norm(x) - self.radius;
        let off = if self.surface { outside.abs() } else { outside };
        if off <= 1e-14 * self.radius { 0.0 } else { f64::INFINITY }
    }

    fn prox(&self, x: &mut [f64], _: f64) {
        let length = norm(x);
        if self.surface || length > self.radius {
            x.iter_mut().for_each(|x| *x *= self.radius / length);
        }
    }

    fn jacobian_product(&self, point: &[f64], _: f64, direction: &mut [f64]) {
        let length = norm(point);
        if self.surface || length > self.radius {
            let along = dot(point, direction) / (length * length);
            for (d, y) in direction.iter_mut().zip(point) {
                *d = self.radius / length * (*d - along * y);
            }
        }
    }
}

/// `f = 1/2 |b - A x|^2`, `A` row-major `m x n`.
#[derive(Clone)]
pub struct LeastSquares {
    pub design: Vec<f64>,
    pub observations: Vec<f64>,
    pub n: usize,
}

impl LeastSquares {
    pub fn random(seed: u64, m: usize, n: usize) -> Self {
        Self { design: noise(seed, m * n), observations: noise(seed + 1000, m), n }
    }

    /// An upper bound of the Lipschitz constant of the gradient: the squared Frobenius norm of `A`.
    pub fn lipschitz(&self) -> f64 {
        dot(&self.design, &self.design)
    }

    /// `A x`.
    pub fn fit(&self, x: &[f64]) -> Vec<f64> {
        self.design.chunks_exact(self.n).map(|row| dot(row, x)).collect()
    }

    /// `b - A x`.
    pub fn residual(&self, x: &[f64]) -> Vec<f64> {
        self.observations.iter().zip(self.fit(x)).map(|(b, p)| b - p).collect()
    }

    /// `A' r`.
    pub fn adjoint(&self, r: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.n];
        for (row, r) in self.design.chunks_exact(self.n).zip(r) {
            out.iter_mut().zip(row).for_each(|(o, a)| *o += r * a);
        }
        out
    }

    pub fn gradient(&self, x: &[f64]) -> Vec<f64> {
        self.adjoint(&self.residual(x)).iter().map(|g| -g).collect()
    }

    /// `direction -> A' A direction`.
    pub fn hessian(&self) -> impl FnMut(&[f64], &mut [f64]) + '_ {
        |direction, out| out.copy_from_slice(&self.adjoint(&self.fit(direction)))
    }

    /// The elastic net by cyclic coordinate descent, until no coordinate moves by more than rounding.
    pub fn coordinate_descent(&self, penalty: ElasticNet) -> Vec<f64> {
        let mut x = vec![0.0; self.n];
        let mut r = self.observations.clone();
        let column = |j: usize| self.design.iter().skip(j).step_by(self.n);
        for _ in 0..200_000 {
            let mut largest: f64 = 0.0;
            for (j, x) in x.iter_mut().enumerate() {
                let square: f64 = column(j).map(|a| a * a).sum();
                let inner: f64 = column(j).zip(&r).map(|(a, r)| a * r).sum();
                let change = penalty.shrink(*x + inner / square, 1.0 / square) - *x;
                column(j).zip(&mut r).for_each(|(a, r)| *r -= change * a);
                *x += change;
                largest = largest.max(change.abs());
            }
            if largest <= 1e-16 {
                break;
            }
        }
        x
    }
}

impl Smooth for LeastSquares {
    fn value(&mut self, x: &[f64]) -> f64 {
        let r = self.residual(x);
        0.5 * dot(&r, &r)
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.copy_from_slice(&self.gradient(x));
        self.value(x)
    }
}

/// `f = 1/2 sum_j curvature_j x_j^2`, minimised by 0.
pub struct Diagonal(pub Vec<f64>);

impl Smooth for Diagonal {
    fn value(&mut self, x: &[f64]) -> f64 {
        0.5 * self.0.iter().zip(x).map(|(h, x)| h * x * x).sum::<f64>()
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        for ((g, h), x) in gradient.iter_mut().zip(&self.0).zip(x) {
            *g = h * x;
        }
        self.value(x)
    }
}

/// `-log(1 - x) + 3 x^2 - 5 x`, not a number from 1 on; the minimum is at 1/2, where the second derivative is 10.
pub struct Barrier;

impl Smooth for Barrier {
    fn value(&mut self, x: &[f64]) -> f64 {
        if x[0] < 1.0 { -(1.0 - x[0]).ln() + 3.0 * x[0] * x[0] - 5.0 * x[0] } else { f64::NAN }
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient[0] = 1.0 / (1.0 - x[0]) + 6.0 * x[0] - 5.0;
        self.value(x)
    }
}
