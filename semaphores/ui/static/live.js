// Live: takes the news of this view and shows them. Without it every page still reads; it only stays as it was.

import { morph } from "./morph.js";

const place = document.getElementById("live");
const pulse = document.getElementById("pulse");
let source = null;

function say(state, text) {
  if (pulse === null || pulse.dataset.state === state) return;
  pulse.dataset.state = state;
  pulse.textContent = text;
}

function show(event) {
  const html = new DOMParser().parseFromString(JSON.parse(event.data), "text/html");
  const wanted = document.createElement("div");
  wanted.id = "live";
  wanted.append(...html.body.childNodes);
  morph(place, wanted);
  say("live", "live");
}

function listen() {
  if (source !== null || document.hidden) return;
  source = new EventSource(place.dataset.live);
  source.addEventListener("page", show);
  source.addEventListener("gone", () => {
    say("gone", "no longer there");
    stop();
  });
  source.addEventListener("trouble", (event) => say("away", "not live: " + JSON.parse(event.data)));
  source.addEventListener("error", () => {
    say("away", "not live: trying again");
    if (source !== null && source.readyState === EventSource.CLOSED) {
      stop();
      setTimeout(listen, 5000);
    }
  });
}

function stop() {
  if (source !== null) source.close();
  source = null;
}

// A browser opens few connections to one host: pages that nobody sees give theirs back.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
window.addEventListener("pagehide", stop);
window.addEventListener("pageshow", listen);

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.querySelector(".filter input:not([type=hidden])");
  if (field === null) return;
  event.preventDefault();
  field.focus();
});

listen();
