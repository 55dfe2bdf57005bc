/* What the planner says without a report around it: presets, a verdict, how sure it is, a paragraph and a study file to take away. */
var brainworthPlannerSite = (function () {
  "use strict";
  function find(id) { return document.getElementById(id); }
  function filled(text, values) {
    return text.replace(/\{(\w+)\}/g, function (whole, key) { return key in values ? values[key] : whole; });
  }
  function percent(share) { return Math.round(100 * share) + "\u00a0%"; }
  function r2(value) { return value.toFixed(1 - value >= 0.01 || value >= 1 ? 2 : 4).replace("-", "\u2212"); }

  /* Inputs begin with a preset's numbers; those of kinds that it does not hold are hidden. */
  function fill(preset) {
    document.querySelectorAll("#planner [data-kind]").forEach(function (part) {
      var name = Object.keys(preset.prices)[Number(part.dataset.kind)];
      part.hidden = !name;
      part.querySelectorAll(".kind").forEach(function (word) { word.textContent = name || ""; });
    });
    Object.keys(preset.prices).forEach(function (name, i) {
      var own = preset.prices[name];
      var values = { size: own.size, session: own.session, person: own.person, setup: own.setup, people: own.people, each: own.each };
      Object.keys(values).forEach(function (key) { find("planner-" + key + "-" + i).value = values[key]; });
    });
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

  function recordings(part, now) {
    var people = now.counted(part.people, "person", "people");
    var sessions = part.sessions % part.people === 0 ? people + " \u00d7 " + now.counted(part.sessions / part.people, "session", "sessions") :
      people + ", " + now.counted(part.sessions, "session", "sessions") + " in all";
    return part.name + " recordings (" + sessions + ", " + now.counted(part.samples, "sample", "samples") + ")";
  }
  function bought(plan, now) {
    var labels = plan.labels || !plan.brain.length ? [now.counted(plan.labels, "label", "labels")] : [];
    return now.listed(plan.brain.map(function (part) { return recordings(part, now); }).concat(labels));
  }
  function people(plan, now) {
    if (!plan.brain.length) { return now.counted(plan.labels, "label", "labels") + " and no recordings"; }
    return now.listed(plan.brain.map(function (part) {
      return now.counted(part.people, "person", "people") + (plan.brain.length > 1 ? " with " + part.name : "");
    }));
  }
  function reached(plan, now) {
    var found = now.interval(plan);
    return r2(found[0]) + " (" + r2(found[1]) + " to " + r2(found[2]) + ")";
  }
  function paragraph(now, plan, overruled) {
    var words = now.words, alone = now.found.alone;
    var said = [filled(words.request, { cost: now.money(brainworthPlanner.cost(now.prices, plan)), bought: bought(plan, now) })];
    said.push(filled(words.because, {
      people: people(plan, now), reason: overruled ? words.not_worthwhile : filled(words.reason, { limit: now.money(now.budget) })
    }));
    said.push(filled(words.expect, { reached: reached(plan, now) }));
    if (plan.brain.length) { said.push(filled(words.alone, { labels: now.counts(alone.labels), reached: reached(alone, now) })); }
    return said.concat([words.basis, words.measure]).join(" ");
  }

  function number(value) { return String(Number(value.toPrecision(12))); }
  function study(now) {
    var values = {
      label: number(now.prices.label), budget: number(now.budget), currency: now.currency.replace(/["\\\u0000-\u001f\u007f]/g, "")
    };
    Object.keys(now.prices.modalities).forEach(function (name, i) {
      ["session", "size", "person", "setup"].forEach(function (key) { values[key + "_" + i] = number(now.prices.modalities[name][key]); });
    });
    return filled(now.data.study, values);
  }

  function sure(gain, worthwhile, now) {
    return now.signed(gain.mean) + " (90\u00a0% interval " + now.signed(gain.q05) + " to " + now.signed(gain.q95) +
      "); a gain of at least " + worthwhile + " has a probability of " + percent(gain.probability);
  }
  function gainOf(plan, labels, now) {
    var sorted = brainworthTable.gains(now.table, plan.labels, plan.brain, labels);
    return sorted && brainworthTable.summary(sorted, now.data.worthwhile);
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
    var overruled = kind === "labels_only" && best.brain.length > 0;
    if (overruled) { lines.push(filled(words.instead, { labels: now.counts(alone.labels) })); }
    if (now.mine.brain.length) {
      var same = brainworthPlanner.labelsFor(now.prices, brainworthPlanner.cost(now.prices, now.mine));
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
