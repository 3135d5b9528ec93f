//! How good features are for a task: heads fitted to convergence on fixed features, with a ridge chosen by
//! cross-validation inside the training part, and scored on any samples.
//!
//! Fit: the convex problem `min over (w, b) of sum_i (softplus(z_i) - y_i z_i) + l2/2 (|w|^2 [+ b^2])` by Newton's method
//! with step halving, to a gradient of `1e-9 (1 + sum of its absolute terms)`. Cost per iteration `sum s_i^2 + (k+1)^3/3`.
//! The ridge is the one of least mean held-out log-loss over stratified folds (the larger one on ties).
//!
//! Features that were themselves learned from the labels of the whole training part look better inside it than they are
//! outside: their cross-validation picks a ridge for an optimistic picture. Test scores are honest all the same.

use crate::codes::Codes;
use crate::error::{Error, InvalidOption};
use crate::random::{Purpose, generator};
use crate::task::{Head, Logistic, check_labels, sigmoid};
use linalg::columns::norm;
use linalg::spd::{SpdFactor, SpdStatus};
use rand::seq::SliceRandom;

/// A head fitted on fixed features.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedHead {
    /// The head.
    pub head: Head,
    /// Whether the gradient reached its tolerance.
    pub converged: bool,
}

/// How a head does on some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Share of samples whose score has the sign of their class (a score of exactly 0 counts as class 0).
    pub accuracy: f64,
    /// Mean of `softplus(z_i) - y_i z_i`.
    pub log_loss: f64,
}

/// Candidates and folds for the ridge of a head.
#[derive(Clone, Debug, PartialEq)]
pub struct RidgeSearch {
    /// Ridges to try, positive.
    pub ridges: Vec<f64>,
    /// Number of folds, at least 2 and at most the size of the smaller class.
    pub folds: usize,
}

const MAX_NEWTON: usize = 100;

/// Fits the head of `task` on `features`.
///
/// # Errors
/// Labels that do not fit, or a ridge out of range.
pub fn fit_head(features: &Codes, labels: &[f64], task: Logistic) -> Result<FittedHead, Error> {
    task.check()?;
    check_labels(labels, features.n_samples())?;
    let mut head = Head::zeros(features.n_components());
    let mut value = objective(&head, features, labels, task);
    for _ in 0..MAX_NEWTON {
        let gradient = flatten(&task.head_gradient(&head, features, labels, |_| 1.0));
        if norm(&gradient) <= 1e-9 * (1.0 + gradient_scale(features)) {
            return Ok(FittedHead { head, converged: true });
        }
        let Some(direction) = newton_direction(&head, features, task, &gradient) else {
            break;
        };
        let mut t = 1.0;
        let (next, next_value) = loop {
            let next = step(&head, &direction, t);
            let next_value = objective(&next, features, labels, task);
            if next_value <= value + 4.0 * f64::EPSILON * value.abs() || t < 1e-12 {
                break (next, next_value);
            }
            t *= 0.5;
        };
        (head, value) = (next, next_value);
    }
    Ok(FittedHead { head, converged: false })
}

fn objective(head: &Head, features: &Codes, labels: &[f64], task: Logistic) -> f64 {
    task.loss(head, features, labels, |_| 1.0) + task.ridge(head)
}

fn flatten(head: &Head) -> Vec<f64> {
    head.weights.iter().copied().chain([head.intercept]).collect()
}

/// Sum of the absolute values of the features: the size of the terms that cancel in the gradient.
fn gradient_scale(features: &Codes) -> f64 {
    features.values().iter().map(|v| v.abs()).sum()
}

fn step(head: &Head, direction: &[f64], t: f64) -> Head {
    let (b, w) = direction.split_last().expect("a head has an intercept");
    let weights = head.weights.iter().zip(w).map(|(w, p)| w - t * p).collect();
    Head { weights, intercept: head.intercept - t * b }
}

