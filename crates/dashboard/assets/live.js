// Keeps a page up to date: listens to what happens, fetches the page again and takes over the parts that are marked with
// `data-live`. Everything works without it.
"use strict";

(() => {
  const QUIET = 200; // milliseconds without an event before the page is fetched
  const BETWEEN = 1000; // milliseconds between two fetches at least
  const WHILE_DUE = 3000; // so often while something is due
  const AGAIN = 15000; // a stream that was refused is asked for again
  const SLOWEST = 30000; // what no event tells, such as the daemon itself, is looked at so often

  // The clock of the daemon counts, not that of the machine on which the page is shown.
  let ahead = Number(document.documentElement.dataset.now) - Date.now();
  const now = () => Date.now() + ahead;

  // Times. The same words as on the server.

  const twoUnits = (seconds, large, largeName, small, smallName) => {
    const rest = Math.floor((seconds % large) / small);
    const whole = `${Math.floor(seconds / large)} ${largeName}`;
    return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
  };

  const duration = (seconds) => {
    if (seconds < 120) return `${seconds} s`;
    if (seconds < 7200) return twoUnits(seconds, 60, "min", 1, "s");
    if (seconds < 172800) return twoUnits(seconds, 3600, "h", 60, "min");
    return twoUnits(seconds, 86400, "d", 3600, "h");
  };

  const told = (form, at) => {
    const left = at - now();
    if (left > 0) return `in ${duration(Math.ceil(left / 1000))}`;
    if (form === "due") return "now";
    return left > -1000 ? "just now" : `${duration(Math.floor(-left / 1000))} ago`;
  };

  const tick = () => {
    let isDue = false;
    for (const element of document.querySelectorAll("time[data-time]")) {
      const form = element.dataset.time;
      const at = Date.parse(element.dateTime);
      if (form === "exact" || Number.isNaN(at)) continue;
      const text = told(form, at);
      if (element.textContent !== text) element.textContent = text;
      if (form === "due" && at <= now()) isDue = true;
    }
    // What was waited for has come: soon there is something new to show, or it takes its time.
    if (isDue && Date.now() - last >= WHILE_DUE) wanted();
  };

  // Taking over what is new. Elements stay, so that focus, scroll positions and open details stay as well.

  const isEdited = (element) => element === document.activeElement && /^(INPUT|TEXTAREA|SELECT)$/.test(element.nodeName);

  const takeOver = (old, fresh) => {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (isEdited(old) || old.hasAttribute("data-kept")) return;
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id ? known.get(child.id) : undefined;
      if (same && same !== place) old.insertBefore(same, place);
      const met = same ?? place;
      if (met && !(met.id && met.id !== child.id)) {
        place = met.nextSibling;
        takeOver(met, child);
      } else {
        old.insertBefore(child, place);
      }
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  };

  const connection = document.getElementById("connection");
  const say = (text) => {
    if (connection && connection.textContent !== text) connection.textContent = text;
  };

  let timer, isFetching = false, isWantedAgain = false, last = Date.now();

  const wanted = () => {
    if (document.hidden) return;
    if (isFetching) {
      isWantedAgain = true;
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(QUIET, last + BETWEEN - Date.now()));
  };

  const refresh = async () => {
    clearTimeout(timer);
    isFetching = true;
    isWantedAgain = false;
    last = Date.now();
    try {
      const address = new URL(location.href);
      address.searchParams.delete("notice");
      address.hash = "";
      const answer = await fetch(address, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const at = Number(fresh.documentElement.dataset.now);
        if (at) ahead = at - Date.now();
        for (const old of document.querySelectorAll("[data-live]")) {
          const other = fresh.getElementById(old.id);
          if (other) takeOver(old, other);
        }
        if (document.title !== fresh.title) document.title = fresh.title;
        tick();
        document.dispatchEvent(new CustomEvent("refreshed"));
      }
    } catch {
      say("no connection");
    }
    isFetching = false;
    if (isWantedAgain) wanted();
    else timer = setTimeout(refresh, SLOWEST);
  };

  // What happens. A page that nobody sees keeps no connection open: a browser has few of them.

  let events;

  const listen = () => {
    events = new EventSource("/api/v1/events");
    events.addEventListener("open", () => {
      say("live");
      wanted();
    });
    events.addEventListener("error", () => {
      say("no connection");
      // What was refused, and not only broken off, the browser does not ask for again by itself.
      if (events?.readyState === EventSource.CLOSED) setTimeout(listenAgain, AGAIN);
    });
    for (const name of ["transition", "run-started", "run-finished", "schedule", "gap"]) {
      events.addEventListener(name, wanted);
    }
  };

  // Another script knows of something that no event here tells.
  document.addEventListener("changed", wanted);

  const listenAgain = () => {
    events?.close();
    events = undefined;
    if (!document.hidden) listen();
  };

  document.addEventListener("visibilitychange", listenAgain);

  if (document.querySelector("[data-live]") && document.getElementById("pulse")?.childElementCount) {
    setInterval(tick, 1000);
    tick();
    if (!document.hidden) listen();
    timer = setTimeout(refresh, SLOWEST);
  }
})();
