"""Samples and dictionaries of the measurements, from fixed seeds, cached as .npy files.

Patches: random positions in data/camera.png and data/chelsea.png (grey by the mean of the channels), half of them from
each, centred and scaled to norm 1; patches of norm below .02 (flat ones, images in [0, 1]) are drawn again.
"""

from pathlib import Path

import numpy as np
from PIL import Image

DATA = Path(__file__).resolve().parent.parent / "data"
FLAT = 0.02
BATCH = 512


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def image(name):
    pixels = np.asarray(Image.open(DATA / name), dtype=float) / 255
    return pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=2)


def patches(n, side, seed):
    """n unit-norm centred patches as rows."""
    generator = np.random.default_rng(seed)
    parts = []
    for name, count in (("camera.png", n // 2), ("chelsea.png", n - n // 2)):
        pixels, kept = image(name), []
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (side, side))
        while sum(map(len, kept)) < count:
            rows = generator.integers(windows.shape[0], size=count)
            columns = generator.integers(windows.shape[1], size=count)
            drawn = windows[rows, columns].reshape(count, -1)
            drawn = drawn - drawn.mean(axis=1, keepdims=True)
            kept.append(drawn[np.linalg.norm(drawn, axis=1) >= FLAT])
        parts.append(np.concatenate(kept)[:count])
    samples = np.concatenate(parts)
    return unit(samples[generator.permutation(n)])


def digits(n):
    """The first n digits, centred by pixel means of the whole set and scaled to norm 1."""
    samples = np.load(DATA / "digits.npz")["X"].astype(float)
    return unit(samples - samples.mean(axis=0))[:n]


def learned(samples, k, iterations):
    """Atoms as rows, learned by SPAMS trainDL (regularization .15, batches of 512) and normalised."""
    import spams

    dictionary = spams.trainDL(
        np.asfortranarray(samples.T),
        K=k,
        lambda1=0.15,
        lambda2=0.0,
        iter=iterations,
        batchsize=BATCH,
        numThreads=1,
        verbose=False,
    )
    return unit(np.ascontiguousarray(dictionary.T))


class Cache:
    """Arrays by name, made once."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        return self.folder / f"{name}.npy"

    def get(self, name, make):
        if not self.path(name).exists():
            np.save(self.path(name), np.ascontiguousarray(make(), dtype=np.float64))
        return np.load(self.path(name))
