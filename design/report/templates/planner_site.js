/* What the planner says without a report around it: presets, a verdict, how sure it is, a paragraph and a study file to take away. */
var brainworthPlannerSite = (function () {
  "use strict";
  function find(id) { return document.getElementById(id); }
  function filled(text, values) {
    return text.replace(/\{(\w+)\}/g, function (whole, key) { return key in values ? values[key] : whole; });
  }
  function percent(share) { return Math.round(100 * share) + "\u00a0%"; }
  function r2(value) { return value.toFixed(1 - value >= 0.01 || value >= 1 ? 2 : 4).replace("-", "\u2212"); }

  /* Inputs begin with a preset's numbers. */
  function fill(preset) {
    var own = preset.prices[Object.keys(preset.prices)[0]];
    var values = {
      size: own.size, session: own.session, person: own.person, setup: own.setup
    };
    Object.keys(values).forEach(function (key) { find("planner-" + key + "-0").value = values[key]; });
    find("planner-people").value = own.people;
    find("planner-each").value = own.each;
    var option = find("planner-modality").options[0];
    option.textContent = Object.keys(preset.prices)[0];
  }
  function begin(whole, take) {
    var chosen = find("planner-preset");
    chosen.selectedIndex = 0;
    fill(whole.presets[0]);
    chosen.addEventListener("change", function () {
      fill(whole.presets[chosen.selectedIndex]);
      take(whole.presets[chosen.selectedIndex]);
    });
    chosen.addEventListener("input", function (event) { event.stopPropagation(); });
    find("planner-copy").addEventListener("click", copy);
    find("planner-save").addEventListener("click", save);
  }

  /* The same rule as the command line's verdict. */
  function decision(gain, words, worthwhile) {
    if (!gain || gain.mean <= 0 || gain.probability <= words.unlikely) { return "labels_only"; }
    return gain.mean >= worthwhile && gain.probability >= words.likely ? "collect" : "toss_up";
  }

  function bought(plan, size, now) {
    var labels = now.counted(plan.labels, "label", "labels");
    if (!plan.sessions) { return labels; }
    var even = plan.sessions % plan.people === 0, people = now.counted(plan.people, "person", "people");
    var sessions = even ? people + " \u00d7 " + now.counted(plan.sessions / plan.people, "session", "sessions") :
      people + ", " + now.counted(plan.sessions, "session", "sessions") + " in all";
    var recordings = plan.name + " recordings (" + sessions + ", " + now.counted(plan.sessions * size, "sample", "samples") + ")";
    return plan.labels ? recordings + " and " + labels : recordings;
  }
  function reached(plan, size, now) {
    var found = now.interval(plan, size);
    return r2(found[0]) + " (" + r2(found[1]) + " to " + r2(found[2]) + ")";
  }
  function paragraph(now, plan, overruled) {
    var words = now.words, size = now.prices.modalities[plan.name].size, alone = now.found.alone;
    var said = [filled(words.request, { cost: now.money(now.cost(now.prices, plan)), bought: bought(plan, size, now) })];
    said.push(filled(words.because, {
      people: plan.sessions ? now.counted(plan.people, "person", "people") : now.counted(plan.labels, "label", "labels") + " and no recordings",
      reason: overruled ? words.not_worthwhile : filled(words.reason, { limit: now.money(now.budget) })
    }));
    said.push(filled(words.expect, { reached: reached(plan, size, now) }));
    if (plan.sessions) { said.push(filled(words.alone, { labels: now.counts(alone.labels), reached: reached(alone, size, now) })); }
    return said.concat([words.basis, words.measure]).join(" ");
  }

  function number(value) { return String(Number(value.toPrecision(12))); }
  function study(now) {
    var price = now.prices.modalities[now.found.alone.name];
    return filled(now.data.study, {
      label: number(now.prices.label), session: number(price.session), size: String(price.size), person: number(price.person),
      setup: number(price.setup), budget: number(now.budget), currency: now.currency.replace(/["\\\u0000-\u001f\u007f]/g, "")
    });
  }

  function sure(gain, worthwhile, now) {
    return now.signed(gain.mean) + " (90\u00a0% interval " + now.signed(gain.q05) + " to " + now.signed(gain.q95) +
      "); a gain of at least " + worthwhile + " has a probability of " + percent(gain.probability);
  }
  function gainOf(plan, labels, now) {
    var sorted = brainworthPlanner.gains(now.table, plan.name, plan, now.prices.modalities[plan.name].size, labels);
    return sorted && brainworthPlanner.summary(sorted, now.data.worthwhile);
  }
  function target(now) {
    var wanted = Number(find("planner-target").value);
    if (!(wanted > 0)) { return []; }
    var best = brainworthPlanner.cheapest(now.table, now.prices, wanted, now.budget, false);
    var alone = brainworthPlanner.cheapest(now.table, now.prices, wanted, now.budget, true);
    if (best === null) { return ["No purchase in this table reaches " + wanted + " on average."]; }
    return ["To reach " + wanted + " on average costs about " + now.money(best) + " with the best plan" +
      (alone === null ? ", and labels alone do not reach it here." : " and about " + now.money(alone) + " with labels alone.")];
  }

  function draw(now) {
    var words = now.words, worthwhile = now.data.worthwhile, best = now.found.best, brain = now.found.brain, alone = now.found.alone;
    var gain = brain && gainOf(brain, alone.labels, now), kind = decision(gain, words, worthwhile), lines = [];
    find("planner-verdict").textContent = words.headings[kind];
    find("planner-verdict").className = kind;
    if (!gain) {
      lines.push("The budget does not pay for a single session.");
    } else {
      lines.push(words.why[kind]);
      lines.push("Gain of the best plan with recordings over labels alone: " + sure(gain, worthwhile, now) + ".");
    }
    var overruled = kind === "labels_only" && best.sessions > 0;
    if (overruled) { lines.push(filled(words.instead, { labels: now.counts(alone.labels) })); }
    if (now.mine.sessions) {
      var same = brainworthPlanner.labelsFor(now.prices, now.cost(now.prices, now.mine));
      lines.push("Gain of your design over labels alone for the same money: " + sure(gainOf(now.mine, same, now), worthwhile, now) + ".");
    }
    find("planner-sure").replaceChildren.apply(find("planner-sure"), lines.concat(target(now)).map(function (text) {
      var item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
    find("planner-paragraph").textContent = paragraph(now, kind === "labels_only" ? alone : best, overruled);
    find("planner-study").textContent = study(now);
  }

  function tell(button, text, said) {
    var before = button.textContent;
    button.textContent = text;
    document.querySelector("#planner .live").textContent = said;
    window.setTimeout(function () { button.textContent = before; }, 3000);
  }
  function copy() {
    var range = document.createRange(), chosen = window.getSelection();
    range.selectNodeContents(find("planner-paragraph"));
    chosen.removeAllRanges();
    chosen.addRange(range);
    var done = document.execCommand("copy");
    tell(find("planner-copy"), done ? "Copied" : "Press Ctrl+C", done ? "The text is on the clipboard." : "The text is selected. Press Ctrl and C.");
  }
  function save() {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([find("planner-study").textContent], { type: "text/plain" }));
    link.download = "study.toml";
    link.click();
    URL.revokeObjectURL(link.href);
    tell(find("planner-save"), "Saved", "study.toml is in your downloads.");
  }

  return { begin: begin, draw: draw };
})();
