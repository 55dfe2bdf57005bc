/* The planner: searches the table of what every amount of data reaches for the best purchase at any prices. */
var brainworthPlanner = (function () {
  "use strict";

  /* The points of a grid in the coordinate in which the table is even; worked out once. */
  var known = new WeakMap();
  function points(grid, coordinate) {
    if (!known.has(grid)) { known.set(grid, grid.map(coordinate)); }
    return known.get(grid);
  }

  /* Place of a value in a grid: [index below, share of the way to the next]. */
  function place(grid, value, coordinate) {
    var last = grid.length - 1, i = 0, at = points(grid, coordinate);
    if (value <= grid[0] || last === 0) { return [0, 0]; }
    if (value >= grid[last]) { return [last - 1, 1]; }
    while (grid[i + 1] <= value) { i += 1; }
    return [i, (coordinate(value) - at[i]) / (at[i + 1] - at[i])];
  }
  /* Points of a grid around a value and their weights: two of a line, or up to four of a cubic polynomial. */
  function weighed(grid, value, coordinate, cubic) {
    var at = place(grid, value, coordinate);
    if (!cubic || !at[1] || at[1] === 1 || grid.length < 3) { return at[1] ? [[at[0], 1 - at[1]], [at[0] + 1, at[1]]] : [[at[0], 1]]; }
    var from = Math.max(0, Math.min(at[0] - 1, grid.length - 4)), to = Math.min(grid.length, from + 4), found = [];
    var x = coordinate(value), all = points(grid, coordinate);
    for (var i = from; i < to; i += 1) {
      var weight = 1;
      for (var j = from; j < to; j += 1) {
        if (j !== i) { weight *= (x - all[j]) / (all[i] - all[j]); }
      }
      found.push([i, weight]);
    }
    return found;
  }
  function logOver(scale) { return function (n) { return Math.log(1 + n / scale); }; }

  /* Where an amount of data lies in the table: points and weights of people, samples and labels. */
  function spot(table, name, labels, samples, people) {
    var own = table.modalities[name], cubic = table.cubic;
    return [
      weighed(own.people, people, Math.log, cubic), weighed(own.samples, samples, logOver(own.sample_scale), cubic),
      weighed(table.labels, labels, logOver(table.label_scale), cubic)
    ];
  }
  function read(cube, at) {
    var sum = 0;
    at[0].forEach(function (p) {
      at[1].forEach(function (s) {
        var row = cube[p[0]][s[0]];
        at[2].forEach(function (t) { sum += p[1] * s[1] * t[1] * row[t[0]]; });
      });
    });
    return sum;
  }

  /* Explainable R² of labels, samples and people: `what` is mean, q05 or q95. */
  function reached(table, name, what, labels, samples, people) {
    return read(table.modalities[name][what], spot(table, name, labels, samples, people));
  }

  /* What a purchase gains over labels alone in every draw of the belief, sorted; null if the table holds no draws. */
  function gains(table, name, plan, size, alone) {
    var own = table.modalities[name];
    if (!own.weights) { return null; }
    var here = spot(table, name, plan.labels, plan.sessions * size, Math.max(plan.people, 1)), there = spot(table, name, alone, 0, 1);
    var apart = own.components.map(function (cube) { return read(cube, here) - read(cube, there); });
    var found = own.weights[0].map(function (_, draw) {
      return apart.reduce(function (sum, part, k) { return sum + 1e-7 * part * own.weights[k][draw]; }, 0);
    });
    var mean = reached(table, name, "mean", plan.labels, plan.sessions * size, Math.max(plan.people, 1)) - reached(table, name, "mean", alone, 0, 1);
    var off = mean - found.reduce(function (sum, gain) { return sum + gain; }, 0) / found.length;
    return found.map(function (gain) { return gain + off; }).sort(function (a, b) { return a - b; });
  }
  function summary(sorted, worthwhile) {
    function quantile(share) {
      var at = share * (sorted.length - 1), i = Math.floor(at);
      return sorted[i] + (at - i) * ((i + 1 < sorted.length ? sorted[i + 1] : sorted[i]) - sorted[i]);
    }
    return {
      mean: sorted.reduce(function (sum, gain) { return sum + gain; }, 0) / sorted.length, q05: quantile(0.05), q95: quantile(0.95),
      probability: sorted.filter(function (gain) { return gain >= worthwhile; }).length / sorted.length
    };
  }

  /* The bill of sessions and people of one modality. */
  function recordings(price, sessions, people) {
    return sessions ? price.setup + people * price.person + sessions * price.session : 0;
  }
  function labelsFor(prices, money) {
    if (money < 0) { return -1; }
    var most = prices.mostLabels === null ? Infinity : prices.mostLabels;
    return Math.min(prices.label > 0 ? Math.floor(money / prices.label + 1e-9) : most, most, 1e9);
  }

  function candidate(table, prices, budget, name, sessions, people) {
    var price = prices.modalities[name], each = Math.ceil(sessions / people);
    if (each > price.mostEach) { return null; }
    var labels = labelsFor(prices, budget - recordings(price, sessions, people));
    if (labels < 0) { return null; }
    var mean = reached(table, name, "mean", labels, sessions * price.size, people);
    return { name: name, sessions: sessions, people: people, labels: labels, mean: mean };
  }

  function better(best, next) { return next && (!best || next.mean > best.mean + 1e-12) ? next : best; }

  /* Whole numbers from 1 to `most`: all of the first 24, then about 8 % apart. */
  function steps(most) {
    var found = [], n = 1;
    while (n <= most) { found.push(n); n = Math.max(n + 1, n < 24 ? n + 1 : Math.round(1.08 * n)); }
    if (found.length && found[found.length - 1] !== most) { found.push(most); }
    return found;
  }

  /* The best purchase within a budget: a coarse search over people and their sessions, as many for each, then a finer one around the best. */
  function search(table, prices, budget) {
    var first = Object.keys(table.modalities)[0];
    var labels = labelsFor(prices, budget);
    var best = { name: first, sessions: 0, people: 0, labels: labels, mean: reached(table, first, "mean", labels, 0, 1) };
    var alone = best, brain = null;
    Object.keys(table.modalities).forEach(function (name) {
      var price = prices.modalities[name];
      if (!price) { return; }
      var own = table.modalities[name], grid = own.samples;
      var cap = Math.ceil(grid[grid.length - 1] / price.size);
      var most = price.session > 0 ? Math.min(cap, Math.floor((budget - price.setup) / price.session)) : cap;
      var found = null, people = price.fixed ? [price.fixed] : steps(Math.min(most, price.mostPeople));
      function visit(p, each) { found = better(found, candidate(table, prices, budget, name, p * each, p)); }
      function mostEach(p) { return Math.min(price.mostEach, Math.floor(most / p)); }
      people.forEach(function (p) {
        steps(mostEach(p)).forEach(function (each) { visit(p, each); });
      });
      if (found) {
        var p0 = found.people, each0 = found.sessions / p0, near = price.fixed ? 0 : 4;
        for (var p = Math.max(1, p0 - near); p <= p0 + near && (price.fixed || p <= price.mostPeople); p += 1) {
          for (var each = Math.max(1, Math.floor(0.92 * each0) - 2); each <= Math.min(mostEach(p), Math.ceil(1.08 * each0) + 2); each += 1) {
            visit(p, each);
          }
        }
      }
      best = better(best, found);
      brain = better(brain, found);
    });
    return { best: best, alone: alone, brain: brain };
  }

  /* The smallest budget whose best plan reaches a mean; null if the table does not go so far. With `alone`, labels only. */
  function cheapest(table, prices, target, budget, alone) {
    function mean(money) {
      var first = Object.keys(table.modalities)[0];
      return alone ? reached(table, first, "mean", labelsFor(prices, money), 0, 1) : search(table, prices, money).best.mean;
    }
    var low = 0, high = Math.max(budget, 1);
    for (var i = 0; mean(high) < target; i += 1) {
      if (i === 8) { return null; }
      low = high;
      high *= 2;
    }
    while (high - low > 0.002 * high) {
      var middle = (low + high) / 2;
      if (mean(middle) < target) { low = middle; } else { high = middle; }
    }
    return high;
  }

  return {
    reached: reached, recordings: recordings, labelsFor: labelsFor, search: search, gains: gains, summary: summary, cheapest: cheapest
  };
})();
