//! Duality gap of a code: an upper bound on `P(c) - min P`, and what it says about the support.
//!
//! Problem and symbols as in [`crate::lower`], `lambda_j = lambda w_j`. With the conjugate
//! `phi*(u) = max_r (u r - phi(r))`, any `theta` (`d`) gives a lower bound on `min P`; at `theta = a phi'(r)`, `0 < a <= 1`,
//! the gap splits into terms that are never negative, each computed without cancellation:
//!
//! ```text
//! gap(a) = sum_t [ phi(r_t) + phi*(a phi'(r_t)) - a phi'(r_t) r_t ]
//!        + sum_j [ lambda_j |c_j| + ridge/2 c_j^2 + (a |v_j| - lambda_j)_+^2 / (2 ridge) - a c_j v_j ]
//! ```
//!
//! | loss | term of `t` |
//! |---|---|
//! | squared | `(1 - a)^2 r^2 / 2` |
//! | huber, `abs(r) > delta` | `(1 - a) (delta abs(r) - (1 + a) delta^2 / 2)`, inside as squared |
//! | power | `abs(r)^p (1 + (p - 1) a^(p / (p - 1)) - a p)` |
//!
//! With a ridge `a = 1` is allowed and best near the solution; without one `a` is the largest number with
//! `a |v_j| <= lambda_j` for all `j`. For non-negative codes `|v_j|` is `v_j`. An atom with neither an l1 weight nor a ridge
//! leaves no such `theta`: the gap is infinite then, which says nothing of the code.
//!
//! **Support certificate.** `phi'(r*)` is within `sqrt(2 L gap)` of `theta`, `L` the largest curvature of the loss at
//! objectives up to `P(c)` (1 for squared and Huber). So atom `j` is out if `a |v_j| + |d_j| sqrt(2 L gap) < lambda_j`; with
//! a ridge it is in if `|c_j| > sqrt(2 gap / ridge)`. Cost `O(d)` plus that of the atoms given.
//! Source: Fercoq, Gramfort, Salmon (2015), Mind the duality gap.

use crate::loss::Loss;
use crate::lower::{LowerLevel, Problem};

/// Relative distance from a kink below which it is open on which side of it the solution is.
pub(crate) const KINK: f64 = 1e-9;

/// An atom that counts: on the support, or off it with `|v_j|` above its threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contact {
    /// Coefficient `c_j`.
    pub coefficient: f64,
    /// `v_j = d_j . phi'(r)`.
    pub correlation: f64,
    /// `lambda_j`.
    pub threshold: f64,
}

/// A gap with the multiple of `phi'(r)` that gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// Upper bound on `P(c) - min P`, not negative.
    pub value: f64,
    /// `a`.
    pub multiple: f64,
}

impl Gap {
    /// How far `phi'(r*)` is from `a phi'(r)` at most, where `P(c) = objective`.
    pub fn radius(&self, loss: Loss, objective: f64) -> f64 {
        let steepest = match loss {
            Loss::Squared | Loss::Huber { .. } => 1.0,
            Loss::Power { exponent } => loss.curvature(objective.powf(1.0 / exponent)),
        };
        (2.0 * steepest * self.value).sqrt()
    }

    /// The bound relative to the objective at the code 0.
    pub(crate) fn relative(&self, at_zero: f64) -> f64 {
        let quotient = if self.value == 0.0 { 0.0 } else { self.value / at_zero };
        if quotient.is_nan() { f64::INFINITY } else { quotient }
    }
}

/// A code with what its optimality conditions are made of; vectors over all atoms.
#[derive(Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub problem: &'a Problem,
    /// The penalty in force: the problem's, or one with another multiplier of the l1 norm.
    pub lower: &'a LowerLevel,
    pub residual: &'a [f64],
    /// `sum_t phi(r_t)`.
    pub fit: f64,
    pub code: &'a [f64],
    /// `g = v - ridge c`.
    pub gradient: &'a [f64],
    /// The unit of thresholds that are 0.
    pub unit: f64,
}

