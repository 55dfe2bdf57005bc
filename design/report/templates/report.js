(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("brainworth-data").textContent);

  function find(id) { return document.getElementById(id); }
  function group(value, digits) {
    return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }
  function whole(value) { return group(Math.round(value), 0); }
  function money(value) {
    return group(value, Math.abs(value) < 100 && value !== Math.round(value) ? 2 : 0) + " " + data.currency;
  }
  function percent(value) { return Math.round(100 * value) + "\u00a0%"; }
  function chance(value) { return value < 0.005 ? "under 1\u00a0%" : value > 0.995 ? "over 99\u00a0%" : percent(value); }
  function decimals(value) {
    var left = 1 - value;
    return left >= 0.01 || left <= 0 ? 2 : Math.min(4, Math.ceil(-Math.log10(left)));
  }
  function r2(summary) {
    if (!summary || summary.mean === null) { return "not available"; }
    var text = summary.mean.toFixed(decimals(summary.mean));
    if (summary.q05 !== null && summary.q95 !== null) {
      text += " (90\u00a0% interval " + summary.q05.toFixed(decimals(summary.q05)) + " to ";
      text += summary.q95.toFixed(decimals(summary.q95)) + ")";
    }
    return text;
  }
  function between(a, b, t) {
    if (!a || !b) { return null; }
    var out = {};
    ["mean", "q05", "q95"].forEach(function (key) {
      out[key] = a[key] === null || b[key] === null ? null : a[key] + t * (b[key] - a[key]);
    });
    return out;
  }

  /* The cursor: a line over a figure at a data value, along x or along y. */
  function cursor(name, flat) {
    var picture = document.querySelector('[data-figure="' + name + '"]');
    var place = data.boxes[name];
    if (!picture || !place) { return null; }
    var line = document.createElement("div");
    line.className = flat ? "cursor flat" : "cursor";
    line.setAttribute("aria-hidden", "true");
    picture.appendChild(line);
    var box = place.box, ends = flat ? place.y : place.x, log = flat ? place.log_y : place.log_x;
    function scale(value) { return log ? Math.log(value) : value; }
    var low = scale(ends[0]), high = scale(ends[1]);
    return {
      picture: picture,
      move: function (value) {
        var t = (scale(value) - low) / (high - low);
        t = Math.min(1, Math.max(0, t));
        if (flat) {
          line.style.left = 100 * box[0] + "%";
          line.style.width = 100 * (box[1] - box[0]) + "%";
          line.style.top = 100 * (box[3] - t * (box[3] - box[2])) + "%";
        } else {
          line.style.top = 100 * box[2] + "%";
          line.style.height = 100 * (box[3] - box[2]) + "%";
          line.style.left = 100 * (box[0] + t * (box[1] - box[0])) + "%";
        }
        line.hidden = value === data.budget;
      },
      at: function (event) {
        var frame = picture.getBoundingClientRect();
        var t = ((event.clientX - frame.left) / frame.width - box[0]) / (box[1] - box[0]);
        if (t < 0 || t > 1) { return null; }
        var value = low + t * (high - low);
        return log ? Math.exp(value) : value;
      }
    };
  }

  function budgetSlider(points) {
    var slider = find("budget"), output = find("budget-readout"), line = cursor("frontier", false);
    var low = points[0].budget, high = points[points.length - 1].budget;
    if (!(high > low) || !line) { return null; }
    var rough = (high - low) / 100, power = Math.pow(10, Math.floor(Math.log10(rough)));
    var step = power * (rough / power < 2 ? 1 : rough / power < 5 ? 2 : 5);
    slider.min = String(Math.ceil(low / step - 1e-9) * step);
    slider.max = String(Math.floor(high / step + 1e-9) * step);
    slider.step = String(step);

    function say(budget) {
      budget = Math.min(high, Math.max(low, budget));
      var i = 0;
      while (i < points.length - 2 && points[i + 1].budget <= budget) { i += 1; }
      var a = points[i], b = points[i + 1], t = (budget - a.budget) / (b.budget - a.budget);
      var inside = t >= 1 ? b : a;
      var buys = [whole(inside.n_task) + " labels"];
      Object.keys(inside.modalities).forEach(function (name) {
        if (inside.modalities[name] > 0) { buys.push(whole(inside.modalities[name]) + " samples of " + name); }
      });
      var text = "With " + money(budget) + ": explainable R² about " + r2(between(a.explainable_r2, b.explainable_r2, t));
      var alone = between(a.task_only, b.task_only, t);
      if (alone) { text += "; labels only " + r2(alone); }
      text += ". The largest computed plan within it (" + money(inside.budget) + ") buys " + buys.join(", ") + ".";
      output.textContent = text;
      line.move(budget);
      return text;
    }
    function chosen() {
      var text = say(Number(slider.value));
      slider.setAttribute("aria-valuetext", text);
    }
    slider.addEventListener("input", chosen);
    line.picture.addEventListener("pointermove", function (event) {
      var budget = line.at(event);
      if (budget !== null) { say(budget); }
    });
    line.picture.addEventListener("pointerleave", chosen);
    find("budget-control").hidden = false;
    return function (budget) { slider.value = String(budget); chosen(); };
  }

  function nearest(values, target, log) {
    var best = 0, least = Infinity;
    values.forEach(function (value, i) {
      var distance = Math.abs(log ? Math.log(value / target) : value - target);
      if (distance < least) { least = distance; best = i; }
    });
    return best;
  }

  function priceSlider(regime) {
    var slider = find("price"), output = find("price-readout"), line = cursor("regime", true);
    var prices = regime.price_ratio, log = Math.min.apply(null, prices) > 0;
    if (!line) { return null; }
    slider.min = "0";
    slider.max = String(prices.length - 1);
    slider.step = "1";
    var maps = [[regime.label_noise, regime.gain]].concat(regime.panels.map(function (panel) {
      return [panel.label_noise, panel.gain];
    }));
    /* The map whose label noise is nearest to that of a draw. */
    function mapOf(i) {
      var noise = regime.posterior_noise[i];
      if (!(noise > 0) || maps.length === 1) { return regime.gain; }
      return maps[nearest(maps.map(function (pair) { return pair[0]; }), noise, true)][1];
    }
    function chosen() {
      var j = Number(slider.value), worth = 0, total = 0, n = 0;
      regime.posterior.forEach(function (draw, i) {
        var gain = mapOf(i)[nearest(regime.alignment, draw[0], false)][j];
        if (gain === null) { return; }
        n += 1;
        total += gain;
        if (gain >= regime.worth) { worth += 1; }
      });
      var text = "At " + Number(prices[j].toPrecision(2)) + " labels per brain sample, ";
      text += n ? "the best brain data gain more than " + regime.worth + " in explainable R² with probability " + chance(worth / n) +
        ", and " + (total / n).toFixed(3) + " on average, if the state of the world is known before buying." : "nothing was computed.";
      output.textContent = text;
      slider.setAttribute("aria-valuetext", text);
      line.move(prices[j]);
    }
    slider.addEventListener("input", chosen);
    find("price-control").hidden = false;
    return function (price) { slider.value = String(nearest(prices, price, log)); chosen(); };
  }

  var setBudget = data.frontier ? budgetSlider(data.frontier) : null;
  var setPrice = data.regime ? priceSlider(data.regime) : null;
  var today = data.regime ? data.regime.posterior.map(function (draw) { return draw[1]; }).sort(function (a, b) { return a - b; }) : [];

  /* "#budget=12000&price=0.5" opens the page at these values. */
  function fromAddress() {
    var asked = new URLSearchParams(location.hash.slice(1));
    var budget = Number(asked.get("budget")), price = Number(asked.get("price"));
    if (setBudget) { setBudget(budget > 0 ? budget : data.budget); }
    if (setPrice) { setPrice(price > 0 ? price : today[Math.floor(today.length / 2)]); }
  }
  window.addEventListener("hashchange", function () {
    if (/budget=|price=/.test(location.hash)) { fromAddress(); }
  });
  fromAddress();

  /* The glossary: open in the file, so that it is there without this script and on paper; folded on the screen. */
  var words = find("words");
  function meant() { return /^#term-/.test(location.hash); }
  if (words) {
    words.open = meant();
    window.addEventListener("hashchange", function () {
      if (!meant()) { return; }
      words.open = true;
      var term = find(location.hash.slice(1));
      if (term) { term.scrollIntoView({ block: "center" }); }
    });
    var before = false;
    window.addEventListener("beforeprint", function () { before = words.open; words.open = true; });
    window.addEventListener("afterprint", function () { words.open = before; });
    if (meant() && find(location.hash.slice(1))) { find(location.hash.slice(1)).scrollIntoView({ block: "center" }); }
  }
})();