/// `H^-1 gradient` with `H = [C 1]^T diag(p (1 - p)) [C 1] + l2 I`; `None` where `H` is singular.
fn newton_direction(head: &Head, features: &Codes, task: Logistic, gradient: &[f64]) -> Option<Vec<f64>> {
    let size = gradient.len();
    let mut factor = SpdFactor::default();
    let hessian = factor.start(size);
    for code in features.rows() {
        let p = sigmoid(code.dot(&head.weights) + head.intercept);
        let weight = p * (1.0 - p);
        let entries: Vec<(usize, f64)> = code.iter().chain([(size - 1, 1.0)]).collect();
        for (a, &(j, c)) in entries.iter().enumerate() {
            entries[a..].iter().for_each(|&(i, other)| hessian[j * size + i] += weight * c * other);
        }
    }
    (0..size - 1).for_each(|j| hessian[j * size + j] += task.l2);
    hessian[size * size - 1] += if task.penalize_intercept { task.l2 } else { 0.0 };
    let mut direction = gradient.to_vec();
    matches!(factor.factor(), SpdStatus::Definite { .. }).then(|| factor.solve(&mut direction))?;
    Some(direction)
}

/// Scores a head; `NaN`s for no samples.
pub fn score(head: &Head, features: &Codes, labels: &[f64]) -> Scores {
    let scores = head.scores(features);
    let n = labels.len() as f64;
    let right = scores.iter().zip(labels).filter(|(z, y)| (**z > 0.0) == (**y == 1.0)).count();
    let loss = Logistic { l2: 0.0, penalize_intercept: false }.loss(head, features, labels, |_| 1.0);
    Scores { accuracy: right as f64 / n, log_loss: loss / n }
}

impl RidgeSearch {
    /// The ridge of least mean held-out log-loss.
    ///
    /// # Errors
    /// No ridge, one that is not positive, labels that do not fit, or fewer samples of a class than folds.
    pub fn choose(
        &self,
        features: &Codes,
        labels: &[f64],
        penalize_intercept: bool,
        seed: u64,
    ) -> Result<f64, Error> {
        check_labels(labels, features.n_samples())?;
        let positive = !self.ridges.is_empty() && self.ridges.iter().all(|r| *r > 0.0 && r.is_finite());
        InvalidOption::check(positive, "ridges", format!("{:?}", self.ridges), "positive finite numbers")?;
        let fold_of = stratified_folds(labels, self.folds, seed)?;
        let mut best = (f64::INFINITY, 0.0);
        for &l2 in &self.ridges {
            let mut loss = 0.0;
            for fold in 0..self.folds {
                let inside: Vec<usize> = (0..labels.len()).filter(|&i| fold_of[i] != fold).collect();
                let outside: Vec<usize> = (0..labels.len()).filter(|&i| fold_of[i] == fold).collect();
                let pick = |indices: &[usize]| indices.iter().map(|&i| labels[i]).collect::<Vec<f64>>();
                let task = Logistic { l2, penalize_intercept };
                let fitted = fit_head(&features.select(&inside), &pick(&inside), task)?;
                let held_out = score(&fitted.head, &features.select(&outside), &pick(&outside));
                loss += held_out.log_loss * outside.len() as f64;
            }
            if loss < best.0 || (loss == best.0 && l2 > best.1) {
                best = (loss, l2);
            }
        }
        Ok(best.1)
    }
}

/// A fold for each sample, each class dealt out in a random order.
fn stratified_folds(labels: &[f64], folds: usize, seed: u64) -> Result<Vec<usize>, Error> {
    let smaller = [0.0, 1.0].map(|class| labels.iter().filter(|&&y| y == class).count()).into_iter().min();
    let fits = folds >= 2 && smaller.is_some_and(|count| count >= folds);
    InvalidOption::check(fits, "folds", folds, "2 to the number of training samples of the smaller class")?;
    let mut fold_of = vec![0; labels.len()];
    for (block, class) in [0.0, 1.0].into_iter().enumerate() {
        let mut members: Vec<u32> =
            (0..labels.len() as u32).filter(|&i| labels[i as usize] == class).collect();
        members.shuffle(&mut generator(seed, Purpose::Folds, block as u64));
        members.iter().enumerate().for_each(|(position, &i)| fold_of[i as usize] = position % folds);
    }
    Ok(fold_of)
}

