/* The planner: searches the table of what every amount of data reaches for the best purchase at any prices. */
var brainworthPlanner = (function () {
  "use strict";

  /* Place of a value in a grid, in the coordinate in which the table is linear: [index below, share of the way to the next]. */
  function place(grid, value, coordinate) {
    var last = grid.length - 1, i = 0;
    if (value <= grid[0] || last === 0) { return [0, 0]; }
    if (value >= grid[last]) { return [last - 1, 1]; }
    while (grid[i + 1] <= value) { i += 1; }
    var low = coordinate(grid[i]), high = coordinate(grid[i + 1]);
    return [i, (coordinate(value) - low) / (high - low)];
  }
  function logOver(scale) { return function (n) { return Math.log(1 + n / scale); }; }

  /* Explainable R² of labels, samples and people: `what` is mean, q05 or q95. */
  function reached(table, name, what, labels, samples, people) {
    var own = table.modalities[name], cube = own[what];
    var p = place(own.people, people, Math.log);
    var s = place(own.samples, samples, logOver(own.sample_scale));
    var t = place(table.labels, labels, logOver(table.label_scale));
    var sum = 0;
    for (var a = 0; a < 2; a += 1) {
      var wa = a ? p[1] : 1 - p[1];
      if (!wa) { continue; }
      for (var b = 0; b < 2; b += 1) {
        var wb = wa * (b ? s[1] : 1 - s[1]);
        if (!wb) { continue; }
        var row = cube[p[0] + a][s[0] + b];
        sum += wb * (1 - t[1]) * row[t[0]] + (t[1] ? wb * t[1] * row[t[0] + 1] : 0);
      }
    }
    return sum;
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

  /* The best purchase within a budget: a coarse search over sessions and people, then a finer one around the best. */
  function search(table, prices, budget) {
    var first = Object.keys(table.modalities)[0];
    var labels = labelsFor(prices, budget);
    var best = { name: first, sessions: 0, people: 0, labels: labels, mean: reached(table, first, "mean", labels, 0, 1) };
    var alone = best;
    Object.keys(table.modalities).forEach(function (name) {
      var price = prices.modalities[name];
      if (!price) { return; }
      var own = table.modalities[name], grid = own.samples;
      var cap = Math.ceil(grid[grid.length - 1] / price.size);
      var most = price.session > 0 ? Math.min(cap, Math.floor((budget - price.setup) / price.session)) : cap;
      var found = null;
      function people(sessions) {
        if (price.fixed) { return [price.fixed]; }
        return steps(Math.min(sessions, price.mostPeople));
      }
      steps(Math.max(0, most)).forEach(function (s) {
        people(s).forEach(function (p) { found = better(found, candidate(table, prices, budget, name, s, p)); });
      });
      if (found && !price.fixed) {
        var s0 = found.sessions, p0 = found.people;
        for (var s = Math.max(1, Math.floor(0.92 * s0) - 2); s <= Math.min(most, Math.ceil(1.08 * s0) + 2); s += 1) {
          for (var p = Math.max(1, p0 - 4); p <= Math.min(s, price.mostPeople, p0 + 4); p += 1) {
            found = better(found, candidate(table, prices, budget, name, s, p));
          }
        }
      }
      best = better(best, found);
    });
    return { best: best, alone: alone };
  }

  return { reached: reached, recordings: recordings, labelsFor: labelsFor, search: search };
})();
