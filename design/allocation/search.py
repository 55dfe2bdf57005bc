"""Good designs fast: a grid over money shares, SciPy on the relaxed problem, and a pattern search on whole numbers.

In: a ``Problem``, an evaluator over some draws. Out: feasible designs, best first, and everything that was evaluated. Nothing
is proved here. Two local optima are expected, so the grid covers the whole budget and several starts are refined.

A point of the search is a share of the budget per modality and an *option* (people and repeats) per modality; the rest
of the budget buys labels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import LinearConstraint as ScipyLinearConstraint
from scipy.optimize import minimize

from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.menus import Menu
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.performance.purchase import Purchase

Points = tuple[np.ndarray, np.ndarray]
TIE = 1e-6
"""Weight of the mean beside the utility: it decides where utilities are equal."""
_MOST_COMBINATIONS = 24
_SHARES = {1: 24, 2: 7, 3: 4}
_DENSE = 2
"""Modalities up to which the grid is dense on every axis."""
_RELAXED_LEVELS = 65
_LEVELS_SINGLE = 10


@dataclass
class DesignPool:
    """Feasible designs that were evaluated on the same draws, each of them once."""

    designs: list[Designs] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    utilities: list[np.ndarray] = field(default_factory=list)
    scores: dict[bytes, float] = field(default_factory=dict)
    """Score by design: most moves of money are too small to buy anything else."""

    def add(self, names: list[bytes], designs: Designs, values: np.ndarray, utilities: np.ndarray) -> None:
        """Add designs that are not there yet; ties in utility are broken by the mean."""
        self.designs.append(designs)
        self.values.append(values)
        self.utilities.append(utilities)
        self.scores.update(zip(names, (utilities + TIE * values.mean(axis=1)).tolist(), strict=True))

    def stacked(self) -> tuple[Designs, Float[np.ndarray, "design draw"], Float[np.ndarray, " design"]]:
        """Return all of it, in the order of the designs' numbers."""
        designs = Designs.concatenate(self.designs)
        _, order = np.unique(designs.rows(), axis=0, return_index=True)
        return designs.take(order), np.concatenate(self.values)[order], np.concatenate(self.utilities)[order]