/// Splits samples into a training and a held-out part (indices, ascending): in each class (or over all, without labels)
/// a random `floor(fraction n + 1/2)` are held out.
pub fn hold_out(
    n_samples: usize,
    labels: Option<&[f64]>,
    fraction: f64,
    seed: u64,
) -> (Vec<usize>, Vec<usize>) {
    let class_of = |i: u32| labels.is_some_and(|labels| labels[i as usize] == 1.0);
    let (mut training, mut held_out) = (Vec::new(), Vec::new());
    for (block, class) in [false, true].into_iter().enumerate() {
        let mut members: Vec<u32> = (0..n_samples as u32).filter(|&i| class_of(i) == class).collect();
        members.shuffle(&mut generator(seed, Purpose::Split, block as u64));
        let out = (fraction * members.len() as f64 + 0.5).floor() as usize;
        held_out.extend(members[..out].iter().map(|&i| i as usize));
        training.extend(members[out..].iter().map(|&i| i as usize));
    }
    training.sort_unstable();
    held_out.sort_unstable();
    (training, held_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::MatRef;

    fn problem(n: usize, k: usize) -> (Codes, Vec<f64>) {
        let values = testkit::normal_matrix(k, n, 4);
        let noise = testkit::normal_vector(n, 5);
        let label = |i: usize| f64::from(u8::from(values[i * k] - 0.5 * values[i * k + 1] + noise[i] > 0.2));
        let labels = (0..n).map(label).collect();
        (Codes::from_dense_columns(MatRef::from_column_major_slice(&values, k, n)), labels)
    }

    #[test]
    fn fitted_heads_are_stationary() {
        let (features, labels) = problem(60, 4);
        for penalize_intercept in [false, true] {
            let task = Logistic { l2: 0.5, penalize_intercept };
            let fitted = fit_head(&features, &labels, task).expect("both classes");
            assert!(fitted.converged);
            let at = |x: &[f64]| {
                let head = Head { weights: x[..4].to_vec(), intercept: x[4] };
                objective(&head, &features, &labels, task)
            };
            let gradient = testkit::gradient(at, &flatten(&fitted.head), 1e-3);
            gradient.iter().for_each(|g| testkit::assert_close(*g, 0.0, 0.0, 1e-7));
        }
    }

    #[test]
    fn separable_classes_without_a_ridge_do_not_converge_silently() {
        let values = [-2.0, -1.0, 1.0, 2.0];
        let features = Codes::from_dense_columns(MatRef::from_column_major_slice(&values, 1, 4));
        let labels = [0.0, 0.0, 1.0, 1.0];
        let free = fit_head(&features, &labels, Logistic { l2: 0.0, penalize_intercept: false });
        let head = free.expect("both classes").head;
        assert!(head.weights[0] > 5.0, "the slope grows without bound");
        assert_eq!(score(&head, &features, &labels).accuracy, 1.0);
    }

    #[test]
    fn the_ridge_is_chosen_on_held_out_folds() {
        let (features, labels) = problem(80, 30);
        let search = RidgeSearch { ridges: vec![1e-4, 1.0, 10.0, 1e6], folds: 4 };
        let chosen = search.choose(&features, &labels, false, 1).expect("enough samples");
        assert!((1.0..=10.0).contains(&chosen), "neither overfitted nor flat: {chosen}");
        let too_many = RidgeSearch { folds: 41, ..search };
        assert!(too_many.choose(&features, &labels, false, 1).is_err());
    }

    #[test]
    fn parts_held_out_keep_the_classes_in_proportion() {
        let labels: Vec<f64> = (0..50).map(|i| f64::from(u8::from(i < 10))).collect();
        let (training, test) = hold_out(50, Some(&labels), 0.3, 9);
        assert_eq!((training.len(), test.len()), (35, 15));
        assert_eq!(test.iter().filter(|&&i| i < 10).count(), 3);
        let mut all = [training, test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        assert!(hold_out(50, None, 0.0, 9).1.is_empty());
    }
}
