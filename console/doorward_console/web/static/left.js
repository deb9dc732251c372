// Counts down what is left of each request, and says so when one that is looked at is over, or was voted on meanwhile.
// Without this file the times are those of when the page was made.
"use strict";

(() => {
  const AGAIN_MS = 5000;
  const words = (s) => {
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min` + (s % 60 ? ` ${s % 60} s` : "");
    if (s < 86400) return `${Math.floor(s / 3600)} h` + (s % 3600 >= 60 ? ` ${Math.floor((s % 3600) / 60)} min` : "");
    return `${Math.floor(s / 86400)} d` + (s % 86400 >= 3600 ? ` ${Math.floor((s % 86400) / 3600)} h` : "");
  };
  const ends = new WeakMap();
  const count = () => {
    let over = false;
    for (const place of document.querySelectorAll("[data-left]")) {
      if (!ends.has(place)) ends.set(place, performance.now() + Number(place.dataset.left) * 1000);
      const left = Math.max(0, Math.round((ends.get(place) - performance.now()) / 1000));
      const said = words(left) + (place.dataset.then || "");
      if (place.textContent !== said) place.textContent = said;
      over ||= left === 0;
    }
    return over;
  };

  const news = document.getElementById("news");
  const say = (text) => {
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Load the page again";
    news.replaceChildren(`${text} `, link);
    news.hidden = false;
  };
  const written = () => [...document.querySelectorAll(".decide input[type=text]")].some((field) => field.value);
  let busy = false;
  const look = async () => {
    if (busy || !news || !news.dataset.state || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch(news.dataset.state, { redirect: "error", headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const found = await answer.json();
      if (found.state !== "pending") {
        delete news.dataset.state;
        if (!written()) return location.reload();
        for (const button of document.querySelectorAll(".decide button")) button.disabled = true;
        say(`This request is over: it is ${found.state}.`);
      } else if (String(found.votes) !== news.dataset.votes) {
        say("Somebody has voted on this meanwhile.");
      } else if (String(found.attended) !== news.dataset.attended) {
        say(found.attended ? "Whoever asked is back, and waits." : "Whoever asked waits no longer.");
      }
    } catch {
      // The next look may reach it; what is on the page stays true of the moment that it names.
    } finally {
      busy = false;
    }
  };

  count();
  setInterval(() => count() && look(), 1000);
  if (news) setInterval(look, AGAIN_MS);
})();
