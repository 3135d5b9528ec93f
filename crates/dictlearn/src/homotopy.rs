//! Homotopy (LARS with drops): the exact solution followed from the largest regularisation down.
//!
//! For a falling multiplier `t` of the l1 norm, with the ridge held fixed,
//! `minimise over c:  1/2 |x - D c|^2 + t sum_j w_j |c_j| + 1/2 sum_j ridge_j c_j^2`   (`c >= 0` where asked for)
//! has a solution that is linear in `t` between kinks. Write `A` for the atoms of the support `S` (signs `s`), each
//! followed by a row with `sqrt(ridge_j)` of its own, `A = Q R`. When `t` falls by `step`:
//!
//! | symbol | formula | moves by |
//! |---|---|---|
//! | heights `y` (`s`) | `R^-T (w s)_S` | |
//! | direction `b` (`s`) | `R^-1 y` | `c_S + step b` |
//! | movement `e` (`d`, and a row a ridge) | `Q y` | `r - step e` |
//! | `g = D^T r` off the support (`k`) | | `g - step D^T e`, against `(t - step) w` |
//!
//! The step ends where a coefficient reaches 0 (its atom leaves), an atom off the support reaches `|g_j| = t w_j` (it
//! joins with the sign of `g_j`), or the path is done: at the multiplier asked for, or where `sum_j w_j |c_j|` has risen to
//! a radius or `|r|^2` fallen to an error. After every step the residual is computed anew and coefficients are corrected
//! by it, `c_S + R^-1 (Q^T r - t y)`, so errors do not add up.
//!
//! Atoms of weight 0 come first: those without a sign are fitted at once; with `c >= 0` a path of their own leads to their
//! best fit. An atom that depends on the support (to rounding) stays out: its `g_j` follows the others'. One that would
//! at once move against its sign, as happens in ties, stays out until the support changes. At the end the code is computed
//! anew from its sorted support with a fresh factor.
//! Cost a step `4 k d + 12 s d`; as many steps as there are changes of the support.
//! Source: Osborne, Presnell, Turlach (2000); Efron, Hastie, Johnstone, Tibshirani (2004), 3.1 and 3.4.

mod path;
mod settle;
mod quadratic;

pub use path::{Kink, Path, regularization_path};
pub(crate) use quadratic::Quadratic;

use linalg::columns::dot;
use linalg::qr_update::UpdatableQr;

/// Where a path ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stop {
    /// At this multiplier.
    Multiplier(f64),
    /// Where `sum_j w_j |c_j|` reaches this, or at the multiplier 0.
    Radius(f64),
    /// Where `|r|^2` reaches this, or at the multiplier 0.
    Error(f64),
}

/// An atom's place in the path.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// Off the support.
    Open,
    /// In the support.
    Used,
    /// Off the support for as long as no atom leaves it: it depends on the atoms there.
    Dependent,
    /// Off the support until that changes: it would move against its sign.
    Refused,
}

/// What ends a step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    /// The atom at this position of the support leaves.
    Leave(usize),
    /// This atom joins, with this sign.
    Join(usize, f64),
}

/// One worker's memory, reused from sample to sample; after a run it holds the code.
#[derive(Debug, Default)]
pub(crate) struct Homotopy {
    n_features: usize,
    support: Vec<usize>,
    /// Signs on the support; 0 where the sign plays no part.
    signs: Vec<f64>,
    values: Vec<f64>,
    /// The row of each atom's ridge, counted from `d`.
    slots: Vec<usize>,
    factor: UpdatableQr,
    multiplier: f64,
    /// `w`; infinite where an atom is kept out.
    weights: Vec<f64>,
    places: Vec<Place>,
    residual: Vec<f64>,
    gradient: Vec<f64>,
    /// `D^T e`.
    rates: Vec<f64>,
    heights: Vec<f64>,
    direction: Vec<f64>,
    movement: Vec<f64>,
}

