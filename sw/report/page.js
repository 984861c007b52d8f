"use strict";
(() => {
  const report = JSON.parse(document.getElementById("report").textContent);
  const charts = JSON.parse(document.getElementById("charts").textContent);

  // Charts are drawn when they come near the window, so that the page opens quickly, or before they
  // are printed; those in what is folded away, when that is opened.
  Bokeh.logger.set_level("warn");
  const waiting = new Set(Object.keys(charts));
  const draw = (name) => {
    if (waiting.delete(name)) Bokeh.embed.embed_item(charts[name], name);
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      draw(entry.target.id);
    }
  }, { rootMargin: "300px" });
  for (const place of document.querySelectorAll(".place")) near.observe(place);
  window.addEventListener("beforeprint", () => {
    for (const name of waiting) {
      if (document.getElementById(name).checkVisibility()) draw(name);
    }
  });

  // Figures of a layer, as the report's JSON has them.
  const text = (value) => {
    if (value === null) return "-";
    if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 4 });
    return typeof value === "string" ? value : JSON.stringify(value);
  };
  const nested = (value) => value !== null && typeof value === "object" &&
    (!Array.isArray(value) || value.some((entry) => entry !== null && typeof entry === "object"));
  const flat = (entry, before = "") => Object.entries(entry).flatMap(([key, value]) =>
    nested(value) ? flat(value, `${before}${key}.`) : [[before + key, value]]);
  const element = (tag, content) => {
    const made = document.createElement(tag);
    if (content !== undefined) made.textContent = content;
    return made;
  };
  const open = (run, layer) => {
    const panel = document.getElementById(`r${run}-figures`);
    panel.replaceChildren(element("h3", layer));
    for (const [title, entry] of Object.entries(report.runs[run].details[layer])) {
      panel.append(element("h4", title));
      const list = element("dl");
      for (const [key, value] of flat(entry)) {
        const figure = element("dd", text(value));
        figure.dataset.value = JSON.stringify(value);
        list.append(element("dt", key.replaceAll("_", " ").replaceAll(".", " › ")), figure);
      }
      panel.append(list);
    }
    for (const other of document.querySelectorAll(`.layer[data-run="${run}"]`)) {
      other.setAttribute("aria-pressed", other.dataset.layer === layer);
    }
    return panel;
  };
  for (const layer of document.querySelectorAll(".layer")) {
    layer.setAttribute("aria-pressed", false);
    layer.addEventListener("click", (event) => {
      event.preventDefault();
      const panel = open(layer.dataset.run, layer.dataset.layer);
      if (!layer.closest(".graph")) panel.scrollIntoView({ block: "nearest" });
    });
    layer.addEventListener("keydown", (event) => {
      if (layer.tagName !== "BUTTON" && event.key === " ") {
        event.preventDefault();
        layer.dispatchEvent(new MouseEvent("click", { cancelable: true }));
      }
    });
  }

  // Tables: a click on a column's head sorts by it, and another turns the order.
  const less = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  };
  for (const button of document.querySelectorAll(".sort")) {
    button.addEventListener("click", () => {
      const head = button.parentElement, body = head.closest("table").tBodies[0];
      const column = head.cellIndex;
      const turned = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", turned ? "descending" : "ascending");
      const value = (row) => JSON.parse(row.cells[column].dataset.value);
      const rows = [...body.rows].sort((a, b) => less(value(a), value(b)));
      body.append(...(turned ? rows.reverse() : rows));
    });
  }
})();
