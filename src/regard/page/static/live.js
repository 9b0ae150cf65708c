// A live run: the newest picture with what is known about it drawn over it, switches, counts and how late answers come.

import { drawChart } from "./chart.js";
import { drawMarks, MODEL_COLOURS, STATE_COLOURS, STATES, surfaceOf } from "./overlay.js";
import { stream } from "./stream.js";

const KEPT = 120; // points of the chart
// What can be switched off, each offered when there is some.
const SWITCHES = {
  gaze: (marks) => marks.gaze,
  trail: (marks) => marks.gaze,
  density: (marks) => marks.answers.some((answer) => answer.density),
  actions: (marks) => marks.answers.some((answer) => answer.actions),
  faces: (marks) => marks.answers.some((answer) => answer.faces),
};
const VEILS = {
  ended: "The run has ended. This page goes on when another one begins.",
  gone: "The run cannot be reached. This page goes on by itself when it is back.",
  unknown: "The run was started anew: open the address that regard printed.",
};

const by = (id) => document.getElementById(id);
const picture = by("picture"), over = by("over");
const shown = { gaze: true, trail: true, density: true, actions: true, faces: true, hidden: new Set() };
const models = [], late = new Map(), named = new Set();
let last = null, isOwed = false, isPaused = false, hasEnded = false;

const colourOf = (model) => MODEL_COLOURS[Math.max(0, models.indexOf(model)) % MODEL_COLOURS.length];

function draw() {
  if (!last) return;
  const { bitmap, marks } = last;
  if (picture.width !== bitmap.width || picture.height !== bitmap.height) {
    [picture.width, picture.height] = [bitmap.width, bitmap.height];
  }
  picture.getContext("2d").drawImage(bitmap, 0, 0);
  const pixels = window.devicePixelRatio || 1;
  const width = Math.round(picture.clientWidth * pixels), height = Math.round(picture.clientHeight * pixels);
  if (over.width !== width || over.height !== height) [over.width, over.height] = [width, height];
  const surface = surfaceOf(over, pixels);
  surface.context.clearRect(0, 0, width, height);
  drawMarks(surface, marks, shown, colourOf);
}

function onPicture(newest) {
  isOwed = true;
  if (isPaused && last) return newest.bitmap.close(); // it was on its way
  last?.bitmap.close();
  last = newest;
  by("snapshot").disabled = false;
  by("veil").hidden = !hasEnded;
  for (const [key, isThere] of Object.entries(SWITCHES)) if (isThere(newest.marks)) by(`show-${key}`).hidden = false;
  legend(newest.marks);
  draw();
  askOn("shown");
}

// The next picture comes when this one is shown; a paused or hidden page asks for none.
function askOn(word = "go on") {
  if (!isOwed || isPaused || document.hidden) return;
  isOwed = false;
  live.say(word);
}

function onStatus(status) {
  hasEnded = status.has_ended;
  for (const { name } of status.models) if (!models.includes(name)) addModel(name);
  by("source").textContent = status.source;
  by("now").textContent = `${status.time_s.toFixed(1)} s, ${status.frames} pictures in`;
  const number = (value) => (value === null || value === undefined ? "-" : value.toFixed(0));
  by("counts").replaceChildren(...status.models.map((model) => row(
    [model.name, model.answered, model.dropped, number(model.p50_ms), number(model.p95_ms)])));
  const { rate_hz: rate, p50_ms: p50, p95_ms: p95 } = status.shown;
  by("shown").textContent = rate
    ? `This page shows ${rate.toFixed(0)} pictures a second, ${number(p50)} ms after their time (p95 ${number(p95)}).`
    : isPaused ? "This page is paused." : "This page shows no pictures now.";
  by("notes-panel").hidden = !status.notes.length;
  by("notes").replaceChildren(...status.notes.map((note) => element("li", note)));
  for (const model of status.models) {
    if (model.p50_ms === null || model.p50_ms === undefined) continue;
    const points = late.get(model.name) ?? late.set(model.name, []).get(model.name);
    points.push([performance.now() / 1000, model.p50_ms, model.p95_ms]);
    if (points.length > KEPT) points.shift();
  }
  chart();
  if (hasEnded) veil(VEILS.ended);
}

function onState(state) {
  if (state === "open") {
    isOwed = false;
    hasEnded = false;
    veil("Waiting for the first picture");
  } else {
    veil(VEILS[hasEnded ? "ended" : state]);
  }
}

function chart() {
  const lines = [...late].flatMap(([model, points]) => [1, 2].map((which) => (
    { colour: colourOf(model), dashed: which === 2, points: points.map((point) => [point[0], point[which]]) })));
  drawChart(by("chart"), lines, performance.now() / 1000);
}

// The colours of the recorded gaze, each named when it first occurs.
function legend({ gaze, answers }) {
  if (answers.some((answer) => answer.point)) name("diamond", "diamond: a model's estimate");
  if (!gaze) return;
  name("ring", "ring: recorded gaze");
  for (const state of new Set(gaze.state)) if (state) name(STATES[state], STATES[state], STATE_COLOURS[state]);
}

function name(key, words, colour) {
  if (named.has(key)) return;
  named.add(key);
  const line = element("span");
  line.append(...(colour ? [swatch(colour)] : []), words);
  by("legend").append(line);
}

function swatch(colour) {
  const made = element("span");
  made.className = "swatch";
  made.style.background = colour;
  return made;
}

function addModel(name) {
  if (!models.length) by("models").replaceChildren();
  models.push(name);
  const box = checkbox((isOn) => shown.hidden[isOn ? "delete" : "add"](name), swatch(colourOf(name)), name);
  box.dataset.model = name;
  by("models").append(box);
}

function checkbox(onChange, ...words) {
  const label = element("label"), box = element("input");
  box.type = "checkbox";
  box.checked = true;
  box.onchange = () => { onChange(box.checked); draw(); };
  label.append(box, ...words);
  return label;
}

function row(cells) {
  const line = element("tr");
  line.append(...cells.map((cell) => element("td", cell)));
  return line;
}

function element(kind, text = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

function veil(words) {
  by("veil").textContent = words;
  by("veil").hidden = false;
}

// The picture in its own size with what is drawn over it, as PNG.
function snapshot() {
  const canvas = element("canvas");
  [canvas.width, canvas.height] = [last.bitmap.width, last.bitmap.height];
  const surface = surfaceOf(canvas);
  surface.context.drawImage(last.bitmap, 0, 0);
  drawMarks(surface, last.marks, shown, colourOf);
  const name = `regard-${last.marks.time_s.toFixed(3)}s.png`;
  canvas.toBlob((blob) => {
    const link = element("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

for (const key of Object.keys(SWITCHES)) {
  const box = checkbox((isOn) => { shown[key] = isOn; }, key);
  box.id = `show-${key}`;
  box.hidden = true;
  by("switches").append(box);
}
by("pause").onclick = () => {
  isPaused = !isPaused;
  by("pause").textContent = isPaused ? "Go on" : "Pause";
  by("pause").setAttribute("aria-pressed", isPaused);
  askOn();
};
by("snapshot").onclick = snapshot;
document.onvisibilitychange = () => askOn();
new ResizeObserver(() => { draw(); chart(); }).observe(picture);
matchMedia("(prefers-color-scheme: dark)").onchange = chart;
const live = stream("live", { onPicture, onStatus, onState });
