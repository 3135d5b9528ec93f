//! The seed's own experiment, reproduced from reference trajectories: `tests/golden/*.npz` hold what the seed's learner
//! computes in float64 with its implicit system solved to 1e-14 (74 samples, 13 features, 7 atoms, three losses).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::dictionary::Constraint;
use dictlearn::hypergradient::hypergradient;
use dictlearn::learner::{DescentOptions, Learned, Learner, Optimizer, Project};
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::method::Method;
use dictlearn::objective::{Objective, TrainingData};
use dictlearn::task::{Head, Logistic, LogisticUpper};
use dictlearn::upper::Reconstruction;
use faer::MatRef;
use solvers::adam::Adam;
use solvers::schedule::Schedule;
use std::collections::HashMap;
use std::io::Read;
use std::ops::ControlFlow;

struct Golden {
    name: &'static str,
    loss: Loss,
    arrays: HashMap<String, (Vec<u64>, Vec<f64>)>,
}

/// A stored array of shape (a, b) in C order is the `b x a` matrix with rows of the array as columns.
impl Golden {
    fn load(name: &'static str, loss: Loss) -> Self {
        let path = format!("{}/tests/golden/seed_{name}.npz", env!("CARGO_MANIFEST_DIR"));
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut arrays = HashMap::new();
        for i in 0..archive.len() {
            let mut bytes = Vec::new();
            let mut entry = archive.by_index(i).unwrap();
            let array = entry.name().unwrap().trim_end_matches(".npy").to_string();
            entry.read_to_end(&mut bytes).unwrap();
            let npy = npyz::NpyFile::new(&bytes[..]).unwrap();
            let (shape, order) = (npy.shape().to_vec(), npy.order());
            let values = match npy.dtype() {
                npyz::DType::Plain(t) if t.to_string().ends_with("f8") => npy.into_vec::<f64>().unwrap(),
                _ => npy.into_vec::<i64>().unwrap().into_iter().map(|v| v as f64).collect(),
            };
            let values = if order == npyz::Order::C { values } else { c_order(&shape, &values) };
            arrays.insert(array, (shape, values));
        }
        Self { name, loss, arrays }
    }

    fn all() -> [Self; 3] {
        [
            Self::load("squared", Loss::Squared),
            Self::load("abs", Loss::Power { exponent: 2.1 }),
            Self::load("huber", Loss::Huber { delta: 0.01 }),
        ]
    }

    fn values(&self, array: &str) -> &[f64] {
        &self.arrays[array].1
    }

    fn matrix(&self, array: &str) -> MatRef<'_, f64> {
        let (shape, values) = &self.arrays[array];
        MatRef::from_column_major_slice(values, shape[1] as usize, shape[0] as usize)
    }

    fn lower(&self) -> LowerLevel {
        LowerLevel { elastic_penalty: 0.01, ..LowerLevel::new(self.loss, 0.01) }
    }
}

/// Values in Fortran order, reordered to C order.
fn c_order(shape: &[u64], values: &[f64]) -> Vec<f64> {
    let position = |mut flat: usize| {
        let mut index = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            index[axis] = flat % shape[axis] as usize;
            flat /= shape[axis] as usize;
        }
        shape.iter().zip(index).rev().fold(0, |position, (&length, i)| position * length as usize + i)
    };
    (0..values.len()).map(|flat| values[position(flat)]).collect()
}

const EXACT: CoderOptions = CoderOptions { tolerance: 1e-12, max_iterations: 100, method: Method::ActiveSet };

/// Largest difference of stored iterates, entry by entry.
fn iterate(golden: &Golden, array: &str, i: usize) -> Vec<f64> {
    let (shape, values) = &golden.arrays[array];
    let size = shape[1..].iter().product::<u64>() as usize;
    values[i * size..(i + 1) * size].to_vec()
}

fn learner(golden: &Golden) -> Learner {
    Learner { lower: golden.lower(), weights: None, coder: EXACT, constraint: Constraint::FrobeniusSphere }
}

