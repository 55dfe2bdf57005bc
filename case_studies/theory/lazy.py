"""Networks of one hidden layer, trained with JAX, against the forecast of their tangent kernel; a part of ``kernels.py``.

In: nothing. Out: rows of a table. A network f = scale (net(w) - net(w0)), rectifiers, inputs on a sphere, minimises
sum (y - f)^2 + penalty scale^2 |w - w0|^2. Its linearisation at w0 is kernel ridge regression with that penalty, whatever the
scale; the smaller the scale, the further the weights must move, and the less lazy the network is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from kernels import BEST, NOISE, TEST, Matrix, Task, tangent
from scipy import optimize

from brainworth.models.theory.kernel_ridge import kernel_spectrum

D, POOL = 10, 1500
WIDTHS = (32, 512)
SCALES = (10.0, 1.0, 0.1)
STEPS = 400


def tasks() -> dict[str, Task]:
    """Return a task that the tangent kernel likes, and one that depends on a single direction, which a network can find."""
    rng = np.random.default_rng(3)
    a, b, c = (rng.standard_normal(D) / np.sqrt(D) for _ in range(3))
    direction = a / np.linalg.norm(a)
    return {
        "smooth": lambda x: x @ a + 0.7 * (x @ b) * (x @ c),
        "one direction": lambda x: np.maximum(x @ direction - 0.5, 0.0) - 0.7 * np.abs(x @ direction),
    }


def drawn(rng: np.random.Generator, n: int) -> Matrix:
    """Return inputs on a sphere."""
    x = rng.standard_normal((n, D))
    return np.sqrt(D) * x / np.linalg.norm(x, axis=1, keepdims=True)


def output(weights: tuple[Array, Array], x: Array) -> Array:
    """Return the network's output, in the parametrisation whose tangent kernel has a limit."""
    first, second = weights
    return jnp.maximum(x @ first / jnp.sqrt(1.0 * D), 0.0) @ second * jnp.sqrt(2.0 / second.shape[0])


@partial(jax.jit, static_argnums=0)
def _loss(width: int, move: Array, start: Array, data: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
    x, y, scale, penalty = data

    def loss(move: Array) -> Array:
        fitted = scale * (output(_shaped(start + move, width), x) - output(_shaped(start, width), x))
        return jnp.sum((y - fitted) ** 2) + penalty * scale**2 * jnp.sum(move**2)

    return jax.value_and_grad(loss)(move)


def _shaped(flat: Array, width: int) -> tuple[Array, Array]:
    return flat[: D * width].reshape(D, width), flat[D * width :]


@dataclass(frozen=True)
class Data:
    """Labels, test stimuli, and the penalty."""

    x: Matrix
    y: Matrix
    test: Matrix
    truth: Matrix
    penalty: float

    def risk(self, predicted: Matrix) -> float:
        """Return the excess risk."""
        return float(np.mean((predicted - self.truth) ** 2))


def initial(seed: int, width: int) -> Array:
    """Return weights at the start."""
    rng = np.random.default_rng([seed, width])
    flat, _ = ravel_pytree((rng.standard_normal((D, width)), rng.standard_normal(width)))
    return flat


def trained(data: Data, start: Array, width: int, scale: float) -> float:
    """Return the excess risk of a network trained to the end."""
    given = (jnp.asarray(data.x), jnp.asarray(data.y), jnp.asarray(scale), jnp.asarray(data.penalty))

    def step(move: Matrix) -> tuple[float, Matrix]:
        value, slope = _loss(width, jnp.asarray(move), start, given)
        return float(value), np.asarray(slope)

    found = optimize.minimize(step, np.zeros(start.size), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    end, test = _shaped(start + found.x, width), jnp.asarray(data.test)
    return data.risk(scale * np.asarray(output(end, test) - output(_shaped(start, width), test)))


def linearised(data: Data, start: Array, width: int) -> float:
    """Return the excess risk of the network's linearisation: kernel ridge regression with its own tangent kernel."""
    weights = _shaped(start, width)
    slope = [_slopes(weights, jnp.asarray(x)) for x in (data.x, data.test)]
    fitted = np.linalg.solve(slope[0] @ slope[0].T + data.penalty * np.eye(len(data.x)), data.y)
    return data.risk(slope[1] @ (slope[0].T @ fitted))


def _slopes(weights: tuple[Array, Array], x: Array) -> Matrix:
    found = jax.vmap(jax.grad(lambda w, one: output(w, one[None])[0]), in_axes=(None, 0))(weights, x)
    return np.concatenate([np.asarray(part).reshape(len(x), -1) for part in found], axis=1)


def network_rows(*, quick: bool) -> list[dict[str, str]]:
    """Return forecast and execution by task, labels, width and scale."""
    pool = drawn(np.random.default_rng(5), 400 if quick else POOL)
    gram = tangent(pool, pool)
    rows: list[dict[str, str]] = []
    for task, f in tasks().items():
        mean, spread = float(np.mean(f(pool))), float(np.std(f(pool)))
        spectrum, power = kernel_spectrum(gram, (f(pool) - mean) / spread, centre=False)
        for n in (50,) if quick else (50, 300):
            best, risk = BEST(spectrum, power, jnp.asarray(NOISE), jnp.asarray(float(n)), jnp.asarray(float(len(pool))))
            penalty, formula = float(best), float(risk)
            for width in WIDTHS[:1] if quick else WIDTHS:
                found: dict[str, list[float]] = {}
                for seed in range(2 if quick else 6):
                    data = _data(f, (mean, spread), n, penalty, seed)
                    start = initial(seed, width)
                    found.setdefault("linearised", []).append(linearised(data, start, width))
                    for scale in SCALES:
                        found.setdefault(f"{scale:g}", []).append(trained(data, start, width, scale))
                rows.append(
                    {"task": task, "n": str(n), "width": str(width), "forecast": f"{formula:.3f}"}
                    | _said(found, formula)
                )
    return rows


def _data(f: Task, unit: tuple[float, float], n: int, penalty: float, seed: int) -> Data:
    rng = np.random.default_rng([seed, n])
    x = drawn(rng, n + TEST)
    truth = (f(x) - unit[0]) / unit[1]
    label = truth[:n] + np.sqrt(NOISE) * rng.standard_normal(n)
    return Data(x[:n], label, x[n:], truth[n:], penalty)


def _said(found: dict[str, list[float]], formula: float) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, values in found.items():
        mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
        title = name if name == "linearised" else f"trained, scale {name}"
        cells[title] = f"{mean:.3f} ± {error:.3f} ({100 * (formula / mean - 1.0):+.0f} %)"
    return cells
