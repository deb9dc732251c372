// Says whether the list on the page is live, and puts its number into the title. The list itself comes by htmx.
"use strict";

(() => {
  const live = document.getElementById("live");
  const title = document.title;
  const say = (on, words) => {
    live.classList.toggle("on", on);
    live.textContent = words;
  };
  const count = () => {
    const number = document.querySelectorAll("#inbox a.item").length;
    document.title = number ? `(${number}) ${title}` : title;
  };
  document.body.addEventListener("htmx:sseOpen", () => say(true, "live"));
  document.body.addEventListener("htmx:sseError", () => say(false, "not live just now"));
  document.body.addEventListener("htmx:sseClose", () => say(false, "not live; load the page again"));
  document.body.addEventListener("htmx:sseMessage", count);
  count();
})();