fn descent(optimizer: Optimizer) -> DescentOptions {
    DescentOptions {
        optimizer,
        max_iterations: 10,
        tolerance: 0.0,
        batch_size: None,
        project: Project::AtEnd,
    }
}

const LINE_SEARCH: Optimizer =
    Optimizer::ProximalGradient { acceleration: true, restart: false, initial_step: 1.0, max_halvings: 15 };

fn flat(matrix: MatRef<'_, f64>) -> Vec<f64> {
    (0..matrix.ncols()).flat_map(|j| (0..matrix.nrows()).map(move |i| matrix[(i, j)])).collect()
}

#[test]
fn codes_and_hypergradient_at_the_initial_dictionary() {
    for golden in Golden::all() {
        let problem = Problem::new(golden.lower(), golden.matrix("D_init"));
        let coded = encode(&problem, golden.matrix("X"), None, EXACT).unwrap();
        assert_eq!(coded.report.not_converged, 0, "{}: {:?}", golden.name, coded.report);
        let codes = flat(coded.codes.to_dense_columns().as_ref());
        let difference = testkit::max_abs_diff(&codes, golden.values("codes_init"));
        assert!(difference <= 1e-7, "{}: codes differ by {difference:e}", golden.name);
        let found = hypergradient(&problem, golden.matrix("X"), &coded.codes, &Reconstruction, false);
        assert_eq!(found.rank_deficient, 0);
        testkit::assert_close(found.value, golden.values("notask_value0")[0], 1e-7, 0.0);
        let error = testkit::relative_error(&flat(found.dictionary.as_ref()), golden.values("notask_grad0"));
        let bound = if golden.loss == Loss::Squared { 1e-9 } else { 1e-7 };
        println!("{}: codes {difference:.1e}, hypergradient {error:.1e}, {:?}", golden.name, coded.report);
        assert!(error <= bound, "{}: hypergradient differs by {error:e}", golden.name);
    }
}

