//! Memory that begins at a cache line, so that a chunk of `f32` lies in one line instead of two.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Numbers from the beginning of a cache line on.
#[derive(Debug)]
pub struct Aligned<T> {
    store: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// `length` zeros.
    pub fn zeros(length: usize) -> Self {
        let store = vec![T::default(); length + LINE / size_of::<T>()];
        // A start that cannot be aligned is as good as any other.
        let start = store.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Self { store, start, length }
    }

    /// Makes room for `length` numbers: where there is not, all become zeros; else they stay.
    pub fn reserve(&mut self, length: usize) {
        if length > self.length {
            *self = Self::zeros(length);
        }
    }
}

impl<T: Copy + Default> Default for Aligned<T> {
    fn default() -> Self {
        Self { store: Vec::new(), start: 0, length: 0 }
    }
}

impl<T: Copy + Default> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.length);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.store[self.start..self.start + self.length]
    }
}

impl<T> DerefMut for Aligned<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.store[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_at_a_line_and_keeps_its_numbers() {
        for length in [1, 7, 64, 1000, 100_000] {
            let mut numbers = Aligned::<f32>::zeros(length);
            numbers[length - 1] = 2.0;
            let copy = numbers.clone();
            numbers.reserve(length);
            for numbers in [&numbers, &copy] {
                assert_eq!(numbers.as_ptr() as usize % LINE, 0);
                assert_eq!((numbers.len(), numbers[length - 1]), (length, 2.0));
            }
            numbers.reserve(length + 1);
            assert!(numbers.iter().all(|v| *v == 0.0) && numbers.len() == length + 1);
        }
    }
}
