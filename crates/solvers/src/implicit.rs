//! Implicit differentiation of a composite problem: how its solution moves with its parameters.
//!
//! Let `x(theta) = argmin_x f(x, theta) + g(x, theta)` and `L` any function of `x`, with cotangent `v = dL/dx` at the
//! solution. Reverse mode needs one linear system, whatever the number of parameters, for the *adjoint* `beta`:
//!
//! ```text
//! dL/dtheta = - sum_j beta_j d/dtheta [ grad_x f(x, theta) + grad_x g(x, theta) ]_j        x held still
//! ```
//!
//! where `grad_x g` counts on the support only (`beta` is zero elsewhere). The three ways to `beta`:
//!
//! ```text
//! on the support S of x:   (H_SS + P_SS) beta_S = v_S,  beta = 0 off S            Cholesky, conjugate gradient
//! from the fixed point:    A' u = v,  A = J (I - t H) - I,  beta = -t J u         normal conjugate gradient
//! ```
//!
//! | symbol | shape | meaning |
//! |---|---|---|
//! | `x`, `v` | n | solution; cotangent `dL/dx` |
//! | `H` | n x n | Hessian of `f` in `x` at the solution, symmetric: a [`Hessian`] |
//! | `S` | s | coordinates that move freely, [`ActiveSet::support`] |
//! | `P` | s x s | Hessian of `g` on the support, [`ActiveSet::add_hessian`] |
//! | `t` | | any step `> 0` |
//! | `J` | n x n | Jacobian of `prox_{t g}` at `x - t grad f(x)`, symmetric |
//! | `A` | n x n | Jacobian of the residual `F(x) = prox_{t g}(x - t grad f(x)) - x`, not symmetric |
//! | `u` | n | the adjoint of `F` itself: for a set or penalty known by its prox only, add `-u . d/dtheta prox_{t g}(y)`, with `y = x - t grad f(x)` held still, instead of the term with `grad_x g` |
//!
//! Both ways give the same `beta` where both apply. The fixed point asks for nothing but `J`, so it also serves a `g`
//! whose free directions are not coordinates (balls, spheres, simplices), at the price of a squared condition number.
//!
//! **Hyper-parameters by example.** `f = 1/2 |b - A x|^2`, `g = lam (|x|_1 + gam/2 |x|^2)`, so
//! `H = A'A`, `P = lam gam I`. Then, on the support,
//! `dL/dlam = -beta . (sign(x) + gam x)` (for the lasso `-beta . sign(x)`), `dL/dgam = -lam beta . x`,
//! `dL/db = A beta` and `dL/dA = (b - A x) beta' - (A beta) x'`. A direct dependence of `L` on `theta` is added by the
//! caller.
//!
//! **Where it holds.** `x` must be a solution to good accuracy with the right support, and not sit on a kink (a zero
//! coordinate whose gradient is at the very end of its interval): there only one-sided derivatives exist.
//!
//! Cost: Cholesky `s^3/3` flops and the `s x s` block of `H`; conjugate gradient one product with `H` per iteration and
//! `s^2` for `P`; normal conjugate gradient two products with `H` and `J` per iteration.
//! References: Bertrand et al. (2022), on the support; Blondel et al. (2022), from the fixed point.

use linalg::columns::norm;
use linalg::conjugate_gradient::{CgOptions, CgStatus, conjugate_gradient};
use linalg::spd::{SpdFactor, SpdStatus};
use prox::{ActiveSet, Prox};

use crate::vector::{all_finite, distance};

/// The Hessian `H` of `f` at the solution. Any closure `(direction, out)` that writes `out <- H direction` is one.
pub trait Hessian {
    /// `out <- H direction` (every entry is overwritten); both of length n.
    fn product(&mut self, direction: &[f64], out: &mut [f64]);

    /// Writes the rows and columns in `support` of the n x n Hessian to `block`, column-major `s x s`.
    ///
    /// By default from `s` products; implement it where the entries are cheaper.
    fn restrict(&mut self, n: usize, support: &[usize], block: &mut [f64]) {
        let (mut unit, mut column) = (vec![0.0; n], vec![0.0; n]);
        for (&j, block) in support.iter().zip(block.chunks_exact_mut(support.len().max(1))) {
            unit[j] = 1.0;
            self.product(&unit, &mut column);
            unit[j] = 0.0;
            gather(block, &column, support);
        }
    }
}

impl<F: FnMut(&[f64], &mut [f64])> Hessian for F {
    fn product(&mut self, direction: &[f64], out: &mut [f64]) {
        self(direction, out);
    }
}

/// A solved problem, and the question asked of it.
#[derive(Debug, Clone, Copy)]
pub struct FixedPoint<'a> {
    /// The solution `x`, length n.
    pub solution: &'a [f64],
    /// `grad f(x)`, length n. Only the fixed-point system reads it.
    pub gradient: &'a [f64],
    /// The step `t` of the fixed point; finite, `> 0`. Only the fixed-point system reads it; best near `1/L`.
    pub step: f64,
    /// `v = dL/dx` at the solution, length n.
    pub cotangent: &'a [f64],
}

