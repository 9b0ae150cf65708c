// What is shown of a recording: a box to tick for each kind of mark, run by run.

import { MODEL_COLOURS } from "./overlay.js";

const TRAILS_S = [0.5, 1, 2, 5];
const KINDS = { point: "point", density: "density", attention: "attention", evidence: "evidence", actions: "actions", faces: "faces" };

// State that drawing reads: {gaze, trail, trailS, others, faces, areas, runs: {KEY: {shown, score, colour, point, density, ...}}}.
export function layersOf(about) {
  const runs = {};
  let hasGlow = false;
  about.runs.forEach((run, k) => {
    const kinds = kindsOf(run), glow = kinds.find((kind) => ["density", "attention"].includes(kind));
    const shown = Object.fromEntries(kinds.map((kind) => [kind, !["density", "attention", "evidence"].includes(kind)]));
    if (glow && !hasGlow) shown[glow] = hasGlow = true; // of several over each other none could be read
    runs[run.key] = { shown: true, score: run.scores?.lanes[0] ?? "", colour: MODEL_COLOURS[k % MODEL_COLOURS.length], ...shown };
  });
  return { gaze: true, trail: true, trailS: 1, others: about.others.length > 0, faces: Boolean(about.faces?.length), areas: true, lanes: true, runs };
}

export function kindsOf(run) {
  if (!run.answers) return [];
  const { arrays, has_points, classes } = run.answers;
  const has = {
    point: has_points,
    density: arrays.includes("log_density"),
    attention: arrays.includes("attention"),
    evidence: arrays.includes("evidence"),
    actions: Object.keys(classes).length > 0,
    faces: arrays.includes("looking"),
  };
  return Object.keys(KINDS).filter((kind) => has[kind]);
}

// Puts the boxes into `place`; changed() is called when one was ticked.
export function layerBoxes(place, about, layers, changed) {
  const set = (object, name) => (value) => {
    object[name] = value;
    changed();
  };
  if (about.gaze || about.others.length || about.faces?.length || about.areas) {
    const group = grouped(place, "recorded");
    if (about.gaze) {
      group.append(box("gaze", layers.gaze, set(layers, "gaze"), "gaze"));
      group.append(box("trail", layers.trail, set(layers, "trail"), "trail"));
      group.append(trailChoice(layers, set(layers, "trailS")));
    }
    if (about.others.length) group.append(box(`others (${about.others.length})`, layers.others, set(layers, "others"), "others"));
    if (about.faces?.length) group.append(box("faces", layers.faces, set(layers, "faces"), "faces"));
    if (about.areas) group.append(box(`areas (${about.areas.length})`, layers.areas, set(layers, "areas"), "areas"));
  }
  for (const run of about.runs) {
    const state = layers.runs[run.key], group = grouped(place, "", run.key);
    const all = box(run.name, state.shown, set(state, "shown"), run.key);
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = state.colour;
    all.querySelector("input").after(swatch);
    all.classList.add("whole");
    group.append(all);
    for (const kind of kindsOf(run)) group.append(box(KINDS[kind], state[kind], set(state, kind), `${run.key}-${kind}`));
    if (run.scores?.names.length) group.append(scoreChoice(run, state, set(state, "score")));
  }
}

function grouped(place, title, key = title) {
  const group = document.createElement("div");
  group.className = "group";
  group.dataset.group = key;
  if (title) {
    const name = document.createElement("span");
    name.className = "dim";
    name.textContent = title;
    group.append(name);
  }
  place.append(group);
  return group;
}

function box(words, isOn, changed, name) {
  const label = document.createElement("label"), input = document.createElement("input");
  Object.assign(input, { type: "checkbox", checked: isOn, name });
  input.addEventListener("change", () => changed(input.checked));
  label.append(input, words);
  return label;
}

function choice(words, options, chosen, changed, name) {
  const label = document.createElement("label"), select = document.createElement("select");
  for (const [value, text] of options) select.append(new Option(text, value, false, value === chosen));
  select.name = name;
  select.addEventListener("change", () => changed(select.value));
  label.append(words, select);
  return label;
}

function trailChoice(layers, changed) {
  const options = TRAILS_S.map((longS) => [String(longS), `${longS} s`]);
  return choice("", options, String(layers.trailS), (value) => changed(Number(value)), "trail_s");
}

function scoreChoice(run, state, changed) {
  const options = run.scores.names.map((name, k) => [run.scores.lanes[k], name.replaceAll("_", " ")]);
  return choice("score", [...options, ["", "none"]], state.score, changed, `${run.key}-score`);
}