impl Homotopy {
    /// Follows the path of `sample` to its end; `false` where `max_steps` were not enough. `visit` sees every kink.
    pub(crate) fn run(
        &mut self,
        quadratic: &Quadratic<'_>,
        sample: &[f64],
        stop: Stop,
        max_steps: usize,
        visit: &mut dyn FnMut(&Self),
    ) -> bool {
        let n = quadratic.n_atoms();
        self.reset(quadratic);
        self.fit_free_atoms(quadratic);
        let restricted = |j: usize| quadratic.weight(j) == 0.0 && !quadratic.is_signed(j);
        let mut done = true;
        if (0..n).any(restricted) {
            self.weights.extend((0..n).map(|j| match quadratic.weight(j) {
                0.0 => f64::from(u8::from(!quadratic.is_signed(j))),
                _ => f64::INFINITY,
            }));
            done = self.follow(quadratic, sample, Stop::Multiplier(0.0), max_steps, &mut |_| {});
        }
        self.weights.clear();
        self.weights.extend((0..n).map(|j| quadratic.weight(j)));
        done = done && self.follow(quadratic, sample, stop, max_steps, visit);
        let unfinished = Stop::Multiplier(self.multiplier);
        let inside = self.multiplier == 0.0 || self.is_at_start();
        self.settle(quadratic, sample, if done && !inside { stop } else { unfinished });
        if done && self.is_at_start() && !matches!(stop, Stop::Multiplier(_)) {
            // The constraint does not bind; any larger multiplier proves that as well, without a tie.
            self.multiplier *= 2.0;
        }
        done
    }

    /// The multiplier at which the path ended.
    pub(crate) fn multiplier(&self) -> f64 {
        self.multiplier
    }

    /// The code: atoms below `n_components`, ascending after a run, with their coefficients.
    pub(crate) fn code(&self, n_components: usize) -> Vec<(usize, f64)> {
        let pairs = self.support.iter().copied().zip(self.values.iter().copied());
        let mut code: Vec<_> = pairs.filter(|&(j, c)| j < n_components && c != 0.0).collect();
        code.sort_unstable_by_key(|&(j, _)| j);
        code
    }

    /// Whether no atom with a weight is in use.
    fn is_at_start(&self) -> bool {
        self.support.iter().all(|&j| self.weights[j] == 0.0)
    }

    fn reset(&mut self, quadratic: &Quadratic<'_>) {
        let n = quadratic.n_atoms();
        self.n_features = quadratic.n_features();
        self.clear_support();
        self.multiplier = 0.0;
        self.weights.clear();
        self.places.clear();
        self.places.resize(n, Place::Open);
        for vector in [&mut self.gradient, &mut self.rates] {
            vector.clear();
            vector.resize(n, 0.0);
        }
    }

    fn clear_support(&mut self) {
        self.support.clear();
        self.signs.clear();
        self.values.clear();
        self.slots.clear();
        self.factor.start(self.n_features);
    }

    /// Atoms of weight 0 whose sign plays no part: in the support from the start, never to leave.
    fn fit_free_atoms(&mut self, quadratic: &Quadratic<'_>) {
        for j in 0..quadratic.n_atoms() {
            if quadratic.weight(j) == 0.0 && quadratic.is_signed(j) {
                self.join(quadratic, j, 0.0);
            }
        }
    }

    /// From the first multiplier at which an atom joins to the end.
    fn follow(
        &mut self,
        quadratic: &Quadratic<'_>,
        sample: &[f64],
        stop: Stop,
        max_steps: usize,
        visit: &mut dyn FnMut(&Self),
    ) -> bool {
        self.redirect();
        self.keep_on_path(quadratic, sample);
        self.refresh(quadratic);
        let start = (0..self.gradient.len()).filter(|&j| self.places[j] != Place::Used).map(|j| {
            let size = if quadratic.is_signed(j) { self.gradient[j].abs() } else { self.gradient[j] };
            if self.weights[j] > 0.0 { size / self.weights[j] } else { 0.0 }
        });
        self.multiplier = start.fold(0.0, f64::max);
        for _ in 0..max_steps {
            visit(self);
            let limit = self.length_to(stop);
            let Some((step, change)) = self.next_change(quadratic, limit) else {
                self.advance(limit);
                if let Stop::Multiplier(target) = stop {
                    self.multiplier = target;
                }
                self.keep_on_path(quadratic, sample);
                visit(self);
                return true;
            };
            self.advance(step);
            match change {
                Change::Leave(position) => self.leave(position),
                Change::Join(j, sign) => self.enter(j, sign),
            }
            self.keep_on_path(quadratic, sample);
            self.refresh(quadratic);
        }
        false
    }

    /// The step after which the path is done, were the support to stay.
    fn length_to(&self, stop: Stop) -> f64 {
        let length = match stop {
            Stop::Multiplier(target) => self.multiplier - target,
            Stop::Radius(radius) => {
                let (missing, rate) = (radius - self.l1_norm(), dot(&self.heights, &self.heights));
                if missing <= 0.0 { 0.0 } else { missing / rate }
            }
            Stop::Error(error) => {
                let (r, e) = (&self.residual, &self.movement);
                let (excess, along, square) = (dot(r, r) - error, dot(r, e), dot(e, e));
                let root = (along * along - square * excess).max(0.0).sqrt();
                let reached = along * along >= square * excess;
                if excess <= 0.0 {
                    0.0
                } else if reached {
                    excess / (along + root)
                } else {
                    f64::INFINITY
                }
            }
        };
        length.max(0.0).min(self.multiplier)
    }