impl Evidence<'_> {
    /// The duality gap, and how many atoms and Huber residuals it or a kink leaves open.
    pub fn weigh(&self) -> (Gap, usize) {
        let (ridge, size) = (self.lower.ridge(), |g: f64| self.problem.size(g));
        let pairs = || self.code.iter().copied().zip(self.gradient.iter().copied()).enumerate();
        let mut contacts = Vec::new();
        let (mut objective, mut largest) = (self.fit, 0.0_f64);
        for (j, (c, g)) in pairs() {
            let threshold = self.threshold(j);
            if c != 0.0 || size(g) > threshold {
                contacts.push(Contact { coefficient: c, correlation: g + ridge * c, threshold });
                objective += threshold * c.abs() + 0.5 * ridge * c * c;
                largest = largest.max(c.abs());
            }
        }
        let gap = duality_gap(self.lower, self.residual, &contacts);
        let radius = gap.radius(self.lower.loss, objective);
        let shortest = if ridge > 0.0 { (2.0 * gap.value / ridge).sqrt() } else { 0.0 };
        let shortest = shortest.max(KINK * largest);
        let open = |&(j, (c, g)): &(usize, (f64, f64))| {
            let threshold = self.threshold(j);
            if threshold == 0.0 && !self.lower.non_negative {
                return false;
            }
            if c != 0.0 {
                return c.abs() <= shortest;
            }
            let unit = if threshold > 0.0 { threshold } else { self.unit };
            threshold - gap.multiple * size(g) <= (KINK * unit).max(radius * self.problem.norm(j))
        };
        (gap, pairs().filter(open).count() + open_residuals(self.lower.loss, self.residual))
    }

    fn threshold(&self, j: usize) -> f64 {
        self.lower.regularization * self.problem.weight(j)
    }
}

/// Huber residuals so near delta that they may be on either side of it; none for other losses.
fn open_residuals(loss: Loss, residual: &[f64]) -> usize {
    let Loss::Huber { delta } = loss else { return 0 };
    residual.iter().filter(|r| (r.abs() - delta).abs() < KINK * delta).count()
}

/// The duality gap of a code with residual `r` (observed features) and all its contacts.
pub fn duality_gap(lower: &LowerLevel, residual: &[f64], contacts: &[Contact]) -> Gap {
    let ridge = lower.ridge();
    let size = |c: &Contact| if lower.non_negative { c.correlation } else { c.correlation.abs() };
    let feasible = |c: &Contact| if size(c) > c.threshold { c.threshold / size(c) } else { 1.0 };
    let multiple = contacts.iter().map(feasible).fold(1.0, f64::min);
    let value = |a: f64| {
        let atoms = contacts.iter().map(|contact| {
            let Contact { coefficient: c, correlation: v, threshold } = *contact;
            let excess = (a * size(contact) - threshold).max(0.0);
            // (threshold |c| - a c v) is small where c is near a solution: together, not apart.
            let l1 = c.abs() * (threshold - a * v * c.signum());
            if ridge > 0.0 { l1 + 0.5 * ridge * c * c + excess * excess / (2.0 * ridge) } else { l1 }
        });
        let sum = fit(lower.loss, residual, a) + atoms.sum::<f64>();
        // Out of range: nothing is known.
        if sum.is_nan() { f64::INFINITY } else { sum.max(0.0) }
    };
    let scaled = if multiple > 0.0 { value(multiple) } else { f64::INFINITY };
    if ridge > 0.0 {
        let whole = value(1.0);
        if whole <= scaled {
            return Gap { value: whole, multiple: 1.0 };
        }
    }
    Gap { value: scaled, multiple }
}

/// An upper bound on the gap of the squared loss where only the largest distance `epsilon` from the optimality conditions
/// is known: `energy = |r|^2`, and `(|c_j|, lambda_j)` (positive) of every atom on the support.
pub(crate) fn gap_bound(
    energy: f64,
    ridge: f64,
    support: impl Iterator<Item = (f64, f64)> + Clone,
    n_violators: usize,
    epsilon: f64,
    smallest_threshold: f64,
) -> f64 {
    let n = support.clone().count() + n_violators;
    let whole = if ridge > 0.0 { n as f64 * epsilon * epsilon / (2.0 * ridge) } else { f64::INFINITY };
    let a = smallest_threshold / (smallest_threshold + epsilon);
    let l1: f64 = support.map(|(c, threshold)| c * (threshold * (1.0 - a) + a * epsilon)).sum();
    let scaled = if ridge > 0.0 { f64::INFINITY } else { 0.5 * (1.0 - a) * (1.0 - a) * energy + l1 };
    whole.min(scaled)
}

