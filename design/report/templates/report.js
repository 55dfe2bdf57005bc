(function () {
  "use strict";
  function find(id) { return document.getElementById(id); }

  /* Copying without the network, the clipboard permission or a mouse: select the text, and let the browser copy the selection. */
  function copy(button) {
    var range = document.createRange(), chosen = window.getSelection();
    range.selectNodeContents(find(button.dataset.copy));
    chosen.removeAllRanges();
    chosen.addRange(range);
    var done = document.execCommand("copy");
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    document.querySelector(".live").textContent = done ? "The text is on the clipboard." : "The text is selected. Press Ctrl and C.";
    window.setTimeout(function () { button.textContent = "Copy"; }, 3000);
  }
  document.querySelectorAll("button.copy").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () { copy(button); });
  });

  /* The appendix: folded on the screen, whole on paper, and open where a link leads. */
  var parts = Array.prototype.slice.call(document.querySelectorAll("details.part"));
  function reveal() {
    var target = location.hash.length > 1 ? find(decodeURIComponent(location.hash.slice(1))) : null;
    var part = target && target.closest("details.part");
    if (part) {
      part.open = true;
      target.scrollIntoView({ block: target === part ? "start" : "center" });
    }
  }
  window.addEventListener("hashchange", reveal);
  reveal();
  var folded = [];
  window.addEventListener("beforeprint", function () {
    folded = parts.filter(function (part) { return !part.open; });
    folded.forEach(function (part) { part.open = true; });
  });
  window.addEventListener("afterprint", function () { folded.forEach(function (part) { part.open = false; }); });

  /* A wide table says that it can be moved sideways. */
  var wide = Array.prototype.slice.call(document.querySelectorAll(".scroll"));
  wide.forEach(function (region) {
    var hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = "Swipe sideways to see the whole table";
    region.insertBefore(hint, region.firstChild);
  });
  function measure() {
    wide.forEach(function (region) { region.classList.toggle("more", region.scrollWidth > region.clientWidth + 1); });
  }
  parts.forEach(function (part) { part.addEventListener("toggle", measure); });
  window.addEventListener("resize", measure);
  measure();
})();
