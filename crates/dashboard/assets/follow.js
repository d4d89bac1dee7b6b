// Follows the log of a run that goes on: its lines come as they are logged, and the rest of the page is brought up to date at
// each step. Without it the page has the lines until it was made.
"use strict";

(() => {
  const MOST_LINES = 1000; // as many as the page has at first
  const list = document.querySelector("[data-follow]");
  if (!list) return;
  const frame = list.parentElement;

  // What is told first is told from the beginning: it takes the place of what the page has.
  let isFresh = true;
  let waiting = [];
  let isDrawn = true;

  const piece = (name, text) => {
    const element = document.createElement(name === "time" ? "time" : "span");
    if (name !== "time") element.className = name;
    element.textContent = text;
    return element;
  };

  const line = (event) => {
    const item = document.createElement("li");
    const known = ["debug", "info", "warn", "error"];
    item.className = `log-${known.includes(event.level) ? event.level : "info"}`;
    const time = piece("time", event.at ? event.at.slice(11, 23) : "");
    if (event.at) time.dateTime = event.at;
    const place = piece("place", "");
    for (const [index, name] of [event.job, event.step].entries()) {
      if (index > 0) place.append(" › ");
      const isolated = document.createElement("bdi");
      isolated.textContent = name ?? "";
      place.append(isolated);
    }
    const text = piece("line-text", event.text ?? "");
    text.dir = "auto";
    item.append(time, " ", piece("level", event.level ?? ""), " ", place, " ", text);
    return item;
  };

  // Many lines may come at once: they are put on the page together.
  const draw = () => {
    isDrawn = true;
    const isAtEnd = frame.scrollTop + frame.clientHeight >= frame.scrollHeight - 8;
    if (isFresh && waiting.length > 0) {
      list.replaceChildren();
      isFresh = false;
    }
    list.append(...waiting.slice(-MOST_LINES));
    waiting = [];
    while (list.childElementCount > MOST_LINES) list.firstElementChild.remove();
    if (isAtEnd) frame.scrollTop = frame.scrollHeight;
  };

  const add = (item) => {
    waiting.push(item);
    if (waiting.length > 2 * MOST_LINES) waiting = waiting.slice(-MOST_LINES);
    if (isDrawn) {
      isDrawn = false;
      setTimeout(draw, 50);
    }
  };

  const remark = (text) => {
    const item = document.createElement("li");
    item.className = "quiet";
    item.textContent = text;
    return item;
  };

  const changed = () => document.dispatchEvent(new CustomEvent("changed"));

  const events = new EventSource(list.dataset.follow);
  events.addEventListener("run-started", () => {
    // A connection that was lost is made again, and everything is told again.
    isFresh = true;
    waiting = [];
  });
  events.addEventListener("log", (event) => add(line(JSON.parse(event.data))));
  events.addEventListener("log-lines-dropped", (event) => {
    const { lines } = JSON.parse(event.data);
    add(remark(`${lines} lines are left out here; the whole log has them when their step has ended`));
  });
  for (const name of ["job-started", "step-started", "step-finished", "job-finished"]) events.addEventListener(name, changed);
  events.addEventListener("run-finished", () => {
    events.close();
    changed();
  });
  frame.scrollTop = frame.scrollHeight;
})();