/// `sum_t phi(r_t) + phi*(a phi'(r_t)) - a phi'(r_t) r_t`.
fn fit(loss: Loss, residual: &[f64], a: f64) -> f64 {
    if a == 1.0 {
        return 0.0;
    }
    let term = |&r: &f64| match loss {
        Loss::Huber { delta } if r.abs() > delta => (1.0 - a) * delta * (r.abs() - 0.5 * (1.0 + a) * delta),
        Loss::Squared | Loss::Huber { .. } => 0.5 * (1.0 - a) * (1.0 - a) * r * r,
        Loss::Power { exponent: p } => {
            // Its cancellation is that of a small (1 - a)^2: far below the other sum, which is of order 1 - a.
            let shape = 1.0 + (p - 1.0) * a.powf(p / (p - 1.0)) - a * p;
            loss.value(r) * shape.max(0.0)
        }
    };
    residual.iter().map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: [Loss; 4] = [
        Loss::Squared,
        Loss::Huber { delta: 0.4 },
        Loss::Power { exponent: 2.1 },
        Loss::Power { exponent: 3.0 },
    ];

    fn conjugate(loss: Loss, u: f64) -> f64 {
        match loss {
            Loss::Squared => 0.5 * u * u,
            Loss::Huber { delta } => {
                assert!(u.abs() <= delta * (1.0 + 1e-12));
                0.5 * u * u
            }
            Loss::Power { exponent: p } => (p - 1.0) * (u.abs() / p).powf(p / (p - 1.0)),
        }
    }

    /// Residual, dictionary and contacts of a code that solves nothing in particular.
    fn instance(lower: &LowerLevel, seed: u64) -> (Vec<f64>, Vec<f64>, Vec<Contact>) {
        let (d, k) = (6, 9);
        let atoms = testkit::unit_columns(d, k, seed);
        let (sample, mut code) = (testkit::normal_vector(d, seed + 1), testkit::normal_vector(k, seed + 2));
        code.iter_mut().step_by(2).for_each(|c| *c = 0.0);
        if lower.non_negative {
            code.iter_mut().for_each(|c| *c = c.abs());
        }
        let mut residual = sample.clone();
        for (j, c) in code.iter().enumerate() {
            linalg::columns::add_scaled(&mut residual, -c, &atoms[j * d..(j + 1) * d]);
        }
        let slopes: Vec<f64> = residual.iter().map(|&r| lower.loss.slope(r)).collect();
        let contact = |j: usize| Contact {
            coefficient: code[j],
            correlation: linalg::columns::dot(&atoms[j * d..(j + 1) * d], &slopes),
            threshold: lower.regularization * (1.0 + 0.1 * j as f64),
        };
        (sample, residual, (0..k).map(contact).collect())
    }

    /// Primal less dual value, each from its definition.
    fn definition(lower: &LowerLevel, sample: &[f64], residual: &[f64], contacts: &[Contact], a: f64) -> f64 {
        let ridge = lower.ridge();
        let penalty =
            |c: &Contact| c.threshold * c.coefficient.abs() + 0.5 * ridge * c.coefficient * c.coefficient;
        let primal = lower.loss.sum(residual) + contacts.iter().map(penalty).sum::<f64>();
        let theta = residual.iter().map(|&r| a * lower.loss.slope(r));
        let smooth: f64 = theta.zip(sample).map(|(u, x)| u * x - conjugate(lower.loss, u)).sum();
        let size = |v: f64| if lower.non_negative { v } else { v.abs() };
        let excess = |c: &Contact| (size(a * c.correlation) - c.threshold).max(0.0);
        let bound: f64 =
            contacts.iter().map(|c| if ridge > 0.0 { excess(c).powi(2) / (2.0 * ridge) } else { 0.0 }).sum();
        if ridge == 0.0 {
            assert!(contacts.iter().all(|c| excess(c) <= 1e-12), "theta is feasible");
        }
        primal - (smooth - bound)
    }

    #[test]
    fn the_gap_is_the_difference_of_primal_and_dual() {
        for loss in LOSSES {
            for (l2_regularization, non_negative) in [(0.0, false), (0.3, false), (0.0, true), (0.3, true)] {
                let lower = LowerLevel { l2_regularization, non_negative, ..LowerLevel::new(loss, 0.5) };
                for seed in 0..5 {
                    let (sample, residual, contacts) = instance(&lower, 10 * seed);
                    let gap = duality_gap(&lower, &residual, &contacts);
                    let expected = definition(&lower, &sample, &residual, &contacts, gap.multiple);
                    assert!(gap.value >= 0.0);
                    testkit::assert_close(gap.value, expected, 1e-12, 1e-13);
                }
            }
        }
    }

    #[test]
    fn an_atom_without_penalty_leaves_no_bound() {
        let lower = LowerLevel::new(Loss::Squared, 0.5);
        let free = Contact { coefficient: 1.0, correlation: 1e-9, threshold: 0.0 };
        assert_eq!(duality_gap(&lower, &[1.0], &[free]).value, f64::INFINITY);
        let ridge = LowerLevel { l2_regularization: 0.1, ..lower };
        assert!(duality_gap(&ridge, &[1.0], &[free]).value.is_finite());
        assert_eq!(duality_gap(&lower, &[1.0, 2.0], &[]), Gap { value: 0.0, multiple: 1.0 });
    }
}
