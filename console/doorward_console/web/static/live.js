// Says whether the list on the page is live, and puts its number into the title. The list itself comes by htmx, and
// not between pressing and letting go.
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

  // A list that is put anew between pressing and letting go takes the click with it: it waits until the pointer is up.
  const inbox = document.getElementById("inbox");
  let pressed = false;
  let waiting = null;
  const release = () => setTimeout(() => {
    pressed = false;
    if (waiting === null) return;
    htmx.swap(inbox, waiting, { swapStyle: htmx.config.defaultSwapStyle });
    waiting = null;
    count();
  });
  inbox.addEventListener("pointerdown", (event) => {
    pressed = event.button === 0;
  });
  for (const end of ["pointerup", "pointercancel", "contextmenu", "dragend"]) document.addEventListener(end, release);
  window.addEventListener("blur", release);
  inbox.addEventListener("htmx:sseBeforeMessage", (event) => {
    waiting = pressed ? event.detail.data : null;
    if (pressed) event.preventDefault();
  });
})();
