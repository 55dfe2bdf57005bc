/* The planner's table: what labels and recordings reach, read between its points. Recordings are a list of {name, people, samples}. */
var brainworthTable = (function () {
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
  function read(cube, at) {
    var sum = 0, a = at[0], b = at[1], c = at[2];
    for (var i = 0; i < a.length; i += 1) {
      for (var j = 0; j < b.length; j += 1) {
        var row = cube[a[i][0]][b[j][0]], weight = a[i][1] * b[j][1];
        for (var k = 0; k < c.length; k += 1) { sum += weight * c[k][1] * row[c[k][0]]; }
      }
    }
    return sum;
  }

  function spot(table, own, part, labels) {
    return [
      weighed(own.people, Math.max(part.people, 1), Math.log, table.cubic),
      weighed(own.samples, part.samples, logOver(own.sample_scale), table.cubic), labels
    ];
  }
  function labelled(table, grid, labels) { return weighed(grid, labels, logOver(table.label_scale), table.cubic); }

  function pairOf(table, one, other) {
    return (table.pairs || []).find(function (pair) { return pair.names.indexOf(one) >= 0 && pair.names.indexOf(other) >= 0; });
  }
  /* Where two kinds lie in their pair: each at the samples that the pair's people would need to reach as much. */
  function pairTerm(table, pair, labels, spots) {
    var at = pair.names.map(function (name, i) {
      var own = table.modalities[name], scale = own.sample_scale;
      return weighed(pair.samples[i], scale * Math.expm1(read(own.equivalent, spots[name])), logOver(scale), table.cubic);
    });
    return { cubes: pair, at: [at[0], at[1], labelled(table, pair.labels, labels)], sign: 1 };
  }
  /* What is summed up: the first kind with the labels, what a second one adds, and what both together reach beyond that.
     Null where the table does not hold the mix: more than two kinds, or a table without pairs. */
  function terms(table, labels, brain, first) {
    var here = labelled(table, table.labels, labels), none = [[[0, 1]], [[0, 1]], here];
    if (!brain.length) { return [{ cubes: table.modalities[first || Object.keys(table.modalities)[0]], at: none, sign: 1 }]; }
    var spots = {}, pair = brain.length === 2 && pairOf(table, brain[0].name, brain[1].name);
    if (brain.length > 2 || brain.length === 2 && !pair) { return null; }
    var found = brain.map(function (part) {
      var own = table.modalities[part.name];
      spots[part.name] = spot(table, own, part, here);
      return { cubes: own, at: spots[part.name], sign: 1 };
    });
    if (pair) { found.push({ cubes: found[1].cubes, at: none, sign: -1 }, pairTerm(table, pair, labels, spots)); }
    return found;
  }
  function total(parts, what) {
    return parts.reduce(function (sum, part) { return sum + part.sign * read(part.cubes[what], part.at); }, 0);
  }

  /* Explainable R² of labels and recordings: `what` is mean, q05 or q95. Null where the table does not hold the mix. */
  function reached(table, what, labels, brain) {
    var parts = terms(table, labels, brain);
    return parts && total(parts, what);
  }

  /* What a purchase gains over labels alone in every draw of the belief, sorted; null if the table holds no draws. */
  function gains(table, labels, brain, alone) {
    var here = terms(table, labels, brain), there = terms(table, alone, [], brain[0].name);
    if (!here || !here[0].cubes.weights) { return null; }
    there.forEach(function (part) { part.sign = -1; });
    var parts = here.concat(there), found = here[0].cubes.weights[0].map(function () { return 0; });
    parts.forEach(function (part) {
      part.cubes.components.forEach(function (cube, k) {
        var size = 1e-7 * part.sign * read(cube, part.at), weights = part.cubes.weights[k];
        for (var draw = 0; draw < found.length; draw += 1) { found[draw] += size * weights[draw]; }
      });
    });
    var off = total(parts, "mean") - found.reduce(function (sum, gain) { return sum + gain; }, 0) / found.length;
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

  return { reached: reached, gains: gains, summary: summary };
})();