/// How to solve for the adjoint.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum LinearSolve {
    /// Cholesky of `H_SS + P_SS`: exact, and it sees a singular system. The default.
    #[default]
    Cholesky,
    /// Conjugate gradient on `H_SS + P_SS`. It cannot see a singular system whose right-hand side is consistent: it
    /// then gives the adjoint of least norm.
    ConjugateGradient(CgOptions),
    /// Conjugate gradient on the normal equations `A A' u = A v` of the fixed point; the same warning holds.
    NormalConjugateGradient(CgOptions),
}

/// Whether the adjoint is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Status {
    /// Yes.
    Solved,
    /// `H_SS + P_SS` is singular to working precision ([`linalg::spd::RANK_TOLERANCE`]), or not positive definite: the solution is not an isolated point, and no derivative exists.
    RankDeficient {
        /// Smallest `L_jj^2 / H_jj` of the Cholesky factor `L`: 1 for orthogonal columns, about `2.2e-16` or less for
        /// dependent ones, 0 when the factorisation broke down.
        pivot_ratio: f64,
    },
    /// The iterative solver stopped above its tolerance.
    NotConverged {
        /// True relative residual, `|v_S - (H_SS + P_SS) beta_S| / |v_S|`, or `|v - A' u| / |v|`.
        residual: f64,
    },
    /// The cotangent, the gradient, the Hessian or the adjoint has entries that are not finite.
    NotFinite,
}

/// The solved linear system.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjoint {
    /// `beta`, length n. All entries are not a number unless the status is `Solved` or `NotConverged`.
    pub beta: Vec<f64>,
    /// `u`, length n, from the fixed point; empty from the systems on the support.
    pub residual_adjoint: Vec<f64>,
    /// Whether `beta` is to be trusted.
    pub status: Status,
}

impl Adjoint {
    fn new(beta: Vec<f64>, residual_adjoint: Vec<f64>, status: Status) -> Self {
        let finite = all_finite(&beta) && all_finite(&residual_adjoint);
        let status = if matches!(status, Status::Solved) && !finite { Status::NotFinite } else { status };
        match status {
            Status::Solved | Status::NotConverged { .. } => Self { beta, residual_adjoint, status },
            _ => Self { beta: vec![f64::NAN; beta.len()], residual_adjoint: Vec::new(), status },
        }
    }
}

/// The adjoint of `point` by the chosen solve, for a penalty with a support.
///
/// # Panics
/// When the lengths in `point` differ, or its step is not finite and positive where it is needed.
#[track_caller]
pub fn adjoint(
    point: &FixedPoint<'_>,
    hessian: &mut impl Hessian,
    penalty: &impl ActiveSet,
    solve: LinearSolve,
) -> Adjoint {
    match solve {
        LinearSolve::Cholesky => cholesky_adjoint(point, hessian, penalty),
        LinearSolve::ConjugateGradient(options) => {
            conjugate_gradient_adjoint(point, hessian, penalty, options)
        }
        LinearSolve::NormalConjugateGradient(options) => {
            fixed_point_adjoint(point, hessian, penalty, options)
        }
    }
}

/// `(H_SS + P_SS) beta_S = v_S` by Cholesky.
#[track_caller]
fn cholesky_adjoint(point: &FixedPoint<'_>, hessian: &mut impl Hessian, penalty: &impl ActiveSet) -> Adjoint {
    let n = point.check();
    let support = penalty.support(point.solution);
    let mut factor = SpdFactor::default();
    let block = factor.start(support.len());
    hessian.restrict(n, &support, block);
    penalty.add_hessian(point.solution, &support, block);
    let finite = all_finite(block);
    let mut rhs = vec![0.0; support.len()];
    gather(&mut rhs, point.cotangent, &support);
    let status = match factor.factor() {
        _ if !finite => Status::NotFinite,
        SpdStatus::Deficient { pivot_ratio } => Status::RankDeficient { pivot_ratio },
        SpdStatus::Definite { .. } => {
            factor.solve(&mut rhs);
            Status::Solved
        }
    };
    Adjoint::new(scatter(n, &support, &rhs), Vec::new(), status)
}

/// `(H_SS + P_SS) beta_S = v_S` by conjugate gradient.
#[track_caller]
fn conjugate_gradient_adjoint(
    point: &FixedPoint<'_>,
    hessian: &mut impl Hessian,
    penalty: &impl ActiveSet,
    options: CgOptions,
) -> Adjoint {
    let n = point.check();
    let support = penalty.support(point.solution);
    let s = support.len();
    let mut penalty_block = vec![0.0; s * s];
    penalty.add_hessian(point.solution, &support, &mut penalty_block);
    let (mut full, mut product) = (vec![0.0; n], vec![0.0; n]);
    let apply = |direction: &[f64], out: &mut [f64]| {
        for (&j, d) in support.iter().zip(direction) {
            full[j] = *d;
        }
        hessian.product(&full, &mut product);
        gather(out, &product, &support);
        for (column, d) in penalty_block.chunks_exact(s.max(1)).zip(direction) {
            for (o, p) in out.iter_mut().zip(column) {
                *o += p * d;
            }
        }
    };
    let mut rhs = vec![0.0; s];
    gather(&mut rhs, point.cotangent, &support);
    let mut beta = vec![0.0; s];
    let outcome = conjugate_gradient(apply, &rhs, &mut beta, options);
    let status = match outcome.status {
        CgStatus::Converged => Status::Solved,
        _ => not_converged(outcome.residual),
    };
    Adjoint::new(scatter(n, &support, &beta), Vec::new(), status)
}

