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
  function counted(n, one, many) { return counts(n) + " " + (n === 1 ? one : many); }
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
        size: sizes(name),
        mostEach: own.most_each === null ? Infinity : own.most_each, mostPeople: own.most_people === null ? 1000 : own.most_people,
        fixed: own.fixed
      };
    });
    return found;
  }
  function interval(plan, size) {
    var samples = plan.sessions * size, people = Math.max(plan.people, 1);
    return ["mean", "q05", "q95"].map(function (what) {
      return brainworthPlanner.reached(table, plan.name, what, plan.labels, samples, people);
    });
  }
  function said(plan) {
    var text = counted(plan.labels, "label", "labels");
    if (!plan.sessions) { return text + ", no recordings"; }
    return text + " and " + counted(plan.sessions, "session", "sessions") + " of " + plan.name + " with " +
      counted(plan.people, "person", "people") + " (" + counts(plan.sessions * sizes(plan.name)) + " samples)";
  }
  function cost(p, plan) {
    return plan.labels * p.label + brainworthPlanner.recordings(p.modalities[plan.name], plan.sessions, plan.people);
  }
  function row(title, plan, p) {
    var r2 = interval(plan, p.modalities[plan.name].size), tr = document.createElement("tr");
    [title, said(plan), money(cost(p, plan)), fixed(r2[0]) + " (" + fixed(r2[1]) + " to " + fixed(r2[2]) + ")"].forEach(function (text, i) {
      var cell = document.createElement(i ? "td" : "th");
      if (!i) { cell.scope = "row"; }
      if (i > 1) { cell.className = "num"; }
      cell.textContent = text;
      tr.appendChild(cell);
    });
    return tr;
  }
  function own(p) {
    var name = find("planner-modality").value, people = Math.round(value("planner-people"));
    var sessions = people * Math.round(value("planner-each"));
    return { name: name, sessions: sessions, people: people, labels: Math.round(value("planner-labels")) };
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

  function draw() {
    var p = prices(), budget = value("planner-budget");
    var found = brainworthPlanner.search(table, p, budget), best = found.best, alone = found.alone, mine = own(p);
    var gain = best.mean - alone.mean, body = find("planner-rows");
    var brain = extra && !best.sessions && found.brain;
    body.replaceChildren(row(brain ? "Best plan: labels alone" : "Labels alone", alone, p),
      row(brain ? "Best plan with recordings" : "Best plan", brain || best, p), row("Your design", mine, p));
    var same = brainworthPlanner.labelsFor(p, cost(p, mine));
    var lead = brainworthPlanner.reached(table, mine.name, "mean", mine.labels, mine.sessions * p.modalities[mine.name].size,
      Math.max(mine.people, 1)) - brainworthPlanner.reached(table, mine.name, "mean", same, 0, 1);
    var text = best.sessions === 0 ? "At these prices labels alone are best." : "At these prices the best plan gains " + signed(gain) +
      " in explainable R² over labels alone" + (data.worthwhile ? (gain >= data.worthwhile ? ", more than the " : ", less than the ") +
      data.worthwhile + " that make recording worth the trouble." : ".");
    text += " Your design costs " + money(cost(p, mine)) + (cost(p, mine) > budget ? ", more than the budget," : "") +
      " and gains " + signed(lead) + " over labels alone for the same money.";
    find("planner-said").textContent = text;
    curve(p, budget);
    form.dataset.plan = JSON.stringify(best);
    if (extra) {
      extra.draw({
        data: data, table: table, prices: p, budget: budget, found: found, mine: mine, words: whole.words, counts: counts, money: money,
        currency: currency(), counted: counted, signed: signed, said: said, interval: interval, cost: cost
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
