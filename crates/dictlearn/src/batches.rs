//! Mini-batches: the samples in a random order, `size` at a time, a new order once all were seen.
//!
//! The last batch of an epoch holds what is left; a sum over a batch of `b` is scaled by `n / b`, so each batch is an
//! unbiased estimate of the whole sum. Epoch `e` draws its order from stream `e` of [`Purpose::Batches`].

use crate::random::{Purpose, generator};
use rand::seq::SliceRandom;

/// A sequence of mini-batches.
pub(crate) struct Batches {
    order: Vec<u32>,
    position: usize,
    size: usize,
    seed: u64,
    epoch: u64,
}

impl Batches {
    pub fn new(n_samples: usize, size: usize, seed: u64) -> Self {
        Self { order: (0..n_samples as u32).collect(), position: n_samples, size, seed, epoch: 0 }
    }

    /// Indices of the next batch, ascending.
    pub fn next_batch(&mut self) -> Vec<usize> {
        if self.position == self.order.len() {
            self.order.sort_unstable();
            self.order.shuffle(&mut generator(self.seed, Purpose::Batches, self.epoch));
            self.epoch += 1;
            self.position = 0;
        }
        let end = self.order.len().min(self.position + self.size);
        let mut batch: Vec<usize> = self.order[self.position..end].iter().map(|&i| i as usize).collect();
        batch.sort_unstable();
        self.position = end;
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_sees_every_sample_once_in_a_new_order() {
        let mut batches = Batches::new(10, 4, 3);
        let mut epochs = Vec::new();
        for _ in 0..2 {
            let epoch: Vec<Vec<usize>> = (0..3).map(|_| batches.next_batch()).collect();
            assert_eq!(epoch.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
            let mut seen = epoch.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
            epochs.push(epoch);
        }
        assert_ne!(epochs[0], epochs[1]);
        assert_eq!(Batches::new(10, 4, 3).next_batch(), epochs[0][0]);
    }
}
