/* The planner's inputs and what they change on the page. */
(function () {
  "use strict";
  function find(id) { return document.getElementById(id); }
  var whole = JSON.parse(find("brainworth-data").textContent), form = find("planner-form");
  var data = whole.presets ? whole.presets[0] : whole.planner, extra = window.brainworthPlannerSite;
  if (!data || !form) { return; }
  var table = data.table, names = Object.keys(table.modalities);

  function value(id) {
    var number = Number(find(id).value);
    return isFinite(number) && number >= 0 ? number : 0;
  }
  function counts(number) { return Math.round(number).toLocaleString("en-US"); }
  function currency() { return (find("planner-currency") && find("planner-currency").value.trim()) || data.currency; }
  function money(number) { return counts(number) + " " + currency(); }
  function price(number) { return number.toLocaleString("en-US", { maximumFractionDigits: 2 }); }
  function counted(n, one, many) { return counts(n) + " " + (n === 1 ? one : many); }
  function listed(parts) { return parts.length < 2 ? parts.join("") : parts.slice(0, -1).join(", ") + " and " + parts[parts.length - 1]; }
  function fixed(number) { return number.toFixed(number > 0.99 ? 4 : 3).replace("-", "\u2212"); }
  function signed(number) { return (number < 0 ? "" : "+") + fixed(number); }

  function stated(id, otherwise) { return find(id) ? value(id) : otherwise; }
  function sizes(name) { return Math.max(1, Math.round(stated("planner-size-" + names.indexOf(name), data.prices[name].size))); }

  function prices() {
    var found = { label: value("planner-label"), mostLabels: data.most_labels, modalities: {} };
    names.forEach(function (name, i) {
      var own = data.prices[name];
      found.modalities[name] = {
        session: value("planner-session-" + i), person: value("planner-person-" + i), setup: stated("planner-setup-" + i, own.setup),
        size: sizes(name), mostSessions: own.most_sessions === null ? Infinity : own.most_sessions,
        mostEach: own.most_each === null ? Infinity : own.most_each, mostPeople: own.most_people === null ? 1000 : own.most_people,
        fixed: own.fixed
      };
    });
    return found;
  }
  function interval(plan) {
    var found = ["mean", "q05", "q95"].map(function (what) { return brainworthTable.reached(table, what, plan.labels, plan.brain); });
    return found[0] === null ? null : found;
  }
  function said(plan) {
    var parts = plan.brain.map(function (part) {
      return counted(part.sessions, "session", "sessions") + " of " + part.name + " with " + counted(part.people, "person", "people") +
        " (" + counts(part.samples) + " samples)";
    });
    var labels = counted(plan.labels, "label", "labels");
    return parts.length ? listed([labels].concat(parts)) : labels + ", no recordings";
  }
  function cells(titles) {
    var tr = document.createElement("tr");
    titles.forEach(function (text, i) {
      var cell = document.createElement(i ? "td" : "th");
      if (!i) { cell.scope = "row"; }
      if (i > 1) { cell.className = "num"; }
      cell.textContent = text;
      tr.appendChild(cell);
    });
    return tr;
  }
  function row(title, plan, p) {
    var r2 = interval(plan), reached = r2 ? fixed(r2[0]) + " (" + fixed(r2[1]) + " to " + fixed(r2[2]) + ")" : "not in this table";
    return cells([title, said(plan), money(brainworthPlanner.cost(p, plan)), reached]);
  }
  /* A purchase line by line. */
  function bill(p, plan) {
    var lines = [["Labels", counts(plan.labels) + " × " + price(p.label), plan.labels * p.label]];
    plan.brain.forEach(function (part) {
      var own = p.modalities[part.name], amounts = brainworthPlanner.charges(own, part);
      [["setting up", "once"], ["people", counts(part.people) + " × " + price(own.person)],
        ["sessions", counts(part.sessions) + " × " + price(own.session)]].forEach(function (line, i) {
        if (amounts[i]) { lines.push([part.name + ", " + line[0], line[1], amounts[i]]); }
      });
    });
    lines.push(["Total", "", brainworthPlanner.cost(p, plan)]);
    return lines.map(function (line) { return cells([line[0], line[1], money(line[2])]); });
  }
  function own(p) {
    var brain = [];
    names.forEach(function (name, i) {
      var people = Math.round(value("planner-people-" + i)), sessions = people * Math.round(value("planner-each-" + i));
      if (sessions) { brain.push(brainworthPlanner.recorded(p.modalities[name], name, people, sessions)); }
    });
    return { brain: brain, labels: Math.round(value("planner-labels")) };
  }

  /* The curve: the best plan and labels alone from a quarter of the budget to twice as much. */
  function curve(p, budget) {
    var svg = find("planner-curve"), points = [];
    for (var i = 0; i <= 14; i += 1) {
      var b = budget * (0.25 + 0.125 * i), found = brainworthPlanner.search(table, p, b);
      points.push([b, found.best.mean, found.alone.mean]);
    }
    var all = points.map(function (q) { return q[1]; }).concat(points.map(function (q) { return q[2]; }));
    var low = Math.max(0, Math.min.apply(null, all) - 0.02), high = Math.min(1, Math.max.apply(null, all) + 0.02);
    function x(b) { return 52 + 330 * (b / budget - 0.25) / 1.75; }
    function y(r) { return 170 - 150 * (r - low) / (high - low || 1); }
    function line(k) { return points.map(function (q) { return x(q[0]).toFixed(1) + "," + y(q[k]).toFixed(1); }).join(" "); }
    svg.querySelector(".best").setAttribute("points", line(1));
    svg.querySelector(".alone").setAttribute("points", line(2));
    var now = svg.querySelector(".now");
    now.setAttribute("x1", x(budget));
    now.setAttribute("x2", x(budget));
    [["low", low], ["high", high]].forEach(function (pair) { svg.querySelector("." + pair[0]).textContent = pair[1].toFixed(2); });
    svg.querySelector(".from").textContent = counts(0.25 * budget);
    svg.querySelector(".to").textContent = money(2 * budget);
  }

  /* What the best plan gains, and what the reader's own design costs and gains. */
  function verdict(p, budget, found, mine) {
    var best = found.best, gain = best.mean - found.alone.mean, text = "At these prices labels alone are best.";
    if (best.brain.length) {
      text = "At these prices the best plan gains " + signed(gain) + " in explainable R² over labels alone" +
        (data.worthwhile ? (gain >= data.worthwhile ? ", more than the " : ", less than the ") + data.worthwhile +
        " that make recording worth the trouble." : ".");
    }
    if (best.brain.length > 1 && found.one) {
      text += " Recording two kinds gains " + signed(best.mean - found.one.mean) + " over the best plan with " +
        found.one.brain[0].name + " only.";
    }
    var cost = brainworthPlanner.cost(p, mine), reached = brainworthTable.reached(table, "mean", mine.labels, mine.brain);
    text += " Your design costs " + money(cost) + (cost > budget ? ", more than the budget," : "");
    if (reached === null) { return text + " and records a mix that this table does not hold."; }
    var same = brainworthTable.reached(table, "mean", brainworthPlanner.labelsFor(p, cost), []);
    return text + " and gains " + signed(reached - same) + " over labels alone for the same money.";
  }

  function draw() {
    var p = prices(), budget = value("planner-budget");
    var found = brainworthPlanner.search(table, p, budget), best = found.best, mine = own(p);
    var brain = extra && !best.brain.length && found.brain;
    find("planner-rows").replaceChildren(row(brain ? "Best plan: labels alone" : "Labels alone", found.alone, p),
      row(brain ? "Best plan with recordings" : "Best plan", brain || best, p), row("Your design", mine, p));
    find("planner-bill").replaceChildren.apply(find("planner-bill"), bill(p, best));
    find("planner-said").textContent = verdict(p, budget, found, mine);
    curve(p, budget);
    form.dataset.plan = JSON.stringify(best);
    if (extra) {
      extra.draw({
        data: data, table: table, prices: p, budget: budget, found: found, mine: mine, words: whole.words, counts: counts, money: money,
        currency: currency(), counted: counted, listed: listed, signed: signed, interval: interval
      });
    }
  }
  /* Begin with another preset: its table and its prices. */
  function take(next) {
    data = next;
    table = data.table;
    names = Object.keys(table.modalities);
    draw();
  }
  form.addEventListener("input", draw);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  find("planner").hidden = false;
  if (extra) { extra.begin(whole, take); }
  draw();
})();
