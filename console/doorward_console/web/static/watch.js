// A terminal that is watched: plain text, backspaces and line ends, put into a <pre> as text and never as markup.
"use strict";
(() => {
  const screen = document.getElementById("screen");
  const state = document.getElementById("watch-state");
  if (!screen || !window.EventSource) return;
  const MAX_LINES = 2000;
  let lines = [""];
  let column = 0;
  const show = (text) => {
    for (const character of text) {
      const last = lines.length - 1;
      if (character === "\n") {
        lines.push("");
        column = 0;
      } else if (character === "\b") {
        column = Math.max(0, column - 1);
      } else {
        const line = Array.from(lines[last]);
        line[column] = character;
        lines[last] = line.join("");
        column += 1;
      }
    }
    lines = lines.slice(-MAX_LINES);
    const atEnd = screen.scrollTop + screen.clientHeight >= screen.scrollHeight - 4;
    screen.textContent = lines.join("\n");
    if (atEnd) screen.scrollTop = screen.scrollHeight;
  };
  const source = new EventSource(screen.dataset.stream);
  const say = (words, on) => {
    state.textContent = words;
    state.classList.toggle("on", on);
  };
  source.addEventListener("open", () => say("live", true));
  source.addEventListener("show", (event) => show(JSON.parse(event.data)));
  source.addEventListener("over", (event) => {
    source.close();
    say(JSON.parse(event.data), false);
  });
  source.addEventListener("error", () => say("not connected", false));
})();