    /// `sum_j w_j |c_j|`.
    pub(crate) fn l1_norm(&self) -> f64 {
        self.support.iter().zip(&self.values).map(|(&j, c)| self.weights[j] * c.abs()).sum()
    }

    /// The first change of the support before `limit`. An atom that joins is in the factor then.
    fn next_change(&mut self, quadratic: &Quadratic<'_>, limit: f64) -> Option<(f64, Change)> {
        loop {
            let next = self.first_change(quadratic, limit);
            let Some((_, Change::Join(j, _))) = next else { return next };
            if self.append(quadratic, j) {
                return next;
            }
            self.places[j] = Place::Dependent;
        }
    }

    fn first_change(&self, quadratic: &Quadratic<'_>, limit: f64) -> Option<(f64, Change)> {
        let (mut first, mut change) = (limit, None);
        for (position, (&c, &b)) in self.values.iter().zip(&self.direction).enumerate() {
            let sign = self.signs[position];
            if sign * b < 0.0 && (sign * c).max(0.0) < first * -(sign * b) {
                (first, change) = ((sign * c).max(0.0) / -(sign * b), Some(Change::Leave(position)));
            }
        }
        for (j, (&g, &rate)) in self.gradient.iter().zip(&self.rates).enumerate() {
            let weight = self.weights[j];
            if self.places[j] != Place::Open || weight == f64::INFINITY {
                continue;
            }
            for sign in if quadratic.is_signed(j) { &[1.0, -1.0][..] } else { &[1.0] } {
                let slack = (self.multiplier * weight - sign * g).max(0.0);
                let closing = weight - sign * rate;
                if closing > 1e-14 * (weight + rate.abs()) && slack < first * closing {
                    (first, change) = (slack / closing, Some(Change::Join(j, *sign)));
                }
            }
        }
        change.map(|change| (first, change))
    }

    /// Lets the multiplier fall by `step`.
    fn advance(&mut self, step: f64) {
        self.multiplier = (self.multiplier - step).max(0.0);
        self.values.iter_mut().zip(&self.direction).for_each(|(c, b)| *c += step * b);
    }

    fn leave(&mut self, position: usize) {
        self.remove(position);
        for place in &mut self.places {
            if *place != Place::Used {
                *place = Place::Open;
            }
        }
        self.redirect();
    }

    /// Takes an atom whose column was appended into the support, if it moves with its sign there.
    fn enter(&mut self, j: usize, sign: f64) {
        self.push(j, sign);
        self.redirect();
        let newest = self.support.len() - 1;
        if self.direction[newest] * sign > 0.0 {
            let refused = self.places.iter_mut().filter(|place| **place == Place::Refused);
            refused.for_each(|place| *place = Place::Open);
        } else {
            self.remove(newest);
            self.places[j] = Place::Refused;
            self.redirect();
        }
    }

    /// Takes an atom into the support, unless it depends on the others.
    fn join(&mut self, quadratic: &Quadratic<'_>, j: usize, sign: f64) {
        if self.append(quadratic, j) {
            self.push(j, sign);
        } else {
            self.places[j] = Place::Dependent;
        }
    }

    /// Appends the column of atom `j` to the factor; `false` where it depends on the others.
    fn append(&mut self, quadratic: &Quadratic<'_>, j: usize) -> bool {
        let row = self.n_features + self.free_slot();
        while quadratic.ridge(j) > 0.0 && row >= self.factor.rows() {
            self.factor.add_row();
        }
        let mut column = vec![0.0; self.factor.rows()];
        quadratic.add_atom(&mut column, 1.0, j);
        if quadratic.ridge(j) > 0.0 {
            column[row] = quadratic.ridge(j).sqrt();
        }
        self.factor.append(&column)
    }

    fn free_slot(&self) -> usize {
        (0..).find(|slot| !self.slots.contains(slot)).expect("there are more numbers than atoms")
    }

    fn push(&mut self, j: usize, sign: f64) {
        self.slots.push(self.free_slot());
        self.support.push(j);
        self.signs.push(sign);
        self.values.push(0.0);
        self.places[j] = Place::Used;
    }

    fn remove(&mut self, position: usize) {
        self.factor.delete(position);
        let j = self.support.remove(position);
        self.signs.remove(position);
        self.values.remove(position);
        self.places[j] = Place::Open;
        let slot = self.slots.remove(position);
        if self.n_features + slot < self.factor.rows() {
            self.factor.clear_row(self.n_features + slot);
        }
    }
}
