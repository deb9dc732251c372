// The player of a terminal's recording, its speed, and its markers.
"use strict";
(() => {
  const place = document.getElementById("player");
  const speed = document.getElementById("speed");
  if (!place || !window.AsciinemaPlayer) return;
  let player = null;
  const play = async (from) => {
    let at = 0;
    if (player) {
      at = await player.getCurrentTime();
      player.dispose();
    }
    player = window.AsciinemaPlayer.create(place.dataset.cast, place, {
      speed: Number(speed.value) || 1,
      idleTimeLimit: 2,
      fit: "width",
      preload: true,
      controls: true,
      startAt: from ?? at,
      poster: from === undefined ? undefined : "npt:0:01",
      terminalFontSize: "15px",
    });
    if (from === undefined) player.play();
  };
  speed.addEventListener("change", () => play());
  for (const button of document.querySelectorAll("button[data-marker]")) {
    button.addEventListener("click", async () => {
      await player.seek({ marker: Number(button.dataset.marker) });
      place.focus();
    });
  }
  play(0);
})();
