"""Codes and hypergradient by jaxopt with the settings of its sparse coding example, timed on request.

SAMPLES.npy DICTIONARY.npy REGULARIZATION ELASTIC_PENALTY LOSS PARAMETER f32|f64: ProximalGradient, at most 100 iterations,
tolerance 1e-3, implicit differentiation; the value and gradient of the reconstruction error in the atoms, compiled (f32
is the default of jax). The line `run` is answered by the seconds of one compiled call, `write FOLDER` writes gradient.npy.
"""

import json
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np


def reconstruction(loss, parameter):
    def squared(codes, atoms, samples):
        return 0.5 * jnp.sum((samples - codes @ atoms) ** 2)

    def huber(codes, atoms, samples):
        return jnp.sum(jaxopt.loss.huber_loss(samples, codes @ atoms, parameter))

    def power(codes, atoms, samples):
        return jnp.sum(jnp.abs(samples - codes @ atoms) ** parameter)

    return {"squared": squared, "huber": huber, "power": power}[loss]


def main(samples, dictionary, regularization, elastic_penalty, loss, parameter, precision):
    jax.config.update("jax_enable_x64", precision == "f64")
    samples, atoms = jnp.asarray(np.load(samples)), jnp.asarray(np.load(dictionary))
    penalty = [float(regularization), float(elastic_penalty)]
    error = reconstruction(loss, float(parameter))
    solver = jaxopt.ProximalGradient(fun=error, prox=jaxopt.prox.prox_elastic_net, maxiter=100, tol=1e-3)

    def upper(atoms):
        start = jnp.zeros((samples.shape[0], atoms.shape[0]))
        return error(solver.run(start, penalty, atoms, samples).params, atoms, samples)

    step = jax.jit(jax.value_and_grad(upper))
    print(json.dumps({"devices": str(jax.devices()), "dtype": str(samples.dtype)}), flush=True)
    gradient = None
    for line in map(str.strip, sys.stdin):
        if line == "run":
            start = time.perf_counter()
            _, gradient = jax.block_until_ready(step(atoms))
            print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
        else:
            np.save(Path(line.split(" ", 1)[1]) / "gradient.npy", np.asarray(gradient, dtype=float))
            print("{}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