/// The adjoint from the fixed point, for any penalty whose prox has a Jacobian.
///
/// Conjugate gradient on `A A' u = A v`, tightened until the residual of the system itself, `|v - A' u| / |v|`, is at
/// most `options.tolerance`; `options.max_iterations` counts over all of it.
///
/// # Panics
/// When the lengths in `point` differ, or its step is not finite and positive.
#[track_caller]
pub fn fixed_point_adjoint(
    point: &FixedPoint<'_>,
    hessian: &mut impl Hessian,
    penalty: &impl Prox,
    options: CgOptions,
) -> Adjoint {
    let n = point.check();
    assert!(point.step > 0.0 && point.step.is_finite(), "implicit: step {} is not > 0", point.step);
    let forward = point.solution.iter().zip(point.gradient).map(|(x, g)| x - point.step * g);
    let mut operator = ResidualJacobian {
        hessian,
        penalty,
        forward: forward.collect(),
        step: point.step,
        work: vec![0.0; n],
    };
    let (mut rhs, mut u, mut middle) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    operator.product(point.cotangent, &mut rhs);
    let scale = norm(point.cotangent).max(f64::MIN_POSITIVE);
    let mut inner = options;
    let status = loop {
        let normal = |direction: &[f64], out: &mut [f64]| {
            operator.transposed_product(direction, &mut middle);
            operator.product(&middle, out);
        };
        let outcome = conjugate_gradient(normal, &rhs, &mut u, inner);
        operator.transposed_product(&u, &mut middle);
        let residual = distance(point.cotangent, &middle) / scale;
        if residual <= options.tolerance {
            break Status::Solved;
        }
        inner.tolerance *= 0.1 * options.tolerance / residual;
        inner.max_iterations -= outcome.iterations;
        if outcome.status != CgStatus::Converged || !residual.is_finite() {
            break not_converged(residual);
        }
    };
    let mut beta = u.clone();
    operator.prox_jacobian(&mut beta);
    beta.iter_mut().for_each(|b| *b *= -point.step);
    Adjoint::new(beta, u, status)
}

/// `A = J (I - t H) - I`, the Jacobian of `F(x) = prox_{t g}(x - t grad f(x)) - x`.
struct ResidualJacobian<'a, H, P> {
    hessian: &'a mut H,
    penalty: &'a P,
    /// `x - t grad f(x)`.
    forward: Vec<f64>,
    step: f64,
    work: Vec<f64>,
}

impl<H: Hessian, P: Prox> ResidualJacobian<'_, H, P> {
    /// `out <- A direction = J (direction - t H direction) - direction`.
    fn product(&mut self, direction: &[f64], out: &mut [f64]) {
        self.hessian.product(direction, &mut self.work);
        for ((o, d), h) in out.iter_mut().zip(direction).zip(&self.work) {
            *o = d - self.step * h;
        }
        self.prox_jacobian(out);
        for (o, d) in out.iter_mut().zip(direction) {
            *o -= d;
        }
    }

    /// `out <- A' direction = q - t H q - direction`, with `q = J direction`.
    fn transposed_product(&mut self, direction: &[f64], out: &mut [f64]) {
        out.copy_from_slice(direction);
        self.prox_jacobian(out);
        self.hessian.product(out, &mut self.work);
        for ((o, d), h) in out.iter_mut().zip(direction).zip(&self.work) {
            *o -= self.step * h + d;
        }
    }

    /// `direction <- J direction`.
    fn prox_jacobian(&self, direction: &mut [f64]) {
        self.penalty.jacobian_product(&self.forward, self.step, direction);
    }
}

impl FixedPoint<'_> {
    /// The number of variables, the same for all three vectors.
    #[track_caller]
    fn check(&self) -> usize {
        let n = self.solution.len();
        assert_eq!(n, self.cotangent.len(), "implicit: lengths of the solution and of the cotangent");
        assert_eq!(n, self.gradient.len(), "implicit: lengths of the solution and of the gradient");
        n
    }
}

/// The status of a system left at `residual`.
fn not_converged(residual: f64) -> Status {
    if residual.is_finite() { Status::NotConverged { residual } } else { Status::NotFinite }
}

/// `part <- full[support]`.
fn gather(part: &mut [f64], full: &[f64], support: &[usize]) {
    for (p, &j) in part.iter_mut().zip(support) {
        *p = full[j];
    }
}

/// The vector of length n with `part` on `support` and zeros elsewhere.
fn scatter(n: usize, support: &[usize], part: &[f64]) -> Vec<f64> {
    let mut full = vec![0.0; n];
    for (&j, p) in support.iter().zip(part) {
        full[j] = *p;
    }
    full
}
