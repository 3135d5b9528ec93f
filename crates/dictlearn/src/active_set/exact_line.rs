//! The minimiser of a convex function of one variable that is quadratic in pieces.
//!
//! `f(t) = P(c + t p)` for a loss that is quadratic in pieces: its slope rises linearly with `t` (by the curvature) between
//! events, where it jumps (a coefficient crosses zero) or bends (a residual `r - t q` crosses `delta` or `-delta`).
//! Walk the events in order until the slope is 0 or jumps over it. Cost `n log n` for n events.

use crate::loss::Loss;

/// A change of the slope of `f`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    /// The `t` at which it happens.
    time: f64,
    /// By how much the slope rises there.
    jump: f64,
    /// By how much the curvature changes.
    bend: f64,
}

impl Event {
    /// The slope rises by `jump` at `time`.
    pub(super) fn jump(time: f64, jump: f64) -> Self {
        Self { time, jump, bend: 0.0 }
    }

    fn bend(time: f64, bend: f64) -> Self {
        Self { time, jump: 0.0, bend }
    }
}

/// Appends the events of `t -> phi(r - t q)` after `t = 0`; returns its curvature just after 0.
pub(super) fn push_residual(loss: Loss, r: f64, q: f64, events: &mut Vec<Event>) -> f64 {
    let (Loss::Huber { delta }, true) = (loss, q != 0.0) else {
        return q * q;
    };
    // Inside for t between these two.
    let (enters, leaves) = (r / q - delta / q.abs(), r / q + delta / q.abs());
    if leaves <= 0.0 {
        return 0.0;
    }
    events.push(Event::bend(leaves, -q * q));
    if enters <= 0.0 {
        return q * q;
    }
    events.push(Event::bend(enters, q * q));
    0.0
}

/// Where a slope that is `slope < 0` at `t = 0` and never falls reaches zero; `None` if it does not start negative or
/// never gets there.
pub(super) fn first_root(mut slope: f64, mut curvature: f64, events: &mut [Event]) -> Option<f64> {
    if slope.is_nan() || slope >= 0.0 {
        return None;
    }
    events.sort_unstable_by(|a, b| a.time.total_cmp(&b.time));
    let mut t = 0.0;
    for event in events.iter() {
        let next = slope + curvature * (event.time - t);
        if next >= 0.0 {
            // Rounding must not carry it beyond the event: there a coefficient changes its sign.
            return Some((t - slope / curvature).min(event.time));
        }
        slope = next + event.jump;
        curvature = (curvature + event.bend).max(0.0);
        t = event.time;
        if slope >= 0.0 {
            return Some(t);
        }
    }
    (curvature > 0.0).then(|| t - slope / curvature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sum_i phi(r_i - t q_i) + sum_j w_j abs(c_j + t p_j)` with positive `c_j` and negative `p_j`.
    fn check(loss: Loss, seed: u64) {
        let (r, q) = (testkit::normal_vector(5, seed), testkit::normal_vector(5, seed + 100));
        let c: Vec<f64> = testkit::normal_vector(2, seed + 200).iter().map(|v| v.abs()).collect();
        let value = |t: f64| {
            let fit: f64 = r.iter().zip(&q).map(|(r, q)| loss.value(r - t * q)).sum();
            fit + c.iter().map(|c| 0.1 * (c - t).abs()).sum::<f64>()
        };
        let pairs = || r.iter().zip(&q);
        let slope: f64 = pairs().map(|(&r, q)| -q * loss.slope(r)).sum::<f64>() - 0.2;
        let mut events: Vec<Event> = c.iter().map(|&c| Event::jump(c, 0.2)).collect();
        let curvature = pairs().map(|(&r, &q)| push_residual(loss, r, q, &mut events)).sum();
        if slope >= 0.0 {
            assert_eq!(first_root(slope, curvature, &mut events), None);
            return;
        }
        let t = first_root(slope, curvature, &mut events).expect("bounded from below");
        assert!(t > 0.0);
        for distance in [1e-5, 1e-3, 0.1, 1.0] {
            assert!(value(t) <= value(t + distance) && value(t) <= value(t - distance), "seed {seed}");
        }
    }

    #[test]
    fn the_root_of_the_slope_is_the_minimiser() {
        for seed in 0..50 {
            check(Loss::Squared, seed);
            check(Loss::Huber { delta: 0.3 }, seed);
            check(Loss::Huber { delta: 2.0 }, seed);
        }
    }

    #[test]
    fn a_root_at_an_event_is_not_beyond_it() {
        let mut beyond = 0;
        for seed in 0..500 {
            let numbers = testkit::normal_vector(3, seed);
            let (slope, curvature, first) = (-numbers[0].abs(), numbers[1].abs(), 0.1 * numbers[2].abs());
            let computed = first - (slope + curvature * first) / curvature;
            let last = computed * (1.0 - f64::EPSILON);
            if last > first {
                let mut events = [Event::jump(first, 0.0), Event::jump(last, 1.0)];
                let root = first_root(slope, curvature, &mut events).expect("the slope rises");
                assert!(root <= last, "seed {seed}: {root:e} beyond {last:e}");
                beyond += usize::from(root == last && computed > last);
            }
        }
        assert!(beyond > 100, "{beyond} roots at an event");
    }

    #[test]
    fn a_slope_that_never_rises_has_no_root() {
        assert_eq!(first_root(-1.0, 0.0, &mut []), None);
        assert_eq!(first_root(-1.0, 0.0, &mut [Event::jump(3.0, 2.0)]), Some(3.0));
        assert_eq!(first_root(-1.0, 0.5, &mut [Event::jump(3.0, 2.0)]), Some(2.0));
    }
}