/// Objective, step size, dictionary and stored codes of all ten iterations of the accelerated proximal gradient.
#[test]
fn ten_steps_without_a_task() {
    for golden in Golden::all() {
        let mut iteration = 0;
        let data = TrainingData { samples: golden.matrix("X").into(), labels: None, weights: None };
        let learned = learner(&golden)
            .learn(
                data,
                golden.matrix("D_init"),
                Objective::Reconstruction,
                &descent(LINE_SEARCH),
                0,
                &mut |progress| {
                    let expected = iterate(&golden, "notask_D", iteration);
                    let difference = testkit::max_abs_diff(&flat(progress.dictionary), &expected);
                    assert!(
                        difference <= 1e-6,
                        "{} {iteration}: dictionary differs by {difference:e}",
                        golden.name
                    );
                    let value = golden.values("notask_value")[iteration];
                    testkit::assert_close(progress.record.objective, value, 1e-7, 0.0);
                    // The reference stores the step of the next iteration: doubled, or reset to 1.
                    let step = progress.record.step;
                    let stored = if step <= 1e-6 { 1.0 } else { 2.0 * step };
                    assert_eq!(
                        stored,
                        golden.values("notask_stepsize")[iteration],
                        "{} {iteration}",
                        golden.name
                    );
                    iteration += 1;
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
        assert_eq!(iteration, 10);
        let codes = flat(learned.coded.codes.to_dense_columns().as_ref());
        let difference = testkit::max_abs_diff(&codes, golden.values("notask_codes"));
        assert!(difference <= 1e-6, "{}: last codes differ by {difference:e}", golden.name);
    }
}

/// Ten steps of Adam on dictionary and head, from the initial dictionary and a zero head.
fn learn_task(golden: &Golden, check: bool) -> Learned {
    let data = TrainingData {
        samples: golden.matrix("X").into(),
        labels: Some(golden.values("labels")),
        weights: None,
    };
    let adam = Adam { schedule: Schedule::Constant { step: 1e-3 }, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let objective = Objective::Logistic(TASK);
    let mut iteration = 0;
    learner(golden)
        .learn(
            data,
            golden.matrix("D_init"),
            objective,
            &descent(Optimizer::Adam(adam)),
            0,
            &mut |progress| {
                if check {
                    let expected = iterate(golden, "task_D_raw", iteration);
                    let difference = testkit::max_abs_diff(&flat(progress.dictionary), &expected);
                    assert!(
                        difference <= 1e-6,
                        "{} {iteration}: dictionary differs by {difference:e}",
                        golden.name
                    );
                    testkit::assert_close(
                        progress.record.objective,
                        golden.values("task_value")[iteration],
                        1e-7,
                        0.0,
                    );
                    let head = progress.head.unwrap();
                    testkit::assert_slices_close(
                        &head.weights,
                        &iterate(golden, "task_w", iteration),
                        0.0,
                        1e-6,
                    );
                    testkit::assert_close(head.intercept, golden.values("task_b")[iteration], 0.0, 1e-6);
                }
                iteration += 1;
                ControlFlow::Continue(())
            },
        )
        .unwrap()
}

const TASK: Logistic = Logistic { l2: 0.001, penalize_intercept: true };

#[test]
fn ten_steps_of_adam_with_the_task() {
    for golden in Golden::all() {
        let learned = learn_task(&golden, true);
        let difference = testkit::max_abs_diff(&flat(learned.dictionary.as_ref()), golden.values("task_D"));
        assert!(difference <= 1e-6, "{}: final dictionary differs by {difference:e}", golden.name);
    }
}

#[test]
fn gradients_at_the_second_adam_iterate() {
    for golden in Golden::all() {
        let d1 = iterate(&golden, "task_D_raw", 0);
        let problem = Problem::new(golden.lower(), MatRef::from_column_major_slice(&d1, 13, 7));
        let coded = encode(&problem, golden.matrix("X"), None, EXACT).unwrap();
        let head = Head { weights: iterate(&golden, "task_w", 0), intercept: golden.values("task_b")[0] };
        let labels = golden.values("labels");
        let upper = LogisticUpper { head: &head, labels };
        let found = hypergradient(&problem, golden.matrix("X"), &coded.codes, &upper, false);
        let error = testkit::relative_error(&flat(found.dictionary.as_ref()), golden.values("task_grad1_D"));
        assert!(error <= 1e-7, "{}: gradient in the dictionary off by {error:e}", golden.name);
        let in_head = TASK.head_gradient(&head, &coded.codes, labels, |_| 1.0);
        let error = testkit::relative_error(&in_head.weights, golden.values("task_grad1_w"));
        assert!(error <= 1e-7, "{}: gradient in the weights off by {error:e}", golden.name);
        testkit::assert_close(in_head.intercept, golden.values("task_grad1_b")[0], 1e-7, 0.0);
    }
}

/// The seed's closing comparison: codes by the squared loss, whatever loss learned the dictionaries; the same head.
#[test]
fn closing_comparison() {
    for golden in Golden::all() {
        let with_task = learn_task(&golden, false);
        let data = TrainingData { samples: golden.matrix("X").into(), labels: None, weights: None };
        let without_task = learner(&golden)
            .learn(
                data,
                golden.matrix("D_init"),
                Objective::Reconstruction,
                &descent(LINE_SEARCH),
                0,
                &mut |_| ControlFlow::Continue(()),
            )
            .unwrap();
        let head = with_task.head.as_ref().unwrap();
        let squared = LowerLevel { loss: Loss::Squared, ..golden.lower() };
        for (learned, expected) in [(&without_task, "final_loss_notask"), (&with_task, "final_loss_task")] {
            let problem = Problem::new(squared, learned.dictionary.as_ref());
            let coded = encode(&problem, golden.matrix("X"), None, EXACT).unwrap();
            let loss = TASK.loss(head, &coded.codes, golden.values("labels"), |_| 1.0);
            testkit::assert_close(loss, golden.values(expected)[0], 1e-6, 0.0);
        }
    }
}
