/* The planner: searches the table of what every amount of data reaches for the best purchase at any prices.
   A purchase is {labels, brain, mean}; `brain` lists what is recorded, at most two kinds: {name, people, sessions, samples}. */
var brainworthPlanner = (function () {
  "use strict";
  var SHORT = 12, STARTS = 3, ROUNDS = 6;

  /* The bill of one kind of recording: setting up, people, sessions. */
  function charges(price, part) {
    return part.sessions ? [price.setup, part.people * price.person, part.sessions * price.session] : [0, 0, 0];
  }
  function recordings(prices, brain) {
    return brain.reduce(function (sum, part) {
      var lines = charges(prices.modalities[part.name], part);
      return sum + lines[0] + lines[1] + lines[2];
    }, 0);
  }
  function cost(prices, plan) { return plan.labels * prices.label + recordings(prices, plan.brain); }
  function labelsFor(prices, money) {
    if (money < 0) { return -1; }
    var most = prices.mostLabels === null ? Infinity : prices.mostLabels;
    return Math.min(prices.label > 0 ? Math.floor(money / prices.label + 1e-9) : most, most, 1e9);
  }
  function recorded(price, name, people, sessions) {
    return { name: name, people: people, sessions: sessions, samples: sessions * price.size };
  }

  /* Recordings with as many labels as the rest of the budget buys; null if they do not fit. `asked` is {table, prices, budget}. */
  function candidate(asked, brain) {
    var allowed = brain.every(function (part) {
      return Math.ceil(part.sessions / part.people) <= asked.prices.modalities[part.name].mostEach;
    });
    var labels = allowed ? labelsFor(asked.prices, asked.budget - recordings(asked.prices, brain)) : -1;
    if (labels < 0) { return null; }
    return { labels: labels, brain: brain, mean: brainworthTable.reached(asked.table, "mean", labels, brain) };
  }
  function better(best, next) { return next && (!best || next.mean > best.mean + 1e-12) ? next : best; }

  /* Whole numbers from 1 to `most`: all of the first 24, then about 8 % apart. */
  function steps(most) {
    var found = [], n = 1;
    while (n <= most) { found.push(n); n = Math.max(n + 1, n < 24 ? n + 1 : Math.round(1.08 * n)); }
    if (found.length && found[found.length - 1] !== most) { found.push(most); }
    return found;
  }
  /* The most sessions of a kind that the table holds, the study allows and the budget pays for. */
  function mostSessions(asked, name) {
    var price = asked.prices.modalities[name], grid = asked.table.modalities[name].samples;
    var cap = Math.min(Math.ceil(grid[grid.length - 1] / price.size), price.mostSessions);
    return price.session > 0 ? Math.min(cap, Math.floor((asked.budget - price.setup) / price.session)) : cap;
  }
  /* Numbers of people, and of sessions for each, to begin with. */
  function menu(asked, name) {
    var price = asked.prices.modalities[name], most = mostSessions(asked, name), found = [];
    var people = price.fixed ? [price.fixed] : steps(Math.min(most, price.mostPeople));
    people.forEach(function (p) {
      steps(Math.min(price.mostEach, Math.floor(most / p))).forEach(function (each) { found.push(recorded(price, name, p, p * each)); });
    });
    return found;
  }
  /* Numbers close to those of a part of a plan. */
  function around(asked, part) {
    var price = asked.prices.modalities[part.name], most = mostSessions(asked, part.name), found = [];
    var p0 = part.people, each0 = part.sessions / p0, near = price.fixed ? 0 : 4;
    for (var p = Math.max(1, p0 - near); p <= p0 + near && (price.fixed || p <= price.mostPeople); p += 1) {
      var last = Math.min(price.mostEach, Math.floor(most / p), Math.ceil(1.08 * each0) + 2);
      for (var each = Math.max(1, Math.floor(0.92 * each0) - 2); each <= last; each += 1) {
        found.push(recorded(price, part.name, p, p * each));
      }
    }
    return found;
  }
  /* Change one kind after the other to numbers close by, until nothing is better. */
  function refined(asked, plan) {
    for (var round = 0, before = null; plan && plan !== before && round < ROUNDS; round += 1) {
      before = plan;
      for (var i = 0; i < plan.brain.length; i += 1) {
        plan = around(asked, plan.brain[i]).reduce(function (best, part) {
          var brain = best.brain.slice();
          brain[i] = part;
          return better(best, candidate(asked, brain));
        }, plan);
      }
    }
    return plan;
  }

  /* Of a menu, some that are worth more than all that cost as little, from the cheapest to the dearest. */
  function shortened(asked, parts) {
    var labels = Math.max(0, labelsFor(asked.prices, asked.budget / 2)), best = -Infinity;
    var worth = parts.map(function (part) {
      return { part: part, cost: recordings(asked.prices, [part]), mean: brainworthTable.reached(asked.table, "mean", labels, [part]) };
    }).filter(function (one) { return one.cost <= asked.budget; });
    var rising = worth.sort(function (a, b) { return a.cost - b.cost || b.mean - a.mean; }).filter(function (one) {
      var kept = one.mean > best;
      best = Math.max(best, one.mean);
      return kept;
    });
    var count = Math.min(SHORT, rising.length), found = [];
    for (var i = 0; i < count; i += 1) { found.push(rising[count > 1 ? Math.round(i * (rising.length - 1) / (count - 1)) : 0].part); }
    return found;
  }
  /* The best purchase that records two kinds. */
  function mixed(asked, one, other) {
    var found = [];
    one.forEach(function (a) {
      other.forEach(function (b) {
        var next = candidate(asked, [a, b]);
        if (next) { found.push(next); }
      });
    });
    found.sort(function (a, b) { return b.mean - a.mean; });
    return found.slice(0, STARTS).reduce(function (best, start) { return better(best, refined(asked, start)); }, null);
  }

  /* The best purchases within a budget: of all (`best`), labels alone (`alone`), with recordings (`brain`), with one kind (`one`). */
  function search(table, prices, budget) {
    var asked = { table: table, prices: prices, budget: budget }, names = Object.keys(table.modalities), one = null;
    var labels = labelsFor(prices, budget), alone = { labels: labels, brain: [], mean: brainworthTable.reached(table, "mean", labels, []) };
    var menus = {};
    names.forEach(function (name) {
      menus[name] = menu(asked, name);
      one = better(one, refined(asked, menus[name].reduce(function (best, part) { return better(best, candidate(asked, [part])); }, null)));
    });
    var brain = one, pairs = table.pairs || [];
    if (pairs.length) { names.forEach(function (name) { menus[name] = shortened(asked, menus[name]); }); }
    pairs.forEach(function (pair) { brain = better(brain, mixed(asked, menus[pair.names[0]], menus[pair.names[1]])); });
    return { best: better(alone, brain), alone: alone, brain: brain, one: one };
  }

  /* The smallest budget whose best plan reaches a mean; null if the table does not go so far. With `alone`, labels only. */
  function cheapest(table, prices, target, budget, alone) {
    function mean(money) {
      return alone ? brainworthTable.reached(table, "mean", labelsFor(prices, money), []) : search(table, prices, money).best.mean;
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

  return { charges: charges, cost: cost, labelsFor: labelsFor, recorded: recorded, search: search, cheapest: cheapest };
})();
