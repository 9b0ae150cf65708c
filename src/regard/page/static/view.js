// A recording from beginning to end: its video, what is known about each moment drawn over it, and a timeline.

import { Chunks } from "./chunks.js";
import { tellFacts } from "./facts.js";
import { Frames } from "./frames.js";
import { clock, Lanes } from "./lanes.js";
import { layerBoxes, layersOf } from "./layers.js";
import { drawMoment, momentOf } from "./moment.js";
import { STATE_COLOURS, STATES, surfaceOf } from "./overlay.js";
import { fetchPacked } from "./packed.js";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];
const FACTS_MS = 100; // while it plays, nobody reads faster

const $ = (id) => document.getElementById(id);
const video = $("video"), over = $("over");

function fail(error) {
  $("veil").hidden = false;
  $("veil").textContent = `${error.message ?? error}`;
}

async function open() {
  const answer = await fetch("/about");
  if (!answer.ok) throw new Error((await answer.text()) || "the server does not answer");
  const about = await answer.json(), whole = {};
  const [frames] = await Promise.all([
    fetchPacked("/frames"),
    ...["events", "faces", "areas"].map(async (name) => (whole[name] = about[name] === null ? null : await fetchPacked(`/whole/${name}`))),
  ]);
  return { about, whole, frames };
}

function start({ about, whole, frames }) {
  const layers = layersOf(about);
  const isScore = (lane) => about.runs.some((run) => run.scores?.lanes.includes(lane.key));
  const chunks = new Chunks(about.chunk_s, () => draw(), fail);
  const lanes = new Lanes($("lanes"), $("tip"), about, {
    isShown: (lane) => {
      const run = layers.runs[lane.of];
      return !run || (run.shown && (!isScore(lane) || lane.key === run.score));
    },
    seek: (timeS) => shown.seek(timeS),
    failed: fail,
  });
  const shown = new Frames(video, frames, () => changed());
  let toldAt = 0, moment = null;

  function draw() {
    const box = video.getBoundingClientRect(), scale = devicePixelRatio || 1;
    const width = Math.round(box.width * scale), height = Math.round(box.height * scale);
    if (over.width !== width || over.height !== height) Object.assign(over, { width, height });
    Object.assign(over.style, { width: `${box.width}px`, height: `${box.height}px` });
    const surface = surfaceOf(over, scale);
    surface.context.clearRect(0, 0, width, height);
    moment = momentOf(shown.timeS, about, chunks, whole);
    drawMoment(surface, moment, layers);
    over.dataset.frame = shown.number;
    if (video.paused || performance.now() - toldAt > FACTS_MS) {
      tellFacts($("facts"), moment, about, layers, shown.number);
      toldAt = performance.now();
    }
  }

  function changed() {
    draw();
    lanes.now(shown.timeS);
    $("clock").textContent = `${clock(shown.timeS, 0.01)} / ${clock(about.end_s, 0.01)} s`;
    $("scrubber").value = shown.timeS;
    if (video.paused) remember();
  }

  const remember = () => history.replaceState(null, "", `#t=${shown.timeS.toFixed(3)}`);
  const goToHash = () => {
    const timeS = Number(/^#t=(-?[\d.]+)$/.exec(location.hash)?.[1] ?? NaN);
    if (Number.isFinite(timeS)) shown.seek(timeS);
  };

  function say() {
    $("play").textContent = video.paused ? "\u25b6" : "\u23f8";
    $("play").setAttribute("aria-pressed", String(!video.paused));
    if (video.paused) changed();
  }

  const toggle = () => {
    if (!video.paused) video.pause();
    else video.play().catch(fail);
  };

  function snapshot() {
    const { width, height } = about.video, picture = new OffscreenCanvas(width, height), context = picture.getContext("2d");
    context.drawImage(video, 0, 0, width, height);
    const layer = new OffscreenCanvas(width, height);
    drawMoment(surfaceOf(layer), moment, layers);
    context.drawImage(layer, 0, 0);
    picture.convertToBlob({ type: "image/png" }).then((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${about.id} ${shown.timeS.toFixed(3)} s.png`.replace(/[/\\:]/g, "_");
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }, fail);
  }

  const seekBy = (byS) => shown.seek(Math.min(Math.max(shown.timeS + byS, 0), about.end_s));
  const setMute = (isMuted) => (video.muted = $("mute").checked = isMuted);
  const keys = {
    " ": toggle,
    ",": () => shown.step(-1),
    ".": () => shown.step(1),
    ArrowLeft: (event) => seekBy(event.shiftKey ? -10 : -1),
    ArrowRight: (event) => seekBy(event.shiftKey ? 10 : 1),
    Home: () => shown.show(0),
    End: () => shown.show(shown.last),
    "+": () => lanes.zoom(2),
    "=": () => lanes.zoom(2),
    "-": () => lanes.zoom(0.5),
    0: () => lanes.zoom(0),
    s: snapshot,
    m: () => setMute(!video.muted),
  };
  addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("select, input:not([type=checkbox], [type=range])");
    const isPressing = event.key === " " && event.target.matches("button, summary, input[type=checkbox]");
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping || isPressing || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key](event);
  });

  for (const speed of SPEEDS) $("speed").append(new Option(`${speed}x`, speed, false, speed === 1));
  $("speed").addEventListener("change", () => (video.playbackRate = Number($("speed").value)));
  $("scrubber").max = about.end_s;
  $("scrubber").addEventListener("input", () => shown.seek(Number($("scrubber").value)));
  const clicks = {
    play: toggle, back: () => shown.step(-1), on: () => shown.step(1), snapshot,
    closer: () => lanes.zoom(2), farther: () => lanes.zoom(0.5), whole: () => lanes.zoom(0), stage: toggle,
  };
  for (const [id, click] of Object.entries(clicks)) $(id).addEventListener("click", click);
  $("mute").addEventListener("change", () => setMute($("mute").checked));
  for (const name of ["play", "pause", "ended"]) video.addEventListener(name, say);
  addEventListener("hashchange", goToHash);
  new ResizeObserver(draw).observe(video);
  layerBoxes($("layers"), about, layers, () => {
    draw();
    lanes.refresh();
  });
  goToHash();
  $("stage").style.setProperty("--aspect", about.video.width / about.video.height);
  video.src = "/video"; // not before somebody listens for its first picture
}

function introduce({ about }) {
  document.title = `${about.id} · regard`;
  $("title").textContent = about.id;
  $("who").textContent = about.subject === "unknown" ? "" : `worn by ${about.subject}`;
  const notes = [about.video.note, about.events_told && `eye movements: ${about.events_told}`, ...about.notes].filter(Boolean);
  $("notes").hidden = !notes.length;
  $("notes").querySelector("ul").append(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  video.addEventListener("error", () => fail(`this browser cannot play the video (${video.error?.message || "unknown kind"})`));
  for (const state of about.gaze?.states ?? []) {
    const part = document.createElement("span"), swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = STATE_COLOURS[state];
    part.append(swatch, STATES[state]);
    $("key").append(part);
  }
}

open().then((all) => {
  introduce(all);
  start(all);
  document.body.dataset.ready = "yes";
}, fail);