@dataclass
class Search:
    """One search over the designs of a problem."""

    problem: Problem
    evaluator: Evaluator
    pool: DesignPool = field(default_factory=DesignPool)

    def __post_init__(self) -> None:
        budget = self.problem.budget_cents
        matter = self.evaluator.people_matter
        self.menus = [Menu.of(space, budget, people_matter=matter) for space in self.problem.spaces]

    # ------------------------------------------------------------------ points and designs

    def designs(self, shares: np.ndarray, options: np.ndarray) -> tuple[Designs, np.ndarray]:
        """Return the whole-number designs of points, and which are feasible."""
        money = np.floor(shares * self.problem.budget_cents + 0.5).astype(np.int64)
        stimuli, people, repeats = (np.zeros(shares.shape, dtype=np.int64) for _ in range(3))
        for m, menu in enumerate(self.menus):
            stimuli[:, m], people[:, m], repeats[:, m] = menu.buy(money[:, m], options[:, m])
        none = np.zeros(len(shares), dtype=np.int64)
        return self.problem.complete(Designs.build(none, stimuli, people, repeats))

    def evaluate(self, shares: np.ndarray, options: np.ndarray) -> Float[np.ndarray, " point"]:
        """Return the score of points, minus infinity where infeasible; remember what was evaluated."""
        designs, feasible = self.designs(shares, options)
        scores = np.full(len(shares), -np.inf)
        rows = np.flatnonzero(feasible)
        if rows.size:
            scores[rows] = self.score(designs.take(rows))
        return scores

    def score(self, designs: Designs) -> Float[np.ndarray, " design"]:
        """Return utilities, ties broken by the mean; remember what was evaluated."""
        names = [row.tobytes() for row in designs.rows()]
        fresh: dict[bytes, int] = {}
        for i, name in enumerate(names):
            if name not in self.pool.scores:
                fresh.setdefault(name, i)
        if fresh:
            new = designs.take(np.array(list(fresh.values())))
            values = self.evaluator.values(self.problem.purchase(new))
            self.pool.add(list(fresh), new, values, self.evaluator.utility(values))
        return np.array([self.pool.scores[name] for name in names])

    # ------------------------------------------------------------------ the three stages

    def combinations(self, seed: int = 0) -> Int[np.ndarray, "combination modality"]:
        """Return every combination of options, or a random choice if there are many."""
        sizes = [len(menu.options) for menu in self.menus]
        if np.prod(sizes, dtype=float) <= _MOST_COMBINATIONS:
            return np.array(list(itertools.product(*(range(n) for n in sizes))), dtype=np.int64).reshape(-1, len(sizes))
        chosen = np.random.default_rng(seed).integers(0, sizes, size=(_MOST_COMBINATIONS, len(sizes)))
        return np.unique(np.concatenate([np.zeros((1, len(sizes)), dtype=np.int64), chosen]), axis=0)

    def grid(self, combinations: Int[np.ndarray, "combination modality"]) -> tuple[Points, Float[np.ndarray, " point"]]:
        """Return points that cover the whole budget under each combination of options, and their scores."""
        shares = _simplex(len(self.menus), np.random.default_rng(0))
        points = np.repeat(shares, len(combinations), axis=0), np.tile(combinations, (len(shares), 1))
        return points, self.evaluate(*points)

    def single_modality(self) -> Points:
        """Return points that use one modality only, under each of its options: what a coarse grid may step over."""
        levels = (np.arange(1, _LEVELS_SINGLE + 1) / _LEVELS_SINGLE) ** 2
        places = [
            (m, o, level) for m, menu in enumerate(self.menus) for o in range(len(menu.options)) for level in levels
        ]
        shares = np.zeros((len(places), len(self.menus)))
        options = np.zeros(shares.shape, dtype=np.int64)
        for row, (m, option, level) in enumerate(places):
            shares[row, m], options[row, m] = level, option
        return shares, options

    def refine(self, shares: np.ndarray, options: np.ndarray) -> Float[np.ndarray, " modality"]:
        """Return better shares under fixed options: SLSQP on the relaxed problem, real numbers throughout."""
        count = len(self.menus)
        tables = [self.spending(m, int(options[m])) for m in range(count)]
        step = 1e-3

        def relaxed(points: np.ndarray) -> Float[np.ndarray, " point"]:
            money = points * self.problem.budget_cents
            columns = [np.interp(money[:, m], *table[:2]) for m, table in enumerate(tables)]
            people = np.stack([np.interp(money[:, m], t[0], t[2]) for m, t in enumerate(tables)], axis=1)
            repeats = np.tile(
                [menu.options[o].repeats for menu, o in zip(self.menus, options, strict=True)], (len(points), 1)
            )
            left = self.problem.budget_cents - money.sum(axis=1)
            labels = np.interp(left, *self.label_spending)
            values = self.evaluator.values(
                Purchase(labels, np.stack(columns, axis=1), np.maximum(people, 1.0), repeats)
            )
            return self.evaluator.utility(values) + TIE * values.mean(axis=1)

        def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
            inside = np.clip(point, 0.0, 1.0)
            probes = np.concatenate([inside[None], inside + np.where(inside > 0.5, -step, step) * np.eye(count)])
            values = relaxed(probes)
            return -float(values[0]), -(values[1:] - values[0]) / np.where(inside > 0.5, -step, step)

        budget = ScipyLinearConstraint(np.ones((1, count)), -np.inf, 1.0)
        found = minimize(
            objective, shares, jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * count, constraints=[budget],
            options={"maxiter": 12, "ftol": 1e-6},
        )  # fmt: skip
        point = np.clip(found.x, 0.0, 1.0)
        return point / max(1.0, point.sum())

    def polish(
        self, shares: np.ndarray, options: np.ndarray, coarse: float, fine: float
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Return a point that no move of money between uses, down to ``fine`` of the budget, improves."""
        best = float(self.evaluate(shares[None], options[None])[0])
        step = coarse
        while step >= fine:
            points, choices = self._moves(shares, options, step)
            scores = self.evaluate(points, choices)
            top = int(scores.argmax())
            if scores[top] > best + 1e-12:
                shares, options, best = points[top], choices[top], float(scores[top])
            else:
                step /= 2.5
        return shares, options, best

    def run(
        self, starts: int = 4, fine: float = 2e-4, extra: Points | None = None, *, known: bool = False
    ) -> list[tuple[np.ndarray, np.ndarray, float]]:
        """Return refined points, best first.

        Parameters
        ----------
        starts : int
            How many points of the grid to refine.
        fine : float
            Smallest step, as a share of the budget.
        extra : Points, optional
            Points to begin with, beside the grid.
        known : bool
            Whether the options of ``extra`` are good already: then the grid keeps to them.
        """
        combinations = np.unique(extra[1], axis=0) if known and extra is not None else self.combinations()
        (points, options), scores = self.grid(combinations)
        more = [] if extra is None else [extra]
        if len(self.menus) > _DENSE and not known:
            more.append(self.single_modality())
        for one in more:
            points, options = np.concatenate([points, one[0]]), np.concatenate([options, one[1]])
            scores = np.concatenate([scores, self.evaluate(*one)])
        chosen: list[int] = []
        for i in np.argsort(-scores, kind="stable"):
            other = [(points[i] > 0) & (options[i] != options[j]) for j in chosen]
            far = all(np.abs(points[i] - points[j]).max() > 0.12 or o.any() for j, o in zip(chosen, other, strict=True))
            if far and np.isfinite(scores[i]):
                chosen.append(int(i))
            if len(chosen) == starts:
                break
        results = []
        for i in chosen:
            better = self.refine(points[i], options[i]) if len(self.menus) else points[i]
            first = better if self.evaluate(better[None], options[i][None])[0] > scores[i] else points[i]
            results.append(self.polish(first, options[i], 0.03, fine))
        return sorted(results, key=lambda r: -r[2])

    def locate(self, design: Designs) -> tuple[np.ndarray, np.ndarray]:
        """Return the point nearest to a design: its money shares, and the options that buy most nearly the same with it."""
        shares = np.zeros(len(self.menus))
        options = np.zeros(len(self.menus), dtype=np.int64)
        for m, menu in enumerate(self.menus):
            k, s, r = (a[0, m] for a in (design.stimuli, design.subjects, design.repeats))
            if k == 0:
                continue
            money = int(menu.space.cents(k, s, r))
            shares[m] = money / max(1, self.problem.budget_cents)
            choices = np.arange(len(menu.options))
            stimuli, people, repeats = menu.buy(np.full(choices.shape, money), choices)
            options[m] = int(np.argmin(1e6 * (repeats != r) + abs(people - s) / s + abs(stimuli - k) / k))
        return shares, options

    def from_samples(self, samples: tuple[tuple[int, ...], ...]) -> Points:
        """Return the points whose money shares buy about so many samples, under each modality's first option."""
        options = np.zeros((len(samples), len(self.menus)), dtype=np.int64)
        shares = np.zeros(options.shape)
        for m in range(len(self.menus)):
            cost, size, _ = self.spending(m, 0)
            shares[:, m] = np.interp([row[m] for row in samples], size, cost) / max(1, self.problem.budget_cents)
        return shares / np.maximum(1.0, shares.sum(axis=1, keepdims=True)), options

    def scan(self, shares: np.ndarray, options: np.ndarray, points: int = 24) -> None:
        """Evaluate designs on lines through a point, for the pool: each modality from nothing to all it can get."""
        lines = [shares]
        for m in range(len(shares)):
            others = np.delete(shares, m).sum()
            for level in np.linspace(0.0, max(0.0, 1.0 - others), points):
                point = shares.copy()
                point[m] = level
                lines.append(point)
            levels = np.linspace(0.0, 1.0, points)
            lines += [np.where(np.arange(len(shares)) == m, level, shares * (1.0 - level)) for level in levels]
        self.evaluate(np.array(lines).reshape(-1, len(shares)), np.tile(options, (len(lines), 1)))

    # ------------------------------------------------------------------ helpers

    @property
    def label_spending(self) -> tuple[np.ndarray, np.ndarray]:
        """Money and labels, for interpolation."""
        top = int(self.problem.affordable_labels(np.array([self.problem.budget_cents]), self.problem.max_labels)[0])
        labels = np.unique(np.geomspace(1, max(top, 1), _RELAXED_LEVELS).astype(np.int64)) if top > 0 else np.array([0])
        labels = np.unique(np.append(0, labels))
        return self.problem.task.cents(labels).astype(float), labels.astype(float)

    def spending(self, m: int, option: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return money, samples and people of a modality under an option, for interpolation."""
        menu, budget = self.menus[m], self.problem.budget_cents
        money = np.unique(np.append(0, np.geomspace(1, max(budget, 2), _RELAXED_LEVELS).astype(np.int64)))
        stimuli, people, repeats = menu.buy(money, np.full(money.shape, option))
        cost = np.where(stimuli > 0, menu.space.cents(stimuli, people, repeats), 0)
        samples = menu.space.samples(stimuli, people, repeats)
        _, first = np.unique(cost, return_index=True)
        return (
            cost[first].astype(float),
            samples[first].astype(float),
            np.where(stimuli > 0, people, 1)[first].astype(float),
        )

    def _moves(self, shares: np.ndarray, options: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the neighbours of a point: more or less of each, money moved between two, other options."""
        count = len(shares)
        eye = np.eye(count)
        shifts = [sign * step * eye[m] for m in range(count) for sign in (1.0, -1.0)]
        shifts += [step * (eye[a] - eye[b]) for a, b in itertools.permutations(range(count), 2)]
        shifts += [-shares[m] * eye[m] for m in range(count) if shares[m] > 0]
        points = [np.clip(shares + shift, 0.0, 1.0) for shift in shifts]
        choices = [options] * len(points)
        for m, menu in enumerate(self.menus):
            for o in range(len(menu.options)):
                if o != options[m] and shares[m] > 0:
                    other = options.copy()
                    other[m] = o
                    points.append(shares)
                    choices.append(other)
        return np.array(points).reshape(-1, count), np.array(choices, dtype=np.int64).reshape(-1, count)


def _simplex(count: int, rng: np.random.Generator) -> Float[np.ndarray, "point modality"]:
    """Return brain shares whose sum is at most 1: a lattice, or random ones above three dimensions."""
    if count == 0:
        return np.zeros((1, 0))
    levels = _SHARES.get(count)
    if levels is not None:
        lattice = np.array(list(itertools.product(range(levels + 1), repeat=count)), dtype=float) / levels
        # Squared spacing is finer near zero, where the threshold below which brain data are worth nothing lies.
        return lattice[lattice.sum(axis=1) <= 1.0 + 1e-9]
    corners = np.concatenate([np.zeros((1, count)), 0.5 * np.eye(count), 0.25 * np.eye(count), np.eye(count)])
    return np.concatenate([corners, rng.dirichlet(np.full(count + 1, 0.5), size=96)[:, :count]])
